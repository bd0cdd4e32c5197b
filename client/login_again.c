/* The login of a further connection: what was right for the first, and nobody is asked. */
#include "base/log.h"
#include "client/internal.h"
#include "client/login_internal.h"

static struct agent_session session_of(struct link *link)
{
    const struct transport *t = link_transport(link);
    return (struct agent_session){
        .host_key = transport_server_key(t),
        .session_id = transport_session_id(t),
        .signature = transport_host_signature(t),
    };
}

void login_again_start(struct client *c, struct link *link)
{
    const struct client_options *o = c->options;
    const struct login *l = c->login;
    struct auth_client_config config = {
        .user = o->user,
        .accepted = o->pubkey_accepted_algorithms,
        .methods = l->kept.methods,
        .devices = o->kbd_interactive_devices,
        .prompts = 1,
        .may_hostbound =
            o->pubkey_authentication == PUBKEY_YES || o->pubkey_authentication == PUBKEY_HOST_BOUND,
    };
    struct auth_client *a = link_auth_client(link, &config);
    /* Each had an algorithm that fits it: the numbers stay those of what was kept. */
    for (size_t i = 0; i < l->kept.key_count; i++) {
        if (!login_add_identity(l, a, login_identity(l, l->kept.keys[i])))
            break;
    }
    link_start_auth_client(link);
}

static enum err sign(const struct client *c, struct link *link, const struct auth_client_event *e,
                     struct buf *signature)
{
    const struct login *l = c->login;
    const struct identity *id = login_identity(l, l->kept.keys[e->key]);
    const struct agent_session session = session_of(link);
    enum err err = identity_sign_again(&l->identities, id, l->agent_path, &session, e->algorithm,
                                       e->data, signature);
    if (err != OK)
        login_tell_unsigned(id, err);
    return err;
}

static void answer(const struct client *c, struct link *link, const struct auth_client_event *e)
{
    struct auth_client_answer answer;
    struct buf signature;
    buf_init_secret(&signature, PUBKEY_BLOB_MAX);
    bool is_known = login_kept_give(&c->login->kept, e, &answer);
    if (e->kind == AUTH_CLIENT_SIGN) {
        is_known = sign(c, link, e, &signature) == OK;
        answer.text = buf_slice(&signature);
    }
    answer.is_declined = !is_known;
    link_answer_auth(link, &answer);
    buf_done(&signature);
}

void login_again_event(struct client *c, struct link *link, const struct auth_client_event *e)
{
    if (auth_client_is_question(e->kind))
        answer(c, link, e);
    else if (e->kind == AUTH_CLIENT_REFUSED)
        log_debug("Authentications that can continue: %s", ESCAPED(e->methods));
}

void login_forget(struct client *c)
{
    struct login *l = c->login;
    if (!l || !l->keeps)
        return;
    login_kept_done(&l->kept);
    login_kept_init(&l->kept);
    l->keeps = false;
}
