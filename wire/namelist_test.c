/* Name-lists: what is one, and the first common name. */
#include "tests/unit.h"
#include "wire/namelist.h"

static void lists_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        enum err err;
    } rows[] = {
        {"", OK},
        {"zlib", OK},
        {"zlib,none", OK},
        {",", ERR_FORMAT},
        {"a,", OK},
        {"a,,", ERR_FORMAT},
        {",a", ERR_FORMAT},
        {"a,,b", ERR_FORMAT},
        {"a b", ERR_FORMAT},
        {"a\tb", ERR_FORMAT},
        {"a\x7f", ERR_FORMAT},
        {"\xc3\xa9", ERR_FORMAT},
        {"a\nb", ERR_FORMAT},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_int_equal(namelist_check(slice_text(rows[i].list)), rows[i].err);
    assert_int_equal(namelist_check(slice_of("a\0b", 3)), ERR_FORMAT);
}

static void too_many_names_are_refused(void **state)
{
    (void)state;
    char list[2 * NAMELIST_MAX_NAMES + 2];
    for (size_t i = 0; i < sizeof(list); i++)
        list[i] = i % 2 ? ',' : 'x';
    assert_ok(namelist_check(slice_of(list, 2 * NAMELIST_MAX_NAMES - 1)));
    assert_int_equal(namelist_check(slice_of(list, 2 * NAMELIST_MAX_NAMES + 1)), ERR_LIMIT);
}

static void names_come_one_by_one(void **state)
{
    (void)state;
    struct slice rest = slice_text("a,bc,d"), name;
    assert_true(namelist_next(&rest, &name) && slice_is(name, "a"));
    assert_true(namelist_next(&rest, &name) && slice_is(name, "bc"));
    assert_true(namelist_next(&rest, &name) && slice_is(name, "d"));
    assert_false(namelist_next(&rest, &name));
    rest = slice_text("a,");
    assert_true(namelist_next(&rest, &name) && slice_is(name, "a"));
    assert_false(namelist_next(&rest, &name));
}

static void a_name_is_whole_or_not_there(void **state)
{
    (void)state;
    struct slice list = slice_text("aes128-ctr,aes256-ctr");
    assert_true(namelist_contains(list, "aes128-ctr"));
    assert_true(namelist_contains(list, "aes256-ctr"));
    assert_false(namelist_contains(list, "aes128"));
    assert_false(namelist_contains(list, "ctr"));
    assert_false(namelist_contains(list, "AES128-ctr"));
    assert_false(namelist_contains(list, ""));
    assert_false(namelist_contains(SLICE_NONE, "a"));
}

static void the_client_s_order_decides(void **state)
{
    (void)state;
    struct slice common;
    assert_true(namelist_first_common(slice_text("x,c,b"), slice_text("a,b,c"), &common));
    assert_true(slice_is(common, "c"));
    assert_false(namelist_first_common(slice_text("x"), slice_text("a,b"), &common));
    assert_false(namelist_first_common(SLICE_NONE, slice_text("a"), &common));
    assert_false(namelist_first_common(slice_text("a"), SLICE_NONE, &common));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_checked),
        cmocka_unit_test(too_many_names_are_refused),
        cmocka_unit_test(names_come_one_by_one),
        cmocka_unit_test(a_name_is_whole_or_not_there),
        cmocka_unit_test(the_client_s_order_decides),
    };
    return RUN_TESTS(tests);
}
