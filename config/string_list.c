/* Owned lists of owned strings; growth by doubling is not worth its fields at these sizes. */
#include "config/string_list.h"

void string_list_init(struct string_list *l)
{
    l->items = NULL;
    l->count = 0;
}

void string_list_done(struct string_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        mem_free(l->items[i]);
    mem_free(l->items);
    string_list_init(l);
}

void string_list_add(struct string_list *l, const char *text)
{
    l->items = mem_resize(l->items, l->count + 1, sizeof(l->items[0]));
    l->items[l->count++] = mem_strdup(text);
}

void string_list_copy(struct string_list *to, const struct string_list *from)
{
    for (size_t i = 0; i < from->count; i++)
        string_list_add(to, from->items[i]);
}
