/*
 * What the load generators and the relay both need: TCP on loopback with blocking sockets, a clock,
 * and options of the form NAME=VALUE. They measure the house and so use nothing of it but base/.
 */
#ifndef ADIT_BENCH_TOOL_H
#define ADIT_BENCH_TOOL_H

#include "base/base.h"

/* Says what failed, with errno's words, and ends the program with 1. */
NORETURN void tool_die(const char *what);

/* "127.0.0.1:8080", numbers only. A descriptor, or the end of the program. receive_buffer: bytes of
 * SO_RCVBUF for what is accepted; 0: as the kernel likes. */
int tool_listen(const char *at, int receive_buffer) MUST_USE;
/* With TCP_NODELAY; -1 and errno if nobody is there. */
int tool_connect(const char *to) MUST_USE;
void tool_nodelay(int fd);
/* Reads and writes that take longer than this fail: no run waits for ever. */
void tool_patience(int fd, unsigned seconds);

/* All n bytes; false at the end of the stream or on an error. */
bool tool_write(int fd, const void *bytes, size_t n) MUST_USE;
bool tool_read(int fd, void *bytes, size_t n) MUST_USE;

uint64_t tool_now_ns(void); /* monotonic */

/* VALUE of the first word NAME=VALUE; NULL if there is none. */
const char *tool_word(char **words, const char *name) MUST_USE;
/* The same as a number in decimal, or `otherwise`. Nonsense ends the program with 2. */
uint64_t tool_number(char **words, const char *name, uint64_t otherwise) MUST_USE;
uint64_t tool_parse(const char *text) MUST_USE;

/* Sorts, and gives the value below which this part of them lies; 0 of none. */
void tool_sort(double *values, size_t n);
double tool_quantile(const double *sorted, size_t n, double part) MUST_USE;

#endif
