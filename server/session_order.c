/* What a connection's processes may ask now. */
#include "server/session_order.h"

#define TO(phase_) (1 + (phase_)) /* 0: the step may not come */

/* clang-format off */
static const uint8_t next_phase[SESSION_PHASES][SESSION_STEPS] = {
    [SESSION_NEW] = {
        [SESSION_ASK_SIGN]    = TO(SESSION_NEW),
        [SESSION_SIGNED]      = TO(SESSION_KEX),
        [SESSION_ENDED]       = TO(SESSION_GONE),
    },
    [SESSION_KEX] = {
        [SESSION_ASK_SIGN]    = TO(SESSION_KEX),
        [SESSION_SIGNED]      = TO(SESSION_KEX),
        [SESSION_ASK_WHO]     = TO(SESSION_KEX),
        [SESSION_KNOWN]       = TO(SESSION_NAMED),
        [SESSION_ENDED]       = TO(SESSION_GONE),
    },
    [SESSION_NAMED] = {
        [SESSION_ASK_SIGN]    = TO(SESSION_NAMED),
        [SESSION_SIGNED]      = TO(SESSION_NAMED),
        [SESSION_ASK_AUTH]    = TO(SESSION_NAMED),
        [SESSION_PROMPTED]    = TO(SESSION_NAMED),
        [SESSION_RESPONDED]   = TO(SESSION_NAMED),
        [SESSION_REFUSED]     = TO(SESSION_NAMED),
        [SESSION_ALLOWED]     = TO(SESSION_OK),
        [SESSION_ENDED]       = TO(SESSION_GONE),
    },
    [SESSION_OK] = {
        [SESSION_HANDED_OVER] = TO(SESSION_WORK),
        [SESSION_ENDED]       = TO(SESSION_GONE),
    },
    [SESSION_WORK] = {
        [SESSION_ASK_SIGN]    = TO(SESSION_WORK),
        [SESSION_SIGNED]      = TO(SESSION_WORK),
        [SESSION_ASK_WORK]    = TO(SESSION_WORK),
        [SESSION_ENDED]       = TO(SESSION_GONE),
    },
    [SESSION_GONE] = {
        [SESSION_ENDED]       = TO(SESSION_GONE),
    },
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
    case SESSION_ASK_WHO:
        return o->is_asking ? ERR_PROTOCOL : OK;
    case SESSION_ASK_AUTH:
        if (o->is_asking)
            return ERR_PROTOCOL;
        return o->questions >= o->questions_max ? ERR_LIMIT : OK;
    case SESSION_RESPONDED:
        if (!o->is_prompting)
            return ERR_PROTOCOL;
        return o->questions >= o->questions_max ? ERR_LIMIT : OK;
    case SESSION_KNOWN:
    case SESSION_PROMPTED:
    case SESSION_REFUSED:
    case SESSION_ALLOWED:
        return o->is_asking ? OK : ERR_PROTOCOL;
    case SESSION_HANDED_OVER:
    case SESSION_ASK_WORK:
    case SESSION_ENDED:
    case SESSION_STEPS:
        break;
    }
    return OK;
}

static void set_flags(struct session_order *o, enum session_step step)
{
    switch (step) {
    case SESSION_ASK_SIGN:
    case SESSION_SIGNED:
        o->is_signing = step == SESSION_ASK_SIGN;
        break;
    case SESSION_ASK_AUTH:
    case SESSION_RESPONDED:
        o->questions++;
        o->is_prompting = false;
        o->is_asking = true;
        break;
    case SESSION_ASK_WHO:
        o->is_asking = true;
        break;
    case SESSION_PROMPTED:
        o->is_prompting = true;
        o->is_asking = false;
        break;
    case SESSION_KNOWN:
    case SESSION_REFUSED:
    case SESSION_ALLOWED:
        o->is_asking = false;
        break;
    case SESSION_HANDED_OVER:
    case SESSION_ASK_WORK:
    case SESSION_ENDED:
    case SESSION_STEPS:
        break;
    }
}

enum err session_order_step(struct session_order *o, enum session_step step)
{
    CHECK(step < SESSION_STEPS);
    uint8_t next = next_phase[o->phase][step];
    if (next == 0)
        return ERR_PROTOCOL;
    TRY(check_flags(o, step));
    o->phase = (enum session_phase)(next - 1);
    set_flags(o, step);
    return OK;
}

const char *session_phase_name(enum session_phase phase)
{
    static const char *const names[SESSION_PHASES] = {"NEW", "KEX", "NAMED", "OK", "WORK", "GONE"};
    CHECK(phase < SESSION_PHASES);
    return names[phase];
}
