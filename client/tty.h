/*
 * The terminal a person sits at: raw while a session with a terminal runs, put back whatever
 * happens (also when a signal ends the process in the middle), its size, and its modes as a
 * pty-req carries them (RFC 4254 8). One a process.
 */
#ifndef ADIT_CLIENT_TTY_H
#define ADIT_CLIENT_TTY_H

#include "base/buf.h"

struct tty_size {
    uint32_t columns, rows, width_px, height_px;
};

/* 0 in all where fd is no terminal. */
struct tty_size tty_get_size(int fd);

/* Appends the encoded terminal modes of fd; just the end mark where it is none. */
void tty_encode_modes(int fd, struct buf *out);

/* fd: a terminal (else nothing happens). The descriptor stays the caller's, until tty_leave_raw. */
void tty_enter_raw(int fd);
/* As it was before; nothing happens where it is not raw. Safe in a signal handler. */
void tty_leave_raw(void);
bool tty_is_raw(void);

#endif
