/*
 * The client's forwards: what is wanted, what is so. A forward outlives links: it is started on a
 * link, goes back to WANTED when the link dies, and is started again by the same call. Knows
 * nothing of reconnecting or of the command line.
 */
#ifndef ADIT_TUNNEL_FORWARD_H
#define ADIT_TUNNEL_FORWARD_H

#include "config/forward_spec.h"
#include "io/listener.h"
#include "tunnel/policy.h"
#include "tunnel/splice.h"

enum forward_state {
    FORWARD_WANTED,
    FORWARD_ASKED, /* remote: the request is out */
    FORWARD_ACTIVE,
    FORWARD_REFUSED,   /* reason says why */
    FORWARD_CANCELLED, /* on the person's word; what runs through it goes on */
};

struct forward_set;
struct forward {
    struct forward_set *set;
    struct list item;
    struct forward_spec spec; /* owned */
    enum forward_state state;
    struct listener *listener; /* local kinds; stays bound while the link is down */
    uint16_t port;             /* the real one: allocated, or as asked */
    char *reason;              /* REFUSED; owned */
    uint64_t connections;
    uint64_t cookie; /* of the request that is out */
    bool is_late;    /* launched while the link was up: its failure ends nothing */
};

/* A forward changed its state to ACTIVE or REFUSED, or was cancelled before it was either. */
typedef void forward_changed(void *owner, struct forward *f);

#define FORWARD_LINKS_MAX 16 /* of one set, the first among them */

struct forward_set {
    struct loop *loop;
    struct link *link;                          /* the first; NULL while there is none */
    struct link *others[FORWARD_LINKS_MAX - 1]; /* that carry channels, too */
    size_t other_count;
    size_t last_used; /* 0: the first, 1: the first of the others */
    struct list forwards;
    forward_changed *changed;
    void *owner;
    uint64_t next_cookie;
    bool gateway_ports;                     /* -g */
    uint32_t bind_mask;                     /* StreamLocalBindMask, for our Unix listeners */
    bool bind_unlink;                       /* StreamLocalBindUnlink */
    struct policy_rules permit_remote_open; /* PermitRemoteOpen; borrowed */
    int family; /* AF_UNSPEC, AF_INET (-4), AF_INET6 (-6): for our listeners and dials */
};

void forward_set_init(struct forward_set *set, struct loop *loop, forward_changed *changed,
                      void *owner);
void forward_set_done(struct forward_set *set);
struct forward *forward_set_add(struct forward_set *set, const struct forward_spec *spec);

/* The link is up: every forward that is WANTED or REFUSED is started on it. */
void forward_set_start(struct forward_set *set, struct link *l);
/* The link died: remote forwards go back to WANTED, local listeners stop accepting. */
void forward_set_link_down(struct forward_set *set);
/* One more, while the link is up: bound and asked for at once; `changed` tells, perhaps before this
 * returns. */
struct forward *forward_set_launch(struct forward_set *set, const struct forward_spec *spec);
/* The live one that listens where spec does and goes where it goes; NULL. */
struct forward *forward_set_find(struct forward_set *set, const struct forward_spec *spec);
/*
 * Ends the live one of this kind (remote dynamic ones are remote) that listens at spec's listening
 * end: no more visitors; connections that are open go on. ERR_NOT_FOUND: there is none.
 */
enum err forward_set_cancel(struct forward_set *set, const struct forward_spec *spec) MUST_USE;

/* Before the link: binds the local listeners, so that a port that is taken is known at once. */
void forward_set_bind(struct forward_set *set);

/* True if all are ACTIVE or REFUSED. */
bool forward_set_is_settled(const struct forward_set *set);
size_t forward_set_count(const struct forward_set *set, enum forward_state state);

/* LINK_GLOBAL_REPLY of the first link, with a cookie of ours: true if it was. */
bool forward_set_reply(struct forward_set *set, const struct link_event *e);
/* LINK_GLOBAL_REPLY of another link. */
void forward_set_joined(struct forward_set *set, const struct link_event *e);
/* Whether visitors of f may come over other links than the first. */
bool forward_may_join(const struct forward *f);
/* LINK_OPEN_REQUEST of type "forwarded-tcpip", on any of the links. */
void forward_set_open(struct forward_set *set, struct link *l, const struct link_event *e);

/* ---- several links to one server (forward_links.c) ---- */

/*
 * Another link is up (ignored beyond FORWARD_LINKS_MAX): new channels may go over it, and where its
 * server knows tcpip-forward-join@adit (doc/PROTOCOL.md), visitors of remote ports, too.
 */
void forward_set_add_link(struct forward_set *set, struct link *l);
/* It is going; before it is freed. Harmless for one that was never added. */
void forward_set_drop_link(struct forward_set *set, struct link *l);
/*
 * The link for one more channel: the one with the fewest channels, of several the next behind the
 * one that was used last. NULL while there is none.
 */
struct link *forward_set_pick(struct forward_set *set);
/* The choice itself: which of count (> 0) loads. UINT32_MAX: not that one. Pure. */
size_t forward_choose(const uint32_t *loads, size_t count, size_t last);

/* Where it goes: "localhost:20080", "/run/x.sock". For messages; the caller owns it. */
char *forward_describe(const struct forward *f) MUST_USE;

/* ---- the two sides, for forward.c alone ---- */
void forward_local_bind(struct forward *f);
void forward_local_start(struct forward *f);
void forward_local_stop(struct forward *f);
void forward_remote_start(struct forward *f);
void forward_remote_cancel(struct forward *f);
void forward_remote_join(struct forward *f, struct link *l); /* if it may */
void forward_remote_reply(struct forward *f, bool success, struct slice body);
void forward_remote_open(struct forward_set *set, struct link *l, const struct link_event *e);
void forward_set_state(struct forward *f, enum forward_state state, const char *reason);

/* forward_local.c for forward_dynamic.c: the body of direct-tcpip; a refusal in words. */
enum err forward_direct_body(const char *host, uint16_t port, const char *from, uint16_t from_port,
                             struct buf *body) MUST_USE;
void forward_tell_refused(const char *target, uint32_t reason, struct slice text);

/* forward_dynamic.c: a visitor that will name its target by SOCKS, at our listener or the server's.
 */
void forward_dynamic_accept(struct forward *f, int fd, const char *from, uint16_t from_port);
void forward_dynamic_open(struct forward *f, struct link *l, struct channel *ch);

/* What listens: "port 20080", "socket /run/x". For messages; the caller owns it. */
char *forward_describe_listen(const struct forward *f) MUST_USE;

/* forward_local.c, for -W too: opens direct-tcpip to host:port for s. */
enum err forward_open_direct(struct link *l, const char *host, uint16_t port, const char *from,
                             uint16_t from_port, struct stream *s, splice_refused *refused,
                             splice_done *done, void *owner) MUST_USE;

#endif
