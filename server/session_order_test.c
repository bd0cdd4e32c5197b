/* Walks the table of what a worker may ask. */
#include "server/session_order.h"
#include "tests/unit.h"

static void a_login_takes_its_steps_in_order(void **state UNUSED)
{
    struct session_order o;
    session_order_init(&o, 6);
    assert_ok(session_order_step(&o, SESSION_ASK_SIGN));
    assert_int_equal(o.phase, SESSION_NEW);
    assert_ok(session_order_step(&o, SESSION_SIGNED));
    assert_int_equal(o.phase, SESSION_KEX);
    assert_ok(session_order_step(&o, SESSION_ASK_WHO));
    assert_ok(session_order_step(&o, SESSION_KNOWN));
    assert_int_equal(o.phase, SESSION_NAMED);
    assert_ok(session_order_step(&o, SESSION_ASK_AUTH));
    assert_ok(session_order_step(&o, SESSION_REFUSED));
    assert_ok(session_order_step(&o, SESSION_ASK_AUTH));
    assert_ok(session_order_step(&o, SESSION_PROMPTED));
    assert_ok(session_order_step(&o, SESSION_RESPONDED));
    assert_ok(session_order_step(&o, SESSION_ALLOWED));
    assert_int_equal(o.phase, SESSION_OK);
    assert_ok(session_order_step(&o, SESSION_HANDED_OVER));
    assert_int_equal(o.phase, SESSION_WORK);
    assert_ok(session_order_step(&o, SESSION_ASK_SIGN)); /* a later exchange */
    assert_ok(session_order_step(&o, SESSION_SIGNED));
    assert_int_equal(o.phase, SESSION_WORK);
    assert_ok(session_order_step(&o, SESSION_ENDED));
    assert_int_equal(o.phase, SESSION_GONE);
}

static void nobody_logs_in_before_a_hash_was_signed(void **state UNUSED)
{
    struct session_order o;
    session_order_init(&o, 6);
    assert_int_equal(session_order_step(&o, SESSION_ASK_AUTH), ERR_PROTOCOL);
    assert_ok(session_order_step(&o, SESSION_ASK_SIGN));
    assert_int_equal(session_order_step(&o, SESSION_ASK_AUTH), ERR_PROTOCOL);
    assert_int_equal(session_order_step(&o, SESSION_ALLOWED), ERR_PROTOCOL);
    assert_int_equal(session_order_step(&o, SESSION_ASK_WHO), ERR_PROTOCOL);
    assert_int_equal(o.phase, SESSION_NEW);
}

static void no_answer_comes_without_its_question(void **state UNUSED)
{
    struct session_order o;
    session_order_init(&o, 6);
    assert_int_equal(session_order_step(&o, SESSION_SIGNED), ERR_PROTOCOL);
    assert_ok(session_order_step(&o, SESSION_ASK_SIGN));
    assert_int_equal(session_order_step(&o, SESSION_ASK_SIGN), ERR_PROTOCOL);
    assert_ok(session_order_step(&o, SESSION_SIGNED));
    assert_int_equal(session_order_step(&o, SESSION_ALLOWED), ERR_PROTOCOL);
    assert_int_equal(session_order_step(&o, SESSION_REFUSED), ERR_PROTOCOL);
    assert_int_equal(session_order_step(&o, SESSION_KNOWN), ERR_PROTOCOL);
    assert_ok(session_order_step(&o, SESSION_ASK_WHO));
    assert_int_equal(session_order_step(&o, SESSION_ASK_WHO), ERR_PROTOCOL);
    assert_ok(session_order_step(&o, SESSION_KNOWN));
    assert_ok(session_order_step(&o, SESSION_ASK_AUTH));
    assert_int_equal(session_order_step(&o, SESSION_ASK_AUTH), ERR_PROTOCOL);
    assert_ok(session_order_step(&o, SESSION_REFUSED));
    assert_int_equal(session_order_step(&o, SESSION_REFUSED), ERR_PROTOCOL);
}

/* Brings a connection into a phase by legal steps. */
static void bring(struct session_order *o, enum session_phase phase)
{
    static const struct {
        enum session_phase from; /* the steps of this row begin here */
        enum session_step steps[2];
    } ways[] = {
        {SESSION_NEW, {SESSION_ASK_SIGN, SESSION_SIGNED}},
        {SESSION_KEX, {SESSION_ASK_WHO, SESSION_KNOWN}},
        {SESSION_NAMED, {SESSION_ASK_AUTH, SESSION_ALLOWED}},
    };
    session_order_init(o, 6);
    for (size_t i = 0; i < ARRAY_LEN(ways) && phase != SESSION_GONE && o->phase < phase; i++) {
        assert_int_equal(o->phase, ways[i].from);
        assert_ok(session_order_step(o, ways[i].steps[0]));
        if (o->phase != phase)
            assert_ok(session_order_step(o, ways[i].steps[1]));
    }
    if (phase == SESSION_WORK)
        assert_ok(session_order_step(o, SESSION_HANDED_OVER));
    if (phase == SESSION_GONE)
        assert_ok(session_order_step(o, SESSION_ENDED));
    assert_int_equal(o->phase, phase);
}

static void login_questions_are_counted(void **state UNUSED)
{
    struct session_order o;
    bring(&o, SESSION_NAMED);
    session_order_init(&o, 2);
    o.phase = SESSION_NAMED;
    for (int i = 0; i < 3; i++) {
        assert_ok(session_order_step(&o, SESSION_ASK_AUTH));
        assert_ok(session_order_step(&o, SESSION_PROMPTED));
        assert_ok(session_order_step(&o, SESSION_RESPONDED));
        assert_ok(session_order_step(&o, SESSION_REFUSED));
    }
    assert_int_equal(session_order_step(&o, SESSION_ASK_AUTH), ERR_LIMIT);
}

static void a_prompt_may_be_left_unanswered_but_not_answered_twice(void **state UNUSED)
{
    struct session_order o;
    bring(&o, SESSION_NAMED);
    assert_int_equal(session_order_step(&o, SESSION_RESPONDED), ERR_PROTOCOL);
    assert_ok(session_order_step(&o, SESSION_ASK_AUTH));
    assert_ok(session_order_step(&o, SESSION_PROMPTED));
    assert_int_equal(session_order_step(&o, SESSION_PROMPTED), ERR_PROTOCOL);
    assert_ok(session_order_step(&o, SESSION_ASK_AUTH)); /* another request instead */
    assert_int_equal(session_order_step(&o, SESSION_RESPONDED), ERR_PROTOCOL);
    assert_ok(session_order_step(&o, SESSION_REFUSED));
}

/* The first steps of questions, from every phase: what is not listed may not come. */
static void each_phase_allows_its_questions_and_no_others(void **state UNUSED)
{
    static const struct {
        enum session_phase phase;
        enum session_step step;
    } legal[] = {
        {SESSION_NEW, SESSION_ASK_SIGN},   {SESSION_KEX, SESSION_ASK_SIGN},
        {SESSION_KEX, SESSION_ASK_WHO},    {SESSION_NAMED, SESSION_ASK_SIGN},
        {SESSION_NAMED, SESSION_ASK_AUTH}, {SESSION_OK, SESSION_HANDED_OVER},
        {SESSION_WORK, SESSION_ASK_SIGN},  {SESSION_WORK, SESSION_ASK_WORK},
    };
    for (int phase = 0; phase < SESSION_PHASES; phase++) {
        for (int step = 0; step < SESSION_STEPS; step++) {
            struct session_order o;
            bool may = step == SESSION_ENDED;
            for (size_t i = 0; i < ARRAY_LEN(legal); i++)
                may = may || ((int)legal[i].phase == phase && (int)legal[i].step == step);
            bring(&o, (enum session_phase)phase);
            o.is_signing = o.is_asking = o.is_prompting = false;
            assert_int_equal(session_order_step(&o, (enum session_step)step) == OK, may);
        }
        assert_non_null(session_phase_name((enum session_phase)phase));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_login_takes_its_steps_in_order),
        cmocka_unit_test(nobody_logs_in_before_a_hash_was_signed),
        cmocka_unit_test(no_answer_comes_without_its_question),
        cmocka_unit_test(login_questions_are_counted),
        cmocka_unit_test(a_prompt_may_be_left_unanswered_but_not_answered_twice),
        cmocka_unit_test(each_phase_allows_its_questions_and_no_others),
    };
    return RUN_TESTS(tests);
}
