/*
 * A ranking: two matrices of queries x depth, and how much of each row is used.
 */
#include "cairn/ranking.h"

#include <math.h>

#include "util/memory.h"

struct cairn_ranking {
	size_t queries, depth;
	size_t *counts;  /* queries */
	int64_t *images; /* queries x depth, as the next */
	float *scores;
};

int cairn_ranking_new(cairn_ranking **out, size_t queries, size_t depth)
{
	cairn_ranking *ranking;
	size_t places;

	*out = NULL;
	if (queries < 1 || depth < 1 || depth > INT32_MAX)
		return cn_fail(CAIRN_EINVALID,
			       "a ranking of %zu queries and depth %zu; both must be at least 1, depth at most %d",
			       queries, depth, INT32_MAX);
	CN_TRY(cn_size_mul(queries, depth, &places));
	CN_NEW(ranking, 1, sizeof(*ranking));
	ranking->queries = queries;
	ranking->depth = depth;
	ranking->counts = cn_alloc_zero(queries, sizeof(*ranking->counts));
	ranking->images = cn_alloc(places, sizeof(*ranking->images));
	ranking->scores = cn_alloc(places, sizeof(*ranking->scores));
	if (!ranking->counts || !ranking->images || !ranking->scores) {
		cairn_ranking_free(ranking);
		return CAIRN_ENOMEM;
	}
	for (size_t i = 0; i < places; i++) {
		ranking->images[i] = CAIRN_NO_IMAGE;
		ranking->scores[i] = -INFINITY;
	}
	*out = ranking;
	return 0;
}

void cairn_ranking_free(cairn_ranking *ranking)
{
	if (!ranking)
		return;
	cn_free(ranking->counts);
	cn_free(ranking->images);
	cn_free(ranking->scores);
	cn_free(ranking);
}

size_t cairn_ranking_queries(const cairn_ranking *ranking)
{
	return ranking->queries;
}

size_t cairn_ranking_depth(const cairn_ranking *ranking)
{
	return ranking->depth;
}

size_t cairn_ranking_count(const cairn_ranking *ranking, size_t query)
{
	return ranking->counts[query];
}

const int64_t *cairn_ranking_images(const cairn_ranking *ranking, size_t query)
{
	return ranking->images + query * ranking->depth;
}

const float *cairn_ranking_scores(const cairn_ranking *ranking, size_t query)
{
	return ranking->scores + query * ranking->depth;
}

int cairn_ranking_set(cairn_ranking *ranking, size_t query, size_t rank, int64_t image, float score)
{
	size_t place;

	if (query >= ranking->queries || rank >= ranking->depth)
		return cn_fail(CAIRN_EINVALID, "query %zu, rank %zu is outside a ranking of %zu queries and depth %zu",
			       query, rank, ranking->queries, ranking->depth);
	if (image < 0)
		return cn_fail(CAIRN_EINVALID, "image id %lld in a ranking; ids are not negative", (long long)image);
	if (isnan(score))
		return cn_fail(CAIRN_EINVALID, "the score of image %lld in a ranking is not a number",
			       (long long)image);
	place = query * ranking->depth + rank;
	ranking->images[place] = image;
	ranking->scores[place] = score;
	if (rank >= ranking->counts[query])
		ranking->counts[query] = rank + 1;
	return 0;
}
