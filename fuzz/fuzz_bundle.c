/*
 * model.json: any text gives a bundle whose numbers are within their limits, or an error.
 */
#include <math.h>
#include <string.h>

#include "cairn/error.h"
#include "model/bundle.h"
#include "target.h"
#include "util/memory.h"

#define MAX_SIDE     (16384 + 1024)
#define SMALL_TENSOR (1u << 18)

int fuzz_accepted;

/* The tensor for a small image is filled to its last number, and all are finite. */
static void check_fill(const cn_input_spec *spec, uint32_t width, uint32_t height)
{
	size_t pixels = (size_t)width * height, channels = spec->channels == CN_CHANNELS_GREY ? 1 : 3;
	size_t size = spec->type == CN_TENSOR_U8 ? 1 : sizeof(float);
	if (pixels > SMALL_TENSOR)
		return;
	uint8_t *rgb = cn_alloc_zero(pixels, 3);
	void *tensor = cn_alloc(pixels * channels, size);
	FUZZ_CHECK(rgb && tensor);
	cn_input_fill(spec, rgb, width, height, tensor);
	if (spec->type == CN_TENSOR_F32)
		for (size_t i = 0; i < pixels * channels; i++)
			FUZZ_CHECK(isfinite(((const float *)tensor)[i]));
	cn_free(tensor);
	cn_free(rgb);
}

static void check_input(const cn_input_spec *spec)
{
	static const uint32_t sizes[][2] = { { 4000, 3000 }, { 1, 65535 }, { 7, 5 } };
	FUZZ_CHECK(spec->bin_count <= CN_MOST_BINS);
	for (uint32_t i = 0; i + 2 < spec->bin_count; i++)
		FUZZ_CHECK(spec->bin_ratios[i] < spec->bin_ratios[i + 1]);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (int is_box = 0; is_box < 2; is_box++) {
			uint32_t width, height;
			size_t shape[4];
			uint32_t scaled_width, scaled_height;
			cn_input_size(spec, sizes[i][0], sizes[i][1], is_box, 8, &scaled_width, &scaled_height);
			cn_input_size(spec, sizes[i][0], sizes[i][1], is_box, 1, &width, &height);
			FUZZ_CHECK(scaled_width >= width && scaled_width <= 8 * MAX_SIDE);
			FUZZ_CHECK(scaled_height >= height && scaled_height <= 8 * MAX_SIDE);
			cn_input_shape(spec, width, height, shape);
			FUZZ_CHECK(width > 0 && height > 0 && width <= MAX_SIDE && height <= MAX_SIDE && shape[0] == 1);
			check_fill(spec, width, height);
		}
}

static int is_power(float p)
{
	return p > 0.09f && p <= 100;
}

static int is_layer(const cn_layer *layer)
{
	return !layer->weight && !layer->outputs && (layer->weight_file ? layer->weight_file[0] : !layer->bias_file);
}

static void check_head(const cn_head *head)
{
	FUZZ_CHECK(is_layer(&head->layer) && is_layer(&head->regional));
	if (head->pool == CN_POOL_GEM)
		FUZZ_CHECK(head->channel_p ? head->channels > 0 : is_power(head->p));
	for (size_t i = 0; i < head->channels; i++)
		FUZZ_CHECK(is_power(head->channel_p[i]));
	if (head->pool == CN_POOL_RMAC)
		FUZZ_CHECK(head->levels >= 1 && head->levels <= 16 && head->overlap >= 0 && head->overlap < 1);
}

static void check_views(const cn_views *views)
{
	FUZZ_CHECK(views->scale_count >= 1 && views->scale_count <= CN_MOST_SCALES);
	for (uint32_t i = 0; i < views->scale_count; i++)
		FUZZ_CHECK(views->scales[i] >= 0.049f && views->scales[i] <= 8);
	if (views->crops != CN_CROPS_NONE)
		FUZZ_CHECK(views->crop >= 0.049f && views->crop <= 1);
	if (views->crops == CN_CROPS_RANDOM)
		FUZZ_CHECK(views->crop_count >= 1 && views->crop_count <= 100);
	if (views->combine == CN_COMBINE_GEM)
		FUZZ_CHECK(is_power(views->p));
}

static void check_global(const cn_global_spec *spec)
{
	const cn_filters *filters = &spec->filters;
	FUZZ_CHECK(spec->output && spec->dim > 0 && spec->kept == spec->dim && spec->head_count > 0);
	for (size_t i = 0; i < spec->head_count; i++) {
		FUZZ_CHECK(spec->heads[i].pool != CN_POOL_NONE || spec->head_count == 1);
		check_head(&spec->heads[i]);
	}
	check_views(&spec->views);
	FUZZ_CHECK((filters->attention != CN_ATTENTION_NONE) == (filters->attention_output != NULL));
	FUZZ_CHECK(isfinite(filters->floor));
	if (filters->regional_size)
		FUZZ_CHECK(filters->regional_size % 2 == 1 && filters->regional_size <= 63 &&
			   is_power(filters->regional_p) && filters->regional_weight >= 0 &&
			   filters->regional_weight <= 1);
	FUZZ_CHECK(spec->mean_file || !spec->projection_file);
}

/* Dimensions are known when the members are. */
static void check_ensemble(const cn_ensemble *ensemble)
{
	FUZZ_CHECK(ensemble->count <= CN_MOST_MEMBERS);
	for (size_t i = 0; i < ensemble->count; i++)
		FUZZ_CHECK(ensemble->members[i].name[0] && ensemble->members[i].weight > 0 &&
			   isfinite(ensemble->members[i].weight));
}

static void check_local(const cn_local_spec *spec)
{
	FUZZ_CHECK(spec->dim > 0 && spec->kept == spec->dim && spec->max_points > 0 && isfinite(spec->threshold));
	FUZZ_CHECK(spec->descriptors && spec->scale_count > 0 && spec->scale_count <= CN_MOST_SCALES);
	for (uint32_t i = 0; i < spec->scale_count; i++)
		FUZZ_CHECK(spec->scales[i] > 0 && spec->scales[i] <= 8);
	if (spec->method == CN_LOCAL_ATTENTIVE)
		FUZZ_CHECK(spec->iou >= 0 && spec->iou <= 1 && !(spec->tokens.patch && spec->field.size[0]) &&
			   cn_local_needs_field(spec) == (!spec->tokens.patch && !spec->field.size[0]));
	else
		FUZZ_CHECK(spec->keypoints && !cn_local_needs_field(spec));
	if (spec->method == CN_LOCAL_KEYPOINTS)
		FUZZ_CHECK(spec->scores && (spec->unit_coordinates == 0 || spec->unit_coordinates == 1));
	FUZZ_CHECK(!spec->mean_file == !spec->projection_file);
}

static void check_detector(const cn_detector_spec *spec)
{
	FUZZ_CHECK(spec->boxes && spec->scores && isfinite(spec->threshold) && spec->iou >= 0 && spec->iou <= 1);
	FUZZ_CHECK(spec->max_boxes >= 1 && spec->max_boxes <= 1000 && spec->class_count <= CN_MOST_CLASSES);
	for (uint32_t i = 0; i < spec->class_count; i++)
		FUZZ_CHECK(spec->class_ids[i] <= 65535);
}

static void check_model(const cairn_model *model)
{
	if (model->ensemble.count) {
		check_ensemble(&model->ensemble);
		return;
	}
	FUZZ_CHECK(model->name && model->name[0] && model->network_name && model->network_name[0]);
	check_input(&model->input);
	if (model->is_detector)
		check_detector(&model->detector);
	else if (model->is_local)
		check_local(&model->local);
	else
		check_global(&model->global);
	FUZZ_CHECK(cn_model_longest(model) >= cn_input_longest(&model->input));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cairn_model *model = cn_alloc_zero(1, sizeof(*model));
	FUZZ_CHECK(model);
	fuzz_accepted = cn_bundle_parse(model, (const char *)data, size, "model.json") == 0;
	if (fuzz_accepted)
		check_model(model);
	else
		FUZZ_CHECK(cairn_last_error()[0]);
	cairn_model_free(model);
	return 0;
}
