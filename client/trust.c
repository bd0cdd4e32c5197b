/* From options to host_trust, and the question to a person. */
#include "client/trust.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "client/expand_client.h"
#include "client/host_trust.h"
#include "client/known_hosts_command.h"
#include "client/prompt.h"
#include "crypto/cert.h"
#include "io/loop.h"
#include "wire/reader.h"

#define COMMAND_TEXT_MAX (4u << 20) /* of KnownHostsCommand */

void trust_expand_paths(const struct client_options *o, const struct client_facts *facts,
                        const struct string_list *paths, struct string_list *out)
{
    for (size_t i = 0; i < paths->count; i++) {
        const char *given = paths->items[i];
        if (strcmp(given, "none") == 0)
            continue;
        char *path CLEANUP(mem_cleanup) =
            expand_client(facts, o, given, CLIENT_EXPAND_PATH, given, NULL, 0);
        if (path)
            string_list_add(out, path);
    }
}

/* Expanded already. */
static void copy_paths(const struct string_list *paths, struct string_list *out)
{
    for (size_t i = 0; i < paths->count; i++) {
        if (strcmp(paths->items[i], "none") != 0)
            string_list_add(out, paths->items[i]);
    }
}

struct trust_files {
    struct string_list user, global;
};

static void files_init(struct trust_files *f, const struct client_options *o)
{
    string_list_init(&f->user);
    string_list_init(&f->global);
    copy_paths(&o->user_known_hosts_files, &f->user);
    copy_paths(&o->global_known_hosts_files, &f->global);
}

static void files_done(struct trust_files *f)
{
    string_list_done(&f->user);
    string_list_done(&f->global);
}

static struct host_trust_request question(const struct client_options *o,
                                          const struct trust_files *files)
{
    return (struct host_trust_request){
        .host = o->host_key_alias ? o->host_key_alias : o->host_name,
        .port = o->host_key_alias ? KNOWN_HOSTS_PORT : o->port,
        .is_alias = o->host_key_alias != NULL,
        .strict = o->strict_host_key,
        .user_files = &files->user,
        .global_files = &files->global,
        .hash_known_hosts = o->hash_known_hosts,
        .batch_mode = o->batch_mode,
        .revoked_files = &o->revoked_host_keys,
        .ca_algorithms = o->ca_signature_algorithms,
        .min_rsa_bits = (unsigned)MAX(o->required_rsa_size, 0),
        .is_md5 = o->fingerprint_hash == FINGERPRINT_MD5,
        .shows_picture = o->visual_host_key,
    };
}

/* The lines of an answer, one log line each. */
static void tell(enum log_level level, const char *text)
{
    while (text && *text) {
        size_t n = strcspn(text, "\n");
        log_write(level, "%.*s", (int)n, text);
        text += n + (text[n] == '\n');
    }
}

static void ask(const struct host_trust_request *q, struct host_trust_answer *answer)
{
    struct prompt_config config = prompt_config_from_environment(q->batch_mode);
    enum err err = prompt_ask_trust(&config, answer->text, answer->fingerprint);
    if (err == OK) {
        host_trust_answer_done(answer);
        host_trust_accept(q, answer);
        return;
    }
    if (err == ERR_NOT_FOUND)
        log_error("the host key is not known, and there is no terminal to ask at: connect once by "
                  "hand, or put the key into known_hosts, or use StrictHostKeyChecking=accept-new");
    answer->verdict = HOST_TRUST_REFUSED;
}

/* ---- KnownHostsCommand ---- */

/* Runs it, if there is one; its text goes behind what is in *text. */
static enum err ask_command(const struct trust_request *r, const char *invocation, const char *host,
                            uint16_t port, struct slice key, struct buf *text)
{
    char *name CLEANUP(mem_cleanup) = known_hosts_name(host, port);
    struct known_hosts_command command = {.crypto = r->crypto,
                                          .options = r->options,
                                          .facts = r->facts,
                                          .invocation = invocation,
                                          .name = name,
                                          .key = key};
    if (!r->options->known_hosts_command)
        return OK;
    TRY(known_hosts_command_run(&command, text));
    return buf_append(text, "\n", 1);
}

static enum err ask_commands(const struct trust_request *r, struct host_trust_request *q,
                             struct buf *text)
{
    TRY(ask_command(r, "HOSTNAME", q->host, q->port, q->key, text));
    if (q->checks_address)
        TRY(ask_command(r, "ADDRESS", q->address, q->port, q->key, text));
    if (r->options->known_hosts_command) {
        q->more_name = "KnownHostsCommand";
        q->more_text = buf_slice(text);
    }
    return OK;
}

/* ---- the verdict ---- */

static bool is_local(const char *address)
{
    return address && (strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0);
}

static void tell_shown(const struct trust_request *r, struct slice blob)
{
    struct cert *cert;
    struct reader reader;
    bool is_md5 = r->options->fingerprint_hash == FINGERPRINT_MD5;
    reader_init(&reader, blob);
    struct slice type = reader_string(&reader);
    bool is_cert = cert_is_type(type) && cert_parse(&cert, r->crypto, blob) == OK;
    struct slice plain = is_cert ? pubkey_blob(cert_info(cert)->key) : blob;
    char *print CLEANUP(mem_cleanup) =
        is_md5 ? fingerprint_md5(r->crypto, plain) : fingerprint_sha256(r->crypto, plain);
    if (!is_cert) {
        log_debug("Server host key: %s %s", ESCAPED(type), print);
        return;
    }
    const struct cert_info *info = cert_info(cert);
    char *authority CLEANUP(mem_cleanup) =
        fingerprint_sha256(r->crypto, pubkey_blob(info->authority));
    log_debug("Server host certificate: %s %s, serial %llu ID \"%s\" CA %s %s", ESCAPED(type),
              print, (unsigned long long)info->serial, ESCAPED(info->key_id),
              pubkey_type_name(info->authority), authority);
    cert_free(cert);
}

static bool is_trusted(const struct host_trust_answer *answer)
{
    return answer->verdict == HOST_TRUST_VERIFIED || answer->verdict == HOST_TRUST_ADDED ||
           answer->verdict == HOST_TRUST_ACCEPTED_UNWRITTEN;
}

static void judge(const struct host_trust_request *q, struct trust_verdict *verdict)
{
    struct host_trust_answer answer;
    host_trust_check(q, &answer);
    if (answer.verdict == HOST_TRUST_ASK)
        ask(q, &answer);
    verdict->is_trusted = is_trusted(&answer);
    verdict->may_learn = verdict->is_trusted && answer.is_by_user_file;
    if (answer.verdict == HOST_TRUST_VERIFIED && answer.place.file)
        log_debug("Found key in %s:%u", answer.place.file, answer.place.line);
    if (answer.text)
        tell(verdict->is_trusted ? LOG_INFO : LOG_ERROR, answer.text);
    host_trust_answer_done(&answer);
}

void trust_server_key(const struct trust_request *request, struct slice blob,
                      struct trust_verdict *verdict)
{
    const struct client_options *o = request->options;
    struct trust_files files;
    struct buf text;
    *verdict = (struct trust_verdict){0};
    tell_shown(request, blob);
    if (o->no_host_authentication_for_localhost && is_local(request->address) &&
        !o->host_key_alias) {
        log_debug("Forcing accepting of host key for loopback/localhost.");
        verdict->is_trusted = true;
        return;
    }
    if (o->verify_host_key_dns != ANSWER_NO)
        log_verbose("VerifyHostKeyDNS: adit looks up no SSHFP records; known_hosts alone decides");
    files_init(&files, o);
    buf_init(&text, COMMAND_TEXT_MAX);
    struct host_trust_request q = question(o, &files);
    q.crypto = request->crypto;
    q.rng = request->rng;
    q.address = request->address;
    q.key = blob;
    q.now_s = loop_wall_clock_s();
    q.checks_address = o->check_host_ip && request->address && !is_local(request->address) &&
                       !q.is_alias && strcmp(request->address, q.host) != 0;
    if (ask_commands(request, &q, &text) == OK)
        judge(&q, verdict);
    buf_done(&text);
    files_done(&files);
}

char *trust_order_algorithms(const struct trust_request *request, const char *algorithms)
{
    const struct client_options *o = request->options;
    struct trust_files files;
    struct buf text;
    /* A list that the user wrote is used as it is written. */
    if (client_options_is_given(o, "HostKeyAlgorithms"))
        return mem_strdup(algorithms);
    files_init(&files, o);
    buf_init(&text, COMMAND_TEXT_MAX);
    struct host_trust_request q = question(o, &files);
    q.crypto = request->crypto;
    /* Only an order: whether the command fails is judged where its word counts. */
    if (ask_command(request, "ORDER", q.host, q.port, SLICE_NONE, &text) == OK &&
        o->known_hosts_command) {
        q.more_name = "KnownHostsCommand";
        q.more_text = buf_slice(&text);
    }
    char *ordered = host_trust_order_algorithms(&q, algorithms);
    buf_done(&text);
    files_done(&files);
    return ordered;
}
