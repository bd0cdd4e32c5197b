/*
 * Splits lines as OpenSSH 8.7 and later do: the keyword ends at a blank or at '=', words may be
 * quoted in part or wholly, '#' where a word could begin ends the line. It knows no keyword.
 */
#include "config/lexer.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

void line_done(struct line *line)
{
    mem_free(line->keyword);
    for (size_t i = 0; i < line->count; i++)
        mem_free(line->words[i].text);
    mem_free(line->words);
    mem_free(line->rest);
    *line = (struct line){.keyword = NULL};
}

bool lexer_next_line(struct slice *text, struct slice *line)
{
    if (text->len == 0)
        return false;
    const uint8_t *end = memchr(text->ptr, '\n', text->len);
    size_t length = end ? (size_t)(end - text->ptr) : text->len;
    size_t used = length + (end ? 1 : 0);
    size_t kept = length > 0 && text->ptr[length - 1] == '\r' ? length - 1 : length;
    *line = slice_of(text->ptr, kept);
    *text = slice_of(text->ptr + used, text->len - used);
    return true;
}

static size_t skip_blanks(struct slice text, size_t at)
{
    while (at < text.len && is_blank(text.ptr[at]))
        at++;
    return at;
}

static bool is_escape(struct slice text, size_t at, uint8_t quote)
{
    if (text.ptr[at] != '\\' || at + 1 >= text.len)
        return false;
    uint8_t next = text.ptr[at + 1];
    return next == '\\' || next == '"' || next == '\'' || (quote == 0 && next == ' ');
}

/* Reads the word that begins at *at into room (as long as the text) and moves *at behind it. */
static bool read_word(struct slice text, size_t *at, char *room, size_t *length)
{
    uint8_t quote = 0;
    size_t i = *at, n = 0;
    for (; i < text.len && (quote != 0 || !is_blank(text.ptr[i])); i++) {
        uint8_t c = text.ptr[i];
        if (is_escape(text, i, quote))
            room[n++] = (char)text.ptr[++i];
        else if (quote == 0 && (c == '"' || c == '\''))
            quote = c;
        else if (quote != 0 && c == quote)
            quote = 0;
        else
            room[n++] = (char)c;
    }
    *at = i;
    *length = n;
    return quote == 0;
}

static enum err split_words(struct slice text, size_t at, struct line *line,
                            struct lexer_fault *fault)
{
    char *room CLEANUP(mem_cleanup) = mem_new(text.len + 1, 1);
    for (at = skip_blanks(text, at); at < text.len; at = skip_blanks(text, at)) {
        size_t start = at, length;
        if (text.ptr[at] == '#')
            return OK;
        if (line->count == LEXER_WORD_MAX) {
            *fault =
                (struct lexer_fault){"there are too many words on the line", (unsigned)start + 1};
            return ERR_LIMIT;
        }
        if (!read_word(text, &at, room, &length)) {
            *fault = (struct lexer_fault){"a quote is not closed", (unsigned)start + 1};
            return ERR_FORMAT;
        }
        line->words = mem_resize(line->words, line->count + 1, sizeof(line->words[0]));
        line->words[line->count++] = (struct word){mem_strndup(room, length), (unsigned)start + 1};
    }
    return OK;
}

static void keep_rest(struct slice text, size_t at, struct line *line)
{
    size_t start = skip_blanks(text, at), end = text.len;
    while (end > start && is_blank(text.ptr[end - 1]))
        end--;
    line->rest = mem_strndup((const char *)text.ptr + start, end - start);
    line->rest_column = (unsigned)start + 1;
}

static enum err check_bytes(struct slice text, struct lexer_fault *fault)
{
    if (text.len > LEXER_LINE_MAX) {
        *fault = (struct lexer_fault){"the line is longer than 64 KiB", LEXER_LINE_MAX + 1};
        return ERR_LIMIT;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '\0' && text.ptr[i] != '\n')
            continue;
        *fault = (struct lexer_fault){text.ptr[i] ? "there is a line break inside the value"
                                                  : "there is a NUL byte on the line",
                                      (unsigned)i + 1};
        return ERR_FORMAT;
    }
    return OK;
}

/* Behind the keyword: blanks, one '=', blanks. */
static size_t skip_separator(struct slice text, size_t at)
{
    at = skip_blanks(text, at);
    if (at < text.len && text.ptr[at] == '=')
        at = skip_blanks(text, at + 1);
    return at;
}

enum err lexer_split(struct slice text, struct line *line, struct lexer_fault *fault)
{
    *line = (struct line){.keyword = NULL};
    TRY(check_bytes(text, fault));
    size_t start = skip_blanks(text, 0), end = start;
    if (start == text.len || text.ptr[start] == '#')
        return OK;
    while (end < text.len && !is_blank(text.ptr[end]) && text.ptr[end] != '=')
        end++;
    size_t value = skip_separator(text, end);
    enum err result = split_words(text, value, line, fault);
    if (result != OK) {
        line_done(line);
        return result;
    }
    line->keyword = mem_strndup((const char *)text.ptr + start, end - start);
    line->keyword_column = (unsigned)start + 1;
    keep_rest(text, value, line);
    return OK;
}

enum err lexer_split_words(struct slice text, struct line *line, struct lexer_fault *fault)
{
    *line = (struct line){.keyword = NULL};
    TRY(check_bytes(text, fault));
    enum err result = split_words(text, 0, line, fault);
    if (result != OK) {
        line_done(line);
        return result;
    }
    if (text.len > 0)
        keep_rest(text, 0, line);
    else
        line->rest = mem_strdup("");
    return OK;
}

enum err lexer_print_word(struct buf *out, const char *word)
{
    bool is_plain = word[0] != '\0' && word[0] != '#' && word[0] != '=';
    for (const char *c = word; *c != '\0'; c++) {
        if (is_blank((uint8_t)*c) || *c == '"' || *c == '\'' || *c == '\\')
            is_plain = false;
    }
    if (is_plain)
        return buf_append(out, word, strlen(word));
    TRY(buf_append(out, "\"", 1));
    for (const char *c = word; *c != '\0'; c++) {
        if (*c == '"' || *c == '\\')
            TRY(buf_append(out, "\\", 1));
        TRY(buf_append(out, c, 1));
    }
    return buf_append(out, "\"", 1);
}
