/*
 * The nearest centroid c of x has the largest c . x - |c|^2 / 2. The few largest by products in bf16 are looked for by
 * scanning, which is twice as fast as in float32 on processors that multiply bf16; among them, products in float32
 * decide. Where another centroid might still be better, as far as rounding to bf16 can err, the row is scanned again in
 * float32. Other processors scan in float32 at once.
 *
 * Both are taken relative to the mean of the centroids, so that numbers are small and errors with them.
 */
#include "math/assign.h"

#include <math.h>

#include "math/dot.h"
#include "math/scan.h"
#include "util/memory.h"

#define ROWS       512 /* a block, and the most that a thread takes at once */
#define LEAST_ROWS 64
#define SPARE      4 /* centroids compared beyond those asked for */

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
	const cn_centroids *centroids;
	cn_number number; /* of the first scan */
	size_t n, keep;
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
	size_t count = 0, dim = work->centroids->dim;
	const float *centroids = work->centroids->relative;
	for (size_t i = 0; i < list->count; i++) {
		uint32_t c = list->items[i].row;
		cn_scored_row hit = { cn_dot(centroids + c * dim, row, dim) + work->centroids->offsets[c], c };
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
	const cn_centroids *centroids = work->centroids;
	const cn_rows relative = { .stored = CN_ROWS_F32,
				   .rows = centroids->relative,
				   .offsets = centroids->offsets,
				   .count = centroids->count };
	cn_queries queries;
	for (size_t i = 0; i < count; i++)
		cn_shortlist_clear(&worker->lists[i]);
	CN_TRY(cn_queries_init(&queries, number, rows, count, centroids->dim));
	int status = cn_query_panels_pack(&worker->panels, &queries, NULL, count);
	if (status == 0)
		status = cn_scan_rows(&worker->panels, &relative, NULL, worker->lists, &worker->scratch);
	cn_queries_free(&queries);
	for (size_t i = 0; i < count; i++)
		cn_shortlist_cut(&worker->lists[i]);
	return status;
}

static void subtract(const float *row, const float *mean, size_t dim, float *out)
{
	for (size_t k = 0; k < dim; k++)
		out[k] = row[k] - mean[k];
}

/* Those that cannot be told from products in bf16. */
static int assign_again(const struct work *work, struct worker *worker, size_t begin, size_t count)
{
	size_t dim = work->centroids->dim;
	for (size_t i = 0; i < count; i++)
		subtract(work->rows + (begin + worker->again[i]) * dim, work->centroids->mean, dim,
			 worker->rows + i * dim);
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
	size_t dim = work->centroids->dim, again = 0;
	int is_rough = work->number == CN_NUMBER_BF16 && work->keep < work->centroids->count;
	for (size_t i = begin; i < end; i++)
		subtract(work->rows + i * dim, work->centroids->mean, dim, worker->rows + (i - begin) * dim);
	CN_TRY(scan(work, worker, work->number, worker->rows, end - begin));
	for (size_t i = 0; i < end - begin; i++) {
		const float *row = worker->rows + i * dim;
		float last = choose(work, row, &worker->lists[i], work->nearest + (begin + i) * work->n);
		float error = ROUNDING * cn_norm(row, dim) * work->centroids->longest;
		if (is_rough && last < worker->lists[i].threshold + error)
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
		CN_NEW(worker->rows, ROWS * work->centroids->dim, sizeof(*worker->rows));
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
static int coarse_mean(const float *centroids, size_t k, size_t dim, float *mean)
{
	float largest = 0;
	double *sums;
	CN_NEW(sums, dim, sizeof(*sums));
	for (size_t i = 0; i < k * dim; i++)
		largest = fmaxf(largest, fabsf(centroids[i]));
	double step = largest > 0 ? ldexp(1, ilogbf(largest) - 4) : 1;
	for (size_t c = 0; c < k; c++)
		for (size_t j = 0; j < dim; j++)
			sums[j] += (double)centroids[c * dim + j];
	for (size_t j = 0; j < dim; j++)
		mean[j] = (float)(nearbyint(sums[j] / (double)k / step) * step);
	cn_free(sums);
	return 0;
}

int cn_centroids_init(cn_centroids *out, const float *vectors, size_t count, size_t dim)
{
	size_t numbers;
	*out = (cn_centroids){ .count = count, .dim = dim };
	if (count < 1 || count > UINT32_MAX || dim < 1 || dim > INT32_MAX)
		return cn_fail(CAIRN_EINVALID, "%zu centroids of %zu dimensions are not possible", count, dim);
	CN_TRY(cn_size_mul(count, dim, &numbers));
	out->mean = cn_alloc(dim, sizeof(*out->mean));
	out->relative = cn_alloc_aligned(numbers, sizeof(*out->relative));
	out->offsets = cn_alloc(count, sizeof(*out->offsets));
	if (!out->mean || !out->relative || !out->offsets)
		return CAIRN_ENOMEM;
	CN_TRY(coarse_mean(vectors, count, dim, out->mean));
	for (size_t c = 0; c < count; c++) {
		float *relative = out->relative + c * dim;
		subtract(vectors + c * dim, out->mean, dim, relative);
		float square = cn_dot(relative, relative, dim);
		out->offsets[c] = -0.5f * square;
		out->longest = fmaxf(out->longest, sqrtf(square));
	}
	return 0;
}

void cn_centroids_free(cn_centroids *centroids)
{
	cn_free(centroids->mean);
	cn_free(centroids->relative);
	cn_free(centroids->offsets);
	*centroids = (cn_centroids){ 0 };
}

/* Rows that a thread takes at once: packing the centroids costs less with more, while there are enough for all. */
static size_t task_size(const struct work *work, size_t count)
{
	size_t share = (count + work->worker_count - 1) / work->worker_count;
	return share < LEAST_ROWS ? LEAST_ROWS : share > ROWS ? ROWS : share;
}

int cn_assign(cn_workers *pool, const cn_centroids *centroids, const float *rows, size_t count, size_t n,
	      uint32_t *nearest)
{
	size_t k = centroids->count;
	if (n < 1 || n > CN_ASSIGN_MAX || n > k)
		return cn_fail(CAIRN_EINVALID, "the nearest %zu of %zu centroids: 1 to %d of them are possible", n, k,
			       CN_ASSIGN_MAX);
	struct work work = { .rows = rows,
			     .centroids = centroids,
			     .number = cn_scan_is_fast(CN_NUMBER_BF16) ? CN_NUMBER_BF16 : CN_NUMBER_F32,
			     .n = n,
			     .keep = n + SPARE < k ? n + SPARE : k,
			     .nearest = nearest,
			     .worker_count = cn_workers_threads(pool) };
	int status = make_workers(&work);
	if (status == 0)
		status = cn_parallel_for(pool, count, task_size(&work, count), assign_block, &work);
	free_workers(&work);
	return status;
}
