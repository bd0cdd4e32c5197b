/*
 * Bytes to a transport that has no keys yet: identification, plain packets, the first exchange. The
 * first byte chooses the role and how the rest is cut into pieces.
 */
#include "transport/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void serve(struct transport *t)
{
    struct transport_event event;
    do {
        transport_next(t, &event, 1);
        CHECK(event.kind != TRANSPORT_PAYLOAD); /* nothing passes before keys */
        CHECK(event.kind != TRANSPORT_REKEYED);
        if (event.kind == TRANSPORT_SERVER_KEY)
            CHECK(event.kind != TRANSPORT_SERVER_KEY); /* it would be a forged signature */
        if (event.kind == TRANSPORT_NEED_SIGNATURE)
            transport_give_signature(t, slice_text("no signature"), 1);
        struct slice out = transport_output(t);
        transport_output_taken(t, out.len);
    } while (event.kind != TRANSPORT_NONE);
}

static void feed(struct transport *t, struct slice bytes, size_t piece)
{
    while (bytes.len && !transport_is_ended(t)) {
        struct iovec room;
        if (transport_recv_room(t, piece, &room) != OK)
            break;
        size_t n = MIN(bytes.len, room.iov_len);
        memcpy(room.iov_base, bytes.ptr, n);
        transport_recv_commit(t, n);
        bytes.ptr += n;
        bytes.len -= n;
        serve(t);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct crypto *crypto = crypto_new();
    struct rng *rng = rng_new_seeded(1);
    const struct transport_host_key key = {"ssh-ed25519", slice_text("a blob")};
    const struct transport_config config = {
        .role = data[0] & 1 ? TRANSPORT_SERVER : TRANSPORT_CLIENT,
        .crypto = crypto,
        .rng = rng,
        .ident = "SSH-2.0-fuzz",
        .kex = "curve25519-sha256,ecdh-sha2-nistp256,diffie-hellman-group-exchange-sha256",
        .host_key = "ssh-ed25519",
        .cipher = "chacha20-poly1305@openssh.com,aes128-gcm@openssh.com,aes128-ctr",
        .mac = "hmac-sha2-256",
        .host_keys = &key,
        .host_key_count = 1,
        .server_sig_algs = "ssh-ed25519",
    };
    struct transport *t = transport_new(&config, 1);
    transport_begin(t);
    feed(t, slice_of(data + 1, size - 1), (data[0] >> 1) + 1);
    CHECK(!t->recv_secured || t->config.role == TRANSPORT_SERVER);
    transport_free(t);
    rng_free(rng);
    crypto_free(crypto);
    return 0;
}
