/* Asked of the processor, or of the kernel where a program may not ask. */
#include "base/cpu.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

#if defined(__x86_64__) || defined(__i386__)
/* One question, not the dozen that the compiler's own helper asks before main: under a hypervisor
 * each leaves the virtual machine. */
bool cpu_has_aes_gcm(void)
{
    unsigned a, b, c, d;
    __cpuid(1, a, b, c, d);
    return (c & bit_AES) && (c & bit_PCLMUL);
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
