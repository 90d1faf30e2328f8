/*
 * Images of numbered rows.
 */
#include "index/image_rows.h"

#include "math/half.h"
#include "util/bits.h"
#include "util/memory.h"

static int check_order(const cn_row_parts *parts)
{
	int64_t last = -1;
	for (size_t p = 0; p < parts->count; p++) {
		const cairn_index_part *part = &parts->items[p].data;
		if (part->count == 0)
			continue;
		if (part->images[0] <= last)
			return cn_fail(
				CAIRN_EINVALID,
				"part %zu of the index begins with image %lld, a part before it ends with %lld: ids "
				"must ascend from part to part",
				p, (long long)part->images[0], (long long)last);
		last = part->images[part->count - 1];
	}
	return 0;
}

static int counts(const uint64_t *live, size_t row)
{
	return !live || cn_bit(live, row);
}

static void take_part(cn_image_rows *images, const cn_row_part *part)
{
	for (size_t i = 0; i < part->data.count; i++) {
		size_t row = part->first + i;
		if (!counts(images->live, row))
			continue;
		if (i == 0 || part->data.images[i] != part->data.images[i - 1]) {
			images->ids[images->count] = part->data.images[i];
			images->first[images->count++] = (uint32_t)row;
		}
		images->image[row] = (uint32_t)(images->count - 1);
	}
}

int cn_image_rows_init(cn_image_rows *out, const cn_row_parts *parts, const uint64_t *live)
{
	*out = (cn_image_rows){ .parts = parts, .live = live };
	CN_TRY(check_order(parts));
	out->ids = cn_alloc(parts->rows, sizeof(*out->ids));
	out->first = cn_alloc(parts->rows, sizeof(*out->first));
	out->image = cn_alloc_zero(parts->numbers, sizeof(*out->image));
	if (!out->ids || !out->first || !out->image) {
		cn_image_rows_free(out);
		return CAIRN_ENOMEM;
	}
	for (size_t p = 0; p < parts->count; p++)
		take_part(out, &parts->items[p]);
	return 0;
}

void cn_image_rows_free(cn_image_rows *images)
{
	cn_free(images->ids);
	cn_free(images->first);
	cn_free(images->image);
	*images = (cn_image_rows){ 0 };
}

size_t cn_image_rows_of(const cn_image_rows *images, size_t image)
{
	if (images->parts->rows_an_image == 1)
		return 1;
	const cn_row_part *part = cn_row_parts_find(images->parts, images->first[image]);
	size_t begin = images->first[image] - part->first, end = begin + 1;
	while (end < part->data.count && part->data.images[end] == images->ids[image])
		end++;
	return end - begin;
}

void cn_image_rows_read(const cn_image_rows *images, size_t image, float *vectors)
{
	cn_halves_to_floats(cn_row_parts_half(images->parts, images->first[image]),
			    cn_image_rows_of(images, image) * images->parts->dim, vectors);
}
