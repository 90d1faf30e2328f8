/*
 * From an image's id to its first row. Who re-ranks asks for many rows that lie far from each other, so the next row is
 * called from memory while one is converted.
 */
#include "index/vectors.h"

#include "index/index.h"
#include "math/half.h"
#include "util/bits.h"
#include "util/ids.h"

#define CACHE_LINE 64 /* bytes */

/* Where the id would stand if ids were spread evenly, as those of a collection nearly are. */
static size_t guess(const cairn_index_part *part, int64_t image)
{
	double first = (double)part->images[0], last = (double)part->images[part->count - 1];
	if (!(last > first))
		return 0;
	double share = ((double)image - first) / (last - first);
	size_t at = share > 0 ? (size_t)(share * (double)(part->count - 1)) : 0;
	return at < part->count ? at : part->count - 1;
}

/* The first row that is not below the image, looked for in twice as far steps from the guess. */
static size_t find_row(const cairn_index_part *part, int64_t image)
{
	size_t at = guess(part, image), begin = at, end = at;
	for (size_t step = 1; begin > 0 && part->images[begin] >= image; step *= 2)
		begin = begin > step ? begin - step : 0;
	for (size_t step = 1; end < part->count && part->images[end] < image; step *= 2)
		end = part->count - end > step ? end + step : part->count;
	return begin + cn_ids_find(part->images + begin, end - begin, image);
}

static const uint16_t *row_in_part(const cn_row_parts *parts, const cn_row_part *part, int64_t image,
				   const uint64_t *live)
{
	const cairn_index_part *data = &part->data;
	if (!data->count || image < data->images[0] || image > data->images[data->count - 1])
		return NULL;
	size_t row = find_row(data, image);
	if (data->images[row] != image || (live && !cn_bit(live, part->first + row)))
		return NULL;
	return data->rows + row * parts->dim;
}

/* The last part that does not begin behind the image, of those that hold rows. */
static const cn_row_part *find_part(const cn_row_parts *parts, int64_t image)
{
	size_t begin = 0, end = parts->count;
	while (begin < end) {
		size_t middle = begin + (end - begin) / 2;
		const cairn_index_part *part = &parts->items[middle].data;
		if (!part->count || part->images[0] <= image)
			begin = middle + 1;
		else
			end = middle;
	}
	return begin ? &parts->items[begin - 1] : NULL;
}

static const uint16_t *row_of(const cairn_index *index, int64_t image)
{
	const cn_row_parts *parts = &index->parts;
	if (!parts->shared) {
		const cn_row_part *part = find_part(parts, image);
		return part ? row_in_part(parts, part, image, index->live) : NULL;
	}
	for (size_t p = 0; p < parts->count; p++) {
		const uint16_t *row = row_in_part(parts, &parts->items[p], image, index->live);
		if (row)
			return row;
	}
	return NULL;
}

static void call_from_memory(const uint16_t *row, size_t dim)
{
	for (size_t i = 0; i < dim; i += CACHE_LINE / sizeof(*row))
		__builtin_prefetch(row + i);
}

static int find(const cairn_index *index, int64_t image, const uint16_t **row)
{
	*row = row_of(index, image);
	if (*row)
		return 0;
	return cn_fail(CAIRN_ENOTFOUND, "image %lld is not in the index, or was removed from it", (long long)image);
}

static int get_from_index(const cn_vectors *self, const int64_t *images, size_t count, float *out)
{
	const cairn_index *index = self->source;
	const uint16_t *row, *next = NULL;
	if (count)
		CN_TRY(find(index, images[0], &next));
	for (size_t i = 0; i < count; i++, out += self->dim) {
		row = next;
		if (i + 1 < count) {
			CN_TRY(find(index, images[i + 1], &next));
			call_from_memory(next, self->dim);
		}
		cn_halves_to_floats(row, self->dim, out);
	}
	return 0;
}

cn_vectors cn_vectors_of_index(const cairn_index *index)
{
	return (cn_vectors){
		.dim = index->parts.dim, .get = get_from_index, .source = index, .count = index->parts.rows
	};
}
