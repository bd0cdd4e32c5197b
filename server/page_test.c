/* The page as a terminal shows it: at several widths, as numbers move, and with hostile text. */
#include <stdio.h>
#include <stdlib.h>

#include "server/page.h"
#include "tests/unit.h"

#define SCREEN_ROWS    40
#define SCREEN_COLUMNS 220

/* A terminal that knows what the page may use, and fails on anything else. */
struct screen {
    size_t columns, row, column;
    char text[SCREEN_ROWS][SCREEN_COLUMNS];
};

static void screen_init(struct screen *sc, size_t columns)
{
    *sc = (struct screen){.columns = columns};
    for (size_t i = 0; i < SCREEN_ROWS; i++)
        memset(sc->text[i], ' ', SCREEN_COLUMNS);
}

static void screen_escape(struct screen *sc, const char **at)
{
    char *end;
    assert_int_equal((*at)[1], '[');
    size_t n = strtoul(*at + 2, &end, 10);
    if (*end == 'A') {
        assert_in_range(n, 1, sc->row);
        sc->row -= n;
    } else if (*end == 'K' || *end == 'J') {
        memset(sc->text[sc->row] + sc->column, ' ', SCREEN_COLUMNS - sc->column);
        for (size_t i = sc->row + 1; *end == 'J' && i < SCREEN_ROWS; i++)
            memset(sc->text[i], ' ', SCREEN_COLUMNS);
    } else {
        fail_msg("an escape sequence that ends with %c", *end);
    }
    *at = end;
}

static void screen_write(struct screen *sc, const struct buf *out)
{
    char *text CLEANUP(mem_cleanup) = buf_strdup(out);
    for (const char *at = text; *at; at++) {
        if (*at == '\x1b') {
            screen_escape(sc, &at);
        } else if (*at == '\r') {
            sc->column = 0;
        } else if (*at == '\n') {
            assert_true(++sc->row < SCREEN_ROWS);
        } else {
            assert_in_range(*at, ' ', '~');
            assert_true(sc->column + 1 < sc->columns); /* the last column stays free */
            sc->text[sc->row][sc->column++] = *at;
        }
    }
}

/* Every row without its trailing blanks; the caller frees. */
static char *screen_text(const struct screen *sc)
{
    struct buf out;
    buf_init(&out, SCREEN_ROWS * SCREEN_COLUMNS);
    for (size_t i = 0; i < sc->row; i++) {
        size_t n = SCREEN_COLUMNS;
        while (n > 0 && sc->text[i][n - 1] == ' ')
            n--;
        assert_ok(buf_append(&out, sc->text[i], n));
        assert_ok(buf_append(&out, "\n", 1));
    }
    char *text = buf_strdup(&out);
    buf_done(&out);
    return text;
}

static void draw(struct page *p, struct screen *sc, uint32_t columns, uint32_t rows,
                 uint64_t now_ms)
{
    struct buf out;
    buf_init(&out, 64 * 1024);
    assert_ok(page_draw(p, columns, rows, &out));
    screen_write(sc, &out);
    page_sent(p, now_ms);
    buf_done(&out);
}

static const struct page_row two[] = {
    {.id = 1,
     .where = "127.0.0.1:20080 and [::1]:20080, this machine only",
     .is_listener = true,
     .connections = 12,
     .open = 3,
     .sent = 1300000,
     .received = 3200},
    {.id = 2, .where = "0.0.0.0:80 and [::]:80, anyone who reaches this host", .is_listener = true},
};

#define assert_screen(sc_, text_)                                                                  \
    do {                                                                                           \
        char *shown CLEANUP(mem_cleanup) = screen_text(sc_);                                       \
        assert_string_equal(shown, text_);                                                         \
    } while (0)

static void a_page_says_what_is_bound_and_what_went_through(void **state UNUSED)
{
    struct screen sc;
    struct page *p = page_new();
    screen_init(&sc, 80);
    assert_true(page_look(p, two, 2, 1000));
    draw(p, &sc, 80, 24, 1000);
    assert_screen(&sc,
                  "This account has no shell here; your forwards stay open. Press Ctrl-C to end.\n"
                  "127.0.0.1:20080 and [::1]:20080, this machine only\n"
                  "  3 open, 12 in all   sent 1.2 MiB   received 3.1 KiB\n"
                  "0.0.0.0:80 and [::]:80, anyone who reaches this host\n"
                  "  0 open, 0 in all   sent 0 B   received 0 B\n");
    assert_false(page_look(p, two, 2, 2000)); /* nothing moved: nothing is drawn */
    page_free(p);
}

static void forty_columns_are_enough(void **state UNUSED)
{
    struct screen sc;
    struct page *p = page_new();
    screen_init(&sc, 40);
    assert_true(page_look(p, two, 1, 1000));
    draw(p, &sc, 40, 24, 1000);
    assert_screen(&sc, "This account has no shell here; your\n"
                       "    forwards stay open. Press Ctrl-C to\n"
                       "    end.\n"
                       "127.0.0.1:20080 and [::1]:20080, this\n"
                       "    machine only\n"
                       "  3 open, 12 in all   sent 1.2 MiB\n"
                       "  received 3.1 KiB\n");
    page_free(p);
}

static void every_size_of_window_is_kept(void **state UNUSED)
{
    struct page_row rows[30];
    for (size_t i = 0; i < 30; i++) {
        rows[i] = two[0];
        rows[i].id = i + 1;
        rows[i].connections = rows[i].open = rows[i].sent = rows[i].received = UINT64_MAX;
    }
    for (uint32_t columns = 0; columns < 230; columns++) {
        for (uint32_t height = 0; height < 30; height++) {
            struct screen sc;
            struct page *p = page_new();
            screen_init(&sc, columns == 0 ? 80 : MIN(MAX(columns, 20), 200));
            assert_true(page_look(p, rows, 30, 1000));
            draw(p, &sc, columns, height, 1000);
            assert_true(sc.row < MAX(height == 0 ? 24 : height, 4));
            draw(p, &sc, columns, height, 1000); /* the second lies over the first */
            assert_true(sc.row < MAX(height == 0 ? 24 : height, 4));
            page_free(p);
        }
    }
}

static void what_does_not_fit_is_said_to_be_missing(void **state UNUSED)
{
    struct screen sc;
    struct page *p = page_new();
    screen_init(&sc, 80);
    assert_true(page_look(p, two, 2, 1000));
    draw(p, &sc, 80, 4, 1000);
    assert_screen(&sc,
                  "This account has no shell here; your forwards stay open. Press Ctrl-C to end.\n"
                  "127.0.0.1:20080 and [::1]:20080, this machine only\n"
                  "... more than fits into this window\n");
    page_free(p);
}

static void a_redraw_replaces_and_shows_the_rate_until_it_is_quiet(void **state UNUSED)
{
    struct screen sc;
    struct page *p = page_new();
    struct page_row row = two[1];
    screen_init(&sc, 100);
    assert_true(page_look(p, &row, 1, 1000));
    draw(p, &sc, 100, 24, 1000);
    row.connections = row.open = 1;
    row.sent = 2048 * 1024;
    row.received = 100;
    assert_true(page_look(p, &row, 1, 2000));
    draw(p, &sc, 100, 24, 2000);
    assert_screen(&sc,
                  "This account has no shell here; your forwards stay open. Press Ctrl-C to end.\n"
                  "0.0.0.0:80 and [::]:80, anyone who reaches this host\n"
                  "  1 open, 1 in all   sent 2.0 MiB, 2.0 MiB/s   received 100 B, 100 B/s\n");
    assert_true(page_look(p, &row, 1, 3000));
    draw(p, &sc, 100, 24, 3000);
    assert_screen(&sc,
                  "This account has no shell here; your forwards stay open. Press Ctrl-C to end.\n"
                  "0.0.0.0:80 and [::]:80, anyone who reaches this host\n"
                  "  1 open, 1 in all   sent 2.0 MiB   received 100 B\n");
    assert_false(page_look(p, &row, 1, 4000));
    page_free(p);
}

static void a_forward_that_went_leaves_nothing_on_the_screen(void **state UNUSED)
{
    struct screen sc;
    struct buf out;
    struct page *p = page_new();
    screen_init(&sc, 80);
    assert_true(page_look(p, two, 2, 1000));
    draw(p, &sc, 80, 24, 1000);
    assert_true(page_look(p, two, 0, 2000));
    draw(p, &sc, 80, 24, 2000);
    assert_screen(&sc,
                  "This account has no shell here; your forwards stay open. Press Ctrl-C to end.\n"
                  "no remote forwards\n");
    buf_init(&out, 100);
    assert_ok(page_erase(p, 80, 24, &out));
    screen_write(&sc, &out);
    assert_int_equal(sc.row, 0);
    sc.row = SCREEN_ROWS;
    char *left CLEANUP(mem_cleanup) = screen_text(&sc);
    assert_int_equal(strspn(left, "\n"), strlen(left));
    buf_done(&out);
    page_free(p);
}

/* 60 columns fold into two rows of 40: the page begins further up than it has lines. */
static void a_narrower_window_is_cleared_of_what_it_folded(void **state UNUSED)
{
    struct buf out;
    struct screen sc;
    struct page *p = page_new();
    screen_init(&sc, 80);
    assert_true(page_look(p, two, 1, 1000));
    draw(p, &sc, 80, 24, 1000);
    buf_init(&out, 4096);
    assert_ok(page_draw(p, 40, 24, &out));
    char *text CLEANUP(mem_cleanup) = buf_strdup(&out);
    assert_int_equal(strncmp(text, "\r\x1b[6A", 5), 0); /* 77 + 50 + 54 columns */
    buf_done(&out);
    page_free(p);
}

static void hostile_text_cannot_steer_the_terminal(void **state UNUSED)
{
    struct screen sc;
    struct page *p = page_new();
    const struct page_row row = {.id = 1, .where = "/tmp/\x1b[2J\xe2\x80\xae\n\\x\x9b\x7f"};
    screen_init(&sc, 80);
    assert_true(page_look(p, &row, 1, 1000));
    draw(p, &sc, 80, 24, 1000);
    char *shown CLEANUP(mem_cleanup) = screen_text(&sc);
    assert_non_null(strstr(shown, "/tmp/\\033[2J\\342\\200\\256\\012\\\\x\\233\\177"));
    page_free(p);
}

static void text_without_end_is_clipped(void **state UNUSED)
{
    char path[5000];
    struct buf out;
    struct screen sc;
    struct page *p = page_new();
    memset(path, '\x1b', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    const struct page_row row = {.id = 1, .where = path, .is_listener = true};
    screen_init(&sc, 40);
    assert_true(page_look(p, &row, 1, 1000));
    draw(p, &sc, 40, 35, 1000);
    buf_init(&out, 4096);
    page_say(p, "\n", 9000, &out);
    assert_in_range(buf_len(&out), 0, 2000);
    buf_done(&out);
    page_free(p);
}

static void who_ends_it_is_told_what_ssh_waits_for(void **state UNUSED)
{
    struct buf out;
    struct page *p = page_new();
    struct page_row row = two[0];
    buf_init(&out, 4096);
    assert_true(page_look(p, &row, 1, 1000));
    assert_ok(page_say_waiting(p, "\n", &out));
    assert_true(slice_is(buf_slice(&out),
                         "3 open connections: ssh waits for the end, or for another Ctrl-C.\n"));
    buf_clear(&out);
    row.open = 0;
    assert_true(page_look(p, &row, 1, 2000));
    assert_ok(page_say_waiting(p, "\n", &out));
    assert_int_equal(buf_len(&out), 0);
    buf_done(&out);
    page_free(p);
}

/* What page_say gives at that time, and that it was sent. The caller frees. */
static char *said(struct page *p, const struct page_row *rows, size_t count, uint64_t now_ms)
{
    struct buf out;
    buf_init(&out, 64 * 1024);
    (void)page_look(p, rows, count, now_ms);
    page_say(p, "\n", now_ms, &out);
    page_sent(p, now_ms);
    char *text = buf_strdup(&out);
    buf_done(&out);
    return text;
}

#define assert_said(p_, rows_, count_, now_ms_, text_)                                             \
    do {                                                                                           \
        char *lines CLEANUP(mem_cleanup) = said((p_), (rows_), (count_), (now_ms_));               \
        assert_string_equal(lines, text_);                                                         \
    } while (0)

static void without_a_terminal_changes_are_lines_and_not_too_many(void **state UNUSED)
{
    struct page *p = page_new();
    struct page_row row = two[1];
    assert_said(p, &row, 0, 1000,
                "This account has no shell here; your forwards stay open. Press Ctrl-C to end.\n"
                "no remote forwards\n");
    assert_said(p, &row, 1, 1100,
                "listening on 0.0.0.0:80 and [::]:80, anyone who reaches this host; 0 open, 0 in "
                "all; sent 0 B; received 0 B\n");
    row.connections = 1;
    row.sent = 5000;
    assert_said(p, &row, 1, 2000, "");
    assert_said(p, &row, 1, 3000, "");
    assert_said(p, &row, 1, 3100,
                "listening on 0.0.0.0:80 and [::]:80, anyone who reaches this host; 0 open, 1 in "
                "all; sent 4.9 KiB; received 0 B\n");
    assert_said(p, &row, 1, 9000, "");
    assert_said(p, &row, 0, 9100,
                "closed: 0.0.0.0:80 and [::]:80, anyone who reaches this host; 0 open, 1 in all; "
                "sent 4.9 KiB; received 0 B\n");
    assert_said(p, &row, 0, 9200, "");
    page_free(p);
}

static void what_found_no_room_comes_with_the_next_call(void **state UNUSED)
{
    struct buf out;
    struct page *p = page_new();
    buf_init(&out, 250); /* the head and one forward */
    assert_true(page_look(p, two, 2, 1000));
    page_say(p, "\n", 1000, &out);
    page_sent(p, 1000);
    char *first CLEANUP(mem_cleanup) = buf_strdup(&out);
    assert_non_null(strstr(first, "20080"));
    assert_null(strstr(first, "[::]:80"));
    buf_clear(&out);
    assert_true(page_look(p, two, 2, 1100));
    page_say(p, "\n", 1100, &out);
    char *second CLEANUP(mem_cleanup) = buf_strdup(&out);
    assert_null(strstr(second, "20080"));
    assert_non_null(strstr(second, "[::]:80"));
    assert_true(page_look(p, two, 2, 1200)); /* it was not sent: it is still to be said */
    buf_done(&out);
    buf_init(&out, 100);
    assert_int_equal(page_draw(p, 80, 24, &out), ERR_LIMIT);
    buf_done(&out);
    page_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_says_what_is_bound_and_what_went_through),
        cmocka_unit_test(forty_columns_are_enough),
        cmocka_unit_test(every_size_of_window_is_kept),
        cmocka_unit_test(what_does_not_fit_is_said_to_be_missing),
        cmocka_unit_test(a_redraw_replaces_and_shows_the_rate_until_it_is_quiet),
        cmocka_unit_test(a_forward_that_went_leaves_nothing_on_the_screen),
        cmocka_unit_test(a_narrower_window_is_cleared_of_what_it_folded),
        cmocka_unit_test(hostile_text_cannot_steer_the_terminal),
        cmocka_unit_test(text_without_end_is_clipped),
        cmocka_unit_test(who_ends_it_is_told_what_ssh_waits_for),
        cmocka_unit_test(without_a_terminal_changes_are_lines_and_not_too_many),
        cmocka_unit_test(what_found_no_room_comes_with_the_next_call),
    };
    return RUN_TESTS(tests);
}
