/*
 * Images in memory: making, cropping, grey levels, pasting, drawing.
 */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "image/image.h"

static const cairn_colour BLACK = { 0, 0, 0 };

static cairn_image *white(uint32_t width, uint32_t height)
{
	cairn_image *image;

	assert_ok(cairn_image_new(&image, width, height, NULL));
	return image;
}

/* Each pixel tells its place: (x, y, 7). */
static cairn_image *places(uint32_t width, uint32_t height)
{
	cairn_image *image = white(width, height);

	for (uint32_t y = 0; y < height; y++)
		for (uint32_t x = 0; x < width; x++)
			memcpy(image->pixels + (y * width + x) * 3, ((uint8_t[]){ (uint8_t)x, (uint8_t)y, 7 }), 3);
	return image;
}

static uint8_t level(const cairn_image *image, uint32_t x, uint32_t y)
{
	return cairn_image_pixels(image)[((size_t)y * cairn_image_width(image) + x) * 3];
}

/* How much has been drawn in black on white, in whole pixels. */
static double ink(const cairn_image *image)
{
	size_t count = (size_t)cairn_image_width(image) * cairn_image_height(image);
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += 1 - cairn_image_pixels(image)[3 * i] / 255.0;
	return sum;
}

static void new_images(void **state)
{
	static const uint8_t pixels[] = { 1, 2, 3, 4, 5, 6 };
	cairn_image *image;

	(void)state;
	assert_ok(cairn_image_new(&image, 2, 1, pixels));
	assert_memory_equal(cairn_image_pixels(image), pixels, 6);
	assert_int_equal(cairn_image_full_width(image), 2);
	cairn_image_free(image);
	image = white(3, 2);
	assert_true(ink(image) == 0);
	cairn_image_free(image);
	cairn_image_free(NULL);
	assert_fails(cairn_image_new(&image, 0, 4, NULL), CAIRN_EINVALID, "0 x 4");
	assert_fails(cairn_image_new(&image, 4, (1u << 20) + 1, NULL), CAIRN_EINVALID, "1048577");
	assert_null(image);
}

static void crops(void **state)
{
	static const struct {
		cairn_box box;
		uint32_t x, y, width, height;
	} cases[] = {
		{ { 0, 0, 20, 10 }, 0, 0, 20, 10 },     { { 3, 2, 5, 9 }, 3, 2, 2, 7 },
		{ { 3.5, 2.1, 5.5, 8.9 }, 3, 2, 3, 7 }, { { -1e300, -5, 4, 1e300 }, 0, 0, 4, 10 },
		{ { 19.9, 9.9, 20, 10 }, 19, 9, 1, 1 }, { { 7.25, 3.5, 7.5, 3.75 }, 7, 3, 1, 1 },
		{ { 19, 0, 40, 1 }, 19, 0, 1, 1 },
	};
	cairn_image *image = places(20, 10), *part;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_ok(cairn_image_crop(&part, image, cases[i].box));
		assert_int_equal(cairn_image_width(part), cases[i].width);
		assert_int_equal(cairn_image_height(part), cases[i].height);
		assert_int_equal(cairn_image_full_width(part), cases[i].width);
		assert_int_equal(cairn_image_full_height(part), cases[i].height);
		for (uint32_t y = 0; y < cases[i].height; y++)
			for (uint32_t x = 0; x < cases[i].width; x++) {
				const uint8_t *pixel = cairn_image_pixels(part) + (y * cases[i].width + x) * 3;

				assert_int_equal(pixel[0], cases[i].x + x);
				assert_int_equal(pixel[1], cases[i].y + y);
			}
		cairn_image_free(part);
	}
	cairn_image_free(image);
}

static void crops_of_reduced_images(void **state)
{
	cairn_image *image = places(20, 10), *part;

	(void)state;
	image->full_width = 80;
	image->full_height = 40;
	assert_ok(cairn_image_crop(&part, image, (cairn_box){ 9, 4, 41, 12.5 }));
	assert_int_equal(cairn_image_width(part), 9); /* 2.25 to 10.25, outwards */
	assert_int_equal(cairn_image_height(part), 3);
	assert_int_equal(level(part, 0, 0), 2);
	assert_int_equal(cairn_image_full_width(part), 36);
	assert_int_equal(cairn_image_full_height(part), 12);
	cairn_image_free(part);
	cairn_image_free(image);
}

static void bad_crops(void **state)
{
	static const cairn_box cases[] = {
		{ 5, 5, 5, 9 },  { 9, 1, 3, 4 },   { 20, 0, 25, 5 },
		{ -9, 0, 0, 5 }, { NAN, 0, 5, 5 }, { 0, 0, INFINITY, 5 },
	};
	cairn_image *image = places(20, 10), *part;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_fails(cairn_image_crop(&part, image, cases[i]), CAIRN_EINVALID, "box");
		assert_null(part);
	}
	cairn_image_free(image);
}

static void grey_levels(void **state)
{
	static const uint8_t pixels[] = { 255, 255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30 };
	static const float expected[] = { 255, 76.245f, 149.685f, 29.07f, 18.15f };
	cairn_image *image;
	float grey[5];

	(void)state;
	assert_ok(cairn_image_new(&image, 5, 1, pixels));
	cairn_image_grey(image, grey);
	for (int i = 0; i < 5; i++)
		assert_float_equal(grey[i], expected[i], 1e-3);
	cairn_image_free(image);
}

static void pasting_clips(void **state)
{
	static const struct {
		int64_t x, y;
		int count; /* pixels that lie inside */
	} cases[] = {
		{ 0, 0, 12 },        { 2, 3, 12 },        { -1, 0, 9 },        { 0, -2, 4 },
		{ 8, 9, 2 },         { 10, 0, 0 },        { -4, 0, 0 },        { INT64_MIN, 0, 0 },
		{ INT64_MAX, 5, 0 }, { 3, INT64_MAX, 0 }, { 3, INT64_MIN, 0 },
	};
	static const uint8_t dark[4 * 3 * 3];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cairn_image *image = white(10, 10), *stamp;

		assert_ok(cairn_image_new(&stamp, 4, 3, dark));
		cairn_image_paste(image, stamp, cases[i].x, cases[i].y);
		assert_int_equal(lround(ink(image)), cases[i].count);
		if (cases[i].count == 12)
			assert_int_equal(level(image, (uint32_t)cases[i].x, (uint32_t)cases[i].y), 0);
		cairn_image_free(stamp);
		cairn_image_free(image);
	}
}

static void flips_exchange_left_and_right(void **state)
{
	static const uint32_t sizes[][2] = { { 1, 1 }, { 1, 5 }, { 2, 1 }, { 3, 2 }, { 8, 7 }, { 33, 4 } };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint32_t width = sizes[i][0], height = sizes[i][1];
		cairn_image *image = places(width, height), *before = places(width, height);

		image->full_width = 3 * width;
		cn_image_flip(image);
		assert_int_equal(cairn_image_width(image), width);
		assert_int_equal(cairn_image_height(image), height);
		assert_int_equal(cairn_image_full_width(image), 3 * width);
		for (uint32_t y = 0; y < height; y++)
			for (uint32_t x = 0; x < width; x++) {
				const uint8_t *pixel = cairn_image_pixels(image) + (y * width + x) * 3;

				assert_int_equal(pixel[0], width - 1 - x);
				assert_int_equal(pixel[1], y);
				assert_int_equal(pixel[2], 7);
			}
		/* Twice is not at all. */
		cn_image_flip(image);
		assert_memory_equal(image->pixels, before->pixels, (size_t)3 * width * height);
		cairn_image_free(before);
		cairn_image_free(image);
	}
}

/* What is drawn covers the area of the shape, wherever it is and however it is turned. */
static void lines_cover_their_area(void **state)
{
	static const struct {
		double x0, y0, x1, y1, thickness;
	} cases[] = {
		{ 10, 50, 90, 50, 1 },         { 50, 10, 50, 90, 1 },     { 10, 20, 80, 85, 1 },
		{ 20.3, 70.6, 81.7, 12.2, 2 }, { 15, 40.5, 85, 41.5, 3 }, { 80.2, 30.1, 20.9, 60, 5 },
		{ 50, 50, 50, 50, 8 },         { 5, 5, 95, 95, 1.5 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		double length = hypot(cases[i].x1 - cases[i].x0, cases[i].y1 - cases[i].y0),
		       half = cases[i].thickness / 2;
		double area = length * cases[i].thickness + 3.14159265 * half * half;
		cairn_image *image = white(101, 101);

		cairn_image_draw_line(image, cases[i].x0, cases[i].y0, cases[i].x1, cases[i].y1, cases[i].thickness,
				      BLACK);
		assert_float_equal(ink(image), area, 0.06 * area + 1.5);
		cairn_image_free(image);
	}
}

static void lines_are_clipped(void **state)
{
	static const struct {
		double x0, y0, x1, y1;
		double length; /* of what can be seen in 100 x 100 pixels */
	} cases[] = {
		{ -1e9, 50, 1e9, 50, 100 }, { 50, -1e14, 50, 1e14, 100 },  { -1e6, -1e6, 1e6, 1e6, 141.4 },
		{ -50, -50, -10, 500, 0 },  { 1e15, 1e15, 2e15, 1e15, 0 }, { NAN, 0, 50, 50, 0 },
		{ 0, 0, INFINITY, 50, 0 },  { 50, 50, -1e308, 1e308, 0 },  { 50, 20, 1e7, 20, 50 },
		{ 200, 20, 300, 80, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cairn_image *image = white(100, 100);

		cairn_image_draw_line(image, cases[i].x0, cases[i].y0, cases[i].x1, cases[i].y1, 1, BLACK);
		assert_float_equal(ink(image), cases[i].length, 0.13 * cases[i].length + 0.6);
		cairn_image_free(image);
	}
}

static void circles(void **state)
{
	static const struct {
		double x, y, radius, thickness, area;
	} cases[] = {
		{ 50, 50, 30, 1, 188.5 }, { 50.4, 49.7, 20, 3, 377 },  { 50, 50, 4, 8, 201 }, { 0, 0, 40, 2, 125.7 },
		{ -500, 50, 30, 1, 0 },   { 50, 50, NAN, 1, 0 },       { NAN, 0, 5, 1, 0 },   { 50, 50, -3, 1, 0 },
		{ 50, 50, 1e14, 1, 0 },   { 50, 50, 10, INFINITY, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cairn_image *image = white(101, 101);

		cairn_image_draw_circle(image, cases[i].x, cases[i].y, cases[i].radius, cases[i].thickness, BLACK);
		assert_float_equal(ink(image), cases[i].area, 0.05 * cases[i].area + 0.5);
		cairn_image_free(image);
	}
}

static void boxes_lie_inside(void **state)
{
	cairn_image *image = white(40, 30);

	(void)state;
	cairn_image_draw_box(image, (cairn_box){ 5, 4, 25, 20 }, 1, BLACK);
	assert_int_equal(level(image, 5, 4), 0);
	assert_int_equal(level(image, 24, 19), 0);
	assert_int_equal(level(image, 15, 4), 0);
	assert_int_equal(level(image, 24, 10), 0);
	assert_int_equal(level(image, 4, 10), 255);
	assert_int_equal(level(image, 25, 10), 255);
	assert_int_equal(level(image, 15, 20), 255);
	assert_int_equal(level(image, 15, 10), 255);
	assert_float_equal(ink(image), 2 * (20 + 16) - 4, 1);
	cairn_image_draw_box(image, (cairn_box){ -1e12, -1e12, 1e12, 1e12 }, 3, BLACK);
	cairn_image_draw_box(image, (cairn_box){ NAN, 0, 9, 9 }, 3, BLACK);
	cairn_image_draw_box(image, (cairn_box){ 9, 9, 3, 3 }, 1, BLACK);
	assert_float_equal(ink(image), 2 * (20 + 16) - 4, 1);
	cairn_image_free(image);
}

static void colours_blend(void **state)
{
	cairn_image *image = white(9, 9);

	(void)state;
	cairn_image_draw_line(image, -5, 4.5, 20, 4.5, 1, (cairn_colour){ 55, 255, 155 });
	const uint8_t *pixel = cairn_image_pixels(image) + (4 * 9 + 4) * 3;
	assert_int_equal(pixel[0], 155);
	assert_int_equal(pixel[1], 255);
	assert_int_equal(pixel[2], 205);
	cairn_image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_images),
		cmocka_unit_test(crops),
		cmocka_unit_test(crops_of_reduced_images),
		cmocka_unit_test(bad_crops),
		cmocka_unit_test(grey_levels),
		cmocka_unit_test(pasting_clips),
		cmocka_unit_test(flips_exchange_left_and_right),
		cmocka_unit_test(lines_cover_their_area),
		cmocka_unit_test(lines_are_clipped),
		cmocka_unit_test(circles),
		cmocka_unit_test(boxes_lie_inside),
		cmocka_unit_test(colours_blend),
	};

	return cmocka_run_group_tests_name("image/image", tests, NULL, NULL);
}
