/*
 * Any bytes as a message between any two roles: refused, or a message that encodes to just these
 * bytes again. The first byte chooses the two roles.
 */
#include "server/role_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct role_msg m;
    struct buf again;
    if (size == 0)
        return 0;
    enum role from = (enum role)(data[0] % ROLE_COUNT);
    enum role to = (enum role)(data[0] / ROLE_COUNT % ROLE_COUNT);
    struct slice bytes = slice_of(data + 1, size - 1);
    if (role_msg_decode(bytes, from, to, &m) != OK)
        return 0;
    buf_init(&again, 2 * ROLE_MSG_MAX);
    CHECK(role_msg_encode(&m, &again) == OK);
    CHECK(slice_equal(buf_slice(&again), bytes));
    buf_done(&again);
    return 0;
}
