/* Turns: shares by bytes, newcomers first, nobody starved. */
#include "tests/unit.h"
#include "tunnel/schedule.h"

#define QUANTUM  1000
#define NEWCOMER 500

struct fixture {
    struct schedule s;
    struct schedule_item items[3];
    size_t sent[3];
};

static void set_up(struct fixture *f)
{
    *f = (struct fixture){0};
    schedule_init(&f->s);
    for (int i = 0; i < 3; i++)
        schedule_item_init(&f->items[i]);
}

static unsigned take(struct fixture *f)
{
    const struct schedule_item *item = schedule_next(&f->s, QUANTUM);
    assert_non_null(item);
    return (unsigned)(item - f->items) % 3;
}

static void add(struct fixture *f, unsigned i)
{
    schedule_add(&f->s, &f->items[i], NEWCOMER);
}

/* Serves whoever's turn it is; item i sends piece[i] bytes a turn and always has more. */
static unsigned serve(struct fixture *f, const size_t *piece)
{
    unsigned i = take(f);
    f->sent[i] += piece[i];
    schedule_spent(&f->items[i], piece[i]);
    add(f, i);
    return i;
}

static void shares_are_equal_however_large_the_pieces_are(void **state)
{
    struct fixture f;
    const size_t piece[3] = {100, 900, 8000};
    (void)state;
    set_up(&f);
    for (unsigned i = 0; i < 3; i++)
        add(&f, i);
    for (int n = 0; n < 20000; n++)
        serve(&f, piece);
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            assert_true(f.sent[i] <= f.sent[k] + 8000 + 2 * QUANTUM);
}

static void a_newcomer_goes_first(void **state)
{
    struct fixture f;
    const size_t piece[3] = {8000, 8000, 10};
    (void)state;
    set_up(&f);
    add(&f, 0);
    add(&f, 1);
    for (int n = 0; n < 10; n++)
        serve(&f, piece);
    add(&f, 2);
    assert_int_equal(take(&f), 2);
}

/* It says little, again and again: the others have their turns all the same. */
static void who_comes_again_and_again_starves_nobody(void **state)
{
    struct fixture f;
    const size_t piece[3] = {1000, 1000, 400};
    (void)state;
    set_up(&f);
    add(&f, 0);
    add(&f, 1);
    for (int n = 0; n < 30000; n++) {
        add(&f, 2);
        unsigned i = take(&f);
        f.sent[i] += piece[i];
        schedule_spent(&f.items[i], piece[i]);
        if (i != 2)
            add(&f, i);
    }
    assert_true(f.sent[0] * 2 > f.sent[2]);
    assert_true(f.sent[1] * 2 > f.sent[2]);
}

static void a_debt_is_paid(void **state)
{
    struct fixture f;
    const size_t piece[3] = {50000, 500, 0};
    (void)state;
    set_up(&f);
    add(&f, 0);
    add(&f, 1);
    assert_int_equal(serve(&f, piece), 0);
    size_t between = 0;
    while (serve(&f, piece) != 0)
        between += 500;
    assert_in_range(between, 48000, 52000);
}

static void what_is_removed_has_no_turn(void **state)
{
    struct fixture f;
    (void)state;
    set_up(&f);
    add(&f, 0);
    add(&f, 0);
    add(&f, 1);
    assert_int_equal(f.s.ready, 2);
    schedule_remove(&f.s, &f.items[0]);
    schedule_remove(&f.s, &f.items[0]);
    schedule_remove(&f.s, &f.items[2]);
    assert_int_equal(f.s.ready, 1);
    assert_int_equal(take(&f), 1);
    assert_null(schedule_next(&f.s, QUANTUM));
    assert_int_equal(f.s.ready, 0);
    assert_true(list_is_empty(&f.s.fresh) && list_is_empty(&f.s.round));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_equal_however_large_the_pieces_are),
        cmocka_unit_test(a_newcomer_goes_first),
        cmocka_unit_test(who_comes_again_and_again_starves_nobody),
        cmocka_unit_test(a_debt_is_paid),
        cmocka_unit_test(what_is_removed_has_no_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
