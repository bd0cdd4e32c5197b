/*
 * Payloads to the server's side: each is u16 length and bytes; the answers alternate. SUCCESS comes
 * from a question that was answered so, and from nothing else.
 */
#include "auth/auth_server.h"
#include "wire/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define METHODS "publickey,password,keyboard-interactive"
#define PROMPT  "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x02p:\0"

/* One question's answer, chosen by turn; *granted once one allows the login. */
static enum err answer(struct auth_server *a, struct auth_server_event *event, unsigned turn,
                       bool *granted)
{
    bool is_dialog = event->kind == AUTH_SERVER_INTERACTIVE || event->kind == AUTH_SERVER_RESPONSES;
    if (is_dialog && turn % 4 == 3)
        return auth_server_prompt(a, slice_of(PROMPT, sizeof(PROMPT) - 1));
    if (turn % 4 == 2)
        return auth_server_answer(a, AUTH_VERDICT_PARTIAL, slice_text(METHODS));
    bool yes = turn % 2 == 0;
    *granted |= yes && event->kind != AUTH_SERVER_KEY;
    return auth_server_answer(a, yes ? AUTH_VERDICT_YES : AUTH_VERDICT_NO, SLICE_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct auth_server_config config = {slice_text("session"), slice_text("HOST"),
                                              "ssh-ed25519,rsa-sha2-256", 6};
    struct auth_server *a = auth_server_new(&config);
    struct reader r;
    bool granted = false;
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
        if (err == OK && event.kind == AUTH_SERVER_WHO)
            err = auth_server_answer_who(a, slice_text(METHODS), slice_text("hello"), &event);
        if (err == OK && event.kind != AUTH_SERVER_NONE)
            err = answer(a, &event, i, &granted);
    }
    CHECK(auth_server_is_done(a) == granted || err != OK);
    CHECK(err == OK || auth_server_fault(a).text);
    auth_server_free(a);
    return 0;
}
