/* From options to host_trust, and the question to a person. */
#include "client/trust.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "client/expand_client.h"
#include "client/host_trust.h"
#include "client/prompt.h"
#include "crypto/cert.h"

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
        host_trust_accept(q, answer);
        return;
    }
    if (err == ERR_NOT_FOUND)
        log_error("the host key is not known, and there is no terminal to ask at: connect once by "
                  "hand, or put the key into known_hosts, or use StrictHostKeyChecking=accept-new");
    answer->verdict = HOST_TRUST_REFUSED;
}

bool trust_server_key(const struct trust_request *request, struct slice blob)
{
    struct trust_files files;
    struct host_trust_answer answer;
    files_init(&files, request->options);
    struct host_trust_request q = question(request->options, &files);
    q.crypto = request->crypto;
    q.rng = request->rng;
    q.address = request->address;
    q.key = blob;
    host_trust_check(&q, &answer);
    log_debug("Server host key: %s", answer.fingerprint ? answer.fingerprint : "?");
    if (answer.verdict == HOST_TRUST_ASK)
        ask(&q, &answer);
    bool trusted = answer.verdict == HOST_TRUST_VERIFIED || answer.verdict == HOST_TRUST_ADDED ||
                   answer.verdict == HOST_TRUST_ACCEPTED_UNWRITTEN;
    if (answer.verdict != HOST_TRUST_VERIFIED && answer.text)
        tell(trusted ? LOG_INFO : LOG_ERROR, answer.text);
    host_trust_answer_done(&answer);
    files_done(&files);
    return trusted;
}

/* No certificate of a host is judged here yet, so none is asked for. */
static char *without_certificates(const char *algorithms)
{
    char *plain = mem_strdup("");
    for (const char *at = algorithms; *at; at += *at == ',') {
        size_t length = strcspn(at, ",");
        struct slice name = slice_of(at, length);
        if (!cert_algo_sign(name) && !cert_is_type(name)) {
            char *longer = mem_printf("%s%s%.*s", plain, *plain ? "," : "", (int)length, at);
            mem_free(plain);
            plain = longer;
        }
        at += length;
    }
    return plain;
}

char *trust_order_algorithms(const struct crypto *c, const struct client_options *o,
                             const char *algorithms)
{
    struct trust_files files;
    char *plain CLEANUP(mem_cleanup) = without_certificates(algorithms);
    files_init(&files, o);
    struct host_trust_request q = question(o, &files);
    q.crypto = c;
    /* A list that the user wrote is used as it is written. */
    char *ordered = client_options_is_given(o, "HostKeyAlgorithms")
                        ? mem_strdup(plain)
                        : host_trust_order_algorithms(&q, plain);
    files_done(&files);
    return ordered;
}
