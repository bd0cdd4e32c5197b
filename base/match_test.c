/* Patterns, lists and networks, as tables of cases. */
#include "base/match.h"
#include "tests/unit.h"

static void patterns_cover_the_whole_text(void **state)
{
    static const struct {
        const char *text, *pattern;
        bool is_match;
    } cases[] = {
        {"", "", true},
        {"", "*", true},
        {"a", "", false},
        {"a", "?", true},
        {"", "?", false},
        {"abc", "a*c", true},
        {"abc", "a*b", false},
        {"abc", "*", true},
        {"abc", "**c", true},
        {"aab", "*ab", true},
        {"mississippi", "m*iss*pi", true},
        {"mississippi", "m*iss*pa", false},
        {"ABC", "abc", false},
        {"x.example.org", "*.example.org", true},
        {"example.org", "*.example.org", false},
        {"db1", "db?", true},
        {"db12", "db?", false},
        {"a*", "a*", true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(match_is_pattern(cases[i].text, cases[i].pattern), cases[i].is_match);
    assert_true(match_is_pattern_folded("VPS.Example.ORG", "*.eXample.org"));
}

static void a_hostile_pattern_ends_soon(void **state)
{
    char text[2001], pattern[2001];
    (void)state;
    for (size_t i = 0; i < 2000; i++) {
        text[i] = 'a';
        pattern[i] = i % 2 ? '*' : 'a';
    }
    text[2000] = pattern[2000] = '\0';
    pattern[1998] = 'b';
    assert_false(match_is_pattern(text, pattern));
}

static void negation_decides_wherever_it_stands(void **state)
{
    (void)state;
    assert_int_equal(match_list("db1", "db*,!db1"), MATCH_NEGATED);
    assert_int_equal(match_list("db1", "!db1,db*"), MATCH_NEGATED);
    assert_int_equal(match_list("db2", "db*,!db1"), MATCH_YES);
    assert_int_equal(match_list("web", "db*,!db1"), MATCH_NO);
    assert_int_equal(match_list("web", "!db1"), MATCH_NO);
    assert_int_equal(match_list("web", ""), MATCH_NO);
    assert_int_equal(match_list("", ",,"), MATCH_NO);
    assert_int_equal(match_list("web", " a , web "), MATCH_YES);
    assert_int_equal(match_list("WEB", "web"), MATCH_NO);
    assert_int_equal(match_list_folded("WEB", "web"), MATCH_YES);
}

static void address_lists_hold_networks(void **state)
{
    static const struct {
        const char *address, *list;
        enum match result;
    } cases[] = {
        {"10.1.2.3", "10.0.0.0/8", MATCH_YES},
        {"11.1.2.3", "10.0.0.0/8", MATCH_NO},
        {"10.1.2.3", "10.0.0.0/8,!10.1.0.0/16", MATCH_NEGATED},
        {"10.2.2.3", "!10.1.0.0/16,10.0.0.0/8", MATCH_YES},
        {"10.1.2.3", "10.1.2.3", MATCH_YES},
        {"10.1.2.3", "10.1.*", MATCH_YES},
        {"10.1.2.3", "0.0.0.0/0", MATCH_YES},
        {"10.1.2.3", "::/0", MATCH_NO},
        {"192.168.1.129", "192.168.1.128/25", MATCH_YES},
        {"192.168.1.127", "192.168.1.128/25", MATCH_NO},
        {"fe80::1", "fe80::/10", MATCH_YES},
        {"fe80::1%eth0", "fe80::/10", MATCH_YES},
        {"FE80:0:0::1", "fe80::1", MATCH_YES},
        {"::1", "::1/128", MATCH_YES},
        {"UNKNOWN", "0.0.0.0/0,::/0", MATCH_NO},
        {"UNKNOWN", "*", MATCH_YES},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum match result;
        assert_ok(match_address_list(cases[i].address, cases[i].list, &result));
        assert_int_equal(result, cases[i].result);
    }
}

static void bad_masks_are_errors_even_behind_a_match(void **state)
{
    static const char *const bad[] = {
        "10.0.0.1/8", "10.0.0.0/33", "::/129",        "10.0.0.0/",           "10.0.0.0/x",
        "host/8",     "10.0.0.0/-1", "10.0.0.0/8/8",  "1.2.3.4,10.0.0.0/99", "",
        "fe80::1/10", "10.0.0.0/ 8", "10.0.0.0/0008",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        enum match result;
        assert_int_equal(match_address_list("1.2.3.4", bad[i], &result), ERR_FORMAT);
        assert_int_equal(match_address_list(NULL, bad[i], &result), ERR_FORMAT);
        assert_int_equal(result, MATCH_NO);
    }
}

static void single_networks_and_addresses(void **state)
{
    (void)state;
    assert_true(match_is_in_network("127.0.0.9", "127.0.0.0/8"));
    assert_true(match_is_in_network("::1", "::1"));
    assert_false(match_is_in_network("::1", "127.0.0.1"));
    assert_false(match_is_in_network("name", "127.0.0.0/8"));
    assert_false(match_is_in_network("127.0.0.1", "127.0.0.1/8"));
    assert_true(match_is_address("::ffff:1.2.3.4"));
    assert_true(match_is_address("fe80::1%2"));
    assert_false(match_is_address("1.2.3.4%2"));
    assert_false(match_is_address("999.999.999.999"));
    assert_false(match_is_address("localhost"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_cover_the_whole_text),
        cmocka_unit_test(a_hostile_pattern_ends_soon),
        cmocka_unit_test(negation_decides_wherever_it_stands),
        cmocka_unit_test(address_lists_hold_networks),
        cmocka_unit_test(bad_masks_are_errors_even_behind_a_match),
        cmocka_unit_test(single_networks_and_addresses),
    };
    return RUN_TESTS(tests);
}
