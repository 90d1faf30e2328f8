/*
 * Exact resizing, on each axis by itself: area averages on reduction, linear interpolation otherwise. Down the columns
 * first, since whole rows blend at the speed of memory; then along the rows, a pixel's three channels in one four-lane
 * vector.
 *
 * No element's sum depends on the width of the vectors and no multiplication is fused with an addition, so every
 * processor gives the same bytes.
 */
#include <math.h>
#include <string.h>

#include "image/image.h"
#include "math/dispatch.h"
#include "util/memory.h"

/* Which source samples make up each target sample of one axis. */
struct filter {
	size_t taps;     /* room a target sample */
	uint32_t *first; /* the first source sample, by target sample */
	uint32_t *count; /* how many there are, <= taps */
	float *weights;  /* target x taps, sums 1 */
};

static void filter_free(struct filter *filter)
{
	cn_free(filter->first);
	cn_free(filter->count);
	cn_free(filter->weights);
}

/* How much source sample `i` weighs in a target sample: its share of the target's extent, or the linear falloff. */
static double weight_of(int64_t i, double centre, double step)
{
	if (step <= 1)
		return fmax(0, 1 - fabs((double)i - centre));
	return fmax(0, fmin((double)i + 0.5, centre + step / 2) - fmax((double)i - 0.5, centre - step / 2));
}

/* The weights of one target sample; what lies beyond the edge falls to the edge sample. */
static void fill_sample(struct filter *filter, uint32_t target, double step, uint32_t source)
{
	double centre = (target + 0.5) * step - 0.5, radius = step > 1 ? step / 2 + 0.5 : 1;
	float *weights = filter->weights + target * filter->taps;
	int64_t from = (int64_t)floor(centre - radius) + 1, to = (int64_t)ceil(centre + radius) - 1;
	int64_t last = (int64_t)source - 1;
	int64_t first = from < 0 ? 0 : from > last ? last : from;
	double sum = 0;

	filter->first[target] = (uint32_t)first;
	filter->count[target] = (uint32_t)((to > last ? last : to) - first + 1);
	for (int64_t i = from; i <= to; i++)
		sum += weight_of(i, centre, step);
	for (int64_t i = from; i <= to; i++) {
		int64_t at = i < 0 ? 0 : i > last ? last : i;

		weights[at - first] += (float)(weight_of(i, centre, step) / sum);
	}
}

static int filter_new(struct filter *filter, uint32_t source, uint32_t target)
{
	double step = (double)source / target;

	filter->taps = (size_t)ceil(step > 1 ? step + 1 : 2) + 1;
	if (filter->taps > source)
		filter->taps = source;
	CN_NEW(filter->first, target, sizeof(*filter->first));
	CN_NEW(filter->count, target, sizeof(*filter->count));
	size_t weights;
	CN_TRY(cn_size_mul(target, filter->taps, &weights));
	CN_NEW(filter->weights, weights, sizeof(*filter->weights));
	for (uint32_t i = 0; i < target; i++)
		fill_sample(filter, i, step, source);
	return 0;
}

/* out[x] += sum of weights[t] * rows[t * stride + x] over t < count; a constant `count` unrolls the sum. */
CN_INLINE void add_rows(float *restrict out, const uint8_t *restrict rows, size_t stride, const float *restrict weights,
			size_t count, size_t length)
{
	for (size_t x = 0; x < length; x++) {
		float sum = out[x];

		for (size_t t = 0; t < count; t++)
			sum += weights[t] * rows[t * stride + x];
		out[x] = sum;
	}
}

/* Four rows at a time, so that the sums are read and written seldom. */
CN_INLINE void blend_rows(float *out, const uint8_t *rows, size_t stride, const float *weights, size_t count,
			  size_t length)
{
	memset(out, 0, length * sizeof(*out));
	for (; count >= 4; count -= 4, rows += 4 * stride, weights += 4)
		add_rows(out, rows, stride, weights, 4, length);
	if (count == 3)
		add_rows(out, rows, stride, weights, 3, length);
	else if (count == 2)
		add_rows(out, rows, stride, weights, 2, length);
	else if (count == 1)
		add_rows(out, rows, stride, weights, 1, length);
}

CN_DEFINE_FORMS(blend, blend_rows,
		(float *out, const uint8_t *rows, size_t stride, const float *weights, size_t count, size_t length),
		(out, rows, stride, weights, count, length))

typedef float lanes __attribute__((vector_size(16)));
typedef int32_t whole_lanes __attribute__((vector_size(16)));
typedef uint8_t byte_lanes __attribute__((vector_size(4)));

/* Along one blended row; a constant `taps` unrolls the sums. The fourth lane holds a channel of the next pixel, which
 * then overwrites it. */
CN_INLINE void sum_taps(uint8_t *restrict out, const float *restrict row, const struct filter *filter, size_t taps,
			size_t width)
{
	for (size_t x = 0; x < width; x++) {
		const float *weights = filter->weights + x * filter->taps;
		const float *from = row + 3 * (size_t)filter->first[x];
		lanes sum = { 0.5f, 0.5f, 0.5f, 0.5f };

		for (size_t t = 0; t < taps; t++) {
			lanes pixel;

			memcpy(&pixel, from + 3 * t, sizeof(pixel));
			sum += pixel * weights[t];
		}
		byte_lanes value = __builtin_convertvector(__builtin_convertvector(sum, whole_lanes), byte_lanes);
		memcpy(out + 3 * x, &value, sizeof(value));
	}
}

/* Taps beyond a sample's own have no weight. */
CN_INLINE void resize_row_inlined(uint8_t *out, const float *row, const struct filter *filter, size_t width)
{
	if (filter->taps == 3)
		sum_taps(out, row, filter, 3, width);
	else if (filter->taps == 4)
		sum_taps(out, row, filter, 4, width);
	else
		sum_taps(out, row, filter, filter->taps, width);
}

CN_DEFINE_FORMS(resize_row, resize_row_inlined,
		(uint8_t * out, const float *row, const struct filter *filter, size_t width), (out, row, filter, width))

static int resize_into(cairn_image *out, const cairn_image *image)
{
	struct filter across = { 0 }, down = { 0 };
	size_t stride = 3 * (size_t)image->width, out_stride = 3 * (size_t)out->width;
	float *row = NULL;
	uint8_t *line = NULL;
	int status = 0;

	CN_GOTO(status, filter_new(&across, image->width, out->width));
	CN_GOTO(status, filter_new(&down, image->height, out->height));
	/* Room for the taps and the lane that lie beyond a row's end. */
	row = cn_alloc_zero(stride + 3 * across.taps + 1, sizeof(*row));
	line = cn_alloc(out_stride + 1, 1);
	if (!row || !line)
		CN_GOTO(status, CAIRN_ENOMEM);
	for (uint32_t y = 0; y < out->height; y++) {
		blend(row, image->pixels + down.first[y] * stride, stride, down.weights + y * down.taps, down.count[y],
		      stride);
		resize_row(line, row, &across, out->width);
		memcpy(out->pixels + y * out_stride, line, out_stride);
	}
done:
	cn_free(line);
	cn_free(row);
	filter_free(&across);
	filter_free(&down);
	return status;
}

int cairn_image_resize(cairn_image **out, const cairn_image *image, uint32_t width, uint32_t height)
{
	cairn_image *resized;
	int status = 0;

	*out = NULL;
	if (width < 1 || height < 1 || width > CN_IMAGE_MAX_SIDE || height > CN_IMAGE_MAX_SIDE)
		return cn_fail(CAIRN_EINVALID, "resizing to %u x %u pixels: each side must be 1 to %u", width, height,
			       CN_IMAGE_MAX_SIDE);
	CN_TRY(cn_image_blank(&resized, width, height));
	resized->full_width = image->full_width;
	resized->full_height = image->full_height;
	if (width == image->width && height == image->height)
		memcpy(resized->pixels, image->pixels, (size_t)width * height * 3);
	else
		status = resize_into(resized, image);
	if (status < 0) {
		cairn_image_free(resized);
		return status;
	}
	*out = resized;
	return 0;
}
