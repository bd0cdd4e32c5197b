/*
 * Framing (RFC 4253 6): length, padding, sequence numbers, seal and open. The length is checked
 * here, in one place for all ciphers, before any arithmetic is done with it. Knows nothing of what
 * a payload means.
 */
#include "transport/internal.h"
#include "wire/numbers.h"

#define BARE_PAYLOAD_MIN 4

static const char bad_length[] = "Bad packet length.";
static const char bad_mac[] = "Corrupted MAC on input.";
static const char bad_padding[] = "Bad packet: padding longer than the packet (RFC 4253 6)";
static const char keys_too_old[] = "sequence number would repeat without new keys (RFC 4344 3.1)";

struct frame {
    size_t block, aad, tag, head;
};

static struct frame frame_of(const struct packet_state *s)
{
    if (s->is_bare)
        return (struct frame){.block = 1, .aad = 0, .tag = 0, .head = 4};
    if (!s->cipher)
        return (struct frame){.block = 8, .aad = 0, .tag = 0, .head = 4};
    return (struct frame){cipher_block_len(s->cipher), cipher_aad_len(s->cipher),
                          cipher_tag_len(s->cipher), cipher_head_len(s->cipher)};
}

static size_t min_padding(const struct packet_state *s)
{
    return s->is_bare ? 0 : PACKET_MIN_PADDING;
}

/* Padding that makes what is encrypted a multiple of the block, at least 4 (RFC 4253 6). */
static size_t padding_for(const struct packet_state *s, const struct frame *f, size_t payload_len)
{
    /* None is due, but OpenSSH takes a packet of less than five bytes for an incomplete one. */
    if (s->is_bare)
        return payload_len < BARE_PAYLOAD_MIN ? BARE_PAYLOAD_MIN - payload_len : 0;
    size_t counted = PACKET_HEAD + payload_len - f->aad;
    size_t padding = f->block - counted % f->block;
    return padding < PACKET_MIN_PADDING ? padding + f->block : padding;
}

size_t packet_wire_len(const struct packet_state *s, size_t payload_len)
{
    struct frame f = frame_of(s);
    return PACKET_HEAD + payload_len + padding_for(s, &f, payload_len) + f.tag;
}

enum err packet_seal(struct packet_state *s, struct rng *rng, uint8_t *at, size_t payload_len)
{
    struct frame f = frame_of(s);
    size_t padding = padding_for(s, &f, payload_len);
    size_t len = PACKET_HEAD + payload_len + padding;
    /* Without strict KEX numbers go on over NEWKEYS; what must not repeat is one under one key. */
    if (s->packets == UINT32_MAX && !s->is_bare)
        return ERR_LIMIT;
    put_u32(at, (uint32_t)(len - 4));
    at[4] = (uint8_t)padding;
    rng_bytes(rng, at + PACKET_HEAD + payload_len, padding);
    if (s->cipher)
        TRY(cipher_seal(s->cipher, s->sequence, at, len));
    s->sequence++;
    s->packets++;
    s->bytes += len;
    return OK;
}

static enum err broken(struct fault *fault, enum err code, uint32_t reason, const char *text)
{
    *fault = (struct fault){code, reason, text};
    return code;
}

/*
 * A bad length or tag where that is not to be told apart (cipher_must_hide_lengths): both are said
 * after as many bytes as the longest packet has, as OpenSSH does, and in the same words.
 */
static enum err go_on_discarding(struct packet_state *s, struct buf *in, struct fault *fault)
{
    size_t n = MIN(s->discard, buf_len(in));
    buf_consume(in, n);
    s->discard -= n;
    if (s->discard)
        return ERR_AGAIN;
    s->discard = 1; /* there is no way back */
    return broken(fault, ERR_CRYPTO, SSH_DISCONNECT_MAC_ERROR, bad_mac);
}

static bool must_hide(const struct packet_state *s)
{
    return s->cipher && cipher_must_hide_lengths(s->cipher);
}

enum err packet_open(struct packet_state *s, struct buf *in, size_t max_length,
                     struct slice *payload, struct fault *fault)
{
    struct frame f = frame_of(s);
    struct slice bytes = buf_slice(in);
    if (s->discard)
        return go_on_discarding(s, in, fault);
    if (bytes.len < f.head)
        return ERR_AGAIN;
    uint32_t length =
        s->cipher ? cipher_peek_length(s->cipher, s->sequence, bytes.ptr) : get_u32(bytes.ptr);
    /* The one check of a hostile length: range first, multiple of the block second. */
    if (length < 1 + min_padding(s) || length > max_length || (length + 4 - f.aad) % f.block != 0) {
        if (must_hide(s)) {
            s->discard = PACKET_LENGTH_MAX;
            return go_on_discarding(s, in, fault);
        }
        return broken(fault, ERR_FORMAT, SSH_DISCONNECT_MAC_ERROR, bad_length);
    }
    size_t len = 4 + (size_t)length;
    if (bytes.len < len + f.tag)
        return ERR_AGAIN;
    uint8_t *packet = in->data + in->start;
    if (s->packets == UINT32_MAX && !s->is_bare)
        return broken(fault, ERR_LIMIT, SSH_DISCONNECT_PROTOCOL_ERROR, keys_too_old);
    if (s->cipher && cipher_open(s->cipher, s->sequence, packet, len) != OK) {
        if (must_hide(s)) {
            s->discard = PACKET_LENGTH_MAX;
            return go_on_discarding(s, in, fault);
        }
        return broken(fault, ERR_CRYPTO, SSH_DISCONNECT_MAC_ERROR, bad_mac);
    }
    s->sequence++;
    s->packets++;
    s->bytes += len;
    size_t padding = packet[4];
    if (padding < min_padding(s) || padding + 1 >= length)
        return broken(fault, ERR_FORMAT, SSH_DISCONNECT_PROTOCOL_ERROR, bad_padding);
    *payload = slice_of(packet + PACKET_HEAD, length - 1 - padding);
    buf_consume(in, len + f.tag);
    return OK;
}

void packet_state_done(struct packet_state *s)
{
    cipher_free(s->cipher);
    *s = (struct packet_state){0};
}
