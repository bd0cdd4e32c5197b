/* What a login's options say about listening. */
#include "server/port_right.h"
#include "tests/unit.h"

static void options_say_who_listens_where(void **state UNUSED)
{
    static const struct {
        const char *options;
        bool may;
    } rows[] = {
        {"", true},
        {"no-pty", true},
        {"restrict", false},
        {"no-port-forwarding", false},
        {"restrict,port-forwarding", true},
        {"port-forwarding,restrict", false},
        {"command=\"echo a,restrict\"", true},
        {"command=\"echo \\\",restrict,\\\"\",no-pty", true},
        {"command=\"echo\",no-port-forwarding", false},
        {"permitlisten=\"443\"", true},
        {"permitlisten=\"localhost:443\"", true},
        {"permitlisten=\"[::1]:443\"", true},
        {"permitlisten=\"*:*\"", true},
        {"permitlisten=\"80\"", false},
        {"permitlisten=\"none\"", false},
        {"permitlisten=\"65979\"", false}, /* 443 + 65536 */
        {"permitlisten=\"\"", false},
        {"permitlisten=\"80\",permitlisten=\"443\"", true},
        {"restrict,permitlisten=\"443\"", false},
        {"command=\"never ends", false},
        {"permitlisten=\"443", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (port_right_may_listen(slice_text(rows[i].options), 443) != rows[i].may)
            fail_msg("%s", rows[i].options);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(options_say_who_listens_where)};
    return RUN_TESTS(tests);
}
