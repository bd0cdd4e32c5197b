/*
 * Authentication messages (RFC 4252, OpenSSH's PROTOCOL 3.1): struct <-> bytes. Conventions as in
 * msg_transport.h.
 */
#ifndef ADIT_WIRE_MSG_AUTH_H
#define ADIT_WIRE_MSG_AUTH_H

#include "wire/reader.h"
#include "wire/writer.h"

#define MSG_USER_MAX     255
#define MSG_PASSWORD_MAX 1024 /* what may be looked at; longer ones are decoded, too */
#define MSG_BANNER_MAX   131072

enum userauth_method {
    USERAUTH_NONE,
    USERAUTH_PASSWORD,
    USERAUTH_PUBLICKEY,
    USERAUTH_PUBLICKEY_HOSTBOUND, /* publickey-hostbound-v00@openssh.com */
    USERAUTH_INTERACTIVE,         /* keyboard-interactive, RFC 4256 */
    USERAUTH_OTHER,               /* method_name has it; the body is not parsed */
};

struct msg_userauth_request {
    struct slice user, service, method_name;
    enum userauth_method method;
    /* publickey and publickey-hostbound */
    bool has_signature; /* false: a query, answered by PK_OK */
    struct slice algorithm, key_blob;
    struct slice host_key;  /* hostbound only */
    struct slice signature; /* if has_signature */
    /* password */
    bool changes_password;
    struct slice password, new_password;
    /* keyboard-interactive */
    struct slice submethods; /* what the client would like, a hint */
};
enum err msg_userauth_request_decode(struct slice payload, struct msg_userauth_request *m) MUST_USE;
/* Encodes all but OTHER. */
void msg_userauth_request_encode(struct writer *w, const struct msg_userauth_request *m);

struct msg_userauth_failure {
    struct slice methods; /* a name-list */
    bool partial_success;
};
enum err msg_userauth_failure_decode(struct slice payload, struct msg_userauth_failure *m) MUST_USE;
void msg_userauth_failure_encode(struct writer *w, const struct msg_userauth_failure *m);

enum err msg_userauth_success_decode(struct slice payload) MUST_USE;
void msg_userauth_success_encode(struct writer *w);

enum err msg_userauth_banner_decode(struct slice payload, struct slice *text) MUST_USE;
void msg_userauth_banner_encode(struct writer *w, struct slice text);

struct msg_userauth_pk_ok {
    struct slice algorithm, key_blob;
};
enum err msg_userauth_pk_ok_decode(struct slice payload, struct msg_userauth_pk_ok *m) MUST_USE;
void msg_userauth_pk_ok_encode(struct writer *w, const struct msg_userauth_pk_ok *m);

/* PASSWD_CHANGEREQ (RFC 4252 8): the password was right but is too old; prompt is for the person.
 */
enum err msg_userauth_change_decode(struct slice payload, struct slice *prompt) MUST_USE;
void msg_userauth_change_encode(struct writer *w, struct slice prompt);

/*
 * keyboard-interactive (RFC 4256 3.2, 3.4): what stands behind the message number of INFO_REQUEST
 * and INFO_RESPONSE. The lists were checked when decoded and are walked by the functions below.
 */
#define INFO_PROMPTS_MAX 64

struct body_info_request {
    struct slice name, instruction;
    uint32_t count;
    struct slice prompts; /* count times string and bool */
};
enum err body_info_request_decode(struct slice body, struct body_info_request *b) MUST_USE;
void body_info_request_encode(struct writer *w, const struct body_info_request *b);
/* One entry of prompts; the first entry off it, false at its end. */
void info_prompt_encode(struct writer *w, struct slice prompt, bool echo);
bool info_prompt_next(struct slice *prompts, struct slice *prompt, bool *echo);

struct body_info_response {
    uint32_t count;
    struct slice responses; /* count strings */
};
enum err body_info_response_decode(struct slice body, struct body_info_response *b) MUST_USE;
void body_info_response_encode(struct writer *w, const struct body_info_response *b);
bool info_response_next(struct slice *responses, struct slice *response);

#endif
