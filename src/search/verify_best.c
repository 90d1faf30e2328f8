/*
 * Verification of the best candidates, in parallel. What a query has verified once it keeps.
 */
#include "search/search.h"
#include "util/memory.h"
#include "util/progress.h"

/* The candidates of one query being verified; found[i] belongs to candidate i. */
struct verifying {
	const cairn_query *query;
	const cn_candidate *candidates;
	cn_pair **found;
	cn_progress progress;
};

static int verify_one(const struct verifying *work, size_t i, cairn_verifier *verifier)
{
	const cairn_searcher *searcher = work->query->searcher;
	cairn_features *features;
	cairn_verification result;
	const cairn_match *inliers;
	int64_t id = work->candidates[i].id;
	CN_TRY(cairn_collection_features(searcher->collection, id, searcher->local, &features));
	int status = 0;
	if (cairn_features_count(work->query->features) && cairn_features_count(features)) {
		status = cairn_verify(verifier, work->query->features, features, &result, &inliers);
	} else {
		result = (cairn_verification){ 0 };
		inliers = NULL;
	}
	if (status == 0)
		status = cn_pair_new(&work->found[i], id, &result, inliers, work->query->features, features);
	cairn_features_free(features);
	return status;
}

static int verify_range(void *context, size_t begin, size_t end, unsigned worker)
{
	struct verifying *work = context;
	for (size_t i = begin; i < end; i++) {
		if (cn_pair_cache_find(&work->query->pairs, work->candidates[i].id))
			continue;
		CN_TRY(verify_one(work, i, work->query->searcher->verifiers[worker]));
		CN_TRY(cn_progress_add(&work->progress, 1, 0));
	}
	return 0;
}

static int verify_new(struct verifying *work, size_t depth)
{
	const cairn_searcher *searcher = work->query->searcher;
	const cairn_search_options *options = &searcher->options;
	uint64_t total = 0;
	for (size_t i = 0; i < depth; i++)
		total += !cn_pair_cache_find(&work->query->pairs, work->candidates[i].id);
	if (total == 0)
		return 0;
	cn_progress_start(&work->progress, options->progress, options->progress_payload, "verifying", total);
	int status = cn_parallel_for(searcher->pool, depth, 1, verify_range, work);
	cn_progress_end(&work->progress);
	return status;
}

int cn_verify_best(cairn_query *query, cn_candidates *candidates, size_t depth)
{
	struct verifying work = { .query = query, .candidates = candidates->items };
	CN_NEW(work.found, depth, sizeof(*work.found));
	int status = verify_new(&work, depth);
	/* What was verified before a failure is kept: it need not be done again. */
	for (size_t i = 0; i < depth; i++) {
		int added = work.found[i] ? cn_pair_cache_add(&query->pairs, work.found[i]) : 0;
		if (status == 0)
			status = added;
	}
	for (size_t i = 0; status == 0 && i < depth; i++) {
		cn_candidate *candidate = &candidates->items[i];
		candidate->pair = cn_pair_cache_find(&query->pairs, candidate->id);
		candidate->inliers = (int32_t)candidate->pair->result.inliers;
	}
	cn_free(work.found);
	return status;
}
