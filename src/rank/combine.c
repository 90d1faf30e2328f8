/*
 * Weighted sums of neighbours. They are summed in the order of their ids, which makes repeats stand side by side, the
 * sum independent of the order of neighbours with equal weights, and rows come in the order in which they lie.
 */
#include "rank/combine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/dispatch.h"
#include "math/dot.h"
#include "util/memory.h"

#define AT_ONCE 16 /* rows, so that they stay in the first cache */
/* A sum this small against the weights together is what rounding rows to half precision leaves. */
#define VANISHES 1e-3

int cn_weighting_init(cn_weighting *out, cairn_neighbour_weights rule, size_t neighbours, double alpha)
{
	static const size_t usual[] = {
		[CAIRN_WEIGHTS_AVERAGE] = 10, [CAIRN_WEIGHTS_DECAY] = 20, [CAIRN_WEIGHTS_ALPHA] = 50
	};
	if ((unsigned)rule > CAIRN_WEIGHTS_ALPHA)
		return cn_fail(CAIRN_EINVALID, "weights of neighbours of kind %d; there are 0 to %d", (int)rule,
			       CAIRN_WEIGHTS_ALPHA);
	if (neighbours > CAIRN_MOST_NEIGHBOURS)
		return cn_fail(CAIRN_EINVALID, "%zu neighbours; %d are possible", neighbours, CAIRN_MOST_NEIGHBOURS);
	if (!(alpha >= 0 && isfinite(alpha)))
		return cn_fail(CAIRN_EINVALID, "an alpha of %g; it is a power of similarities, from 0 on", alpha);
	*out = (cn_weighting){ rule, neighbours ? neighbours : usual[rule], alpha };
	return 0;
}

int cn_combination_init(cn_combination *out, size_t capacity, size_t dim)
{
	size_t numbers;
	*out = (cn_combination){ .capacity = capacity, .dim = dim };
	CN_TRY(cn_size_mul(AT_ONCE, dim, &numbers));
	out->items = cn_alloc(capacity, sizeof(*out->items));
	out->rows = cn_alloc(numbers, sizeof(*out->rows));
	out->sum = cn_alloc(dim, sizeof(*out->sum));
	if (out->items && out->rows && out->sum)
		return 0;
	cn_combination_free(out);
	return CAIRN_ENOMEM;
}

void cn_combination_free(cn_combination *combination)
{
	cn_free(combination->items);
	cn_free(combination->rows);
	cn_free(combination->sum);
	*combination = (cn_combination){ 0 };
}

/* ---- neighbours ---- */

void cn_combination_start(cn_combination *combination, const cn_weighting *weighting, const int64_t *images,
			  const float *similarities, size_t count, int64_t self)
{
	uint32_t rank = 0;
	combination->count = 0;
	for (size_t i = 0; i < count && rank < weighting->neighbours; i++) {
		if (images[i] < 0 || images[i] == self)
			continue;
		combination->items[combination->count++] =
			(cn_neighbour){ .image = images[i], .rank = ++rank, .similarity = similarities[i] };
	}
}

void cn_combination_add_verified(cn_combination *combination, const int64_t *images, const float *inliers, size_t count,
				 float least)
{
	for (size_t i = 0; i < count; i++)
		if (images[i] >= 0 && inliers[i] > least)
			combination->items[combination->count++] = (cn_neighbour){ .image = images[i], .verified = 1 };
}

/* Of repeats the first rank stands first, and none last. */
static int by_image(const void *left, const void *right)
{
	const cn_neighbour *a = left, *b = right;
	if (a->image != b->image)
		return a->image < b->image ? -1 : 1;
	uint32_t rank_a = a->rank - 1, rank_b = b->rank - 1;
	return (rank_a > rank_b) - (rank_a < rank_b);
}

static void join_repeats(cn_combination *combination)
{
	cn_neighbour *items = combination->items;
	size_t kept = 0;
	if (combination->count > 1)
		qsort(items, combination->count, sizeof(*items), by_image);
	for (size_t i = 0; i < combination->count; i++) {
		if (kept && items[kept - 1].image == items[i].image)
			items[kept - 1].verified |= items[i].verified;
		else
			items[kept++] = items[i];
	}
	combination->count = kept;
}

static double power_of(float similarity, double alpha)
{
	if (isnan(similarity))
		return NAN;
	return similarity > 0 ? pow((double)similarity, alpha) : 0;
}

static double weight_of(const cn_neighbour *neighbour, const cn_weighting *weighting)
{
	double n = (double)weighting->neighbours;
	switch (weighting->rule) {
	case CAIRN_WEIGHTS_DECAY:
		return neighbour->verified ? 1 : (n - neighbour->rank) / n;
	case CAIRN_WEIGHTS_ALPHA:
		return power_of(neighbour->similarity, weighting->alpha);
	default:
		return 1;
	}
}

static int follows_from_vectors(const cn_neighbour *neighbour, const cn_weighting *weighting)
{
	return weighting->rule == CAIRN_WEIGHTS_ALPHA && neighbour->rank == 0;
}

int cn_combination_weigh(cn_combination *combination, const cn_weighting *weighting)
{
	cn_neighbour *items = combination->items;
	size_t kept = 0;
	join_repeats(combination);
	for (size_t i = 0; i < combination->count; i++) {
		cn_neighbour item = items[i];
		item.weight = NAN;
		if (!follows_from_vectors(&item, weighting)) {
			item.weight = (float)weight_of(&item, weighting);
			if (!isfinite(item.weight))
				return cn_fail(CAIRN_EINVALID,
					       "image %lld has no finite weight: its similarity is %g, alpha %g",
					       (long long)item.image, (double)item.similarity, weighting->alpha);
		}
		if (item.weight != 0)
			items[kept++] = item;
	}
	combination->count = kept;
	return 0;
}

/* ---- sums ---- */

CN_INLINE void add_row_(float *sum, const float *row, float weight, size_t dim)
{
	for (size_t i = 0; i < dim; i++)
		sum[i] += weight * row[i];
}

CN_DEFINE_FORMS(add_row, add_row_, (float *sum, const float *row, float weight, size_t dim), (sum, row, weight, dim))

/* @param total adds up the weights */
static int add_some(cn_combination *combination, const cn_weighting *weighting, const cn_vectors *vectors,
		    const float *own, size_t begin, size_t count, double *total)
{
	const cn_neighbour *items = combination->items + begin;
	int64_t images[AT_ONCE];
	for (size_t i = 0; i < count; i++)
		images[i] = items[i].image;
	CN_TRY(vectors->get(vectors, images, count, combination->rows));
	for (size_t i = 0; i < count; i++) {
		const float *row = combination->rows + i * combination->dim;
		float weight = items[i].weight;
		if (isnan(weight))
			weight = (float)power_of(cn_dot(own, row, combination->dim), weighting->alpha);
		add_row(combination->sum, row, weight, combination->dim);
		*total += (double)weight;
	}
	return 0;
}

int cn_combination_sum(cn_combination *combination, const cn_weighting *weighting, const cn_vectors *vectors,
		       const float *own, float *out)
{
	size_t bytes = combination->dim * sizeof(*own);
	double total = 1;
	memcpy(combination->sum, own, bytes);
	for (size_t begin = 0; begin < combination->count; begin += AT_ONCE) {
		size_t left = combination->count - begin;
		CN_TRY(add_some(combination, weighting, vectors, own, begin, left < AT_ONCE ? left : AT_ONCE, &total));
	}
	float norm = cn_norm(combination->sum, combination->dim);
	if (!isfinite(norm))
		return cn_fail(CAIRN_EINVALID, "the sum of neighbours is not finite: weights add up to %g", total);
	if ((double)norm <= VANISHES * total)
		memcpy(combination->sum, own, bytes);
	cn_normalise(combination->sum, combination->dim);
	memcpy(out, combination->sum, bytes);
	return 0;
}
