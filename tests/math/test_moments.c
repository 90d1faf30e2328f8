/* Means and second moments against sums over single numbers. */
#include <math.h>
#include <stdlib.h>

#include "math/moments.h"
#include "support.h"
#include "util/memory.h"

static void moments_are_those_of_loops(void **state)
{
	/* Around the number of rows that are taken at a time, and below it. */
	static const struct {
		size_t count, dim;
	} cases[] = { { 1, 1 }, { 2, 5 }, { 255, 3 }, { 256, 4 }, { 257, 4 }, { 700, 11 } };
	uint64_t seed = 37;
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t count = cases[i].count, dim = cases[i].dim;
		float *rows = malloc(count * dim * sizeof(*rows));
		uint32_t *pairs = malloc(2 * count * sizeof(*pairs));
		double *mean = malloc(dim * sizeof(*mean)), *moment = malloc(dim * dim * sizeof(*moment));
		double *between = malloc(dim * dim * sizeof(*between));
		for (size_t k = 0; k < count * dim; k++)
			rows[k] = 3 + cn_test_normal(&seed);
		for (size_t k = 0; k < 2 * count; k++)
			pairs[k] = (uint32_t)(cn_test_random(&seed) % count);
		cn_mean_of(rows, count, dim, mean);
		for (size_t k = 0; k < dim; k++) {
			double sum = 0;
			for (size_t r = 0; r < count; r++)
				sum += (double)rows[r * dim + k];
			assert_true(fabs(mean[k] - sum / (double)count) < 1e-12);
			mean[k] += 0.25 * (double)k; /* any centre will do */
		}
		assert_ok(cn_second_moment(rows, count, dim, mean, moment));
		assert_ok(cn_difference_moment(rows, dim, pairs, count, between));
		for (size_t a = 0; a < dim; a++)
			for (size_t b = 0; b < dim; b++) {
				double sum = 0, differences = 0;
				for (size_t r = 0; r < count; r++) {
					const float *p = rows + pairs[2 * r] * dim, *q = rows + pairs[2 * r + 1] * dim;
					sum += ((double)rows[r * dim + a] - mean[a]) *
					       ((double)rows[r * dim + b] - mean[b]);
					differences += ((double)p[a] - (double)q[a]) * ((double)p[b] - (double)q[b]);
				}
				assert_true(fabs(moment[a * dim + b] - sum / (double)count) < 1e-10);
				assert_true(fabs(between[a * dim + b] - differences / (double)count) < 1e-10);
			}
		free(rows);
		free(pairs);
		free(mean);
		free(moment);
		free(between);
	}
}

static void short_memory_is_reported(void **state)
{
	static const float rows[] = { 1, 2 };
	static const uint32_t pairs[] = { 0, 1 };
	double centre = 0, moment;
	(void)state;
	cn_memory_fail_at(0);
	assert_fails(cn_second_moment(rows, 2, 1, &centre, &moment), CAIRN_ENOMEM, NULL);
	cn_memory_fail_at(0);
	assert_fails(cn_difference_moment(rows, 1, pairs, 1, &moment), CAIRN_ENOMEM, NULL);
	cn_memory_fail_at(-1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moments_are_those_of_loops),
		cmocka_unit_test(short_memory_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
