/*
 * Numbered rows, and which of them count.
 */
#include "index/row_parts.h"

#include <stdlib.h>
#include <string.h>

#include "util/bits.h"
#include "util/ids.h"
#include "util/memory.h"

/* ---- images with several rows ---- */

static size_t longest_run(const int64_t *ids, size_t count)
{
	size_t longest = 1, run = 1;
	for (size_t i = 1; i < count; i++) {
		run = ids[i] == ids[i - 1] ? run + 1 : 1;
		longest = run > longest ? run : longest;
	}
	return longest;
}

static int count_rows_an_image(cn_row_parts *parts)
{
	parts->rows_an_image = 1;
	if (!parts->shared) {
		for (size_t i = 0; i < parts->count; i++) {
			size_t longest = longest_run(parts->items[i].data.images, parts->items[i].data.count);
			parts->rows_an_image = longest > parts->rows_an_image ? longest : parts->rows_an_image;
		}
		return 0;
	}
	int64_t *ids = cn_alloc(parts->rows, sizeof(*ids));
	size_t count = 0;
	if (!ids)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < parts->count; i++) {
		const cairn_index_part *part = &parts->items[i].data;
		if (part->count)
			memcpy(ids + count, part->images, part->count * sizeof(*ids));
		count += part->count;
	}
	qsort(ids, count, sizeof(*ids), cn_ids_compare);
	parts->rows_an_image = longest_run(ids, count);
	cn_free(ids);
	return 0;
}

/* ---- making ---- */

static int check_part(const cairn_index_part *part, size_t number)
{
	if (part->count && (!part->rows || !part->images || !part->codes != !part->scales))
		return cn_fail(CAIRN_EINVALID, "part %zu of the index lacks rows, image ids, or codes or scales alone",
			       number);
	if (part->count > UINT32_MAX)
		return cn_fail(CAIRN_ELIMIT, "part %zu of the index has %zu rows; an index has %u at most", number,
			       part->count, UINT32_MAX);
	for (size_t i = 0; i < part->count; i++)
		if (part->images[i] < 0 || (i && part->images[i] < part->images[i - 1]))
			return cn_fail(CAIRN_EINVALID,
				       "part %zu of the index: image id %lld of row %zu is negative or out of order",
				       number, (long long)part->images[i], i);
	return 0;
}

static int64_t first_id(const cairn_index_part *part)
{
	return part->count ? part->images[0] : -1;
}

static int by_first_id(const void *left, const void *right)
{
	int64_t a = first_id(&((const cn_row_part *)left)->data), b = first_id(&((const cn_row_part *)right)->data);
	return (a > b) - (a < b);
}

/* Parts of images that are in no other part follow each other, as mostly a glance at their ends tells. */
static int number_rows(cn_row_parts *parts)
{
	int64_t last = -1;
	if (parts->count > 1)
		qsort(parts->items, parts->count, sizeof(*parts->items), by_first_id);
	for (size_t i = 0; i < parts->count; i++) {
		const cairn_index_part *part = &parts->items[i].data;
		parts->items[i].first = parts->numbers;
		parts->rows += part->count;
		parts->numbers += (part->count + CN_BITS_WORD - 1) / CN_BITS_WORD * CN_BITS_WORD;
		if (parts->numbers > UINT32_MAX)
			return cn_fail(CAIRN_ELIMIT, "an index of more than %u rows", UINT32_MAX);
		if (part->count == 0)
			continue;
		parts->shared |= part->images[0] <= last;
		last = part->images[part->count - 1];
	}
	return 0;
}

int cn_row_parts_init(cn_row_parts *out, size_t dim, const cairn_index_part *parts, size_t n)
{
	int status = 0;
	*out = (cn_row_parts){ .dim = dim, .count = n, .has_codes = 1 };
	out->items = cn_alloc(n, sizeof(*out->items));
	if (!out->items)
		return CAIRN_ENOMEM;
	for (size_t i = 0; status == 0 && i < n; i++) {
		out->items[i] = (cn_row_part){ .data = parts[i], .given = i };
		out->has_codes &= !parts[i].count || parts[i].codes;
		status = check_part(&parts[i], i);
	}
	if (status == 0)
		status = number_rows(out);
	if (status == 0)
		status = count_rows_an_image(out);
	if (status < 0)
		cn_row_parts_free(out);
	return status;
}

void cn_row_parts_free(cn_row_parts *parts)
{
	cn_free(parts->items);
	*parts = (cn_row_parts){ 0 };
}

/* ---- asking ---- */

const cn_row_part *cn_row_parts_find(const cn_row_parts *parts, uint32_t row)
{
	size_t low = 0, high = parts->count - 1;
	while (low < high) {
		size_t middle = low + (high - low + 1) / 2;
		if (parts->items[middle].first <= row)
			low = middle;
		else
			high = middle - 1;
	}
	return &parts->items[low];
}

const uint16_t *cn_row_parts_half(const cn_row_parts *parts, uint32_t row)
{
	const cn_row_part *part = cn_row_parts_find(parts, row);
	return part->data.rows + (row - part->first) * parts->dim;
}

cn_rows cn_row_part_rows(const cn_row_part *part, size_t begin, size_t count, size_t dim, int exact)
{
	cn_rows rows = { .count = count, .first = (uint32_t)(part->first + begin) };
	if (exact) {
		rows.stored = CN_ROWS_F16;
		rows.rows = part->data.rows + begin * dim;
	} else {
		rows.stored = CN_ROWS_I8;
		rows.rows = part->data.codes + begin * dim;
		rows.scales = part->data.scales + begin;
	}
	return rows;
}

int cn_row_parts_same_image(const cn_row_parts *parts, uint32_t a, uint32_t b)
{
	const cn_row_part *part = cn_row_parts_find(parts, a);
	return part == cn_row_parts_find(parts, b) &&
	       part->data.images[a - part->first] == part->data.images[b - part->first];
}

/* ---- bitmaps ---- */

static void put_bit(uint64_t *bits, size_t at, int value)
{
	if (value)
		cn_bit_set(bits, at);
	else
		cn_bit_clear(bits, at);
}

/* Sets the bits of these images' rows to `value`. */
static void mark(const cn_row_parts *parts, const int64_t *ids, size_t count, int value, uint64_t *bits)
{
	for (size_t p = 0; p < parts->count; p++) {
		const cairn_index_part *part = &parts->items[p].data;
		if (part->count == 0)
			continue;
		size_t at = cn_ids_find(ids, count, part->images[0]), row = 0;
		for (; at < count && ids[at] <= part->images[part->count - 1]; at++) {
			row += cn_ids_find(part->images + row, part->count - row, ids[at]);
			for (; row < part->count && part->images[row] == ids[at]; row++)
				put_bit(bits, parts->items[p].first + row, value);
		}
	}
}

int cn_row_parts_without(const cn_row_parts *parts, const int64_t *ids, size_t count, uint64_t **live)
{
	*live = NULL;
	CN_TRY(cn_ids_ascend(ids, count, "image"));
	if (count == 0)
		return 0;
	*live = cn_alloc_zero(parts->numbers / CN_BITS_WORD, sizeof(**live));
	if (!*live)
		return CAIRN_ENOMEM;
	for (size_t p = 0; p < parts->count; p++)
		for (size_t row = 0; row < parts->items[p].data.count; row++)
			cn_bit_set(*live, parts->items[p].first + row);
	mark(parts, ids, count, 0, *live);
	return 0;
}

int cn_row_parts_only(const cn_row_parts *parts, const int64_t *ids, size_t count, const uint64_t *among,
		      uint64_t **live)
{
	*live = NULL;
	CN_TRY(cn_ids_ascend(ids, count, "image"));
	*live = cn_alloc_zero(parts->numbers / CN_BITS_WORD, sizeof(**live));
	if (!*live)
		return CAIRN_ENOMEM;
	mark(parts, ids, count, 1, *live);
	for (size_t i = 0; among && i < parts->numbers / CN_BITS_WORD; i++)
		(*live)[i] &= among[i];
	return 0;
}

size_t cn_row_parts_live(const cn_row_parts *parts, const uint64_t *live)
{
	size_t count = 0;
	if (!live)
		return parts->rows;
	for (size_t i = 0; i < parts->numbers / CN_BITS_WORD; i++)
		count += (size_t)__builtin_popcountll(live[i]);
	return count;
}
