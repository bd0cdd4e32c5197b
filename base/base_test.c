/* buf, idmap, log_escape, durations. */
#include "base/clock.h"
#include "base/idmap.h"
#include "base/list.h"
#include "base/log.h"
#include "tests/unit.h"

static void buf_refuses_to_pass_its_cap(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    char bytes[60] = {1};
    assert_ok(buf_append(&b, bytes, 60));
    assert_int_equal(buf_append(&b, bytes, 60), ERR_LIMIT);
    assert_int_equal(buf_len(&b), 60);
    buf_consume(&b, 30);
    assert_ok(buf_append(&b, bytes, 60));
    assert_int_equal(buf_len(&b), 90);
    uint8_t *room;
    assert_int_equal(buf_reserve(&b, SIZE_MAX, &room), ERR_LIMIT);
    buf_done(&b);
}

static void buf_keeps_order_through_consume_and_growth(void **state)
{
    (void)state;
    struct buf b;
    buf_init_secret(&b, 10000);
    uint8_t next_in = 0;
    uint8_t next_out = 0;
    for (int round = 0; round < 500; round++) {
        for (int i = 0; i < round % 37; i++) {
            assert_ok(buf_append(&b, &next_in, 1));
            next_in++;
        }
        size_t take = (size_t)(round % 29);
        struct slice s = buf_slice(&b);
        take = take < s.len ? take : s.len;
        for (size_t i = 0; i < take; i++)
            assert_int_equal(s.ptr[i], next_out++);
        buf_consume(&b, take);
    }
    buf_done(&b);
}

static void idmap_gives_the_lowest_free_id(void **state)
{
    (void)state;
    struct idmap m;
    int thing;
    uint32_t id;
    idmap_init(&m, 9);
    for (uint32_t i = 0; i < 9; i++) {
        assert_ok(idmap_add(&m, &thing, &id));
        assert_int_equal(id, i);
    }
    assert_int_equal(idmap_add(&m, &thing, &id), ERR_LIMIT);
    idmap_remove(&m, 7);
    idmap_remove(&m, 3);
    assert_null(idmap_get(&m, 3));
    assert_true(idmap_was_used(&m, 3));
    assert_false(idmap_was_used(&m, 9));
    assert_ok(idmap_add(&m, &thing, &id));
    assert_int_equal(id, 3);
    assert_ok(idmap_add(&m, &thing, &id));
    assert_int_equal(id, 7);
    idmap_done(&m);
}

static void list_survives_removal_in_the_loop(void **state)
{
    (void)state;
    struct node {
        int value;
        struct list link;
    } nodes[5];
    struct list all;
    list_init(&all);
    for (int i = 0; i < 5; i++) {
        nodes[i].value = i;
        list_append(&all, &nodes[i].link);
    }
    int seen = 0;
    LIST_FOR (n, &all, struct node, link) {
        assert_int_equal(n->value, seen++);
        list_remove(&n->link);
    }
    assert_int_equal(seen, 5);
    assert_true(list_is_empty(&all));
}

static void peer_text_cannot_steer_a_terminal(void **state)
{
    (void)state;
    char out[64];
    assert_string_equal(log_escape(out, sizeof(out), slice_text("plain \xc3\xa9 \xe9\x9a\xa7")),
                        "plain \xc3\xa9 \xe9\x9a\xa7");
    assert_string_equal(log_escape(out, sizeof(out), slice_text("a\x1b[2J\n\\")),
                        "a\\033[2J\\012\\\\");
    assert_string_equal(log_escape(out, sizeof(out), slice_text("\xff\xc2\x9b\xc0\xaf")),
                        "\\377\\302\\233\\300\\257");
    char little[8];
    assert_string_equal(log_escape(little, sizeof(little), slice_text("abcdefghij")), "abcd...");
    assert_string_equal(log_escape(little, sizeof(little), slice_text("abcdefg")), "abcdefg");
}

static void durations_are_read_as_openssh_reads_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum err err;
        uint32_t seconds;
    } cases[] = {
        {"0", OK, 0},
        {"600", OK, 600},
        {"10m", OK, 600},
        {"1h30m", OK, 5400},
        {"1W2D", OK, 777600},
        {"", ERR_FORMAT, 0},
        {"m", ERR_FORMAT, 0},
        {"1x", ERR_FORMAT, 0},
        {"-1", ERR_FORMAT, 0},
        {"99999999999", ERR_LIMIT, 0},
        {"9999w", ERR_LIMIT, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint32_t seconds = 0;
        assert_int_equal(duration_parse_s(cases[i].text, &seconds), cases[i].err);
        assert_int_equal(seconds, cases[i].seconds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buf_refuses_to_pass_its_cap),
        cmocka_unit_test(buf_keeps_order_through_consume_and_growth),
        cmocka_unit_test(idmap_gives_the_lowest_free_id),
        cmocka_unit_test(list_survives_removal_in_the_loop),
        cmocka_unit_test(peer_text_cannot_steer_a_terminal),
        cmocka_unit_test(durations_are_read_as_openssh_reads_them),
    };
    return RUN_TESTS(tests);
}
