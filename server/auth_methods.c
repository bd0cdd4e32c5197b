/* Lists of methods, walked again from their start for each question: they are short. */
#include "server/auth_methods.h"

#define INTERACTIVE "keyboard-interactive"

/* In the order in which OpenSSH names them. */
static const char *const names[] = {"publickey", "password", INTERACTIVE};
/* The next entry of "a,b:device"; false at the end. An empty one is an entry, too. */
static bool take_entry(const char **list, struct slice *entry)
{
    if (!*list)
        return false;
    size_t n = strcspn(*list, ",");
    *entry = slice_of(*list, n);
    *list = (*list)[n] ? *list + n + 1 : NULL;
    return true;
}

/* Without the device. */
static struct slice method_of(struct slice entry)
{
    const uint8_t *colon = entry.len ? memchr(entry.ptr, ':', entry.len) : NULL;
    return slice_of(entry.ptr, colon ? (size_t)(colon - entry.ptr) : entry.len);
}

static bool is_any(const struct string_list *lists)
{
    return lists->count == 0 || (lists->count == 1 && strcmp(lists->items[0], "any") == 0);
}

static bool is_on(const struct auth_methods *m, struct slice method)
{
    return (m->has_publickey && slice_is(method, "publickey")) ||
           (m->has_password && slice_is(method, "password")) ||
           (m->has_interactive && slice_is(method, INTERACTIVE));
}

static bool is_possible(const struct auth_methods *m, const char *list)
{
    struct slice entry;
    while (take_entry(&list, &entry)) {
        if (!is_on(m, method_of(entry)))
            return false;
    }
    return true;
}

/* "keyboard-interactive" is any device, "keyboard-interactive:pam" that one. */
static bool is_step(struct slice entry, const char *step)
{
    return slice_is(entry, step) || slice_equal(entry, method_of(slice_text(step)));
}

/* What is left of a list after these steps, NULL: nothing. A step that is not its turn is passed
 * over: it may have been another list's. */
static const char *rest_of(const char *list, const struct string_list *done)
{
    for (size_t i = 0; i < done->count && list; i++) {
        const char *behind = list;
        struct slice entry;
        if (take_entry(&behind, &entry) && is_step(entry, done->items[i]))
            list = behind;
    }
    return list;
}

bool auth_methods_may(const struct auth_methods *m, const struct string_list *done,
                      const char *method)
{
    if (!is_on(m, slice_text(method)))
        return false;
    if (is_any(m->lists))
        return true;
    for (size_t i = 0; i < m->lists->count; i++) {
        const char *list = m->lists->items[i];
        struct slice entry;
        if (!is_possible(m, list))
            continue;
        list = rest_of(list, done);
        if (take_entry(&list, &entry) && slice_is(method_of(entry), method))
            return true;
    }
    return false;
}

void auth_methods_next(const struct auth_methods *m, const struct string_list *done,
                       struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!auth_methods_may(m, done, names[i]))
            continue;
        enum err err = buf_len(out) ? buf_append(out, ",", 1) : OK;
        if (err == OK)
            err = buf_append_slice(out, slice_text(names[i]));
        CHECK(err == OK); /* three names: AUTH_METHODS_TEXT_MAX is far */
    }
}

bool auth_methods_is_complete(const struct auth_methods *m, const struct string_list *done)
{
    if (is_any(m->lists)) {
        for (size_t i = 0; i < done->count; i++) {
            if (is_on(m, method_of(slice_text(done->items[i]))))
                return true;
        }
        return false;
    }
    for (size_t i = 0; i < m->lists->count; i++) {
        if (is_possible(m, m->lists->items[i]) && !rest_of(m->lists->items[i], done))
            return true;
    }
    return false;
}
