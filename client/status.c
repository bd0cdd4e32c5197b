/* The connection in words. */
#include "client/status.h"

#include <sys/socket.h>
#include <unistd.h>

#include "client/internal.h"
#include "client/links.h"
#include "io/address.h"

/* Takes over the text. A list longer than anybody reads is cut. */
static void put(struct buf *out, char *text)
{
    size_t room = out->cap - buf_len(out);
    CHECK(buf_append(out, text, MIN(strlen(text), room)) == OK);
    mem_free(text);
}

/* "tcp 127.0.0.1:40000 -> 127.0.0.1:22", or what else carries it. */
static char *route(struct link *l)
{
    struct sockaddr_storage ours, theirs;
    socklen_t lengths[] = {sizeof(ours), sizeof(theirs)};
    char texts[2][ADDRESS_TEXT_MAX];
    int fd = stream_read_fd(link_stream(l));
    if (getsockname(fd, (struct sockaddr *)&ours, &lengths[0]) != 0 ||
        getpeername(fd, (struct sockaddr *)&theirs, &lengths[1]) != 0)
        return mem_strdup("through a proxy");
    address_text(&ours, texts[0]);
    address_text(&theirs, texts[1]);
    return mem_printf("tcp %s:%u -> %s:%u", texts[0], address_port(&ours), texts[1],
                      address_port(&theirs));
}

/* AditConnections: a line for each, also for those that are not up now. */
static void list_links(const struct client *c, struct buf *out)
{
    unsigned count = (unsigned)c->options->connections;
    for (unsigned i = 0; c->links && i < count; i++) {
        struct link *l = links_at(c, i);
        char *way CLEANUP(mem_cleanup) = l ? route(l) : NULL;
        put(out, l ? mem_printf("  connection %u of %u %s, %u channels\n", i + 1, count, way,
                                conn_channel_count(link_conn(l)))
                   : mem_printf("  connection %u of %u not up\n", i + 1, count));
    }
}

char *status_connection(const struct client *c)
{
    struct buf out;
    struct transport_names n = transport_algorithms(link_transport(c->link));
    char *way CLEANUP(mem_cleanup) = route(c->link);
    buf_init(&out, 64 * 1024);
    put(&out, mem_printf("Connection information for %s@%s, pid %d:\n", c->options->user,
                         c->options->host_name, (int)getpid()));
    put(&out, mem_printf("  connection %s\n", way));
    put(&out, mem_printf("  server version %s\n",
                         ESCAPED(transport_peer_ident(link_transport(c->link)))));
    put(&out, mem_printf("  kexalgorithm %s\n  hostkeyalgorithm %s\n", n.kex, n.host_key));
    put(&out, mem_printf("  cipher %s\n  mac %s\n  compression %s\n", n.send_cipher, n.send_mac,
                         n.send_compression));
    list_links(c, &out);
    char *text = buf_strdup(&out);
    buf_done(&out);
    return text;
}

static void list_forwards(const struct client *c, struct buf *out)
{
    LIST_FOR (f, &c->forwards.forwards, struct forward, item) {
        static const char *const states[] = {
            [FORWARD_WANTED] = "waiting",   [FORWARD_ASKED] = "asked for",
            [FORWARD_ACTIVE] = "open",      [FORWARD_REFUSED] = "refused",
            [FORWARD_CANCELLED] = "closed",
        };
        char *listen CLEANUP(mem_cleanup) = forward_describe_listen(f);
        char *target CLEANUP(mem_cleanup) = forward_describe(f);
        if (f->state != FORWARD_CANCELLED)
            put(out, mem_printf("  %s %s -> %s: %s, %llu connections so far\n",
                                forward_spec_is_remote(&f->spec) ? "remote" : "local", listen,
                                target, states[f->state], (unsigned long long)f->connections));
    }
}

static void list_channels(struct link *l, const char *where, struct buf *out)
{
    uint32_t id = 0;
    struct channel *ch;
    while ((ch = conn_next_channel(link_conn(l), &id)))
        put(out, mem_printf("  #%u %s%s\n", channel_id(ch), channel_type(ch), where));
}

char *status_channels(const struct client *c)
{
    struct buf out;
    buf_init(&out, 1024 * 1024);
    put(&out, mem_printf("The following connections are open:\n"));
    for (unsigned i = 0; i < (unsigned)c->options->connections; i++) {
        struct link *l = links_at(c, i);
        char *where CLEANUP(mem_cleanup) =
            i ? mem_printf(" (connection %u)", i + 1) : mem_strdup("");
        if (l)
            list_channels(l, where, &out);
    }
    put(&out, mem_printf("Forwards:\n"));
    list_forwards(c, &out);
    char *text = buf_strdup(&out);
    buf_done(&out);
    return text;
}
