/*
 * Asks the person: on the terminal, or through the askpass program (ssh(1), SSH_ASKPASS). Blocks
 * until there is an answer, so it belongs before a loop or where one may stand still. It does not
 * know what is asked for.
 */
#ifndef ADIT_CLIENT_PROMPT_H
#define ADIT_CLIENT_PROMPT_H

#include "base/buf.h"

#define PROMPT_ANSWER_MAX 1023 /* OpenSSH's, and what a terminal's line takes many times over */

enum askpass_use {
    ASKPASS_AUTO,   /* where there is no terminal, and a display is set */
    ASKPASS_NEVER,  /* SSH_ASKPASS_REQUIRE=never */
    ASKPASS_PREFER, /* rather than the terminal, if a display is set */
    ASKPASS_FORCE,  /* always, display or not */
};

/* Everything borrowed. */
struct prompt_config {
    const char *terminal; /* "/dev/tty" */
    const char *askpass;  /* program, without arguments */
    enum askpass_use use;
    bool has_display;
    bool is_batch; /* nobody may be asked (BatchMode) */
};

/* From SSH_ASKPASS, SSH_ASKPASS_REQUIRE, DISPLAY and WAYLAND_DISPLAY. */
struct prompt_config prompt_config_from_environment(bool is_batch);

/* How a question will be asked; PROMPT_NOBODY: it cannot be. */
enum prompt_way { PROMPT_TERMINAL, PROMPT_ASKPASS, PROMPT_NOBODY };
enum prompt_way prompt_choose(const struct prompt_config *config, bool has_terminal);

/* Whether there is somebody who could answer. */
bool prompt_has_somebody(const struct prompt_config *config);

/*
 * Shows text and appends the answer, without its newline, to answer (a secret buf for a secret).
 * is_secret: what is typed is not shown; the terminal is put back whatever happens, also before a
 * signal that ends or stops the process takes its effect. ERR_DENIED: the person said no or sent an
 * end of file; ERR_CANCELLED: a signal that has a handler came; ERR_NOT_FOUND: there is nobody to
 * ask; ERR_LIMIT: an answer of more than PROMPT_ANSWER_MAX bytes; ERR_IO.
 */
enum err prompt_ask(const struct prompt_config *config, const char *text, bool is_secret,
                    struct buf *answer) MUST_USE;

/*
 * A question that yes answers. Through askpass it is its exit status that does (SSH_ASKPASS_PROMPT=
 * confirm tells it so). OK: yes. ERR_DENIED: anything else. Else as prompt_ask.
 */
enum err prompt_confirm(const struct prompt_config *config, const char *question) MUST_USE;

/*
 * The question about a host key: asked again until the answer is yes, no, nothing (no), or the
 * fingerprint (yes). OK: yes. ERR_DENIED: no. Else as prompt_ask.
 */
enum err prompt_ask_trust(const struct prompt_config *config, const char *question,
                          const char *fingerprint) MUST_USE;

#endif
