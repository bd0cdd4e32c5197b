/* Asked of the processor, or of the kernel where a program may not ask. */
#include "base/cpu.h"

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#if defined(__x86_64__) || defined(__i386__)
bool cpu_has_aes_gcm(void)
{
    return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
}
#elif defined(__aarch64__)
bool cpu_has_aes_gcm(void)
{
    unsigned long has = getauxval(AT_HWCAP);
    return (has & HWCAP_AES) && (has & HWCAP_PMULL);
}
#else
bool cpu_has_aes_gcm(void)
{
    return false;
}
#endif
