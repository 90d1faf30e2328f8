/*
 * util/memory.h - allocation with checked sizes; the only place in cairn that calls malloc.
 *
 * All functions set the error text and return NULL when memory is short or count * size overflows. A count or size of 0
 * gives a pointer that may be freed but not read.
 */
#ifndef CN_UTIL_MEMORY_H
#define CN_UTIL_MEMORY_H

#include <stddef.h>

#include "util/status.h"

void *cn_alloc(size_t count, size_t size);
void *cn_alloc_zero(size_t count, size_t size);
void *cn_realloc(void *old, size_t count, size_t size);

/** Aligned to 64 bytes; free with cn_free() as well. */
void *cn_alloc_aligned(size_t count, size_t size);

char *cn_strdup(const char *text);
char *cn_strndup(const char *text, size_t length);
void *cn_memdup(const void *bytes, size_t length);

#if defined(__clang_analyzer__) && !defined(CN_UTIL_MEMORY_C)
#include <stdlib.h>
/* It cannot see from other files that the memory is zero. */
#define cn_alloc_zero(count, size) calloc((count), (size))
#endif

/** NULL is allowed. */
void cn_free(void *pointer);

/** 0, or CAIRN_ENOMEM where a * b does not fit. */
int cn_size_mul(size_t a, size_t b, size_t *out);
int cn_size_add(size_t a, size_t b, size_t *out);

/** Allocate into `pointer` and return CAIRN_ENOMEM from the function where that fails. */
#define CN_NEW(pointer, count, size)                                                                                   \
	do {                                                                                                           \
		(pointer) = cn_alloc_zero((count), (size));                                                            \
		if (!(pointer))                                                                                        \
			return CAIRN_ENOMEM;                                                                           \
	} while (0)

/** Tests only: let the n-th allocation from now on fail (0: the next one); negative: never. Process-wide. */
void cn_memory_fail_at(long n);

#endif
