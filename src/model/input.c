/*
 * From pixels to the input tensor: which size, which shape, which values.
 */
#include "model/bundle.h"

#include <string.h>

/* side * longest / longer, rounded to the nearest multiple (halves up), at least one. */
static uint32_t scaled_side(uint32_t side, uint32_t longer, uint32_t longest, uint32_t multiple)
{
	uint64_t numerator = side, denominator = multiple;
	if (longer > longest) {
		numerator *= longest;
		denominator *= longer;
	}
	uint64_t count = (2 * numerator + denominator) / (2 * denominator);
	return (uint32_t)(count ? count : 1) * multiple;
}

void cn_input_size(const cn_input_spec *spec, uint32_t width, uint32_t height, int is_box, uint32_t *out_width,
		   uint32_t *out_height)
{
	if (spec->fixed_width) {
		*out_width = spec->fixed_width;
		*out_height = spec->fixed_height;
		return;
	}
	uint32_t longest = is_box && spec->box_longest ? spec->box_longest : spec->longest;
	uint32_t longer = width > height ? width : height;
	*out_width = scaled_side(width, longer, longest, spec->multiple);
	*out_height = scaled_side(height, longer, longest, spec->multiple);
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

/* One channel of the pixels into every `step`-th number of `out`. A table, since all it can give is 256 numbers. */
static void fill_channel(const uint8_t *restrict pixels, size_t count, float mean, float factor, size_t step,
			 float *restrict out)
{
	float values[256];
	for (int v = 0; v < 256; v++)
		values[v] = ((float)v - mean) * factor;
	for (size_t i = 0; i < count; i++)
		out[step * i] = values[pixels[3 * i]];
}

static void fill_grey(const uint8_t *restrict rgb, size_t count, float mean, float factor, float *restrict out)
{
	float values[3 * 255 + 1];
	for (int sum = 0; sum <= 3 * 255; sum++)
		values[sum] = ((float)sum * (1.0f / 3.0f) - mean) * factor;
	for (size_t i = 0; i < count; i++)
		out[i] = values[rgb[3 * i] + rgb[3 * i + 1] + rgb[3 * i + 2]];
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
	for (size_t c = 0; c < 3; c++)
		fill_channel(rgb + (spec->channels == CN_CHANNELS_BGR ? 2 - c : c), count, spec->mean[c],
			     1.0f / spec->std[c], planar ? 1 : 3, planar ? out + c * count : out + c);
}
