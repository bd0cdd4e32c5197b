/* What the worker of one connection may ask now. */
#include "server/session_order.h"

#define NONE SESSION_PHASES /* the step may not come */

/* clang-format off */
static const enum session_phase next_phase[SESSION_PHASES][SESSION_STEPS] = {
    /*                ASK_SIGN     SIGNED       ASK_AUTH     REFUSED      ALLOWED     ASK_SESSION ENDED */
    [SESSION_NEW]  = {SESSION_NEW, SESSION_KEX, NONE,        NONE,        NONE,       NONE,       SESSION_GONE},
    [SESSION_KEX]  = {SESSION_KEX, SESSION_KEX, SESSION_KEX, SESSION_KEX, SESSION_OK, NONE,       SESSION_GONE},
    [SESSION_OK]   = {SESSION_OK,  SESSION_OK,  NONE,        NONE,        NONE,       SESSION_OK, SESSION_GONE},
    [SESSION_GONE] = {NONE,        NONE,        NONE,        NONE,        NONE,       NONE,       SESSION_GONE},
};
/* clang-format on */

void session_order_init(struct session_order *o, unsigned max_auth_tries)
{
    *o = (struct session_order){.phase = SESSION_NEW};
    o->questions_max = 2 + 2 * MIN(max_auth_tries, 1000u);
}

/* One question of a kind at a time, and no answer without its question. */
static enum err check_flags(const struct session_order *o, enum session_step step)
{
    switch (step) {
    case SESSION_ASK_SIGN:
        return o->is_signing ? ERR_PROTOCOL : OK;
    case SESSION_SIGNED:
        return o->is_signing ? OK : ERR_PROTOCOL;
    case SESSION_ASK_AUTH:
        if (o->is_asking)
            return ERR_PROTOCOL;
        return o->questions >= o->questions_max ? ERR_LIMIT : OK;
    case SESSION_REFUSED:
    case SESSION_ALLOWED:
        return o->is_asking ? OK : ERR_PROTOCOL;
    case SESSION_ASK_SESSION:
    case SESSION_ENDED:
    case SESSION_STEPS:
        break;
    }
    return OK;
}

enum err session_order_step(struct session_order *o, enum session_step step)
{
    CHECK(step < SESSION_STEPS);
    enum session_phase next = next_phase[o->phase][step];
    if (next == NONE)
        return ERR_PROTOCOL;
    TRY(check_flags(o, step));
    o->phase = next;
    if (step == SESSION_ASK_SIGN || step == SESSION_SIGNED)
        o->is_signing = step == SESSION_ASK_SIGN;
    if (step == SESSION_ASK_AUTH)
        o->questions++;
    if (step == SESSION_ASK_AUTH || step == SESSION_REFUSED || step == SESSION_ALLOWED)
        o->is_asking = step == SESSION_ASK_AUTH;
    return OK;
}

const char *session_phase_name(enum session_phase phase)
{
    static const char *const names[SESSION_PHASES] = {"NEW", "KEX", "OK", "GONE"};
    CHECK(phase < SESSION_PHASES);
    return names[phase];
}
