/*
 * The encoded terminal modes of a pty-req (RFC 4254 8) to a struct termios and back: one table of
 * opcodes. Pure: it touches no terminal. What this host does not know is passed over.
 */
#ifndef ADIT_WIRE_TTY_MODES_H
#define ADIT_WIRE_TTY_MODES_H

#include <termios.h>

#include "base/buf.h"

/*
 * Applies the modes one by one up to TTY_OP_END, an opcode of 160 or more (RFC 4254 8: not defined)
 * or the end of the bytes. ERR_TRUNCATED: an argument is cut; what stood before it is applied.
 */
enum err tty_modes_apply(struct slice modes, struct termios *t) MUST_USE;

/* Appends every mode that is known here and TTY_OP_END; t NULL: the end alone. ERR_LIMIT. */
enum err tty_modes_encode(const struct termios *t, struct buf *out) MUST_USE;

#endif
