/*
 * A step: a band of one block's images is multiplied with another block. Each pair serves the lists of both, unless one
 * has it from an earlier run.
 */
#include "index/graph_work.h"
#include "math/dot.h"

/* ---- queries ---- */

static int make_queries(cn_graph_work *work)
{
	size_t dim = work->images.parts->dim, count = 0;
	for (size_t i = 0; i < work->band.count; i++) {
		size_t image = work->band.first + i, rows = cn_image_rows_of(&work->images, image);
		cn_image_rows_read(&work->images, image, work->vectors + count * dim);
		if (!cn_all_finite(work->vectors + count * dim, rows * dim))
			return cn_graph_fail_not_finite(&work->images, image);
		for (size_t r = 0; r < rows; r++)
			work->names[count++] = (uint32_t)image;
	}
	work->query_count = count;
	CN_TRY(cn_queries_init(&work->queries, work->plan.demand.exact ? CN_NUMBER_F32 : CN_NUMBER_I8, work->vectors,
			       count, dim));
	return cn_query_panels_pack(&work->panels, &work->queries, NULL, count);
}

/* What a query's own list has reached; scores below it are of no use to threads. */
static float reached(cn_graph_work *work, size_t query)
{
	size_t first = work->own->block * work->plan.block_images;
	cn_shortlist *list = &work->own->lists[work->names[query] - first];
	cn_shortlist_cut(list);
	return list->threshold;
}

static void empty_lists(cn_graph_work *work)
{
	size_t capacity = work->own->capacity;
	for (size_t q = 0; q < work->query_count; q++) {
		float threshold = reached(work, q);
		for (unsigned w = 0; w < cn_workers_threads(work->pool); w++) {
			cn_shortlist *list = &work->workers[w].lists[q];
			cn_shortlist_place(list, work->key.keep, work->workers[w].items + q * capacity, capacity);
			list->distinct = work->own->distinct;
			list->threshold = threshold;
		}
	}
}

/* ---- scanning ---- */

static int scan_chunk(cn_graph_work *work, cn_graph_worker *worker, cn_span chunk)
{
	const cn_image_rows *among = work->among;
	const cn_row_part *part = cn_row_parts_find(among->parts, among->first[chunk.first]);
	size_t last = chunk.first + chunk.count - 1, first = among->first[chunk.first];
	size_t count = among->first[last] + cn_image_rows_of(among, last) - first;
	cn_rows rows = cn_row_part_rows(part, first - part->first, count, among->parts->dim, work->plan.demand.exact);
	rows.names = among->image + first;
	rows.live = among->live;
	rows.live_from = first;
	if (!work->wants_partner)
		return cn_scan_rows(&work->panels, &rows, NULL, worker->lists, &worker->scratch);
	const cn_row_lists row_lists = { work->names, work->partner->lists,
					 (uint32_t)(work->partner->block * work->plan.block_images) };
	return cn_scan_both(&work->panels, &rows, work->wants_own ? worker->lists : NULL, &row_lists, &worker->scratch);
}

/* cn_loop_body over chunks from first_chunk on. */
static int scan_range(void *context, size_t begin, size_t end, unsigned worker)
{
	cn_graph_work *work = context;
	for (size_t i = begin; i < end; i++)
		CN_TRY(scan_chunk(work, &work->workers[worker], work->plan.chunks.items[work->first_chunk + i]));
	return 0;
}

/* ---- joining ---- */

/* What the threads found for one query, to the list of its image. */
static void join_query(cn_graph_work *work, size_t query, cn_shortlist *list)
{
	for (unsigned w = 0; w < cn_workers_threads(work->pool); w++) {
		const cn_shortlist *found = &work->workers[w].lists[query];
		for (size_t i = 0; i < found->count; i++)
			cn_shortlist_push(list, found->items[i].score, found->items[i].row);
	}
}

static size_t first_query(const cn_graph_work *work, size_t image)
{
	size_t low = 0, high = work->query_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (work->names[middle] < image)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* cn_loop_body over the band's images. */
static int join_range(void *context, size_t begin, size_t end, unsigned worker)
{
	cn_graph_work *work = context;
	size_t block_first = work->own->block * work->plan.block_images;
	(void)worker;
	for (size_t image = work->band.first + begin; image < work->band.first + end; image++)
		for (size_t q = first_query(work, image); q < work->query_count && work->names[q] == image; q++)
			join_query(work, q, &work->own->lists[image - block_first]);
	return 0;
}

/* ---- steps of a tile ---- */

static int run_step(cn_graph_work *work, size_t chunks)
{
	int status = make_queries(work);
	if (status == 0) {
		if (work->wants_own)
			empty_lists(work);
		status = cn_parallel_for(work->pool, chunks, 1, scan_range, work);
	}
	if (status == 0 && work->wants_own)
		status = cn_parallel_for(work->pool, work->band.count, 16, join_range, work);
	cn_queries_free(&work->queries);
	return status;
}

/* Images of the partner that a band is multiplied with, times its own. */
static double pairs_of(const cn_graph_work *work, size_t partner, size_t first_chunk, cn_span band)
{
	size_t end = work->plan.chunks.from[partner + 1];
	const cn_span *chunks = work->plan.chunks.items;
	if (first_chunk == end)
		return 0;
	size_t images = chunks[end - 1].first + chunks[end - 1].count - chunks[first_chunk].first;
	return (double)images * (double)band.count;
}

double cn_graph_tile_pairs(const cn_graph_work *work, size_t block, size_t partner)
{
	double pairs = 0;
	for (size_t b = work->plan.bands.from[block]; b < work->plan.bands.from[block + 1]; b++) {
		cn_span band = work->plan.bands.items[b];
		pairs += pairs_of(work, partner, cn_graph_plan_first_chunk(&work->plan, block, partner, band), band);
	}
	return pairs;
}

/* Lists that a step has changed are of no use if it failed in its midst. */
static int finish_step(cn_graph_work *work, uint64_t step, int status, double pairs)
{
	if (status < 0) {
		work->own->block = work->partner->block = SIZE_MAX;
		return status;
	}
	if (work->wants_own)
		cn_graph_work_mark(work, work->own, (cn_graph_mark){ step + 1, 0 });
	if (work->wants_partner && work->partner != work->own)
		cn_graph_work_mark(work, work->partner, (cn_graph_mark){ step + 1, 0 });
	return cn_graph_work_advance(work, pairs);
}

/* Step `step`: a band of one block, and another block. */
static int take_step(cn_graph_work *work, size_t block, size_t partner, uint64_t step, cn_span band)
{
	int self = work->plan.demand.self;
	work->first_chunk = cn_graph_plan_first_chunk(&work->plan, block, partner, band);
	work->band = band;
	work->wants_own = work->marks[block].step <= step;
	work->wants_partner = self && work->marks[partner].step <= step;
	double pairs = pairs_of(work, partner, work->first_chunk, band);
	if (!work->wants_own && !work->wants_partner) {
		cn_graph_work_pass(work, pairs);
		return 0;
	}
	CN_TRY(cn_graph_work_hold(work, 0, block));
	if (self && block != partner)
		CN_TRY(cn_graph_work_hold(work, 1, partner));
	work->own = &work->held[0];
	work->partner = &work->held[self && block != partner];
	int status = run_step(work, work->plan.chunks.from[partner + 1] - work->first_chunk);
	return finish_step(work, step, status, pairs);
}

int cn_graph_take_tile(cn_graph_work *work, size_t block, size_t partner)
{
	const cn_spans *bands = &work->plan.bands;
	uint64_t step = cn_graph_plan_step(&work->plan, block, partner);
	for (size_t b = bands->from[block]; b < bands->from[block + 1]; b++)
		CN_TRY(take_step(work, block, partner, step++, bands->items[b]));
	return 0;
}
