/*
 * The stage "search": in an index value by descriptors, or in the collection by ASMK or by both.
 */
#include <math.h>

#include "recipe/run.h"
#include "recipe/stage_runs.h"
#include "util/memory.h"

/* Copy a list without the query itself. */
static int keep_list(const cairn_run *run, cairn_ranking *out, size_t query, const int64_t *images, const float *scores,
		     size_t count)
{
	size_t kept = 0;
	for (size_t i = 0; i < count && kept < cairn_ranking_depth(out); i++)
		if (!cn_run_is_own(run, query, images[i]))
			CN_TRY(cairn_ranking_set(out, query, kept++, images[i], scores[i]));
	return 0;
}

/* ---- by descriptors ---- */

static int keep_rows(const cairn_run *run, const cairn_ranking *found, cairn_ranking *out)
{
	int status = 0;
	for (size_t q = 0; q < cairn_ranking_queries(found) && status == 0; q++)
		status = keep_list(run, out, q, cairn_ranking_images(found, q), cairn_ranking_scores(found, q),
				   cairn_ranking_count(found, q));
	return status;
}

int cn_run_search_index(const cn_work *work, const float *vectors, size_t k, const cairn_index_options *how,
			cairn_ranking **out)
{
	const cairn_index *index = cn_work_input(work, "index")->index;
	size_t queries = work->run->query_count;
	cairn_ranking *found;
	*out = NULL;
	/* One more, since the query itself may be among them. */
	CN_TRY(cairn_index_search(&found, index, vectors, queries, k + 1, how));
	int status = cairn_ranking_new(out, queries, k);
	if (status == 0)
		status = keep_rows(work->run, found, *out);
	cairn_ranking_free(found);
	if (status < 0) {
		cairn_ranking_free(*out);
		*out = NULL;
	}
	return status;
}

static int by_global(const cn_work *work, size_t k)
{
	cairn_index_options how = CAIRN_INDEX_OPTIONS_INIT;
	how.threads = work->run->threads;
	how.recall = cn_work_real(work, "recall");
	how.exact = how.recall >= 1;
	return cn_run_search_index(work, cn_work_input(work, "queries")->vectors, k, &how, &work->out->ranking);
}

/* ---- by local features ---- */

static int keep_candidates(const cn_work *work, size_t query, const cn_candidates *candidates)
{
	int64_t *images = cn_alloc(candidates->count, sizeof(*images));
	float *scores = cn_alloc(candidates->count, sizeof(*scores));
	int status = images && scores ? 0 : CAIRN_ENOMEM;
	for (size_t i = 0; i < candidates->count && status == 0; i++) {
		images[i] = candidates->items[i].id;
		scores[i] = candidates->items[i].score;
	}
	if (status == 0)
		status = keep_list(work->run, work->out->ranking, query, images, scores, candidates->count);
	cn_free(images);
	cn_free(scores);
	return status;
}

static int ask_one(const cn_work *work, size_t query, size_t searcher, cairn_search_by by, size_t k)
{
	const cn_exclusion nothing = { 0 };
	cn_candidates candidates = { 0 };
	cairn_query *opened;
	CN_TRY(cn_run_open_query(work->run, query, searcher, &opened));
	int status = cn_candidates_find(opened, by, &nothing, k, &candidates);
	if (status == 0)
		status = keep_candidates(work, query, &candidates);
	cn_free(candidates.items);
	cn_run_close_query(work->run, query, opened);
	return status;
}

static int by_features(const cn_work *work, cairn_search_by by, size_t k)
{
	cairn_run *run = work->run;
	cairn_searcher *searcher;
	size_t number;
	CN_TRY(cn_run_local_searcher(run, work->stage, &number));
	CN_TRY(cn_run_searcher(run, number, &searcher));
	searcher->options.asmk_weight =
		cn_work_is_set(work, "asmk_weight") ? (float)cn_work_real(work, "asmk_weight") : NAN;
	searcher->options.recall = cn_work_real(work, "recall");
	CN_TRY(cairn_ranking_new(&work->out->ranking, run->query_count, k));
	cn_work_start(work, run->query_count);
	for (size_t q = 0; q < run->query_count; q++) {
		CN_TRY(ask_one(work, q, number, by, k));
		CN_TRY(cn_progress_add(work->progress, 1, 0));
	}
	return 0;
}

int cn_run_search(const cn_work *work)
{
	size_t k = cn_work_size(work, "k");
	if (cn_stage_chose(work->stage, "by", "global"))
		return by_global(work, k);
	return by_features(work, cn_stage_chose(work->stage, "by", "asmk") ? CAIRN_BY_ASMK : CAIRN_BY_FUSED, k);
}
