/*
 * Rows are fetched a few ahead, since most of the time would be spent on waiting for memory.
 */
#include "index/rescore.h"

#include <math.h>
#include <stdlib.h>

#include "math/dot.h"

#define AHEAD       8  /* rows */
#define LINE        64 /* bytes of the cache */
#define EXACT_SPARE 16 /* images kept beyond k, since sums differ in their last bits */

size_t cn_images_to_keep(size_t k, size_t depth, cn_scanned scanned)
{
	if (scanned == CN_SCANNED_HALVES)
		return k + EXACT_SPARE;
	if (depth)
		return depth < k ? k : depth;
	return scanned == CN_SCANNED_RESIDUALS ? k + k / 4 + 2 : k + k / 2 + 20;
}

size_t cn_rows_to_keep(const cn_row_parts *parts, size_t images)
{
	size_t rows = parts->rows ? parts->rows : 1;
	return images < rows / parts->rows_an_image ? images * parts->rows_an_image : rows;
}

static int by_row(const void *left, const void *right)
{
	uint32_t a = ((const cn_scored_row *)left)->row, b = ((const cn_scored_row *)right)->row;
	return (a > b) - (a < b);
}

static int by_image(const void *left, const void *right)
{
	const cn_found *a = left, *b = right;
	if (a->image != b->image)
		return a->image < b->image ? -1 : 1;
	return (a->score < b->score) - (a->score > b->score);
}

static int best_first(const void *left, const void *right)
{
	const cn_found *a = left, *b = right;
	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	return (a->image > b->image) - (a->image < b->image);
}

static void fetch(const cn_row_parts *parts, uint32_t row)
{
	const char *at = (const char *)cn_row_parts_half(parts, row);
	for (size_t i = 0; i < parts->dim * sizeof(uint16_t); i += LINE)
		__builtin_prefetch(at + i);
}

/* The image of `row` with the score of its best row in this part. */
static cn_found score_image(const cn_row_parts *parts, const float *vectors, size_t count, uint32_t row)
{
	const cn_row_part *part = cn_row_parts_find(parts, row);
	const int64_t *images = part->data.images;
	size_t begin = row - part->first, end = begin + 1;
	cn_found found = { -INFINITY, row, images[begin] };
	if (parts->rows_an_image > 1) {
		while (begin > 0 && images[begin - 1] == found.image)
			begin--;
		while (end < part->data.count && images[end] == found.image)
			end++;
	}
	for (size_t i = begin; i < end; i++)
		for (size_t v = 0; v < count; v++) {
			float score =
				cn_dot_half(vectors + v * parts->dim, part->data.rows + i * parts->dim, parts->dim);
			found.score = score > found.score ? score : found.score;
		}
	return found;
}

/* Images with rows in several parts: the best counts. */
static size_t drop_duplicates(cn_found *found, size_t count)
{
	size_t kept = 0;
	if (count > 1)
		qsort(found, count, sizeof(*found), by_image);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || found[i].image != found[kept - 1].image)
			found[kept++] = found[i];
	return kept;
}

static uint32_t row_of(const cn_shortlist *list, size_t i)
{
	return list->items[i].row;
}

size_t cn_rescore(const cn_row_parts *parts, const float *vectors, size_t count, cn_shortlist *list, cn_found *found)
{
	size_t many = 0;
	int several = parts->rows_an_image > 1;
	cn_shortlist_cut(list);
	if (several && list->count > 1)
		qsort(list->items, list->count, sizeof(*list->items), by_row);
	for (size_t i = 0; i < list->count && i < AHEAD; i++)
		fetch(parts, row_of(list, i));
	for (size_t i = 0; i < list->count; i++) {
		if (i + AHEAD < list->count)
			fetch(parts, row_of(list, i + AHEAD));
		if (several && i && cn_row_parts_same_image(parts, row_of(list, i - 1), row_of(list, i)))
			continue;
		found[many] = score_image(parts, vectors, count, row_of(list, i));
		many += found[many].score > -INFINITY;
	}
	if (parts->shared)
		many = drop_duplicates(found, many);
	if (many > 1)
		qsort(found, many, sizeof(*found), best_first);
	return many;
}
