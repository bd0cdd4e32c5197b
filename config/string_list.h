/* An owned list of owned strings, in order. It knows nothing of what they mean. */
#ifndef ADIT_CONFIG_STRING_LIST_H
#define ADIT_CONFIG_STRING_LIST_H

#include "base/err.h"

struct string_list {
    char **items;
    size_t count;
};

void string_list_init(struct string_list *l);
void string_list_done(struct string_list *l); /* empty and usable again afterwards */
void string_list_add(struct string_list *l, const char *text);                 /* copies */
void string_list_copy(struct string_list *to, const struct string_list *from); /* to: initialised */

#endif
