/*
 * The graph, and one vector an image. Queries are solved for in blocks, which read the graph once for all of them.
 */
#include "rank/diffuse.h"

#include <math.h>
#include <string.h>

#include "util/memory.h"
#include "util/progress.h"

#define GRAIN 64

/* ---- the graph ---- */

struct building {
	const cn_neighbours *lists;
	size_t k;
	float gamma;
	uint32_t *reach;  /* how much of each list counts */
	cn_sparse *graph; /* NULL values: entries are counted */
};

static const int32_t *ids_of(const struct building *building, size_t i)
{
	return building->lists->ids + i * building->lists->k;
}

static const float *scores_of(const struct building *building, size_t i)
{
	return building->lists->scores + i * building->lists->k;
}

/* One place more where the list has the image itself among the first. */
static int find_reach(void *context, size_t begin, size_t end, unsigned worker)
{
	struct building *building = context;
	size_t length = building->lists->k, k = building->k < length ? building->k : length;
	(void)worker;
	for (size_t i = begin; i < end; i++) {
		int self = 0;
		for (size_t place = 0; place < k; place++)
			self |= ids_of(building, i)[place] == (int32_t)i;
		building->reach[i] = (uint32_t)(self && k < length ? k + 1 : k);
	}
	return 0;
}

/* The weight of the edge to line i's neighbour in `place`, 0 where there is none. */
static float weight_of(const struct building *building, size_t i, size_t place)
{
	int32_t other = ids_of(building, i)[place];
	if (other < 0 || other == (int32_t)i)
		return 0;
	const int32_t *back = ids_of(building, (size_t)other);
	for (size_t there = 0; there < building->reach[other]; there++)
		if (back[there] == (int32_t)i) {
			float one_way = scores_of(building, i)[place];
			float other_way = scores_of(building, (size_t)other)[there];
			return cn_diffusion_weight(0.5f * one_way + 0.5f * other_way, building->gamma);
		}
	return 0;
}

static int build_lines(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct building *building = context;
	cn_sparse *graph = building->graph;
	(void)worker;
	for (size_t i = begin; i < end; i++) {
		uint64_t to = graph->values ? graph->starts[i] : 0;
		for (size_t place = 0; place < building->reach[i]; place++) {
			float weight = weight_of(building, i, place);
			if (weight > 0 && graph->values) {
				graph->column[to] = (uint32_t)ids_of(building, i)[place];
				graph->values[to] = weight;
			}
			to += weight > 0;
		}
		if (!graph->values)
			graph->starts[i + 1] = to;
	}
	return 0;
}

static int check_edges(const cn_sparse *graph)
{
	for (size_t i = 0; i < graph->rows; i++)
		for (uint64_t k = graph->starts[i]; k < graph->starts[i + 1]; k++) {
			if (!isfinite(graph->values[k]))
				return cn_fail(CAIRN_EINVALID,
					       "neighbours: the similarity of %zu and %u is too large for its power", i,
					       graph->column[k]);
			if (k > graph->starts[i] && graph->column[k] == graph->column[k - 1])
				return cn_fail(CAIRN_EINVALID, "neighbours: line %zu names number %u twice", i,
					       graph->column[k]);
		}
	return 0;
}

static int build(cn_diffusion_graph *out, struct building *building, cn_workers *pool)
{
	size_t lines = building->lists->lines;
	cn_sparse unordered = { 0 };
	int status;
	building->graph = &unordered;
	CN_GOTO(status, cn_parallel_for(pool, lines, GRAIN, find_reach, building));
	CN_GOTO(status, cn_sparse_init(&unordered, lines, lines));
	CN_GOTO(status, cn_parallel_for(pool, lines, GRAIN, build_lines, building));
	CN_GOTO(status, cn_sparse_make_room(&unordered));
	CN_GOTO(status, cn_parallel_for(pool, lines, GRAIN, build_lines, building));
	/* It is symmetric: this puts each row's columns into order. */
	CN_GOTO(status, cn_sparse_transpose(&out->matrix, &unordered));
	CN_GOTO(status, check_edges(&out->matrix));
	status = cn_sparse_normalise(&out->matrix, out->roots, pool);
done:
	cn_sparse_free(&unordered);
	return status;
}

int cn_diffusion_graph_new(cn_diffusion_graph *out, const cn_neighbours *neighbours,
			   const cn_diffusion_options *options, cn_workers *pool)
{
	struct building building = { .lists = neighbours, .k = options->neighbours, .gamma = options->gamma };
	memset(out, 0, sizeof(*out));
	if (options->neighbours < 1)
		return cn_fail(CAIRN_EINVALID, "diffusion: 0 neighbours an image; at least 1 is needed");
	CN_TRY(cn_diffusion_check_gamma(options->gamma));
	CN_TRY(cn_neighbours_check(neighbours, neighbours->lines, 1, pool));
	CN_NEW(building.reach, neighbours->lines, sizeof(*building.reach));
	out->roots = cn_alloc_zero(neighbours->lines, sizeof(*out->roots));
	int status = out->roots ? build(out, &building, pool) : CAIRN_ENOMEM;
	cn_free(building.reach);
	if (status < 0)
		cn_diffusion_graph_free(out);
	return status;
}

void cn_diffusion_graph_free(cn_diffusion_graph *graph)
{
	cn_sparse_free(&graph->matrix);
	cn_free(graph->roots);
	memset(graph, 0, sizeof(*graph));
}

/* ---- one vector an image ---- */

struct work {
	const cn_diffusion_graph *graph;
	const cn_neighbours *queries;
	const cn_diffusion_options *options;
	const int64_t *images;
	cairn_ranking *out;
	cn_solver solver;
	float *y, *f; /* CN_SOLVER_WIDTH x N */
	cn_shortlists lists;
	size_t first; /* query of the block */
};

static void fill_query(const struct work *work, size_t query, float *y)
{
	const cn_neighbours *queries = work->queries;
	size_t k = work->options->query_neighbours < queries->k ? work->options->query_neighbours : queries->k;
	memset(y, 0, work->graph->matrix.rows * sizeof(*y));
	for (size_t i = query * queries->k; i < query * queries->k + k; i++)
		if (queries->ids[i] >= 0)
			y[queries->ids[i]] = cn_diffusion_weight(queries->scores[i], work->options->gamma);
}

static int rank_some(void *context, size_t begin, size_t end, unsigned worker)
{
	struct work *work = context;
	size_t count = work->graph->matrix.rows;
	cn_shortlist *list = &work->lists.items[worker];
	for (size_t q = begin; q < end; q++) {
		const float *f = work->f + q * count;
		for (size_t i = 0; i < count; i++)
			if (cn_is_ranked(work->images, i, f[i]))
				cn_shortlist_push(list, f[i], (uint32_t)i);
		CN_TRY(cn_diffuse_rank(work->out, work->first + q, list, work->images));
	}
	return 0;
}

static int diffuse_blocks(struct work *work, cn_workers *pool, cn_progress *progress)
{
	size_t rows = work->graph->matrix.rows, lines = work->queries->lines;
	for (work->first = 0; work->first < lines; work->first += CN_SOLVER_WIDTH) {
		size_t left = lines - work->first, count = left < CN_SOLVER_WIDTH ? left : CN_SOLVER_WIDTH;
		for (size_t q = 0; q < count; q++)
			fill_query(work, work->first + q, work->y + q * rows);
		CN_TRY(cn_solver_run(&work->solver, &work->graph->matrix, &work->options->solver, work->y, count,
				     work->f, pool));
		CN_TRY(cn_parallel_for(pool, count, 1, rank_some, work));
		CN_TRY(cn_progress_add(progress, count, 0));
	}
	return 0;
}

static int make_work(struct work *work, cn_workers *pool)
{
	size_t rows = work->graph->matrix.rows, lines = work->queries->lines, numbers;
	CN_TRY(cn_size_mul(rows, lines < CN_SOLVER_WIDTH ? lines : CN_SOLVER_WIDTH, &numbers));
	CN_TRY(cn_solver_init(&work->solver, rows, lines > 1));
	CN_TRY(cn_shortlists_init(&work->lists, cn_workers_threads(pool), cn_diffuse_depth(work->out, rows)));
	CN_NEW(work->y, numbers, sizeof(*work->y));
	CN_NEW(work->f, numbers, sizeof(*work->f));
	return 0;
}

int cn_diffuse(cairn_ranking *out, const cn_diffusion_graph *graph, const cn_neighbours *queries,
	       const cn_diffusion_options *options, const int64_t *images, cn_workers *pool, cairn_progress_cb callback,
	       void *payload)
{
	struct work work = { .graph = graph, .queries = queries, .options = options, .images = images, .out = out };
	cn_progress progress;
	if (options->query_neighbours < 1)
		return cn_fail(CAIRN_EINVALID, "diffusion: 0 neighbours a query; at least 1 is needed");
	CN_TRY(cn_diffusion_check_gamma(options->gamma));
	CN_TRY(cn_solver_check(&options->solver));
	CN_TRY(cn_diffuse_check_ranking(out, queries->lines));
	CN_TRY(cn_neighbours_check(queries, graph->matrix.rows, 1, pool));
	cn_progress_start(&progress, callback, payload, "diffusing", queries->lines);
	int status = make_work(&work, pool);
	if (status == 0)
		status = diffuse_blocks(&work, pool, &progress);
	cn_progress_end(&progress);
	cn_solver_free(&work.solver);
	cn_shortlists_free(&work.lists);
	cn_free(work.y);
	cn_free(work.f);
	return status;
}
