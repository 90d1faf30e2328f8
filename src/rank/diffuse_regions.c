/*
 * Several rows an image. Queries without a shortlist are solved for one after the other on the whole graph; for those
 * with one the graph is cut and normalised anew.
 */
#include "rank/diffuse_regions.h"

#include <math.h>
#include <string.h>

#include "math/dot.h"
#include "math/matrix.h"
#include "util/memory.h"
#include "util/progress.h"

#define GRAIN 256

/* ---- weights ---- */

struct weighing {
	float *weights;
	const float *rows;
	size_t dim;
	const size_t *starts;
	float lambda;
};

/* b = L^-T (L^-1 1) with L the factor of V V^T + lambda I. */
static int weigh_image(const struct weighing *weighing, size_t first, size_t count, double *gram)
{
	for (size_t r = 0; r < count; r++)
		for (size_t c = 0; c <= r; c++)
			gram[r * count + c] =
				(double)cn_dot(weighing->rows + (first + r) * weighing->dim,
					       weighing->rows + (first + c) * weighing->dim, weighing->dim) +
				(r == c ? (double)weighing->lambda : 0);
	int positive = cn_matrix_cholesky(count, gram);
	if (positive < 0)
		return positive;
	if (!positive)
		return cn_fail(CAIRN_EINVALID,
			       "weights of regions: rows %zu to %zu hold numbers that are too large or "
			       "not finite",
			       first, first + count - 1);
	CN_TRY(cn_matrix_invert_lower(count, gram));
	double *sums = gram + count * count;
	memset(sums, 0, count * sizeof(*sums));
	for (size_t r = 0; r < count; r++) {
		double sum = 0;
		for (size_t c = 0; c <= r; c++)
			sum += gram[r * count + c];
		for (size_t c = 0; c <= r; c++)
			sums[c] += gram[r * count + c] * sum;
	}
	for (size_t r = 0; r < count; r++)
		weighing->weights[first + r] = (float)sums[r];
	return 0;
}

static int weigh_some(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct weighing *weighing = context;
	(void)worker;
	for (size_t i = begin; i < end; i++) {
		size_t first = weighing->starts[i], count = weighing->starts[i + 1] - first, cells;
		if (count == 0)
			continue;
		CN_TRY(cn_size_mul(count, count + 1, &cells));
		double *gram = cn_alloc(cells, sizeof(*gram));
		int status = gram ? weigh_image(weighing, first, count, gram) : CAIRN_ENOMEM;
		cn_free(gram);
		CN_TRY(status);
	}
	return 0;
}

static int check_starts(const size_t *starts, size_t images)
{
	for (size_t i = 0; i < images; i++)
		if (starts[i + 1] < starts[i] || starts[0] != 0)
			return cn_fail(CAIRN_EINVALID, "regions: image %zu has rows %zu to %zu", i, starts[i],
				       starts[i + 1]);
	return 0;
}

int cn_region_weights(float *weights, const float *rows, size_t dim, const size_t *starts, size_t images, float lambda,
		      cn_workers *pool)
{
	struct weighing weighing = { weights, rows, dim, starts, lambda };
	if (!(lambda > 0) || !isfinite(lambda))
		return cn_fail(CAIRN_EINVALID, "weights of regions: lambda is %g; it must be above 0", (double)lambda);
	CN_TRY(check_starts(starts, images));
	if (!cn_all_finite(rows, (images ? starts[images] : 0) * dim))
		return cn_fail(CAIRN_EINVALID, "weights of regions: a row holds a number that is not finite");
	return cn_parallel_for(pool, images, 16, weigh_some, &weighing);
}

/* ---- diffusion ---- */

struct work {
	const cn_diffusion_graph *graph;
	const cn_region_images *regions;
	const cn_diffusion_options *options;
	const int64_t *images;
	cairn_ranking *out;
	cn_workers *pool;
	cn_solver solver;
	float *y, *x, *f; /* a row each; x: the solution for the chosen ones */
	uint32_t *chosen; /* likewise: rows of the shortlist */
	uint8_t *listed;  /* an image each */
	cn_shortlists best, lists;
};

/* @return how many rows take part; they are in `chosen` in order */
static size_t choose_rows(struct work *work, const cn_region_query *query)
{
	size_t count = 0;
	memset(work->listed, query->shortlist == NULL, work->regions->images);
	for (size_t i = 0; query->shortlist && i < query->shortlist_count; i++)
		work->listed[query->shortlist[i]] = 1;
	for (size_t image = 0; image < work->regions->images; image++)
		for (size_t r = work->regions->starts[image];
		     work->listed[image] && r < work->regions->starts[image + 1]; r++)
			work->chosen[count++] = (uint32_t)r;
	return count;
}

/* y of the chosen rows, in their order. */
static void fill_query(struct work *work, const cn_region_query *query, size_t chosen)
{
	const cn_neighbours *near = &query->regions;
	size_t kq = work->options->query_neighbours, k = kq < near->k ? kq : near->k;
	cn_shortlist *best = &work->best.items[0];
	float *sums = work->f;
	memset(sums, 0, work->graph->matrix.rows * sizeof(*sums));
	memset(work->y, 0, chosen * sizeof(*work->y));
	for (size_t line = 0; line < near->lines; line++)
		for (size_t i = line * near->k; i < line * near->k + k; i++)
			if (near->ids[i] >= 0)
				sums[near->ids[i]] += near->scores[i];
	cn_shortlist_clear(best);
	for (size_t i = 0; i < chosen; i++)
		if (sums[work->chosen[i]] > 0)
			cn_shortlist_push(best, sums[work->chosen[i]], (uint32_t)i);
	cn_shortlist_cut(best);
	for (size_t i = 0; i < best->count; i++)
		work->y[best->items[i].row] = cn_diffusion_weight(best->items[i].score, work->options->gamma);
}

struct cut {
	cn_sparse matrix;
	const float *roots;
	const uint32_t *chosen;
};

static int restore_affinities(void *context, size_t begin, size_t end, unsigned worker)
{
	struct cut *cut = context;
	(void)worker;
	for (size_t i = begin; i < end; i++)
		for (uint64_t k = cut->matrix.starts[i]; k < cut->matrix.starts[i + 1]; k++)
			/* The product of the roots first: it is the same for both directions. */
			cut->matrix.values[k] *=
				cut->roots[cut->chosen[i]] * cut->roots[cut->chosen[cut->matrix.column[k]]];
	return 0;
}

/* Solve among the chosen rows and leave f of all. */
static int solve_cut(struct work *work, size_t chosen)
{
	struct cut cut = { .roots = work->graph->roots, .chosen = work->chosen };
	int status;
	CN_GOTO(status, cn_sparse_submatrix(&cut.matrix, &work->graph->matrix, work->chosen, chosen, work->pool));
	CN_GOTO(status, cn_parallel_for(work->pool, chosen, GRAIN, restore_affinities, &cut));
	CN_GOTO(status, cn_sparse_normalise(&cut.matrix, NULL, work->pool));
	CN_GOTO(status,
		cn_solver_run(&work->solver, &cut.matrix, &work->options->solver, work->y, 1, work->x, work->pool));
	memset(work->f, 0, work->graph->matrix.rows * sizeof(*work->f));
	for (size_t i = 0; i < chosen; i++)
		work->f[work->chosen[i]] = work->x[i];
done:
	cn_sparse_free(&cut.matrix);
	return status;
}

static int rank_images(struct work *work, size_t query)
{
	const size_t *starts = work->regions->starts;
	cn_shortlist *list = &work->lists.items[0];
	for (size_t image = 0; image < work->regions->images; image++) {
		float score = 0;
		for (size_t r = starts[image]; r < starts[image + 1]; r++)
			score += work->regions->weights[r] * work->f[r];
		if (cn_is_ranked(work->images, image, score))
			cn_shortlist_push(list, score, (uint32_t)image);
	}
	return cn_diffuse_rank(work->out, query, list, work->images);
}

static int take_queries(struct work *work, const cn_region_query *queries, size_t count, cn_progress *progress)
{
	for (size_t q = 0; q < count; q++) {
		size_t chosen = choose_rows(work, &queries[q]);
		fill_query(work, &queries[q], chosen);
		if (queries[q].shortlist)
			CN_TRY(solve_cut(work, chosen));
		else
			CN_TRY(cn_solver_run(&work->solver, &work->graph->matrix, &work->options->solver, work->y, 1,
					     work->f, work->pool));
		CN_TRY(rank_images(work, q));
		CN_TRY(cn_progress_add(progress, 1, 0));
	}
	return 0;
}

static int check(const cn_diffusion_graph *graph, const cn_region_images *regions, const cn_region_query *queries,
		 size_t count, const cn_diffusion_options *options, cn_workers *pool)
{
	if (options->query_neighbours < 1)
		return cn_fail(CAIRN_EINVALID, "diffusion: 0 neighbours a query; at least 1 is needed");
	CN_TRY(cn_diffusion_check_gamma(options->gamma));
	CN_TRY(cn_solver_check(&options->solver));
	CN_TRY(check_starts(regions->starts, regions->images));
	if (regions->starts[regions->images] != graph->matrix.rows)
		return cn_fail(CAIRN_EINVALID, "regions: the images have %zu rows, the graph is of %zu",
			       regions->starts[regions->images], graph->matrix.rows);
	for (size_t q = 0; q < count; q++) {
		CN_TRY(cn_neighbours_check(&queries[q].regions, graph->matrix.rows, 1, pool));
		for (size_t i = 0; queries[q].shortlist && i < queries[q].shortlist_count; i++)
			if (queries[q].shortlist[i] < 0 || (size_t)queries[q].shortlist[i] >= regions->images)
				return cn_fail(CAIRN_EINVALID,
					       "regions: the shortlist of query %zu names image %d, of %zu", q,
					       queries[q].shortlist[i], regions->images);
	}
	return 0;
}

static int make_work(struct work *work)
{
	size_t rows = work->graph->matrix.rows, kq = work->options->query_neighbours;
	CN_TRY(cn_solver_init(&work->solver, rows, 0));
	CN_TRY(cn_shortlists_init(&work->best, 1, kq < rows || !rows ? kq : rows));
	CN_TRY(cn_shortlists_init(&work->lists, 1, cn_diffuse_depth(work->out, work->regions->images)));
	CN_NEW(work->y, rows, sizeof(*work->y));
	CN_NEW(work->x, rows, sizeof(*work->x));
	CN_NEW(work->f, rows, sizeof(*work->f));
	CN_NEW(work->chosen, rows, sizeof(*work->chosen));
	CN_NEW(work->listed, work->regions->images, sizeof(*work->listed));
	return 0;
}

static void free_work(struct work *work)
{
	cn_solver_free(&work->solver);
	cn_shortlists_free(&work->best);
	cn_shortlists_free(&work->lists);
	cn_free(work->y);
	cn_free(work->x);
	cn_free(work->f);
	cn_free(work->chosen);
	cn_free(work->listed);
}

int cn_diffuse_regions(cairn_ranking *out, const cn_diffusion_graph *graph, const cn_region_images *regions,
		       const cn_region_query *queries, size_t count, const cn_diffusion_options *options,
		       const int64_t *images, cn_workers *pool, cairn_progress_cb callback, void *payload)
{
	struct work work = {
		.graph = graph, .regions = regions, .options = options, .images = images, .out = out, .pool = pool
	};
	cn_progress progress;
	CN_TRY(cn_diffuse_check_ranking(out, count));
	CN_TRY(check(graph, regions, queries, count, options, pool));
	cn_progress_start(&progress, callback, payload, "diffusing", count);
	int status = make_work(&work);
	if (status == 0)
		status = take_queries(&work, queries, count, &progress);
	cn_progress_end(&progress);
	free_work(&work);
	return status;
}
