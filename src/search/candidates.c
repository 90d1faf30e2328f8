/*
 * The images that a search considers: the best by global descriptor, by ASMK, or by both together.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/search.h"
#include "util/ids.h"
#include "util/memory.h"
#include "verify/kinds.h"

/* Unit vectors as they are kept give no more. */
#define MOST_SIMILARITY 1.01f

/* ---- lists of one kind ---- */

static int check_similarities(const cairn_searcher *searcher, const cairn_ranking *ranking)
{
	size_t count = cairn_ranking_count(ranking, 0);
	for (size_t i = 0; i < count; i++) {
		float similarity = cairn_ranking_scores(ranking, 0)[i];
		if (!(fabsf(similarity) <= MOST_SIMILARITY))
			return cn_fail(CAIRN_EDAMAGED,
				       "'%s': the descriptor of image %lld is damaged (similarity %g); 'cairn check' "
				       "tells what mends it",
				       searcher->info.folder, (long long)cairn_ranking_images(ranking, 0)[i],
				       (double)similarity);
	}
	return 0;
}

/* By global descriptor. @param only NULL, or the ids that may be found */
static int rank_global(const cairn_query *query, const int64_t *only, size_t count, size_t depth, cairn_ranking **out)
{
	const cairn_searcher *searcher = query->searcher;
	const cairn_index *index;
	*out = NULL;
	CN_TRY(cairn_collection_index(&index, searcher->collection));
	/* There are no more images than rows; of rows the index knows what it has today. */
	size_t most = only ? count : cairn_index_rows(index);
	cairn_index_options how = CAIRN_INDEX_OPTIONS_INIT;
	how.threads = searcher->options.threads;
	how.exact = searcher->options.recall >= 1;
	how.recall = searcher->options.recall;
	how.only = only;
	how.only_count = count;
	CN_TRY(cairn_index_search(out, index, query->descriptor, 1, depth < most ? depth : most ? most : 1, &how));
	int status = check_similarities(searcher, *out);
	if (status < 0) {
		cairn_ranking_free(*out);
		*out = NULL;
	}
	return status;
}

static int rank_asmk(const cairn_query *query, const int64_t *only, size_t count, size_t depth, cairn_ranking **out)
{
	const cairn_searcher *searcher = query->searcher;
	const cairn_asmk_index *index;
	const cairn_features *const features[] = { query->features };
	cairn_asmk_search_options how = CAIRN_ASMK_SEARCH_OPTIONS_INIT;
	*out = NULL;
	CN_TRY(cairn_collection_asmk(&index, searcher->collection, searcher->local));
	size_t most = only ? count : cairn_asmk_index_images(index);
	how.threads = searcher->options.threads;
	how.only = only;
	how.only_count = count;
	return cairn_asmk_index_search(out, index, features, 1, depth < most ? depth : most ? most : 1, &how);
}

/* ---- candidates ---- */

static int is_left_out(const cairn_query *query, const cn_exclusion *exclude, int64_t id)
{
	return id == query->id || cn_ids_have(exclude->ids, exclude->count, id);
}

static void keep_candidate(cn_candidates *candidates, const cairn_query *query, const cn_exclusion *exclude,
			   const cn_candidate *candidate)
{
	if (!is_left_out(query, exclude, candidate->id))
		candidates->items[candidates->count++] = *candidate;
}

/* Of one list, whose scores the order is by. */
static int keep_ranking(const cairn_query *query, const cn_exclusion *exclude, const cairn_ranking *ranking,
			int is_asmk, cn_candidates *out)
{
	size_t count = cairn_ranking_count(ranking, 0);
	out->items = cn_alloc(count, sizeof(*out->items));
	for (size_t i = 0; out->items && i < count; i++) {
		float score = cairn_ranking_scores(ranking, 0)[i];
		const cn_candidate candidate = {
			.id = cairn_ranking_images(ranking, 0)[i],
			.similarity = is_asmk ? NAN : score,
			.asmk = is_asmk ? score : NAN,
			.score = score,
		};
		keep_candidate(out, query, exclude, &candidate);
	}
	return out->items ? 0 : CAIRN_ENOMEM;
}

static int keep_ids(const cairn_query *query, const cn_exclusion *exclude, const int64_t *ids, size_t count,
		    cn_candidates *out)
{
	out->items = cn_alloc(count, sizeof(*out->items));
	for (size_t i = 0; out->items && i < count; i++) {
		const cn_candidate candidate = { .id = ids[i], .similarity = NAN, .asmk = NAN };
		keep_candidate(out, query, exclude, &candidate);
	}
	return out->items ? 0 : CAIRN_ENOMEM;
}

static int take_everything(const cairn_query *query, const cn_exclusion *exclude, cn_candidates *out)
{
	const cn_selection *selection = &query->searcher->selection;
	int64_t *ids;
	size_t count;
	if (selection->ids)
		return keep_ids(query, exclude, selection->ids, selection->count, out);
	CN_TRY(cairn_collection_ids(query->searcher->collection, &ids, &count));
	int status = keep_ids(query, exclude, ids, count, out);
	cairn_bytes_free(ids);
	return status;
}

static int take_best(const cairn_query *query, const cn_exclusion *exclude, size_t depth, int is_asmk,
		     cn_candidates *out)
{
	const cn_selection *selection = &query->searcher->selection;
	cairn_ranking *ranking;
	CN_TRY((is_asmk ? rank_asmk : rank_global)(query, selection->ids, selection->count, depth, &ranking));
	int status = keep_ranking(query, exclude, ranking, is_asmk, out);
	cairn_ranking_free(ranking);
	return status;
}

/* ---- both together ---- */

/* The ids of two lists, ascending, each once. @param[out] ids caller frees */
static int join_ids(const cairn_ranking *a, const cairn_ranking *b, int64_t **ids, size_t *count)
{
	const cairn_ranking *const lists[] = { a, b };
	size_t total = 0;
	*ids = cn_alloc(cairn_ranking_count(a, 0) + cairn_ranking_count(b, 0), sizeof(**ids));
	if (!*ids)
		return CAIRN_ENOMEM;
	for (size_t l = 0; l < 2; l++)
		for (size_t i = 0; i < cairn_ranking_count(lists[l], 0); i++)
			(*ids)[total++] = cairn_ranking_images(lists[l], 0)[i];
	*count = cn_ids_sort(*ids, total);
	return 0;
}

/* The union of the best of both. @param[out] ids caller frees */
static int best_of_both(const cairn_query *query, size_t depth, int64_t **ids, size_t *count)
{
	const cn_selection *selection = &query->searcher->selection;
	cairn_ranking *global = NULL, *asmk = NULL;
	*ids = NULL;
	int status = rank_global(query, selection->ids, selection->count, depth, &global);
	if (status == 0)
		status = rank_asmk(query, selection->ids, selection->count, depth, &asmk);
	if (status == 0)
		status = join_ids(global, asmk, ids, count);
	cairn_ranking_free(global);
	cairn_ranking_free(asmk);
	return status;
}

/* Scores of a list by the ascending ids; an id that is not in it keeps what it has. */
static void spread_scores(const cairn_ranking *ranking, const int64_t *ids, size_t count, float *scores)
{
	for (size_t i = 0; i < cairn_ranking_count(ranking, 0); i++) {
		const int64_t *at =
			bsearch(&cairn_ranking_images(ranking, 0)[i], ids, count, sizeof(*ids), cn_ids_compare);
		if (at)
			scores[at - ids] = cairn_ranking_scores(ranking, 0)[i];
	}
}

/* Both scores of each id. @param[out] scores count similarities, then count of ASMK; zero before */
static int score_both(const cairn_query *query, const int64_t *ids, size_t count, float *scores)
{
	cairn_ranking *global = NULL, *asmk = NULL;
	int status = rank_global(query, ids, count, count, &global);
	if (status == 0)
		status = rank_asmk(query, ids, count, count, &asmk);
	if (status == 0) {
		spread_scores(global, ids, count, scores);
		spread_scores(asmk, ids, count, scores + count);
	}
	cairn_ranking_free(global);
	cairn_ranking_free(asmk);
	return status;
}

static int by_score(const void *left, const void *right)
{
	const cn_candidate *a = left, *b = right;
	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static int take_scored(const cairn_query *query, const cn_exclusion *exclude, const int64_t *ids, size_t count,
		       cn_candidates *out)
{
	const cairn_searcher *searcher = query->searcher;
	float weight = isnan(searcher->options.asmk_weight) ? cn_kind_find(searcher->local)->asmk_weight
							    : searcher->options.asmk_weight;
	float *scores = cn_alloc_zero(2 * count, sizeof(*scores));
	out->items = cn_alloc(count, sizeof(*out->items));
	int status = scores && out->items ? 0 : CAIRN_ENOMEM;
	if (status == 0 && count)
		status = score_both(query, ids, count, scores);
	for (size_t i = 0; status == 0 && i < count; i++) {
		const cn_candidate candidate = {
			.id = ids[i],
			.similarity = scores[i],
			.asmk = scores[count + i],
			.score = scores[i] + weight * scores[count + i],
		};
		keep_candidate(out, query, exclude, &candidate);
	}
	cn_free(scores);
	if (status == 0 && out->count > 1)
		qsort(out->items, out->count, sizeof(*out->items), by_score);
	return status;
}

static int take_best_of_both(const cairn_query *query, const cn_exclusion *exclude, size_t depth, cn_candidates *out)
{
	int64_t *ids;
	size_t count;
	int status = best_of_both(query, depth, &ids, &count);
	if (status == 0)
		status = take_scored(query, exclude, ids, count, out);
	cn_free(ids);
	return status;
}

static int is_empty(const cairn_searcher *searcher)
{
	cairn_collection_info info;
	return cairn_collection_get_info(searcher->collection, &info) == 0 && !info.segments;
}

int cn_candidates_find(const cairn_query *query, cairn_search_by by, const cn_exclusion *exclude, size_t depth,
		       cn_candidates *out)
{
	*out = (cn_candidates){ 0 };
	if (is_empty(query->searcher))
		return 0;
	/* Some of the best may be left out. */
	depth += exclude->count + 1;
	switch (by) {
	case CAIRN_BY_GLOBAL:
		return take_best(query, exclude, depth, 0, out);
	case CAIRN_BY_ASMK:
		return take_best(query, exclude, depth, 1, out);
	case CAIRN_BY_FUSED:
		return take_best_of_both(query, exclude, depth, out);
	default:
		return take_everything(query, exclude, out);
	}
}
