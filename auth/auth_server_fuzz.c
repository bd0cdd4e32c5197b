/* Payloads to the server's side: each is u16 length and bytes; the answers alternate. */
#include "auth/auth_server.h"
#include "wire/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct auth_server_config config = {slice_text("session"), slice_text("HOST"),
                                              "ssh-ed25519,rsa-sha2-256", 6, SLICE_NONE};
    struct auth_server *a = auth_server_new(&config);
    struct reader r;
    bool was_allowed_signed = false;
    enum err err = OK;
    reader_init(&r, slice_of(data, size));
    for (unsigned i = 0; err == OK && reader_left(&r) > 2 && !auth_server_is_done(a); i++) {
        size_t length = (size_t)reader_u8(&r) << 8;
        length |= reader_u8(&r);
        struct slice payload = reader_bytes(&r, MIN(length, reader_left(&r)));
        struct auth_server_event event;
        if (payload.len == 0)
            continue;
        err = auth_server_recv(a, payload, &event);
        if (err == OK && event.kind != AUTH_SERVER_NONE) {
            was_allowed_signed |= event.kind == AUTH_SERVER_SIGNED && i % 2 == 0;
            err = auth_server_answer(a, i % 2 == 0);
        }
    }
    CHECK(auth_server_is_done(a) == was_allowed_signed || err != OK);
    CHECK(err == OK || auth_server_fault(a).text);
    auth_server_free(a);
    return 0;
}
