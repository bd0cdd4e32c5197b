/*
 * Legality, number by number: the whole table written out as it is meant, against what is looked
 * up. A line is 32 numbers. X illegal, U unimplemented, T transport, K key exchange,
 * A authentication, C connection, I ignored.
 */
#include <string.h>

#include "tests/unit.h"
#include "transport/message_table.h"
#include "wire/numbers.h"

static const struct {
    enum message_phase phase;
    enum transport_role sender;
    const char *expected;
} tables[] = {
    /* clang-format off */
    {PHASE_FIRST_KEX, TRANSPORT_CLIENT,
        "XTTTTXXXUUUUUUUUUUUUKKUUUUUUUUKX"
        "KXKUUUUUUUUUUUUUUUXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"},
    {PHASE_FIRST_KEX, TRANSPORT_SERVER,
        "XTTTTXXXUUUUUUUUUUUUKKUUUUUUUUXK"
        "XKXUUUUUUUUUUUUUUUXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"},
    {PHASE_FIRST_KEX_STRICT, TRANSPORT_CLIENT,
        "XTXXXXXXXXXXXXXXXXXXXKXXXXXXXXKX"
        "KXKXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"},
    {PHASE_FIRST_KEX_STRICT, TRANSPORT_SERVER,
        "XTXXXXXXXXXXXXXXXXXXXKXXXXXXXXXK"
        "XKXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"},
    {PHASE_AUTH, TRANSPORT_CLIENT,
        "XTTTTAXTUUUUUUUUUUUUKXUUUUUUUUXX"
        "XXXUUUUUUUUUUUUUUUAXXXUUUUUUXAUU"
        "UUUUUUUUUUUUUUUUXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"},
    {PHASE_AUTH, TRANSPORT_SERVER,
        "XTTTTXATUUUUUUUUUUUUKXUUUUUUUUXX"
        "XXXUUUUUUUUUUUUUUUXAAAUUUUUUAXUU"
        "UUUUUUUUUUUUUUUUXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"},
    {PHASE_CONNECTED, TRANSPORT_CLIENT,
        "XTTTTXXXUUUUUUUUUUUUKXUUUUUUUUXX"
        "XXXUUUUUUUUUUUUUUUIXXXUUUUUUXXUU"
        "UUUUUUUUUUUUUUUUCCCUUUUUUUCCCCCC"
        "CCCCCUUUUUUUUUUUUUUUUUUUUUUUUUUU"
        "UUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUU"
        "UUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUU"
        "TTUUUUUUUUUUUUUUUUUUUUUUUUUUUUUU"
        "UUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUU"},
    {PHASE_CONNECTED, TRANSPORT_SERVER,
        "XTTTTXXXUUUUUUUUUUUUKXUUUUUUUUXX"
        "XXXUUUUUUUUUUUUUUUXXXXUUUUUUXXUU"
        "UUUUUUUUUUUUUUUUCCCUUUUUUUCCCCCC"
        "CCCCCUUUUUUUUUUUUUUUUUUUUUUUUUUU"
        "UUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUU"
        "UUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUU"
        "TTUUUUUUUUUUUUUUUUUUUUUUUUUUUUUU"
        "UUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUU"},
    {PHASE_REKEY, TRANSPORT_CLIENT,
        "XTTTTXXXUUUUUUUUUUUUXKUUUUUUUUKX"
        "KXKUUUUUUUUUUUUUUUXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"},
    {PHASE_REKEY, TRANSPORT_SERVER,
        "XTTTTXXXUUUUUUUUUUUUXKUUUUUUUUXK"
        "XKXUUUUUUUUUUUUUUUXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"
        "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"},
    /* clang-format on */
};

static const char letters[] = {
    [MESSAGE_ILLEGAL] = 'X', [MESSAGE_UNIMPLEMENTED] = 'U', [MESSAGE_TO_TRANSPORT] = 'T',
    [MESSAGE_TO_KEX] = 'K',  [MESSAGE_TO_AUTH] = 'A',       [MESSAGE_TO_CONN] = 'C',
    [MESSAGE_IGNORED] = 'I',
};

static void every_number_goes_where_it_is_meant_to(void **state)
{
    (void)state;
    assert_int_equal(ARRAY_LEN(tables), 2 * PHASE_COUNT);
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        assert_int_equal(strlen(tables[i].expected), 256);
        for (unsigned n = 0; n < 256; n++) {
            enum message_to to = message_lookup((uint8_t)n, tables[i].sender, tables[i].phase);
            if (letters[to] != tables[i].expected[n])
                fail_msg("table %zu number %u: %c, not %c", i, n, letters[to],
                         tables[i].expected[n]);
        }
    }
}

/* libssh CVE-2018-10933: the client tells the server that it is authenticated. */
static void a_client_cannot_declare_success(void **state)
{
    (void)state;
    for (unsigned phase = 0; phase < PHASE_COUNT; phase++)
        assert_int_equal(
            message_lookup(SSH_MSG_USERAUTH_SUCCESS, TRANSPORT_CLIENT, (enum message_phase)phase),
            MESSAGE_ILLEGAL);
}

/* Erlang CVE-2025-32433: channels and requests before authentication. */
static void nothing_from_80_on_passes_before_authentication(void **state)
{
    (void)state;
    static const enum message_phase before[] = {PHASE_FIRST_KEX, PHASE_FIRST_KEX_STRICT,
                                                PHASE_AUTH};
    for (size_t i = 0; i < ARRAY_LEN(before); i++) {
        for (unsigned n = 80; n < 256; n++) {
            assert_int_equal(message_lookup((uint8_t)n, TRANSPORT_CLIENT, before[i]),
                             MESSAGE_ILLEGAL);
            assert_int_equal(message_lookup((uint8_t)n, TRANSPORT_SERVER, before[i]),
                             MESSAGE_ILLEGAL);
        }
    }
}

static void names_are_the_rfc_s(void **state)
{
    (void)state;
    assert_string_equal(message_name(SSH_MSG_KEXINIT), "KEXINIT");
    assert_string_equal(message_name(SSH_MSG_CHANNEL_OPEN_CONFIRMATION),
                        "CHANNEL_OPEN_CONFIRMATION");
    assert_string_equal(message_name(0), "unknown");
    assert_string_equal(message_name(255), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_goes_where_it_is_meant_to),
        cmocka_unit_test(a_client_cannot_declare_success),
        cmocka_unit_test(nothing_from_80_on_passes_before_authentication),
        cmocka_unit_test(names_are_the_rfc_s),
    };
    return RUN_TESTS(tests);
}
