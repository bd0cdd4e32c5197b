/*
 * Walks the DER of an algorithm identifier far enough to find its numbers, whatever the algorithm
 * is: a KDF that a later libcrypto learns is bounded, too. Does not know what the numbers mean.
 */
#include "crypto/pem_cost.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#define DER_SEQUENCE 0x30
#define DER_INTEGER  0x02
#define DEPTH_MAX    8

/* Takes a tag and its content off the front; false: not DER of a definite length. */
static bool der_take(struct slice *bytes, uint8_t *tag, struct slice *content)
{
    if (bytes->len < 2)
        return false;
    *tag = bytes->ptr[0];
    size_t length = bytes->ptr[1];
    size_t head = 2;
    if (length & 0x80) {
        size_t count = length & 0x7f;
        if (count == 0 || count > 3 || bytes->len < 2 + count)
            return false;
        length = 0;
        for (size_t i = 0; i < count; i++)
            length = length << 8 | bytes->ptr[2 + i];
        head += count;
    }
    if (length > bytes->len - head)
        return false;
    *content = slice_of(bytes->ptr + head, length);
    *bytes = slice_of(bytes->ptr + head + length, bytes->len - head - length);
    return true;
}

static enum err number_multiply(struct slice number, uint64_t *cost)
{
    uint64_t value = 0;
    if (number.len == 0 || number.ptr[0] & 0x80)
        return ERR_FORMAT;
    for (size_t i = 0; i < number.len; i++) {
        value = value << 8 | number.ptr[i];
        if (value > PEM_COST_MAX)
            return ERR_LIMIT;
    }
    *cost *= MAX(value, 1);
    return *cost > PEM_COST_MAX ? ERR_LIMIT : OK;
}

/* Nesting is bounded by depth, work by the bytes there are. */
static enum err numbers_multiply(struct slice bytes, unsigned depth, uint64_t *cost)
{
    uint8_t tag;
    struct slice content;
    if (depth == 0)
        return ERR_LIMIT;
    while (bytes.len) {
        if (!der_take(&bytes, &tag, &content))
            return ERR_FORMAT;
        if (tag == DER_INTEGER)
            TRY(number_multiply(content, cost));
        else if (tag == DER_SEQUENCE)
            TRY(numbers_multiply(content, depth - 1, cost));
    }
    return OK;
}

/* EncryptedPrivateKeyInfo (RFC 5958 3): a sequence of algorithm and octets. */
static enum err info_check(struct slice bytes)
{
    uint8_t tag;
    struct slice info, algorithm;
    uint64_t cost = 1;
    if (!der_take(&bytes, &tag, &info) || tag != DER_SEQUENCE ||
        !der_take(&info, &tag, &algorithm) || tag != DER_SEQUENCE)
        return ERR_FORMAT;
    return numbers_multiply(algorithm, DEPTH_MAX, &cost);
}

enum err pem_cost_check(struct slice text)
{
    enum err err = OK;
    char *name, *header;
    unsigned char *data;
    long length;
    BIO *bio = BIO_new_mem_buf(text.ptr, (int)text.len);
    CHECK(bio);
    while (err == OK && PEM_read_bio(bio, &name, &header, &data, &length) == 1) {
        if (strcmp(name, PEM_STRING_PKCS8) == 0)
            err = info_check(slice_of(data, (size_t)length));
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(data);
    }
    BIO_free(bio);
    ERR_clear_error();
    return err;
}
