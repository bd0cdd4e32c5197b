/*
 * aditd: the command line of the server, and what comes before its loop: reading the
 * configuration, -t and -T, --init, becoming a daemon. Everything after is supervisor.c's.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/config_text.h"
#include "server/role_log.h"
#include "server/sign_options.h"
#include "server/supervisor.h"

#define STATUS_CONFIG 255
#define OWN_CONFIG    "/etc/adit/sshd_config"
#define SHARED_CONFIG "/etc/ssh/sshd_config"

enum task { TASK_SERVE, TASK_TEST, TASK_PRINT, TASK_INIT };

struct command_line {
    enum task task;
    char *file; /* absolute where it could be; NULL: the default */
    const char *log_file, *connection_spec;
    bool is_foreground, to_stderr, is_inetd, is_quiet;
    unsigned debug;
    struct string_list assignments, ports;
    struct service service;
};

static const char usage[] =
    "usage: aditd [-46DdeiqtTV] [-C connection_spec] [-E log_file] [-f config_file]\n"
    "             [-g login_grace_time] [-h host_key_file] [-o option] [-p port]\n"
    "       aditd --init [-f config_file] [-h host_key_file]   makes missing host keys\n";

/* ---- the command line ---- */

static void assign(struct command_line *c, const char *keyword, const char *value)
{
    char *text CLEANUP(mem_cleanup) = mem_printf("%s=%s", keyword, value);
    string_list_add(&c->assignments, text);
}

static const struct {
    int letter;
    const char *keyword;
    const char *value; /* NULL: the letter's argument */
} shorthands[] = {
    {'4', "AddressFamily", "inet"}, {'6', "AddressFamily", "inet6"}, {'p', "Port", NULL},
    {'h', "HostKey", NULL},         {'g', "LoginGraceTime", NULL},
};

static bool take_shorthand(struct command_line *c, int letter, const char *argument)
{
    for (size_t i = 0; i < ARRAY_LEN(shorthands); i++) {
        if (shorthands[i].letter == letter) {
            assign(c, shorthands[i].keyword, shorthands[i].value ? shorthands[i].value : argument);
            return true;
        }
    }
    return false;
}

/* False: not an option of ours. */
static bool take_option(struct command_line *c, int letter, const char *argument)
{
    char real[PATH_MAX];
    switch (letter) {
    case 'p': /* checked as an assignment */
        string_list_add(&c->ports, argument);
        return take_shorthand(c, letter, argument);
    case 'C':
        c->connection_spec = argument;
        return true;
    case 'D':
        c->is_foreground = true;
        return true;
    case 'd':
        c->debug++;
        return true;
    case 'E':
        c->log_file = argument;
        return true;
    case 'e':
        c->to_stderr = true;
        return true;
    case 'f':
        mem_free(c->file);
        c->file = mem_strdup(realpath(argument, real) ? real : argument);
        return true;
    case 'i':
        c->is_inetd = true;
        return true;
    case 'I':
        c->task = TASK_INIT;
        return true;
    case 'o':
        string_list_add(&c->assignments, argument);
        return true;
    case 'q':
        c->is_quiet = true;
        return true;
    case 'r': /* sshd's "do not re-exec" */
        return true;
    case 'T':
        c->task = TASK_PRINT;
        return true;
    case 't':
        c->task = TASK_TEST;
        return true;
    default:
        return take_shorthand(c, letter, argument);
    }
}

/* The first value of a keyword wins: -d and -q go in front of everything. */
static void put_level_first(struct command_line *c)
{
    static const char *const levels[] = {"DEBUG1", "DEBUG2", "DEBUG3"};
    struct string_list all;
    const char *level = c->is_quiet ? "QUIET" : NULL;
    if (c->debug)
        level = levels[MIN(c->debug, (unsigned)ARRAY_LEN(levels)) - 1];
    if (!level)
        return;
    char *text CLEANUP(mem_cleanup) = mem_printf("LogLevel=%s", level);
    string_list_init(&all);
    string_list_add(&all, text);
    for (size_t i = 0; i < c->assignments.count; i++)
        string_list_add(&all, c->assignments.items[i]);
    string_list_done(&c->assignments);
    c->assignments = all;
}

static enum err read_command_line(int argc, char **argv, struct command_line *c)
{
    static const struct option long_options[] = {{"init", no_argument, NULL, 'I'},
                                                 {NULL, 0, NULL, 0}};
    int letter;
    while ((letter = getopt_long(argc, argv, "46C:DdE:ef:g:h:io:p:qrTtV", long_options, NULL)) !=
           -1) {
        if (letter == 'V') {
            fprintf(stderr, "aditd_%s\n", ADIT_VERSION);
            exit(0);
        }
        if (letter == '?' || !take_option(c, letter, optarg)) {
            fputs(usage, stderr);
            return ERR_CONFIG;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "Extra argument %s.\n%s", argv[optind], usage);
        return ERR_CONFIG;
    }
    put_level_first(c);
    if (!c->file)
        c->file = mem_strdup(access(OWN_CONFIG, F_OK) == 0 ? OWN_CONFIG : SHARED_CONFIG);
    if (c->debug) {
        c->is_foreground = true;
        c->to_stderr = c->to_stderr || !c->log_file;
    }
    return OK;
}

/* ---- -T -C ---- */

struct spec_facts {
    char *room; /* holds the values */
    struct connection_facts facts;
    struct string_list groups;
};

static bool set_fact(struct connection_facts *f, const char *name, const char *value)
{
    const struct {
        const char *name;
        const char **field;
    } names[] = {{"user", &f->user},
                 {"host", &f->host},
                 {"addr", &f->address},
                 {"laddr", &f->local_address},
                 {"rdomain", &f->rdomain}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(name, names[i].name) == 0) {
            *names[i].field = value;
            return true;
        }
    }
    if (strcmp(name, "lport") == 0) {
        char *end;
        unsigned long port = strtoul(value, &end, 10);
        f->local_port = (uint16_t)port;
        return *value && *end == '\0' && port > 0 && port <= UINT16_MAX;
    }
    if (strcmp(name, "invalid-user") != 0)
        return false;
    f->is_invalid_user = true;
    return true;
}

/* "user=u,addr=a,...". */
static enum err parse_spec(const char *text, struct spec_facts *s)
{
    s->room = mem_strdup(text);
    char *rest = s->room;
    while (rest && *rest) {
        char *name = strsep(&rest, ",");
        char *value = strchr(name, '=');
        if (value)
            *value++ = '\0';
        if (!set_fact(&s->facts, name, value ? value : "")) {
            log_fatal("Invalid test mode specification %s", name);
            return ERR_CONFIG;
        }
    }
    if (s->facts.user && config_text_groups(s->facts.user, &s->groups))
        s->facts.groups = &s->groups;
    return OK;
}

static int print_options(const struct command_line *c, const struct sshd_config *config)
{
    struct spec_facts spec = {.room = NULL};
    struct server_options options;
    struct report report;
    struct buf text;
    report_init(&report);
    server_options_init(&options);
    buf_init(&text, CONFIG_FILE_MAX);
    enum err err = c->connection_spec ? parse_spec(c->connection_spec, &spec) : OK;
    if (err == OK)
        err =
            sshd_config_resolve(config, c->connection_spec ? &spec.facts : NULL, &options, &report);
    config_text_log_report(&report);
    if (err == OK)
        err = server_options_print(&options, &text);
    if (err == OK && fwrite(buf_slice(&text).ptr, 1, buf_len(&text), stdout) != buf_len(&text))
        err = ERR_IO;
    buf_done(&text);
    server_options_done(&options);
    report_done(&report);
    string_list_done(&spec.groups);
    mem_free(spec.room);
    return err == OK ? 0 : STATUS_CONFIG;
}

/* ---- host keys ---- */

/* Where a plain user's keys go: beside the configuration file. */
static void keys_beside(const char *file, struct string_list *paths)
{
    static const char *const names[] = {"ssh_host_rsa_key", "ssh_host_ecdsa_key",
                                        "ssh_host_ed25519_key"};
    const char *slash = strrchr(file, '/');
    char *folder CLEANUP(mem_cleanup) =
        slash ? mem_strndup(file, (size_t)(slash - file)) : mem_strdup(".");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char *path CLEANUP(mem_cleanup) = mem_printf("%s/%s", folder, names[i]);
        string_list_add(paths, path);
    }
}

/* Runs aditd-sign in a mode of its own ("-t", "-m") over the paths. */
static int run_sign(const struct programs *programs, const char *mode, bool is_default,
                    const struct server_options *options, const struct string_list *paths)
{
    const char **arguments = mem_new(paths->count + 6 + SIGN_OPTIONS_MAX, sizeof(char *));
    size_t n = 0;
    arguments[n++] = program_name(PROGRAM_SIGN);
    arguments[n++] = "-l";
    arguments[n++] = log_get_level() >= LOG_INFO ? "INFO" : "QUIET";
    arguments[n++] = mode;
    if (is_default)
        arguments[n++] = "-q";
    n += sign_options(options, arguments + n);
    for (size_t i = 0; i < paths->count; i++)
        arguments[n++] = paths->items[i];
    arguments[n] = NULL;
    fflush(stdout);
    int status = programs_run(programs, PROGRAM_SIGN, (char *const *)(uintptr_t)arguments);
    mem_free(arguments);
    return status;
}

static int make_keys(const struct command_line *c, const struct programs *programs,
                     const struct server_options *options)
{
    struct string_list paths;
    bool is_configured = option_is_given(&options->state, "HostKey");
    string_list_init(&paths);
    if (is_configured || geteuid() == 0)
        string_list_copy(&paths, &options->host_keys);
    else
        keys_beside(c->file, &paths);
    int status = run_sign(programs, "-m", false, options, &paths);
    if (status == 0 && !is_configured && geteuid() != 0) {
        printf("name them in %s:\n", c->file);
        for (size_t i = 0; i < paths.count; i++)
            printf("HostKey %s\n", paths.items[i]);
    }
    string_list_done(&paths);
    return status == 0 ? 0 : STATUS_CONFIG;
}

static int test_keys(const struct programs *programs, const struct server_options *options)
{
    bool is_default = !option_is_given(&options->state, "HostKey");
    if (run_sign(programs, "-t", is_default, options, &options->host_keys) == 0)
        return 0;
    log_fatal("sshd: no hostkeys available -- exiting.");
    return 1;
}

/* ---- becoming a daemon ---- */

/* The parent waits until the child listens, and ends with its status. */
static NORETURN void wait_for(pid_t child, int ready_fd)
{
    char byte;
    ssize_t n;
    int status;
    do {
        n = read(ready_fd, &byte, 1);
    } while (n < 0 && errno == EINTR);
    if (n == 1)
        _exit(0);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static void null_descriptor(int fd)
{
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd >= 0 && null_fd != fd) {
        (void)dup2(null_fd, fd);
        close(null_fd);
    }
}

/* Returns in the child alone. *ready_fd is to be written to once it listens. */
static enum err daemonise(bool keeps_stderr, int *ready_fd, int *terminal_fd)
{
    int pipe_fds[2];
    if (pipe2(pipe_fds, O_CLOEXEC) != 0)
        return ERR_IO;
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        return ERR_IO;
    if (child > 0) {
        close(pipe_fds[1]);
        wait_for(child, pipe_fds[0]);
    }
    close(pipe_fds[0]);
    *ready_fd = pipe_fds[1];
    (void)setsid();
    null_descriptor(STDIN_FILENO);
    null_descriptor(STDOUT_FILENO);
    if (!keeps_stderr) {
        /* Until it listens, a terminal still hears why it does not. */
        *terminal_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
        if (*terminal_fd >= 0)
            log_set_fd(*terminal_fd);
        null_descriptor(STDERR_FILENO);
    }
    return OK;
}

/* -E: descriptor 2 becomes the file, for us and every child. */
static enum err open_log_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd < 0 || dup2(fd, STDERR_FILENO) < 0) {
        log_fatal("Couldn't open logfile %s: %s", path, strerror(errno));
        return ERR_IO;
    }
    if (fd != STDERR_FILENO)
        close(fd);
    return OK;
}

static int serve(const struct command_line *c, const struct programs *programs,
                 const struct server_config_request *request, struct sshd_config *config,
                 int facility)
{
    bool to_stderr = c->to_stderr || c->log_file;
    struct supervisor_setup setup = {.programs = programs,
                                     .service = &c->service,
                                     .request = request,
                                     .config = config,
                                     .only_ports = &c->ports,
                                     .is_inetd = c->is_inetd,
                                     .to_system = !to_stderr,
                                     .terminal_fd = -1,
                                     .ready_fd = -1};
    if (!c->is_foreground && !c->is_inetd) {
        if (daemonise(to_stderr, &setup.ready_fd, &setup.terminal_fd) != OK) {
            log_fatal("cannot become a daemon: %s", strerror(errno));
            sshd_config_free(config);
            return STATUS_CONFIG;
        }
        setup.is_daemon = true;
    }
    bool is_system = !to_stderr && !setup.is_daemon && role_log_to_system("aditd", facility);
    if (!is_system)
        role_log_set_name("aditd");
    return supervisor_run(&setup);
}

/* ---- main ---- */

/* What the programs inherit: nothing that could steer libcrypto, libc or a resolver. */
static void clear_environment(void)
{
    static const char *const kept[] = {
        "PATH", "TZ", "LANG", "HOME", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"};
    char *values[ARRAY_LEN(kept)];
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        const char *value = getenv(kept[i]);
        values[i] = value ? mem_strdup(value) : NULL;
    }
    CHECK(clearenv() == 0);
    for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
        if (values[i])
            CHECK(setenv(kept[i], values[i], 1) == 0);
        mem_free(values[i]);
    }
}

static int run(const struct command_line *c, const struct programs *programs)
{
    const struct server_config_request request = {
        .file = c->file, .assignments = &c->assignments, .source = &config_text_files};
    struct sshd_config *config = NULL;
    struct server_options options;
    struct report report;
    int status = STATUS_CONFIG;
    report_init(&report);
    server_options_init(&options);
    enum err err = sshd_config_load(&request, &config, &report);
    if (err == OK)
        err = sshd_config_resolve(config, NULL, &options, &report);
    if (err == OK)
        log_set_level(options.log_level);
    config_text_log_report(&report);
    report_done(&report);
    if (err == OK && c->task == TASK_INIT)
        status = make_keys(c, programs, &options);
    else if (err == OK && c->task == TASK_PRINT)
        status = print_options(c, config);
    else if (err == OK && c->task == TASK_TEST)
        status = test_keys(programs, &options);
    bool is_serving = err == OK && c->task == TASK_SERVE;
    int facility = err == OK ? options.syslog_facility : 0;
    server_options_done(&options);
    if (is_serving)
        return serve(c, programs, &request, config, facility);
    sshd_config_free(config);
    return status;
}

int main(int argc, char **argv)
{
    struct command_line c = {.task = TASK_SERVE};
    struct programs programs;
    int status = STATUS_CONFIG;
    service_take(&c.service);
    clear_environment();
    string_list_init(&c.assignments);
    string_list_init(&c.ports);
    if (read_command_line(argc, argv, &c) == OK &&
        (!c.log_file || open_log_file(c.log_file) == OK) && programs_open(&programs) == OK) {
        status = run(&c, &programs);
        programs_close(&programs);
    }
    string_list_done(&c.assignments);
    string_list_done(&c.ports);
    mem_free(c.file);
    service_done(&c.service);
    return status;
}
