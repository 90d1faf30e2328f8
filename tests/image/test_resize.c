/*
 * Resizing against the rule written out plainly in doubles.
 */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/image.h"
#include "math/dispatch.h"
#include "util/memory.h"

static cairn_image *noise(uint32_t width, uint32_t height, uint64_t seed)
{
	size_t size = (size_t)width * height * 3;
	uint8_t *pixels = test_malloc(size);
	cairn_image *image;

	for (size_t i = 0; i < size; i++)
		pixels[i] = (uint8_t)cn_test_random(&seed);
	assert_ok(cairn_image_new(&image, width, height, pixels));
	test_free(pixels);
	return image;
}

/* The integral of a row of samples, each constant over its own pixel, from 0 to x pixels. */
static double integral(const double *in, size_t source, size_t stride, double x)
{
	double sum = 0;

	for (size_t i = 0; i < source; i++)
		sum += in[i * stride] * fmin(fmax(x - (double)i, 0), 1);
	return sum;
}

/* Between the centres of pixels, the edges going on for ever. */
static double interpolated(const double *in, size_t source, size_t stride, double x)
{
	double at = fmin(fmax(x, 0), (double)source - 1), low = floor(at);
	size_t next = low + 1 < (double)source ? (size_t)low + 1 : (size_t)low;

	return in[(size_t)low * stride] * (1 - (at - low)) + in[next * stride] * (at - low);
}

/* One axis of docs/methods.md, "Resizing": `count` samples `stride` apart, from `from` to `to`. */
static void resize_axis(const double *in, size_t source, size_t in_stride, double *out, size_t target,
			size_t out_stride)
{
	double step = (double)source / (double)target;

	for (size_t i = 0; i < target; i++) {
		double begin = (double)i * step, value;

		if (step > 1)
			value = (integral(in, source, in_stride, begin + step) -
				 integral(in, source, in_stride, begin)) /
				step;
		else
			value = interpolated(in, source, in_stride, begin + step / 2 - 0.5);
		out[i * out_stride] = value;
	}
}

static double *resize_plainly(const cairn_image *image, uint32_t width, uint32_t height)
{
	size_t w = cairn_image_width(image), h = cairn_image_height(image);
	double *in = test_malloc(w * h * 3 * sizeof(*in)), *across = test_malloc(width * h * 3 * sizeof(*across));
	double *out = test_malloc((size_t)width * height * 3 * sizeof(*out));

	for (size_t i = 0; i < w * h * 3; i++)
		in[i] = cairn_image_pixels(image)[i];
	for (size_t y = 0; y < h; y++)
		for (size_t c = 0; c < 3; c++)
			resize_axis(in + y * w * 3 + c, w, 3, across + y * width * 3 + c, width, 3);
	for (size_t x = 0; x < (size_t)width * 3; x++)
		resize_axis(across + x, h, (size_t)width * 3, out + x, height, (size_t)width * 3);
	test_free(in);
	test_free(across);
	return out;
}

static void agrees_with_the_plain_rule(void **state)
{
	static const uint32_t cases[][4] = {
		{ 64, 48, 51, 38 },     { 64, 48, 64, 24 }, { 64, 48, 32, 48 },  { 61, 47, 199, 203 },
		{ 200, 150, 7, 5 },     { 1, 1, 9, 4 },     { 3, 2, 1, 1 },      { 20000, 1, 7, 3 },
		{ 1, 20000, 2, 13 },    { 2, 2, 3, 3 },     { 333, 10, 334, 9 }, { 256, 256, 224, 224 },
		{ 300, 200, 299, 201 }, { 5, 5, 1, 400 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint32_t *sizes = cases[i];
		cairn_image *image = noise(sizes[0], sizes[1], i), *resized;
		double *expected = resize_plainly(image, sizes[2], sizes[3]);

		assert_ok(cairn_image_resize(&resized, image, sizes[2], sizes[3]));
		assert_int_equal(cairn_image_width(resized), sizes[2]);
		assert_int_equal(cairn_image_height(resized), sizes[3]);
		assert_int_equal(cairn_image_full_width(resized), sizes[0]);
		assert_int_equal(cairn_image_full_height(resized), sizes[1]);
		for (size_t k = 0; k < (size_t)sizes[2] * sizes[3] * 3; k++)
			if (fabs(cairn_image_pixels(resized)[k] - expected[k]) > 0.51)
				fail_msg("%ux%u -> %ux%u, byte %zu: %d, not %.3f", sizes[0], sizes[1], sizes[2],
					 sizes[3], k, cairn_image_pixels(resized)[k], expected[k]);
		test_free(expected);
		cairn_image_free(resized);
		cairn_image_free(image);
	}
}

static void every_kernel_gives_the_same_bytes(void **state)
{
	static const uint32_t cases[][4] = { { 640, 48, 512, 40 }, { 61, 47, 19, 20 }, { 17, 9, 40, 33 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cairn_image *image = noise(cases[i][0], cases[i][1], i), *scalar, *resized;

		cn_kernels_force(CN_KERNELS_SCALAR);
		assert_ok(cairn_image_resize(&scalar, image, cases[i][2], cases[i][3]));
		for (int level = CN_KERNELS_AVX2; level <= CN_KERNELS_BEST; level++) {
			cn_kernels_force((cn_kernels)level);
			assert_ok(cairn_image_resize(&resized, image, cases[i][2], cases[i][3]));
			assert_memory_equal(cairn_image_pixels(resized), cairn_image_pixels(scalar),
					    3 * (size_t)cases[i][2] * cases[i][3]);
			cairn_image_free(resized);
		}
		cairn_image_free(scalar);
		cairn_image_free(image);
	}
}

static void one_colour_stays(void **state)
{
	static const uint32_t sizes[][2] = { { 1, 1 }, { 7, 300 }, { 1000, 3 }, { 40, 30 } };

	(void)state;
	for (int level = 0; level <= 255; level += 51) {
		uint8_t pixels[40 * 30 * 3];
		cairn_image *image, *resized;

		memset(pixels, level, sizeof(pixels));
		assert_ok(cairn_image_new(&image, 40, 30, pixels));
		for (size_t i = 0; i < 4; i++) {
			assert_ok(cairn_image_resize(&resized, image, sizes[i][0], sizes[i][1]));
			for (size_t k = 0; k < (size_t)sizes[i][0] * sizes[i][1] * 3; k++)
				assert_int_equal(cairn_image_pixels(resized)[k], level);
			cairn_image_free(resized);
		}
		cairn_image_free(image);
	}
}

static void same_size_is_a_copy(void **state)
{
	cairn_image *image = noise(57, 31, 3), *resized;

	(void)state;
	assert_ok(cairn_image_resize(&resized, image, 57, 31));
	assert_memory_equal(cairn_image_pixels(resized), cairn_image_pixels(image), 57 * 31 * 3);
	assert_ptr_not_equal(cairn_image_pixels(resized), cairn_image_pixels(image));
	cairn_image_free(resized);
	cairn_image_free(image);
}

static void wrong_sizes_are_refused(void **state)
{
	static const uint32_t cases[][2] = { { 0, 5 }, { 5, 0 }, { (1u << 20) + 1, 1 }, { 1, UINT32_MAX } };
	cairn_image *image = noise(4, 4, 4), *resized;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_fails(cairn_image_resize(&resized, image, cases[i][0], cases[i][1]), CAIRN_EINVALID, "1048576");
		assert_null(resized);
	}
	assert_ok(cairn_image_resize(&resized, image, 1u << 20, 1));
	cairn_image_free(resized);
	cairn_image_free(image);
}

static void every_allocation_may_fail(void **state)
{
	cairn_image *image = noise(20, 20, 5), *resized;
	int status = CAIRN_ENOMEM, failures = -1;

	(void)state;
	for (long n = 0; status < 0; n++, failures++) {
		cn_memory_fail_at(n);
		status = cairn_image_resize(&resized, image, 9, 11);
		cn_memory_fail_at(-1);
		if (status < 0)
			assert_null(resized);
	}
	assert_in_range(failures, 5, 20);
	cairn_image_free(resized);
	cairn_image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_plain_rule), cmocka_unit_test(every_kernel_gives_the_same_bytes),
		cmocka_unit_test(one_colour_stays),           cmocka_unit_test(same_size_is_a_copy),
		cmocka_unit_test(wrong_sizes_are_refused),    cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests_name("image/resize", tests, NULL, NULL);
}
