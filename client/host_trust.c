/*
 * Trust in a host key: search, decision and words. The writing of files is in host_trust_file.c,
 * the format of lines in auth/known_hosts.c; the person is asked by prompt.c.
 */
#include "client/host_trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "client/randomart.h"
#include "crypto/cert.h"
#include "crypto/digest.h"
#include "wire/namelist.h"
#include "wire/reader.h"

#define KNOWN_HOSTS_FILE_MAX (16u * 1024 * 1024)
#define TEXT_MAX             (64u * 1024)
#define READ_STEP            (64u * 1024)
#define STARS                "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@"

/* A search, and what could not be searched. */
struct search {
    struct known_hosts_search found;
    bool is_by_user_file; /* the key itself is in one of the user's */
    bool is_unreadable;
    char *unreadable; /* path, with is_unreadable */
    int unreadable_errno;
};

static void search_done(struct search *s)
{
    known_hosts_search_done(&s->found);
    mem_free(s->unreadable);
}

/* OK with nothing read where there is no file. */
static enum err file_read(const char *path, struct buf *text)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? OK : ERR_IO;
    enum err err = OK;
    while (err == OK) {
        uint8_t *room;
        err = buf_reserve(text, READ_STEP, &room);
        ssize_t n = err == OK ? read(fd, room, READ_STEP) : -1;
        if (err != OK)
            errno = EFBIG;
        else if (n == 0)
            break;
        else if (n > 0)
            buf_commit(text, (size_t)n);
        else if (errno != EINTR)
            err = ERR_IO;
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return err;
}

static bool is_no_file(const struct string_list *files)
{
    return files == NULL || (files->count == 1 && strcmp(files->items[0], "none") == 0);
}

/* A certificate, taken apart; a plain key is its own. */
struct shown {
    struct cert *cert;      /* NULL: a plain key */
    struct slice plain;     /* blob; borrowed */
    struct slice authority; /* blob; empty without a certificate */
};

static bool is_certificate(struct slice blob)
{
    struct reader r;
    reader_init(&r, blob);
    return cert_is_type(reader_string(&r));
}

static enum err shown_init(struct shown *s, const struct crypto *c, struct slice blob)
{
    *s = (struct shown){.plain = blob};
    if (!is_certificate(blob))
        return OK;
    TRY(cert_parse(&s->cert, c, blob));
    s->plain = pubkey_blob(cert_info(s->cert)->key);
    s->authority = pubkey_blob(cert_info(s->cert)->authority);
    return OK;
}

static void shown_done(struct shown *s)
{
    cert_free(s->cert);
}

static void files_search(struct search *s, const struct string_list *files)
{
    for (size_t i = 0; !is_no_file(files) && i < files->count; i++) {
        struct buf text;
        buf_init(&text, KNOWN_HOSTS_FILE_MAX);
        if (file_read(files->items[i], &text) == OK) {
            known_hosts_search_text(&s->found, files->items[i], buf_slice(&text));
        } else if (!s->is_unreadable) {
            s->is_unreadable = true;
            s->unreadable_errno = errno;
            s->unreadable = mem_strdup(files->items[i]);
        }
        buf_done(&text);
    }
}

static enum err search_begin(struct search *s, const struct host_trust_request *request,
                             const char *host, uint16_t port, struct slice authority)
{
    *s = (struct search){0};
    enum err err = known_hosts_search_init(&s->found, request->crypto, host, port, request->key);
    s->found.is_other_wanted = true;
    s->found.authority = authority;
    if (err == OK) {
        files_search(s, request->user_files);
        s->is_by_user_file = s->found.result == KNOWN_HOSTS_MATCH;
        files_search(s, request->global_files);
        if (request->more_name)
            known_hosts_search_text(&s->found, request->more_name, request->more_text);
    }
    return err;
}

/*
 * The search for the host at its port and, where that knows nothing of the key, for the host
 * without one (as OpenSSH does); only a match or a revoked key counts of the latter.
 */
static enum err search_run(struct search *s, const struct host_trust_request *request,
                           struct slice authority)
{
    TRY(search_begin(s, request, request->host, request->port, authority));
    if (request->port == KNOWN_HOSTS_PORT || request->is_alias ||
        s->found.result != KNOWN_HOSTS_NEW || s->found.authority_place.file)
        return OK;
    struct search plain;
    enum err err = search_begin(&plain, request, request->host, KNOWN_HOSTS_PORT, authority);
    if (err == OK &&
        (plain.found.result >= KNOWN_HOSTS_MATCH || plain.found.authority_place.file)) {
        search_done(s);
        *s = plain;
    } else {
        search_done(&plain);
    }
    return err;
}

PRINTF_LIKE(2, 3)
static void say(struct buf *text, const char *format, ...)
{
    char line[2048];
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    CHECK(n >= 0);
    size_t length = MIN((size_t)n, sizeof(line) - 1);
    /* The cap is far above what the sentences below come to; a lost one would still be harmless. */
    if (buf_append(text, line, length) != OK)
        log_debug("a sentence about a host key was too long");
}

/* What the sentences are made of. */
struct words {
    char *name; /* host, or [host]:port; safe to print */
    char *address;
    char *fingerprint;
    char *picture; /* VisualHostKey; NULL: not wanted */
    char kind[32];
    unsigned bits;
};

static void words_done(struct words *w)
{
    mem_free(w->name);
    mem_free(w->address);
    mem_free(w->fingerprint);
    mem_free(w->picture);
}

static char *name_shown(const char *host, uint16_t port)
{
    char *name CLEANUP(mem_cleanup) = known_hosts_name(host, port);
    char shown[1100];
    return mem_strdup(log_escape(shown, sizeof(shown), slice_text(name)));
}

static char *picture_of(const struct host_trust_request *request, const struct words *w)
{
    uint8_t hash[DIGEST_MAX];
    enum digest_kind kind = request->is_md5 ? DIGEST_MD5 : DIGEST_SHA256;
    char *title CLEANUP(mem_cleanup) = mem_printf("%s %u", w->kind, w->bits);
    digest(request->crypto, kind, request->key, hash);
    return randomart(slice_of(hash, digest_len(kind)), title, request->is_md5 ? "MD5" : "SHA256");
}

static enum err words_init(struct words *w, const struct host_trust_request *request)
{
    struct pubkey *key;
    *w = (struct words){0};
    TRY(pubkey_parse(&key, request->crypto, request->key));
    (void)snprintf(w->kind, sizeof(w->kind), "%s", pubkey_short_name(key));
    w->bits = pubkey_bits(key);
    pubkey_free(key);
    w->name = name_shown(request->host, request->port);
    w->address = request->address ? name_shown(request->address, request->port)
                                  : mem_strdup("<no hostip for proxy command>");
    w->fingerprint = request->is_md5 ? fingerprint_md5(request->crypto, request->key)
                                     : fingerprint_sha256(request->crypto, request->key);
    if (request->shows_picture)
        w->picture = picture_of(request, w);
    return OK;
}

static void say_changed(struct buf *text, const struct words *w, const struct search *s)
{
    say(text,
        STARS "\n@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\n" STARS "\n"
              "Somebody may be between you and the server and listen, or the server's key was "
              "replaced.\nIts %s key now has the fingerprint\n%s.\n"
              "Ask whoever runs the server before you trust it.\n",
        w->kind, w->fingerprint);
    say(text, "Offending %s key in %s:%u\n", w->kind, s->found.place.file, s->found.place.line);
    say(text, "  remove with:\n  ssh-keygen -f \"%s\" -R \"%s\"\n", s->found.place.file,
        s->found.name);
    say(text, "Host key for %s has changed, and a changed key is never accepted.\n", w->name);
}

static void say_revoked(struct buf *text, const struct words *w, const struct search *s)
{
    say(text,
        STARS "\n@       WARNING: REVOKED HOST KEY DETECTED!               @\n" STARS "\n"
              "The %s host key for %s is marked as revoked in %s:%u.\n"
              "Whoever shows it may have stolen it.\n",
        w->kind, w->name, s->found.place.file, s->found.place.line);
}

static bool has_other_types(const struct search *s)
{
    return buf_len(&s->found.types) > 0;
}

static void say_question(struct buf *text, const struct words *w, const struct search *s)
{
    say(text, "The authenticity of host '%s (%s)' can't be established%s\n", w->name, w->address,
        has_other_types(s) ? "," : ".");
    if (has_other_types(s))
        say(text, "but keys of different type are already known for this host (%s:%u).\n",
            s->found.first_of_types.file, s->found.first_of_types.line);
    say(text, "%s key fingerprint is %s.\n", w->kind, w->fingerprint);
    if (w->picture)
        say(text, "%s\n", w->picture);
    if (s->found.other_count == 0)
        say(text, "This key is not known by any other names.\n");
    else
        say(text, "This host key is known by other names or addresses:\n");
    for (size_t i = 0; i < s->found.other_count; i++)
        say(text, "    %s:%u\n", s->found.others[i].file, s->found.others[i].line);
    say(text, "Are you sure you want to continue connecting (yes/no/[fingerprint])? ");
}

static void say_picture(struct buf *text, const struct words *w)
{
    if (w->picture)
        say(text, "Host key fingerprint is %s\n%s\n", w->fingerprint, w->picture);
}

/* The first user file, or NULL. */
static const char *file_to_write(const struct host_trust_request *request)
{
    bool is_none = is_no_file(request->user_files) || request->user_files->count == 0;
    return is_none ? NULL : request->user_files->items[0];
}

static void write_line(const struct host_trust_request *request, const struct words *w,
                       struct host_trust_answer *answer, struct buf *text)
{
    const char *path = file_to_write(request);
    char *line CLEANUP(mem_cleanup) = NULL;
    enum err err = known_hosts_line_format(&line, request->crypto,
                                           request->hash_known_hosts ? request->rng : NULL,
                                           request->host, request->port, request->key);
    answer->verdict = HOST_TRUST_ACCEPTED_UNWRITTEN;
    if (err != OK) {
        say(text, "The host's name cannot be written to a known_hosts file.");
        return;
    }
    if (!path) {
        say(text, "The key is not kept: UserKnownHostsFile names no file.");
        return;
    }
    err = host_trust_file_add(path, line);
    if (err == OK) {
        answer->verdict = HOST_TRUST_ADDED;
        say(text, "Warning: Permanently added '%s' (%s) to the list of known hosts.", w->name,
            w->kind);
    } else if (err == ERR_UNSUPPORTED) {
        say(text, "The key of '%s' (%s) is not kept: %s is no regular file.", w->name, w->kind,
            path);
    } else {
        say(text, "Failed to add the host to the list of known hosts (%s): %s", path,
            strerror(errno));
    }
}

static void write_address(const struct host_trust_request *request, const struct words *w,
                          struct buf *text)
{
    const char *path = file_to_write(request);
    char *line CLEANUP(mem_cleanup) = NULL;
    if (path &&
        known_hosts_line_format(&line, request->crypto,
                                request->hash_known_hosts ? request->rng : NULL, request->address,
                                request->port, request->key) == OK &&
        host_trust_file_add(path, line) == OK)
        say(text,
            "Warning: Permanently added the %s host key for IP address '%s' to the list of known "
            "hosts.\n",
            w->kind, w->address);
    else
        say(text, "Failed to add the %s host key for IP address '%s' to the list of known hosts.\n",
            w->kind, w->address);
}

static void say_unreadable(struct buf *text, const struct search *s)
{
    if (s->is_unreadable)
        say(text, "%s cannot be read: %s\n", s->unreadable, strerror(s->unreadable_errno));
    if (s->found.bad_lines)
        say(text, "%u damaged line%s of the known_hosts files %s passed over.\n",
            s->found.bad_lines, s->found.bad_lines == 1 ? "" : "s",
            s->found.bad_lines == 1 ? "was" : "were");
}

static void decide_new(const struct host_trust_request *request, const struct words *w,
                       const struct search *s, struct host_trust_answer *answer, struct buf *text)
{
    if (request->strict == STRICT_YES) {
        say_unreadable(text, s);
        say(text, "No %s host key is known for %s and you have requested strict checking.\n",
            w->kind, w->name);
    } else if (request->strict == STRICT_ASK) {
        say_unreadable(text, s);
        if (request->batch_mode) {
            say(text, "No %s host key is known for %s and nobody can be asked (BatchMode).\n",
                w->kind, w->name);
        } else {
            answer->verdict = HOST_TRUST_ASK;
            say_question(text, w, s);
        }
    } else if (s->is_unreadable) {
        say_unreadable(text, s);
        say(text, "A key is not accepted unasked while a known_hosts file cannot be read.\n");
    } else if (has_other_types(s)) {
        say(text,
            "The server shows an %s key; for %s keys of other types are known (%s:%u).\n"
            "It is not accepted unasked: its fingerprint is %s.\n"
            "To accept it, connect with StrictHostKeyChecking=ask, or remove the known keys.\n",
            w->kind, w->name, s->found.first_of_types.file, s->found.first_of_types.line,
            w->fingerprint);
    } else {
        write_line(request, w, answer, text);
    }
}

/* CheckHostIP: the name's key is known; is it the address's, too? An unknown address is noted. */
static void check_address(const struct host_trust_request *request, const struct words *w,
                          const struct search *s, struct host_trust_answer *answer,
                          struct buf *text)
{
    struct search at;
    if (!request->checks_address || !request->address ||
        strcmp(request->address, request->host) == 0)
        return;
    if (search_begin(&at, request, request->address, request->port, SLICE_NONE) == OK) {
        if (at.found.result == KNOWN_HOSTS_REVOKED) {
            answer->verdict = HOST_TRUST_REFUSED;
            say_revoked(text, w, &at);
        } else if (at.found.result == KNOWN_HOSTS_CHANGED) {
            say(text,
                "Warning: the %s host key for '%s' differs from the key for the IP address '%s'\n"
                "Offending key for IP in %s:%u\nMatching host key in %s:%u\n",
                w->kind, w->name, w->address, at.found.place.file, at.found.place.line,
                s->found.place.file, s->found.place.line);
            if (request->strict != STRICT_NO) {
                answer->verdict = HOST_TRUST_REFUSED;
                say(text, "CheckHostIP asks for both to be the same: remove the offending line, or "
                          "set CheckHostIP no.\n");
            }
        } else if (at.found.result == KNOWN_HOSTS_NEW) {
            write_address(request, w, text);
        }
    }
    search_done(&at);
}

static void decide(const struct host_trust_request *request, const struct words *w,
                   const struct search *s, struct host_trust_answer *answer, struct buf *text)
{
    switch (s->found.result) {
    case KNOWN_HOSTS_MATCH:
        answer->verdict = HOST_TRUST_VERIFIED;
        answer->is_by_user_file = s->is_by_user_file;
        check_address(request, w, s, answer, text);
        break;
    case KNOWN_HOSTS_CHANGED:
        say_changed(text, w, s);
        break;
    case KNOWN_HOSTS_REVOKED:
        say_revoked(text, w, s);
        break;
    case KNOWN_HOSTS_NEW:
        decide_new(request, w, s, answer, text);
        break;
    }
}

static void answer_take(struct host_trust_answer *answer, struct words *w, struct buf *text)
{
    struct slice said = buf_slice(text);
    if (answer->verdict == HOST_TRUST_VERIFIED && said.len && said.ptr[said.len - 1] == '\n')
        text->end--;
    answer->text = buf_len(text) ? buf_strdup(text) : NULL;
    answer->fingerprint = w->fingerprint;
    w->fingerprint = NULL;
}

/* What the agreed rules say of the key, whoever it belongs to. */
static bool is_fit(const struct host_trust_request *request, const struct words *w,
                   struct buf *text)
{
    if (strcmp(w->kind, "RSA") == 0 && w->bits < request->min_rsa_bits) {
        say(text, "Bad server host key: Invalid key length (%u bits, RequiredRSASize is %u)\n",
            w->bits, request->min_rsa_bits);
        return false;
    }
    return true;
}

/* ---- certificates ---- */

static bool is_signed_well(const struct host_trust_request *request, const struct cert *cert,
                           struct buf *text)
{
    const char *how = cert_info(cert)->algo->name;
    if (!request->ca_algorithms || namelist_contains(slice_text(request->ca_algorithms), how))
        return true;
    say(text, "the host certificate is signed by %s, which CASignatureAlgorithms does not have\n",
        how);
    return false;
}

/*
 * True: the certificate settles it, *answer is made. Otherwise the key inside is looked at as if it
 * had come without one, as OpenSSH does, and text tells why the certificate did not do.
 */
static bool decide_certificate(const struct host_trust_request *request, const struct words *w,
                               const struct shown *shown, struct search *s,
                               struct host_trust_answer *answer, struct buf *text)
{
    const char *why;
    struct cert_wish wish = {.kind = CERT_HOST,
                             .principal = request->host,
                             .now_s = request->now_s,
                             .may_lack_principals = true};
    if (s->found.result == KNOWN_HOSTS_REVOKED) {
        say_revoked(text, w, s);
        return true;
    }
    if (!s->found.authority_place.file || !is_signed_well(request, shown->cert, text))
        return false;
    if (cert_check(shown->cert, &wish, &why) != OK) {
        say(text, "Certificate invalid: %s\n", why);
        return false;
    }
    answer->verdict = HOST_TRUST_VERIFIED;
    s->found.place = s->found.authority_place;
    say_picture(text, w);
    return true;
}

/* ---- the whole ---- */

static void place_take(struct host_trust_answer *answer, const struct search *s)
{
    answer->place = s->found.place;
    if (s->found.place.file)
        answer->place.file = answer->place_file = mem_strdup(s->found.place.file);
}

static enum err judge(const struct host_trust_request *request, const struct shown *shown,
                      const struct words *w, struct host_trust_answer *answer, struct buf *text)
{
    struct search s = {0};
    enum err err = search_run(&s, request, shown->authority);
    if (err == OK && shown->cert && decide_certificate(request, w, shown, &s, answer, text)) {
        place_take(answer, &s);
        search_done(&s);
        return OK;
    }
    if (err == OK) {
        decide(request, w, &s, answer, text);
        if (answer->verdict == HOST_TRUST_VERIFIED)
            say_picture(text, w);
        place_take(answer, &s);
    }
    search_done(&s);
    return err;
}

void host_trust_check(const struct host_trust_request *request, struct host_trust_answer *answer)
{
    struct host_trust_request plain = *request;
    struct shown shown;
    struct words w = {0};
    struct buf text;
    char *why CLEANUP(mem_cleanup) = NULL;
    *answer = (struct host_trust_answer){.verdict = HOST_TRUST_REFUSED};
    buf_init(&text, TEXT_MAX);
    enum err err = shown_init(&shown, request->crypto, request->key);
    plain.key = shown.plain;
    if (err == OK)
        err = words_init(&w, &plain);
    if (err == OK && host_trust_is_revoked(request->crypto, request->revoked_files, request->key,
                                           w.fingerprint, &why))
        say(&text, "%s\n", why);
    else if (err == OK && is_fit(&plain, &w, &text))
        err = judge(&plain, &shown, &w, answer, &text);
    if (err != OK)
        say(&text, "The server's host key cannot be used (%s).\n", err_name(err));
    answer_take(answer, &w, &text);
    words_done(&w);
    shown_done(&shown);
    buf_done(&text);
}

void host_trust_accept(const struct host_trust_request *request, struct host_trust_answer *answer)
{
    struct host_trust_request plain = *request;
    struct shown shown;
    struct words w = {0};
    struct buf text;
    *answer = (struct host_trust_answer){.verdict = HOST_TRUST_REFUSED};
    buf_init(&text, TEXT_MAX);
    enum err err = shown_init(&shown, request->crypto, request->key);
    plain.key = shown.plain;
    if (err == OK && words_init(&w, &plain) == OK)
        write_line(&plain, &w, answer, &text);
    /* Who said yes has vouched for the key. */
    answer->is_by_user_file = answer->verdict == HOST_TRUST_ADDED;
    answer_take(answer, &w, &text);
    words_done(&w);
    shown_done(&shown);
    buf_done(&text);
}

void host_trust_answer_done(struct host_trust_answer *answer)
{
    mem_free(answer->text);
    mem_free(answer->fingerprint);
    mem_free(answer->place_file);
    *answer = (struct host_trust_answer){0};
}

enum rank { RANK_CERTIFICATE, RANK_KNOWN, RANK_OTHER };

/* Appends the algorithms of one rank, in their order. */
static void names_pick(struct buf *out, const char *algorithms, const struct search *s,
                       enum rank wanted)
{
    const char *at = algorithms;
    while (*at) {
        size_t length = strcspn(at, ",");
        struct slice name = slice_of(at, length);
        const struct algo_sign *algo = cert_algo_sign(name);
        bool is_first = algo && s->found.has_authorities;
        algo = algo ? algo : algo_sign_find(name);
        bool is_known = algo && known_hosts_search_has_type(&s->found, slice_text(algo->key_type));
        enum rank rank = is_first ? RANK_CERTIFICATE : is_known ? RANK_KNOWN : RANK_OTHER;
        if (rank == wanted && length)
            say(out, "%s%.*s", buf_len(out) ? "," : "", (int)length, at);
        at += length;
        at += *at == ',' ? 1 : 0;
    }
}

char *host_trust_order_algorithms(const struct host_trust_request *request, const char *algorithms)
{
    struct host_trust_request question = *request;
    struct search s;
    struct buf out;
    question.key = SLICE_NONE;
    buf_init(&out, TEXT_MAX);
    enum err err = search_begin(&s, &question, request->host, request->port, SLICE_NONE);
    if (err == OK && !has_other_types(&s) && !s.found.has_authorities &&
        request->port != KNOWN_HOSTS_PORT && !request->is_alias) {
        search_done(&s);
        err = search_begin(&s, &question, request->host, KNOWN_HOSTS_PORT, SLICE_NONE);
    }
    if (err == OK) {
        names_pick(&out, algorithms, &s, RANK_CERTIFICATE);
        names_pick(&out, algorithms, &s, RANK_KNOWN);
        names_pick(&out, algorithms, &s, RANK_OTHER);
    }
    char *list = err == OK ? buf_strdup(&out) : mem_strdup(algorithms);
    search_done(&s);
    buf_done(&out);
    return list;
}
