/* Walking name-lists. */
#include "wire/namelist.h"

bool namelist_next(struct slice *rest, struct slice *name)
{
    if (rest->len == 0)
        return false;
    const uint8_t *comma = memchr(rest->ptr, ',', rest->len);
    size_t length = comma ? (size_t)(comma - rest->ptr) : rest->len;
    *name = (struct slice){rest->ptr, length};
    size_t taken = comma ? length + 1 : length;
    rest->ptr += taken;
    rest->len -= taken;
    return true;
}

enum err namelist_check(struct slice list)
{
    size_t names = list.len ? 1 : 0;
    size_t name_length = 0;
    for (size_t i = 0; i < list.len; i++) {
        uint8_t byte = list.ptr[i];
        if (byte <= 0x20 || byte >= 0x7f)
            return ERR_FORMAT;
        if (byte != ',') {
            name_length++;
            continue;
        }
        if (name_length == 0)
            return ERR_FORMAT;
        name_length = 0;
        if (++names > NAMELIST_MAX_NAMES)
            return ERR_LIMIT;
    }
    return OK; /* also with a comma at the end, after which namelist_next finds nothing */
}

static bool contains(struct slice list, struct slice wanted)
{
    struct slice name;
    while (namelist_next(&list, &name)) {
        if (slice_equal(name, wanted))
            return true;
    }
    return false;
}

bool namelist_contains(struct slice list, const char *name)
{
    return contains(list, slice_text(name));
}

bool namelist_first_common(struct slice client, struct slice server, struct slice *common)
{
    struct slice name;
    while (namelist_next(&client, &name)) {
        if (contains(server, name)) {
            *common = name;
            return true;
        }
    }
    return false;
}
