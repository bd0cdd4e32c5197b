/* Any bytes as a message of the multiplexing protocol: refused, or the same when written again. */
#include "client/mux_msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mux_msg m, again;
    struct forward_spec spec;
    struct string_list list;
    struct buf out;
    if (mux_msg_decode(slice_of(data, size), &m) != OK)
        return 0;
    buf_init(&out, 2 * MUX_FRAME_MAX);
    if (mux_msg_encode(&m, &out) == OK)
        CHECK(mux_msg_decode(buf_slice(&out), &again) == OK && again.type == m.type);
    buf_done(&out);
    string_list_init(&list);
    if (mux_environment(&m, &list) == OK)
        CHECK(list.count <= MUX_ENV_MAX);
    string_list_done(&list);
    if (mux_forward_spec(&m, &spec) == OK)
        forward_spec_done(&spec);
    return 0;
}
