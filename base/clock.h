/*
 * Time is uint64_t milliseconds of a monotonic clock, always passed in: this room reads no clock.
 * It only reads and writes durations as OpenSSH's configuration does ("90", "1m30s", "2h").
 */
#ifndef ADIT_BASE_CLOCK_H
#define ADIT_BASE_CLOCK_H

#include "base/err.h"

#define CLOCK_NEVER UINT64_MAX
#define MS_PER_S    1000u

/* sshd_config(5) TIME FORMATS: digits with s m h d w, summed; bare digits are seconds. */
enum err duration_parse_s(const char *text, uint32_t *seconds) MUST_USE;

#endif
