/* Payloads to the client's side: each is u16 length and bytes. Success takes a signature. */
#include "auth/auth_client.h"
#include "wire/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void drain(struct auth_client *a)
{
    struct slice payload;
    while (auth_client_next_payload(a, &payload))
        auth_client_payload_taken(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct auth_client_config config = {"ada", "ssh-ed25519", slice_text("session"),
                                              slice_text("HOST")};
    struct auth_client *a = auth_client_new(&config);
    struct auth_client_event event, next;
    struct reader r;
    bool has_signed = false, has_refused = false;
    enum err err = OK;
    CHECK(auth_client_add_key(a, "ssh-ed25519", slice_text("KEY")));
    auth_client_begin(a);
    drain(a);
    reader_init(&r, slice_of(data, size));
    while (err == OK && reader_left(&r) > 2) {
        size_t length = (size_t)reader_u8(&r) << 8;
        length |= reader_u8(&r);
        struct slice payload = reader_bytes(&r, MIN(length, reader_left(&r)));
        if (payload.len == 0)
            continue;
        err = auth_client_recv(a, payload, &event);
        if (err == OK && event.kind == AUTH_CLIENT_SIGN) {
            auth_client_give_signature(a, slice_text("SIG"), &next);
            has_signed = true;
        }
        has_refused |= err == OK && event.kind == AUTH_CLIENT_REFUSED;
        if (err == OK && event.kind == AUTH_CLIENT_SUCCESS)
            CHECK(has_signed || has_refused);
        drain(a);
    }
    CHECK(err == OK || auth_client_fault(a).text);
    auth_client_free(a);
    return 0;
}
