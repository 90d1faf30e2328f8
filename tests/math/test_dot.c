/* Inner products and distances at every kernel level, within the bound that math/dot.h promises. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/dispatch.h"
#include "math/dot.h"
#include "math/half.h"
#include "support.h"

#define MOST 2100

static const size_t lengths[] = { 0,  1,  2,  7,  8,   9,   15,  16,   17,   31,   32,
				  33, 63, 64, 65, 100, 127, 129, 1000, 1792, 2048, 2051 };

static void random_numbers(float *numbers, size_t count, float size, uint64_t *seed)
{
	for (size_t i = 0; i < count; i++)
		numbers[i] = size * cn_test_normal(seed);
}

static void assert_near(float found, double wanted, double magnitude, size_t length, const char *what)
{
	if (fabs((double)found - wanted) > 1e-5 * magnitude + 1e-30) {
		print_error("%s of %zu numbers at level %d: %.9g, wanted %.9g\n", what, length, (int)cn_kernels_level(),
			    (double)found, wanted);
		fail();
	}
}

/* What the products of two vectors are, and what the promise is in proportion to. */
struct products {
	double dot, dot_size, distance, squares;
};

static struct products multiply(const float *a, const float *b, size_t n)
{
	struct products sums = { 0 };
	for (size_t i = 0; i < n; i++) {
		double x = (double)a[i], y = (double)b[i];
		sums.dot += x * y;
		sums.dot_size += fabs(x * y);
		sums.distance += (x - y) * (x - y);
		sums.squares += x * x;
	}
	return sums;
}

static void check_length(size_t n, float size, uint64_t *seed)
{
	/* Ends exactly where the numbers end, so that AddressSanitizer sees what is read beyond. */
	float *a = malloc(n * sizeof(*a) + !n), *b = malloc(n * sizeof(*b) + !n);
	random_numbers(a, n, size, seed);
	random_numbers(b, n, size, seed);
	struct products wanted = multiply(a, b, n);
	for (int level = CN_KERNELS_SCALAR; level <= CN_KERNELS_BEST; level++) {
		cn_kernels_force((cn_kernels)level);
		float first = cn_dot(a, b, n), again = cn_dot(a, b, n);
		assert_near(first, wanted.dot, wanted.dot_size, n, "dot");
		assert_memory_equal(&first, &again, sizeof(first));
		assert_near(cn_distance_squared(a, b, n), wanted.distance, wanted.distance, n, "distance");
		assert_near(cn_norm(a, n), sqrt(wanted.squares), sqrt(wanted.squares), n, "norm");
	}
	free(a);
	free(b);
}

/* `b` is of half-precision numbers: subnormal ones where `half_size` is small. */
static void check_half_length(size_t n, float size, float half_size, uint64_t *seed)
{
	float *a = malloc(n * sizeof(*a) + !n), *b = malloc(n * sizeof(*b) + !n);
	uint16_t *halves = malloc(n * sizeof(*halves) + !n);
	random_numbers(a, n, size, seed);
	random_numbers(b, n, half_size, seed);
	for (size_t i = 0; i < n; i++) {
		halves[i] = cn_half_from_float(b[i]);
		b[i] = cn_half_to_float(halves[i]);
	}
	struct products wanted = multiply(a, b, n);
	for (int level = CN_KERNELS_SCALAR; level <= CN_KERNELS_BEST; level++) {
		cn_kernels_force((cn_kernels)level);
		float first = cn_dot_half(a, halves, n), again = cn_dot_half(a, halves, n);
		assert_near(first, wanted.dot, wanted.dot_size, n, "dot with halves");
		assert_memory_equal(&first, &again, sizeof(first));
	}
	free(a);
	free(b);
	free(halves);
}

static void all_levels_keep_the_promise(void **state)
{
	uint64_t seed = 3;
	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		check_length(lengths[i], 1, &seed);
		check_length(lengths[i], 1e-12f, &seed);
		check_length(lengths[i], 1e12f, &seed);
		check_half_length(lengths[i], 1, 1, &seed);
		check_half_length(lengths[i], 1e30f, 10000, &seed);
		check_half_length(lengths[i], 1e-12f, 1e-6f, &seed);
	}
}

static void rows_are_single_products(void **state)
{
	enum { ROWS = 9, DIM = 77 };
	float a[DIM], rows[ROWS * DIM], out[ROWS];
	uint64_t seed = 5;
	(void)state;
	random_numbers(a, DIM, 1, &seed);
	random_numbers(rows, ROWS * DIM, 1, &seed);
	for (int level = CN_KERNELS_SCALAR; level <= CN_KERNELS_BEST; level++) {
		cn_kernels_force((cn_kernels)level);
		cn_dot_rows(a, rows, ROWS, DIM, out);
		for (size_t i = 0; i < ROWS; i++) {
			float wanted = cn_dot(a, rows + i * DIM, DIM);
			assert_memory_equal(&out[i], &wanted, sizeof(wanted));
		}
	}
}

/* A damaged file may hold what is no number, anywhere in a row. */
static void halves_that_are_no_numbers_stay_so(void **state)
{
	enum { DIM = 83 };
	float a[DIM];
	uint16_t b[DIM];
	(void)state;
	for (size_t i = 0; i < DIM; i++) {
		a[i] = 1;
		b[i] = 0x3c00;
	}
	for (int level = CN_KERNELS_SCALAR; level <= CN_KERNELS_BEST; level++) {
		cn_kernels_force((cn_kernels)level);
		assert_true(cn_dot_half(a, b, DIM) == DIM);
		for (size_t i = 0; i < DIM; i++) {
			b[i] = 0x7fff;
			assert_true(isnan(cn_dot_half(a, b, DIM)));
			b[i] = 0xfc00;
			assert_true(cn_dot_half(a, b, DIM) == -INFINITY);
			b[i] = 0x3c00;
		}
	}
}

static void normalised_vectors_have_norm_one(void **state)
{
	float v[3] = { 3, 0, -4 }, zero[2] = { 0, 0 }, tiny[2] = { 1e-13f, 0 };
	(void)state;
	assert_true(cn_normalise(v, 3) == 5.0f);
	assert_float_equal(v[0], 0.6f, 1e-7f);
	assert_float_equal(v[2], -0.8f, 1e-7f);
	assert_true(cn_normalise(zero, 2) == 0);
	assert_true(zero[0] == 0 && zero[1] == 0);
	/* No direction can be told from noise. */
	cn_normalise(tiny, 2);
	assert_true(tiny[0] == 1e-13f);
}

static void numbers_that_are_not_finite_are_seen(void **state)
{
	static const float strange[] = { NAN, INFINITY, -INFINITY };
	float numbers[100];
	(void)state;
	for (size_t i = 0; i < 100; i++)
		numbers[i] = i % 2 ? 3.4e38f : -3.4e38f;
	assert_true(cn_all_finite(numbers, 100));
	assert_true(cn_all_finite(numbers, 0));
	for (size_t place = 0; place < 100; place++)
		for (size_t s = 0; s < 3; s++) {
			float kept = numbers[place];
			numbers[place] = strange[s];
			assert_false(cn_all_finite(numbers, 100));
			assert_true(cn_all_finite(numbers, place));
			numbers[place] = kept;
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_levels_keep_the_promise),
		cmocka_unit_test(rows_are_single_products),
		cmocka_unit_test(halves_that_are_no_numbers_stay_so),
		cmocka_unit_test(normalised_vectors_have_norm_one),
		cmocka_unit_test(numbers_that_are_not_finite_are_seen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
