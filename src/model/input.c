/*
 * From pixels to the input tensor: which size, which shape, which values; and through the network.
 */
#include "model/bundle.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "math/dispatch.h"

/* Rounded to the nearest multiple (halves up), at least one. */
static uint32_t rounded_side(double side, uint32_t multiple)
{
	double count = floor(side / multiple + 0.5);
	return (uint32_t)fmin(fmax(count, 1), UINT32_MAX / multiple) * multiple;
}

static uint32_t longer_of(uint32_t width, uint32_t height)
{
	return width > height ? width : height;
}

uint32_t cn_input_longest(const cn_input_spec *spec)
{
	uint32_t longest = 0;
	for (uint32_t i = 0; i < spec->bin_count; i++)
		longest = longer_of(longest, longer_of(spec->bin_sizes[i][0], spec->bin_sizes[i][1]));
	if (longest)
		return longest;
	return spec->fixed_width ? longer_of(spec->fixed_width, spec->fixed_height) : spec->longest;
}

/* The side that an image's shorter one becomes in a size of its own, for images that are wide, high or both. */
static uint32_t shorter_in(const uint32_t size[2], int wide, int high)
{
	return wide && high ? longer_of(size[0], size[1]) : wide ? size[1] : size[0];
}

/* Of all images that may come. 0: the input has the aspect of the image. */
static uint32_t input_shortest(const cn_input_spec *spec)
{
	const uint32_t fixed[2] = { spec->fixed_width, spec->fixed_height };
	uint32_t shortest = 0;
	for (uint32_t i = 0; i < spec->bin_count; i++) {
		/* Of square ones the longest side is bound enough. */
		int wide = i == 0 || spec->bin_ratios[i - 1] < 1;
		int high = i + 1 == spec->bin_count || spec->bin_ratios[i] > 1;
		shortest = longer_of(shortest, shorter_in(spec->bin_sizes[i], wide, high));
	}
	return spec->bin_count ? shortest : shorter_in(fixed, 1, 1);
}

/* How many times the side at scale 1 the largest view asks for of the whole image. */
static double largest_view(const cairn_model *model)
{
	const cn_views *views = &model->global.views;
	double most = 1;
	const float *scales = model->is_local ? model->local.scales : views->scales;
	uint32_t count = model->is_local ? model->local.scale_count : views->scale_count;
	for (uint32_t i = 0; i < count; i++)
		most = fmax(most, (double)scales[i]);
	/* A crop, too, is to have that size. */
	if (!model->is_local && views->crops != CN_CROPS_NONE)
		most /= (double)views->crop;
	return most;
}

static uint32_t largest_of_members(const cn_ensemble *ensemble, uint32_t (*side)(const cairn_model *))
{
	uint32_t largest = 0;
	for (size_t i = 0; i < ensemble->count; i++)
		largest = longer_of(largest, side(ensemble->members[i].model));
	return largest;
}

uint32_t cn_model_longest(const cairn_model *model)
{
	if (model->ensemble.count)
		return largest_of_members(&model->ensemble, cn_model_longest);
	return (uint32_t)ceil(cn_input_longest(&model->input) * largest_view(model));
}

uint32_t cn_model_shortest(const cairn_model *model)
{
	if (model->ensemble.count)
		return largest_of_members(&model->ensemble, cn_model_shortest);
	return (uint32_t)ceil(input_shortest(&model->input) * largest_view(model));
}

/* The bin that an image belongs to by its aspect. */
static const uint32_t *bin_of(const cn_input_spec *spec, uint32_t width, uint32_t height)
{
	uint32_t i = 0;
	while (i + 1 < spec->bin_count && (double)height / width >= (double)spec->bin_ratios[i])
		i++;
	return spec->bin_sizes[i];
}

void cn_input_size(const cn_input_spec *spec, uint32_t width, uint32_t height, int is_box, float scale,
		   uint32_t *out_width, uint32_t *out_height)
{
	const uint32_t fixed[2] = { spec->fixed_width, spec->fixed_height };
	const uint32_t *exact = spec->bin_count ? bin_of(spec, width, height) : spec->fixed_width ? fixed : NULL;
	if (exact) {
		*out_width = rounded_side(exact[0] * (double)scale, 1);
		*out_height = rounded_side(exact[1] * (double)scale, 1);
		return;
	}
	uint32_t longest = is_box && spec->box_longest ? spec->box_longest : spec->longest;
	uint32_t longer = longer_of(width, height);
	uint32_t most = longer < longest ? longer : longest;
	/* Multiplied before it is divided: halves are then exact. */
	*out_width = rounded_side((double)width * most / longer * (double)scale, spec->multiple);
	*out_height = rounded_side((double)height * most / longer * (double)scale, spec->multiple);
}

void cn_input_shape(const cn_input_spec *spec, uint32_t width, uint32_t height, size_t shape[4])
{
	size_t channels = spec->channels == CN_CHANNELS_GREY ? 1 : 3;
	shape[0] = 1;
	if (spec->layout == CN_LAYOUT_NCHW) {
		shape[1] = channels;
		shape[2] = height;
		shape[3] = width;
	} else {
		shape[1] = height;
		shape[2] = width;
		shape[3] = channels;
	}
}

#define BLOCK 16 /* pixels */

typedef uint8_t bytes __attribute__((vector_size(BLOCK)));
typedef uint16_t shorts __attribute__((vector_size(2 * BLOCK)));
typedef float floats __attribute__((vector_size(4 * BLOCK)));

/* The red, green and blue of BLOCK pixels. */
CN_INLINE void split(const uint8_t *rgb, bytes channels[3])
{
	bytes a, b, c;
	memcpy(&a, rgb, BLOCK);
	memcpy(&b, rgb + BLOCK, BLOCK);
	memcpy(&c, rgb + 2 * BLOCK, BLOCK);
	bytes red = __builtin_shufflevector(a, b, 0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 0, 0, 0, 0, 0);
	bytes green = __builtin_shufflevector(a, b, 1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 0, 0, 0, 0, 0);
	bytes blue = __builtin_shufflevector(a, b, 2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 0, 0, 0, 0, 0, 0);
	channels[0] = __builtin_shufflevector(red, c, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 17, 20, 23, 26, 29);
	channels[1] = __builtin_shufflevector(green, c, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 18, 21, 24, 27, 30);
	channels[2] = __builtin_shufflevector(blue, c, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 19, 22, 25, 28, 31);
}

struct planes {
	float *out[3], mean[3], factor[3]; /* of the pixel's red, green and blue */
};

CN_INLINE void fill_planes_inlined(const uint8_t *rgb, size_t count, const struct planes *planes)
{
	size_t i = 0;
	for (; i + BLOCK <= count; i += BLOCK) {
		bytes channels[3];
		split(rgb + 3 * i, channels);
		for (size_t c = 0; c < 3; c++) {
			floats value = __builtin_convertvector(channels[c], floats);
			value = (value - planes->mean[c]) * planes->factor[c];
			memcpy(planes->out[c] + i, &value, sizeof(value));
		}
	}
	for (; i < count; i++)
		for (size_t c = 0; c < 3; c++)
			planes->out[c][i] = ((float)rgb[3 * i + c] - planes->mean[c]) * planes->factor[c];
}

CN_INLINE void fill_grey_inlined(const uint8_t *rgb, size_t count, float mean, float factor, float *out)
{
	const float third = 1.0f / 3.0f;
	size_t i = 0;
	for (; i + BLOCK <= count; i += BLOCK) {
		bytes channels[3];
		split(rgb + 3 * i, channels);
		shorts sum = __builtin_convertvector(channels[0], shorts) +
			     __builtin_convertvector(channels[1], shorts) +
			     __builtin_convertvector(channels[2], shorts);
		floats value = (__builtin_convertvector(sum, floats) * third - mean) * factor;
		memcpy(out + i, &value, sizeof(value));
	}
	for (; i < count; i++)
		out[i] = ((float)(rgb[3 * i] + rgb[3 * i + 1] + rgb[3 * i + 2]) * third - mean) * factor;
}

CN_DEFINE_FORMS(fill_planes, fill_planes_inlined, (const uint8_t *rgb, size_t count, const struct planes *planes),
		(rgb, count, planes))

CN_DEFINE_FORMS(fill_grey, fill_grey_inlined, (const uint8_t *rgb, size_t count, float mean, float factor, float *out),
		(rgb, count, mean, factor, out))

static void fill_interleaved(const uint8_t *rgb, size_t count, const struct planes *planes)
{
	for (size_t i = 0; i < count; i++)
		for (size_t c = 0; c < 3; c++)
			planes->out[c][3 * i] = ((float)rgb[3 * i + c] - planes->mean[c]) * planes->factor[c];
}

static void fill_bytes(const cn_input_spec *spec, const uint8_t *restrict rgb, size_t count, uint8_t *restrict out)
{
	size_t channels = spec->channels == CN_CHANNELS_GREY ? 1 : 3;
	int planar = spec->layout == CN_LAYOUT_NCHW;
	if (channels == 1) {
		for (size_t i = 0; i < count; i++)
			out[i] = (uint8_t)((rgb[3 * i] + rgb[3 * i + 1] + rgb[3 * i + 2] + 1) / 3);
		return;
	}
	if (!planar && spec->channels == CN_CHANNELS_RGB) {
		memcpy(out, rgb, 3 * count);
		return;
	}
	for (size_t c = 0; c < 3; c++) {
		const uint8_t *from = rgb + (spec->channels == CN_CHANNELS_BGR ? 2 - c : c);
		uint8_t *to = planar ? out + c * count : out + c;
		size_t step = planar ? 1 : 3;
		for (size_t i = 0; i < count; i++)
			to[step * i] = from[3 * i];
	}
}

void cn_input_fill(const cn_input_spec *spec, const uint8_t *rgb, uint32_t width, uint32_t height, void *tensor)
{
	size_t count = (size_t)width * height;
	float *out = tensor;
	if (spec->type == CN_TENSOR_U8) {
		fill_bytes(spec, rgb, count, tensor);
		return;
	}
	if (spec->channels == CN_CHANNELS_GREY) {
		fill_grey(rgb, count, spec->mean[0], 1.0f / spec->std[0], out);
		return;
	}
	int planar = spec->layout == CN_LAYOUT_NCHW;
	struct planes planes;
	for (size_t c = 0; c < 3; c++) {
		size_t to = spec->channels == CN_CHANNELS_BGR ? 2 - c : c;
		planes.out[c] = planar ? out + to * count : out + to;
		planes.mean[c] = spec->mean[to];
		planes.factor[c] = 1.0f / spec->std[to];
	}
	if (planar)
		fill_planes(rgb, count, &planes);
	else
		fill_interleaved(rgb, count, &planes);
}

int cn_model_run(cairn_model *model, const uint8_t *rgb, uint32_t width, uint32_t height, cn_request **request)
{
	cn_tensor input;
	size_t shape[4];
	cn_input_shape(&model->input, width, height, shape);
	CN_TRY(cn_network_acquire(model->network, shape, 4, request));
	int status = cn_request_input(*request, &input);
	if (status == 0) {
		cn_input_fill(&model->input, rgb, width, height, input.data);
		status = cn_request_run(*request);
	}
	if (status < 0)
		cn_network_release(model->network, *request);
	return status;
}

int cn_model_map(const cairn_model *model, cn_request *request, const char *name, const cn_tokens *tokens,
		 uint32_t width, uint32_t height, cn_map *out, float **buffer)
{
	cn_tensor output;
	char where[128];
	snprintf(where, sizeof(where), "model '%.100s'", model->name);
	*buffer = NULL;
	CN_TRY(cn_request_output(request, name, &output));
	return tokens->patch ? cn_map_of_patches(out, &output, tokens, width, height, where, name, buffer)
			     : cn_map_of(out, &output, where, name);
}
