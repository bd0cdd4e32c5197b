/*
 * known_hosts text. Every line is parsed wholly, also those of other hosts, so that a damaged
 * file is noticed. A name is matched by patterns or by its HMAC-SHA1; a key by its bytes. Nothing
 * here knows files, questions or StrictHostKeyChecking.
 */
#include "auth/known_hosts.h"

#include "base/match.h"
#include "crypto/digest.h"
#include "wire/reader.h"

#define HASH_LEN     20 /* SHA-1 */
#define TYPE_MAX_LEN 64 /* RFC 4250 4.6.1 */
#define HASH_MAGIC   "|1|"

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct slice word_take(struct slice *text)
{
    struct slice word = {text->ptr, 0};
    while (word.len < text->len && !is_blank(text->ptr[word.len]))
        word.len++;
    text->ptr += word.len;
    text->len -= word.len;
    while (text->len && is_blank(text->ptr[0])) {
        text->ptr++;
        text->len--;
    }
    return word;
}

static bool is_starting_with(struct slice text, const char *start)
{
    return text.len >= strlen(start) && memcmp(text.ptr, start, strlen(start)) == 0;
}

static bool has_control(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if ((text.ptr[i] < ' ' && !is_blank(text.ptr[i])) || text.ptr[i] == 0x7f)
            return true;
    }
    return false;
}

static enum err base64_field(struct slice text, uint8_t out[HASH_LEN])
{
    struct buf b;
    buf_init(&b, HASH_LEN);
    enum err err = base64_decode(text, &b);
    if (err == OK && buf_len(&b) != HASH_LEN)
        err = ERR_FORMAT;
    if (err == OK)
        memcpy(out, buf_slice(&b).ptr, HASH_LEN);
    buf_done(&b);
    return err == OK ? OK : ERR_FORMAT;
}

/* "|1|salt|hash" */
static enum err hashed_name_parse(struct slice names, uint8_t salt[HASH_LEN],
                                  uint8_t hash[HASH_LEN])
{
    if (!is_starting_with(names, HASH_MAGIC))
        return ERR_FORMAT;
    struct slice rest = {names.ptr + strlen(HASH_MAGIC), names.len - strlen(HASH_MAGIC)};
    const uint8_t *bar = rest.len ? memchr(rest.ptr, '|', rest.len) : NULL;
    if (!bar)
        return ERR_FORMAT;
    size_t salt_len = (size_t)(bar - rest.ptr);
    TRY(base64_field(slice_of(rest.ptr, salt_len), salt));
    return base64_field(slice_of(bar + 1, rest.len - salt_len - 1), hash);
}

static enum err marker_parse(struct slice *text, enum known_hosts_marker *marker)
{
    *marker = KNOWN_HOSTS_NO_MARKER;
    if (text->len == 0 || text->ptr[0] != '@')
        return OK;
    struct slice word = word_take(text);
    if (slice_is(word, "@revoked"))
        *marker = KNOWN_HOSTS_REVOKED_MARKER;
    else if (slice_is(word, "@cert-authority"))
        *marker = KNOWN_HOSTS_CERT_AUTHORITY;
    else
        return ERR_FORMAT;
    return OK;
}

enum err known_hosts_line_parse(struct slice text, struct known_hosts_line *line)
{
    uint8_t salt[HASH_LEN], hash[HASH_LEN];
    *line = (struct known_hosts_line){0};
    buf_init(&line->blob, PUBKEY_BLOB_MAX);
    while (text.len && is_blank(text.ptr[0])) {
        text.ptr++;
        text.len--;
    }
    if (text.len == 0 || text.ptr[0] == '#')
        return ERR_NOT_FOUND;
    if (has_control(text))
        return ERR_FORMAT;
    TRY(marker_parse(&text, &line->marker));
    line->names = word_take(&text);
    if (line->names.len == 0)
        return ERR_FORMAT;
    if (line->names.ptr[0] == '|')
        TRY(hashed_name_parse(line->names, salt, hash));
    return pubkey_line_parse(text, &line->type, &line->blob, &line->comment);
}

void known_hosts_line_done(struct known_hosts_line *line)
{
    buf_done(&line->blob);
}

char *known_hosts_name(const char *host, uint16_t port)
{
    if (port == KNOWN_HOSTS_PORT)
        return mem_strdup(host);
    return mem_printf("[%s]:%u", host, (unsigned)port);
}

/* Hashed names are made of lower case letters. */
static void name_hash(const struct crypto *c, const uint8_t salt[HASH_LEN], const char *name,
                      uint8_t out[HASH_LEN])
{
    char *low CLEANUP(mem_cleanup) = mem_strdup(name);
    for (char *at = low; *at; at++) {
        if (*at >= 'A' && *at <= 'Z')
            *at = (char)(*at + ('a' - 'A'));
    }
    uint8_t mac[DIGEST_MAX];
    hmac(c, DIGEST_SHA1, slice_of(salt, HASH_LEN), slice_text(low), mac);
    memcpy(out, mac, HASH_LEN);
}

bool known_hosts_line_is_for(const struct known_hosts_line *line, const struct crypto *c,
                             const char *name)
{
    uint8_t salt[HASH_LEN], wanted[HASH_LEN], hash[HASH_LEN];
    if (hashed_name_parse(line->names, salt, wanted) == OK) {
        name_hash(c, salt, name, hash);
        return memcmp(wanted, hash, HASH_LEN) == 0;
    }
    char *list CLEANUP(mem_cleanup) = slice_strdup(line->names);
    return match_list_folded(name, list) == MATCH_YES;
}

static enum err blob_type(struct slice blob, struct slice *type)
{
    struct reader r;
    reader_init(&r, blob);
    *type = reader_text(&r, TYPE_MAX_LEN);
    return reader_is_ok(&r) && type->len ? OK : ERR_FORMAT;
}

enum err known_hosts_search_init(struct known_hosts_search *s, const struct crypto *c,
                                 const char *host, uint16_t port, struct slice key)
{
    *s = (struct known_hosts_search){.crypto = c, .name = known_hosts_name(host, port), .key = key};
    buf_init(&s->types, KNOWN_HOSTS_TYPES_MAX);
    return key.len ? blob_type(key, &s->type) : OK;
}

void known_hosts_search_done(struct known_hosts_search *s)
{
    mem_free(s->name);
    s->name = NULL;
    buf_done(&s->types);
}

static bool has_type(struct slice list, struct slice type)
{
    size_t start = 0;
    for (size_t i = 0; i <= list.len; i++) {
        if (i < list.len && list.ptr[i] != ',')
            continue;
        if (slice_equal(slice_of(list.ptr + start, i - start), type))
            return true;
        start = i + 1;
    }
    return false;
}

bool known_hosts_search_has_type(const struct known_hosts_search *s, struct slice type)
{
    return buf_len(&s->types) > 0 && has_type(buf_slice(&s->types), type);
}

/* What does not fit any more is left out: a preference is lost, and no more. */
static void type_note(struct known_hosts_search *s, struct slice type,
                      struct known_hosts_place place)
{
    uint8_t *room;
    size_t length = buf_len(&s->types);
    if (known_hosts_search_has_type(s, type))
        return;
    if (memchr(type.ptr, ',', type.len) || buf_reserve(&s->types, type.len + 1, &room) != OK)
        return;
    if (length == 0)
        s->first_of_types = place;
    else
        *room++ = ',';
    memcpy(room, type.ptr, type.len);
    buf_commit(&s->types, type.len + (length ? 1 : 0));
}

static void result_note(struct known_hosts_search *s, enum known_hosts_result result,
                        struct known_hosts_place place)
{
    if (result <= s->result)
        return;
    s->result = result;
    s->place = place;
}

/* A line of the wanted host. */
static void line_judge(struct known_hosts_search *s, const struct known_hosts_line *line,
                       struct known_hosts_place place)
{
    bool is_same = s->key.len && slice_equal(buf_slice(&line->blob), s->key);
    bool is_authority = s->authority.len && slice_equal(buf_slice(&line->blob), s->authority);
    if (line->marker == KNOWN_HOSTS_REVOKED_MARKER) {
        if (is_same || is_authority)
            result_note(s, KNOWN_HOSTS_REVOKED, place);
        return;
    }
    if (line->marker == KNOWN_HOSTS_CERT_AUTHORITY) {
        s->has_authorities = true;
        if (is_authority && !s->authority_place.file)
            s->authority_place = place;
        return;
    }
    type_note(s, line->type, place);
    if (is_same)
        result_note(s, KNOWN_HOSTS_MATCH, place);
    else if (s->key.len && slice_equal(line->type, s->type))
        result_note(s, KNOWN_HOSTS_CHANGED, place);
}

static void line_search(struct known_hosts_search *s, struct slice text,
                        struct known_hosts_place place)
{
    struct known_hosts_line line;
    enum err err = known_hosts_line_parse(text, &line);
    if (err == OK && known_hosts_line_is_for(&line, s->crypto, s->name)) {
        line_judge(s, &line, place);
    } else if (err == OK && s->is_other_wanted && line.marker == KNOWN_HOSTS_NO_MARKER &&
               s->key.len && slice_equal(buf_slice(&line.blob), s->key)) {
        if (s->other_count < KNOWN_HOSTS_OTHERS_MAX)
            s->others[s->other_count++] = place;
    } else if (err != OK && err != ERR_NOT_FOUND) {
        s->bad_lines++;
    }
    known_hosts_line_done(&line);
}

void known_hosts_search_text(struct known_hosts_search *s, const char *file, struct slice text)
{
    struct known_hosts_place place = {file, 0};
    while (text.len) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t length = end ? (size_t)(end - text.ptr) : text.len;
        place.line++;
        line_search(s, slice_of(text.ptr, length), place);
        length += end ? 1 : 0;
        text.ptr += length;
        text.len -= length;
    }
}

/* ---- what a host is to have ---- */

/* The line with its newline, off the front of text. */
static struct slice line_take(struct slice *text)
{
    const uint8_t *end = memchr(text->ptr, '\n', text->len);
    struct slice line = slice_of(text->ptr, end ? (size_t)(end - text->ptr) + 1 : text->len);
    text->ptr += line.len;
    text->len -= line.len;
    return line;
}

static struct slice without_newline(struct slice line)
{
    return slice_of(line.ptr, line.len && line.ptr[line.len - 1] == '\n' ? line.len - 1 : line.len);
}

static size_t wish_find(const struct known_hosts_wish *wish, struct slice key)
{
    size_t i = 0;
    while (i < wish->count && !slice_equal(wish->keys[i], key))
        i++;
    return i;
}

/* More than a host and its address, or a pattern: who wrote it meant something by it. */
static bool is_complex(struct slice names)
{
    size_t commas = 0;
    for (size_t i = 0; i < names.len; i++) {
        commas += names.ptr[i] == ',';
        if (strchr("*?!", names.ptr[i]))
            return true;
    }
    return commas > 1;
}

void known_hosts_state_add(struct known_hosts_state *state, const struct known_hosts_wish *wish,
                           struct slice text)
{
    CHECK(wish->count <= KNOWN_HOSTS_WISH_MAX);
    while (text.len) {
        struct known_hosts_line line;
        enum err err = known_hosts_line_parse(without_newline(line_take(&text)), &line);
        if (err == OK && line.marker == KNOWN_HOSTS_NO_MARKER) {
            size_t i = wish_find(wish, buf_slice(&line.blob));
            if (!known_hosts_line_is_for(&line, wish->crypto, wish->name)) {
                state->has_other |= i < wish->count;
            } else {
                state->is_complex |= is_complex(line.names);
                if (i < wish->count)
                    state->present |= UINT64_C(1) << i;
                else
                    state->superfluous++;
            }
        }
        known_hosts_line_done(&line);
    }
}

enum err known_hosts_text_prune(struct slice text, const struct known_hosts_wish *wish,
                                struct buf *out)
{
    while (text.len) {
        struct known_hosts_line line;
        struct slice whole = line_take(&text);
        bool goes = known_hosts_line_parse(without_newline(whole), &line) == OK &&
                    line.marker == KNOWN_HOSTS_NO_MARKER &&
                    known_hosts_line_is_for(&line, wish->crypto, wish->name) &&
                    wish_find(wish, buf_slice(&line.blob)) == wish->count;
        known_hosts_line_done(&line);
        if (!goes)
            TRY(buf_append_slice(out, whole));
    }
    return OK;
}

/* ---- writing ---- */

/* What could be read as another name, a pattern, a marker or a line of its own. */
static bool is_plain_host(const char *host)
{
    if (host[0] == '\0' || host[0] == '#' || host[0] == '@' || host[0] == '|')
        return false;
    for (const char *at = host; *at; at++) {
        if ((uint8_t)*at <= ' ' || *at == 0x7f || strchr(",*?!", *at))
            return false;
    }
    return true;
}

static char *hashed_name(const struct crypto *c, struct rng *rng, const char *name)
{
    uint8_t salt[HASH_LEN], hash[HASH_LEN];
    rng_bytes(rng, salt, sizeof(salt));
    name_hash(c, salt, name, hash);
    char *salt_text CLEANUP(mem_cleanup) = base64_encode(slice_of(salt, HASH_LEN), true);
    char *hash_text CLEANUP(mem_cleanup) = base64_encode(slice_of(hash, HASH_LEN), true);
    return mem_printf(HASH_MAGIC "%s|%s", salt_text, hash_text);
}

enum err known_hosts_line_format(char **line, const struct crypto *c, struct rng *rng,
                                 const char *host, uint16_t port, struct slice key)
{
    struct slice type;
    *line = NULL;
    TRY(blob_type(key, &type));
    if (!is_plain_host(host) || has_control(type) || memchr(type.ptr, ' ', type.len))
        return ERR_FORMAT;
    char *name CLEANUP(mem_cleanup) = known_hosts_name(host, port);
    char *shown CLEANUP(mem_cleanup) = rng ? hashed_name(c, rng, name) : mem_strdup(name);
    char *base64 CLEANUP(mem_cleanup) = base64_encode(key, true);
    *line = mem_printf("%s %.*s %s\n", shown, (int)type.len, (const char *)type.ptr, base64);
    return OK;
}
