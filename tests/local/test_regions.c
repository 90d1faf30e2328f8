/* Regions of a grid: which features are in them, and that aggregation is that of sets made by hand. */
#include <stdlib.h>
#include <string.h>

#include "data/features.h"
#include "local/regions.h"
#include "math/regions.h"
#include "support.h"
#include "torture.h"

enum { WIDTH = 640, HEIGHT = 480, COUNT = 60, DIM = 16 };

static cairn_features *spread_features(size_t count)
{
	cairn_keypoint points[COUNT] = { 0 };
	float descriptors[COUNT * DIM] = { 0 };
	cairn_features *features;
	uint64_t seed = 5;
	for (size_t i = 0; i < count; i++)
		points[i] = (cairn_keypoint){ .x = WIDTH * cn_test_uniform(&seed),
					      .y = HEIGHT * cn_test_uniform(&seed),
					      .score = (float)(count - i) };
	for (size_t i = 0; i < count * DIM; i++)
		descriptors[i] = cn_test_normal(&seed);
	assert_ok(cairn_features_new(&features, "test", WIDTH, HEIGHT, count, DIM, points, descriptors));
	return features;
}

static int is_in(const cairn_keypoint *point, const cn_region *region)
{
	return point->x >= (float)region->x && point->x < (float)(region->x + region->side) &&
	       point->y >= (float)region->y && point->y < (float)(region->y + region->side);
}

static void sets_hold_the_features_of_their_squares(void **state)
{
	cairn_features *features = spread_features(COUNT);
	cn_region regions[200];
	cn_region_sets sets;
	size_t count = cn_regions(WIDTH, HEIGHT, 3, 0.4, regions), set = 1;
	(void)state;
	assert_true(cn_regions_most(3) <= 200);
	assert_ok(cn_region_sets_make(&sets, features, NULL));
	assert_ptr_equal(sets.sets[0], features);
	for (size_t r = 0; r < count; r++) {
		size_t within = 0;
		for (size_t i = 0; i < COUNT; i++) {
			if (!is_in(&features->keypoints[i], &regions[r]))
				continue;
			assert_true(set < sets.count && within < sets.sets[set]->count);
			assert_memory_equal(&sets.sets[set]->keypoints[within], &features->keypoints[i],
					    sizeof(cairn_keypoint));
			assert_memory_equal(sets.sets[set]->codes + within * DIM, features->codes + i * DIM, DIM);
			within++;
		}
		if (!within)
			continue;
		assert_int_equal(sets.sets[set]->count, within);
		assert_true(sets.sets[set]->code_scale == features->code_scale);
		assert_int_equal(sets.sets[set]->width, WIDTH);
		set++;
	}
	assert_int_equal(set, sets.count);
	assert_true(sets.count > 10);
	cn_region_sets_free(&sets);
	cairn_features_free(features);
}

/* Pixels whose centres are at 0, 9, 10 and 19 of a line: boxes end at edges of pixels, the end is not in them. */
static void sets_of_boxes_hold_the_features_of_their_pixels(void **state)
{
	static const struct {
		cairn_box place;
		size_t count, first;
	} cases[] = {
		{ { 0, 0, 640, 480 }, 4, 0 }, { { 0, 0, 1, 1 }, 1, 0 },   { { 0, 0, 9.5, 9 }, 1, 0 },
		{ { 0, 0, 9.6, 9 }, 2, 0 },   { { 10, 0, 20, 1 }, 2, 2 }, { { 0, 1, 640, 480 }, 0, 0 },
	};
	cairn_keypoint points[4] = { { .x = 0 }, { .x = 9 }, { .x = 10 }, { .x = 19 } };
	const float descriptors[4 * DIM] = { 1 };
	cairn_features *features;
	(void)state;
	for (size_t i = 0; i < 4; i++)
		points[i].score = (float)(4 - i);
	assert_ok(cairn_features_new(&features, "test", WIDTH, HEIGHT, 4, DIM, points, descriptors));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cn_found_box box = { cases[i].place, 1 };
		const cn_boxes boxes = { &box, 1 };
		cn_region_sets sets;
		assert_ok(cn_region_sets_make(&sets, features, &boxes));
		assert_ptr_equal(sets.sets[0], features);
		assert_int_equal(sets.count, cases[i].count ? 2 : 1);
		if (cases[i].count) {
			assert_int_equal(sets.sets[1]->count, cases[i].count);
			assert_float_equal(sets.sets[1]->keypoints[0].x, points[cases[i].first].x, 0.02);
		}
		cn_region_sets_free(&sets);
	}
	cn_region_sets sets;
	assert_ok(cn_region_sets_make(&sets, features, &(cn_boxes){ NULL, 0 }));
	assert_int_equal(sets.count, 1);
	cn_region_sets_free(&sets);
	cairn_features_free(features);
}

static void an_image_without_features_has_no_regions(void **state)
{
	cairn_features *features = spread_features(0);
	cn_region_sets sets;
	(void)state;
	assert_ok(cn_region_sets_make(&sets, features, NULL));
	assert_int_equal(sets.count, 1);
	cn_region_sets_free(&sets);
	cairn_features_free(features);
}

static int make_sets(void *context)
{
	cn_region_sets sets;
	int status = cn_region_sets_make(&sets, context, NULL);
	cn_region_sets_free(&sets);
	return status;
}

static void faults_are_reported(void **state)
{
	cairn_features *features = spread_features(10);
	(void)state;
	assert_ok(cn_regions_check("grid"));
	assert_ok(cn_regions_check("boxes"));
	assert_fails(cn_regions_check("squares"), CAIRN_EINVALID, "'squares' are not known");
	assert_true(cn_torture(make_sets, features) >= 3);
	cairn_features_free(features);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_hold_the_features_of_their_squares),
		cmocka_unit_test(sets_of_boxes_hold_the_features_of_their_pixels),
		cmocka_unit_test(an_image_without_features_has_no_regions),
		cmocka_unit_test(faults_are_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
