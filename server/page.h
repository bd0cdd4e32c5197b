/*
 * The page of a user's forwards: numbers in, text for a terminal or lines out. It knows no channel,
 * no clock and no forward; what it drew it can take away again, by plain ANSI and without a mode
 * that a dead connection would leave behind.
 */
#ifndef ADIT_SERVER_PAGE_H
#define ADIT_SERVER_PAGE_H

#include "base/buf.h"

#define PAGE_COLUMNS_MAX 200
#define PAGE_ROWS_MAX    60
#define PAGE_LINE_MS     2000 /* between two lines of one forward, where there is no terminal */

struct page_row {
    uint64_t id;       /* a forward's, as long as it lives */
    const char *where; /* hostile; borrowed for the call */
    bool is_listener;
    uint64_t connections, open;
    uint64_t sent, received; /* bytes, as the user sees it: by the client's side */
};

struct page;

struct page *page_new(void) MUST_USE;
void page_free(struct page *p); /* NULL allowed */

/* How it stands now. True: something is to be shown that was not. */
bool page_look(struct page *p, const struct page_row *rows, size_t count, uint64_t now_ms);

/*
 * The page for a window of that size (any number: it is made to fit), over what was drawn before.
 * ERR_LIMIT: it does not fit into out, whose content is worth nothing then.
 */
enum err page_draw(struct page *p, uint32_t columns, uint32_t rows, struct buf *out) MUST_USE;
/* A line, each ended by newline, for every change that is due. What does not fit comes next time.
 */
void page_say(struct page *p, const char *newline, uint64_t now_ms, struct buf *out);
/* What the last of these two gave was sent. Without this call it was not. */
void page_sent(struct page *p, uint64_t now_ms);

/* Takes away what was drawn; the cursor stands where the page began. */
enum err page_erase(const struct page *p, uint32_t columns, uint32_t rows,
                    struct buf *out) MUST_USE;
/* Last words: ssh stays for connections that are open, and does not say so. */
enum err page_say_waiting(const struct page *p, const char *newline, struct buf *out) MUST_USE;

#endif
