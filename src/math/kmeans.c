/*
 * Lloyd's iteration. The rows of each cluster are listed in ascending order, so that threads take clusters and every
 * sum has one order.
 */
#include "math/kmeans.h"

#include <stdlib.h>
#include <string.h>

#include "math/assign.h"
#include "math/dot.h"
#include "util/groups.h"
#include "util/memory.h"
#include "util/progress.h"
#include "util/random.h"

#define CHUNK    65536 /* rows between two looks at whether to stop */
#define CLUSTERS 64    /* that a thread takes at once */

struct lloyd {
	cn_workers *pool;
	const float *rows;
	size_t count, dim, k;
	float *centroids;
	uint32_t *clusters, *before; /* count: of each row, now and in the iteration before */
	uint32_t *members;           /* count: the rows of cluster c are members[starts[c]] to members[starts[c + 1]] */
	size_t *starts;              /* k + 1 */
	double *spreads;             /* k: sums of squared distances from the centroid */
	double *sums;                /* dim for each worker */
	int filled;                  /* an empty cluster got a row, so that another's centroid is no longer its mean */
};

static void free_lloyd(struct lloyd *lloyd)
{
	cn_free(lloyd->clusters);
	cn_free(lloyd->before);
	cn_free(lloyd->members);
	cn_free(lloyd->starts);
	cn_free(lloyd->spreads);
	cn_free(lloyd->sums);
}

static int make_lloyd(struct lloyd *lloyd)
{
	lloyd->clusters = cn_alloc_zero(lloyd->count, sizeof(*lloyd->clusters));
	lloyd->before = cn_alloc_zero(lloyd->count, sizeof(*lloyd->before));
	lloyd->members = cn_alloc(lloyd->count, sizeof(*lloyd->members));
	lloyd->starts = cn_alloc(lloyd->k + 1, sizeof(*lloyd->starts));
	lloyd->spreads = cn_alloc(lloyd->k, sizeof(*lloyd->spreads));
	lloyd->sums = cn_alloc(cn_workers_threads(lloyd->pool) * lloyd->dim, sizeof(*lloyd->sums));
	return lloyd->clusters && lloyd->before && lloyd->members && lloyd->starts && lloyd->spreads && lloyd->sums
		       ? 0
		       : CAIRN_ENOMEM;
}

static const float *row_of(const struct lloyd *lloyd, size_t i)
{
	return lloyd->rows + i * lloyd->dim;
}

static float *centroid_of(const struct lloyd *lloyd, size_t c)
{
	return lloyd->centroids + c * lloyd->dim;
}

static double distance(const struct lloyd *lloyd, size_t row, size_t cluster)
{
	return (double)cn_distance_squared(row_of(lloyd, row), centroid_of(lloyd, cluster), lloyd->dim);
}

/* ---- one iteration ---- */

static int assign_rows(struct lloyd *lloyd, cn_progress *progress)
{
	uint32_t *other = lloyd->before;
	cn_centroids centroids;
	lloyd->before = lloyd->clusters;
	lloyd->clusters = other;
	int status = cn_centroids_init(&centroids, lloyd->centroids, lloyd->k, lloyd->dim);
	for (size_t begin = 0; status == 0 && begin < lloyd->count; begin += CHUNK) {
		size_t count = lloyd->count - begin < CHUNK ? lloyd->count - begin : CHUNK;
		status = cn_assign(lloyd->pool, &centroids, row_of(lloyd, begin), count, 1, lloyd->clusters + begin);
		if (status == 0)
			status = cn_progress_add(progress, count, 0);
	}
	cn_centroids_free(&centroids);
	return status;
}

static void place_centroid(const struct lloyd *lloyd, size_t c, double *sum)
{
	float *centroid = centroid_of(lloyd, c);
	size_t begin = lloyd->starts[c], end = lloyd->starts[c + 1];
	lloyd->spreads[c] = 0;
	if (begin == end)
		return;
	memset(sum, 0, lloyd->dim * sizeof(*sum));
	for (size_t m = begin; m < end; m++) {
		const float *row = row_of(lloyd, lloyd->members[m]);
		for (size_t j = 0; j < lloyd->dim; j++)
			sum[j] += (double)row[j];
	}
	for (size_t j = 0; j < lloyd->dim; j++)
		centroid[j] = (float)(sum[j] / (double)(end - begin));
	for (size_t m = begin; m < end; m++)
		lloyd->spreads[c] += distance(lloyd, lloyd->members[m], c);
}

static int place_centroids(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct lloyd *lloyd = context;
	for (size_t c = begin; c < end; c++)
		place_centroid(lloyd, c, lloyd->sums + worker * lloyd->dim);
	return 0;
}

/* ---- empty clusters ---- */

static size_t most_spread(const struct lloyd *lloyd)
{
	size_t best = 0;
	for (size_t c = 1; c < lloyd->k; c++)
		if (lloyd->spreads[c] > lloyd->spreads[best])
			best = c;
	return best;
}

/* Of those that were not moved away since the members were listed. */
static size_t farthest_member(const struct lloyd *lloyd, size_t cluster)
{
	size_t best = 0;
	double most = -1;
	for (size_t m = lloyd->starts[cluster]; m < lloyd->starts[cluster + 1]; m++) {
		size_t row = lloyd->members[m];
		double d = lloyd->clusters[row] == cluster ? distance(lloyd, row, cluster) : -1;
		if (d > most) {
			most = d;
			best = row;
		}
	}
	return best;
}

/* Equal rows go along, so that no two centroids become equal. */
static void move_rows_like(struct lloyd *lloyd, size_t row, size_t from, size_t to)
{
	size_t size = lloyd->dim * sizeof(float);
	memcpy(centroid_of(lloyd, to), row_of(lloyd, row), size);
	lloyd->spreads[from] = 0;
	for (size_t m = lloyd->starts[from]; m < lloyd->starts[from + 1]; m++) {
		size_t other = lloyd->members[m];
		if (lloyd->clusters[other] != from)
			continue;
		if (memcmp(row_of(lloyd, other), row_of(lloyd, row), size) == 0)
			lloyd->clusters[other] = (uint32_t)to;
		else
			lloyd->spreads[from] += distance(lloyd, other, from);
	}
}

static int fill_empty(struct lloyd *lloyd)
{
	lloyd->filled = 0;
	for (size_t c = 0; c < lloyd->k; c++) {
		if (lloyd->starts[c] != lloyd->starts[c + 1])
			continue;
		size_t from = most_spread(lloyd);
		if (!(lloyd->spreads[from] > 0))
			return cn_fail(CAIRN_EINVALID,
				       "k-means: there are fewer distinct rows among %zu than %zu clusters",
				       lloyd->count, lloyd->k);
		lloyd->filled = 1;
		move_rows_like(lloyd, farthest_member(lloyd, from), from, c);
	}
	return 0;
}

/* ---- the whole ---- */

static int iterate(struct lloyd *lloyd, size_t iterations, cn_progress *progress, cn_kmeans_result *result)
{
	for (size_t i = 0; i < iterations; i++) {
		CN_TRY(assign_rows(lloyd, progress));
		result->iterations = i + 1;
		if (i > 0 && !lloyd->filled &&
		    memcmp(lloyd->clusters, lloyd->before, lloyd->count * sizeof(*lloyd->clusters)) == 0)
			break;
		cn_list_groups(lloyd->clusters, lloyd->count, lloyd->k, lloyd->starts, lloyd->members);
		CN_TRY(cn_parallel_for(lloyd->pool, lloyd->k, CLUSTERS, place_centroids, lloyd));
		CN_TRY(fill_empty(lloyd));
	}
	result->error = 0;
	for (size_t c = 0; c < lloyd->k; c++)
		result->error += lloyd->spreads[c];
	result->error /= (double)lloyd->count;
	return cn_progress_add(progress, (iterations - result->iterations) * lloyd->count, 0);
}

static int ascending(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	return a < b ? -1 : a > b;
}

/* Copies of `wanted` rows, chosen with the seed, in the order of the rows. */
static int choose_rows(const float *rows, size_t count, size_t dim, size_t wanted, uint64_t seed, float *out)
{
	uint32_t *chosen = cn_alloc(wanted + 1, sizeof(*chosen));
	cn_reservoir reservoir = cn_reservoir_start(wanted, seed);
	if (!chosen)
		return CAIRN_ENOMEM;
	/* What is dropped goes to the place behind the last. */
	for (size_t i = 0; i < count; i++)
		chosen[cn_reservoir_next(&reservoir)] = (uint32_t)i;
	qsort(chosen, wanted, sizeof(*chosen), ascending);
	for (size_t i = 0; i < wanted; i++)
		memcpy(out + i * dim, rows + chosen[i] * dim, dim * sizeof(*out));
	cn_free(chosen);
	return 0;
}

static int cluster(struct lloyd *lloyd, const cn_kmeans_options *options, cairn_progress_cb callback, void *payload,
		   cn_kmeans_result *result)
{
	cn_progress progress;
	int status = make_lloyd(lloyd);
	if (status == 0)
		status = choose_rows(lloyd->rows, lloyd->count, lloyd->dim, lloyd->k, options->seed, lloyd->centroids);
	if (status == 0) {
		cn_progress_start(&progress, callback, payload, "clustering descriptors",
				  (uint64_t)options->iterations * lloyd->count);
		status = iterate(lloyd, options->iterations, &progress, result);
		cn_progress_end(&progress);
	}
	free_lloyd(lloyd);
	return status;
}

static int check(const float *rows, size_t count, size_t dim, const cn_kmeans_options *options)
{
	size_t numbers;
	if (dim < 1 || options->clusters < 1 || options->clusters > count || count > UINT32_MAX ||
	    options->iterations < 1)
		return cn_fail(CAIRN_EINVALID, "k-means: %zu clusters of %zu rows of %zu dimensions in %zu iterations",
			       options->clusters, count, dim, options->iterations);
	CN_TRY(cn_size_mul(count, dim, &numbers));
	if (!cn_all_finite(rows, numbers))
		return cn_fail(CAIRN_EINVALID, "k-means: a row holds a number that is not finite");
	return 0;
}

int cn_kmeans(cn_workers *pool, const float *rows, size_t count, size_t dim, const cn_kmeans_options *options,
	      cairn_progress_cb progress, void *payload, float *centroids, cn_kmeans_result *result)
{
	struct lloyd lloyd = {
		.pool = pool, .rows = rows, .count = count, .dim = dim, .k = options->clusters, .centroids = centroids
	};
	cn_kmeans_result unused;
	CN_TRY(check(rows, count, dim, options));
	return cluster(&lloyd, options, progress, payload, result ? result : &unused);
}
