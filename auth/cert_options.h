/*
 * What a user certificate's own options come to, in the terms of authorized_keys: a certificate
 * permits only what it names, a line forbids only what it names. Whether the certificate holds and
 * for whom it is was decided before (crypto/cert.h).
 */
#ifndef ADIT_AUTH_CERT_OPTIONS_H
#define ADIT_AUTH_CERT_OPTIONS_H

#include "auth/authorized_keys.h"
#include "crypto/cert.h"

/* The critical options that cert_options_read heeds, NULL at the end: for struct cert_wish. */
extern const char *const cert_options_known[];

/*
 * Fills *o from extensions and critical options; source-address becomes from=. ERR_FORMAT: a value
 * that is missing, superfluous or no list of networks; *why is a constant sentence and *o permits
 * nothing. Unknown extensions are passed over (PROTOCOL.certkeys), unknown critical options are
 * cert_check's. key_options_done in any case.
 */
enum err cert_options_read(const struct cert_info *info, struct key_options *o,
                           const char **why) MUST_USE;

#endif
