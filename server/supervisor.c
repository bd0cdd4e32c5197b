/* The supervisor's life: listeners, signals, beginning and end. */
#include "server/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "io/address.h"
#include "server/admission.h"
#include "server/config_text.h"
#include "server/role_log.h"
#include "server/run_folder.h"
#include "server/supervisor_internal.h"

#define FAMILIES_MAX   16
#define END_MS         3000 /* what a connection of inetd mode gets to say goodbye */
#define NOBODY         65534
#define DROPS_PER_S    5 /* lines in the log */
#define FD_SPARE       8
#define STATUS_REFUSED 255

/* By RFC 5424 6.2.1, as SyslogFacility keeps them. */
static const char *const facility_names[24] = {
    [1] = "1",   [3] = "3",   [4] = "4",   [10] = "10", [16] = "16", [17] = "17",
    [18] = "18", [19] = "19", [20] = "20", [21] = "21", [22] = "22", [23] = "23"};

static const char *const level_names[] = {"QUIET",   "FATAL",  "ERROR",  "INFO",
                                          "VERBOSE", "DEBUG1", "DEBUG2", "DEBUG3"};

void supervisor_child_arguments(const struct supervisor *s, enum program program,
                                enum log_level level, const char *arguments[12])
{
    size_t n = 0;
    CHECK(level < ARRAY_LEN(level_names));
    arguments[n++] = program_name(program);
    if (s->setup.to_system) {
        arguments[n++] = "-S";
        arguments[n++] = facility_names[s->options.syslog_facility];
    }
    if (s->options.log_format == LOG_FORMAT_JSON)
        arguments[n++] = "-J";
    arguments[n++] = "-l";
    arguments[n++] = level_names[level];
    arguments[n] = NULL;
}

static void zygote_arguments_of(void *owner, enum program program, const char *arguments[12])
{
    const struct supervisor *s = owner;
    size_t n = 0;
    supervisor_child_arguments(s, program, s->options.log_level, arguments);
    while (arguments[n])
        n++;
    if (program == PROGRAM_WORK)
        arguments[n++] = s->comeback_path;
    CHECK(n < 12);
}

/* Once: name services may take their time, and every connection needs a process of that account. */
static void find_role_account(struct supervisor *s)
{
    static const char *const accounts[] = {"aditd", "sshd", "nobody"};
    s->role_uid = s->role_gid = NOBODY;
    for (size_t i = 0; geteuid() == 0 && i < ARRAY_LEN(accounts); i++) {
        const struct passwd *pw = getpwnam(accounts[i]);
        if (!pw || pw->pw_uid == 0)
            continue;
        s->role_uid = pw->pw_uid;
        s->role_gid = pw->pw_gid;
        return;
    }
}

void supervisor_role_sandbox(const struct supervisor *s, struct role_msg *m)
{
    if (geteuid() != 0)
        return;
    m->has_uid = true;
    m->uid = s->role_uid;
    m->gid = s->role_gid;
    m->root = slice_text(run_folder_empty());
}

enum err supervisor_tell_keys(const struct supervisor *s,
                              enum err (*send)(void *to, const struct role_msg *m), void *to)
{
    for (size_t i = 0; i < s->host_key_count; i++) {
        const struct role_msg m = {.kind = ROLE_MSG_HOST_KEY,
                                   .name = buf_slice(&s->host_keys[i].type),
                                   .key = buf_slice(&s->host_keys[i].blob)};
        TRY(send(to, &m));
    }
    return OK;
}

/* ---- the end ---- */

static void remove_pid_file(struct supervisor *s)
{
    if (s->has_pid_file && unlink(s->options.pid_file) != 0 && errno != ENOENT)
        log_error("cannot remove %s: %s", s->options.pid_file, strerror(errno));
    s->has_pid_file = false;
}

static void close_listeners(struct supervisor *s)
{
    for (size_t i = 0; i < s->listener_count; i++)
        listener_close(s->listeners[i]);
    mem_free(s->listeners);
    s->listeners = NULL;
    s->listener_count = 0;
}

static void give_up_waiting(void *owner)
{
    struct supervisor *s = owner;
    loop_stop(s->loop);
}

/* Who is logged in stays so: the workers need no supervisor, and find the next one. */
static void let_connections_go(struct supervisor *s)
{
    LIST_FOR (c, &s->connections, struct connection, link) {
        if (!connection_is_at_work(c))
            connection_free(c);
        else if (s->setup.is_inetd && c->worker)
            worker_kill(c->worker, SIGTERM);
    }
}

static bool is_waiting(const struct supervisor *s)
{
    return s->setup.is_inetd && !list_is_empty(&s->connections);
}

void supervisor_end(struct supervisor *s, int status)
{
    bool is_first = !s->is_ending;
    s->is_ending = true;
    if (is_first) {
        s->status = status;
        service_notify(s->setup.service, "STOPPING=1");
        close_listeners(s);
        comeback_close(s);
        remove_pid_file(s);
        connection_empty_ready(s);
        let_connections_go(s);
        s->end_timer = loop_timer_new(s->loop, give_up_waiting, s);
        loop_timer_start(s->end_timer, END_MS);
    }
    if (is_waiting(s))
        return;
    bool has_workers = !s->setup.is_inetd && !list_is_empty(&s->connections);
    signer_end(s, has_workers);
    if (has_workers || !s->sign)
        loop_stop(s->loop); /* else it ends, is reaped, and comes back here */
}

/* ---- accepting ---- */

static unsigned random_percent(void)
{
    uint32_t value = 0;
    if (getrandom(&value, sizeof(value), 0) != (ssize_t)sizeof(value))
        return 0; /* drops as soon as the rate allows it */
    return value % 100;
}

/* Why a newcomer may not even begin; NULL: he may. */
static const char *why_not(struct supervisor *s, const char *from)
{
    const struct server_options *o = &s->options;
    const struct admission_limits limits = {o->max_startups.begin, o->max_startups.rate,
                                            o->max_startups.full};
    const struct source source = source_of(from, o->per_source_net_block_size);
    const char *why;
    if (penalty_is_refused(s->penalties, from, loop_now(s->loop), &why))
        return why;
    if (!admission_source_may_start(s->sources, &source, (unsigned)o->per_source_max_startups))
        return "PerSourceMaxStartups";
    if (!admission_may_start(&limits, connections_waiting(s), random_percent()) &&
        !connection_make_room(s, &source))
        return "past MaxStartups";
    return NULL;
}

static void on_accepted(void *owner, int fd, const char *from, uint16_t from_port)
{
    static const char message[] = "Not allowed at this time\r\n"; /* OpenSSH's words */
    struct supervisor *s = owner;
    const char *why = why_not(s, from);
    uint64_t missed;
    if (!why)
        connection_start(s, fd, fd, from, from_port);
    else if (log_limit_take(&s->drops, loop_now(s->loop), DROPS_PER_S, &missed))
        log_info("drop connection from %s port %u: %s (%u are not logged in; %llu more were "
                 "dropped since the last such line)",
                 from, from_port, why, connections_waiting(s), (unsigned long long)missed);
    if (why)
        (void)!send(fd, message, sizeof(message) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    close(fd);
}

static enum err addresses_of(const struct listen_address *wanted, enum address_family family,
                             struct socket_address *out, size_t *count)
{
    int wanted_family = family == FAMILY_INET    ? AF_INET
                        : family == FAMILY_INET6 ? AF_INET6
                                                 : AF_UNSPEC;
    *count = 0;
    if (wanted->host && socket_address_parse(wanted->host, out) == OK) {
        *count = wanted_family == AF_UNSPEC || out->sa.ss_family == wanted_family ? 1 : 0;
        return OK;
    }
    if (wanted->host)
        return socket_address_resolve(wanted->host, wanted_family, out, FAMILIES_MAX, count);
    if (family != FAMILY_INET6)
        TRY(socket_address_parse("0.0.0.0", &out[(*count)++]));
    if (family != FAMILY_INET)
        TRY(socket_address_parse("::", &out[(*count)++]));
    return OK;
}

/* -p given: the ports of the file do not count, unless ListenAddress wrote one itself. */
static bool is_wanted_port(const struct supervisor *s, uint16_t port)
{
    const struct string_list *only = s->setup.only_ports;
    bool is_of_file = false;
    for (size_t i = 0; only && i < only->count; i++) {
        if ((uint16_t)strtoul(only->items[i], NULL, 10) == port)
            return true;
    }
    for (size_t i = 0; i < s->options.ports.count; i++)
        is_of_file = is_of_file || s->options.ports.items[i] == port;
    return !only || only->count == 0 || !is_of_file;
}

static void listen_on(struct supervisor *s, const struct listen_address *wanted)
{
    struct socket_address addresses[FAMILIES_MAX];
    size_t count;
    struct listener *li;
    int error_number = 0;
    const char *host = wanted->host ? wanted->host : "every address";
    if (addresses_of(wanted, s->options.address_family, addresses, &count) != OK) {
        log_error("ListenAddress %s is no address of this host", host);
        return;
    }
    if (count == 0)
        return;
    if (listener_new_tcp(&li, s->loop, addresses, count, wanted->port, on_accepted, s,
                         &error_number) != OK) {
        log_error("Bind to port %u on %s failed: %s.", wanted->port, host, strerror(error_number));
        return;
    }
    s->listeners = mem_resize(s->listeners, s->listener_count + 1, sizeof(struct listener *));
    s->listeners[s->listener_count++] = li;
    for (size_t i = 0; i < listener_count(li); i++)
        log_info("Server listening on %s port %u.", listener_address(li, i), listener_port(li));
}

/* What systemd passed is all there is to listen on: its units say where. */
static void listen_on_passed(struct supervisor *s)
{
    const struct service *service = s->setup.service;
    struct listener *li =
        listener_new_fds(s->loop, service->sockets, service->socket_count, on_accepted, s);
    s->listeners = mem_resize(s->listeners, s->listener_count + 1, sizeof(struct listener *));
    s->listeners[s->listener_count++] = li;
    for (size_t i = 0; i < listener_count(li); i++)
        log_info("Server listening on %s port %u (passed by systemd).", listener_address(li, i),
                 listener_port(li));
}

static void write_pid_file(struct supervisor *s)
{
    char text[32];
    if (strcmp(s->options.pid_file, "none") == 0)
        return;
    int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    int fd = open(s->options.pid_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, text, (size_t)n) != n)
        log_error("Couldn't create pid file \"%s\": %s", s->options.pid_file, strerror(errno));
    else
        s->has_pid_file = true;
    if (fd >= 0)
        close(fd);
}

/* What the terminal had to hear, it has heard. */
static void forget_terminal(struct supervisor *s)
{
    if (!role_log_to_system("aditd", s->options.syslog_facility))
        log_set_fd(STDERR_FILENO); /* /dev/null by now */
    if (s->setup.terminal_fd >= 0)
        close(s->setup.terminal_fd); /* who reads our output to its end must not wait for us */
    s->setup.terminal_fd = -1;
}

static void say_ready(struct supervisor *s)
{
    if (s->setup.ready_fd < 0)
        return;
    if (chdir("/") != 0)
        log_debug("cannot change to /: %s", strerror(errno));
    if (s->setup.to_system && s->setup.is_daemon)
        forget_terminal(s);
    (void)!write(s->setup.ready_fd, "+", 1);
    close(s->setup.ready_fd);
    s->setup.ready_fd = -1;
}

/* One connection on descriptors 0 and 1; afterwards the worker alone has them. */
static void serve_inherited(struct supervisor *s)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof(sa);
    char from[ADDRESS_TEXT_MAX] = "UNKNOWN";
    uint16_t port = 65535;
    if (getpeername(STDIN_FILENO, (struct sockaddr *)&sa, &len) == 0 &&
        (sa.ss_family == AF_INET || sa.ss_family == AF_INET6)) {
        address_text(&sa, from);
        port = address_port(&sa);
    }
    connection_start(s, STDIN_FILENO, STDOUT_FILENO, from, port);
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null_fd >= 0) {
        (void)dup2(null_fd, STDIN_FILENO);
        (void)dup2(null_fd, STDOUT_FILENO);
        close(null_fd);
    }
}

static bool is_default_unreadable(const struct supervisor *s)
{
    return geteuid() != 0 && !option_is_given(&s->options.state, "HostKey");
}

/* The first login is as fast as those that follow. */
static void prepare_roles(struct supervisor *s)
{
    static const enum program programs[] = {PROGRAM_AUTHZ, PROGRAM_WORK};
    for (size_t i = 0; !s->setup.is_inetd && i < ARRAY_LEN(programs); i++) {
        if (zygotes_prepare(s->zygotes, programs[i]) != OK)
            log_error("%s cannot be started", program_name(programs[i]));
    }
    if (!s->setup.is_inetd && resolver_start(s) != OK)
        log_error("%s cannot be started", program_name(PROGRAM_RESOLVE));
}

void supervisor_keys_known(struct supervisor *s)
{
    if (s->host_key_count == 0) {
        log_fatal("sshd: no hostkeys available -- exiting.");
        if (is_default_unreadable(s))
            log_fatal("the default host keys belong to root; make your own with \"aditd --init -f "
                      "FILE\" or name one with -h FILE");
        else
            log_fatal("make them with \"aditd --init\", or name one with HostKey or -h");
        supervisor_end(s, 1);
        return;
    }
    s->is_serving = true;
    connection_fill_ready(s);
    prepare_roles(s);
    if (s->setup.is_inetd) {
        serve_inherited(s);
        return;
    }
    bool is_passed = s->setup.service->socket_count > 0;
    for (size_t i = 0; !is_passed && i < s->options.listen_address_count; i++) {
        if (is_wanted_port(s, s->options.listen_addresses[i].port))
            listen_on(s, &s->options.listen_addresses[i]);
    }
    if (is_passed)
        listen_on_passed(s);
    if (s->listener_count == 0) {
        log_fatal("Cannot bind any address.");
        supervisor_end(s, STATUS_REFUSED);
        return;
    }
    if (comeback_listen(s) != OK)
        log_error("%s cannot be made: workers of an earlier server do not find this one",
                  s->comeback_path);
    write_pid_file(s);
    service_notify(s->setup.service, "READY=1");
    say_ready(s);
}

/* ---- signals ---- */

/* systemd wants to know when it began, to tell this READY from an earlier one. */
static void say_reloading(const struct supervisor *s)
{
    char text[64];
    struct timespec now;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
             (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
    service_notify(s->setup.service, text);
}

static void reload(struct supervisor *s)
{
    struct sshd_config *config;
    struct server_options options;
    struct report report;
    report_init(&report);
    server_options_init(&options);
    enum err err = sshd_config_load(s->setup.request, &config, &report);
    if (err == OK)
        err = sshd_config_resolve(config, NULL, &options, &report);
    config_text_log_report(&report);
    report_done(&report);
    if (err != OK) {
        log_error("the configuration is not changed: the new one has errors");
        sshd_config_free(config);
        server_options_done(&options);
        return;
    }
    /* The pid file that was written is the one to remove. Whoever waits for a new one gets it. */
    if (strcmp(options.pid_file, s->options.pid_file) != 0)
        remove_pid_file(s);
    sshd_config_free(s->config);
    server_options_done(&s->options);
    s->config = config;
    s->options = options;
    log_set_level(options.log_level);
    role_log_set_json(options.log_format == LOG_FORMAT_JSON);
    penalty_table_configure(s->penalties, &s->options);
    write_pid_file(s);
    LIST_FOR (c, &s->connections, struct connection, link)
        connection_reload(c);
    log_info("Received SIGHUP; all connections have the new configuration. Addresses to listen on "
             "and host keys change with a restart.");
}

static void on_signal(void *owner, int signal_number)
{
    struct supervisor *s = owner;
    if (signal_number == SIGHUP) {
        if (s->is_ending || !s->is_serving || s->setup.is_inetd)
            return;
        say_reloading(s);
        reload(s);
        service_notify(s->setup.service, "READY=1");
        return;
    }
    log_info("Received signal %d; terminating.", signal_number);
    supervisor_end(s, 0);
}

/* ---- life ---- */

/* Numbers of a server that was there before must not come again: its workers still use them. */
static uint32_t random_id(void)
{
    uint32_t id = 0;
    if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
        id = (uint32_t)getpid() << 16;
    return id;
}

/* Peers choose their addresses: what tells them apart is seeded. */
static void make_tables(struct supervisor *s)
{
    uint64_t seed[2] = {0};
    if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
        log_error("no randomness for the tables of sources: %s", strerror(errno));
    s->penalties = penalty_table_new(&s->options, seed);
    s->sources = admission_new(seed);
}

/* Where this server's workers find its successor: one that listens at the same first address. */
static char *comeback_path(const struct supervisor *s)
{
    const struct listen_address *first = s->options.listen_addresses;
    for (size_t i = 0; i < s->options.listen_address_count; i++) {
        if (is_wanted_port(s, s->options.listen_addresses[i].port)) {
            first = &s->options.listen_addresses[i];
            break;
        }
    }
    return first ? run_folder_socket(first->host, first->port) : NULL;
}

static void free_all(struct supervisor *s)
{
    LIST_FOR (c, &s->connections, struct connection, link)
        connection_free(c); /* its worker keeps the socket */
    LIST_FOR (w, &s->workers, struct worker, link)
        worker_free(w);
    connection_empty_ready(s);
    comeback_close(s);
    resolver_end(s);
    zygotes_free(s->zygotes);
    penalty_table_free(s->penalties);
    admission_free(s->sources);
    mem_free(s->comeback_path);
    signer_end(s, true); /* was told before, if it is to end */
    signer_free(s);
    for (size_t i = 0; i < ARRAY_LEN(s->signals); i++)
        loop_signal_close(s->signals[i]);
    loop_timer_close(s->end_timer);
    loop_timer_close(s->refill);
    close_listeners(s);
    loop_free(s->loop);
    server_options_done(&s->options);
    sshd_config_free(s->config);
    if (s->setup.ready_fd >= 0)
        close(s->setup.ready_fd);
}

/* A connection keeps two descriptors here: who may log in must not be able to use all of them up
 * against the others by coming often. Sessions get the limit that was. */
static void take_all_descriptors(struct supervisor *s)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    s->open_files = files.rlim_cur;
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0)
        log_error("the limit of open files stays: %s", strerror(errno));
}

int supervisor_run(const struct supervisor_setup *setup)
{
    static const int numbers[] = {SIGHUP, SIGTERM, SIGINT};
    struct supervisor *s = NEW(struct supervisor); /* too large for a stack */
    struct report report;
    s->setup = *setup;
    s->config = setup->config;
    connections_init(s);
    list_init(&s->idle_workers);
    list_init(&s->joins);
    list_init(&s->workers);
    list_init(&s->ready);
    list_init(&s->comers);
    s->last_id = random_id();
    find_role_account(s);
    take_all_descriptors(s);
    s->shards = (unsigned)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1L);
    report_init(&report);
    server_options_init(&s->options);
    s->loop = loop_new();
    s->refill = loop_timer_new(s->loop, connection_refill, s);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        s->signals[i] = loop_signal_new(s->loop, numbers[i], on_signal, s);
    enum err err = sshd_config_resolve(s->config, NULL, &s->options, &report);
    if (err == OK)
        role_log_set_json(s->options.log_format == LOG_FORMAT_JSON);
    config_text_log_report(&report);
    report_done(&report);
    if (err == OK)
        err = run_folder_make();
    if (err == OK && !s->setup.is_inetd)
        s->comeback_path = comeback_path(s);
    make_tables(s);
    s->zygotes = zygotes_new(s->loop, s->setup.programs, zygote_arguments_of, s);
    if (err == OK)
        err = signer_start(s);
    if (err == OK)
        loop_run(s->loop);
    else
        log_fatal("cannot start: %s", err_name(err));
    int status = err == OK ? s->status : STATUS_REFUSED;
    free_all(s);
    mem_free(s);
    return status;
}
