/* RevokedHostKeys: text or KRL files, which are read anew for each connection. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "client/host_trust.h"
#include "crypto/krl.h"
#include "wire/reader.h"

#define READ_STEP 65536

static enum err read_all(const char *path, struct buf *text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    enum err err = fd < 0 ? ERR_IO : OK;
    for (ssize_t n = 1; err == OK && n > 0;) {
        uint8_t *room;
        err = buf_reserve(text, READ_STEP, &room);
        n = err == OK ? read(fd, room, READ_STEP) : 0;
        if (n > 0)
            buf_commit(text, (size_t)n);
        else if (n < 0)
            err = ERR_IO;
    }
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
    return err;
}

static bool has_key(const struct krl *list, const struct crypto *c, struct slice key)
{
    struct cert *cert;
    struct reader r;
    reader_init(&r, key);
    if (!cert_is_type(reader_string(&r)))
        return krl_has_key(list, c, key);
    if (cert_parse(&cert, c, key) != OK)
        return true;
    bool found = krl_has_cert(list, c, cert);
    cert_free(cert);
    return found;
}

static bool is_in_file(const struct crypto *c, const char *path, struct slice key,
                       const char *fingerprint, char **why)
{
    struct buf text;
    struct krl *list = NULL;
    buf_init(&text, KRL_BYTES_MAX);
    enum err err = read_all(path, &text);
    const char *reason = err == ERR_IO ? strerror(errno) : NULL;
    if (err == OK) {
        err = krl_parse(&list, c, buf_slice(&text));
        reason = err_name(err);
    }
    buf_done(&text);
    if (err != OK) {
        *why = mem_printf("Error checking host key %s in revoked keys file %s: %s", fingerprint,
                          path, reason ? reason : err_name(err));
        return true;
    }
    bool found = has_key(list, c, key);
    if (found)
        *why = mem_printf("Host key %s revoked by file %s", fingerprint, path);
    krl_free(list);
    return found;
}

bool host_trust_is_revoked(const struct crypto *c, const struct string_list *files,
                           struct slice key, const char *fingerprint, char **why)
{
    for (size_t i = 0; files && i < files->count; i++) {
        if (strcmp(files->items[i], "none") != 0 &&
            is_in_file(c, files->items[i], key, fingerprint, why))
            return true;
    }
    return false;
}
