/* The page of a user's forwards as text. */
#include "server/page.h"

#include <stdio.h>

#include "base/list.h"

#define COLUMNS_MIN     20
#define COLUMNS_UNKNOWN 80
#define ROWS_MIN        4
#define ROWS_UNKNOWN    24
#define RATE_MS         500  /* over less than this a rate is noise */
#define TEXT_MAX        1024 /* of one forward's address, escaped */

static const char head[] =
    "This account has no shell here; your forwards stay open. Press Ctrl-C to end.";
static const char none[] = "no remote forwards";
static const char more[] = "... more than fits into this window";

struct numbers {
    uint64_t connections, open, sent, received;
    uint64_t sent_rate, received_rate; /* bytes a second */
};

struct entry {
    struct list link;
    uint64_t id;
    char where[TEXT_MAX];
    bool is_listener, is_gone, is_said, is_offered;
    struct numbers now, said;
    uint64_t said_ms;
    uint64_t since_ms, since_sent, since_received; /* where the rate is counted from */
};

struct page {
    struct list entries;
    bool is_shown;         /* something was sent */
    size_t drawn, offered; /* lines on the screen; lines of the last draw */
    uint8_t drawn_width[PAGE_ROWS_MAX], offered_width[PAGE_ROWS_MAX];
};

struct page *page_new(void)
{
    struct page *p = NEW(struct page);
    list_init(&p->entries);
    return p;
}

static void entry_free(struct entry *e)
{
    list_remove(&e->link);
    mem_free(e);
}

void page_free(struct page *p)
{
    if (!p)
        return;
    LIST_FOR (e, &p->entries, struct entry, link)
        entry_free(e);
    mem_free(p);
}

/* Printable ASCII only: every byte is one column, and nothing steers the terminal. */
static void make_safe(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (; *text && n + 5 < size; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '\\')
            n += (size_t)snprintf(out + n, size - n, "\\\\");
        else if (byte >= ' ' && byte < 127)
            out[n++] = (char)byte;
        else
            n += (size_t)snprintf(out + n, size - n, "\\%03o", byte);
    }
    out[n] = '\0';
}

/* ---- what is so ---- */

static struct entry *find(struct page *p, uint64_t id)
{
    LIST_FOR (e, &p->entries, struct entry, link) {
        if (e->id == id && !e->is_gone)
            return e;
    }
    return NULL;
}

static struct entry *entry_new(struct page *p, const struct page_row *row, uint64_t now_ms)
{
    struct entry *e = NEW(struct entry);
    e->id = row->id;
    e->is_listener = row->is_listener;
    make_safe(e->where, sizeof(e->where), row->where);
    e->since_ms = now_ms;
    e->since_sent = row->sent;
    e->since_received = row->received;
    list_append(&p->entries, &e->link);
    return e;
}

static uint64_t rate(uint64_t from, uint64_t to, uint64_t ms)
{
    return to > from ? (uint64_t)((double)(to - from) * 1000.0 / (double)ms) : 0;
}

static void entry_look(struct entry *e, const struct page_row *row, uint64_t now_ms)
{
    uint64_t ms = now_ms - e->since_ms;
    e->now.connections = row->connections;
    e->now.open = row->open;
    e->now.sent = row->sent;
    e->now.received = row->received;
    if (ms < RATE_MS)
        return;
    e->now.sent_rate = rate(e->since_sent, row->sent, ms);
    e->now.received_rate = rate(e->since_received, row->received, ms);
    e->since_ms = now_ms;
    e->since_sent = row->sent;
    e->since_received = row->received;
}

static bool is_counted_otherwise(const struct numbers *a, const struct numbers *b)
{
    return a->connections != b->connections || a->open != b->open || a->sent != b->sent ||
           a->received != b->received;
}

static bool is_news(const struct entry *e)
{
    return e->is_gone || !e->is_said || is_counted_otherwise(&e->now, &e->said) ||
           e->now.sent_rate != e->said.sent_rate || e->now.received_rate != e->said.received_rate;
}

/* Those that are not among the rows; who never saw one need not hear that it went. */
static void lose_others(struct page *p, const struct page_row *rows, size_t count)
{
    LIST_FOR (e, &p->entries, struct entry, link) {
        bool is_there = false;
        for (size_t i = 0; i < count && !is_there; i++)
            is_there = rows[i].id == e->id;
        if (is_there)
            continue;
        e->is_gone = true;
        if (!e->is_said)
            entry_free(e);
    }
}

bool page_look(struct page *p, const struct page_row *rows, size_t count, uint64_t now_ms)
{
    bool is_new = !p->is_shown;
    lose_others(p, rows, count);
    for (size_t i = 0; i < count; i++) {
        struct entry *e = find(p, rows[i].id);
        entry_look(e ? e : entry_new(p, &rows[i], now_ms), &rows[i], now_ms);
    }
    LIST_FOR (e, &p->entries, struct entry, link)
        is_new |= is_news(e);
    return is_new;
}

/* ---- words ---- */

/* "0 B", "512 B", "3.1 KiB", "42 MiB": at most 8 characters. */
static const char *size_text(uint64_t bytes, char text[16])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes / 1024.0;
    size_t unit = 0;
    if (bytes < 1024) {
        snprintf(text, 16, "%u B", (unsigned)bytes);
        return text;
    }
    /* What would be printed as 1024 is 1.0 of the next. */
    for (; value >= 1023.5 && unit + 1 < ARRAY_LEN(units); unit++)
        value /= 1024.0;
    snprintf(text, 16, value < 9.95 ? "%.1f %s" : "%.0f %s", value, units[unit]);
    return text;
}

static void bytes_text(const char *verb, uint64_t bytes, uint64_t a_second, char text[64])
{
    char size[16], speed[16];
    if (a_second)
        snprintf(text, 64, "%s %s, %s/s", verb, size_text(bytes, size), size_text(a_second, speed));
    else
        snprintf(text, 64, "%s %s", verb, size_text(bytes, size));
}

#define PIECES 3
struct pieces {
    char text[PIECES][64];
};

static struct pieces pieces_of(const struct numbers *n)
{
    struct pieces p;
    snprintf(p.text[0], sizeof(p.text[0]), "%llu open, %llu in all", (unsigned long long)n->open,
             (unsigned long long)n->connections);
    bytes_text("sent", n->sent, n->sent_rate, p.text[1]);
    bytes_text("received", n->received, n->received_rate, p.text[2]);
    return p;
}

/* ---- for a terminal ---- */

/* The lines of one draw, before it is known whether they are too many. */
struct paper {
    size_t columns, rows; /* what may be used of them */
    size_t count;
    bool is_full; /* something was left out */
    char lines[PAGE_ROWS_MAX][PAGE_COLUMNS_MAX];
};

static struct paper *paper_new(uint32_t columns, uint32_t rows)
{
    struct paper *paper = NEW(struct paper);
    columns = columns ? columns : COLUMNS_UNKNOWN;
    rows = rows ? rows : ROWS_UNKNOWN;
    /* The last column and the last row stay free: text in them would wrap, or scroll. */
    paper->columns = MIN(MAX(columns, COLUMNS_MIN), PAGE_COLUMNS_MAX) - 1;
    paper->rows = MIN(MAX(rows, ROWS_MIN), PAGE_ROWS_MAX) - 1;
    return paper;
}

static void put_line(struct paper *paper, size_t indent, const char *text, size_t length)
{
    if (paper->count == paper->rows) {
        paper->is_full = true;
        return;
    }
    snprintf(paper->lines[paper->count++], paper->columns + 1, "%*s%.*s", (int)indent, "",
             (int)length, text);
}

/* Breaks at spaces where it can; lines after the first are indented. */
static void put_text(struct paper *paper, const char *text)
{
    size_t indent = 0;
    while (*text && !paper->is_full) {
        size_t room = paper->columns - indent, take = strlen(text);
        if (take > room) {
            for (take = room; take > 0 && text[take] != ' ';)
                take--;
            take = take ? take : room;
        }
        put_line(paper, indent, text, take);
        text += take;
        text += strspn(text, " ");
        indent = 4;
    }
}

/* The numbers side by side, as many as fit into a line. */
static void put_numbers(struct paper *paper, const struct numbers *n)
{
    char line[PAGE_COLUMNS_MAX] = "";
    size_t length = 0;
    struct pieces pieces = pieces_of(n);
    for (size_t i = 0; i < PIECES; i++) {
        const char *text = pieces.text[i];
        if (length && 2 + length + 3 + strlen(text) > paper->columns) {
            put_line(paper, 2, line, length);
            length = 0;
        }
        length += (size_t)snprintf(line + length, sizeof(line) - length, "%s%s",
                                   length ? "   " : "", text);
    }
    put_line(paper, 2, line, length);
}

/* Up to where the page begins. A window that became narrower has folded what stands there. */
static enum err put_up(const struct page *p, const struct paper *paper, struct buf *out)
{
    char text[32];
    size_t up = 0, columns = paper->columns + 1;
    for (size_t i = 0; i < p->drawn; i++)
        up += MAX((p->drawn_width[i] + columns - 1) / columns, (size_t)1);
    up = MIN(up, paper->rows);
    snprintf(text, sizeof(text), up ? "\r\x1b[%zuA" : "\r", up);
    return buf_append_slice(out, slice_text(text));
}

/* Each line clears what it replaces only behind itself: so nothing flickers. */
static enum err put_paper(struct page *p, struct paper *paper, struct buf *out)
{
    TRY(put_up(p, paper, out));
    if (paper->is_full)
        snprintf(paper->lines[paper->count - 1], paper->columns + 1, "%s", more);
    p->offered = paper->count;
    for (size_t i = 0; i < paper->count; i++) {
        struct slice line = slice_text(paper->lines[i]);
        p->offered_width[i] = (uint8_t)line.len;
        TRY(buf_append_slice(out, line));
        TRY(buf_append_slice(out, slice_text("\x1b[K\r\n")));
    }
    return buf_append_slice(out, slice_text("\x1b[J"));
}

enum err page_draw(struct page *p, uint32_t columns, uint32_t rows, struct buf *out)
{
    struct paper *paper CLEANUP(mem_cleanup) = paper_new(columns, rows);
    size_t count = 0;
    put_text(paper, head);
    LIST_FOR (e, &p->entries, struct entry, link) {
        e->is_offered = true;
        if (e->is_gone || paper->is_full)
            continue;
        count++;
        put_text(paper, e->where);
        put_numbers(paper, &e->now);
    }
    if (count == 0)
        put_text(paper, none);
    return put_paper(p, paper, out);
}

enum err page_erase(const struct page *p, uint32_t columns, uint32_t rows, struct buf *out)
{
    struct paper *paper CLEANUP(mem_cleanup) = paper_new(columns, rows);
    if (p->drawn == 0)
        return OK;
    TRY(put_up(p, paper, out));
    return buf_append_slice(out, slice_text("\x1b[J"));
}

/* ---- without one ---- */

static bool is_due(const struct entry *e, uint64_t now_ms)
{
    if (e->is_gone || !e->is_said)
        return true;
    return is_counted_otherwise(&e->now, &e->said) && now_ms - e->said_ms >= PAGE_LINE_MS;
}

static enum err say_entry(const struct entry *e, const char *newline, struct buf *out)
{
    struct numbers n = e->now;
    n.sent_rate = n.received_rate = 0; /* of two seconds that nobody was told of */
    struct pieces pieces = pieces_of(&n);
    const char *verb = !e->is_listener ? "" : e->is_gone ? "closed: " : "listening on ";
    char *line CLEANUP(mem_cleanup) =
        mem_printf("%s%s; %s; %s; %s%s", verb, e->where, pieces.text[0], pieces.text[1],
                   pieces.text[2], newline);
    return buf_append_slice(out, slice_text(line));
}

static enum err say_sentence(const char *text, const char *newline, struct buf *out)
{
    char *line CLEANUP(mem_cleanup) = mem_printf("%s%s", text, newline);
    return buf_append_slice(out, slice_text(line));
}

enum err page_say_waiting(const struct page *p, const char *newline, struct buf *out)
{
    uint64_t open = 0;
    LIST_FOR (e, &p->entries, struct entry, link)
        open += e->is_gone ? 0 : e->now.open;
    if (open == 0)
        return OK;
    char *text CLEANUP(mem_cleanup) =
        mem_printf("%llu open connection%s: ssh waits for the end, or for another Ctrl-C.",
                   (unsigned long long)open, open == 1 ? "" : "s");
    return say_sentence(text, newline, out);
}

void page_say(struct page *p, const char *newline, uint64_t now_ms, struct buf *out)
{
    p->offered = 0;
    if (!p->is_shown && (say_sentence(head, newline, out) != OK ||
                         (list_is_empty(&p->entries) && say_sentence(none, newline, out) != OK)))
        buf_clear(out);
    LIST_FOR (e, &p->entries, struct entry, link)
        e->is_offered = is_due(e, now_ms) && say_entry(e, newline, out) == OK;
}

void page_sent(struct page *p, uint64_t now_ms)
{
    p->is_shown = true;
    p->drawn = p->offered;
    memcpy(p->drawn_width, p->offered_width, sizeof(p->drawn_width));
    LIST_FOR (e, &p->entries, struct entry, link) {
        if (!e->is_offered)
            continue;
        if (e->is_gone) {
            entry_free(e);
            continue;
        }
        e->is_offered = false;
        e->is_said = true;
        e->said = e->now;
        e->said_ms = now_ms;
    }
}
