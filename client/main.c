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

#include "base/log.h"
#include "client/args.h"
#include "client/expand_client.h"
#include "client/explain.h"
#include "client/file.h"
#include "client/query.h"
#include "client/run.h"
#include "client/system_log.h"
#include "client/world.h"

#define SYSTEM_CONFIG "/etc/ssh/ssh_config"
#define PRINT_MAX     (1u << 20)

static int fail(const char *text)
{
    log_error("adit: %s", text);
    return EXIT_FAILED;
}

/* What was asked for, to stdout; *out is done with. */
static int print(struct buf *out, enum err err)
{
    struct slice text = buf_slice(out);
    if (err == OK)
        fwrite(text.ptr, 1, text.len, stdout);
    buf_done(out);
    return err == OK ? EXIT_SUCCESS : fail("there is too much to print");
}

static int query(const char *what)
{
    struct buf out;
    buf_init(&out, PRINT_MAX);
    enum err err = query_answer(what, &out);
    if (err != ERR_NOT_FOUND)
        return print(&out, err);
    log_error("Unsupported query \"%s\"", ESCAPED(slice_text(what)));
    buf_done(&out);
    return EXIT_FAILED;
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
    /* Without a destination there is no block to explain. */
    bool no_file = (a->config_file && strcmp(a->config_file, "none") == 0) ||
                   (a->explain && !a->host && !a->config_file);
    struct client_config_request request = {
        .host = a->host ? a->host : "",
        .local_user = facts->local_user,
        .home = home,
        .user_file = no_file          ? NULL
                     : a->config_file ? a->config_file
                                      : usual,
        .system_file = a->config_file || no_file ? NULL : SYSTEM_CONFIG,
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

/* What was probably not meant, before anything is bound. */
static void tell_hints(const struct client_options *o)
{
    struct string_list hints;
    string_list_init(&hints);
    explain_hints(o, &hints);
    for (size_t i = 0; i < hints.count; i++)
        log_info("%s", hints.items[i]);
    string_list_done(&hints);
}

static int run_with(const struct args *a, struct client_options *o,
                    const struct client_facts *facts, struct report *report)
{
    enum err err = load(o, a, facts, report);
    set_log_level(a, err == OK ? o : NULL);
    if (a->log_system && err == OK)
        (void)system_log_open("adit", o->syslog_facility);
    print_report(report);
    if (err != OK)
        return EXIT_FAILED;
    struct buf out;
    buf_init(&out, PRINT_MAX);
    if (a->print_config)
        return print(&out, client_options_print(o, &out));
    if (a->explain)
        return print(&out, explain_options(a, o, &out));
    buf_done(&out);
    if (!a->mux_command)
        tell_hints(o);
    return run_adit(a, o, facts);
}

static int run(const struct args *a, struct client_options *o, struct report *report)
{
    if (!a->host && !a->print_config && !a->explain) {
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
