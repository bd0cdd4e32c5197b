/* Window arithmetic. */
#include "conn/window.h"

/* A credit is returned when an eighth of the window was taken: few messages, no stall. */
#define CREDIT_FRACTION 8

void window_init(struct recv_window *w, uint32_t target)
{
    *w = (struct recv_window){.target = target, .left = target};
}

enum err window_received(struct recv_window *w, size_t n)
{
    if (n > w->left)
        return ERR_LIMIT;
    w->left -= (uint32_t)n;
    return OK;
}

bool window_consumed(struct recv_window *w, size_t n)
{
    CHECK(n <= w->target - w->left - w->consumed);
    w->consumed += (uint32_t)n;
    return w->consumed >= MAX(w->target / CREDIT_FRACTION, 1);
}

uint32_t window_take_credit(struct recv_window *w)
{
    uint32_t credit = w->consumed;
    w->left += credit;
    w->consumed = 0;
    return credit;
}

enum err window_adjusted(uint32_t *send_window, uint32_t bytes)
{
    if (bytes > UINT32_MAX - *send_window)
        return ERR_LIMIT;
    *send_window += bytes;
    return OK;
}
