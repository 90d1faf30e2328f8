/*
 * math/regions.h - squares that cover a map or an image in several sizes.
 */
#ifndef CN_MATH_REGIONS_H
#define CN_MATH_REGIONS_H

#include <stddef.h>
#include <stdint.h>

/** A square; x, y: its left top corner. */
typedef struct {
	size_t x, y, side;
} cn_region;

#define CN_MOST_LEVELS 16

/**
 * The regions of R-MAC (Tolias, Sicre and Jegou, ICLR 2016): on level l squares of side 2 w / (l + 1), w the map's
 * shorter side, l of them along it, and so many more along the longer side that neighbours overlap by about `overlap`.
 *
 * @param      levels  1 to CN_MOST_LEVELS
 * @param      overlap wanted of neighbours of the first level, as a part of their area; published: 0.4
 * @param[out] regions room for cn_regions_most(levels)
 * @return how many there are
 */
size_t cn_regions(size_t width, size_t height, uint32_t levels, double overlap, cn_region *regions);
size_t cn_regions_most(uint32_t levels);

#endif
