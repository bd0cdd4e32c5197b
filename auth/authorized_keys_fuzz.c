/*
 * Any text as an authorized_keys file. Options that are read print to a text that reads back to the
 * same, and joined with others never permit more than either.
 */
#include "auth/authorized_keys.h"
#include "crypto/pubkey.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool permits_no_more(const struct key_options *o, const struct key_options *than)
{
    return (!o->may_forward_ports || than->may_forward_ports) &&
           (!o->may_forward_agent || than->may_forward_agent) &&
           (!o->may_forward_x11 || than->may_forward_x11) &&
           (!o->may_use_pty || than->may_use_pty) && (!o->may_use_rc || than->may_use_rc) &&
           (o->command || !than->command) && (o->permit_open.count || !than->permit_open.count) &&
           (o->permit_listen.count || !than->permit_listen.count);
}

static void check_print(const struct key_options *o)
{
    struct buf once, twice;
    struct key_options again;
    const char *why;
    buf_init(&once, KEY_OPTIONS_TEXT_MAX);
    buf_init(&twice, KEY_OPTIONS_TEXT_MAX);
    if (key_options_print(o, &once) == OK) {
        CHECK(key_options_parse(buf_slice(&once), &again, &why) == OK);
        CHECK(permits_no_more(&again, o) && permits_no_more(o, &again));
        CHECK(key_options_print(&again, &twice) == OK);
        CHECK(slice_equal(buf_slice(&once), buf_slice(&twice)));
        key_options_done(&again);
    }
    buf_done(&once);
    buf_done(&twice);
}

static void check_merge(struct slice text, struct slice other_text)
{
    struct key_options o, one, other;
    const char *why;
    if (key_options_parse(text, &one, &why) != OK)
        return;
    CHECK(key_options_parse(text, &o, &why) == OK);
    if (key_options_parse(other_text, &other, &why) == OK) {
        if (key_options_merge(&o, &other, &why) == OK)
            CHECK(permits_no_more(&o, &one) && permits_no_more(&o, &other));
        key_options_done(&other);
    }
    key_options_done(&o);
    key_options_done(&one);
}

static void check_line(struct slice line, struct slice last, struct buf *blob)
{
    struct slice text;
    struct key_options o;
    const char *why;
    if (authorized_keys_split(line, &text, blob) != OK)
        text = line; /* options alone are worth trying, too */
    if (key_options_parse(text, &o, &why) != OK) {
        CHECK(why[0] && !o.may_forward_ports && !o.may_use_pty);
        return;
    }
    struct key_use use = {KEY_USE_PLAIN, "10.1.2.3", "a.example", 1700000000};
    bool may = key_options_may_log_in(&o, &use, &why);
    CHECK(may == (why[0] == '\0') && !(may && o.is_cert_authority));
    check_print(&o);
    check_merge(text, last);
    key_options_done(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_of(data, size), last = SLICE_NONE;
    struct buf blob;
    buf_init(&blob, PUBKEY_BLOB_MAX);
    while (text.len) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t n = end ? (size_t)(end - text.ptr) : text.len;
        check_line(slice_of(text.ptr, n), last, &blob);
        last = slice_of(text.ptr, n);
        n += end ? 1 : 0;
        text = slice_of(text.ptr + n, text.len - n);
    }
    buf_done(&blob);
    return 0;
}
