/* Any bytes as a hand-over record: refused, or a transport that exports and receives like any. */
#include "transport/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(struct transport *t)
{
    struct transport_event event;
    uint8_t ignore[5] = {2};
    do
        transport_next(t, &event, 1);
    while (event.kind != TRANSPORT_NONE);
    if (transport_may_send(t)) {
        enum err err = transport_send(t, slice_of(ignore, sizeof(ignore)));
        CHECK(err != ERR_BUG);
    }
    transport_output_taken(t, transport_output(t).len);
    if (transport_may_export(t)) {
        struct buf record;
        buf_init_secret(&record, 4 * 1024 * 1024);
        enum err err = transport_export(t, &record);
        CHECK(err == OK);
        buf_done(&record);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct crypto *crypto = crypto_new();
    struct rng *rng = rng_new_seeded(1);
    const struct transport_config config = {.role = TRANSPORT_SERVER,
                                            .crypto = crypto,
                                            .rng = rng,
                                            .ident = "SSH-2.0-duo",
                                            .kex = "curve25519-sha256",
                                            .host_key = "ssh-ed25519",
                                            .cipher = "aes128-gcm@openssh.com",
                                            .mac = "hmac-sha2-256"};
    struct transport *t;
    if (transport_import(&t, &config, slice_of(data, size), 1) == OK) {
        use(t);
        transport_free(t);
    }
    rng_free(rng);
    crypto_free(crypto);
    return 0;
}
