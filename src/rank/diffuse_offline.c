/*
 * Diffusion from every image. A thread cuts an image's matrix out of the graph by following edges from the image, so
 * that what cannot be reached within the cut, where the solution is 0, never takes part; what it needs stays in the
 * second-level cache.
 */
#include "rank/diffuse_offline.h"

#include <string.h>

#include "util/memory.h"
#include "util/progress.h"

#define BLOCK  1024
#define GRAIN  8
#define AHEAD  4          /* rows of the graph that are asked for before they are read */
#define A_LINE 16         /* numbers of a cache line */
#define MEMBER UINT32_MAX /* belongs to the cut, not reached yet */

/* What one thread needs. */
struct scratch {
	uint32_t *place;   /* N: 0 outside of the cut, MEMBER, or the number within the cut + 1 */
	uint32_t *reached; /* n: the images of the cut in the order in which they are reached */
	cn_sparse cut;
	cn_solver solver;
	float *y, *x;         /* n */
	cn_scored_row *items; /* 2 n */
};

struct work {
	const cn_diffusion_graph *graph;
	const cn_neighbours *lists;
	const cn_offline_options *options;
	size_t width, first; /* the block's first image */
	int32_t *ids;        /* block x width, as the next */
	float *values;
	struct scratch *scratch;
	cn_progress progress;
};

/* ---- the cut ---- */

/* The image and its n - 1 nearest, wherever its list has itself; with mark 0 as before. */
static void mark_members(const struct work *work, size_t image, uint32_t *place, uint32_t mark)
{
	const int32_t *ids = work->lists->ids + image * work->lists->k;
	place[image] = mark;
	for (size_t i = 0, others = 1; i < work->lists->k && others < work->width; i++) {
		if (ids[i] < 0 || (size_t)ids[i] == image)
			continue;
		place[ids[i]] = mark;
		others++;
	}
}

/* Rows of the graph are scattered over memory: ask for those that will be read soon. */
static inline void fetch_ahead(const cn_sparse *matrix, const uint32_t *reached, uint32_t i, uint32_t count)
{
	if (i + 2 * AHEAD < count)
		__builtin_prefetch(matrix->starts + reached[i + 2 * AHEAD]);
	if (i + AHEAD >= count)
		return;
	const uint64_t *starts = matrix->starts + reached[i + AHEAD];
	for (uint64_t k = starts[0]; k < starts[1]; k += A_LINE) {
		__builtin_prefetch(matrix->column + k);
		__builtin_prefetch(matrix->values + k);
	}
}

/* @return images reached; they are numbered in that order, the image itself is 0 */
static size_t cut_out(const struct work *work, size_t image, struct scratch *scratch)
{
	const cn_sparse *matrix = &work->graph->matrix;
	uint32_t *restrict place = scratch->place, *restrict reached = scratch->reached;
	uint32_t *restrict columns = scratch->cut.column, count = 1;
	float *restrict values = scratch->cut.values;
	uint64_t to = 0;
	mark_members(work, image, place, MEMBER);
	reached[0] = (uint32_t)image;
	place[image] = 1;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t k = matrix->starts[reached[i]], stop = matrix->starts[reached[i] + 1];
		fetch_ahead(matrix, reached, i, count);
		for (; k < stop; k++) {
			uint32_t column = matrix->column[k], number = place[column];
			if (number == MEMBER) {
				reached[count++] = column;
				number = place[column] = count;
			}
			/* Written over by the next one where it is outside: cheaper than a branch that cannot be
			 * foreseen. */
			columns[to] = number - 1;
			values[to] = matrix->values[k];
			to += number != 0;
		}
		scratch->cut.starts[i + 1] = to;
	}
	mark_members(work, image, place, 0);
	scratch->cut.rows = scratch->cut.columns = count;
	return count;
}

/* ---- a row ---- */

static void put_row(const struct work *work, struct scratch *scratch, size_t count, int32_t *ids, float *values)
{
	cn_scored_row *items = scratch->items;
	for (size_t i = 0; i < count; i++)
		items[i] = (cn_scored_row){ scratch->x[i], scratch->reached[i] };
	cn_diffuse_sort(items, items + work->width, count);
	for (size_t i = 0; i < count; i++) {
		ids[i] = (int32_t)items[i].row;
		values[i] = items[i].score;
	}
	for (size_t i = count; i < work->width; i++) {
		ids[i] = -1;
		values[i] = 0;
	}
}

static int diffuse_some(void *context, size_t begin, size_t end, unsigned worker)
{
	struct work *work = context;
	struct scratch *scratch = &work->scratch[worker];
	for (size_t i = begin; i < end; i++) {
		size_t count = cut_out(work, work->first + i, scratch);
		memset(scratch->y, 0, count * sizeof(*scratch->y));
		scratch->y[0] = 1;
		CN_TRY(cn_solver_run(&scratch->solver, &scratch->cut, &work->options->solver, scratch->y, 1, scratch->x,
				     NULL));
		put_row(work, scratch, count, work->ids + i * work->width, work->values + i * work->width);
	}
	return cn_progress_add(&work->progress, end - begin, 0);
}

/* ---- memory ---- */

/* Entries of the largest cut, and one that may be written beyond. */
static int cut_room(const struct work *work, size_t *room)
{
	const cn_sparse *matrix = &work->graph->matrix;
	uint64_t longest = 0, all = matrix->starts[matrix->rows];
	for (size_t i = 0; i < matrix->rows; i++)
		longest = matrix->starts[i + 1] - matrix->starts[i] > longest
				  ? matrix->starts[i + 1] - matrix->starts[i]
				  : longest;
	CN_TRY(cn_size_mul(longest, work->width, room));
	*room = (*room < all ? *room : all) + 1;
	return 0;
}

static int make_scratch(struct scratch *scratch, const struct work *work, size_t room)
{
	size_t n = work->width;
	CN_NEW(scratch->place, work->graph->matrix.rows, sizeof(*scratch->place));
	CN_NEW(scratch->reached, n, sizeof(*scratch->reached));
	CN_NEW(scratch->cut.starts, n + 1, sizeof(*scratch->cut.starts));
	CN_NEW(scratch->cut.column, room, sizeof(*scratch->cut.column));
	CN_NEW(scratch->cut.values, room, sizeof(*scratch->cut.values));
	CN_NEW(scratch->y, n, sizeof(*scratch->y));
	CN_NEW(scratch->x, n, sizeof(*scratch->x));
	CN_NEW(scratch->items, n, 2 * sizeof(*scratch->items));
	return cn_solver_init(&scratch->solver, n, 0);
}

static void free_scratch(struct scratch *scratch)
{
	cn_free(scratch->place);
	cn_free(scratch->reached);
	cn_sparse_free(&scratch->cut);
	cn_free(scratch->y);
	cn_free(scratch->x);
	cn_free(scratch->items);
	cn_solver_free(&scratch->solver);
}

static int make_work(struct work *work, size_t block, cn_workers *pool)
{
	size_t entries, room;
	CN_TRY(cn_size_mul(block, work->width, &entries));
	CN_NEW(work->ids, entries, sizeof(*work->ids));
	CN_NEW(work->values, entries, sizeof(*work->values));
	CN_NEW(work->scratch, cn_workers_threads(pool), sizeof(*work->scratch));
	CN_TRY(cut_room(work, &room));
	for (unsigned i = 0; i < cn_workers_threads(pool); i++)
		CN_TRY(make_scratch(&work->scratch[i], work, room));
	return 0;
}

static void free_work(struct work *work, cn_workers *pool)
{
	for (unsigned i = 0; work->scratch && i < cn_workers_threads(pool); i++)
		free_scratch(&work->scratch[i]);
	cn_free(work->scratch);
	cn_free(work->ids);
	cn_free(work->values);
}

/* ---- the whole ---- */

size_t cn_offline_width(const cn_diffusion_graph *graph, const cn_offline_options *options)
{
	return options->truncation < graph->matrix.rows ? options->truncation : graph->matrix.rows;
}

static int check(const cn_diffusion_graph *graph, const cn_neighbours *lists, size_t begin, size_t end,
		 const cn_offline_options *options, cn_workers *pool)
{
	if (options->truncation < 1)
		return cn_fail(CAIRN_EINVALID, "diffusion: truncation to 0 images; at least 1 is needed");
	CN_TRY(cn_solver_check(&options->solver));
	if (lists->lines != graph->matrix.rows || begin > end || end > lists->lines)
		return cn_fail(CAIRN_EINVALID,
			       "diffusion of images %zu to %zu with %zu lists and a graph of %zu images", begin, end,
			       lists->lines, graph->matrix.rows);
	cn_neighbours some = { end - begin, lists->k, lists->ids + begin * lists->k, NULL };
	int status = cn_neighbours_check(&some, lists->lines, 0, pool);
	return status < 0 && begin ? cn_fail_context(status, "lists from image %zu on", begin) : status;
}

static int take_blocks(struct work *work, size_t begin, size_t end, size_t block, cn_offline_sink sink, void *context,
		       cn_workers *pool)
{
	CN_TRY(make_work(work, block, pool));
	for (work->first = begin; work->first < end; work->first += block) {
		size_t count = end - work->first < block ? end - work->first : block;
		CN_TRY(cn_parallel_for(pool, count, GRAIN, diffuse_some, work));
		CN_TRY(sink(context, work->first, count, work->ids, work->values));
	}
	return 0;
}

int cn_diffuse_offline(const cn_diffusion_graph *graph, const cn_neighbours *lists, size_t begin, size_t end,
		       const cn_offline_options *options, cn_offline_sink sink, void *context, cn_workers *pool,
		       cairn_progress_cb callback, void *payload)
{
	struct work work = { .graph = graph, .lists = lists, .options = options };
	size_t block = options->block ? options->block : BLOCK;
	CN_TRY(check(graph, lists, begin, end, options, pool));
	work.width = cn_offline_width(graph, options);
	block = block < end - begin ? block : end - begin;
	cn_progress_start(&work.progress, callback, payload, "diffusing", end - begin);
	int status = take_blocks(&work, begin, end, block, sink, context, pool);
	cn_progress_end(&work.progress);
	free_work(&work, pool);
	return status;
}
