/*
 * Peaks: sorted by score with a radix sort, and described.
 */
#include "local/peaks.h"

#include <string.h>

#include "math/dot.h"
#include "util/memory.h"

/* Four passes: an even number leaves the sorted array where it was. */
#define RADIX_BITS 8
#define RADIX_MASK ((1u << RADIX_BITS) - 1)

int cn_peaks_make_room(cn_peaks *peaks, size_t more)
{
	if (peaks->count + more <= peaks->room)
		return 0;
	size_t room = 2 * (peaks->count + more);
	cn_peak *grown = cn_realloc(peaks->items, room, sizeof(*grown));
	if (!grown)
		return CAIRN_ENOMEM;
	peaks->items = grown;
	peaks->room = room;
	return 0;
}

/* The order of positive scores, reversed, as that of unsigned integers. */
static uint32_t sort_key(const cn_peak *peak)
{
	uint32_t bits;
	memcpy(&bits, &peak->score, sizeof(bits));
	return ~bits;
}

/* Best score first. A radix sort keeps the order of equals, which is that of reading. */
static void sort_by_score(cn_peak *peaks, cn_peak *scratch, size_t count)
{
	for (unsigned shift = 0; shift < 32; shift += RADIX_BITS) {
		size_t start[1 << RADIX_BITS] = { 0 }, sum = 0;
		for (size_t i = 0; i < count; i++)
			start[sort_key(&peaks[i]) >> shift & RADIX_MASK]++;
		for (size_t digit = 0; digit <= RADIX_MASK; digit++) {
			size_t here = start[digit];
			start[digit] = sum;
			sum += here;
		}
		for (size_t i = 0; i < count; i++)
			scratch[start[sort_key(&peaks[i]) >> shift & RADIX_MASK]++] = peaks[i];
		cn_peak *sorted = scratch;
		scratch = peaks;
		peaks = sorted;
	}
}

int cn_peaks_describe(cn_peaks *peaks, uint32_t max_points, const cn_map *descriptors, float step_x, float step_y,
		      cn_points *points)
{
	size_t plane = cn_map_positions(descriptors), count = peaks->count;
	if (count == 0)
		return cn_points_new(points, 0, (uint32_t)descriptors->channels);
	/* The second half is for sorting. */
	CN_TRY(cn_peaks_make_room(peaks, count));
	sort_by_score(peaks->items, peaks->items + count, count);
	CN_TRY(cn_points_new(points, count < max_points ? count : max_points, (uint32_t)descriptors->channels));
	for (size_t i = 0; i < points->count; i++) {
		const cn_peak *from = &peaks->items[i];
		cn_corners corners = cn_corners_at(descriptors->width, descriptors->height, step_x, step_y,
						   (float)from->x, (float)from->y);
		float *descriptor = points->descriptors + i * points->dim;
		for (size_t c = 0; c < points->dim; c++)
			descriptor[c] = cn_sample(descriptors->data + c * plane, &corners);
		cn_normalise(descriptor, points->dim);
		points->keypoints[i] =
			(cairn_keypoint){ .x = (float)from->x, .y = (float)from->y, .score = from->score };
	}
	return 0;
}
