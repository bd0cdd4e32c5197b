/* Messages between roles: there and back, cut, flipped, too long, and from the wrong side. */
#include "server/role_msg.h"
#include "server/role_msg_samples.h"
#include "tests/unit.h"

static void encode(const struct role_msg *m, struct buf *out)
{
    buf_init(out, ROLE_MSG_MAX);
    assert_ok(role_msg_encode(m, out));
}

/* The sample of a kind. */
static struct role_msg sample(enum role_msg_kind kind)
{
    for (size_t i = 0; i < ARRAY_LEN(role_msg_samples); i++) {
        if (role_msg_samples[i].m.kind == kind)
            return role_msg_samples[i].m;
    }
    fail();
    return (struct role_msg){.kind = kind};
}

static void every_kind_has_a_sample(void **state UNUSED)
{
    for (int kind = 1; kind <= ROLE_MSG_LENT; kind++)
        assert_int_equal(sample((enum role_msg_kind)kind).kind, kind);
}

static void every_message_comes_back_as_it_was(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(role_msg_samples); i++) {
        struct buf bytes, again;
        struct role_msg m;
        encode(&role_msg_samples[i].m, &bytes);
        assert_ok(role_msg_decode(buf_slice(&bytes), role_msg_samples[i].from,
                                  role_msg_samples[i].to, &m));
        const struct role_msg *want = &role_msg_samples[i].m;
        assert_int_equal(m.kind, want->kind);
        assert_int_equal(m.connection, want->connection);
        assert_int_equal(m.port, want->port);
        assert_int_equal(m.is_allowed, want->is_allowed);
        assert_int_equal(m.is_hostbound, want->is_hostbound);
        assert_true(slice_equal(m.user, want->user));
        assert_true(slice_equal(m.signature, want->signature));
        assert_true(slice_equal(m.session_id, want->session_id));
        assert_true(slice_equal(m.options, want->options));
        encode(&m, &again);
        assert_true(slice_equal(buf_slice(&again), buf_slice(&bytes)));
        buf_done(&bytes);
        buf_done(&again);
    }
}

static void a_message_cut_anywhere_is_refused(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(role_msg_samples); i++) {
        struct buf bytes;
        struct role_msg m;
        encode(&role_msg_samples[i].m, &bytes);
        for (size_t n = 0; n < buf_len(&bytes); n++) {
            uint8_t *exact = mem_new(n + 1, 1); /* so that a sanitizer sees a step too far */
            memcpy(exact, buf_slice(&bytes).ptr, n);
            assert_int_equal(role_msg_decode(slice_of(exact, n), role_msg_samples[i].from,
                                             role_msg_samples[i].to, &m),
                             ERR_TRUNCATED);
            mem_free(exact);
        }
        assert_ok(buf_append(&bytes, "x", 1));
        assert_int_equal(role_msg_decode(buf_slice(&bytes), role_msg_samples[i].from,
                                         role_msg_samples[i].to, &m),
                         ERR_FORMAT);
        buf_done(&bytes);
    }
}

/* A flipped bit gives an error, or another message that encodes to just these bytes. */
static void a_flipped_bit_never_makes_two_readings(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(role_msg_samples); i++) {
        struct buf bytes, again;
        struct role_msg m;
        encode(&role_msg_samples[i].m, &bytes);
        for (size_t bit = 0; bit < 8 * buf_len(&bytes); bit++) {
            bytes.data[bytes.start + bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (role_msg_decode(buf_slice(&bytes), role_msg_samples[i].from, role_msg_samples[i].to,
                                &m) == OK) {
                encode(&m, &again);
                assert_true(slice_equal(buf_slice(&again), buf_slice(&bytes)));
                buf_done(&again);
            }
            bytes.data[bytes.start + bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        buf_done(&bytes);
    }
}

static void a_message_comes_from_its_own_side_only(void **state UNUSED)
{
    /* Both ways of messages that are passed on. */
    static const struct {
        enum role_msg_kind kind;
        enum role from, to;
    } others[] = {
        {ROLE_MSG_KILL, ROLE_SUPERVISOR, ROLE_SIGN},
        {ROLE_MSG_HOST_KEY, ROLE_SUPERVISOR, ROLE_PRE},
        {ROLE_MSG_HOST_KEY, ROLE_SUPERVISOR, ROLE_WORK},
        {ROLE_MSG_READY, ROLE_PRE, ROLE_SUPERVISOR},
        {ROLE_MSG_SANDBOX, ROLE_SUPERVISOR, ROLE_PRE},
        {ROLE_MSG_SANDBOX, ROLE_SUPERVISOR, ROLE_SIGN},
        {ROLE_MSG_SANDBOX, ROLE_SUPERVISOR, ROLE_RESOLVE},
        {ROLE_MSG_SIGN, ROLE_WORK, ROLE_SUPERVISOR},
        {ROLE_MSG_SIGN, ROLE_SUPERVISOR, ROLE_SIGN},
        {ROLE_MSG_SIGNATURE, ROLE_SUPERVISOR, ROLE_PRE},
        {ROLE_MSG_SIGNATURE, ROLE_SUPERVISOR, ROLE_WORK},
        {ROLE_MSG_PROVE, ROLE_SUPERVISOR, ROLE_SIGN},
        {ROLE_MSG_PROOF, ROLE_SUPERVISOR, ROLE_WORK},
        {ROLE_MSG_WHO, ROLE_SUPERVISOR, ROLE_AUTHZ},
        {ROLE_MSG_PROMPT, ROLE_SUPERVISOR, ROLE_PRE},
        {ROLE_MSG_RESPONSE, ROLE_SUPERVISOR, ROLE_AUTHZ},
        {ROLE_MSG_ANSWER, ROLE_SUPERVISOR, ROLE_PRE},
        {ROLE_MSG_TICKET, ROLE_STORE, ROLE_WORK},
        {ROLE_MSG_REGISTER, ROLE_SIGN, ROLE_SUPERVISOR},
        {ROLE_MSG_REGISTER, ROLE_STORE, ROLE_SUPERVISOR},
        {ROLE_MSG_REGISTER, ROLE_SUPERVISOR, ROLE_WORK},
        {ROLE_MSG_REGISTER, ROLE_SUPERVISOR, ROLE_SIGN},
        {ROLE_MSG_RESOLVER, ROLE_SUPERVISOR, ROLE_WORK},
        {ROLE_MSG_JOIN, ROLE_SUPERVISOR, ROLE_WORK},
    };
    for (size_t i = 0; i < ARRAY_LEN(role_msg_samples); i++) {
        struct buf bytes;
        struct role_msg m;
        encode(&role_msg_samples[i].m, &bytes);
        for (int way = 0; way < ROLE_COUNT * ROLE_COUNT; way++) {
            enum role from = (enum role)(way / ROLE_COUNT), to = (enum role)(way % ROLE_COUNT);
            bool may = from == role_msg_samples[i].from && to == role_msg_samples[i].to;
            for (size_t j = 0; j < ARRAY_LEN(others); j++)
                may = may || (others[j].kind == role_msg_samples[i].m.kind &&
                              others[j].from == from && others[j].to == to);
            assert_int_equal(role_msg_decode(buf_slice(&bytes), from, to, &m),
                             may ? OK : ERR_PROTOCOL);
        }
        buf_done(&bytes);
    }
}

static void fields_are_held_to_their_caps_and_forms(void **state UNUSED)
{
    static const uint8_t zeros[ROLE_MSG_KEY_MAX + 1];
    struct buf out;
    struct role_msg sign = sample(ROLE_MSG_SIGN);
    buf_init(&out, 2 * ROLE_MSG_MAX);
    sign.hash = slice_of(zeros, 33);
    assert_int_equal(role_msg_encode(&sign, &out), ERR_FORMAT);
    sign.hash = slice_of(zeros, 48);
    buf_clear(&out);
    assert_ok(role_msg_encode(&sign, &out));
    sign.key = slice_of(zeros, ROLE_MSG_KEY_MAX + 1);
    assert_int_equal(role_msg_encode(&sign, &out), ERR_LIMIT);
    sign.key = slice_of(zeros, ROLE_MSG_KEY_MAX);
    buf_clear(&out);
    assert_ok(role_msg_encode(&sign, &out));
    sign.name = slice_of(zeros, 3); /* text with NUL */
    assert_int_equal(role_msg_encode(&sign, &out), ERR_FORMAT);
    struct role_msg start = sample(ROLE_MSG_START);
    start.port = 65536;
    assert_int_equal(role_msg_encode(&start, &out), ERR_FORMAT);
    buf_done(&out);
}

static void the_greatest_question_fits_into_a_record(void **state UNUSED)
{
    static const uint8_t bytes[ROLE_MSG_KEY_MAX] = {1};
    struct buf out;
    struct role_msg m = sample(ROLE_MSG_AUTHZ);
    char *user CLEANUP(mem_cleanup) = mem_new(ROLE_MSG_USER_MAX + 1, 1);
    memset(user, 'u', ROLE_MSG_USER_MAX);
    m.user = slice_text(user);
    m.key = m.host_key = slice_of(bytes, ROLE_MSG_KEY_MAX);
    m.used_keys = slice_of(bytes, ROLE_MSG_USED_MAX);
    m.signature = slice_of(bytes, ROLE_MSG_SIGNATURE_MAX);
    encode(&m, &out);
    buf_done(&out);
    m = sample(ROLE_MSG_LAUNCH);
    char *text CLEANUP(mem_cleanup) = mem_new(ROLE_MSG_COMMAND_MAX + 1, 1);
    memset(text, 'c', ROLE_MSG_COMMAND_MAX);
    m.command = slice_text(text);
    m.options = slice_of(text, ROLE_MSG_OPTIONS_MAX);
    m.environment = slice_of(text, ROLE_MSG_ENVIRON_MAX);
    m.modes = slice_of(text, ROLE_MSG_MODES_MAX);
    m.key = slice_of(bytes, ROLE_MSG_KEY_MAX);
    m.user = slice_text(user);
    encode(&m, &out);
    buf_done(&out);
}

static void unknown_kinds_are_no_messages(void **state UNUSED)
{
    static const uint8_t kinds[][4] = {
        {0, 0, 0, 0}, {0, 0, 0, ROLE_MSG_LENT + 1}, {255, 255, 255, 255}, {1, 0, 0, 1}};
    struct role_msg m;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        assert_int_equal(role_msg_decode(slice_of(kinds[i], 4), ROLE_SIGN, ROLE_SUPERVISOR, &m),
                         ERR_FORMAT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The fuzzer's promise, over pieces of two messages put together at every place. */
static void joined_pieces_of_messages_keep_the_fuzzers_promise(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(role_msg_samples); i++) {
        struct buf a, b, joined;
        encode(&role_msg_samples[i].m, &a);
        encode(&role_msg_samples[(i + 1) % ARRAY_LEN(role_msg_samples)].m, &b);
        buf_init(&joined, 2 * ROLE_MSG_MAX);
        for (size_t cut = 0; cut < MIN(buf_len(&a), buf_len(&b)); cut++) {
            uint8_t way =
                (uint8_t)(role_msg_samples[i].from + ROLE_COUNT * (unsigned)role_msg_samples[i].to);
            buf_clear(&joined);
            assert_ok(buf_append(&joined, &way, 1));
            assert_ok(buf_append(&joined, buf_slice(&a).ptr, cut));
            assert_ok(buf_append(&joined, buf_slice(&b).ptr + cut, buf_len(&b) - cut));
            assert_int_equal(LLVMFuzzerTestOneInput(buf_slice(&joined).ptr, buf_len(&joined)), 0);
        }
        buf_done(&a);
        buf_done(&b);
        buf_done(&joined);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_a_sample),
        cmocka_unit_test(every_message_comes_back_as_it_was),
        cmocka_unit_test(a_message_cut_anywhere_is_refused),
        cmocka_unit_test(a_flipped_bit_never_makes_two_readings),
        cmocka_unit_test(a_message_comes_from_its_own_side_only),
        cmocka_unit_test(fields_are_held_to_their_caps_and_forms),
        cmocka_unit_test(the_greatest_question_fits_into_a_record),
        cmocka_unit_test(unknown_kinds_are_no_messages),
        cmocka_unit_test(joined_pieces_of_messages_keep_the_fuzzers_promise),
    };
    return RUN_TESTS(tests);
}
