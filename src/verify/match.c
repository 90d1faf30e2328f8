/*
 * Matching on 8-bit codes. Of unit vectors, squared distance is 2 - 2 * cosine, so all tests are on cosines.
 */
#include "verify/match.h"

#include <string.h>

#include "util/memory.h"

static int reserve(cn_nearest **results, size_t *capacity, size_t count)
{
	if (count <= *capacity)
		return 0;
	cn_free(*results);
	*capacity = 0;
	*results = cn_alloc(count, sizeof(**results));
	if (!*results)
		return CAIRN_ENOMEM;
	*capacity = count;
	return 0;
}

void cn_match_scratch_free(cn_match_scratch *scratch)
{
	cn_nearest_scratch_free(&scratch->nearest);
	cn_free(scratch->of_a);
	cn_free(scratch->of_b);
	memset(scratch, 0, sizeof(*scratch));
}

static int find_nearest(const cairn_features *a, const cairn_features *b, cn_match_scratch *scratch)
{
	size_t na = cairn_features_count(a), nb = cairn_features_count(b);
	CN_TRY(reserve(&scratch->of_a, &scratch->capacity_a, na));
	CN_TRY(reserve(&scratch->of_b, &scratch->capacity_b, nb));
	return cn_nearest_both(cairn_features_codes(a), na, cairn_features_codes(b), nb, cairn_features_dim(a),
			       scratch->of_a, scratch->of_b, &scratch->nearest);
}

/* Rounding to codes leaves vectors a little longer or shorter than 1, so the product of equals may be above 1. */
static float cosine_of(float factor, int32_t product)
{
	float cosine = factor * (float)product;
	return cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
}

static int passes_ratio(const cn_nearest *nearest, float factor, float ratio)
{
	if (ratio >= 1 || nearest->second == INT32_MIN)
		return 1;
	float best = 2 - 2 * cosine_of(factor, nearest->product), second = 2 - 2 * cosine_of(factor, nearest->second);
	return best < ratio * ratio * second;
}

static float code_factor(const cairn_features *a, const cairn_features *b)
{
	return cairn_features_code_scale(a) * cairn_features_code_scale(b);
}

int cn_match_mutual(const cairn_features *a, const cairn_features *b, float ratio, float min_similarity,
		    cn_match_scratch *scratch, cairn_match *matches)
{
	CN_TRY(find_nearest(a, b, scratch));
	float factor = code_factor(a, b);
	int count = 0;
	for (size_t i = 0; i < cairn_features_count(a); i++) {
		const cn_nearest *nearest = &scratch->of_a[i];
		float similarity = cosine_of(factor, nearest->product);
		if (nearest->best < 0 || (size_t)scratch->of_b[nearest->best].best != i)
			continue;
		if ((min_similarity > -1 && similarity <= min_similarity) || !passes_ratio(nearest, factor, ratio))
			continue;
		matches[count++] = (cairn_match){ (uint32_t)i, (uint32_t)nearest->best, similarity };
	}
	return count;
}

int cn_match_one_way(const cairn_features *a, const cairn_features *b, float ratio, float max_distance,
		     cn_match_scratch *scratch, cairn_match *matches)
{
	CN_TRY(find_nearest(a, b, scratch));
	float factor = code_factor(a, b), least = 1 - max_distance * max_distance / 2;
	int count = 0;
	for (size_t i = 0; i < cairn_features_count(a); i++) {
		const cn_nearest *nearest = &scratch->of_a[i];
		float similarity = cosine_of(factor, nearest->product);
		if (nearest->best >= 0 && similarity > least && passes_ratio(nearest, factor, ratio))
			matches[count++] = (cairn_match){ (uint32_t)i, (uint32_t)nearest->best, similarity };
	}
	return count;
}
