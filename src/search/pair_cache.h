/*
 * search/pair_cache.h - the verified pairs of one query, by image id, so that no pair is verified twice.
 */
#ifndef CN_SEARCH_PAIR_CACHE_H
#define CN_SEARCH_PAIR_CACHE_H

#include "cairn/search.h"

/** One verified pair. */
typedef struct {
	int64_t id; /* 0: free place */
	cairn_verification result;
	cairn_match *matches;     /* result.inliers of them */
	cairn_point_pair *points; /* the same, as points */
} cn_pair;

/** Open-addressed hash table; start zeroed. Pointers to pairs stay valid until it is freed. */
typedef struct {
	cn_pair **slots;
	size_t capacity, count;
} cn_pair_cache;

const cn_pair *cn_pair_cache_find(const cn_pair_cache *cache, int64_t id);

/** Give a pair to the cache, which owns it from then on, also on failure. */
int cn_pair_cache_add(cn_pair_cache *cache, cn_pair *pair);
void cn_pair_cache_free(cn_pair_cache *cache);

/** Copy a verification's inliers out of the verifier. */
int cn_pair_new(cn_pair **out, int64_t id, const cairn_verification *result, const cairn_match *matches,
		const cairn_features *query, const cairn_features *image);
void cn_pair_free(cn_pair *pair);

#endif
