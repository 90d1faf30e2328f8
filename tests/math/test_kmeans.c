/* k-means against a small one written for reading; empty clusters, threads, stopping. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/kmeans.h"
#include "support.h"
#include "torture.h"

#define MAX_DIM 16

static const cn_kmeans_options plain = { .clusters = 4, .iterations = 50, .seed = 1 };

/* Rows around `groups` centres far apart. */
static float *clouds(size_t count, size_t dim, size_t groups, uint64_t seed)
{
	float *rows = malloc(count * dim * sizeof(*rows));
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < dim; j++)
			rows[i * dim + j] =
				cn_test_normal(&seed) + 20 * (float)((i % groups >> j % 4 & 1) + j % groups);
	return rows;
}

static double distance(const float *a, const float *b, size_t dim)
{
	double sum = 0;
	for (size_t j = 0; j < dim; j++)
		sum += ((double)a[j] - (double)b[j]) * ((double)a[j] - (double)b[j]);
	return sum;
}

static size_t nearest(const float *row, const float *centroids, size_t k, size_t dim)
{
	size_t best = 0;
	for (size_t c = 1; c < k; c++)
		if (distance(row, centroids + c * dim, dim) < distance(row, centroids + best * dim, dim))
			best = c;
	return best;
}

static double mean_error(const float *rows, size_t count, const float *centroids, size_t k, size_t dim)
{
	double sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += distance(rows + i * dim, centroids + nearest(rows + i * dim, centroids, k, dim) * dim, dim);
	return sum / (double)count;
}

/* One step by the definition; the largest change of a number. */
static double step(const float *rows, size_t count, float *centroids, size_t k, size_t dim)
{
	double *sums = calloc(k * dim, sizeof(*sums)), change = 0;
	size_t *sizes = calloc(k, sizeof(*sizes));
	for (size_t i = 0; i < count; i++) {
		size_t c = nearest(rows + i * dim, centroids, k, dim);
		sizes[c]++;
		for (size_t j = 0; j < dim; j++)
			sums[c * dim + j] += (double)rows[i * dim + j];
	}
	for (size_t c = 0; c < k; c++)
		for (size_t j = 0; j < dim && sizes[c]; j++) {
			double mean = sums[c * dim + j] / (double)sizes[c];
			change = fmax(change, fabs(mean - (double)centroids[c * dim + j]));
			centroids[c * dim + j] = (float)mean;
		}
	free(sums);
	free(sizes);
	return change;
}

/* From wherever it ended, the definition has nowhere to go; and steps of one agree with steps of the definition. */
static void every_step_is_that_of_the_definition(void **state)
{
	static const struct {
		size_t count, dim, k;
	} cases[] = { { 50, 2, 1 }, { 200, 3, 4 }, { 1000, MAX_DIM, 20 }, { 300, 1, 7 } };
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t count = cases[i].count, dim = cases[i].dim, k = cases[i].k;
		float *rows = clouds(count, dim, 3, i), *found = malloc(k * dim * sizeof(*found));
		float *after = malloc(k * dim * sizeof(*after));
		cn_kmeans_options options = { .clusters = k, .iterations = 3, .seed = i };
		cn_kmeans_result result;
		assert_ok(cn_kmeans(NULL, rows, count, dim, &options, NULL, NULL, after, NULL));
		options.iterations = 2;
		assert_ok(cn_kmeans(NULL, rows, count, dim, &options, NULL, NULL, found, NULL));
		step(rows, count, found, k, dim);
		for (size_t j = 0; j < k * dim; j++)
			assert_true(fabsf(found[j] - after[j]) < 1e-4f);
		options.iterations = 500;
		assert_ok(cn_kmeans(NULL, rows, count, dim, &options, NULL, NULL, found, &result));
		assert_in_range(result.iterations, 1, 499);
		double error = mean_error(rows, count, found, k, dim);
		assert_true(fabs(result.error - error) <= 1e-5 * error);
		assert_true(step(rows, count, found, k, dim) < 1e-4);
		free(rows);
		free(found);
		free(after);
	}
}

static void groups_far_apart_are_found(void **state)
{
	float *rows = clouds(4000, 4, 4, 9), centroids[4 * 4];
	cn_kmeans_result result = { 0, 0 };
	(void)state;
	/* From some first centroids no step leads to the best ones; from one of these seeds it does. */
	double best = INFINITY;
	for (uint64_t seed = 0; seed < 10; seed++) {
		cn_kmeans_options options = { .clusters = 4, .iterations = 100, .seed = seed };
		assert_ok(cn_kmeans(NULL, rows, 4000, 4, &options, NULL, NULL, centroids, &result));
		best = fmin(best, result.error);
	}
	/* The variance of four normal numbers. */
	assert_true(best > 3.8 && best < 4.2);
	free(rows);
}

static void threads_do_not_matter_and_the_seed_does(void **state)
{
	float *rows = clouds(2000, 8, 5, 2), wanted[30 * 8], found[30 * 8];
	cn_kmeans_options options = { .clusters = 30, .iterations = 10, .seed = 7 };
	(void)state;
	assert_ok(cn_kmeans(NULL, rows, 2000, 8, &options, NULL, NULL, wanted, NULL));
	for (unsigned threads = 1; threads <= 4; threads++) {
		cn_workers *pool;
		assert_ok(cn_workers_new(&pool, threads));
		assert_ok(cn_kmeans(pool, rows, 2000, 8, &options, NULL, NULL, found, NULL));
		assert_memory_equal(found, wanted, sizeof(wanted));
		cn_workers_free(pool);
	}
	options.seed = 8;
	assert_ok(cn_kmeans(NULL, rows, 2000, 8, &options, NULL, NULL, found, NULL));
	assert_memory_not_equal(found, wanted, sizeof(wanted));
	free(rows);
}

/* Many rows alike: most first centroids coincide, and all but one of those clusters are empty. */
static void empty_clusters_are_filled(void **state)
{
	enum { COUNT = 500, DISTINCT = 8 };
	float rows[COUNT * 2], centroids[DISTINCT * 2];
	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		rows[2 * i] = i < DISTINCT ? (float)i : 3;
		rows[2 * i + 1] = 1;
	}
	for (uint64_t seed = 0; seed < 20; seed++) {
		int seen[DISTINCT] = { 0 };
		cn_kmeans_options options = { .clusters = DISTINCT, .iterations = 20, .seed = seed };
		cn_kmeans_result result;
		assert_ok(cn_kmeans(NULL, rows, COUNT, 2, &options, NULL, NULL, centroids, &result));
		assert_true(result.error == 0);
		for (size_t c = 0; c < DISTINCT; c++)
			seen[(int)centroids[2 * c]]++;
		for (size_t c = 0; c < DISTINCT; c++)
			assert_int_equal(seen[c], 1);
		options.clusters = DISTINCT + 1;
		assert_fails(
			cn_kmeans(NULL, rows, COUNT, 2, &options, NULL, NULL, (float[2 * DISTINCT + 2]){ 0 }, NULL),
			CAIRN_EINVALID, "fewer distinct rows");
	}
}

struct told {
	uint64_t done, total;
	int stop;
};

static int tell(const cairn_progress *progress, void *payload)
{
	struct told *told = payload;
	told->done = progress->done;
	told->total = progress->total;
	return told->stop;
}

static void progress_ends_at_the_total_and_cancels(void **state)
{
	float *rows = clouds(100, 2, 4, 6), centroids[4 * 2];
	struct told told = { 0, 0, 0 };
	(void)state;
	assert_ok(cn_kmeans(NULL, rows, 100, 2, &plain, tell, &told, centroids, NULL));
	assert_int_equal(told.total, 50 * 100);
	assert_int_equal(told.done, told.total);
	told.stop = 1;
	assert_fails(cn_kmeans(NULL, rows, 100, 2, &plain, tell, &told, centroids, NULL), CAIRN_ECANCELLED,
		     "cancelled");
	free(rows);
}

static int cluster_few(void *context)
{
	float *centroids = context;
	const float rows[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
	return cn_kmeans(NULL, rows, 12, 1, &plain, NULL, NULL, centroids, NULL);
}

static void faults_are_reported(void **state)
{
	static const struct {
		size_t count, dim, clusters, iterations;
	} cases[] = { { 3, 2, 4, 1 }, { 3, 0, 1, 1 }, { 3, 2, 0, 1 }, { 3, 2, 1, 0 }, { (size_t)1 << 32, 1, 1, 1 } };
	float rows[6] = { 1, 2, 3, 4, 5, 6 }, centroids[8];
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cn_kmeans_options options = { .clusters = cases[i].clusters, .iterations = cases[i].iterations };
		assert_fails(cn_kmeans(NULL, rows, cases[i].count, cases[i].dim, &options, NULL, NULL, centroids, NULL),
			     CAIRN_EINVALID, "k-means: ");
	}
	rows[3] = NAN;
	assert_fails(cn_kmeans(NULL, rows, 3, 2, &(cn_kmeans_options){ .clusters = 1, .iterations = 1 }, NULL, NULL,
			       centroids, NULL),
		     CAIRN_EINVALID, "not finite");
	assert_true(cn_torture(cluster_few, centroids) >= 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_step_is_that_of_the_definition),    cmocka_unit_test(groups_far_apart_are_found),
		cmocka_unit_test(threads_do_not_matter_and_the_seed_does), cmocka_unit_test(empty_clusters_are_filled),
		cmocka_unit_test(progress_ends_at_the_total_and_cancels),  cmocka_unit_test(faults_are_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
