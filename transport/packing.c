/*
 * Compression of payloads, zlib@openssh.com: the algorithm is RFC 4253 6.2's "zlib", but it begins
 * when authentication has succeeded, so that nobody unknown reaches the inflater. It copies, where
 * the path without it seals in place. How bytes are packed is the codec's.
 */
#include "transport/internal.h"
#include "wire/numbers.h"

static const char bomb[] = "a compressed packet of more than the limit (RFC 4253 6.1)";
static const char damaged[] = "a compressed packet that is damaged (RFC 4253 6.2)";
static const char not_packed[] = "compressing a packet failed";
static const char not_sealed[] = "sealing a packet failed";
static const char no_codec[] = "compression where none was to be";
static const char not_read[] = "the peer does not read what it provokes";

void packing_init(struct packing *p)
{
    *p = (struct packing){0};
    buf_init(&p->plain, OUTPUT_MAX);
    buf_init(&p->unpacked, UNPACKED_MAX);
}

static void forget_pack(struct packing *p)
{
    if (p->pack)
        p->codec->pack_free(p->pack);
    p->pack = NULL;
}

static void forget_unpack(struct packing *p)
{
    if (p->unpack)
        p->codec->unpack_free(p->unpack);
    p->unpack = NULL;
}

void packing_done(struct packing *p)
{
    forget_pack(p);
    forget_unpack(p);
    buf_done(&p->plain);
    buf_done(&p->unpacked);
}

void packing_trim(struct packing *p)
{
    buf_done(&p->plain);
    buf_done(&p->unpacked);
}

const char *packing_name(bool agreed)
{
    return agreed ? "zlib@openssh.com" : "none";
}

bool packing_sends(const struct transport *t)
{
    return t->packing.send && t->authenticated;
}

bool packing_receives(const struct transport *t)
{
    return t->packing.recv && t->authenticated;
}

void packing_renew_send(struct transport *t, bool agreed)
{
    forget_pack(&t->packing);
    t->packing.send = agreed;
    t->names.send_compression = packing_name(agreed);
}

void packing_renew_recv(struct transport *t, bool agreed)
{
    forget_unpack(&t->packing);
    t->packing.recv = agreed;
    t->names.recv_compression = packing_name(agreed);
}

void packing_seal(struct transport *t, struct slice payload)
{
    struct packing *p = &t->packing;
    uint8_t *at;
    size_t n = 0;
    if (!p->codec) {
        transport_fail(t, ERR_UNSUPPORTED, SSH_DISCONNECT_NONE, no_codec);
        return;
    }
    if (!p->pack)
        p->pack = p->codec->pack_new();
    size_t bound = p->codec->pack_bound(p->pack, payload.len);
    /* The output's cap is asked about first: what was packed cannot be taken back. */
    if (buf_reserve(&t->out, packet_wire_len(&t->send, bound), &at) != OK)
        transport_fail(t, ERR_LIMIT, SSH_DISCONNECT_NONE, not_read);
    else if (p->codec->pack(p->pack, payload, at + PACKET_HEAD, bound, &n) != OK)
        transport_fail(t, ERR_CRYPTO, SSH_DISCONNECT_NONE, not_packed);
    else if (packet_seal(&t->send, t->config.rng, at, n) != OK)
        transport_fail(t, ERR_CRYPTO, SSH_DISCONNECT_NONE, not_sealed);
    else
        buf_commit(&t->out, packet_wire_len(&t->send, n));
}

bool packing_has_room(const struct packing *p)
{
    return UNPACKED_MAX - buf_len(&p->unpacked) >= PACKET_LENGTH_MAX;
}

bool packing_open(struct transport *t, struct slice *payload)
{
    struct packing *p = &t->packing;
    uint8_t *room;
    size_t n = 0;
    CHECK(packing_has_room(p));
    if (!p->codec) {
        transport_fail(t, ERR_UNSUPPORTED, SSH_DISCONNECT_COMPRESSION_ERROR, no_codec);
        return false;
    }
    if (!p->unpack)
        p->unpack = p->codec->unpack_new();
    /* Once, whole: growing would move what earlier slices point to. */
    if (buf_len(&p->unpacked) == 0) {
        enum err err = buf_reserve(&p->unpacked, UNPACKED_MAX, &room);
        CHECK(err == OK);
    }
    room = p->unpacked.data + p->unpacked.end;
    enum err err = p->codec->unpack(p->unpack, *payload, room, PACKET_LENGTH_MAX, &n);
    if (err != OK || n == 0) {
        transport_fail(t, err == ERR_LIMIT ? ERR_LIMIT : ERR_FORMAT,
                       SSH_DISCONNECT_COMPRESSION_ERROR, err == ERR_LIMIT ? bomb : damaged);
        return false;
    }
    buf_commit(&p->unpacked, n);
    *payload = slice_of(room, n);
    return true;
}
