/*
 * Boxes of an image.
 */
#include "data/boxes.h"

#include <math.h>

#include "util/memory.h"

void cn_boxes_free(cn_boxes *boxes)
{
	cn_free(boxes->items);
	*boxes = (cn_boxes){ 0 };
}

int cn_found_box_is_sound(const cn_found_box *box)
{
	const cairn_box *place = &box->place;
	return place->x0 >= 0 && place->y0 >= 0 && place->x0 < place->x1 && place->y0 < place->y1 &&
	       isfinite(place->x1) && isfinite(place->y1) && isfinite(box->score);
}
