/*
 * The nearest centroid c of x has the largest c . x - |c|^2 / 2. The few largest by products in bf16 are looked for by
 * scanning, which is twice as fast as in float32; among them, products in float32 decide. Where another centroid might
 * still be better, as far as rounding to bf16 can err, the row is scanned again in float32.
 *
 * Both are taken relative to the mean of the centroids, so that numbers are small and errors with them.
 */
#include "math/assign.h"

#include <math.h>

#include "math/dot.h"
#include "math/scan.h"
#include "util/memory.h"

#define ROWS  512 /* a block, and what a thread takes at once */
#define SPARE 4   /* centroids compared beyond those asked for */

/* A product of two numbers rounded to 8 bits is off by at most this part of it. */
#define ROUNDING 0.0079f

struct worker {
	cn_query_panels panels;
	cn_scan_scratch scratch;
	cn_shortlist *lists; /* ROWS */
	float *rows;         /* ROWS x dim: relative to the mean */
	uint32_t *again;     /* ROWS */
};

struct work {
	const float *rows;
	const float *mean; /* dim */
	cn_rows centroids; /* relative to the mean */
	float longest;     /* of the centroids */
	size_t dim, n, keep;
	uint32_t *nearest;
	struct worker *workers;
	unsigned worker_count;
};

static int is_nearer(cn_scored_row a, cn_scored_row b)
{
	return a.score > b.score || (a.score == b.score && a.row < b.row);
}

/* Of the centroids on the list the n nearest; of equally near ones the smaller index comes first. @return the score of
 * the last of them */
static float choose(const struct work *work, const float *row, cn_shortlist *list, uint32_t *nearest)
{
	cn_scored_row best[CN_ASSIGN_MAX + SPARE] = { { 0, 0 } };
	size_t count = 0, dim = work->dim;
	const float *centroids = work->centroids.rows;
	for (size_t i = 0; i < list->count; i++) {
		uint32_t c = list->items[i].row;
		cn_scored_row hit = { cn_dot(centroids + c * dim, row, dim) + work->centroids.offsets[c], c };
		size_t place = count++;
		for (; place > 0 && is_nearer(hit, best[place - 1]); place--)
			best[place] = best[place - 1];
		best[place] = hit;
	}
	/* Where no score is a number, there are none. */
	for (size_t i = 0; i < work->n; i++)
		nearest[i] = i < count ? best[i].row : (uint32_t)i;
	return count < work->n ? INFINITY : best[work->n - 1].score;
}

/* Scans for some of the worker's rows. */
static int scan(const struct work *work, struct worker *worker, cn_number number, const float *rows, size_t count)
{
	cn_queries queries;
	for (size_t i = 0; i < count; i++)
		cn_shortlist_clear(&worker->lists[i]);
	CN_TRY(cn_queries_init(&queries, number, rows, count, work->dim));
	int status = cn_query_panels_pack(&worker->panels, &queries, NULL, count);
	if (status == 0)
		status = cn_scan_rows(&worker->panels, &work->centroids, NULL, worker->lists, &worker->scratch);
	cn_queries_free(&queries);
	for (size_t i = 0; i < count; i++)
		cn_shortlist_cut(&worker->lists[i]);
	return status;
}

static void subtract_mean(const struct work *work, const float *row, float *out)
{
	for (size_t k = 0; k < work->dim; k++)
		out[k] = row[k] - work->mean[k];
}

/* Those that cannot be told from products in bf16. */
static int assign_again(const struct work *work, struct worker *worker, size_t begin, size_t count)
{
	size_t dim = work->dim;
	for (size_t i = 0; i < count; i++)
		subtract_mean(work, work->rows + (begin + worker->again[i]) * dim, worker->rows + i * dim);
	CN_TRY(scan(work, worker, CN_NUMBER_F32, worker->rows, count));
	for (size_t i = 0; i < count; i++)
		choose(work, worker->rows + i * dim, &worker->lists[i],
		       work->nearest + (begin + worker->again[i]) * work->n);
	return 0;
}

/* cn_loop_body over rows. */
static int assign_block(void *context, size_t begin, size_t end, unsigned number)
{
	const struct work *work = context;
	struct worker *worker = &work->workers[number];
	size_t dim = work->dim, again = 0;
	for (size_t i = begin; i < end; i++)
		subtract_mean(work, work->rows + i * dim, worker->rows + (i - begin) * dim);
	CN_TRY(scan(work, worker, CN_NUMBER_BF16, worker->rows, end - begin));
	for (size_t i = 0; i < end - begin; i++) {
		const float *row = worker->rows + i * dim;
		float last = choose(work, row, &worker->lists[i], work->nearest + (begin + i) * work->n);
		float error = ROUNDING * cn_norm(row, dim) * work->longest;
		if (work->keep < work->centroids.count && last < worker->lists[i].threshold + error)
			worker->again[again++] = (uint32_t)i;
	}
	return again ? assign_again(work, worker, begin, again) : 0;
}

static int make_workers(struct work *work)
{
	CN_NEW(work->workers, work->worker_count, sizeof(*work->workers));
	for (unsigned w = 0; w < work->worker_count; w++) {
		struct worker *worker = &work->workers[w];
		CN_NEW(worker->lists, ROWS, sizeof(*worker->lists));
		CN_NEW(worker->rows, ROWS * work->dim, sizeof(*worker->rows));
		CN_NEW(worker->again, ROWS, sizeof(*worker->again));
		for (size_t i = 0; i < ROWS; i++)
			CN_TRY(cn_shortlist_init(&worker->lists[i], work->keep));
	}
	return 0;
}

static void free_workers(struct work *work)
{
	for (unsigned w = 0; work->workers && w < work->worker_count; w++) {
		struct worker *worker = &work->workers[w];
		for (size_t i = 0; worker->lists && i < ROWS; i++)
			cn_shortlist_free(&worker->lists[i]);
		cn_free(worker->lists);
		cn_free(worker->rows);
		cn_free(worker->again);
		cn_query_panels_free(&worker->panels);
		cn_scan_scratch_free(&worker->scratch);
	}
	cn_free(work->workers);
}

/* The mean in coarse steps, so that taking it away rounds nothing, or little. */
static void coarse_mean(const float *centroids, size_t k, size_t dim, float *mean)
{
	float largest = 0;
	for (size_t i = 0; i < k * dim; i++)
		largest = fmaxf(largest, fabsf(centroids[i]));
	double step = largest > 0 ? ldexp(1, ilogbf(largest) - 4) : 1;
	for (size_t j = 0; j < dim; j++) {
		double sum = 0;
		for (size_t c = 0; c < k; c++)
			sum += (double)centroids[c * dim + j];
		mean[j] = (float)(nearbyint(sum / (double)k / step) * step);
	}
}

/* What is known of the centroids: mean (dim), the rest (k x dim), -|c|^2 / 2 (k). */
static void prepare(struct work *work, const float *centroids, size_t k, float *mean, float *relative, float *offsets)
{
	size_t dim = work->dim;
	coarse_mean(centroids, k, dim, mean);
	work->mean = mean;
	for (size_t c = 0; c < k; c++) {
		subtract_mean(work, centroids + c * dim, relative + c * dim);
		float square = cn_dot(relative + c * dim, relative + c * dim, dim);
		offsets[c] = -0.5f * square;
		work->longest = fmaxf(work->longest, sqrtf(square));
	}
	work->centroids = (cn_rows){ .stored = CN_ROWS_F32, .rows = relative, .offsets = offsets, .count = k };
}

int cn_assign(cn_workers *pool, const float *rows, size_t count, const float *centroids, size_t k, size_t dim, size_t n,
	      uint32_t *nearest)
{
	size_t numbers;
	if (dim < 1 || dim > INT32_MAX || n < 1 || n > CN_ASSIGN_MAX || n > k || k > UINT32_MAX)
		return cn_fail(CAIRN_EINVALID, "the nearest %zu of %zu centroids of %zu dimensions: 1 to %d of them", n,
			       k, dim, CN_ASSIGN_MAX);
	CN_TRY(cn_size_mul(k, dim, &numbers));
	float *mean = cn_alloc(dim, sizeof(*mean)), *relative = cn_alloc(numbers, sizeof(*relative));
	float *offsets = cn_alloc(k, sizeof(*offsets));
	struct work work = { .rows = rows,
			     .dim = dim,
			     .n = n,
			     .keep = n + SPARE < k ? n + SPARE : k,
			     .nearest = nearest,
			     .worker_count = cn_workers_threads(pool) };
	int status = mean && relative && offsets ? make_workers(&work) : CAIRN_ENOMEM;
	if (status == 0) {
		prepare(&work, centroids, k, mean, relative, offsets);
		status = cn_parallel_for(pool, count, ROWS, assign_block, &work);
	}
	free_workers(&work);
	cn_free(mean);
	cn_free(relative);
	cn_free(offsets);
	return status;
}
