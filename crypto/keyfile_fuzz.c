/*
 * Fuzz entry: the bytes of an OpenSSH private key file behind its armour, or any other text; with
 * and without a passphrase. Files that ask for more than a few rounds are only parsed.
 */
#include "crypto/digest.h"
#include "crypto/keyfile.h"
#include "wire/reader.h"

#define ROUNDS_MAX 2

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* False if a KDF would cost too much for a fuzzer. */
static bool is_cheap(struct slice bytes)
{
    struct reader r;
    struct reader options;
    reader_init(&r, bytes);
    (void)reader_bytes(&r, 15);
    (void)reader_string(&r);
    (void)reader_string(&r);
    reader_init(&options, reader_string(&r));
    (void)reader_string(&options);
    return reader_u32(&options) <= ROUNDS_MAX;
}

static void give(const struct crypto *c, struct slice text, struct slice passphrase)
{
    struct privkey *key = NULL;
    char *comment = NULL;
    if (keyfile_parse(&key, &comment, c, text, passphrase) == OK) {
        struct buf out;
        buf_init_secret(&out, 65536);
        (void)!keyfile_write(key, comment, &out);
        buf_done(&out);
        privkey_free(key);
        mem_free(comment);
    }
    struct pubkey *pubkey = NULL;
    if (keyfile_public(&pubkey, c, text) == OK)
        pubkey_free(pubkey);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct crypto *c;
    if (!c && !(c = crypto_new()))
        return 0;
    const struct slice bytes = slice_of(data, size);
    const struct slice passphrase = is_cheap(bytes) ? slice_text("secret") : SLICE_NONE;
    char *base64 = base64_encode(bytes, true);
    char *armoured = mem_printf("-----BEGIN OPENSSH PRIVATE KEY-----\n%s\n"
                                "-----END OPENSSH PRIVATE KEY-----\n",
                                base64);
    give(c, slice_text(armoured), passphrase);
    give(c, bytes, SLICE_NONE);
    mem_free(armoured);
    mem_free(base64);
    return 0;
}
