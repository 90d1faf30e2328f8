/*
 * The way of each list from a ranking to the body and into the result. A row of the result is written by the one thread
 * that has its query.
 */
#include "rank/list.h"

#include <math.h>
#include <string.h>

#include "util/ids.h"
#include "util/memory.h"
#include "util/progress.h"

struct work {
	const cn_rank_job *job;
	cairn_ranking *out;
	cn_rank_list *lists; /* a worker each */
	cn_progress progress;
};

unsigned cn_rank_threads(const cn_rank_run *run)
{
	return run ? cn_workers_threads(run->pool) : 1;
}

void cn_rank_list_take(cn_rank_list *list, size_t count)
{
	cn_scored *items = list->items;
	list->items = list->spare;
	list->spare = items;
	list->count = count;
}

void cn_scores_follow(cn_scored *items, size_t count, size_t from)
{
	if (from == 0 || from >= count || items[from].score <= items[from - 1].score)
		return;
	float excess = items[from].score - items[from - 1].score;
	/* Infinite scores have no distance; those behind become equal when they are written. */
	if (!isfinite(excess))
		return;
	for (size_t i = from; i < count; i++)
		items[i].score -= excess;
}

static void free_list(cn_rank_list *list)
{
	cn_free(list->items);
	cn_free(list->spare);
	cn_free(list->ids);
	cn_free(list->seen);
}

static int init_list(cn_rank_list *list, const cn_rank_job *job)
{
	size_t places = cairn_ranking_depth(job->ranking);
	CN_TRY(cn_size_add(places, job->depth, &list->capacity));
	list->items = cn_alloc(list->capacity, sizeof(*list->items));
	list->spare = cn_alloc(list->capacity, sizeof(*list->spare));
	list->ids = cn_alloc(places, sizeof(*list->ids));
	list->seen = cn_alloc(places, sizeof(*list->seen));
	return list->items && list->spare && list->ids && list->seen ? 0 : CAIRN_ENOMEM;
}

static void read_list(cn_rank_list *list, const cn_rank_job *job, size_t query)
{
	const int64_t *images = cairn_ranking_images(job->ranking, query);
	const float *scores = cairn_ranking_scores(job->ranking, query);
	size_t places = cairn_ranking_count(job->ranking, query), found = 0;
	places = places < job->take ? places : job->take;
	for (size_t i = 0; i < places; i++)
		if (images[i] >= 0)
			list->ids[found++] = images[i];
	list->read = cn_ids_sort(list->ids, found);
	list->count = 0;
	memset(list->seen, 0, list->read);
	for (size_t i = 0; i < places && list->count < list->read; i++) {
		if (images[i] < 0)
			continue;
		size_t at = cn_ids_find(list->ids, list->read, images[i]);
		if (list->seen[at])
			continue;
		list->seen[at] = 1;
		list->items[list->count++] = (cn_scored){ scores[i], images[i] };
	}
}

static int write_list(const cn_rank_list *list, cairn_ranking *out, size_t query)
{
	size_t places = cairn_ranking_depth(out);
	float most = INFINITY;
	for (size_t i = 0; i < list->count && i < places; i++) {
		cn_scored item = list->items[i];
		if (item.score > most)
			item.score = most;
		CN_TRY(cairn_ranking_set(out, query, i, item.id, item.score));
		most = item.score;
	}
	return 0;
}

/* cn_loop_body over queries. */
static int rerank_range(void *context, size_t begin, size_t end, unsigned worker)
{
	struct work *work = context;
	cn_rank_list *list = &work->lists[worker];
	for (size_t query = begin; query < end; query++) {
		read_list(list, work->job, query);
		CN_TRY(work->job->body(work->job->context, list, query, worker));
		CN_TRY(write_list(list, work->out, query));
		CN_TRY(cn_progress_add(&work->progress, 1, 0));
	}
	return 0;
}

static int rerank(struct work *work)
{
	static const cn_rank_run alone = { 0 };
	const cn_rank_run *run = work->job->run ? work->job->run : &alone;
	size_t queries = cairn_ranking_queries(work->job->ranking);
	cn_progress_start(&work->progress, run->progress, run->progress_payload, work->job->stage, queries);
	int status = cn_parallel_for(run->pool, queries, 1, rerank_range, work);
	cn_progress_end(&work->progress);
	return status;
}

int cn_rank_lists(cairn_ranking **out, const cn_rank_job *job)
{
	struct work work = { .job = job };
	unsigned threads = cn_rank_threads(job->run);
	int status;
	*out = NULL;
	CN_TRY(cairn_ranking_new(&work.out, cairn_ranking_queries(job->ranking), job->depth));
	work.lists = cn_alloc_zero(threads, sizeof(*work.lists));
	status = work.lists ? 0 : CAIRN_ENOMEM;
	for (unsigned i = 0; status == 0 && i < threads; i++)
		status = init_list(&work.lists[i], job);
	if (status == 0)
		status = rerank(&work);
	for (unsigned i = 0; work.lists && i < threads; i++)
		free_list(&work.lists[i]);
	cn_free(work.lists);
	if (status < 0)
		cairn_ranking_free(work.out);
	else
		*out = work.out;
	return status;
}
