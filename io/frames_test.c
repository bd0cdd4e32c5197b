/* Frames and descriptors on a Unix stream, between two ends and from an end that cheats. */
#include <sys/stat.h>

#include "io/fixture.h"
#include "io/frames.h"

#define MAX_FRAME 65536

struct end {
    struct fixture *f;
    struct frames *frames;
    int count, wanted; /* frames */
    size_t last_length, want_fds;
    int fds[FRAMES_FDS_MAX];
    size_t fd_count;
    bool has_ended, close_at_frame;
    const char *fault;
};

static void on_event(void *owner, const struct frames_event *e)
{
    struct end *end = owner;
    switch (e->kind) {
    case FRAMES_FRAME:
        end->last_length = e->frame.len;
        if (end->want_fds)
            frames_want_fds(end->frames, end->want_fds);
        if (end->close_at_frame)
            frames_close(end->frames);
        if (++end->count == end->wanted)
            loop_stop(end->f->l);
        break;
    case FRAMES_FDS:
        end->fd_count = e->fd_count;
        for (size_t i = 0; i < e->fd_count; i++)
            end->fds[i] = e->fds[i];
        loop_stop(end->f->l);
        break;
    case FRAMES_ENDED:
        end->has_ended = true;
        end->fault = e->fault;
        loop_stop(end->f->l);
        break;
    }
}

static void make_pair(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

static void frames_of_all_sizes_pass_in_order(void **state)
{
    struct fixture *f = *state;
    static const size_t sizes[] = {0, 1, 4, 4095, 4096, 4097, MAX_FRAME};
    static uint8_t bytes[MAX_FRAME];
    int fds[2];
    make_pair(fds);
    struct end a = {.f = f}, b = {.f = f, .wanted = ARRAY_LEN(sizes)};
    a.frames = frames_new(f->l, fds[0], MAX_FRAME, on_event, &a);
    b.frames = frames_new(f->l, fds[1], MAX_FRAME, on_event, &b);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        frames_send(a.frames, slice_of(bytes, sizes[i]));
    loop_run(f->l);
    assert_int_equal(b.count, ARRAY_LEN(sizes));
    assert_int_equal(b.last_length, MAX_FRAME);
    frames_close(a.frames);
    loop_run(f->l);
    assert_true(b.has_ended);
    assert_null(b.fault);
    frames_close(b.frames);
}

static void descriptors_come_between_frames(void **state)
{
    struct fixture *f = *state;
    int fds[2], pipe_fds[2];
    make_pair(fds);
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    struct end a = {.f = f}, b = {.f = f, .want_fds = 3};
    a.frames = frames_new(f->l, fds[0], MAX_FRAME, on_event, &a);
    b.frames = frames_new(f->l, fds[1], MAX_FRAME, on_event, &b);
    frames_send(a.frames, slice_text("three follow"));
    for (int i = 0; i < 3; i++)
        frames_send_fd(a.frames, pipe_fds[1]);
    frames_send(a.frames, slice_text("and a frame"));
    loop_run(f->l);
    assert_int_equal(b.fd_count, 3);
    assert_int_equal(write(b.fds[2], "x", 1), 1);
    char byte;
    assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
    b.want_fds = 0;
    b.wanted = 2;
    if (b.count < 2)
        loop_run(f->l);
    assert_int_equal(b.last_length, strlen("and a frame"));
    for (int i = 0; i < 3; i++)
        close(b.fds[i]);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    frames_close(a.frames);
    frames_close(b.frames);
}

static void what_breaks_the_form_ends_it(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *bytes;
        size_t length, want_fds;
    } rows[] = {
        {"\xff\xff\xff\xff", 4, 0},   /* too long */
        {"\x00\x01\x00\x01x", 5, 0},  /* by one */
        {"\x00\x00\x00\x01yz", 6, 3}, /* a byte without its descriptor */
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int fds[2];
        make_pair(fds);
        struct end b = {.f = f, .want_fds = rows[i].want_fds};
        b.frames = frames_new(f->l, fds[1], MAX_FRAME, on_event, &b);
        assert_int_equal(write(fds[0], rows[i].bytes, rows[i].length), rows[i].length);
        loop_run(f->l);
        assert_true(b.has_ended);
        assert_non_null(b.fault);
        frames_close(b.frames);
        close(fds[0]);
    }
}

static void it_may_be_closed_inside_its_event(void **state)
{
    struct fixture *f = *state;
    int fds[2];
    make_pair(fds);
    struct end b = {.f = f, .close_at_frame = true, .wanted = 1};
    b.frames = frames_new(f->l, fds[1], MAX_FRAME, on_event, &b);
    assert_int_equal(write(fds[0], "\0\0\0\1a\0\0\0\1b", 10), 10);
    loop_run(f->l);
    assert_int_equal(b.count, 1);
    close(fds[0]);
}

static void one_that_never_reads_is_given_up_on(void **state)
{
    struct fixture *f = *state;
    static uint8_t bytes[MAX_FRAME];
    int fds[2];
    make_pair(fds);
    struct end a = {.f = f};
    a.frames = frames_new(f->l, fds[0], MAX_FRAME, on_event, &a);
    for (int i = 0; i < 64 && !a.has_ended; i++)
        frames_send(a.frames, slice_of(bytes, sizeof(bytes)));
    assert_true(a.has_ended);
    frames_close(a.frames);
    close(fds[1]);
}

static void a_place_is_taken_once_and_left_by_its_owner_alone(void **state UNUSED)
{
    char folder[] = "/tmp/adit-frames-XXXXXX";
    struct frames_place one, two;
    struct stat st;
    int error_number, fd;
    assert_non_null(mkdtemp(folder));
    char *path = mem_printf("%s/ctl", folder);
    assert_int_equal(frames_connect(path, &fd, &error_number), ERR_NOT_FOUND);
    assert_ok(frames_listen(path, &one, &error_number));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(frames_listen(path, &two, &error_number), ERR_EXISTS);
    assert_ok(frames_connect(path, &fd, &error_number));
    close(fd);
    assert_int_equal(unlink(path), 0);
    assert_ok(frames_listen(path, &two, &error_number));
    frames_leave(&one); /* what lies there is another's */
    assert_int_equal(stat(path, &st), 0);
    frames_leave(&two);
    assert_int_equal(stat(path, &st), -1);
    close(one.fd);
    close(two.fd);
    assert_int_equal(rmdir(folder), 0);
    mem_free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IO_TEST(frames_of_all_sizes_pass_in_order),
        IO_TEST(descriptors_come_between_frames),
        IO_TEST(what_breaks_the_form_ends_it),
        IO_TEST(it_may_be_closed_inside_its_event),
        IO_TEST(one_that_never_reads_is_given_up_on),
        cmocka_unit_test(a_place_is_taken_once_and_left_by_its_owner_alone),
    };
    return RUN_TESTS(tests);
}
