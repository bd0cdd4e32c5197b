/*
 * Algorithms that nobody should use and some configurations still name: SHA-1 signatures, CBC,
 * MD5 and cut MACs, the 1024-bit group. They are here so that such a sshd_config, and OpenSSH's own
 * tests, work unchanged. base/algo_names.c lets in only what a configuration spells in full.
 */
#ifndef ADIT_CRYPTO_LEGACY_H
#define ADIT_CRYPTO_LEGACY_H

#include "crypto/algo.h"

#define LEGACY_CIPHERS 4

/* NULL: not one. */
const struct algo_kex *legacy_kex_find(struct slice name);
const struct algo_cipher *legacy_cipher_find(struct slice name);
const struct algo_mac *legacy_mac_find(struct slice name);
/*
 * "ssh-rsa" and "ssh-dss" as signature algorithms, which algo_sign_find does not find: only who has
 * looked the name up in a configured list asks here.
 */
const struct algo_sign *legacy_sign_find(struct slice name);

/*
 * The same of a host key with its certificate ("ssh-rsa-cert-v01@openssh.com"): the algorithm of
 * the signature; *own is the name, static, and the type inside the blob, too.
 */
const struct algo_sign *legacy_cert_sign(struct slice name, const char **own);

/* Rows in order, NULL behind the last: for tests that walk all. */
const struct algo_kex *legacy_kex_at(size_t i);
const struct algo_cipher *legacy_cipher_at(size_t i);
const struct algo_mac *legacy_mac_at(size_t i);

/* libcrypto's name of a cipher's row. */
const char *legacy_cipher_name(size_t i);

#endif
