/*
 * Ranking: the rows on an image's list are scored in half precision, and the best images stay.
 */
#include <math.h>

#include "index/graph_work.h"

#define BATCH     1024 /* images ranked at once */
#define RANK_COST 32.0 /* what scoring an image anew takes, in pairs of a scan */

static int rank_image(cn_graph_work *work, cn_graph_worker *worker, size_t image, cn_shortlist *list)
{
	size_t rows = cn_image_rows_of(&work->images, image);
	const cn_image_rows *among = work->among;
	size_t k = work->plan.demand.k;
	cn_shortlist_cut(list);
	for (size_t i = 0; i < list->count; i++)
		list->items[i].row = among->first[list->items[i].row];
	cn_image_rows_read(&work->images, image, worker->vectors);
	size_t count = cn_rescore(among->parts, worker->vectors, rows, list, worker->found);
	list->count = count < k ? count : k;
	for (size_t i = 0; i < list->count; i++)
		list->items[i] = (cn_scored_row){ worker->found[i].score, among->image[worker->found[i].row] };
	return list->count && isinf(list->items[0].score) ? cn_graph_fail_not_finite(among, list->items[0].row) : 0;
}

/* cn_loop_body over the batch. */
static int rank_range(void *context, size_t begin, size_t end, unsigned worker)
{
	cn_graph_work *work = context;
	size_t first = work->own->block * work->plan.block_images;
	for (size_t i = work->batch + begin; i < work->batch + end; i++)
		CN_TRY(rank_image(work, &work->workers[worker], first + i, &work->own->lists[i]));
	return 0;
}

double cn_graph_rank_cost(const cn_graph_work *work)
{
	return RANK_COST * work->key.keep;
}

int cn_graph_rank_block(cn_graph_work *work, size_t block)
{
	size_t count = cn_graph_plan_images(&work->plan, block).count;
	cn_graph_work_pass(work, (double)work->marks[block].ranked * cn_graph_rank_cost(work));
	if (work->marks[block].ranked == count)
		return 0;
	CN_TRY(cn_graph_work_hold(work, 0, block));
	work->own = &work->held[0];
	while (work->own->mark.ranked < count) {
		work->batch = work->own->mark.ranked;
		size_t many = count - work->batch < BATCH ? count - work->batch : BATCH;
		CN_TRY(cn_parallel_for(work->pool, many, 8, rank_range, work));
		cn_graph_work_mark(work, work->own, (cn_graph_mark){ work->own->mark.step, work->batch + many });
		CN_TRY(cn_graph_work_advance(work, (double)many * cn_graph_rank_cost(work)));
	}
	return 0;
}
