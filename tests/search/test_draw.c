/*
 * Drawings of matched points: where the photographs go, where the lines run, and how many of them.
 */
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/search.h"
#include "util/memory.h"

static cairn_image *plain(uint32_t width, uint32_t height, uint8_t level)
{
	uint8_t *pixels = test_malloc((size_t)width * height * 3);
	cairn_image *image;

	memset(pixels, level, (size_t)width * height * 3);
	assert_ok(cairn_image_new(&image, width, height, pixels));
	test_free(pixels);
	return image;
}

static const uint8_t *pixel_at(const cairn_image *image, size_t x, size_t y)
{
	return cairn_image_pixels(image) + (y * cairn_image_width(image) + x) * 3;
}

/* Colour, not grey: something was drawn here. */
static int is_coloured(const cairn_image *image, double x, double y)
{
	const uint8_t *pixel = pixel_at(image, (size_t)lround(x), (size_t)lround(y));

	return abs(pixel[0] - pixel[1]) > 25 || abs(pixel[1] - pixel[2]) > 25;
}

/* Runs of coloured pixels down one column: the lines that cross it. */
static int lines_across(const cairn_image *image, size_t x)
{
	int lines = 0, before = 0;

	for (size_t y = 0; y < cairn_image_height(image); y++) {
		int now = is_coloured(image, (double)x, (double)y);

		lines += now && !before;
		before = now;
	}
	return lines;
}

static void photographs_stand_side_by_side(void **state)
{
	cairn_image *a = plain(200, 100, 60), *b = plain(50, 100, 190), *drawing;

	(void)state;
	assert_ok(cairn_draw_matches(&drawing, a, b, NULL, 0, 300));
	uint32_t width = cairn_image_width(drawing), gap = width - 600 - 150;
	assert_int_equal(cairn_image_height(drawing), 300);
	assert_in_range(gap, 2, 20);
	for (uint32_t y = 0; y < 300; y += 23) {
		assert_int_equal(*pixel_at(drawing, 0, y), 60);
		assert_int_equal(*pixel_at(drawing, 599, y), 60);
		assert_in_range(*pixel_at(drawing, 600 + gap / 2, y), 0, 50);
		assert_int_equal(*pixel_at(drawing, 600 + gap, y), 190);
		assert_int_equal(*pixel_at(drawing, width - 1, y), 190);
	}
	cairn_image_free(drawing);
	cairn_image_free(a);
	cairn_image_free(b);
}

static void lines_join_the_points(void **state)
{
	static const cairn_point_pair pair = { 49.5f, 24.5f, 9.5f, 74.5f };
	cairn_image *a = plain(100, 100, 60), *b = plain(100, 100, 190), *drawing;

	(void)state;
	assert_ok(cairn_draw_matches(&drawing, a, b, &pair, 1, 400));
	double left = cairn_image_width(drawing) - 400, ax = 199.5, ay = 99.5, bx = left + 39.5, by = 299.5;
	for (int i = 0; i <= 10; i++)
		assert_true(is_coloured(drawing, ax + (bx - ax) * i / 10, ay + (by - ay) * i / 10));
	assert_false(is_coloured(drawing, ax, ay + 100));
	assert_false(is_coloured(drawing, 20, 20));
	cairn_image_free(drawing);
	cairn_image_free(a);
	cairn_image_free(b);
}

static cairn_point_pair *many_pairs(size_t count)
{
	cairn_point_pair *pairs = test_malloc(count * sizeof(*pairs));
	uint64_t random = 11;

	for (size_t i = 0; i < count; i++) {
		float x = 400 * cn_test_uniform(&random), y = (float)i * 300 / (float)count;

		pairs[i] = (cairn_point_pair){ x, y, x, y };
	}
	return pairs;
}

static void many_points_are_thinned(void **state)
{
	static const struct {
		size_t count;
		int least, most;
	} cases[] = { { 10, 10, 10 }, { 30, 26, 30 }, { 60, 26, 40 }, { 300, 26, 40 }, { 3000, 26, 40 } };
	cairn_image *image = plain(400, 300, 128), *drawing;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cairn_point_pair *pairs = many_pairs(cases[i].count);

		assert_ok(cairn_draw_matches(&drawing, image, image, pairs, cases[i].count, 900));
		/* The middle, between the photographs, shows lines alone. */
		assert_in_range(lines_across(drawing, cairn_image_width(drawing) / 2), cases[i].least, cases[i].most);
		cairn_image_free(drawing);
		test_free(pairs);
	}
	cairn_image_free(image);
}

static void drawings_repeat(void **state)
{
	cairn_image *image = plain(400, 300, 128), *first, *second;
	cairn_point_pair *pairs = many_pairs(500);

	(void)state;
	assert_ok(cairn_draw_matches(&first, image, image, pairs, 500, 360));
	assert_ok(cairn_draw_matches(&second, image, image, pairs, 500, 360));
	assert_memory_equal(cairn_image_pixels(first), cairn_image_pixels(second),
			    (size_t)cairn_image_width(first) * 360 * 3);
	cairn_image_free(first);
	cairn_image_free(second);
	cairn_image_free(image);
	test_free(pairs);
}

static void odd_points_do_no_harm(void **state)
{
	static const cairn_point_pair pairs[] = {
		{ NAN, 1, 2, 3 },        { 1, INFINITY, 2, 3 },      { 1e30f, 1e30f, -1e30f, -1e30f },
		{ 5, 5, 1e10f, -1e10f }, { -500, -500, -500, -500 }, { 3, 3, 3, 3 },
		{ 3, 3, 3, 3 },
	};
	cairn_image *image = plain(40, 30, 128), *thin = plain(5000, 1, 9), *drawing;

	(void)state;
	for (size_t count = 0; count <= sizeof(pairs) / sizeof(pairs[0]); count++) {
		assert_ok(cairn_draw_matches(&drawing, image, thin, pairs, count, 90));
		assert_in_range(cairn_image_width(drawing), 120, 120 + 16 * 90 + 20);
		cairn_image_free(drawing);
	}
	assert_ok(cairn_draw_matches(&drawing, image, thin, pairs, 7, 1));
	cairn_image_free(drawing);
	assert_fails(cairn_draw_matches(&drawing, image, thin, pairs, 7, 0), CAIRN_EINVALID, "0 pixels");
	assert_fails(cairn_draw_matches(&drawing, image, thin, pairs, 7, 100000), CAIRN_EINVALID, "100000");
	assert_null(drawing);
	cairn_image_free(image);
	cairn_image_free(thin);
}

static void every_allocation_may_fail(void **state)
{
	cairn_image *image = plain(40, 30, 128), *drawing;
	cairn_point_pair *pairs = many_pairs(20);
	int status = CAIRN_ENOMEM, failures = -1;

	(void)state;
	for (long n = 0; status < 0; n++, failures++) {
		cn_memory_fail_at(n);
		status = cairn_draw_matches(&drawing, image, image, pairs, 20, 60);
		cn_memory_fail_at(-1);
		if (status < 0)
			assert_null(drawing);
	}
	assert_in_range(failures, 6, 60);
	cairn_image_free(drawing);
	cairn_image_free(image);
	test_free(pairs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(photographs_stand_side_by_side), cmocka_unit_test(lines_join_the_points),
		cmocka_unit_test(many_points_are_thinned),        cmocka_unit_test(drawings_repeat),
		cmocka_unit_test(odd_points_do_no_harm),          cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests_name("search/draw", tests, NULL, NULL);
}
