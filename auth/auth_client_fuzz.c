/*
 * Payloads to the client's side: each is u16 length and bytes. Questions are answered or declined
 * by a byte of the input. Success takes a proof, or that everything that is left was refused.
 */
#include "auth/auth_client.h"
#include "wire/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
    struct auth_client *a;
    struct reader r;
    bool has_proof, has_refused;
};

static void answer(struct run *run, const struct auth_client_event *event)
{
    struct slice responses[INFO_PROMPTS_MAX];
    for (size_t i = 0; i < ARRAY_LEN(responses); i++)
        responses[i] = slice_text("answer");
    struct auth_client_answer with = {.text = slice_text("SIG"),
                                      .new_password = slice_text("new"),
                                      .key_type = "ssh-ed25519",
                                      .responses = responses};
    CHECK(event->kind != AUTH_CLIENT_INFO_REQUEST || event->info.count <= INFO_PROMPTS_MAX);
    with.is_declined = reader_left(&run->r) && reader_u8(&run->r) == 0xff;
    run->has_proof |= !with.is_declined && event->kind != AUTH_CLIENT_LOAD_KEY;
    auth_client_answer(run->a, &with);
}

static void drain(struct run *run)
{
    struct auth_client_event event;
    struct slice payload;
    for (auth_client_next(run->a, &event); event.kind; auth_client_next(run->a, &event)) {
        if (auth_client_is_question(event.kind))
            answer(run, &event);
        run->has_refused |= event.kind == AUTH_CLIENT_REFUSED;
        if (event.kind == AUTH_CLIENT_SUCCESS)
            CHECK(run->has_proof || run->has_refused);
    }
    while (auth_client_next_payload(run->a, &payload))
        auth_client_payload_taken(run->a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct auth_client_config config = {
        .user = "ada",
        .accepted = "ssh-ed25519",
        .methods = "publickey,keyboard-interactive,password",
        .prompts = 3,
        .may_hostbound = true,
        .session_id = slice_text("session"),
        .server_key = slice_text("HOST"),
    };
    struct run run = {.a = auth_client_new(&config)};
    enum err err = OK;
    CHECK(auth_client_add_key(
        run.a, &(struct auth_client_key){"ssh-ed25519", slice_text("KEY"), false, false}));
    CHECK(auth_client_add_key(run.a, &(struct auth_client_key){.is_spare = true}));
    auth_client_begin(run.a);
    reader_init(&run.r, slice_of(data, size));
    drain(&run);
    while (err == OK && reader_left(&run.r) > 2) {
        size_t length = (size_t)reader_u8(&run.r) << 8;
        length |= reader_u8(&run.r);
        struct slice payload = reader_bytes(&run.r, MIN(length, reader_left(&run.r)));
        if (payload.len == 0)
            continue;
        err = auth_client_recv(run.a, payload);
        drain(&run);
    }
    CHECK(err == OK || auth_client_fault(run.a).text);
    auth_client_free(run.a);
    return 0;
}
