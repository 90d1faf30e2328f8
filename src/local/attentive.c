/*
 * Attentive features.
 *
 * A feature's place is the middle of the box of pixels that its descriptor was computed from. DELF divides it by the
 * scale; here the centres of pixels are carried over, as images are resized: (c + 1/2) / scale - 1/2.
 *
 * Boxes of one scale have one size, so two scales whose boxes overlap less than the rule allows even where one lies
 * within the other cannot drop each other's features. Scales are put into sets that do not touch each other in that
 * way; as soon as the last scale of a set has come, its features are chosen, and only the descriptors of those are
 * taken from the map. Steps of the root of 2, as in DELF, overlap by 1/2 at most: with a larger bound, 0.8 as a rule,
 * each scale is a set of its own.
 */
#include "local/attentive.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "local/outputs.h"
#include "math/dot.h"
#include "util/heap.h"
#include "util/memory.h"

struct cn_attentive_feature {
	float attention;
	int64_t order; /* among equals: by scale, then in reading order */
	size_t at;     /* position in its scale's map, or row of its descriptor */
	int is_held;   /* `at` is a row */
	double norm;
	double centre[2], half[2]; /* y, x: of its box */
};

static void free_set(struct cn_attentive_set *set)
{
	cn_free(set->features);
	cn_free(set->descriptors);
	*set = (struct cn_attentive_set){ 0 };
}

void cn_attentive_free(cn_attentive *gathered)
{
	for (uint32_t i = 0; i < CN_MOST_SCALES; i++)
		free_set(&gathered->sets[i]);
	memset(gathered, 0, sizeof(*gathered));
}

size_t cn_attentive_held(const cn_attentive *gathered)
{
	size_t held = 0;
	for (uint32_t i = 0; i < gathered->count; i++)
		held += gathered->sets[i].held;
	return held;
}

/* ---- which scales may drop each other's features ---- */

static void box_of(const cn_attentive_scale *scale, double sides[2])
{
	for (int a = 0; a < 2; a++)
		sides[a] = (double)scale->field.size[a] * scale->step[a];
}

/* Intersection over union where one box lies as far inside the other as it can. */
static double most_overlap(const cn_attentive_scale *a, const cn_attentive_scale *b)
{
	double of_a[2], of_b[2];
	box_of(a, of_a);
	box_of(b, of_b);
	double shared = fmin(of_a[0], of_b[0]) * fmin(of_a[1], of_b[1]);
	return shared / (of_a[0] * of_a[1] + of_b[0] * of_b[1] - shared);
}

void cn_attentive_start(cn_attentive *gathered, const cn_attentive_scale *scales, uint32_t count,
			const cn_attentive_rule *rule)
{
	/* What rounding may make of an overlap that is exactly the bound. */
	const double slack = 1e-9;
	*gathered = (cn_attentive){ .rule = *rule, .count = count };
	for (uint32_t i = 0; i < count; i++) {
		gathered->scales[i] = scales[i];
		gathered->set_of[i] = i;
	}
	for (uint32_t i = 0; rule->iou < 1 && i < count; i++)
		for (uint32_t k = 0; k < i; k++) {
			uint32_t from = gathered->set_of[i], to = gathered->set_of[k];
			if (most_overlap(&scales[i], &scales[k]) < (double)rule->iou - slack)
				continue;
			for (uint32_t j = 0; j <= i; j++)
				if (gathered->set_of[j] == from)
					gathered->set_of[j] = to;
		}
	for (uint32_t i = 0; i < count; i++)
		gathered->sets[gathered->set_of[i]].scales_left++;
}

/* ---- the features of one scale ---- */

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
static int list_positions(const cn_map *map, const float *attentions, const cn_attentive_rule *rule,
			  const double *norms, cn_heap *heap)
{
	size_t positions = cn_map_positions(map);
	CN_TRY(cn_heap_init(heap, rule->iou >= 1 && rule->max_points < positions ? rule->max_points : positions));
	for (size_t i = 0; i < positions; i++) {
		float attention = attentions ? attentions[i] : (float)fmin(norms[i], (double)FLT_MAX);
		if (norms[i] > 0 && attention >= rule->threshold)
			cn_heap_push(heap, attention, (int64_t)i);
	}
	cn_heap_sort(heap);
	return 0;
}

static struct cn_attentive_feature feature_at(const cn_attentive_scale *scale, const cn_map *map, cn_scored from,
					      double norm)
{
	const cn_receptive_field *field = &scale->field;
	const int64_t width = (int64_t)map->width, place[2] = { from.id / width, from.id % width };
	struct cn_attentive_feature feature = { .attention = from.score, .at = (size_t)from.id, .norm = norm };
	for (int a = 0; a < 2; a++) {
		double centre =
			(double)(field->stride[a] * place[a] - field->pad[a]) + ((double)field->size[a] - 1) / 2;
		feature.centre[a] = (centre + 0.5) * scale->step[a] - 0.5;
		feature.half[a] = (double)field->size[a] / 2 * scale->step[a];
	}
	return feature;
}

/* Without descriptors. */
static int add_features(cn_attentive *gathered, struct cn_attentive_set *set, const cn_map *map, const float *attention)
{
	const cn_attentive_scale *scale = &gathered->scales[gathered->done];
	cn_heap heap = { 0 };
	double *norms = cn_alloc(cn_map_positions(map), sizeof(*norms));
	if (!norms)
		return CAIRN_ENOMEM;
	measure_norms(map, norms);
	int status = list_positions(map, attention, &gathered->rule, norms, &heap);
	struct cn_attentive_feature *features =
		status == 0 ? cn_realloc(set->features, set->count + heap.count + 1, sizeof(*features)) : NULL;
	if (features) {
		set->features = features;
		for (size_t i = 0; i < heap.count; i++) {
			struct cn_attentive_feature *feature = &features[set->count++];
			*feature = feature_at(scale, map, heap.items[i], norms[heap.items[i].id]);
			feature->order = gathered->positions + heap.items[i].id;
		}
	}
	cn_heap_free(&heap);
	cn_free(norms);
	return status < 0 || features ? status : CAIRN_ENOMEM;
}

/* ---- which are kept ---- */

static int by_attention(const void *a, const void *b)
{
	const struct cn_attentive_feature *x = a, *y = b;
	if (x->attention != y->attention)
		return x->attention > y->attention ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
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

/* Leaves the best, of which none overlaps a better one of them; they are in order then. */
static void suppress(struct cn_attentive_set *set, const cn_attentive_rule *rule)
{
	struct cn_attentive_feature *features = set->features;
	size_t kept = 0;
	qsort(features, set->count, sizeof(*features), by_attention);
	for (size_t i = 0; i < set->count && kept < rule->max_points; i++) {
		size_t k = 0;
		while (rule->iou < 1 && k < kept && overlap(&features[i], &features[k]) <= (double)rule->iou)
			k++;
		if (rule->iou >= 1 || k == kept)
			features[kept++] = features[i];
	}
	set->count = kept;
}

static void copy_descriptor(const struct cn_attentive_set *set, const cn_map *map,
			    const struct cn_attentive_feature *feature, float *out)
{
	size_t positions = cn_map_positions(map);
	if (feature->is_held)
		memcpy(out, set->descriptors + feature->at * map->channels, map->channels * sizeof(*out));
	else
		for (size_t c = 0; c < map->channels; c++)
			out[c] = (float)((double)map->data[c * positions + feature->at] / feature->norm);
}

/* Those of the scale that came last are behind the others. */
static int hold_all(struct cn_attentive_set *set, const cn_map *map)
{
	size_t numbers;
	CN_TRY(cn_size_mul(set->count, map->channels, &numbers));
	float *descriptors = cn_realloc(set->descriptors, numbers + 1, sizeof(*descriptors));
	if (!descriptors)
		return CAIRN_ENOMEM;
	set->descriptors = descriptors;
	for (; set->held < set->count; set->held++) {
		struct cn_attentive_feature *feature = &set->features[set->held];
		copy_descriptor(set, map, feature, descriptors + set->held * map->channels);
		feature->is_held = 1;
		feature->at = set->held;
	}
	return 0;
}

/* Those of the features that are left, in their order, and none of the others any more. */
static int hold_chosen(struct cn_attentive_set *set, const cn_map *map)
{
	struct cn_attentive_set chosen = *set;
	chosen.held = 0;
	chosen.descriptors = cn_alloc(set->count * map->channels + 1, sizeof(float));
	if (!chosen.descriptors)
		return CAIRN_ENOMEM;
	for (; chosen.held < set->count; chosen.held++) {
		struct cn_attentive_feature *feature = &set->features[chosen.held];
		copy_descriptor(set, map, feature, chosen.descriptors + chosen.held * map->channels);
		feature->at = chosen.held;
	}
	cn_free(set->descriptors);
	*set = chosen;
	return 0;
}

int cn_attentive_add(cn_attentive *gathered, const cn_map *map, const float *attention)
{
	struct cn_attentive_set *set = &gathered->sets[gathered->set_of[gathered->done]];
	gathered->dim = (uint32_t)map->channels;
	CN_TRY(add_features(gathered, set, map, attention));
	gathered->positions += (int64_t)cn_map_positions(map);
	gathered->done++;
	if (--set->scales_left)
		return hold_all(set, map);
	suppress(set, &gathered->rule);
	return hold_chosen(set, map);
}

static float inside(double place, uint32_t side)
{
	return (float)fmin(fmax(place, 0), (double)side - 1);
}

/* The set whose next feature is the best; `count` where none has any left. */
static uint32_t best_set(const cn_attentive *gathered, const size_t *next)
{
	uint32_t best = gathered->count;
	for (uint32_t i = 0; i < gathered->count; i++) {
		const struct cn_attentive_set *set = &gathered->sets[i];
		if (next[i] < set->count &&
		    (best == gathered->count ||
		     by_attention(&set->features[next[i]], &gathered->sets[best].features[next[best]]) < 0))
			best = i;
	}
	return best;
}

int cn_attentive_choose(const cn_attentive *gathered, uint32_t width, uint32_t height, cn_points *points)
{
	size_t count = 0, next[CN_MOST_SCALES] = { 0 };
	for (uint32_t i = 0; i < gathered->count; i++)
		count += gathered->sets[i].count;
	count = count < gathered->rule.max_points ? count : gathered->rule.max_points;
	CN_TRY(cn_points_new(points, count, gathered->dim));
	for (size_t i = 0; i < count; i++) {
		uint32_t best = best_set(gathered, next);
		const struct cn_attentive_set *set = &gathered->sets[best];
		const struct cn_attentive_feature *feature = &set->features[next[best]++];
		points->keypoints[i] = (cairn_keypoint){ .x = inside(feature->centre[1], width),
							 .y = inside(feature->centre[0], height),
							 .scale = (float)sqrt(feature->half[0] * feature->half[1]),
							 .score = feature->attention };
		memcpy(points->descriptors + i * points->dim, set->descriptors + feature->at * points->dim,
		       points->dim * sizeof(float));
	}
	return 0;
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

static int add_outputs(cn_attentive *gathered, cairn_model *model, cn_request *request, uint32_t width, uint32_t height)
{
	const cn_local_spec *spec = &model->local;
	cn_map map, attention = { 0 };
	float *of_map = NULL, *of_attention = NULL;
	int status = 0;
	CN_GOTO(status, cn_local_map(model, request, spec->descriptors, spec->dim, width, height, &map, &of_map));
	if (spec->attention) {
		CN_GOTO(status,
			cn_local_map(model, request, spec->attention, 1, width, height, &attention, &of_attention));
		if (attention.height != map.height || attention.width != map.width)
			CN_GOTO(status,
				cn_fail(CAIRN_EFORMAT, "model '%s': output '%s' is %zu x %zu, but '%s' %zu x %zu",
					model->name, spec->attention, attention.height, attention.width,
					spec->descriptors, map.height, map.width));
	}
	status = cn_attentive_add(gathered, &map, attention.data);
done:
	cn_free(of_map);
	cn_free(of_attention);
	return status;
}

/* One scale of an image. */
struct view {
	uint32_t width, height;
};

static int run_view(cn_attentive *gathered, cairn_model *model, const cairn_image *image, const struct view *view)
{
	cairn_image *resized;
	cn_request *request;
	CN_TRY(cairn_image_resize(&resized, image, view->width, view->height));
	int status = cn_model_run(model, cairn_image_pixels(resized), view->width, view->height, &request);
	cairn_image_free(resized);
	CN_TRY(status);
	status = add_outputs(gathered, model, request, view->width, view->height);
	cn_network_release(model->network, request);
	return status;
}

static int plan_views(const cairn_model *model, const cairn_image *image, int is_box, uint32_t width, uint32_t height,
		      struct view *views, cn_attentive_scale *scales)
{
	const cn_local_spec *spec = &model->local;
	for (uint32_t i = 0; i < spec->scale_count; i++) {
		struct view *view = &views[i];
		cn_input_size(&model->input, cairn_image_width(image), cairn_image_height(image), is_box,
			      spec->scales[i], &view->width, &view->height);
		scales[i].step[0] = (double)height / view->height;
		scales[i].step[1] = (double)width / view->width;
		CN_TRY(find_field(model, view->width, view->height, &scales[i].field));
	}
	return 0;
}

int cn_attentive_points(cairn_model *model, const cairn_image *image, int is_box, uint32_t width, uint32_t height,
			uint32_t max_points, cn_points *points)
{
	const cn_local_spec *spec = &model->local;
	const cn_attentive_rule rule = { spec->threshold, spec->iou, max_points };
	struct view views[CN_MOST_SCALES];
	cn_attentive_scale scales[CN_MOST_SCALES];
	cn_attentive gathered;
	CN_TRY(plan_views(model, image, is_box, width, height, views, scales));
	cn_attentive_start(&gathered, scales, spec->scale_count, &rule);
	int status = 0;
	for (uint32_t i = 0; status == 0 && i < spec->scale_count; i++)
		status = run_view(&gathered, model, image, &views[i]);
	if (status == 0)
		status = cn_attentive_choose(&gathered, width, height, points);
	cn_attentive_free(&gathered);
	return status;
}
