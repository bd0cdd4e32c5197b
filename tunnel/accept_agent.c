/* Answering auth-agent-req@openssh.com. */
#include "tunnel/accept_agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/listener.h"
#include "tunnel/splice.h"

#define TYPE_AGENT  "auth-agent@openssh.com"
#define TYPE_DRAFT  "agent-connect"       /* draft-ietf-sshm-ssh-agent */
#define FOLDER      "/tmp/ssh-XXXXXXXXXX" /* where people and their scripts look for it */
#define SOCKET_MASK 0177

struct accept_agent {
    struct link *link;
    const struct policy *policy;
    struct audit audit;
    struct listener *listener;
    const char *type; /* of its channels */
    char folder[sizeof(FOLDER)];
    char path[sizeof(FOLDER) + 32];
};

struct accept_agent *accept_agent_new(struct link *l, const struct policy *policy)
{
    struct accept_agent *a = NEW(struct accept_agent);
    a->link = l;
    a->policy = policy;
    return a;
}

void accept_agent_set_who(struct accept_agent *a, const struct audit_who *who)
{
    a->audit.who = *who;
}

static void tell(struct accept_agent *a, enum audit_result result, const char *reason)
{
    const struct audit_forward f = {"agent", slice_text(a->path), 0, result, reason};
    audit_forward(&a->audit, &f, loop_now(link_loop(a->link)));
}

static void remove_socket(struct accept_agent *a)
{
    if (a->listener)
        listener_close(a->listener); /* removes the file, if it is ours */
    if (a->folder[0] && rmdir(a->folder) != 0)
        log_debug("cannot remove %s: %s", a->folder, strerror(errno));
    a->listener = NULL;
    a->folder[0] = a->path[0] = '\0';
}

void accept_agent_free(struct accept_agent *a)
{
    if (!a)
        return;
    if (a->listener)
        tell(a, AUDIT_CLOSED, NULL);
    remove_socket(a);
    mem_free(a);
}

static void on_accepted(void *owner, int fd, const char *from UNUSED, uint16_t from_port UNUSED)
{
    struct accept_agent *a = owner;
    struct policy_refusal why;
    if (!policy_may_forward_agent(a->policy, &why)) {
        tell(a, AUDIT_REFUSED, why.text);
        close(fd);
        return;
    }
    struct stream *s = stream_new(link_loop(a->link), fd, fd, SPLICE_QUEUE_CAP, NULL, NULL);
    if (splice_open(a->link, a->type, SLICE_NONE, s, NULL, NULL, NULL, NULL) != OK)
        tell(a, AUDIT_FAILED, "a visitor was dropped: too many channels");
}

static bool listen_there(struct accept_agent *a)
{
    int error_number = 0;
    snprintf(a->folder, sizeof(a->folder), "%s", FOLDER);
    if (!mkdtemp(a->folder)) {
        a->folder[0] = '\0';
        tell(a, AUDIT_FAILED, strerror(errno));
        return false;
    }
    snprintf(a->path, sizeof(a->path), "%s/agent.%d", a->folder, (int)getpid());
    if (listener_new_unix(&a->listener, link_loop(a->link), a->path, SOCKET_MASK, false,
                          on_accepted, a, &error_number) == OK)
        return true;
    a->listener = NULL;
    tell(a, AUDIT_FAILED, strerror(error_number));
    remove_socket(a);
    return false;
}

bool accept_agent_request(struct accept_agent *a, bool is_draft)
{
    struct policy_refusal why;
    if (!policy_may_forward_agent(a->policy, &why)) {
        tell(a, AUDIT_REFUSED, why.text);
        return false;
    }
    if (a->listener)
        return true;
    if (!listen_there(a))
        return false;
    a->type = is_draft ? TYPE_DRAFT : TYPE_AGENT;
    tell(a, AUDIT_OPEN, NULL);
    return true;
}

const char *accept_agent_path(const struct accept_agent *a)
{
    return a->path;
}
