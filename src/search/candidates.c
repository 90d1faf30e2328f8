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

/* By ASMK, of the selected images. @param also NULL, or ascending ids whose scores are wanted @param[out] scores theirs
 */
static int rank_asmk(const cairn_query *query, size_t depth, const int64_t *also, size_t also_count, float *scores,
		     cairn_ranking **out)
{
	const cairn_searcher *searcher = query->searcher;
	const cn_selection *selection = &searcher->selection;
	const cairn_asmk_index *index;
	const cairn_features *const features[] = { query->features };
	cairn_asmk_search_options how = CAIRN_ASMK_SEARCH_OPTIONS_INIT;
	*out = NULL;
	CN_TRY(cairn_collection_asmk(&index, searcher->collection, searcher->local));
	size_t most = selection->ids ? selection->count : cairn_asmk_index_images(index);
	how.threads = searcher->options.threads;
	how.only = selection->ids;
	how.only_count = selection->count;
	how.also = also;
	how.also_count = also_count;
	how.also_scores = scores;
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
			.inliers = CAIRN_NO_INLIERS,
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
		const cn_candidate candidate = {
			.id = ids[i], .similarity = NAN, .asmk = NAN, .inliers = CAIRN_NO_INLIERS
		};
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
	CN_TRY(is_asmk ? rank_asmk(query, depth, NULL, 0, NULL, &ranking)
		       : rank_global(query, selection->ids, selection->count, depth, &ranking));
	int status = keep_ranking(query, exclude, ranking, is_asmk, out);
	cairn_ranking_free(ranking);
	return status;
}

/* ---- both together ---- */

/* Images with both scores. */
struct both {
	int64_t *ids; /* ascending */
	size_t count;
	float *similarities, *asmk; /* count; 0 where there is none */
};

static void free_both(struct both *both)
{
	cn_free(both->ids);
	cn_free(both->similarities);
	cn_free(both->asmk);
}

/* The ids of a list, ascending, with room for `more` behind them. @param[out] ids caller frees */
static int copy_ids(const cairn_ranking *ranking, size_t more, int64_t **ids)
{
	size_t count = cairn_ranking_count(ranking, 0);
	*ids = cn_alloc(count + more, sizeof(**ids));
	if (!*ids)
		return CAIRN_ENOMEM;
	if (count)
		memcpy(*ids, cairn_ranking_images(ranking, 0), count * sizeof(**ids));
	cn_ids_sort(*ids, count);
	return 0;
}

static void set_score(const struct both *both, int64_t id, float score, float *scores)
{
	size_t at = cn_ids_find(both->ids, both->count, id);
	if (at < both->count && both->ids[at] == id)
		scores[at] = score;
}

static void spread_scores(const struct both *both, const cairn_ranking *ranking, float *scores)
{
	for (size_t i = 0; i < cairn_ranking_count(ranking, 0); i++)
		set_score(both, cairn_ranking_images(ranking, 0)[i], cairn_ranking_scores(ranking, 0)[i], scores);
}

/* The union of two lists. `near` are the ids of the first, and their scores in the second. */
static int join(struct both *both, const cairn_ranking *global, const cairn_ranking *asmk, const int64_t *near,
		const float *near_scores)
{
	size_t near_count = cairn_ranking_count(global, 0), asmk_count = cairn_ranking_count(asmk, 0);
	CN_TRY(copy_ids(global, asmk_count, &both->ids));
	if (asmk_count)
		memcpy(both->ids + near_count, cairn_ranking_images(asmk, 0), asmk_count * sizeof(*both->ids));
	both->count = cn_ids_sort(both->ids, near_count + asmk_count);
	CN_NEW(both->similarities, both->count, sizeof(*both->similarities));
	CN_NEW(both->asmk, both->count, sizeof(*both->asmk));
	for (size_t i = 0; i < near_count; i++)
		set_score(both, near[i], near_scores[i], both->asmk);
	spread_scores(both, asmk, both->asmk);
	return 0;
}

static int find_similarities(const cairn_query *query, struct both *both)
{
	cairn_ranking *ranking;
	if (!both->count)
		return 0;
	CN_TRY(rank_global(query, both->ids, both->count, both->count, &ranking));
	spread_scores(both, ranking, both->similarities);
	cairn_ranking_free(ranking);
	return 0;
}

/* The best of both kinds. ASMK tells the scores of the best by descriptor along with its own best, since most of its
 * time goes into the query's words; descriptors of a few images are soon compared. */
static int find_both(const cairn_query *query, size_t depth, struct both *both)
{
	const cn_selection *selection = &query->searcher->selection;
	cairn_ranking *global = NULL, *asmk = NULL;
	int64_t *near = NULL;
	float *near_scores = NULL;
	int status = 0;
	CN_GOTO(status, rank_global(query, selection->ids, selection->count, depth, &global));
	CN_GOTO(status, copy_ids(global, 0, &near));
	size_t count = cairn_ranking_count(global, 0);
	near_scores = cn_alloc_zero(count, sizeof(*near_scores));
	if (!near_scores)
		CN_GOTO(status, CAIRN_ENOMEM);
	CN_GOTO(status, rank_asmk(query, depth, near, count, near_scores, &asmk));
	CN_GOTO(status, join(both, global, asmk, near, near_scores));
	status = find_similarities(query, both);
done:
	cairn_ranking_free(global);
	cairn_ranking_free(asmk);
	cn_free(near);
	cn_free(near_scores);
	return status;
}

static int by_score(const void *left, const void *right)
{
	const cn_candidate *a = left, *b = right;
	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static int take_best_of_both(const cairn_query *query, const cn_exclusion *exclude, size_t depth, cn_candidates *out)
{
	const cairn_searcher *searcher = query->searcher;
	float weight = isnan(searcher->options.asmk_weight) ? cn_kind_find(searcher->local)->asmk_weight
							    : searcher->options.asmk_weight;
	struct both both = { 0 };
	int status = find_both(query, depth, &both);
	if (status == 0) {
		out->items = cn_alloc(both.count, sizeof(*out->items));
		status = out->items ? 0 : CAIRN_ENOMEM;
	}
	for (size_t i = 0; status == 0 && i < both.count; i++) {
		const cn_candidate candidate = {
			.id = both.ids[i],
			.similarity = both.similarities[i],
			.asmk = both.asmk[i],
			.score = both.similarities[i] + weight * both.asmk[i],
			.inliers = CAIRN_NO_INLIERS,
		};
		keep_candidate(out, query, exclude, &candidate);
	}
	free_both(&both);
	if (status == 0 && out->count > 1)
		qsort(out->items, out->count, sizeof(*out->items), by_score);
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
