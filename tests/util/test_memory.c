/* Checked sizes, alignment, and the switch that lets an allocation fail. */
#include <string.h>

#include "cairn/image.h"
#include "support.h"
#include "util/memory.h"

static void *realloc_new(size_t count, size_t size)
{
	return cn_realloc(NULL, count, size);
}

static void *(*const allocators[])(size_t, size_t) = { cn_alloc, cn_alloc_zero, cn_alloc_aligned, realloc_new };

#define ALLOCATORS (sizeof(allocators) / sizeof(allocators[0]))

static void sizes_that_cannot_be_are_refused(void **state)
{
	static const size_t sizes[][2] = {
		{ SIZE_MAX, 2 },
		{ 2, SIZE_MAX },
		{ SIZE_MAX / 2 + 1, 2 },
		{ SIZE_MAX, 1 },
		{ (size_t)1 << 33, (size_t)1 << 33 },
	};

	(void)state;
	for (size_t a = 0; a < ALLOCATORS; a++)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			cn_error_restore("");
			assert_null(allocators[a](sizes[i][0], sizes[i][1]));
			assert_non_null(strstr(cairn_last_error(), "out of memory"));
		}
}

static void nothing_may_be_allocated_and_freed(void **state)
{
	(void)state;
	for (size_t a = 0; a < ALLOCATORS; a++) {
		void *none = allocators[a](0, 8);

		assert_non_null(none);
		cn_free(none);
	}
	cn_free(NULL);
	cairn_bytes_free(NULL);
}

static void memory_is_writable_zeroed_aligned(void **state)
{
	(void)state;
	for (size_t size = 1; size < 5000; size = size * 3 + 1) {
		unsigned char *zero = cn_alloc_zero(size, 1), *aligned = cn_alloc_aligned(size, 1);

		for (size_t i = 0; i < size; i++)
			assert_int_equal(zero[i], 0);
		assert_int_equal((uintptr_t)aligned % 64, 0);
		memset(aligned, 0xaa, size);
		zero = cn_realloc(zero, size + 100, 1);
		memset(zero, 0xbb, size + 100);
		cn_free(zero);
		cn_free(aligned);
	}
}

static void copies_are_independent(void **state)
{
	char original[] = "abc\0def";
	char *whole, *text, *part, *longer;

	(void)state;
	whole = cn_memdup(original, sizeof(original));
	text = cn_strdup(original);
	part = cn_strndup(original, 2);
	longer = cn_strndup(original, 100);
	memset(original, 'x', sizeof(original));
	assert_memory_equal(whole, "abc\0def", sizeof(original));
	assert_string_equal(text, "abc");
	assert_string_equal(part, "ab");
	assert_string_equal(longer, "abc");
	cn_free(whole);
	cn_free(text);
	cn_free(part);
	cn_free(longer);
	whole = cn_memdup(NULL, 0);
	assert_non_null(whole);
	cn_free(whole);
}

static void sums_and_products_are_checked(void **state)
{
	size_t out;

	(void)state;
	assert_ok(cn_size_mul(SIZE_MAX, 1, &out));
	assert_int_equal(out, SIZE_MAX);
	assert_ok(cn_size_mul(0, SIZE_MAX, &out));
	assert_int_equal(out, 0);
	assert_fails(cn_size_mul(SIZE_MAX / 2 + 1, 2, &out), CAIRN_ENOMEM, "overflows");
	assert_ok(cn_size_add(SIZE_MAX - 1, 1, &out));
	assert_int_equal(out, SIZE_MAX);
	assert_fails(cn_size_add(SIZE_MAX, 1, &out), CAIRN_ENOMEM, "overflows");
}

static void one_allocation_fails_when_told(void **state)
{
	void *last;

	(void)state;
	for (long n = 0; n < 4; n++) {
		cn_memory_fail_at(n);
		for (long i = 0; i < 6; i++) {
			void *memory = cn_alloc(1, 1);

			assert_int_equal(memory == NULL, i == n);
			cn_free(memory);
		}
	}
	cn_memory_fail_at(0);
	cn_memory_fail_at(-1);
	last = cn_alloc(1, 1);
	assert_non_null(last);
	cn_free(last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_that_cannot_be_are_refused),
		cmocka_unit_test(nothing_may_be_allocated_and_freed),
		cmocka_unit_test(memory_is_writable_zeroed_aligned),
		cmocka_unit_test(copies_are_independent),
		cmocka_unit_test(sums_and_products_are_checked),
		cmocka_unit_test(one_allocation_fails_when_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
