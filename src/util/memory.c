/*
 * Allocation with checked sizes, and a switch with which tests let any single allocation fail.
 */
#define CN_UTIL_MEMORY_C
#include "util/memory.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/image.h"

#define ALIGNMENT ((size_t)64)

static atomic_long fail_countdown = -1;

void cn_memory_fail_at(long n)
{
	atomic_store(&fail_countdown, n);
}

static int must_fail(void)
{
	if (atomic_load_explicit(&fail_countdown, memory_order_relaxed) < 0)
		return 0;
	return atomic_fetch_sub(&fail_countdown, 1) == 0;
}

static void *no_memory(size_t count, size_t size)
{
	cn_fail(CAIRN_ENOMEM, "out of memory: %zu x %zu bytes could not be had", count, size);
	return NULL;
}

/* Above PTRDIFF_MAX no object can be; compilers warn of such sizes and some allocators abort on them. */
static int total_size(size_t count, size_t size, size_t *total)
{
	if (__builtin_mul_overflow(count, size, total) || *total > PTRDIFF_MAX - ALIGNMENT || must_fail())
		return 0;
	if (*total == 0)
		*total = 1;
	return 1;
}

void *cn_alloc(size_t count, size_t size)
{
	size_t total;
	void *memory = total_size(count, size, &total) ? malloc(total) : NULL;

	return memory ? memory : no_memory(count, size);
}

void *cn_alloc_zero(size_t count, size_t size)
{
	size_t total;
	void *memory = total_size(count, size, &total) ? calloc(1, total) : NULL;

	return memory ? memory : no_memory(count, size);
}

void *cn_realloc(void *old, size_t count, size_t size)
{
	size_t total;
	void *memory = total_size(count, size, &total) ? realloc(old, total) : NULL;

	return memory ? memory : no_memory(count, size);
}

void *cn_alloc_aligned(size_t count, size_t size)
{
	size_t total;
	void *memory = NULL;

	if (total_size(count, size, &total))
		memory = aligned_alloc(ALIGNMENT, (total + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
	return memory ? memory : no_memory(count, size);
}

char *cn_strdup(const char *text)
{
	return cn_strndup(text, strlen(text));
}

char *cn_strndup(const char *text, size_t length)
{
	size_t used = strnlen(text, length);
	char *copy = cn_alloc(used + 1, 1);

	if (copy) {
		memcpy(copy, text, used);
		copy[used] = '\0';
	}
	return copy;
}

void *cn_memdup(const void *bytes, size_t length)
{
	void *copy = cn_alloc(length, 1);

	if (copy && length)
		memcpy(copy, bytes, length);
	return copy;
}

void cn_free(void *pointer)
{
	free(pointer);
}

int cn_size_mul(size_t a, size_t b, size_t *out)
{
	if (__builtin_mul_overflow(a, b, out))
		return cn_fail(CAIRN_ENOMEM, "a size overflows: %zu x %zu", a, b);
	return 0;
}

int cn_size_add(size_t a, size_t b, size_t *out)
{
	if (__builtin_add_overflow(a, b, out))
		return cn_fail(CAIRN_ENOMEM, "a size overflows: %zu + %zu", a, b);
	return 0;
}

void cairn_bytes_free(void *bytes)
{
	cn_free(bytes);
}
