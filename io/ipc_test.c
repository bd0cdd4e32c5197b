/* Records and descriptors between two ends. */
#include <dirent.h>

#include "io/fixture.h"
#include "io/ipc.h"

struct end {
    struct fixture *f;
    struct ipc *i;
    int messages, wanted;
    bool close_at_message;
    bool use_fds; /* each is the end of a pipe: written to and closed */
    enum err last;
    size_t bytes;
    char text[64];
    int fds[IPC_FDS_MAX];
    size_t fd_count;
    uint32_t next; /* number expected in the next record */
    bool numbered;
};

static void on_message(void *owner, enum err err, struct slice bytes, const int *fds,
                       size_t fd_count)
{
    struct end *e = owner;
    e->last = err;
    e->fd_count = fd_count;
    for (size_t i = 0; i < fd_count; i++)
        e->fds[i] = fds[i];
    if (err != OK) {
        assert_int_equal(bytes.len, 0);
        assert_int_equal(fd_count, 0);
        loop_stop(e->f->l);
        return;
    }
    e->bytes = bytes.len;
    for (size_t i = 0; e->use_fds && i < fd_count; i++) {
        assert_int_equal(write(fds[i], "x", 1), 1);
        close(fds[i]);
    }
    if (e->numbered) {
        assert_memory_equal(bytes.ptr, &e->next, sizeof(e->next));
        e->next++;
    }
    memcpy(e->text, bytes.ptr, MIN(bytes.len, sizeof(e->text)));
    if (e->close_at_message)
        ipc_close(e->i);
    if (++e->messages == e->wanted)
        loop_stop(e->f->l);
}

static int count_fds(void)
{
    int count = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d))
        count++;
    closedir(d);
    return count;
}

static void two_ends(struct fixture *f, struct end *a, struct end *b)
{
    int fds[2];
    assert_ok(ipc_pair(fds));
    a->f = b->f = f;
    a->i = ipc_new(f->l, fds[0], on_message, a);
    b->i = ipc_new(f->l, fds[1], on_message, b);
}

static void a_record_arrives_whole_with_its_descriptors(void **state)
{
    struct end a = {0};
    struct end b = {.wanted = 1};
    int pipes[2];
    static uint8_t big[IPC_MESSAGE_MAX];
    two_ends(*state, &a, &b);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    assert_ok(ipc_send(a.i, slice_text("two ends of a pipe"), pipes, 2));
    loop_run(b.f->l);
    assert_int_equal(b.bytes, strlen("two ends of a pipe"));
    assert_memory_equal(b.text, "two ends of a pipe", b.bytes);
    assert_int_equal(b.fd_count, 2);
    assert_true(fcntl(b.fds[0], F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write(b.fds[1], "x", 1), 1);
    char c;
    assert_int_equal(read(pipes[0], &c, 1), 1);
    for (int i = 0; i < 2; i++) {
        close(pipes[i]);
        close(b.fds[i]);
    }
    b.wanted = 2;
    assert_ok(ipc_send(a.i, slice_of(big, sizeof(big)), NULL, 0));
    loop_run(b.f->l);
    assert_int_equal(b.bytes, sizeof(big));
    ipc_close(a.i);
    ipc_close(b.i);
    ipc_close(NULL);
}

static void records_queue_in_order_up_to_the_limit(void **state)
{
    struct end a = {0};
    struct end b = {.numbered = true};
    static uint8_t record[30000];
    uint32_t sent = 0;
    enum err err;
    two_ends(*state, &a, &b);
    for (;; sent++) {
        memcpy(record, &sent, sizeof(sent));
        err = ipc_send(a.i, slice_of(record, sizeof(record)), NULL, 0);
        if (err != OK)
            break;
    }
    assert_int_equal(err, ERR_LIMIT);
    assert_in_range(sent, 601, 2000); /* 600 in the queue and some in the kernel */
    b.wanted = (int)sent;
    loop_run(b.f->l);
    assert_int_equal(b.next, sent);
    ipc_close(a.i);
    ipc_close(b.i);
}

static void queued_descriptors_are_duplicates_and_given_up(void **state)
{
    struct end a = {0};
    struct end b = {0};
    static uint8_t record[30000];
    int pipes[2];
    int before = count_fds();
    two_ends(*state, &a, &b);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    for (int i = 0; i < 40; i++)
        assert_ok(ipc_send(a.i, slice_of(record, sizeof(record)), &pipes[1], 1));
    close(pipes[1]);
    b.wanted = 20;
    b.use_fds = true;
    loop_run(b.f->l);
    assert_true(b.messages >= 20);
    ipc_close(a.i);
    ipc_close(b.i);
    char seen[64];
    assert_int_equal(read(pipes[0], seen, sizeof(seen)), b.messages);
    assert_int_equal(read(pipes[0], seen, sizeof(seen)), 0); /* no writing end is left anywhere */
    close(pipes[0]);
    fixture_run_to_end(*state);
    assert_int_equal(count_fds(), before);
}

static void the_end_comes_after_the_last_record(void **state)
{
    struct end a = {0};
    struct end b = {0};
    two_ends(*state, &a, &b);
    /* The other side leaves with a record of ours unread: what it sent still arrives. */
    assert_ok(ipc_send(b.i, slice_text("unread"), NULL, 0));
    assert_ok(ipc_send(a.i, slice_text("last words"), NULL, 0));
    ipc_close(a.i);
    loop_run(b.f->l);
    assert_int_equal(b.messages, 1);
    assert_memory_equal(b.text, "last words", 10);
    assert_int_equal(b.last, ERR_EOF);
    assert_true(fixture_rounds(b.f, 20) < 5);
    assert_int_equal(ipc_send(b.i, slice_text("x"), NULL, 0), ERR_EOF);
    ipc_close(b.i);
}

/* Before the loop has looked, and whether or not the owner closes within it. */
static void what_has_come_can_be_had_at_once(void **state)
{
    for (int closes = 0; closes < 2; closes++) {
        struct end a = {0};
        struct end b = {.wanted = 99, .close_at_message = closes != 0};
        two_ends(*state, &a, &b);
        assert_ok(ipc_send(a.i, slice_text("one"), NULL, 0));
        assert_ok(ipc_send(a.i, slice_text("two"), NULL, 0));
        ipc_close(a.i);
        ipc_drain(b.i);
        assert_int_equal(b.messages, closes ? 1 : 2);
        assert_int_equal(b.last, closes ? OK : ERR_EOF);
        if (!closes)
            ipc_close(b.i);
    }
}

static void close_within_the_message_is_the_last_event(void **state)
{
    struct end a = {0};
    struct end b = {.close_at_message = true};
    two_ends(*state, &a, &b);
    assert_ok(ipc_send(a.i, slice_text("one"), NULL, 0));
    assert_ok(ipc_send(a.i, slice_text("two"), NULL, 0));
    loop_run(b.f->l); /* a hears the end */
    assert_int_equal(a.last, ERR_EOF);
    assert_int_equal(b.messages, 1);
    ipc_close(a.i);
}

/* Sends more bytes or descriptors than a record may have, past our own checks. */
static void send_raw(int fd, size_t length, size_t fd_count)
{
    static uint8_t bytes[IPC_MESSAGE_MAX + 1];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * 8)];
    } control = {0};
    struct iovec iov = {bytes, length};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fd_count) {
        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        for (size_t i = 0; i < fd_count; i++)
            memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(int));
    }
    assert_int_equal(sendmsg(fd, &m, MSG_NOSIGNAL), length);
}

static void too_much_is_refused_and_leaks_nothing(void **state)
{
    static const struct {
        size_t length, fd_count;
    } cases[] = {{IPC_MESSAGE_MAX + 1, 0}, {1, IPC_FDS_MAX + 1}, {1, 8}, {IPC_MESSAGE_MAX + 1, 3}};
    for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
        struct end b = {.f = *state};
        int fds[2];
        assert_ok(ipc_pair(fds));
        b.i = ipc_new(b.f->l, fds[1], on_message, &b);
        send_raw(fds[0], cases[n].length, cases[n].fd_count);
        int before = count_fds();
        loop_run(b.f->l);
        assert_int_equal(b.last, ERR_FORMAT);
        assert_int_equal(b.messages, 0);
        assert_int_equal(count_fds(), before);
        ipc_close(b.i);
        close(fds[0]);
    }
}

static void the_blocking_calls_do_the_same(void **state)
{
    struct buf bytes;
    int fds[2], got[IPC_FDS_MAX];
    size_t count;
    (void)state;
    buf_init_secret(&bytes, IPC_MESSAGE_MAX);
    assert_ok(ipc_pair(fds));
    assert_ok(ipc_send_blocking(fds[0], slice_text("hello"), &fds[0], 1));
    assert_ok(ipc_recv_blocking(fds[1], &bytes, got, &count));
    assert_true(slice_is(buf_slice(&bytes), "hello"));
    assert_int_equal(count, 1);
    close(got[0]);
    send_raw(fds[0], IPC_MESSAGE_MAX + 1, 0);
    assert_int_equal(ipc_recv_blocking(fds[1], &bytes, got, &count), ERR_FORMAT);
    assert_int_equal(buf_len(&bytes), 0);
    /* A descriptor somebody made non-blocking is waited for. */
    assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    assert_ok(ipc_send_blocking(fds[0], slice_text("again"), NULL, 0));
    assert_ok(ipc_recv_blocking(fds[1], &bytes, got, &count));
    assert_int_equal(count, 0);
    close(fds[0]);
    assert_int_equal(ipc_recv_blocking(fds[1], &bytes, got, &count), ERR_EOF);
    assert_int_equal(ipc_send_blocking(fds[1], slice_text("x"), NULL, 0), ERR_EOF);
    close(fds[1]);
    buf_done(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IO_TEST(a_record_arrives_whole_with_its_descriptors),
        IO_TEST(records_queue_in_order_up_to_the_limit),
        IO_TEST(queued_descriptors_are_duplicates_and_given_up),
        IO_TEST(the_end_comes_after_the_last_record),
        IO_TEST(what_has_come_can_be_had_at_once),
        IO_TEST(close_within_the_message_is_the_last_event),
        IO_TEST(too_much_is_refused_and_leaks_nothing),
        IO_TEST(the_blocking_calls_do_the_same),
    };
    return RUN_TESTS(tests);
}
