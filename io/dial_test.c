/* Dials to loopback: success, refusal, deadline, cancelling, names. */
#include <netdb.h>
#include <sys/un.h>

#include "io/dial.h"
#include "io/fixture.h"

struct caller {
    struct fixture *f;
    int calls;
    int fd;
    enum dial_stage stage;
    int error_number;
    char address[64];
    char reason[64];
    char asked[64];
    uint16_t port;
};

static void on_done(void *owner, const struct dial_result *r)
{
    struct caller *c = owner;
    c->calls++;
    c->fd = r->fd;
    c->stage = r->stage;
    c->error_number = r->error_number;
    c->port = r->port;
    snprintf(c->address, sizeof(c->address), "%s", r->address);
    snprintf(c->reason, sizeof(c->reason), "%s", dial_reason(r));
}

/* A listening or only bound socket on 127.0.0.1; its port in *port. */
static int take_port(uint16_t *port, int backlog)
{
    struct sockaddr_in sa = {.sin_family = AF_INET};
    socklen_t len = sizeof(sa);
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
    if (backlog >= 0)
        assert_int_equal(listen(fd, backlog), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    *port = ntohs(sa.sin_port);
    return fd;
}

static struct caller dial_to(struct fixture *f, const char *host, uint16_t port, int family,
                             const char *bind_address)
{
    struct caller c = {.f = f, .fd = -1};
    struct dial *d = dial_new(f->l, host, port, family, bind_address, 5000, on_done, &c);
    assert_non_null(d);
    assert_int_equal(c.calls, 0);
    fixture_run_to_end(f);
    assert_int_equal(c.calls, 1);
    return c;
}

static void a_numeric_dial_connects_from_the_wanted_address(void **state)
{
    uint16_t port;
    int listening = take_port(&port, 5);
    struct caller c = dial_to(*state, "127.0.0.1", port, AF_UNSPEC, "127.0.0.3");
    assert_true(c.fd >= 0);
    assert_string_equal(c.address, "127.0.0.1");
    assert_string_equal(c.reason, "connected");
    assert_int_equal(c.port, port);
    assert_true(fcntl(c.fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(c.fd, F_GETFD) & FD_CLOEXEC);
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    int fd = accept4(listening, (struct sockaddr *)&from, &len, SOCK_CLOEXEC);
    assert_int_equal(ntohl(from.sin_addr.s_addr), 0x7f000003);
    close(fd);
    close(c.fd);
    close(listening);
}

static bool never(void *owner, const char *address)
{
    struct caller *c = owner;
    snprintf(c->asked, sizeof(c->asked), "%s", address);
    return false;
}

/* A name with two addresses: the one is left out, the other is tried. */
static bool not_v6(void *owner, const char *address)
{
    (void)owner;
    return strchr(address, ':') == NULL;
}

static struct caller dial_asking(struct fixture *f, const char *host, uint16_t port, dial_may *may)
{
    struct caller c = {.f = f, .fd = -1};
    dial_set_may(dial_new(f->l, host, port, AF_UNSPEC, NULL, 5000, on_done, &c), may);
    fixture_run_to_end(f);
    assert_int_equal(c.calls, 1);
    return c;
}

static void only_permitted_addresses_are_tried(void **state)
{
    uint16_t port;
    int listening = take_port(&port, 5);
    struct caller c = dial_asking(*state, "127.0.0.1", port, never);
    assert_int_equal(c.fd, -1);
    assert_int_equal(c.stage, DIAL_CONNECT);
    assert_int_equal(c.error_number, EACCES);
    assert_string_equal(c.asked, "127.0.0.1");
    c = dial_asking(*state, "localhost", port, never);
    assert_int_equal(c.error_number, EACCES);
    c = dial_asking(*state, "localhost", port, not_v6);
    assert_true(c.fd >= 0);
    assert_string_equal(c.address, "127.0.0.1");
    close(c.fd);
    close(listening);
}

static void a_closed_port_refuses(void **state)
{
    uint16_t port;
    int bound = take_port(&port, -1);
    struct caller c = dial_to(*state, "127.0.0.1", port, AF_INET, NULL);
    assert_int_equal(c.fd, -1);
    assert_int_equal(c.stage, DIAL_CONNECT);
    assert_int_equal(c.error_number, ECONNREFUSED);
    assert_string_equal(c.reason, "connection refused");
    assert_int_equal(c.port, port);
    assert_string_equal(c.address, "127.0.0.1");
    close(bound);
}

static void a_wrong_source_address_fails_with_its_cause(void **state)
{
    struct caller c = dial_to(*state, "127.0.0.1", 9, AF_INET, "::1");
    assert_int_equal(c.stage, DIAL_CONNECT);
    assert_int_equal(c.error_number, EADDRNOTAVAIL);
    c = dial_to(*state, "127.0.0.1", 9, AF_INET, "192.0.2.77");
    assert_int_equal(c.error_number, EADDRNOTAVAIL);
}

static void implausible_names_never_reach_the_resolver(void **state)
{
    char too_long[255];
    memset(too_long, 'a', 254);
    too_long[254] = '\0';
    const char *const names[] = {"", "-oops", "a b", "a\nb", "a\177", too_long};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct caller c = dial_to(*state, names[i], 22, AF_UNSPEC, NULL);
        assert_int_equal(c.stage, DIAL_RESOLVE);
        assert_int_equal(c.error_number, EAI_NONAME);
        assert_string_equal(c.reason, "name not found");
        assert_string_equal(c.address, "");
    }
    struct caller c = dial_to(*state, "127.0.0.1", 22, AF_INET6, NULL);
    assert_int_equal(c.stage, DIAL_RESOLVE);
    assert_int_equal(c.error_number, EAI_FAMILY);
}

/* "127.1" is no numeric address for us; the resolver answers it without asking anybody. */
static void a_name_goes_through_the_resolver(void **state)
{
    uint16_t port;
    int listening = take_port(&port, 5);
    struct caller c = dial_to(*state, "127.1", port, AF_INET, NULL);
    assert_true(c.fd >= 0);
    assert_string_equal(c.address, "127.0.0.1");
    close(c.fd);
    close(listening);
}

static void a_failed_lookup_tells_the_resolvers_code(void **state)
{
    /* A label of 64 bytes cannot exist in DNS: refused without a question to the network. */
    char name[80];
    memset(name, 'a', 64);
    snprintf(name + 64, sizeof(name) - 64, ".invalid");
    struct caller c = dial_to(*state, name, 22, AF_UNSPEC, NULL);
    assert_int_equal(c.fd, -1);
    assert_int_equal(c.stage, DIAL_RESOLVE);
    assert_true(c.error_number < 0 && c.error_number > -200); /* the system's EAI_, not uv's */
    assert_string_not_equal(c.reason, "");
}

/* With a backlog of 0 and one connection waiting, Linux drops further SYNs. */
static void a_silent_address_meets_the_deadline(void **state)
{
    struct caller c = {.f = *state};
    uint16_t port;
    int listening = take_port(&port, 0);
    struct caller first = dial_to(*state, "127.0.0.1", port, AF_INET, NULL);
    assert_true(first.fd >= 0);
    uint64_t before = loop_now(c.f->l);
    struct dial *d = dial_new(c.f->l, "127.0.0.1", port, AF_INET, NULL, 60, on_done, &c);
    assert_non_null(d);
    fixture_run_to_end(c.f);
    assert_int_equal(c.calls, 1);
    assert_int_equal(c.fd, -1);
    assert_int_equal(c.stage, DIAL_DEADLINE);
    assert_string_equal(c.reason, "timed out");
    assert_string_equal(c.address, "127.0.0.1");
    assert_in_range(loop_now(c.f->l) - before, 60, 1500);
    /* The same, taken back while it connects. */
    d = dial_new(c.f->l, "127.0.0.1", port, AF_INET, NULL, 0, on_done, &c);
    (void)fixture_rounds(c.f, 5);
    dial_cancel(d);
    fixture_run_to_end(c.f);
    assert_int_equal(c.calls, 1);
    close(first.fd);
    close(listening);
}

static void a_cancelled_dial_is_silent_at_every_stage(void **state)
{
    struct caller c = {.f = *state};
    uint16_t port;
    int listening = take_port(&port, 0);
    struct caller first = dial_to(*state, "127.0.0.1", port, AF_INET, NULL); /* others wait */
    dial_cancel(dial_new(c.f->l, "127.0.0.1", port, AF_INET, NULL, 0, on_done, &c));
    fixture_run_to_end(c.f);
    struct dial *connecting = dial_new(c.f->l, "127.0.0.1", port, AF_INET, NULL, 0, on_done, &c);
    struct dial *resolving[8];
    for (size_t i = 0; i < ARRAY_LEN(resolving); i++)
        resolving[i] = dial_new(c.f->l, "127.1", port, AF_INET, NULL, 0, on_done, &c);
    /* Stopped at once: one end-of-turn pass runs, which begins them, and no answer is read yet. */
    loop_stop(c.f->l);
    loop_run(c.f->l);
    dial_cancel(connecting);
    for (size_t i = 0; i < ARRAY_LEN(resolving); i++)
        dial_cancel(resolving[i]);
    fixture_run_to_end(c.f);
    assert_int_equal(c.calls, 0);
    close(first.fd);
    close(listening);
}

/* A loopback address that is this process's own, so that runs side by side do not meet. */
static struct sockaddr_in own_loopback(uint16_t port)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
    sa.sin_addr.s_addr = htonl(0x7f000000u | (0x10000u + ((uint32_t)getpid() & 0x3fffffu)));
    return sa;
}

/* Binds port of that address, or -1. */
static int bind_port(uint16_t port)
{
    struct sockaddr_in sa = own_loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* The source port the kernel chooses for a connection to that port; 0 if it is not free. */
static uint16_t source_port_to(uint16_t port)
{
    struct sockaddr_in from = own_loopback(0);
    struct sockaddr_in to = own_loopback(port);
    socklen_t len = sizeof(from);
    const int on = 1;
    int listening = bind_port(port);
    if (listening < 0)
        return 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&from, &len), 0);
    const struct linger reset = {1, 0}; /* no TIME_WAIT: that is what the test looks for */
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(fd);
    close(listening);
    return ntohs(from.sin_port);
}

/* Dials until a socket has met itself, which leaves the port in TIME_WAIT: bind fails then. */
static bool meets_itself(struct fixture *f, uint16_t port, int tries)
{
    char address[INET_ADDRSTRLEN];
    struct sockaddr_in sa = own_loopback(port);
    assert_non_null(inet_ntop(AF_INET, &sa.sin_addr, address, sizeof(address)));
    for (int i = 0; i < tries; i++) {
        struct caller c = dial_to(f, address, port, AF_INET, address);
        assert_int_equal(c.fd, -1);
        assert_int_equal(c.error_number, ECONNREFUSED);
        int fd = bind_port(port);
        if (fd < 0)
            return true;
        close(fd);
    }
    return false;
}

/*
 * Linux takes source ports to one destination in steps of two, so a destination slightly above
 * the last source is soon its own source.
 */
static void a_socket_that_meets_itself_is_refused(void **state)
{
    for (uint16_t port = 33000; port < 60000; port = (uint16_t)(port + 2)) {
        uint16_t source = source_port_to(port);
        if (source != 0 && source < port && port - source <= 100 && meets_itself(*state, port, 60))
            return;
    }
    print_message("no destination near its own source was found\n");
    skip();
}

static void the_next_address_of_a_name_is_tried(void **state)
{
    struct addrinfo *list;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    uint16_t port;
    if (getaddrinfo("localhost", NULL, &hints, &list) != 0)
        skip();
    freeaddrinfo(list);
    int listening = take_port(&port, 5); /* on 127.0.0.1 only: ::1 refuses */
    struct caller c = dial_to(*state, "localhost", port, AF_UNSPEC, NULL);
    assert_true(c.fd >= 0);
    assert_string_equal(c.address, "127.0.0.1");
    close(c.fd);
    close(listening);
}

static void loop_free_puts_away_running_dials(void **state)
{
    struct caller c = {.fd = -1};
    uint16_t port;
    int listening = take_port(&port, 0);
    struct caller first = dial_to(*state, "127.0.0.1", port, AF_INET, NULL); /* others wait */
    fixture_setup((void **)&c.f);
    for (int i = 0; i < 8; i++)
        (void)!dial_new(c.f->l, i % 2 ? "127.1" : "127.0.0.1", port, AF_INET, NULL, 0, on_done, &c);
    loop_stop(c.f->l);
    loop_run(c.f->l);
    fixture_teardown((void **)&c.f);
    assert_int_equal(c.calls, 0);
    close(first.fd);
    close(listening);
}

static void a_unix_socket_is_dialled_and_missed(void **state)
{
    struct caller c = {.f = *state};
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    char directory[] = "/tmp/adit-dial-XXXXXX";
    assert_non_null(mkdtemp(directory));
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/s", directory);
    struct dial *d = dial_new_unix(c.f->l, sa.sun_path, on_done, &c);
    assert_non_null(d);
    assert_int_equal(c.calls, 0);
    fixture_run_to_end(c.f);
    assert_int_equal(c.error_number, ENOENT);
    assert_string_equal(c.reason, "no such socket");
    int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listening, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(listen(listening, 0), 0);
    d = dial_new_unix(c.f->l, sa.sun_path, on_done, &c);
    fixture_run_to_end(c.f);
    assert_int_equal(c.calls, 2);
    assert_true(c.fd >= 0);
    /* The backlog is full now: the next dial waits until the first is accepted. */
    int first = c.fd;
    d = dial_new_unix(c.f->l, sa.sun_path, on_done, &c);
    (void)fixture_rounds(c.f, 30);
    assert_int_equal(c.calls, 2);
    int accepted = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    fixture_run_to_end(c.f);
    assert_int_equal(c.calls, 3);
    assert_true(c.fd >= 0);
    close(c.fd);
    close(first);
    close(accepted);
    close(listening);
    unlink(sa.sun_path);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IO_TEST(a_numeric_dial_connects_from_the_wanted_address),
        IO_TEST(only_permitted_addresses_are_tried),
        IO_TEST(a_closed_port_refuses),
        IO_TEST(a_wrong_source_address_fails_with_its_cause),
        IO_TEST(implausible_names_never_reach_the_resolver),
        IO_TEST(a_name_goes_through_the_resolver),
        IO_TEST(a_failed_lookup_tells_the_resolvers_code),
        IO_TEST(a_silent_address_meets_the_deadline),
        IO_TEST(a_cancelled_dial_is_silent_at_every_stage),
        IO_TEST(a_socket_that_meets_itself_is_refused),
        IO_TEST(the_next_address_of_a_name_is_tried),
        IO_TEST(loop_free_puts_away_running_dials),
        IO_TEST(a_unix_socket_is_dialled_and_missed),
    };
    return RUN_TESTS(tests);
}
