/* -y: the system's log over /dev/log in the place of standard error. */
#ifndef ADIT_CLIENT_SYSTEM_LOG_H
#define ADIT_CLIENT_SYSTEM_LOG_H

#include "base/base.h"

/*
 * Lines go there from now on, with this program's name and facility (RFC 5424 6.2.1). False:
 * nobody listens there, and nothing has changed.
 */
bool system_log_open(const char *program, int facility);

#endif
