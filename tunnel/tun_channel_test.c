/* What stands in front of a packet in point-to-point mode (OpenSSH's PROTOCOL 2.3). */
#include "tests/unit.h"
#include "tunnel/policy.h"
#include "tunnel/tun_channel.h"
#include "wire/msg_conn.h"

static void the_family_is_the_packets_own_in_openbsds_numbers(void **state UNUSED)
{
    static const uint8_t v4[] = {0x45, 0}, v6[] = {0x60}, arp[] = {0x00, 0x01}, v5[] = {0x5f};
    uint8_t head[4];
    assert_true(tun_family_of(slice_of(v4, sizeof(v4)), head));
    assert_memory_equal(head, "\0\0\0\x02", 4);
    assert_true(tun_family_of(slice_of(v6, sizeof(v6)), head));
    assert_memory_equal(head, "\0\0\0\x18", 4);
    assert_false(tun_family_of(slice_of(arp, sizeof(arp)), head));
    assert_false(tun_family_of(slice_of(v5, sizeof(v5)), head));
    assert_false(tun_family_of(SLICE_NONE, head));
}

static void a_request_has_a_mode_and_a_unit_and_nothing_else(void **state UNUSED)
{
    static const uint8_t body[] = {0, 0, 0, 2, 0x7f, 0xff, 0xff, 0xff, 0};
    uint32_t mode, unit;
    assert_ok(body_tun_decode(slice_of(body, 8), &mode, &unit));
    assert_int_equal(mode, 2);
    assert_int_equal(unit, POLICY_TUN_ANY);
    for (size_t len = 0; len < sizeof(body); len++) {
        if (len != 8)
            assert_int_not_equal(body_tun_decode(slice_of(body, len), &mode, &unit), OK);
    }
    assert_int_not_equal(body_tun_decode(slice_of(body, 9), &mode, &unit), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_family_is_the_packets_own_in_openbsds_numbers),
        cmocka_unit_test(a_request_has_a_mode_and_a_unit_and_nothing_else),
    };
    return RUN_TESTS(tests);
}
