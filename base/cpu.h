/* What the processor under us can do, as far as a choice depends on it. */
#ifndef ADIT_BASE_CPU_H
#define ADIT_BASE_CPU_H

#include "base/base.h"

/* Instructions for both halves of AES-GCM: without them it is slow, and its time tells about keys.
 */
bool cpu_has_aes_gcm(void);

#endif
