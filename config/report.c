/* Entries in order, with a cap so that a hostile file cannot fill memory with our sentences. */
#include "config/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX 600

void report_init(struct report *r)
{
    r->entries = NULL;
    r->count = 0;
    r->dropped = 0;
}

void report_done(struct report *r)
{
    for (size_t i = 0; i < r->count; i++) {
        mem_free(r->entries[i].keyword);
        mem_free(r->entries[i].file);
        mem_free(r->entries[i].text);
    }
    mem_free(r->entries);
    report_init(r);
}

static bool is_told(const struct report *r, const char *keyword, const char *text)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct report_entry *e = &r->entries[i];
        if (e->keyword && strcmp(e->keyword, keyword) == 0 && strcmp(e->text, text) == 0)
            return true;
    }
    return false;
}

void report_add(struct report *r, enum report_severity severity, const struct place *place,
                const char *keyword, const char *format, ...)
{
    if (r->count >= REPORT_MAX && severity != REPORT_ERROR) {
        r->dropped++;
        return;
    }
    char text[TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (severity != REPORT_ERROR && keyword && is_told(r, keyword, text))
        return;

    r->entries = mem_resize(r->entries, r->count + 1, sizeof(r->entries[0]));
    r->entries[r->count++] = (struct report_entry){
        .severity = severity,
        .keyword = keyword ? mem_strdup(keyword) : NULL,
        .file = place && place->file ? mem_strdup(place->file) : NULL,
        .line = place ? place->line : 0,
        .column = place ? place->column : 0,
        .text = mem_strdup(text),
    };
}

char *report_entry_format(const struct report_entry *entry)
{
    if (entry->file == NULL)
        return mem_strdup(entry->text);
    if (entry->line == 0)
        return mem_printf("%s: %s", entry->file, entry->text);
    if (entry->column == 0)
        return mem_printf("%s line %u: %s", entry->file, entry->line, entry->text);
    return mem_printf("%s line %u column %u: %s", entry->file, entry->line, entry->column,
                      entry->text);
}

const struct report_entry *report_error(const struct report *r)
{
    for (size_t i = r->count; i > 0; i--) {
        if (r->entries[i - 1].severity == REPORT_ERROR)
            return &r->entries[i - 1];
    }
    return NULL;
}
