/*
 * Boxes from the outputs of a detector.
 */
#include "local/boxes.h"

#include <math.h>

#include "local/outputs.h"
#include "util/heap.h"
#include "util/memory.h"

/* What a network lists. */
struct listing {
	cn_tensor places, ids; /* count x 4; count, where it tells classes */
	const float *scores;   /* count x columns */
	size_t count, columns;
	double step_x, step_y; /* full-size pixels for one unit of a coordinate */
	double width, height;  /* of the full-size image */
};

/* ---- one box ---- */

static int counts(const cn_detector_spec *spec, double id)
{
	for (uint32_t i = 0; i < spec->class_count; i++)
		if (id == spec->class_ids[i])
			return 1;
	return spec->class_count == 0;
}

/* The best of the classes that count; -INFINITY where none does. */
static float score_of(const struct listing *listing, const cn_detector_spec *spec, size_t i)
{
	float best = -INFINITY;
	if (spec->classes && !counts(spec, cn_local_number(&listing->ids, i)))
		return best;
	for (size_t c = 0; c < listing->columns; c++)
		if (spec->classes || listing->columns == 1 || counts(spec, (double)c))
			best = fmaxf(best, listing->scores[i * listing->columns + c]);
	return best;
}

static cn_found_box box_of(const struct listing *listing, const cn_detector_spec *spec, size_t i, float score)
{
	double n[4];
	for (size_t k = 0; k < 4; k++)
		n[k] = cn_local_number(&listing->places, 4 * i + k);
	cairn_box box = { n[0], n[1], n[2], n[3] };
	if (spec->format == CN_BOX_YXYX)
		box = (cairn_box){ n[1], n[0], n[3], n[2] };
	else if (spec->format == CN_BOX_CXCYWH)
		box = (cairn_box){ n[0] - n[2] / 2, n[1] - n[3] / 2, n[0] + n[2] / 2, n[1] + n[3] / 2 };
	box.x0 = fmin(fmax(box.x0 * listing->step_x, 0), listing->width);
	box.x1 = fmin(fmax(box.x1 * listing->step_x, 0), listing->width);
	box.y0 = fmin(fmax(box.y0 * listing->step_y, 0), listing->height);
	box.y1 = fmin(fmax(box.y1 * listing->step_y, 0), listing->height);
	return (cn_found_box){ box, (double)score };
}

static double area(const cairn_box *box)
{
	return (box->x1 - box->x0) * (box->y1 - box->y0);
}

static double overlap(const cairn_box *a, const cairn_box *b)
{
	double width = fmin(a->x1, b->x1) - fmax(a->x0, b->x0), height = fmin(a->y1, b->y1) - fmax(a->y0, b->y0);
	double shared = fmax(width, 0) * fmax(height, 0);
	return shared / (area(a) + area(b) - shared);
}

/* ---- choosing ---- */

static int list_candidates(const struct listing *listing, const cn_detector_spec *spec, cn_heap *heap)
{
	CN_TRY(cn_heap_init(heap,
			    spec->iou < 1 || listing->count < spec->max_boxes ? listing->count : spec->max_boxes));
	for (size_t i = 0; i < listing->count; i++) {
		float score = score_of(listing, spec, i);
		const cn_found_box box = box_of(listing, spec, i, score);
		if (score >= spec->threshold && cn_found_box_is_sound(&box))
			cn_heap_push(heap, score, (int64_t)i);
	}
	cn_heap_sort(heap);
	return 0;
}

static int is_covered(const cn_boxes *kept, const cn_found_box *box, double iou)
{
	for (size_t i = 0; i < kept->count; i++)
		if (overlap(&kept->items[i].place, &box->place) > iou)
			return 1;
	return 0;
}

static int choose(const struct listing *listing, const cn_detector_spec *spec, cn_boxes *out)
{
	cn_heap heap = { 0 };
	int status = list_candidates(listing, spec, &heap);
	if (status == 0) {
		out->items = cn_alloc(heap.count, sizeof(*out->items));
		status = out->items ? 0 : CAIRN_ENOMEM;
	}
	for (size_t i = 0; status == 0 && i < heap.count && out->count < spec->max_boxes; i++) {
		const cn_found_box box = box_of(listing, spec, (size_t)heap.items[i].id, heap.items[i].score);
		if (spec->iou >= 1 || !is_covered(out, &box, (double)spec->iou))
			out->items[out->count++] = box;
	}
	cn_heap_free(&heap);
	return status;
}

/* ---- through the network ---- */

static int read_scores(const cairn_model *model, cn_request *request, struct listing *listing, size_t *count)
{
	const cn_detector_spec *spec = &model->detector;
	cn_tensor scores;
	CN_TRY(cn_request_output(request, spec->scores, &scores));
	size_t columns = scores.rank == 3 ? scores.shape[2] : 0;
	CN_TRY(cn_local_list(model, request, spec->scores, columns, 0, &scores, count));
	listing->scores = scores.data;
	listing->columns = columns ? columns : 1;
	if (spec->class_count && !spec->classes && !columns)
		return cn_fail(CAIRN_EFORMAT,
			       "model '%s': \"class_ids\" needs an output \"classes\", or scores of 1 x N x classes; "
			       "'%s' is 1 x N",
			       model->name, spec->scores);
	return 0;
}

static int read_listing(const cairn_model *model, cn_request *request, struct listing *listing)
{
	const cn_detector_spec *spec = &model->detector;
	size_t count_of_scores = 0;
	CN_TRY(cn_local_list(model, request, spec->boxes, 4, 1, &listing->places, &listing->count));
	CN_TRY(read_scores(model, request, listing, &count_of_scores));
	size_t count_of_ids = listing->count;
	if (spec->classes)
		CN_TRY(cn_local_list(model, request, spec->classes, 0, 1, &listing->ids, &count_of_ids));
	if (listing->count != count_of_scores || listing->count != count_of_ids)
		return cn_fail(CAIRN_EFORMAT, "model '%s' lists %zu boxes, scores of %zu and classes of %zu",
			       model->name, listing->count, count_of_scores, count_of_ids);
	return 0;
}

int cn_boxes_detect(cn_boxes *out, cairn_model *model, const cairn_image *image)
{
	struct listing listing = { .width = cairn_image_full_width(image), .height = cairn_image_full_height(image) };
	cairn_image *working;
	cn_request *request;
	uint32_t width, height;
	*out = (cn_boxes){ 0 };
	cn_input_size(&model->input, cairn_image_width(image), cairn_image_height(image), 0, 1, &width, &height);
	listing.step_x = listing.width / (model->detector.normalised ? 1 : width);
	listing.step_y = listing.height / (model->detector.normalised ? 1 : height);
	CN_TRY(cairn_image_resize(&working, image, width, height));
	int status = cn_model_run(model, cairn_image_pixels(working), width, height, &request);
	cairn_image_free(working);
	CN_TRY(status);
	status = read_listing(model, request, &listing);
	if (status == 0)
		status = choose(&listing, &model->detector, out);
	cn_network_release(model->network, request);
	return status;
}
