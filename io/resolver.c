/*
 * Both ends of look-ups in another process. A question is a tag, a family and a name; its answer
 * the tag, an error and addresses. Numbers are in network order; what does not fit is dropped, for
 * the other side may be under another's control.
 */
#include "io/resolver.h"

#include <netinet/in.h>
#include <unistd.h>
#include <uv.h>

#include "io/ipc.h"
#include "io/watch.h"

#define HEAD_LEN   8  /* tag, family or error */
#define ENTRY_LEN  21 /* 4 or 6; 16 bytes of address, 4 used for IPv4; 4 of scope */
#define ANSWER_MAX (HEAD_LEN + ENTRY_LEN * RESOLVER_ADDRESSES_MAX)

static void put_u32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

static uint32_t get_u32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* ---- who asks ---- */

struct resolver {
    struct loop *loop;
    struct loop_item item;
    struct ipc *ipc; /* NULL: nobody answers any more */
    struct list waiting;
    uint32_t last_tag;
};

struct resolver_question {
    struct list link;
    struct resolver *resolver;
    struct loop_timer *patience;
    uint32_t tag;
    resolver_answered *answered;
    void *owner;
};

static void question_free(struct resolver_question *q)
{
    list_remove(&q->link);
    loop_timer_close(q->patience);
    mem_free(q);
}

void resolver_cancel(struct resolver_question *q)
{
    question_free(q);
}

static void answer(struct resolver_question *q, int error, const struct addrinfo *list)
{
    resolver_answered *answered = q->answered;
    void *owner = q->owner;
    question_free(q);
    answered(owner, error, list);
}

static void lose_patience(void *owner)
{
    answer(owner, EAI_AGAIN, NULL);
}

/* One entry into sa and info; false: it is none. */
static bool read_entry(const uint8_t *at, struct sockaddr_storage *sa, struct addrinfo *info)
{
    memset(sa, 0, sizeof(*sa));
    *info = (struct addrinfo){.ai_socktype = SOCK_STREAM, .ai_addr = (struct sockaddr *)sa};
    if (at[0] == 4) {
        struct sockaddr_in *in = (struct sockaddr_in *)sa;
        in->sin_family = AF_INET;
        memcpy(&in->sin_addr, at + 1, 4);
        info->ai_addrlen = sizeof(*in);
    } else {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)sa;
        in6->sin6_family = AF_INET6;
        memcpy(&in6->sin6_addr, at + 1, 16);
        in6->sin6_scope_id = get_u32(at + 17);
        info->ai_addrlen = sizeof(*in6);
    }
    info->ai_family = sa->ss_family;
    return at[0] == 4 || at[0] == 6;
}

static void take_answer(struct resolver *r, struct slice bytes)
{
    struct sockaddr_storage addresses[RESOLVER_ADDRESSES_MAX];
    struct addrinfo list[RESOLVER_ADDRESSES_MAX];
    size_t count = 0;
    if (bytes.len < HEAD_LEN || (bytes.len - HEAD_LEN) % ENTRY_LEN)
        return;
    uint32_t tag = get_u32(bytes.ptr);
    int error = (int)get_u32(bytes.ptr + 4);
    for (size_t at = HEAD_LEN; at < bytes.len && count < RESOLVER_ADDRESSES_MAX; at += ENTRY_LEN) {
        if (!read_entry(bytes.ptr + at, &addresses[count], &list[count]))
            continue;
        if (count)
            list[count - 1].ai_next = &list[count];
        count++;
    }
    LIST_FOR (q, &r->waiting, struct resolver_question, link) {
        if (q->tag == tag) {
            answer(q, count ? 0 : error ? error : EAI_NONAME, count ? list : NULL);
            return;
        }
    }
}

static void answer_came(void *owner, enum err err, struct slice bytes, const int *fds,
                        size_t fd_count)
{
    struct resolver *r = owner;
    ipc_close_fds(fds, fd_count);
    if (err == OK) {
        take_answer(r, bytes);
        return;
    }
    ipc_close(r->ipc);
    r->ipc = NULL;
    while (!list_is_empty(&r->waiting))
        answer(container_of(r->waiting.next, struct resolver_question, link), EAI_AGAIN, NULL);
}

static void drop_resolver(void *owner)
{
    resolver_close(owner);
}

struct resolver *resolver_new(struct loop *l, int fd)
{
    struct resolver *r = NEW(struct resolver);
    r->loop = l;
    list_init(&r->waiting);
    r->ipc = ipc_new(l, fd, answer_came, r);
    loop_keep(l, &r->item, drop_resolver, r);
    loop_set_resolver(l, r);
    return r;
}

void resolver_turn_to(struct resolver *r, int fd)
{
    ipc_close(r->ipc);
    r->ipc = ipc_new(r->loop, fd, answer_came, r);
}

void resolver_close(struct resolver *r)
{
    if (!r)
        return;
    LIST_FOR (q, &r->waiting, struct resolver_question, link)
        question_free(q);
    loop_unkeep(&r->item);
    loop_set_resolver(r->loop, NULL);
    ipc_close(r->ipc);
    mem_free(r);
}

struct resolver *resolver_of(struct loop *l)
{
    return loop_resolver(l);
}

struct resolver_question *resolver_ask(struct resolver *r, const char *host, int family,
                                       resolver_answered *answered, void *owner)
{
    uint8_t bytes[HEAD_LEN + RESOLVER_NAME_MAX];
    size_t length = strlen(host);
    struct resolver_question *q = NEW(struct resolver_question);
    CHECK(length <= RESOLVER_NAME_MAX);
    q->resolver = r;
    q->tag = ++r->last_tag;
    q->answered = answered;
    q->owner = owner;
    q->patience = loop_timer_new(r->loop, lose_patience, q);
    list_append(&r->waiting, &q->link);
    put_u32(bytes, q->tag);
    put_u32(bytes + 4, family == AF_INET ? 4 : family == AF_INET6 ? 6 : 0);
    memcpy(bytes + HEAD_LEN, host, length);
    bool is_sent = r->ipc && ipc_send(r->ipc, slice_of(bytes, HEAD_LEN + length), NULL, 0) == OK;
    loop_timer_start(q->patience, is_sent ? RESOLVER_PATIENCE_MS : 0);
    return q;
}

/* ---- who answers ---- */

struct asker {
    struct loop *loop;
    struct loop_item item;
    struct ipc *ipc; /* NULL: he has gone, and look-ups still run */
    unsigned waiting;
    resolver_ended *ended;
    void *owner;
};

struct lookup {
    uv_getaddrinfo_t uv;
    struct asker *asker;
    uint32_t tag;
};

static void end_asker(struct asker *a)
{
    resolver_ended *ended = a->ended;
    void *owner = a->owner;
    loop_unkeep(&a->item);
    mem_free(a);
    ended(owner);
}

static void write_entry(uint8_t *at, const struct addrinfo *info)
{
    memset(at, 0, ENTRY_LEN);
    if (info->ai_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)info->ai_addr;
        at[0] = 4;
        memcpy(at + 1, &in->sin_addr, 4);
    } else {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)info->ai_addr;
        at[0] = 6;
        memcpy(at + 1, &in6->sin6_addr, 16);
        put_u32(at + 17, in6->sin6_scope_id);
    }
}

static void send_answer(struct asker *a, uint32_t tag, int error, const struct addrinfo *list)
{
    uint8_t bytes[ANSWER_MAX];
    size_t length = HEAD_LEN;
    put_u32(bytes, tag);
    put_u32(bytes + 4, (uint32_t)error);
    for (const struct addrinfo *i = list; i && length < sizeof(bytes); i = i->ai_next) {
        if (i->ai_family != AF_INET && i->ai_family != AF_INET6)
            continue;
        write_entry(bytes + length, i);
        length += ENTRY_LEN;
    }
    /* An asker that reads no answers loses them: his patience ends by itself. */
    (void)!ipc_send(a->ipc, slice_of(bytes, length), NULL, 0);
}

int resolver_error(int status)
{
    static const struct {
        int theirs, system;
    } table[] = {
        {UV_EAI_NONAME, EAI_NONAME},   {UV_EAI_NODATA, EAI_NODATA}, {UV_EAI_AGAIN, EAI_AGAIN},
        {UV_EAI_FAMILY, EAI_FAMILY},   {UV_EAI_FAIL, EAI_FAIL},     {UV_EAI_MEMORY, EAI_MEMORY},
        {UV_EAI_SERVICE, EAI_SERVICE}, {UV_ENOMEM, EAI_MEMORY},     {UV_EINVAL, EAI_NONAME},
        {UV_ENAMETOOLONG, EAI_NONAME}, {UV_E2BIG, EAI_NONAME},
    };
    if (status == 0)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i].theirs == status)
            return table[i].system;
    return EAI_FAIL;
}

static void looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct lookup *lookup = request->data;
    struct asker *a = lookup->asker;
    a->waiting--;
    if (a->ipc)
        send_answer(a, lookup->tag, resolver_error(status), list);
    uv_freeaddrinfo(list);
    mem_free(lookup);
    if (!a->ipc && a->waiting == 0)
        end_asker(a);
}

static void look_up(struct asker *a, struct slice bytes)
{
    static const int families[] = {[0] = AF_UNSPEC, [4] = AF_INET, [6] = AF_INET6};
    if (bytes.len <= HEAD_LEN || bytes.len > HEAD_LEN + RESOLVER_NAME_MAX)
        return;
    uint32_t tag = get_u32(bytes.ptr), family = get_u32(bytes.ptr + 4);
    struct slice name = slice_of(bytes.ptr + HEAD_LEN, bytes.len - HEAD_LEN);
    if (memchr(name.ptr, '\0', name.len) || (family != 0 && family != 4 && family != 6))
        return;
    if (a->waiting >= RESOLVER_WAITING_MAX) {
        send_answer(a, tag, EAI_AGAIN, NULL);
        return;
    }
    const struct addrinfo hints = {.ai_family = families[family], .ai_socktype = SOCK_STREAM};
    struct lookup *lookup = NEW(struct lookup);
    char *host CLEANUP(mem_cleanup) = slice_strdup(name);
    lookup->asker = a;
    lookup->tag = tag;
    lookup->uv.data = lookup;
    int status = uv_getaddrinfo(loop_native(a->loop), &lookup->uv, looked_up, host, NULL, &hints);
    if (status == 0) {
        a->waiting++;
        return;
    }
    mem_free(lookup);
    send_answer(a, tag, resolver_error(status), NULL);
}

static void question_came(void *owner, enum err err, struct slice bytes, const int *fds,
                          size_t fd_count)
{
    struct asker *a = owner;
    ipc_close_fds(fds, fd_count);
    if (err == OK) {
        look_up(a, bytes);
        return;
    }
    ipc_close(a->ipc);
    a->ipc = NULL;
    if (a->waiting == 0)
        end_asker(a);
}

static void drop_asker(void *owner)
{
    struct asker *a = owner;
    loop_unkeep(&a->item);
    ipc_close(a->ipc);
    mem_free(a);
}

void resolver_serve(struct loop *l, int fd, resolver_ended *ended, void *owner)
{
    struct asker *a = NEW(struct asker);
    a->loop = l;
    a->ended = ended;
    a->owner = owner;
    a->ipc = ipc_new(l, fd, question_came, a);
    loop_keep(l, &a->item, drop_asker, a);
}
