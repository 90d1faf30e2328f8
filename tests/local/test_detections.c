/*
 * Keypoints that a network lists: which are kept, where they are, in which order.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "local/detections.h"
#include "support.h"

enum { WIDTH = 41, HEIGHT = 21, DIM = 3, COUNT = 9 };

/* Some lie outside, some on the edge, two have the same score. */
static const float places[2 * COUNT] = { 0, 0, 40, 20, 41, 5, -1, 5, 20, 10, 7, 21, 7, -1, 3, 3, 39, 19 };
static const float scores[COUNT] = { 0.5f, 0.25f, 0.9f, 0.9f, 0.75f, 0.9f, 0.9f, -1, 0.75f };
static const float descriptors[DIM * COUNT] = { 1, 0, 0, 0, 2, 0, 9, 9, 9, 9, 9, 9, 3, 0,
						4, 9, 9, 9, 9, 9, 9, 1, 1, 1, 0, 0, 0 };

static cn_detections detections(cn_tensor_type type, const void *data)
{
	return (cn_detections){ .count = COUNT,
				.dim = DIM,
				.places = { .type = type, .data = (void *)(uintptr_t)data },
				.scores = scores,
				.descriptors = descriptors };
}

static void check(const cn_detections *from, int unit)
{
	static const size_t order[] = { 4, 8, 0, 1 };
	const cn_detections_rule rule = { 0, unit, 100 };
	cn_points points = { 0 };
	assert_ok(cn_detections_choose(from, &rule, WIDTH, HEIGHT, &points));
	assert_int_equal(points.count, 4);
	for (size_t i = 0; i < 4; i++) {
		const cairn_keypoint *point = &points.keypoints[i];
		const float *descriptor = points.descriptors + i * DIM, *given = descriptors + order[i] * DIM;
		double norm = sqrt((double)(given[0] * given[0] + given[1] * given[1] + given[2] * given[2]));
		assert_float_equal(point->x, places[2 * order[i]], 1e-4);
		assert_float_equal(point->y, places[2 * order[i] + 1], 1e-4);
		assert_float_equal(point->score, scores[order[i]], 0);
		assert_float_equal(point->scale, 0, 0);
		for (size_t c = 0; c < DIM; c++)
			assert_float_equal(descriptor[c], norm > 0 ? (double)given[c] / norm : 0, 1e-6);
	}
	cn_points_free(&points);
}

static void all_types_and_units(void **state)
{
	(void)state;
	int64_t wide[2 * COUNT];
	int32_t narrow[2 * COUNT];
	float unit[2 * COUNT];
	for (size_t i = 0; i < 2 * COUNT; i++) {
		wide[i] = (int64_t)places[i];
		narrow[i] = (int32_t)places[i];
		unit[i] = places[i] / (i % 2 ? HEIGHT - 1 : WIDTH - 1) * 2 - 1;
	}
	cn_detections cases[] = { detections(CN_TENSOR_F32, places), detections(CN_TENSOR_I64, wide),
				  detections(CN_TENSOR_I32, narrow), detections(CN_TENSOR_F32, unit) };
	for (size_t i = 0; i < 4; i++)
		check(&cases[i], i == 3);
}

static void the_best_above_the_threshold(void **state)
{
	(void)state;
	const struct {
		cn_detections_rule rule;
		size_t count;
	} cases[] = {
		{ { -2, 0, 100 }, 5 }, { { 0.5f, 0, 100 }, 3 }, { { 0.6f, 0, 100 }, 2 },
		{ { 2, 0, 100 }, 0 },  { { -2, 0, 1 }, 1 },
	};
	const cn_detections from = detections(CN_TENSOR_F32, places);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cn_points points = { 0 };
		assert_ok(cn_detections_choose(&from, &cases[i].rule, WIDTH, HEIGHT, &points));
		assert_int_equal(points.count, cases[i].count);
		if (points.count)
			assert_float_equal(points.keypoints[0].x, 20, 0);
		cn_points_free(&points);
	}
}

static void absurd_places_are_passed_over(void **state)
{
	(void)state;
	static const int64_t absurd[2 * COUNT] = {
		INT64_MAX, INT64_MAX, INT64_MIN, 0, 0, INT64_MIN, INT64_MAX, 3, 3, 3
	};
	static const float huge[2 * COUNT] = { 3e38f, 0, -3e38f, -3e38f, 0, 3e38f };
	static const cn_detections_rule rule = { 0.7f, 0, 100 }, unit = { -2, 1, 100 };
	cn_detections from = detections(CN_TENSOR_I64, absurd);
	cn_points points = { 0 };
	assert_ok(cn_detections_choose(&from, &rule, WIDTH, HEIGHT, &points));
	/* The third has x 0, but a y that is absurd; those behind the fifth are at 0, 0. */
	assert_int_equal(points.count, 4);
	for (size_t i = 0; i < points.count; i++)
		assert_true(points.keypoints[i].x == 0 || points.keypoints[i].x == 3);
	cn_points_free(&points);
	from = detections(CN_TENSOR_F32, huge);
	assert_ok(cn_detections_choose(&from, &unit, WIDTH, HEIGHT, &points));
	assert_int_equal(points.count, COUNT - 3);
	cn_points_free(&points);
	from.count = 0;
	assert_ok(cn_detections_choose(&from, &rule, WIDTH, HEIGHT, &points));
	assert_int_equal(points.count, 0);
	cn_points_free(&points);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_types_and_units),
		cmocka_unit_test(the_best_above_the_threshold),
		cmocka_unit_test(absurd_places_are_passed_over),
	};
	return cmocka_run_group_tests_name("local/detections", tests, NULL, NULL);
}
