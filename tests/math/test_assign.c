/* Nearest centroids at every kernel level and number of threads, against sorting by the definition. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/assign.h"
#include "math/dispatch.h"
#include "support.h"
#include "torture.h"

/* Small integers: every sum is exact, and many distances are equal. */
static float *integers(size_t count, uint64_t seed)
{
	float *rows = malloc(count * sizeof(*rows));
	for (size_t i = 0; i < count; i++)
		rows[i] = (float)(cn_test_random(&seed) % 7) - 3;
	return rows;
}

static double distance(const float *a, const float *b, size_t dim)
{
	double sum = 0;
	for (size_t j = 0; j < dim; j++)
		sum += ((double)a[j] - (double)b[j]) * ((double)a[j] - (double)b[j]);
	return sum;
}

/* The n smallest distances by looking n times; of equal ones the first. */
static void nearest_of(const float *row, const float *centroids, size_t k, size_t dim, size_t n, uint32_t *nearest)
{
	double *distances = malloc(k * sizeof(*distances));
	for (size_t c = 0; c < k; c++)
		distances[c] = distance(row, centroids + c * dim, dim);
	for (size_t i = 0; i < n; i++) {
		size_t best = 0;
		for (size_t c = 1; c < k; c++)
			if (distances[c] < distances[best])
				best = c;
		nearest[i] = (uint32_t)best;
		distances[best] = INFINITY;
	}
	free(distances);
}

static void every_level_gives_the_definition(void **state)
{
	static const struct {
		size_t rows, k, dim, n;
	} cases[] = {
		{ 1, 1, 1, 1 },      { 3, 2, 5, 2 },      { 127, 64, 64, 1 },   { 128, 65, 64, 5 },
		{ 257, 255, 3, 5 },  { 256, 256, 16, 1 }, { 600, 257, 128, 5 }, { 20, 1100, 10, 64 },
		{ 260, 1600, 8, 3 }, { 0, 10, 4, 2 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t count = cases[i].rows, k = cases[i].k, dim = cases[i].dim, n = cases[i].n;
		float *rows = integers(count * dim + 1, i), *centroids = integers(k * dim, i + 100);
		uint32_t *wanted = malloc((count * n + 1) * sizeof(*wanted)), *found = malloc((count * n + 1) * 4);
		for (size_t r = 0; r < count; r++)
			nearest_of(rows + r * dim, centroids, k, dim, n, wanted + r * n);
		for (int level = CN_KERNELS_SCALAR; level <= CN_KERNELS_BEST; level++)
			for (unsigned threads = 1; threads <= 3; threads++) {
				cn_workers *pool;
				cn_centroids ready;
				cn_kernels_force((cn_kernels)level);
				assert_ok(cn_workers_new(&pool, threads));
				assert_ok(cn_centroids_init(&ready, centroids, k, dim));
				memset(found, 0x55, count * n * sizeof(*found));
				assert_ok(cn_assign(pool, &ready, rows, count, n, found));
				cn_centroids_free(&ready);
				assert_memory_equal(found, wanted, count * n * sizeof(*found));
				cn_workers_free(pool);
			}
		free(rows);
		free(centroids);
		free(wanted);
		free(found);
	}
}

/* What is not a number has no nearest centroid, but what is written can be used as an index. */
static void numbers_that_are_none_give_indices(void **state)
{
	const float bad[] = { NAN, INFINITY, -INFINITY, 3e38f };
	float *centroids = integers(600 * 2, 1);
	uint32_t found[4 * 5];
	cn_centroids ready;
	(void)state;
	assert_ok(cn_centroids_init(&ready, centroids, 600, 2));
	for (size_t i = 0; i < 4; i++) {
		const float rows[] = { bad[i], 1, 1, bad[i], bad[i], bad[i], -bad[i], bad[i] };
		assert_ok(cn_assign(NULL, &ready, rows, 4, 5, found));
		for (size_t f = 0; f < 20; f++)
			assert_in_range(found[f], 0, 599);
	}
	cn_centroids_free(&ready);
	free(centroids);
}

static int assign_few(void *context)
{
	const float rows[] = { 1, 2 };
	uint32_t *found = context;
	cn_centroids ready;
	int status = cn_centroids_init(&ready, rows, 2, 1);
	if (status == 0)
		status = cn_assign(NULL, &ready, rows, 2, 1, found);
	cn_centroids_free(&ready);
	return status;
}

static void faults_are_reported(void **state)
{
	static const struct {
		size_t k, dim;
	} sizes[] = { { 3, 0 }, { 0, 3 }, { (size_t)UINT32_MAX + 1, 1 }, { 1, (size_t)INT32_MAX + 1 } };
	static const struct {
		size_t k, n;
	} cases[] = { { 3, 0 }, { 3, 4 }, { 100, 65 } };
	const float rows[100] = { 0 };
	cn_centroids ready;
	uint32_t found[100];
	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_fails(cn_centroids_init(&ready, rows, sizes[i].k, sizes[i].dim), CAIRN_EINVALID, "centroids");
		cn_centroids_free(&ready);
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_ok(cn_centroids_init(&ready, rows, cases[i].k, 1));
		assert_fails(cn_assign(NULL, &ready, rows, 1, cases[i].n, found), CAIRN_EINVALID, "centroids");
		cn_centroids_free(&ready);
	}
	assert_true(cn_torture(assign_few, found) >= 2);
	assert_int_equal(found[0], 0);
	assert_int_equal(found[1], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_level_gives_the_definition),
		cmocka_unit_test(numbers_that_are_none_give_indices),
		cmocka_unit_test(faults_are_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
