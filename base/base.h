/*
 * The few things every room needs: attributes, CHECK, and a small allocator that aborts on
 * shortage. Sizes that a peer chooses never reach the allocator directly: they pass a struct buf
 * with its cap (buf.h).
 */
#ifndef ADIT_BASE_BASE_H
#define ADIT_BASE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/param.h> /* MIN, MAX: glibc's, so that nobody meets two */

#define MUST_USE                  __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt_, first_) __attribute__((format(printf, fmt_, first_)))
#define CLEANUP(function)         __attribute__((cleanup(function)))
#define NORETURN                  __attribute__((noreturn))
#define UNUSED                    __attribute__((unused))

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))
#define container_of(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/*
 * CHECK states what only a bug of ours can make false; it stays on in release builds and aborts
 * the process. Its condition never depends on what a peer sent.
 */
#define CHECK(condition) ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))
NORETURN void check_failed(const char *condition, const char *file, int line);

/* Zeroed room for count objects of size bytes; aborts on shortage or overflow, never NULL. */
void *mem_new(size_t count, size_t size) MUST_USE;
#define NEW(type) ((type *)mem_new(1, sizeof(type)))

/* Like realloc for count objects of size bytes; new room is not zeroed; aborts on shortage. */
void *mem_resize(void *memory, size_t count, size_t size) MUST_USE;

/* Frees; NULL is allowed. */
void mem_free(void *memory);

/* Zeroes in a way the compiler may not remove. */
void mem_wipe(void *memory, size_t size);

/* Copies that abort on shortage; the caller owns the result. */
char *mem_strdup(const char *text) MUST_USE;
char *mem_strndup(const char *text, size_t length) MUST_USE;
char *mem_printf(const char *format, ...) PRINTF_LIKE(1, 2) MUST_USE;

/* True if the bytes are equal; takes the same time whatever they are. For secrets and tags. */
bool mem_equal_secret(const void *a, const void *b, size_t size) MUST_USE;

/* For CLEANUP(mem_cleanup) on any pointer variable. */
void mem_cleanup(void *pointer_to_pointer);

#endif
