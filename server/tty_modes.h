/*
 * The encoded terminal modes of a pty-req (RFC 4254 8) applied to a struct termios: one table of
 * opcodes. Pure: it touches no terminal. What this host does not know is passed over.
 */
#ifndef ADIT_SERVER_TTY_MODES_H
#define ADIT_SERVER_TTY_MODES_H

#include <termios.h>

#include "base/buf.h"

/*
 * Applies the modes one by one up to TTY_OP_END, an opcode of 160 or more (RFC 4254 8: not defined)
 * or the end of the bytes. ERR_TRUNCATED: an argument is cut; what stood before it is applied.
 */
enum err tty_modes_apply(struct slice modes, struct termios *t) MUST_USE;

#endif
