/* Fuzz entry: a list of revoked keys in either form; whatever is one is asked for things. */
#include "crypto/digest.h"
#include "crypto/krl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Serial 42, key id "one": made for these tests (krl_test.c has the same). */
static const char cert_base64[] =
    "AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIO7WmDPLCHGYCb/pFLFLCqLmntdED4Ywr4M2"
    "5aL1KLIeAAAAIL6rNZot/JQQM5Ocl3R/AdeV0loSKfxw28Kwc/ve0Tz9AAAAAAAAACoAAAABAAAAA29uZQAAAAkA"
    "AAAFYWxpY2UAAAAAAAAAAP//////////AAAAAAAAAIIAAAAVcGVybWl0LVgxMS1mb3J3YXJkaW5nAAAAAAAAABdw"
    "ZXJtaXQtYWdlbnQtZm9yd2FyZGluZwAAAAAAAAAWcGVybWl0LXBvcnQtZm9yd2FyZGluZwAAAAAAAAAKcGVybWl0"
    "LXB0eQAAAAAAAAAOcGVybWl0LXVzZXItcmMAAAAAAAAAAAAAADMAAAALc3NoLWVkMjU1MTkAAAAgJgeSpGUm0qd6"
    "vQ6UWpn9gauZF2CnP3ZHxxCRAmTRfKwAAABTAAAAC3NzaC1lZDI1NTE5AAAAQIr/WcGBBcBbGVoEXOniWmG7o/aP"
    "qA4Uyjd1GRbBWFXXYqdCZGlIA2bPVjPLFNw3eC9h1WLGnuyGX45K5TAVFQM=";

struct bed {
    struct crypto *c;
    struct cert *cert;
};

static bool bed_init(struct bed *b)
{
    struct buf blob;
    b->c = crypto_new();
    buf_init(&blob, PUBKEY_BLOB_MAX);
    bool ok = b->c && base64_decode(slice_text(cert_base64), &blob) == OK &&
              cert_parse(&b->cert, b->c, buf_slice(&blob)) == OK;
    buf_done(&blob);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct bed bed;
    struct krl *k = NULL;
    if (!bed.cert && !bed_init(&bed))
        return 0;
    if (krl_parse(&k, bed.c, slice_of(data, size)) == OK) {
        (void)krl_has_cert(k, bed.c, bed.cert);
        krl_free(k);
    }
    return 0;
}
