/*
 * Where the four programs log: standard error, a file, or the system's log over /dev/log. Never
 * blocks: what the other side does not take is dropped.
 */
#ifndef ADIT_SERVER_ROLE_LOG_H
#define ADIT_SERVER_ROLE_LOG_H

#include "base/log.h"

/* To the system's log with this facility (RFC 5424 6.2.1); program is static. False: there is none.
 */
bool role_log_to_system(const char *program, int facility) MUST_USE;

/* LogFormat: one JSON object a line from now on, or plain text again. */
void role_log_set_json(bool is_json);

/* "program[pid]" in front of each line on standard error. */
void role_log_set_name(const char *program);

#endif
