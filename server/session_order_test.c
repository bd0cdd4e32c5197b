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
    assert_ok(session_order_step(&o, SESSION_ASK_AUTH));
    assert_ok(session_order_step(&o, SESSION_REFUSED));
    assert_ok(session_order_step(&o, SESSION_ASK_AUTH));
    assert_ok(session_order_step(&o, SESSION_ALLOWED));
    assert_int_equal(o.phase, SESSION_OK);
    assert_ok(session_order_step(&o, SESSION_ASK_SIGN)); /* a later exchange */
    assert_ok(session_order_step(&o, SESSION_SIGNED));
    assert_int_equal(o.phase, SESSION_OK);
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
    assert_ok(session_order_step(&o, SESSION_ASK_AUTH));
    assert_int_equal(session_order_step(&o, SESSION_ASK_AUTH), ERR_PROTOCOL);
    assert_ok(session_order_step(&o, SESSION_REFUSED));
    assert_int_equal(session_order_step(&o, SESSION_REFUSED), ERR_PROTOCOL);
}

static void login_questions_are_counted(void **state UNUSED)
{
    struct session_order o;
    session_order_init(&o, 2);
    assert_ok(session_order_step(&o, SESSION_ASK_SIGN));
    assert_ok(session_order_step(&o, SESSION_SIGNED));
    for (int i = 0; i < 6; i++) {
        assert_ok(session_order_step(&o, SESSION_ASK_AUTH));
        assert_ok(session_order_step(&o, SESSION_REFUSED));
    }
    assert_int_equal(session_order_step(&o, SESSION_ASK_AUTH), ERR_LIMIT);
}

/* Brings a connection into a phase by legal steps. */
static void bring(struct session_order *o, enum session_phase phase)
{
    session_order_init(o, 6);
    if (phase == SESSION_KEX || phase == SESSION_OK) {
        assert_ok(session_order_step(o, SESSION_ASK_SIGN));
        assert_ok(session_order_step(o, SESSION_SIGNED));
    }
    if (phase == SESSION_OK) {
        assert_ok(session_order_step(o, SESSION_ASK_AUTH));
        assert_ok(session_order_step(o, SESSION_ALLOWED));
    }
    if (phase == SESSION_GONE)
        assert_ok(session_order_step(o, SESSION_ENDED));
    assert_int_equal(o->phase, phase);
}

static void each_phase_allows_its_questions_and_no_others(void **state UNUSED)
{
    static const bool may_ask[SESSION_PHASES][3] = {
        /* SIGN, AUTH, SESSION */
        [SESSION_NEW] = {true, false, false},
        [SESSION_KEX] = {true, true, false},
        [SESSION_OK] = {true, false, true},
        [SESSION_GONE] = {false, false, false},
    };
    struct session_order o;
    for (int phase = 0; phase < SESSION_PHASES; phase++) {
        bring(&o, (enum session_phase)phase);
        assert_int_equal(session_order_step(&o, SESSION_ASK_SIGN) == OK, may_ask[phase][0]);
        bring(&o, (enum session_phase)phase);
        assert_int_equal(session_order_step(&o, SESSION_ASK_AUTH) == OK, may_ask[phase][1]);
        bring(&o, (enum session_phase)phase);
        assert_int_equal(session_order_step(&o, SESSION_ASK_SESSION) == OK, may_ask[phase][2]);
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
        cmocka_unit_test(each_phase_allows_its_questions_and_no_others),
    };
    return RUN_TESTS(tests);
}
