/* Rules by table: which are read, what each permits, and what needs an address first. */
#include "config/permit.h"
#include "tests/unit.h"

#define ITEMS_MAX 8

struct items {
    char *text;
    char *items[ITEMS_MAX];
    size_t count;
};

/* "a:1 !b:2" -> a list. */
static struct permit_list list_of(struct items *into, const char *text, enum permit_kind kind)
{
    into->text = mem_strdup(text);
    into->count = 0;
    for (char *rest = into->text, *word; (word = strsep(&rest, " ")) != NULL;)
        into->items[into->count++] = word;
    return (struct permit_list){into->items, into->count, kind, false};
}

static void rules_are_read_or_refused(void **state)
{
    static const struct {
        const char *item;
        bool for_open, for_listen, plain_open, plain_listen;
    } rows[] = {
        {"host:80", true, true, true, true},
        {"*:80", true, true, true, true},
        {"host:*", true, true, true, true},
        {"[::1]:80", true, true, true, true},
        {"80", false, true, false, true},
        {"*", false, true, false, true},
        {"host:1000-2000", true, true, false, false},
        {"1000-2000", false, true, false, false},
        {"!host:80", true, true, true, true}, /* plain: a host whose name begins so */
        {"!80", false, true, false, false},
        {"10.0.0.0/8:*", true, true, true, true}, /* plain: a text that no peer writes */
        {"[fd00::/8]:443", true, true, true, true},
        {"!10.0.0.0/8:1-1023", true, true, false, false},
        {"10.0.0.1/8:*", false, false, true, true},
        {"10.0.0.0/33:*", false, false, true, true},
        {"10.0.0.0/:*", false, false, true, true},
        {"host/8:*", false, false, true, true},
        {"*/0:*", false, false, true, true},
        {"!!host:80", true, true, true, true}, /* the text "!host" */
        {"host:0", false, false, false, false},
        {"host:65536", false, false, false, false},
        {"host:4294967376", false, false, false, false},
        {"host:2000-1000", false, false, false, false},
        {"host:1-", false, false, false, false},
        {"host:-1", false, false, false, false},
        {"host:1-2-3", false, false, false, false},
        {"host:", false, false, false, false},
        {":80", false, false, false, false},
        {"[]:80", false, false, false, false},
        {"::1:80", false, false, false, false},
        {"any", false, false, false, false},
        {"none", false, false, false, false},
        {"", false, false, false, false},
        {"!", false, false, false, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct permit_rule rule;
        if (permit_rule_read(&rule, rows[i].item, PERMIT_OPEN, false) != rows[i].for_open ||
            permit_rule_read(&rule, rows[i].item, PERMIT_LISTEN, false) != rows[i].for_listen ||
            permit_rule_read(&rule, rows[i].item, PERMIT_OPEN, true) != rows[i].plain_open ||
            permit_rule_read(&rule, rows[i].item, PERMIT_LISTEN, true) != rows[i].plain_listen)
            fail_msg("\"%s\"", rows[i].item);
    }
}

#define NO   PERMIT_NO
#define YES  PERMIT_YES
#define THEN PERMIT_IF_ADDRESS

static void text_is_compared_and_networks_want_the_address(void **state)
{
    static const struct {
        const char *rules, *host;
        uint32_t port;
        const char *address;
        enum permit_answer before;
        bool allowed;
    } rows[] = {
        {"db:5432", "db", 5432, "10.0.0.5", YES, true},
        {"db:5432", "DB", 5432, "10.0.0.5", YES, true},
        {"db:5432", "10.0.0.5", 5432, "10.0.0.5", NO, false},
        {"db:1000-2000", "db", 1000, "10.0.0.5", YES, true},
        {"db:1000-2000", "db", 2000, "10.0.0.5", YES, true},
        {"db:1000-2000", "db", 2001, "10.0.0.5", NO, false},
        {"10.0.0.0/8:*", "db", 80, "10.0.0.5", THEN, true},
        {"10.0.0.0/8:*", "db", 80, "11.0.0.5", THEN, false},
        {"10.0.0.0/8:*", "10.9.9.9", 80, "10.9.9.9", THEN, true},
        {"10.0.0.0/8:*", "0x0a090909", 80, "10.9.9.9", THEN, true},
        {"10.0.0.0/8:*", "x", 80, "::ffff:10.1.2.3", THEN, true},
        {"10.0.0.0/8:443", "db", 80, "10.0.0.5", NO, false},
        {"[fd00::/8]:443", "db", 443, "fd12::1", THEN, true},
        {"[fd00::/8]:443", "db", 443, "fe80::1%eth0", THEN, false},
        {"*:* !10.0.0.0/8:*", "db", 80, "10.0.0.5", THEN, false},
        {"*:* !10.0.0.0/8:*", "db", 80, "11.0.0.5", THEN, true},
        {"*:* !10.0.0.0/8:*", "db", 80, "::ffff:10.0.0.5", THEN, false},
        {"*:* !10.0.0.0/8:22", "db", 80, "10.0.0.5", YES, true},
        {"*:* !169.254.169.254:*", "meta", 80, "169.254.169.254", THEN, false},
        {"*:* !169.254.169.254:*", "169.254.169.254", 80, "169.254.169.254", NO, false},
        {"*:* !db:*", "db", 80, "10.0.0.5", NO, false},
        {"*:* !db:*", "other", 80, "10.0.0.5", YES, true},
        {"*:* !*:1-1023", "db", 1024, "10.0.0.5", YES, true},
        {"*:* !*:1-1023", "db", 1023, "10.0.0.5", NO, false},
        {"!10.0.0.0/8:*", "db", 80, "11.0.0.5", NO, false}, /* nothing permits it */
        {"10.0.0.0/8:* !10.0.0.0/16:*", "db", 80, "10.0.0.5", THEN, false},
        {"10.0.0.0/8:* !10.0.0.0/16:*", "db", 80, "10.1.0.5", THEN, true},
        {"db:80 !10.0.0.0/8:*", "db", 80, "10.0.0.5", THEN, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct items room;
        struct permit_list list = list_of(&room, rows[i].rules, PERMIT_OPEN);
        const struct permit_target target = {slice_text(rows[i].host), rows[i].port,
                                             rows[i].address};
        const char *rule;
        if (permit_before_lookup(&list, &target, &rule) != rows[i].before)
            fail_msg("%s before %s:%u", rows[i].rules, rows[i].host, rows[i].port);
        if (permit_allows(&list, &target, &rule) != rows[i].allowed)
            fail_msg("%s for %s:%u", rows[i].rules, rows[i].host, rows[i].port);
        mem_free(room.text);
    }
}

/* What is permitted at last was never refused at first, and the other way round. */
static void the_first_half_of_the_answer_fits_the_second(void **state)
{
    static const char *const lists[] = {
        "db:80",          "10.0.0.0/8:*", "*:* !10.0.0.0/8:80-90", "*:80 !db:*",       "!*:*",
        "[::/0]:1-65535", "10.0.0.5:80",  "*:* !10.0.0.5:80",      "!db:80 10.0.0.5:*"};
    static const char *const hosts[] = {"db", "10.0.0.5", "x"};
    static const char *const addresses[] = {"10.0.0.5", "::1", "192.0.2.1"};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lists) * 3 * 3 * 2; i++) {
        struct items room;
        struct permit_list list = list_of(&room, lists[i / 18], PERMIT_OPEN);
        const struct permit_target target = {slice_text(hosts[i / 6 % 3]), i % 2 ? 80 : 81,
                                             addresses[i / 2 % 3]};
        const char *rule;
        enum permit_answer before = permit_before_lookup(&list, &target, &rule);
        bool is_allowed = permit_allows(&list, &target, &rule);
        assert_true(before != PERMIT_NO || !is_allowed);
        assert_true(before != PERMIT_YES || is_allowed);
        mem_free(room.text);
    }
}

static void the_rule_that_forbids_is_named(void **state)
{
    struct items room;
    struct permit_list list = list_of(&room, "*:* !db:* !10.0.0.0/8:*", PERMIT_OPEN);
    struct permit_target target = {slice_text("db"), 80, "192.0.2.1"};
    const char *rule;
    (void)state;
    assert_int_equal(permit_before_lookup(&list, &target, &rule), PERMIT_NO);
    assert_string_equal(rule, "!db:*");
    target = (struct permit_target){slice_text("x"), 80, "10.0.0.1"};
    assert_false(permit_allows(&list, &target, &rule));
    assert_string_equal(rule, "!10.0.0.0/8:*");
    mem_free(room.text);
}

static void without_an_address_only_negated_networks_fit(void **state)
{
    struct items room;
    struct permit_list list = list_of(&room, "10.0.0.0/8:* *:90 !127.0.0.0/8:90-99", PERMIT_LISTEN);
    const char *rule;
    (void)state;
    struct permit_target target = {slice_text("*"), 80, NULL};
    assert_false(permit_allows(&list, &target, &rule));
    target.port = 90;
    assert_false(permit_allows(&list, &target, &rule));
    assert_string_equal(rule, "!127.0.0.0/8:90-99");
    target.address = "192.0.2.1";
    assert_true(permit_allows(&list, &target, &rule));
    target.port = 0; /* the server's choice is no port that was named */
    assert_false(permit_allows(&list, &target, &rule));
    assert_null(rule);
    mem_free(room.text);
}

static void only_a_named_port_is_granted(void **state)
{
    static const struct {
        const char *rules, *address;
        uint16_t port;
        bool is_named;
    } rows[] = {
        {"any", "", 80, false},
        {"none", "", 80, false},
        {"*:*", "", 80, false},
        {"localhost:*", "localhost", 80, false},
        {"*:80", "", 80, true},
        {"*:80", "localhost", 80, true},
        {"80", "localhost", 80, true},
        {"*:80", "", 443, false},
        {"*:*  *:80", "", 80, true},
        {"localhost:80", "localhost", 80, true},
        {"localhost:80", "", 80, false},
        {"*:80-90", "", 85, true},
        {"*:1-65535", "x", 22, true},
        {"*:80-90 !*:85", "", 85, false},
        {"!*:80", "", 80, false},
        {"*:80 !10.0.0.0/8:*", "", 80, false}, /* it could be one of them */
        {"*:80 !10.0.0.0/8:*", "192.0.2.1", 80, true},
        {"192.0.2.0/24:80", "192.0.2.1", 80, true},
        {"192.0.2.0/24:80", "192.0.3.1", 80, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct items room;
        struct permit_list list = list_of(&room, rows[i].rules, PERMIT_LISTEN);
        const struct string_list texts = {room.items, list.count};
        if (permit_list_names_port(&texts, rows[i].address, rows[i].port) != rows[i].is_named)
            fail_msg("%s for %s:%u", rows[i].rules, rows[i].address, rows[i].port);
        mem_free(room.text);
    }
}

static void a_list_of_targets_holds_for_paths_too(void **state)
{
    static const struct {
        const char *rules, *path;
        bool permitted;
    } rows[] = {
        {"db:5432", "/run/docker.sock", false},
        {"*:80", "/run/docker.sock", false},
        {"*:1-65535", "/run/docker.sock", false},
        {"*:*", "/run/docker.sock", true},
        {"10.0.0.0/8:*", "/run/docker.sock", false},
        {"*:* !10.0.0.0/8:*", "/run/docker.sock", true},
        {"*:* !/run/docker.sock:*", "/run/docker.sock", false},
        {"*:* !/run/docker.sock:*", "/run/other.sock", true},
        {"*:* !*:*", "/run/other.sock", false},
        {"/run/a.sock:*", "/run/a.sock", true},
        {"/run/a.sock:*", "/run/A.sock", false},
        {"/run/a.sock:*", "/run/b.sock", false},
        {"none", "/run/a.sock", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct items room;
        struct permit_list list = list_of(&room, rows[i].rules, PERMIT_OPEN);
        const char *rule;
        if (permit_allows_path(&list, slice_text(rows[i].path), &rule) != rows[i].permitted)
            fail_msg("%s for %s", rows[i].rules, rows[i].path);
        mem_free(room.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_read_or_refused),
        cmocka_unit_test(text_is_compared_and_networks_want_the_address),
        cmocka_unit_test(the_first_half_of_the_answer_fits_the_second),
        cmocka_unit_test(the_rule_that_forbids_is_named),
        cmocka_unit_test(without_an_address_only_negated_networks_fit),
        cmocka_unit_test(only_a_named_port_is_granted),
        cmocka_unit_test(a_list_of_targets_holds_for_paths_too),
    };
    return RUN_TESTS(tests);
}
