/*
 * Listed keypoints. How many there are differs from image to image; places outside of the image, as networks list them
 * that fill up to a fixed number, are passed over.
 */
#include "local/detections.h"

#include <string.h>

#include "local/outputs.h"
#include "math/dot.h"
#include "util/heap.h"
#include "util/memory.h"

/* One coordinate in pixels; 0 where it lies outside of the image. */
static int place_of(const cn_detections *from, size_t i, int axis, int unit, uint32_t side, float *out)
{
	double place = cn_local_number(&from->places, 2 * i + (size_t)axis);
	if (unit)
		place = (place + 1) / 2 * ((double)side - 1);
	*out = (float)place;
	return place >= -0.5 && place <= (double)side - 0.5;
}

int cn_detections_choose(const cn_detections *from, const cn_detections_rule *rule, uint32_t width, uint32_t height,
			 cn_points *points)
{
	cn_heap heap;
	float x, y;
	CN_TRY(cn_heap_init(&heap, rule->max_points < from->count ? rule->max_points : from->count));
	for (size_t i = 0; i < from->count; i++)
		if (from->scores[i] >= rule->threshold && place_of(from, i, 0, rule->unit, width, &x) &&
		    place_of(from, i, 1, rule->unit, height, &y))
			cn_heap_push(&heap, from->scores[i], (int64_t)i);
	cn_heap_sort(&heap);
	int status = cn_points_new(points, heap.count, from->dim);
	for (size_t i = 0; status == 0 && i < heap.count; i++) {
		size_t at = (size_t)heap.items[i].id;
		cairn_keypoint *point = &points->keypoints[i];
		float *descriptor = points->descriptors + i * points->dim;
		place_of(from, at, 0, rule->unit, width, &point->x);
		place_of(from, at, 1, rule->unit, height, &point->y);
		point->score = heap.items[i].score;
		memcpy(descriptor, from->descriptors + at * from->dim, from->dim * sizeof(*descriptor));
		cn_normalise(descriptor, from->dim);
	}
	cn_heap_free(&heap);
	return status;
}

/* ---- from the network's outputs ---- */

int cn_detections_points(const cairn_model *model, cn_request *request, uint32_t width, uint32_t height,
			 uint32_t max_points, cn_points *points)
{
	const cn_local_spec *spec = &model->local;
	const cn_detections_rule rule = { spec->threshold, spec->unit_coordinates, max_points };
	cn_detections from = { .dim = spec->dim };
	cn_tensor scores, descriptors;
	size_t count_of_scores = 0, count_of_descriptors = 0;
	CN_TRY(cn_local_list(model, request, spec->keypoints, 2, 1, &from.places, &from.count));
	CN_TRY(cn_local_list(model, request, spec->scores, 0, 0, &scores, &count_of_scores));
	CN_TRY(cn_local_list(model, request, spec->descriptors, spec->dim, 0, &descriptors, &count_of_descriptors));
	if (from.count != count_of_scores || from.count != count_of_descriptors)
		return cn_fail(CAIRN_EFORMAT, "model '%s' lists %zu keypoints, %zu scores and %zu descriptors",
			       model->name, from.count, count_of_scores, count_of_descriptors);
	from.scores = scores.data;
	from.descriptors = descriptors.data;
	return cn_detections_choose(&from, &rule, width, height, points);
}
