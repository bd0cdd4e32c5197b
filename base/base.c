/*
 * Allocation that aborts, and CHECK's failure. Knows nothing of logging on purpose: a failed
 * CHECK writes with stderr only.
 */
#include "base/base.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

NORETURN void check_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "BUG: %s:%d: %s\n", file, line, condition);
    abort();
}

static NORETURN void out_of_memory(void)
{
    static const char text[] = "out of memory\n";
    fputs(text, stderr);
    abort();
}

void *mem_new(size_t count, size_t size)
{
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory)
        out_of_memory();
    return memory;
}

void *mem_resize(void *memory, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        out_of_memory();
    void *bigger = realloc(memory, total ? total : 1);
    if (!bigger)
        out_of_memory();
    return bigger;
}

void mem_free(void *memory)
{
    free(memory);
}

void mem_wipe(void *memory, size_t size)
{
    if (size)
        explicit_bzero(memory, size);
}

char *mem_strdup(const char *text)
{
    return mem_strndup(text, strlen(text));
}

char *mem_strndup(const char *text, size_t length)
{
    char *copy = mem_new(length + 1, 1);
    memcpy(copy, text, length);
    return copy;
}

char *mem_printf(const char *format, ...)
{
    va_list arguments;
    char *text = NULL;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        out_of_memory();
    return text;
}

bool mem_equal_secret(const void *a, const void *b, size_t size)
{
    const volatile uint8_t *x = a;
    const volatile uint8_t *y = b;
    uint8_t difference = 0;
    for (size_t i = 0; i < size; i++)
        difference = (uint8_t)(difference | (x[i] ^ y[i]));
    return difference == 0;
}

void mem_cleanup(void *pointer_to_pointer)
{
    mem_free(*(void **)pointer_to_pointer);
}
