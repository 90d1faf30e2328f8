/*
 * Verified pairs of one query: linear probing, grown at half full.
 */
#include "search/pair_cache.h"

#include "util/memory.h"

static size_t slot_of(const cn_pair_cache *cache, int64_t id)
{
	size_t slot = (size_t)((uint64_t)id * 0x9e3779b97f4a7c15u >> 20) & (cache->capacity - 1);
	while (cache->slots[slot] && cache->slots[slot]->id != id)
		slot = (slot + 1) & (cache->capacity - 1);
	return slot;
}

const cn_pair *cn_pair_cache_find(const cn_pair_cache *cache, int64_t id)
{
	return cache->capacity ? cache->slots[slot_of(cache, id)] : NULL;
}

static int grow(cn_pair_cache *cache)
{
	cn_pair_cache larger = { .capacity = cache->capacity ? 2 * cache->capacity : 256, .count = cache->count };
	larger.slots = cn_alloc_zero(larger.capacity, sizeof(*larger.slots));
	if (!larger.slots)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < cache->capacity; i++)
		if (cache->slots[i])
			larger.slots[slot_of(&larger, cache->slots[i]->id)] = cache->slots[i];
	cn_free(cache->slots);
	*cache = larger;
	return 0;
}

int cn_pair_cache_add(cn_pair_cache *cache, cn_pair *pair)
{
	if (2 * (cache->count + 1) > cache->capacity) {
		int status = grow(cache);
		if (status < 0) {
			cn_pair_free(pair);
			return status;
		}
	}
	size_t slot = slot_of(cache, pair->id);
	if (cache->slots[slot])
		cn_pair_free(cache->slots[slot]);
	else
		cache->count++;
	cache->slots[slot] = pair;
	return 0;
}

void cn_pair_cache_free(cn_pair_cache *cache)
{
	for (size_t i = 0; i < cache->capacity; i++)
		cn_pair_free(cache->slots[i]);
	cn_free(cache->slots);
	*cache = (cn_pair_cache){ 0 };
}

int cn_pair_new(cn_pair **out, int64_t id, const cairn_verification *result, const cairn_match *matches,
		const cairn_features *query, const cairn_features *image)
{
	cn_pair *pair;
	CN_NEW(pair, 1, sizeof(*pair));
	pair->id = id;
	pair->result = *result;
	pair->matches = cn_memdup(matches, result->inliers * sizeof(*matches));
	pair->points = cn_alloc(result->inliers, sizeof(*pair->points));
	if (!pair->matches || !pair->points) {
		cn_pair_free(pair);
		return CAIRN_ENOMEM;
	}
	const cairn_keypoint *a = cairn_features_keypoints(query), *b = cairn_features_keypoints(image);
	for (uint32_t i = 0; i < result->inliers; i++)
		pair->points[i] = (cairn_point_pair){ a[matches[i].a].x, a[matches[i].a].y, b[matches[i].b].x,
						      b[matches[i].b].y };
	*out = pair;
	return 0;
}

void cn_pair_free(cn_pair *pair)
{
	if (!pair)
		return;
	cn_free(pair->matches);
	cn_free(pair->points);
	cn_free(pair);
}
