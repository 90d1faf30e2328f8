/*
 * The stage "diffuse": similarity flows along the kNN graph of the index.
 */
#include <string.h>

#include "index/vectors.h"
#include "math/half.h"
#include "rank/diffuse.h"
#include "rank/diffuse_offline.h"
#include "recipe/run.h"
#include "recipe/stage_runs.h"
#include "util/ids.h"
#include "util/memory.h"

/* A graph by positions: its lines are numbered, and neighbours are numbers of lines. */
typedef struct {
	const cairn_index *index; /* what it is of */
	cairn_graph *graph;
	const cairn_neighbours *by_id; /* borrowed from it */
	int32_t *ids;                  /* the neighbours of by_id as positions */
	int64_t *images;               /* of each position; negative: is not to be found */
	cn_neighbours lists;
} positions;

static void positions_free(positions *all)
{
	cairn_graph_free(all->graph);
	cn_free(all->ids);
	cn_free(all->images);
}

/* @param[out] out count positions; negative where there is no image */
static void to_positions(const positions *all, const int64_t *ids, size_t count, int32_t *out)
{
	const cairn_neighbours *lines = all->by_id;
	for (size_t i = 0; i < count; i++) {
		size_t at = ids[i] < 0 ? lines->count : cn_ids_find(lines->images, lines->count, ids[i]);
		out[i] = at < lines->count && lines->images[at] == ids[i] ? (int32_t)at : -1;
	}
}

static int number_lines(positions *all)
{
	const cairn_neighbours *lines = cairn_graph_neighbours(all->graph);
	all->by_id = lines;
	if (lines->count > INT32_MAX)
		return cn_fail(CAIRN_ELIMIT, "diffusion among %zu images; at most %d are possible", lines->count,
			       INT32_MAX);
	CN_NEW(all->ids, lines->count * lines->k, sizeof(*all->ids));
	all->images = cn_memdup(lines->images, lines->count * sizeof(*all->images));
	if (!all->images)
		return CAIRN_ENOMEM;
	to_positions(all, lines->ids, lines->count * lines->k, all->ids);
	all->lists = (cn_neighbours){ lines->count, lines->k, all->ids, lines->scores };
	return 0;
}

static cn_diffusion_options options_of(const cn_work *work)
{
	return (cn_diffusion_options){
		.neighbours = cn_work_size(work, "k"),
		.query_neighbours = cn_work_size(work, "kq"),
		.gamma = (float)cn_work_real(work, "gamma"),
		.solver = { (float)cn_work_real(work, "alpha"), cn_work_size(work, "iterations"),
			    (float)cn_work_real(work, "tolerance") },
	};
}

/* ---- where diffusion begins ---- */

/* The kq nearest images of each query, without the query itself: nothing but its own neighbours would count beside it.
 */
typedef struct {
	int32_t *ids;
	float *scores;
	cn_neighbours lists;
} beginnings;

static void beginnings_free(beginnings *begin)
{
	cn_free(begin->ids);
	cn_free(begin->scores);
}

static void take_beginning(const positions *all, const cairn_ranking *found, size_t query, beginnings *out)
{
	size_t at = query * out->lists.k;
	to_positions(all, cairn_ranking_images(found, query), out->lists.k, out->ids + at);
	memcpy(out->scores + at, cairn_ranking_scores(found, query), out->lists.k * sizeof(*out->scores));
}

static int find_beginnings(const cn_work *work, const positions *all, beginnings *out)
{
	const cn_value *queries = cn_work_input(work, "queries");
	cairn_index_options how = CAIRN_INDEX_OPTIONS_INIT;
	size_t k = cn_work_size(work, "kq");
	cairn_ranking *found;
	how.threads = work->run->threads;
	how.recall = 1;
	CN_NEW(out->ids, queries->count * k, sizeof(*out->ids));
	CN_NEW(out->scores, queries->count * k, sizeof(*out->scores));
	CN_TRY(cn_run_search_index(work, queries->vectors, k, &how, &found));
	out->lists = (cn_neighbours){ queries->count, k, out->ids, out->scores };
	for (size_t q = 0; q < queries->count; q++)
		take_beginning(all, found, q, out);
	cairn_ranking_free(found);
	return 0;
}

/* ---- ahead of all queries ---- */

/* Rows to be written. */
typedef struct {
	const cn_work *work;
	const positions *all;
	const cn_diffusion_graph *graph;
	cn_workers *pool;
	const char *prefix;
} offline_writing;

static int write_offline(void *context)
{
	const offline_writing *rows = context;
	const cn_work *work = rows->work;
	cn_offline_options offline = CN_OFFLINE_OPTIONS_INIT;
	offline.truncation = cn_work_size(work, "truncation");
	offline.solver = options_of(work).solver;
	return cn_offline_write(rows->prefix, rows->graph, &rows->all->lists, &offline, rows->pool, work->run->progress,
				work->run->progress_payload);
}

/* Of what the offline rows depend on, which is less than the stage does. */
static cn_key offline_key(const cn_work *work, const char *of)
{
	const double numbers[] = {
		cn_work_real(work, "gamma"),     cn_work_real(work, "alpha"),
		cn_work_real(work, "tolerance"), (double)cn_work_size(work, "iterations"),
		(double)cn_work_size(work, "k"), (double)cn_work_size(work, "truncation"),
	};
	const cn_key parts[] = { work->run->made[cn_stage_link(work->stage, of)->value].key,
				 cn_key_of(numbers, sizeof(numbers)) };
	return cn_key_of(parts, sizeof(parts));
}

static int open_offline(const cn_work *work, const positions *all, const cn_diffusion_graph *graph, cn_workers *pool,
			cn_offline_rows *out)
{
	static const char *const endings[] = { "offline.ids.npy", "offline.values.npy" };
	const cn_key key = offline_key(work, "index");
	char *prefix = cn_cache_path(&work->run->cache, key, "offline");
	offline_writing rows = { work, all, graph, pool, prefix };
	int status =
		prefix ? cn_run_keep(work->run, key, &(cn_kept_files){ "offline", endings, 2, write_offline, &rows })
		       : CAIRN_ENOMEM;
	if (status == 0)
		status = cn_offline_open(out, prefix);
	cn_free(prefix);
	return status;
}

static int by_offline(const cn_work *work, const positions *all, const cn_diffusion_graph *graph, cn_workers *pool,
		      const beginnings *begin, cairn_ranking *found)
{
	const cn_diffusion_options how = options_of(work);
	cn_offline_searcher searcher = { 0 };
	cn_offline_rows rows;
	CN_TRY(open_offline(work, all, graph, pool, &rows));
	int status = cn_offline_searcher_init(&searcher, &rows, pool);
	if (status == 0)
		status = cn_offline_search(found, &searcher, &begin->lists, &how, all->images);
	cn_offline_searcher_free(&searcher);
	cn_offline_close(&rows);
	return status;
}

/* ---- what is found ---- */

/* Images that nothing reached stand behind, as in the ranking that there was. */
static int append_rest(const cn_work *work, size_t query, size_t kept, int64_t *reached)
{
	const cn_value *before = cn_work_input(work, "ranking");
	cairn_ranking *out = work->out->ranking;
	size_t depth = cairn_ranking_depth(out), first = kept;
	if (!before)
		return 0;
	memcpy(reached, cairn_ranking_images(out, query), first * sizeof(*reached));
	cn_ids_sort(reached, first);
	const int64_t *images = cairn_ranking_images(before->ranking, query);
	for (size_t i = 0; i < cairn_ranking_count(before->ranking, query) && kept < depth; i++) {
		if (!cn_ids_have(reached, first, images[i]) && !cn_run_is_own(work->run, query, images[i]))
			CN_TRY(cairn_ranking_set(out, query, kept++, images[i], 0));
	}
	return 0;
}

/* @param reached room for `depth` ids */
static int keep_list(const cn_work *work, const cairn_ranking *found, size_t query, size_t depth, int64_t *reached)
{
	const int64_t *images = cairn_ranking_images(found, query);
	const float *scores = cairn_ranking_scores(found, query);
	size_t kept = 0;
	for (size_t i = 0; i < cairn_ranking_count(found, query) && kept < depth; i++)
		if (!cn_run_is_own(work->run, query, images[i]))
			CN_TRY(cairn_ranking_set(work->out->ranking, query, kept++, images[i], scores[i]));
	return append_rest(work, query, kept, reached);
}

static int keep_found(const cn_work *work, const cairn_ranking *found, size_t depth)
{
	size_t queries = cairn_ranking_queries(found);
	CN_TRY(cairn_ranking_new(&work->out->ranking, queries, depth));
	int64_t *reached = cn_alloc(depth, sizeof(*reached));
	int status = reached ? 0 : CAIRN_ENOMEM;
	for (size_t q = 0; q < queries && status == 0; q++)
		status = keep_list(work, found, q, depth, reached);
	cn_free(reached);
	return status;
}

static size_t depth_of(const cn_work *work)
{
	const cn_value *before = cn_work_input(work, "ranking");
	if (cn_work_is_set(work, "depth"))
		return cn_work_size(work, "depth");
	return before ? cairn_ranking_depth(before->ranking) : 100;
}

static int diffuse(const cn_work *work, const positions *all, cn_workers *pool)
{
	const cn_diffusion_options how = options_of(work);
	size_t depth = depth_of(work);
	cn_diffusion_graph graph = { 0 };
	beginnings begin = { 0 };
	cairn_ranking *found = NULL;
	int status = 0;
	CN_GOTO(status, cn_diffusion_graph_new(&graph, &all->lists, &how, pool));
	CN_GOTO(status, find_beginnings(work, all, &begin));
	CN_GOTO(status, cairn_ranking_new(&found, begin.lists.lines, depth + 1));
	if (cn_stage_chose(work->stage, "method", "offline"))
		CN_GOTO(status, by_offline(work, all, &graph, pool, &begin, found));
	else
		CN_GOTO(status, cn_diffuse(found, &graph, &begin.lists, &how, all->images, pool, work->run->progress,
					   work->run->progress_payload));
	status = keep_found(work, found, depth);
done:
	cairn_ranking_free(found);
	beginnings_free(&begin);
	cn_diffusion_graph_free(&graph);
	return status;
}

int cn_run_diffuse(const cn_work *work)
{
	int is_offline = cn_stage_chose(work->stage, "method", "offline");
	size_t k = cn_work_size(work, "k"), truncation = is_offline ? cn_work_size(work, "truncation") : 0;
	positions all = { 0 };
	cn_workers *pool = NULL;
	int status = 0;
	CN_GOTO(status, cn_workers_new(&pool, work->run->threads));
	CN_GOTO(status, cn_run_neighbours(work, "index", truncation > k ? truncation : k, &all.graph));
	CN_GOTO(status, number_lines(&all));
	status = diffuse(work, &all, pool);
done:
	positions_free(&all);
	cn_workers_free(pool);
	return status;
}
