/*
 * The state of the work on a graph: which lists are in memory, when they are written, how much is done.
 */
#include "index/graph_work.h"

#include "util/memory.h"

#define SHARE 20.0 /* states are written in at most one part in so many of the time */

/* ---- memory ---- */

int cn_graph_work_room(cn_graph_work *work)
{
	const cn_graph_plan *plan = &work->plan;
	size_t dim = work->images.parts->dim, most = work->images.parts->rows_an_image, queries, items, numbers;
	int distinct = most > 1 || work->among->parts->rows_an_image > 1;
	CN_TRY(cn_size_mul(plan->block_images, most, &queries));
	queries = queries < plan->most_queries ? queries : plan->most_queries;
	for (size_t i = 0; i < 2 && i < plan->blocks; i++)
		if (i == 0 || plan->demand.self)
			CN_TRY(cn_graph_state_init(&work->held[i], plan->block_images, work->key.keep, distinct));
	CN_TRY(cn_shortlist_capacity(work->key.keep, &items));
	CN_TRY(cn_size_mul(items, queries, &items));
	CN_TRY(cn_size_mul(queries, dim, &numbers));
	CN_NEW(work->names, queries, sizeof(*work->names));
	CN_NEW(work->vectors, numbers, sizeof(*work->vectors));
	CN_NEW(work->workers, plan->demand.threads, sizeof(*work->workers));
	for (unsigned w = 0; w < plan->demand.threads; w++) {
		cn_graph_worker *worker = &work->workers[w];
		worker->lists = cn_alloc(queries, sizeof(*worker->lists));
		worker->items = cn_alloc(items, sizeof(*worker->items));
		worker->found = cn_alloc(work->key.keep, sizeof(*worker->found));
		worker->vectors = cn_alloc(most, dim * sizeof(*worker->vectors));
		if (!worker->lists || !worker->items || !worker->found || !worker->vectors)
			return CAIRN_ENOMEM;
	}
	return 0;
}

void cn_graph_work_free(cn_graph_work *work)
{
	for (unsigned w = 0; work->workers && w < work->plan.demand.threads; w++) {
		cn_free(work->workers[w].lists);
		cn_free(work->workers[w].items);
		cn_free(work->workers[w].found);
		cn_free(work->workers[w].vectors);
		cn_scan_scratch_free(&work->workers[w].scratch);
	}
	cn_free(work->workers);
	cn_free(work->names);
	cn_free(work->vectors);
	cn_free(work->marks);
	cn_query_panels_free(&work->panels);
	cn_graph_state_free(&work->held[0]);
	cn_graph_state_free(&work->held[1]);
	cn_graph_plan_free(&work->plan);
	cn_graph_folder_close(&work->folder);
	cn_image_rows_free(&work->images);
	cn_image_rows_free(&work->others);
	cn_workers_free(work->pool);
}

/* ---- states ---- */

static int write_state(cn_graph_work *work, cn_graph_state *state)
{
	if (state->block == SIZE_MAX || !state->is_changed)
		return 0;
	char *path = cn_graph_folder_state(&work->folder, state->block);
	int status = path ? cn_graph_state_save(state, &work->key, path) : CAIRN_ENOMEM;
	cn_free(path);
	return status;
}

int cn_graph_work_save(cn_graph_work *work)
{
	double begin = cn_seconds();
	CN_TRY(write_state(work, &work->held[0]));
	CN_TRY(write_state(work, &work->held[1]));
	work->written = cn_seconds();
	double least = SHARE * (work->written - begin);
	work->next_write = work->interval > least ? work->interval : least;
	return 0;
}

static int load_state(cn_graph_work *work, cn_graph_state *state, size_t block)
{
	size_t count = cn_graph_plan_images(&work->plan, block).count;
	if (!work->marks[block].step) {
		cn_graph_state_start(state, &work->key, block, count);
		return 0;
	}
	char *path = cn_graph_folder_state(&work->folder, block);
	int status = path ? cn_graph_state_load(state, &work->key, block, count, path) : CAIRN_ENOMEM;
	cn_free(path);
	return status;
}

/* Have a block in memory. */
int cn_graph_work_hold(cn_graph_work *work, size_t place, size_t block)
{
	cn_graph_state *state = &work->held[place], *other = &work->held[1 - place];
	if (other->block == block) {
		cn_graph_state swapped = *state;
		*state = *other;
		*other = swapped;
	}
	if (state->block == block)
		return 0;
	CN_TRY(write_state(work, state));
	state->block = SIZE_MAX;
	return load_state(work, state, block);
}

void cn_graph_work_mark(cn_graph_work *work, cn_graph_state *state, cn_graph_mark mark)
{
	work->marks[state->block] = state->mark = mark;
	state->is_changed = 1;
}

/* After each piece of work. */
int cn_graph_work_advance(cn_graph_work *work, double pairs)
{
	work->done += pairs;
	uint64_t images = (uint64_t)((double)work->images.count * (work->done / work->total));
	uint64_t more = images > work->told ? images - work->told : 0;
	work->told += more;
	if (cn_seconds() - work->written >= work->next_write)
		CN_TRY(cn_graph_work_save(work));
	return cn_progress_add(&work->progress, more, 0);
}

void cn_graph_work_pass(cn_graph_work *work, double pairs)
{
	work->resumed += pairs;
	work->done += pairs;
}

int cn_graph_fail_not_finite(const cn_image_rows *images, size_t image)
{
	return cn_fail(CAIRN_EDAMAGED, "a descriptor of image %lld holds a number that is not finite",
		       (long long)images->ids[image]);
}
