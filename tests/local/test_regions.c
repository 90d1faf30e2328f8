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
	assert_ok(cn_region_sets_make(&sets, features));
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

static void an_image_without_features_has_no_regions(void **state)
{
	cairn_features *features = spread_features(0);
	cn_region_sets sets;
	(void)state;
	assert_ok(cn_region_sets_make(&sets, features));
	assert_int_equal(sets.count, 1);
	cn_region_sets_free(&sets);
	cairn_features_free(features);
}

static int make_sets(void *context)
{
	cn_region_sets sets;
	int status = cn_region_sets_make(&sets, context);
	cn_region_sets_free(&sets);
	return status;
}

static void faults_are_reported(void **state)
{
	cairn_features *features = spread_features(10);
	(void)state;
	assert_ok(cn_regions_check("grid"));
	assert_fails(cn_regions_check("squares"), CAIRN_EINVALID, "'squares' are not known");
	assert_true(cn_torture(make_sets, features) >= 3);
	cairn_features_free(features);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_hold_the_features_of_their_squares),
		cmocka_unit_test(an_image_without_features_has_no_regions),
		cmocka_unit_test(faults_are_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
