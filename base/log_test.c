/* Lines as text and as JSON: the same facts, and no peer's byte that could end one early. */
#include "base/log.h"
#include "tests/unit.h"

static char last[8192];

static void keep(void *arg, enum log_level level, const char *line, size_t length)
{
    (void)arg;
    (void)level;
    assert_true(length < sizeof(last));
    memcpy(last, line, length);
    last[length] = '\0';
}

static uint64_t fixed_clock(void)
{
    return 1795244584007u; /* 2026-11-21 07:03:04.007 */
}

static uint64_t leap_clock(void)
{
    return 951782399999u; /* 2000-02-28 23:59:59.999 */
}

static int set_up(void **state)
{
    (void)state;
    log_set_sink(keep, NULL);
    log_set_level(LOG_INFO);
    log_set_name(NULL);
    log_set_json(NULL);
    return 0;
}

static void an_event_is_a_line_of_facts(void **state)
{
    (void)state;
    LOG_EVENT(LOG_INFO, "forward", NULL, log_text("kind", "local"), log_text("key", NULL),
              log_text("user", "anna b"), log_text("empty", ""), log_number("port", 22),
              log_bytes("target", slice_of("a\n\"=\0b", 6)));
    assert_string_equal(last, "forward kind=local user=\"anna b\" empty=\"\" port=22 "
                              "target=\"a\\012\\042=\\000b\"");
    LOG_EVENT(LOG_INFO, "login", "Accepted publickey", log_text("user", "anna"));
    assert_string_equal(last, "Accepted publickey");
    last[0] = '\0';
    LOG_EVENT(LOG_VERBOSE, "forward", NULL, log_text("kind", "local"));
    assert_string_equal(last, "");
}

static void json_has_time_level_program_pid_message_and_fields(void **state)
{
    (void)state;
    log_set_json(fixed_clock);
    log_info("a \"quoted\" \\ line\n");
    assert_string_equal(last,
                        "{\"time\":\"2026-11-21T07:03:04.007Z\",\"level\":\"INFO\",\"program\":"
                        "\"\",\"message\":\"a \\\"quoted\\\" \\\\ line\\u000a\"}");
    log_set_name("aditd-work[12]");
    LOG_EVENT(LOG_ERROR, "login", "Accepted", log_text("user", "\xc3\xa9\xff\x01"),
              log_number("port", UINT64_MAX));
    assert_string_equal(
        last,
        "aditd-work[12]: {\"time\":\"2026-11-21T07:03:04.007Z\",\"level\":\"ERROR\",\"program\":"
        "\"aditd-work\",\"pid\":12,\"message\":\"Accepted\",\"event\":\"login\",\"user\":"
        "\"\xc3\xa9\\ufffd\\u0001\",\"port\":18446744073709551615}");
    log_set_json(leap_clock);
    log_info("x");
    assert_non_null(strstr(last, "\"2000-02-28T23:59:59.999Z\""));
}

/* Strings end where they should, and nothing but an object is there. */
static bool is_json_object(const char *text)
{
    bool in_string = false;
    size_t depth = 0, i = 0;
    for (; text[i] != '\0'; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c == 0x7f)
            return false;
        if (in_string && c == '\\') {
            i++;
            if (text[i] == 'u' && strspn(text + i + 1, "0123456789abcdef") < 4)
                return false;
            if (strchr("u\"\\", text[i]) == NULL)
                return false;
        } else if (c == '"') {
            in_string = !in_string;
        } else if (!in_string) {
            depth += c == '{' ? 1 : 0;
            depth -= c == '}' ? 1 : 0;
            if (depth == 0 && text[i + 1] != '\0')
                return false;
        }
    }
    return depth == 0 && !in_string && i > 0;
}

static void hostile_and_long_text_leaves_whole_lines(void **state)
{
    (void)state;
    uint8_t bytes[6000];
    uint32_t random = 1;
    for (unsigned round = 0; round < 2000; round++) {
        size_t length = round * 3;
        for (size_t i = 0; i < length; i++) {
            random = random * 1664525u + 1013904223u;
            bytes[i] = (uint8_t)(random >> 24);
            if (round % 3 == 0)
                bytes[i] = "\"\\\n{}"[bytes[i] % 5];
        }
        struct slice text = slice_of(bytes, length);
        log_set_json(fixed_clock);
        LOG_EVENT(LOG_INFO, "e", NULL, log_bytes("a", text), log_bytes("b", text),
                  log_bytes("c", text), log_bytes("d", text), log_bytes("e", text),
                  log_bytes("f", text), log_bytes("g", text), log_bytes("h", text),
                  log_number("n", 1), log_bytes("i", text), log_number("m", 2));
        assert_true(is_json_object(last));
        char *plain CLEANUP(mem_cleanup) = slice_strdup(text);
        log_info("%s", plain);
        assert_true(is_json_object(last));
        log_set_json(NULL);
        LOG_EVENT(LOG_INFO, "e", NULL, log_bytes("a", text), log_bytes("b", text),
                  log_bytes("c", text), log_bytes("d", text), log_bytes("e", text),
                  log_bytes("f", text), log_bytes("g", text), log_bytes("h", text));
        assert_true(strlen(last) < 4096);
        assert_null(strchr(last, '\n'));
    }
}

static void a_flood_of_peers_is_no_flood_of_lines(void **state)
{
    (void)state;
    struct log_limit l = {.missed = 0};
    uint64_t missed = 99;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(log_limit_take(&l, 5000 + i, 3, &missed), i < 3);
    assert_int_equal(missed, 0);
    assert_true(log_limit_take(&l, 6000, 3, &missed));
    assert_int_equal(missed, 97);
    assert_true(log_limit_take(&l, 6001, 3, &missed));
    assert_int_equal(missed, 0);
    assert_true(log_limit_take(&l, 10, 3, &missed)); /* a clock that stepped back */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_event_is_a_line_of_facts, set_up),
        cmocka_unit_test_setup(json_has_time_level_program_pid_message_and_fields, set_up),
        cmocka_unit_test_setup(hostile_and_long_text_leaves_whole_lines, set_up),
        cmocka_unit_test_setup(a_flood_of_peers_is_no_flood_of_lines, set_up),
    };
    return RUN_TESTS(tests);
}
