/* One valid message of each kind, with its way: for the test and the fuzzer's first inputs. */
#ifndef ADIT_SERVER_ROLE_MSG_SAMPLES_H
#define ADIT_SERVER_ROLE_MSG_SAMPLES_H

#include "server/role_msg.h"

#define SAMPLE_TEXT(text_)                                                                         \
    {                                                                                              \
        (const uint8_t *)(text_), sizeof(text_) - 1                                                \
    }
#define SAMPLE_HASH SAMPLE_TEXT("0123456789abcdef0123456789abcdef")

static const struct {
    enum role from, to;
    struct role_msg m;
} role_msg_samples[] = {
    {ROLE_SIGN,
     ROLE_SUPERVISOR,
     {.kind = ROLE_MSG_HOST_KEY, .name = SAMPLE_TEXT("ssh-ed25519"), .key = SAMPLE_TEXT("blob")}},
    {ROLE_SIGN, ROLE_SUPERVISOR, {.kind = ROLE_MSG_READY}},
    {ROLE_SUPERVISOR,
     ROLE_WORK,
     {.kind = ROLE_MSG_START,
      .connection = 7,
      .address = SAMPLE_TEXT("192.0.2.1"),
      .port = 65535,
      .local_address = SAMPLE_TEXT("UNKNOWN"),
      .local_port = 22}},
    {ROLE_WORK,
     ROLE_SUPERVISOR,
     {.kind = ROLE_MSG_SIGN,
      .connection = 7,
      .name = SAMPLE_TEXT("ssh-ed25519"),
      .key = SAMPLE_TEXT("blob"),
      .hash = SAMPLE_HASH}},
    {ROLE_SIGN,
     ROLE_SUPERVISOR,
     {.kind = ROLE_MSG_SIGNATURE, .connection = 7, .signature = SAMPLE_TEXT("sig")}},
    {ROLE_WORK,
     ROLE_SUPERVISOR,
     {.kind = ROLE_MSG_AUTH,
      .user = SAMPLE_TEXT("alice"),
      .service = SAMPLE_TEXT("ssh-connection"),
      .name = SAMPLE_TEXT("ssh-ed25519"),
      .key = SAMPLE_TEXT("key"),
      .is_hostbound = 1,
      .has_signature = 1,
      .signature = SAMPLE_TEXT("sig")}},
    {ROLE_SUPERVISOR,
     ROLE_AUTHZ,
     {.kind = ROLE_MSG_AUTHZ,
      .user = SAMPLE_TEXT("alice"),
      .service = SAMPLE_TEXT("ssh-connection"),
      .name = SAMPLE_TEXT("ssh-ed25519"),
      .key = SAMPLE_TEXT("key"),
      .has_signature = 1,
      .signature = SAMPLE_TEXT("sig"),
      .host_key = SAMPLE_TEXT("host"),
      .session_id = SAMPLE_HASH,
      .address = SAMPLE_TEXT("192.0.2.1"),
      .port = 1}},
    {ROLE_AUTHZ,
     ROLE_SUPERVISOR,
     {.kind = ROLE_MSG_ANSWER,
      .is_allowed = 1,
      .options = SAMPLE_TEXT("restrict"),
      .fingerprint = SAMPLE_TEXT("ED25519 SHA256:x"),
      .text = SAMPLE_TEXT("because")}},
    {ROLE_WORK,
     ROLE_SUPERVISOR,
     {.kind = ROLE_MSG_SESSION,
      .session_kind = ROLE_SESSION_EXEC,
      .command = SAMPLE_TEXT("ls"),
      .has_pty = 1,
      .term = SAMPLE_TEXT("xterm"),
      .columns = 80,
      .rows = 24,
      .modes = SAMPLE_TEXT("\0"),
      .environment = SAMPLE_TEXT("LANG=C\0")}},
    {ROLE_SUPERVISOR,
     ROLE_SESSION,
     {.kind = ROLE_MSG_LAUNCH,
      .session_kind = ROLE_SESSION_SUBSYSTEM,
      .command = SAMPLE_TEXT("sftp"),
      .user = SAMPLE_TEXT("alice"),
      .key = SAMPLE_TEXT("key"),
      .options = SAMPLE_TEXT("restrict"),
      .address = SAMPLE_TEXT("UNKNOWN"),
      .port = 65535,
      .local_address = SAMPLE_TEXT("UNKNOWN"),
      .local_port = 65535}},
    {ROLE_SESSION, ROLE_WORK, {.kind = ROLE_MSG_STARTED}},
    {ROLE_WORK, ROLE_SESSION, {.kind = ROLE_MSG_SIGNAL, .signal_number = 15}},
    {ROLE_SESSION,
     ROLE_WORK,
     {.kind = ROLE_MSG_EXITED, .status = 44, .signal_name = SAMPLE_TEXT("TERM"), .is_core = 1}},
};

#endif
