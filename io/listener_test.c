/* Listeners on loopback addresses and in the file system. */
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/log.h"
#include "io/fixture.h"
#include "io/listener.h"

struct host {
    struct fixture *f;
    struct listener *li;
    int accepted, wanted;
    char from[64];
    bool close_at_accept;
    int kept[128]; /* accepted descriptors */
    int logged;
};

static void on_accept(void *owner, int fd, const char *from, uint16_t from_port)
{
    struct host *h = owner;
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(from_port != 0, from[0] != '\0');
    snprintf(h->from, sizeof(h->from), "%s", from);
    h->kept[h->accepted++] = fd;
    if (h->close_at_accept)
        listener_close(h->li);
    if (h->accepted == h->wanted)
        loop_stop(h->f->l);
}

static void close_kept(struct host *h)
{
    for (int i = 0; i < h->accepted; i++)
        close(h->kept[i]);
    h->accepted = 0;
}

/* A connect that does not wait; the kernel's backlog holds it. */
static int call(const char *address, uint16_t port)
{
    struct socket_address to;
    assert_ok(socket_address_parse(address, &to));
    int fd = socket(to.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (to.sa.ss_family == AF_INET)
        ((struct sockaddr_in *)(void *)&to.sa)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)(void *)&to.sa)->sin6_port = htons(port);
    assert_int_equal(connect(fd, (struct sockaddr *)&to.sa, to.len), 0);
    return fd;
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

static void both_loopbacks(struct socket_address out[2])
{
    assert_ok(socket_address_parse("127.0.0.1", &out[0]));
    assert_ok(socket_address_parse("[::1]", &out[1]));
}

static void both_families_get_one_port(void **state)
{
    struct host h = {.f = *state, .wanted = 1};
    struct socket_address addresses[2];
    int error;
    both_loopbacks(addresses);
    assert_ok(listener_new_tcp(&h.li, h.f->l, addresses, 2, 0, on_accept, &h, &error));
    assert_int_equal(listener_count(h.li), has_ipv6() ? 2 : 1);
    assert_true(listener_port(h.li) > 0);
    for (size_t i = 0; i < listener_count(h.li); i++) {
        assert_string_equal(listener_address(h.li, i), i ? "::1" : "127.0.0.1");
        int fd = call(listener_address(h.li, i), listener_port(h.li));
        loop_run(h.f->l);
        assert_int_equal(h.accepted, 1);
        assert_string_equal(h.from, i ? "::1" : "127.0.0.1");
        int on = 0;
        socklen_t size = sizeof(on);
        getsockopt(h.kept[0], IPPROTO_TCP, TCP_NODELAY, &on, &size);
        assert_true(on);
        close_kept(&h);
        close(fd);
    }
    listener_close(h.li);
}

static void an_address_in_use_undoes_the_others(void **state)
{
    struct host first = {.f = *state};
    struct host second = {.f = *state};
    struct socket_address addresses[2];
    int error;
    /* 127.0.0.2 stands for the second family, so that the test needs no IPv6. */
    assert_ok(socket_address_parse("127.0.0.2", &addresses[0]));
    assert_ok(listener_new_tcp(&first.li, first.f->l, addresses, 1, 0, on_accept, &first, &error));
    uint16_t port = listener_port(first.li);
    assert_ok(socket_address_parse("127.0.0.1", &addresses[0]));
    assert_ok(socket_address_parse("127.0.0.2", &addresses[1]));
    assert_int_equal(
        listener_new_tcp(&second.li, first.f->l, addresses, 2, port, on_accept, &second, &error),
        ERR_EXISTS);
    assert_int_equal(error, EADDRINUSE);
    assert_null(second.li);
    listener_close(first.li);
    /* 127.0.0.1 was given back: now both can be had. */
    assert_ok(
        listener_new_tcp(&second.li, first.f->l, addresses, 2, port, on_accept, &second, &error));
    assert_int_equal(listener_count(second.li), 2);
    assert_int_equal(listener_port(second.li), port);
    listener_close(second.li);
}

static void an_address_the_host_lacks_is_skipped(void **state)
{
    struct host h = {.f = *state};
    struct socket_address addresses[2];
    int error;
    assert_ok(socket_address_parse("192.0.2.77", &addresses[0])); /* RFC 5737: nobody's */
    assert_ok(socket_address_parse("127.0.0.1", &addresses[1]));
    assert_ok(listener_new_tcp(&h.li, h.f->l, addresses, 2, 0, on_accept, &h, &error));
    assert_int_equal(listener_count(h.li), 1);
    assert_string_equal(listener_address(h.li, 0), "127.0.0.1");
    listener_close(h.li);
    assert_int_equal(listener_new_tcp(&h.li, h.f->l, addresses, 1, 0, on_accept, &h, &error),
                     ERR_IO);
    assert_int_equal(error, EADDRNOTAVAIL);
}

static void listen_on_loopback(struct host *h)
{
    struct socket_address address;
    int error;
    assert_ok(socket_address_parse("127.0.0.1", &address));
    assert_ok(listener_new_tcp(&h->li, h->f->l, &address, 1, 0, on_accept, h, &error));
}

static void callers_wait_while_accepting_is_off(void **state)
{
    struct host h = {.f = *state, .wanted = 2};
    listen_on_loopback(&h);
    listener_accepting(h.li, false);
    int a = call("127.0.0.1", listener_port(h.li));
    int b = call("127.0.0.1", listener_port(h.li));
    assert_true(fixture_rounds(h.f, 20) < 5);
    assert_int_equal(h.accepted, 0);
    listener_accepting(h.li, true);
    loop_run(h.f->l);
    assert_int_equal(h.accepted, 2);
    close_kept(&h);
    close(a);
    close(b);
    listener_close(h.li);
}

static void close_within_accept_is_the_last_call(void **state)
{
    struct host h = {.f = *state, .close_at_accept = true};
    listen_on_loopback(&h);
    int a = call("127.0.0.1", listener_port(h.li));
    int b = call("127.0.0.1", listener_port(h.li));
    fixture_run_to_end(h.f);
    assert_int_equal(h.accepted, 1);
    close_kept(&h);
    close(a);
    close(b);
}

static void count_lines(void *arg, enum log_level level, const char *line, size_t length)
{
    struct host *h = arg;
    (void)length;
    assert_int_equal(level, LOG_ERROR);
    assert_non_null(strstr(line, "pausing"));
    h->logged++;
}

/* The lowest limit that leaves no descriptor free: what is open stays open. */
static void forbid_new_fds(struct rlimit *before)
{
    assert_int_equal(getrlimit(RLIMIT_NOFILE, before), 0);
    int lowest = fcntl(0, F_DUPFD_CLOEXEC, 0);
    struct rlimit tight = {(rlim_t)lowest, before->rlim_max};
    close(lowest);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
}

static void a_shortage_of_descriptors_pauses_and_passes(void **state)
{
    struct host h = {.f = *state, .wanted = 1};
    struct rlimit before;
    listen_on_loopback(&h);
    int a = call("127.0.0.1", listener_port(h.li));
    log_set_sink(count_lines, &h);
    forbid_new_fds(&before);
    uint64_t rounds = fixture_rounds(h.f, 350);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(rounds < 20);
    assert_int_equal(h.accepted, 0);
    assert_int_equal(h.logged, 1);
    /* Valgrind plays the limit itself and loses the first caller: the second is there for it. */
    int b = call("127.0.0.1", listener_port(h.li));
    loop_run(h.f->l);
    assert_in_range(h.accepted, 1, 2);
    log_set_sink(NULL, NULL);
    close_kept(&h);
    close(a);
    close(b);
    listener_close(h.li);
}

static void listening_descriptors_can_be_taken_over(void **state)
{
    struct host h = {.f = *state, .wanted = 1};
    struct sockaddr_in sa = {.sin_family = AF_INET};
    socklen_t len = sizeof(sa);
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    h.li = listener_new_fds(h.f->l, &fd, 1, on_accept, &h);
    assert_int_equal(listener_port(h.li), ntohs(sa.sin_port));
    int a = call("127.0.0.1", listener_port(h.li));
    loop_run(h.f->l);
    assert_int_equal(h.accepted, 1);
    close_kept(&h);
    close(a);
    listener_close(h.li);
}

/* ---- Unix ---- */

struct place {
    char directory[32], path[64], other[64];
};

static void make_place(struct place *p)
{
    snprintf(p->directory, sizeof(p->directory), "/tmp/adit-listen-XXXXXX");
    assert_non_null(mkdtemp(p->directory));
    snprintf(p->path, sizeof(p->path), "%s/s", p->directory);
    snprintf(p->other, sizeof(p->other), "%s/o", p->directory);
}

static void remove_place(const struct place *p)
{
    unlink(p->path);
    unlink(p->other);
    assert_int_equal(rmdir(p->directory), 0);
}

static void a_unix_socket_has_its_mask_and_goes_with_its_listener(void **state)
{
    struct host h = {.f = *state, .wanted = 1};
    struct place p;
    struct stat st;
    int error;
    make_place(&p);
    assert_ok(listener_new_unix(&h.li, h.f->l, p.path, 0177, false, on_accept, &h, &error));
    assert_int_equal(stat(p.path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", p.path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    loop_run(h.f->l);
    assert_string_equal(h.from, "");
    struct host second = {.f = *state};
    assert_int_equal(
        listener_new_unix(&second.li, h.f->l, p.path, 0177, false, on_accept, &second, &error),
        ERR_EXISTS);
    listener_close(h.li);
    assert_int_equal(lstat(p.path, &st), -1);
    close_kept(&h);
    close(fd);
    remove_place(&p);
}

static void only_a_socket_is_unlinked_and_only_our_own_file_removed(void **state)
{
    struct host h = {.f = *state};
    struct host second = {.f = *state};
    struct place p;
    struct stat st;
    int error;
    make_place(&p);
    close(open(p.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(listener_new_unix(&h.li, h.f->l, p.path, 0177, true, on_accept, &h, &error),
                     ERR_EXISTS);
    assert_int_equal(stat(p.path, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    unlink(p.path);
    assert_ok(listener_new_unix(&h.li, h.f->l, p.path, 0177, true, on_accept, &h, &error));
    /* The second takes the place of the first, whose end must leave it alone. */
    assert_ok(
        listener_new_unix(&second.li, h.f->l, p.path, 0177, true, on_accept, &second, &error));
    listener_close(h.li);
    assert_int_equal(lstat(p.path, &st), 0);
    listener_close(second.li);
    assert_int_equal(lstat(p.path, &st), -1);
    remove_place(&p);
}

static void a_path_too_long_is_refused(void **state)
{
    struct host h = {.f = *state};
    char path[109];
    int error;
    memset(path, 'x', 108);
    path[0] = '/';
    path[108] = '\0';
    assert_int_equal(listener_new_unix(&h.li, h.f->l, path, 0177, true, on_accept, &h, &error),
                     ERR_IO);
    assert_int_equal(error, ENAMETOOLONG);
}

/* ---- addresses ---- */

static void numeric_addresses_are_parsed_and_names_are_not(void **state)
{
    static const char *const good[] = {"127.0.0.1", "0.0.0.0",    "::1",      "[::1]",
                                       "::",        "fe80::1%lo", "fe80::1%1"};
    static const char *const bad[] = {"",     "localhost", "127.1",     "[127.0.0.1]",
                                      "[::1", "fe80::1%",  "::1 ",      "1.2.3.4.5",
                                      "*",    "[]",        "fe80::1%?", "::1%99999999999"};
    struct socket_address out;
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_ok(socket_address_parse(good[i], &out));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(socket_address_parse(bad[i], &out), ERR_FORMAT);
}

static void wildcards_and_numbers_are_resolved_for_listening(void **state)
{
    struct socket_address out[4];
    size_t count;
    (void)state;
    assert_ok(socket_address_resolve("127.0.0.1", AF_UNSPEC, out, 4, &count));
    assert_int_equal(count, 1);
    assert_int_equal(socket_address_resolve("127.0.0.1", AF_INET6, out, 4, &count), ERR_NOT_FOUND);
    assert_ok(socket_address_resolve("*", AF_INET, out, 4, &count));
    assert_int_equal(count, 1);
    const struct sockaddr_in *sa = (const struct sockaddr_in *)(const void *)&out[0].sa;
    assert_int_equal(sa->sin_addr.s_addr, htonl(INADDR_ANY));
}

/* ---- beside others ---- */

#define CALLERS 64

/* Who took how many of a crowd. */
struct share {
    struct fixture *f;
    int *left;
    int taken;
};

static void on_shared(void *owner, int fd, const char *from UNUSED, uint16_t from_port UNUSED)
{
    struct share *s = owner;
    close(fd);
    s->taken++;
    if (--*s->left == 0)
        loop_stop(s->f->l);
}

/* A crowd at the listener's port, until all were taken. */
static void send_crowd(struct fixture *f, const struct listener *li, int *left)
{
    int fds[CALLERS];
    *left = CALLERS;
    for (int i = 0; i < CALLERS; i++)
        fds[i] = call("127.0.0.1", listener_port(li));
    loop_run(f->l);
    for (int i = 0; i < CALLERS; i++)
        close(fds[i]);
}

static void those_that_share_are_given_callers_in_turn(void **state)
{
    int left, error, fd;
    struct share shares[] = {{.f = *state, .left = &left}, {.f = *state, .left = &left}};
    struct loop *l = shares[0].f->l;
    struct socket_address address;
    struct listener *first, *second;
    assert_ok(socket_address_parse("127.0.0.1", &address));
    assert_ok(listener_new_tcp(&first, l, &address, 1, 0, on_shared, &shares[0], &error));
    assert_int_equal(listener_fds(first, &fd, 1), 1);
    int lent = dup(fd);
    assert_int_equal(listener_new_beside(&second, l, &lent, 1, on_shared, &shares[1], &error),
                     ERR_EXISTS);
    assert_int_equal(fcntl(lent, F_GETFD), -1); /* it was taken over all the same */
    assert_int_equal(listener_share(first), 0);
    lent = dup(fd);
    assert_ok(listener_new_beside(&second, l, &lent, 1, on_shared, &shares[1], &error));
    assert_int_equal(listener_port(second), listener_port(first));
    send_crowd(shares[0].f, first, &left);
    assert_true(shares[0].taken > 0 && shares[1].taken > 0);
    /* Who asks for the port without sharing finds it taken. */
    struct listener *third;
    assert_int_equal(listener_new_tcp(&third, l, &address, 1, listener_port(first), on_shared,
                                      &shares[1], &error),
                     ERR_EXISTS);
    int before = shares[1].taken;
    listener_close(first);
    send_crowd(shares[0].f, second, &left);
    assert_int_equal(shares[1].taken, before + CALLERS);
    listener_close(second);
}

/* What a process that may bind the port has made ready for one that may not. */
static void a_socket_made_beside_is_used_as_it_is(void **state)
{
    int left, error, fd, ready, pair[2];
    struct share shares[] = {{.f = *state, .left = &left}, {.f = *state, .left = &left}};
    struct loop *l = shares[0].f->l;
    struct socket_address address;
    struct listener *first, *second;
    assert_ok(socket_address_parse("127.0.0.1", &address));
    assert_ok(listener_new_tcp(&first, l, &address, 1, 0, on_shared, &shares[0], &error));
    assert_int_equal(listener_fds(first, &fd, 1), 1);
    assert_int_equal(socket_beside(fd, &ready), EADDRINUSE);
    assert_int_equal(listener_share(first), 0);
    assert_int_equal(socket_beside(fd, &ready), 0);
    assert_ok(listener_new_beside(&second, l, &ready, 1, on_shared, &shares[1], &error));
    send_crowd(shares[0].f, first, &left);
    assert_true(shares[0].taken > 0 && shares[1].taken > 0);
    listener_close(second);
    listener_close(first);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(socket_beside(pair[0], &ready), EINVAL);
    assert_int_equal(listener_new_beside(&second, l, NULL, 0, on_shared, &shares[1], &error),
                     ERR_IO);
    close(pair[0]);
    close(pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IO_TEST(both_families_get_one_port),
        IO_TEST(an_address_in_use_undoes_the_others),
        IO_TEST(an_address_the_host_lacks_is_skipped),
        IO_TEST(callers_wait_while_accepting_is_off),
        IO_TEST(close_within_accept_is_the_last_call),
        IO_TEST(a_shortage_of_descriptors_pauses_and_passes),
        IO_TEST(listening_descriptors_can_be_taken_over),
        IO_TEST(a_unix_socket_has_its_mask_and_goes_with_its_listener),
        IO_TEST(only_a_socket_is_unlinked_and_only_our_own_file_removed),
        IO_TEST(a_path_too_long_is_refused),
        IO_TEST(numeric_addresses_are_parsed_and_names_are_not),
        IO_TEST(wildcards_and_numbers_are_resolved_for_listening),
        IO_TEST(those_that_share_are_given_callers_in_turn),
        IO_TEST(a_socket_made_beside_is_used_as_it_is),
    };
    return RUN_TESTS(tests);
}
