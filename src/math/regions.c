/*
 * R-MAC's regions. Places are whole numbers by integer division, where the published programs round floating-point
 * numbers, which can be one lower.
 */
#include <math.h>

#include "math/regions.h"

#define MOST_STEPS 7 /* regions along the longer side on the first level */

#define EQUAL      1e-6 /* differences of overlaps that are rounding only */

/* How many more regions lie along the longer side than along the shorter, for the overlap that is nearest to what is
 * wanted; of equally near ones the fewest. */
static size_t further_regions(size_t shorter, size_t longer, double overlap)
{
	size_t best = 1;
	double least = INFINITY;
	if (shorter == longer)
		return 0;
	for (size_t steps = 2; steps <= MOST_STEPS; steps++) {
		double between = (double)(longer - shorter) / (double)(steps - 1);
		double off = fabs(1 - between / (double)shorter - overlap);
		if (off < least - EQUAL) {
			least = off;
			best = steps - 1;
		}
	}
	return best;
}

size_t cn_regions_most(uint32_t levels)
{
	size_t count = 0;
	for (size_t level = 1; level <= levels; level++)
		count += level * (level + MOST_STEPS - 1);
	return count;
}

static size_t place_of(size_t i, size_t count, size_t room)
{
	return count > 1 ? i * room / (count - 1) : 0;
}

size_t cn_regions(size_t width, size_t height, uint32_t levels, double overlap, cn_region *regions)
{
	size_t shorter = width < height ? width : height, longer = width < height ? height : width;
	size_t further = further_regions(shorter, longer, overlap), count = 0;
	for (size_t level = 1; level <= levels; level++) {
		size_t side = 2 * shorter / (level + 1);
		size_t columns = level + (width > height ? further : 0), rows = level + (height > width ? further : 0);
		for (size_t r = 0; side > 0 && r < rows; r++)
			for (size_t c = 0; c < columns; c++)
				regions[count++] = (cn_region){ place_of(c, columns, width - side),
								place_of(r, rows, height - side), side };
	}
	return count;
}
