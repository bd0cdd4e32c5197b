/*
 * adit: OpenSSH's command line in, one exit status out. Reads the configuration, answers -V -Q -G,
 * goes to the background for -f before any loop exists, and runs the client.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/algo_names.h"
#include "base/log.h"
#include "client/args.h"
#include "client/expand_client.h"
#include "client/file.h"
#include "client/run.h"
#include "client/world.h"

#define SYSTEM_CONFIG "/etc/ssh/ssh_config"

static int fail(const char *text)
{
    log_error("adit: %s", text);
    return EXIT_FAILED;
}

/* ---- -Q ---- */

static int query(const char *what)
{
    static const struct {
        const char *name;
        enum algo_kind kind;
    } kinds[] = {
        {"kex", ALGO_NAMES_KEX},
        {"KexAlgorithms", ALGO_NAMES_KEX},
        {"cipher", ALGO_NAMES_CIPHER},
        {"Ciphers", ALGO_NAMES_CIPHER},
        {"mac", ALGO_NAMES_MAC},
        {"MACs", ALGO_NAMES_MAC},
        {"key-sig", ALGO_NAMES_HOST_KEY},
        {"sig", ALGO_NAMES_HOST_KEY},
        {"HostKeyAlgorithms", ALGO_NAMES_HOST_KEY},
        {"PubkeyAcceptedAlgorithms", ALGO_NAMES_HOST_KEY},
        {"compression", ALGO_NAMES_COMPRESSION},
    };
    static const char *const plain_keys[] = {"ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256",
                                             "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].name, what) != 0)
            continue;
        const char *name;
        for (size_t k = 0; (name = algo_names_built(kinds[i].kind, k)); k++)
            puts(name);
        return EXIT_SUCCESS;
    }
    if (strcmp(what, "key") == 0 || strcmp(what, "key-plain") == 0) {
        for (size_t i = 0; i < ARRAY_LEN(plain_keys); i++)
            puts(plain_keys[i]);
        return EXIT_SUCCESS;
    }
    if (strcmp(what, "cipher-auth") == 0) {
        puts("chacha20-poly1305@openssh.com\naes128-gcm@openssh.com\naes256-gcm@openssh.com");
        return EXIT_SUCCESS;
    }
    return fail("unsupported query: try kex, cipher, cipher-auth, mac, key, sig or compression");
}

/* ---- configuration ---- */

static void print_report(const struct report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct report_entry *entry = &report->entries[i];
        CLEANUP(mem_cleanup) char *line = report_entry_format(entry);
        if (entry->severity == REPORT_NOTE)
            log_verbose("%s", line);
        else
            log_error("%s", line);
    }
}

static const char *home_of(const struct passwd *pw)
{
    const char *home = getenv("HOME");
    if (home && *home)
        return home;
    return pw ? pw->pw_dir : NULL;
}

/* The words as the server would get them; NULL: none. The caller owns it. */
static char *join(char *const *words)
{
    char *text = words ? mem_strdup(words[0]) : NULL;
    for (size_t i = 1; words && words[i]; i++) {
        CLEANUP(mem_cleanup) char *before = text;
        text = mem_printf("%s %s", before, words[i]);
    }
    return text;
}

static enum err load(struct client_options *o, const struct args *a,
                     const struct client_facts *facts, struct report *report)
{
    const char *home = facts->home;
    struct file_source source;
    file_source_init(&source, a->config_file ? NULL : home);
    CLEANUP(mem_cleanup)
    char *usual = home ? mem_printf("%s/.ssh/config", home) : NULL;
    CLEANUP(mem_cleanup) char *command = join(a->command);
    bool no_file = a->config_file && strcmp(a->config_file, "none") == 0;
    struct client_config_request request = {
        .host = a->host ? a->host : "",
        .local_user = facts->local_user,
        .home = home,
        .user_file = no_file          ? NULL
                     : a->config_file ? a->config_file
                                      : usual,
        .system_file = a->config_file ? NULL : SYSTEM_CONFIG,
        .must_exist = a->config_file && !no_file,
        .source = &source.source,
        .command = command,
        .world = &client_world,
        .facts = facts,
    };
    return client_options_load(o, &request, report);
}

static void set_log_level(const struct args *a, const struct client_options *o)
{
    enum log_level level = o ? o->log_level : LOG_INFO;
    if (!o && (a->verbose || a->quiet))
        level = a->quiet ? LOG_QUIET : (enum log_level)(LOG_DEBUG1 + a->verbose - 1);
    log_set_level(level);
}

static int print_options(const struct client_options *o)
{
    struct buf out;
    buf_init(&out, 1024 * 1024);
    if (client_options_print(o, &out) != OK)
        return fail("the configuration is too large to print");
    struct slice text = buf_slice(&out);
    fwrite(text.ptr, 1, text.len, stdout);
    buf_done(&out);
    return EXIT_SUCCESS;
}

/* ---- main ---- */

static int open_log(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) {
        fprintf(stderr, "adit: log file %s: %s\n", path, strerror(errno));
        return EXIT_FAILED;
    }
    log_set_fd(fd);
    return EXIT_SUCCESS;
}

static int run_with(const struct args *a, struct client_options *o,
                    const struct client_facts *facts, struct report *report)
{
    enum err err = load(o, a, facts, report);
    set_log_level(a, err == OK ? o : NULL);
    print_report(report);
    if (err != OK)
        return EXIT_FAILED;
    if (a->print_config)
        return print_options(o);
    return run_adit(a, o, facts);
}

static int run(const struct args *a, struct client_options *o, struct report *report)
{
    if (!a->host && !a->print_config) {
        fputs(args_usage, stderr);
        return EXIT_FAILED;
    }
    const struct passwd *pw = getpwuid(getuid());
    struct client_facts *facts = client_facts_new(pw ? pw->pw_name : "unknown", home_of(pw));
    int status = run_with(a, o, facts, report);
    client_facts_free(facts);
    return status;
}

/* Descriptors 0 to 2 exist from here on: what is opened later must not become one of them. */
static void open_standard_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= 2);
    if (fd > 2)
        close(fd);
}

int main(int argc, char **argv)
{
    struct args args;
    struct client_options options;
    struct report report;
    char *fault = NULL;
    int status;
    open_standard_descriptors();
    client_options_init(&options);
    report_init(&report);
    enum err err = args_parse(&args, &options, &report, argc, argv, &fault);
    if (args.log_file && open_log(args.log_file) != EXIT_SUCCESS)
        return EXIT_FAILED;
    if (err != OK) {
        status = fail(fault ? fault : "bad command line");
        if (!fault)
            fputs(args_usage, stderr);
    } else if (args.show_version) {
        fputs("adit " ADIT_VERSION "\n", stderr);
        status = EXIT_SUCCESS;
    } else if (args.query) {
        status = query(args.query);
    } else {
        status = run(&args, &options, &report);
    }
    mem_free(fault);
    args_done(&args);
    client_options_done(&options);
    report_done(&report);
    return status;
}
