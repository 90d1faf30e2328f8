/*
 * data/boxes.h - boxes that a detector found in an image.
 */
#ifndef CN_DATA_BOXES_H
#define CN_DATA_BOXES_H

#include <stddef.h>

#include "cairn/image.h"

typedef struct {
	cairn_box place; /**< pixels of the full-size upright image, inside it; x0 < x1 and y0 < y1 */
	double score;    /**< the detector's, larger is better */
} cn_found_box;

typedef struct {
	cn_found_box *items; /**< best first */
	size_t count;
} cn_boxes;

void cn_boxes_free(cn_boxes *boxes); /**< harmless on a zeroed struct */

/** 1 if the numbers may be those of a box: finite, the sides above 0, nothing left of or above the image. */
int cn_found_box_is_sound(const cn_found_box *box);

#endif
