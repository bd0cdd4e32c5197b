/* Any text as a known_hosts file: every answer names the line that gave it. */
#include "auth/known_hosts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[] = "\0\0\0\x0bssh-ed25519\0\0\0\x04never known to anybody";
    struct crypto *crypto = crypto_new();
    for (uint16_t port = 22; port < 24; port++) {
        struct known_hosts_search s;
        enum err err = known_hosts_search_init(&s, crypto, "box.example", port,
                                               slice_of(key, sizeof(key) - 1));
        CHECK(err == OK);
        s.is_other_wanted = true;
        known_hosts_search_text(&s, "file", slice_of(data, size));
        CHECK(s.result == KNOWN_HOSTS_NEW || s.place.line > 0);
        CHECK(buf_len(&s.types) <= KNOWN_HOSTS_TYPES_MAX);
        known_hosts_search_done(&s);
    }
    crypto_free(crypto);
    return 0;
}
