/*
 * Attentive features.
 *
 * A feature's place is the middle of the box of pixels that its descriptor was computed from. DELF divides it by the
 * scale; here the centres of pixels are carried over, as images are resized: (c + 1/2) / scale - 1/2.
 */
#include "local/attentive.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "local/outputs.h"
#include "math/dot.h"
#include "util/heap.h"
#include "util/memory.h"

struct cn_attentive_feature {
	float attention;
	double centre[2], half[2]; /* y, x: of its box */
};

void cn_attentive_free(cn_attentive *gathered)
{
	cn_free(gathered->features);
	cn_free(gathered->descriptors);
	memset(gathered, 0, sizeof(*gathered));
}

static int make_room(cn_attentive *gathered, size_t more)
{
	size_t room = gathered->count + more, numbers;
	if (room <= gathered->room)
		return 0;
	CN_TRY(cn_size_mul(room, gathered->dim, &numbers));
	struct cn_attentive_feature *features = cn_realloc(gathered->features, room, sizeof(*features));
	if (!features)
		return CAIRN_ENOMEM;
	gathered->features = features;
	float *descriptors = cn_realloc(gathered->descriptors, numbers, sizeof(*descriptors));
	if (!descriptors)
		return CAIRN_ENOMEM;
	gathered->descriptors = descriptors;
	gathered->room = room;
	return 0;
}

static void measure_norms(const cn_map *map, double *norms)
{
	size_t positions = cn_map_positions(map);
	memset(norms, 0, positions * sizeof(*norms));
	for (size_t c = 0; c < map->channels; c++) {
		const float *plane = map->data + c * positions;
		for (size_t i = 0; i < positions; i++)
			norms[i] += (double)plane[i] * (double)plane[i];
	}
	for (size_t i = 0; i < positions; i++)
		norms[i] = sqrt(norms[i]);
}

/* The positions that may be chosen, best first. Where no feature can drop another, only the best can. */
static int list_positions(const cn_attentive_scale *scale, const cn_attentive_rule *rule, const double *norms,
			  cn_heap *heap)
{
	size_t positions = cn_map_positions(&scale->descriptors);
	CN_TRY(cn_heap_init(heap, rule->iou >= 1 && rule->max_points < positions ? rule->max_points : positions));
	for (size_t i = 0; i < positions; i++) {
		float attention = scale->attention ? scale->attention[i] : (float)fmin(norms[i], (double)FLT_MAX);
		if (norms[i] > 0 && attention >= rule->threshold)
			cn_heap_push(heap, attention, (int64_t)i);
	}
	cn_heap_sort(heap);
	return 0;
}

static void add_feature(cn_attentive *gathered, const cn_attentive_scale *scale, cn_scored from, double norm)
{
	const cn_map *map = &scale->descriptors;
	const cn_receptive_field *field = &scale->field;
	size_t at = (size_t)from.id, positions = cn_map_positions(map);
	const int64_t place[2] = { (int64_t)(at / map->width), (int64_t)(at % map->width) };
	struct cn_attentive_feature *feature = &gathered->features[gathered->count];
	float *descriptor = gathered->descriptors + gathered->count++ * gathered->dim;
	feature->attention = from.score;
	for (int a = 0; a < 2; a++) {
		double centre =
			(double)(field->stride[a] * place[a] - field->pad[a]) + ((double)field->size[a] - 1) / 2;
		feature->centre[a] = (centre + 0.5) * scale->step[a] - 0.5;
		feature->half[a] = (double)field->size[a] / 2 * scale->step[a];
	}
	for (size_t c = 0; c < map->channels; c++)
		descriptor[c] = (float)((double)map->data[c * positions + at] / norm);
}

int cn_attentive_add(cn_attentive *gathered, const cn_attentive_scale *scale, const cn_attentive_rule *rule)
{
	const cn_map *map = &scale->descriptors;
	cn_heap heap = { 0 };
	double *norms = cn_alloc(cn_map_positions(map), sizeof(*norms));
	if (!norms)
		return CAIRN_ENOMEM;
	gathered->dim = (uint32_t)map->channels;
	measure_norms(map, norms);
	int status = list_positions(scale, rule, norms, &heap);
	if (status == 0)
		status = make_room(gathered, heap.count);
	for (size_t i = 0; status == 0 && i < heap.count; i++)
		add_feature(gathered, scale, heap.items[i], norms[heap.items[i].id]);
	cn_heap_free(&heap);
	cn_free(norms);
	return status;
}

static double overlap(const struct cn_attentive_feature *a, const struct cn_attentive_feature *b)
{
	double shared = 1, of_a = 1, of_b = 1;
	for (int i = 0; i < 2; i++) {
		double low = fmax(a->centre[i] - a->half[i], b->centre[i] - b->half[i]);
		double high = fmin(a->centre[i] + a->half[i], b->centre[i] + b->half[i]);
		shared *= fmax(high - low, 0);
		of_a *= 2 * a->half[i];
		of_b *= 2 * b->half[i];
	}
	return shared / (of_a + of_b - shared);
}

/* Leaves those of a list, best first, that no better one of those left overlaps. */
static void suppress(const cn_attentive *gathered, const cn_attentive_rule *rule, cn_heap *heap)
{
	size_t kept = 0;
	for (size_t i = 0; i < heap->count && kept < rule->max_points; i++) {
		const struct cn_attentive_feature *feature = &gathered->features[heap->items[i].id];
		size_t k = 0;
		while (k < kept && overlap(feature, &gathered->features[heap->items[k].id]) <= (double)rule->iou)
			k++;
		if (k == kept)
			heap->items[kept++] = heap->items[i];
	}
	heap->count = kept;
}

static float inside(double place, uint32_t side)
{
	return (float)fmin(fmax(place, 0), (double)side - 1);
}

int cn_attentive_choose(const cn_attentive *gathered, const cn_attentive_rule *rule, uint32_t width, uint32_t height,
			cn_points *points)
{
	cn_heap heap;
	size_t count = gathered->count;
	CN_TRY(cn_heap_init(&heap, rule->iou >= 1 && rule->max_points < count ? rule->max_points : count));
	for (size_t i = 0; i < count; i++)
		cn_heap_push(&heap, gathered->features[i].attention, (int64_t)i);
	cn_heap_sort(&heap);
	if (rule->iou < 1)
		suppress(gathered, rule, &heap);
	int status = cn_points_new(points, heap.count, gathered->dim);
	for (size_t i = 0; status == 0 && i < heap.count; i++) {
		const struct cn_attentive_feature *feature = &gathered->features[heap.items[i].id];
		points->keypoints[i] = (cairn_keypoint){ .x = inside(feature->centre[1], width),
							 .y = inside(feature->centre[0], height),
							 .scale = (float)sqrt(feature->half[0] * feature->half[1]),
							 .score = feature->attention };
		memcpy(points->descriptors + i * points->dim,
		       gathered->descriptors + (size_t)heap.items[i].id * points->dim, points->dim * sizeof(float));
	}
	cn_heap_free(&heap);
	return status;
}

/* ---- through the network ---- */

static int find_field(const cairn_model *model, uint32_t width, uint32_t height, cn_receptive_field *out)
{
	int64_t patch = model->local.tokens.patch;
	if (model->field)
		return cn_field_graph_at(model->field, height, width, out);
	*out = model->local.field;
	if (patch)
		*out = (cn_receptive_field){ { patch, patch }, { patch, patch }, { 0, 0 } };
	return 0;
}

static int add_outputs(cn_attentive *gathered, cairn_model *model, cn_request *request, cn_attentive_scale *scale,
		       uint32_t width, uint32_t height, const cn_attentive_rule *rule)
{
	const cn_local_spec *spec = &model->local;
	const cn_map *map = &scale->descriptors;
	cn_map attention = { 0 };
	float *of_map = NULL, *of_attention = NULL;
	int status = 0;
	CN_GOTO(status, find_field(model, width, height, &scale->field));
	CN_GOTO(status, cn_local_map(model, request, spec->descriptors, spec->dim, width, height, &scale->descriptors,
				     &of_map));
	if (spec->attention) {
		CN_GOTO(status,
			cn_local_map(model, request, spec->attention, 1, width, height, &attention, &of_attention));
		if (attention.height != map->height || attention.width != map->width)
			CN_GOTO(status,
				cn_fail(CAIRN_EFORMAT, "model '%s': output '%s' is %zu x %zu, but '%s' %zu x %zu",
					model->name, spec->attention, attention.height, attention.width,
					spec->descriptors, map->height, map->width));
	}
	scale->attention = attention.data;
	status = cn_attentive_add(gathered, scale, rule);
done:
	cn_free(of_map);
	cn_free(of_attention);
	return status;
}

static int run_scale(cn_attentive *gathered, cairn_model *model, const cairn_image *view, cn_attentive_scale *scale,
		     const cn_attentive_rule *rule)
{
	uint32_t width = cairn_image_width(view), height = cairn_image_height(view);
	cn_request *request;
	CN_TRY(cn_model_run(model, cairn_image_pixels(view), width, height, &request));
	int status = add_outputs(gathered, model, request, scale, width, height, rule);
	cn_network_release(model->network, request);
	return status;
}

static int add_scale(cn_attentive *gathered, cairn_model *model, const cairn_image *image, int is_box, float scale,
		     const uint32_t working[2], const cn_attentive_rule *rule)
{
	cairn_image *view;
	uint32_t width, height;
	cn_input_size(&model->input, cairn_image_width(image), cairn_image_height(image), is_box, scale, &width,
		      &height);
	CN_TRY(cairn_image_resize(&view, image, width, height));
	cn_attentive_scale at = { .step = { (double)working[0] / height, (double)working[1] / width } };
	int status = run_scale(gathered, model, view, &at, rule);
	cairn_image_free(view);
	return status;
}

int cn_attentive_points(cairn_model *model, const cairn_image *image, int is_box, uint32_t width, uint32_t height,
			uint32_t max_points, cn_points *points)
{
	const cn_local_spec *spec = &model->local;
	const cn_attentive_rule rule = { spec->threshold, spec->iou, max_points };
	const uint32_t working[2] = { height, width };
	cn_attentive gathered = { 0 };
	int status = 0;
	for (uint32_t i = 0; status == 0 && i < spec->scale_count; i++)
		status = add_scale(&gathered, model, image, is_box, spec->scales[i], working, &rule);
	if (status == 0)
		status = cn_attentive_choose(&gathered, &rule, width, height, points);
	cn_attentive_free(&gathered);
	return status;
}
