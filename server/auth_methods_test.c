/* AuthenticationMethods: what may come next, and when it is enough. */
#include "server/auth_methods.h"
#include "tests/unit.h"

#define EVERY true, true, true

/* "a b c" -> a list of three. */
static void list_of(const char *text, struct string_list *list)
{
    string_list_init(list);
    while (*text) {
        size_t n = strcspn(text, " ");
        char *item CLEANUP(mem_cleanup) = mem_strndup(text, n);
        string_list_add(list, item);
        text += n + strspn(text + n, " ");
    }
}

static const struct {
    const char *lists;
    bool has_publickey, has_password, has_interactive;
    const char *done, *next;
    bool is_complete;
} rows[] = {
    /* Without lists any one method is enough; those that are off are not named. */
    {"", EVERY, "", "publickey,password,keyboard-interactive", false},
    {"any", EVERY, "", "publickey,password,keyboard-interactive", false},
    {"any", true, false, true, "", "publickey,keyboard-interactive", false},
    {"any", false, false, false, "", "", false},
    {"any", EVERY, "publickey", "publickey,password,keyboard-interactive", true},
    {"any", EVERY, "keyboard-interactive:pam", "publickey,password,keyboard-interactive", true},
    {"any", true, false, false, "password", "publickey", false},
    /* One list, in its order. */
    {"publickey,password", EVERY, "", "publickey", false},
    {"publickey,password", EVERY, "publickey", "password", false},
    {"publickey,password", EVERY, "publickey password", "", true},
    {"publickey,password", EVERY, "password", "publickey", false},
    {"publickey,password", EVERY, "password publickey", "password", false},
    {"publickey,publickey", EVERY, "", "publickey", false},
    {"publickey,publickey", EVERY, "publickey", "publickey", false},
    {"publickey,publickey", EVERY, "publickey publickey", "", true},
    /* Several lists: each goes its own way. */
    {"publickey,password publickey,keyboard-interactive", EVERY, "publickey",
     "password,keyboard-interactive", false},
    {"publickey,password publickey,keyboard-interactive", EVERY,
     "publickey keyboard-interactive:pam", "password", true},
    {"publickey,password password,publickey", EVERY, "", "publickey,password", false},
    {"publickey,password password,publickey", EVERY, "password", "publickey", false},
    {"password publickey,password", EVERY, "password", "publickey", true},
    /* Devices. */
    {"keyboard-interactive:pam", EVERY, "", "keyboard-interactive", false},
    {"keyboard-interactive:pam", EVERY, "keyboard-interactive:pam", "", true},
    {"keyboard-interactive:pam", EVERY, "keyboard-interactive:bsdauth", "keyboard-interactive",
     false},
    {"keyboard-interactive", EVERY, "keyboard-interactive:bsdauth", "", true},
    /* A list that cannot be fulfilled lets nobody begin it. */
    {"publickey,password", true, false, true, "", "", false},
    {"publickey,hostbased", EVERY, "", "", false},
    {"publickey,hostbased password", EVERY, "", "password", false},
    {"publickey,hostbased", EVERY, "publickey", "", false},
    {"none", EVERY, "", "", false},
};

static void what_is_next_and_when_it_is_enough(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct string_list lists, done;
        struct buf next;
        list_of(rows[i].lists, &lists);
        list_of(rows[i].done, &done);
        buf_init(&next, AUTH_METHODS_TEXT_MAX);
        struct auth_methods m = {&lists, rows[i].has_publickey, rows[i].has_password,
                                 rows[i].has_interactive};
        auth_methods_next(&m, &done, &next);
        if (!slice_is(buf_slice(&next), rows[i].next))
            fail_msg("[%s] after [%s]: %.*s, not %s", rows[i].lists, rows[i].done,
                     (int)buf_len(&next), (const char *)buf_slice(&next).ptr, rows[i].next);
        if (auth_methods_is_complete(&m, &done) != rows[i].is_complete)
            fail_msg("[%s] after [%s]: complete", rows[i].lists, rows[i].done);
        string_list_done(&lists);
        string_list_done(&done);
        buf_done(&next);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_next_and_when_it_is_enough),
    };
    return RUN_TESTS(tests);
}
