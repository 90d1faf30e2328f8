/*
 * Scoring anew. Rows lie all over memory, so the next few are fetched while one is multiplied.
 */
#include "index/rescore.h"

#include <math.h>
#include <stdlib.h>

#include "math/dot.h"

#define AHEAD       4  /* rows fetched before they are scored */
#define LINE        64 /* bytes of the cache */
#define EXACT_SPARE 16

size_t cn_rescore_depth(size_t k, size_t depth, int exact)
{
	if (exact)
		return k + EXACT_SPARE;
	if (depth == 0)
		depth = k + k / 2 + 20;
	return depth < k ? k : depth;
}

static int by_row(const void *left, const void *right)
{
	uint32_t a = ((const cn_hit *)left)->row, b = ((const cn_hit *)right)->row;
	return (a > b) - (a < b);
}

static void fetch(const cn_row_parts *parts, uint32_t row)
{
	const char *at = (const char *)cn_row_parts_half(parts, row);
	for (size_t i = 0; i < parts->dim * sizeof(uint16_t); i += LINE)
		__builtin_prefetch(at + i);
}

static float score_image(const cn_row_parts *parts, const float *vectors, size_t count, uint32_t row)
{
	const cn_row_part *part = cn_row_parts_find(parts, row);
	const int64_t *images = part->data.images;
	size_t begin = row - part->first, end = begin + 1;
	float best = -INFINITY;
	if (parts->rows_an_image > 1) {
		while (begin > 0 && images[begin - 1] == images[row - part->first])
			begin--;
		while (end < part->data.count && images[end] == images[row - part->first])
			end++;
	}
	for (size_t i = begin; i < end; i++)
		for (size_t v = 0; v < count; v++) {
			float score =
				cn_dot_half(vectors + v * parts->dim, part->data.rows + i * parts->dim, parts->dim);
			best = score > best ? score : best;
		}
	return best;
}

size_t cn_rescore(const cn_row_parts *parts, const float *vectors, size_t count, cn_hit *hits, size_t hit_count)
{
	size_t left = 0;
	uint32_t before = 0;
	if (hit_count > 1)
		qsort(hits, hit_count, sizeof(*hits), by_row);
	for (size_t i = 0; i < hit_count; i++) {
		uint32_t row = hits[i].row;
		int is_known = i && parts->rows_an_image > 1 && cn_row_parts_same_image(parts, before, row);
		if (i + AHEAD < hit_count)
			fetch(parts, hits[i + AHEAD].row);
		before = row;
		if (is_known)
			continue;
		hits[left] = (cn_hit){ score_image(parts, vectors, count, row), row };
		left += hits[left].score > -INFINITY;
	}
	return left;
}
