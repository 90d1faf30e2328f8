/*
 * Verified pairs by image id: found again, replaced, kept while the table grows, given back when memory is short.
 */
#include <string.h>

#include "search/pair_cache.h"
#include "torture.h"

static cn_pair *new_pair(int64_t id, uint32_t inliers)
{
	const cairn_verification result = { .inliers = inliers };
	static const cairn_match matches[4] = { { 0, 1, 0.5f }, { 1, 0, 0.25f }, { 2, 3, 0.75f }, { 3, 2, 1 } };
	static const cairn_keypoint points[4] = {
		{ .x = 1, .y = 2 }, { .x = 3, .y = 4 }, { .x = 5, .y = 6 }, { .x = 7, .y = 8 }
	};
	static const float descriptors[4] = { 1, 1, 1, 1 };
	cairn_features *features;
	cn_pair *pair;
	assert_ok(cairn_features_new(&features, "kind", 10, 10, 4, 1, points, descriptors));
	assert_ok(cn_pair_new(&pair, id, &result, matches, features, features));
	cairn_features_free(features);
	return pair;
}

static void pairs_keep_matches_and_points(void **state)
{
	(void)state;
	static const cairn_point_pair expected[] = { { 1, 2, 3, 4 }, { 3, 4, 1, 2 }, { 5, 6, 7, 8 }, { 7, 8, 5, 6 } };
	for (uint32_t inliers = 0; inliers <= 4; inliers++) {
		cn_pair *pair = new_pair(7, inliers);
		assert_int_equal(pair->id, 7);
		assert_int_equal(pair->result.inliers, inliers);
		assert_non_null(pair->matches);
		for (uint32_t i = 0; i < inliers; i++) {
			assert_int_equal(pair->matches[i].a, i);
			assert_memory_equal(&pair->points[i], &expected[i], sizeof(expected[i]));
		}
		cn_pair_free(pair);
	}
	cn_pair_free(NULL);
}

/* Against a plain table, with ids that follow one another, lie far apart, or would share a place. */
static void finds_what_was_added_and_nothing_else(void **state)
{
	(void)state;
	static const int64_t steps[] = { 1, 256, (int64_t)1 << 20, ((int64_t)1 << 44) + 3 };
	for (size_t s = 0; s < sizeof(steps) / sizeof(*steps); s++) {
		cn_pair_cache cache = { 0 };
		assert_null(cn_pair_cache_find(&cache, 1));
		for (int64_t i = 1; i <= 3000; i++)
			assert_ok(cn_pair_cache_add(&cache, new_pair(i * steps[s], (uint32_t)(i % 5))));
		assert_int_equal(cache.count, 3000);
		assert_true(cache.capacity >= 2 * cache.count);
		for (int64_t i = 1; i <= 3000; i++) {
			const cn_pair *pair = cn_pair_cache_find(&cache, i * steps[s]);
			assert_non_null(pair);
			assert_int_equal(pair->id, i * steps[s]);
			assert_int_equal(pair->result.inliers, i % 5);
		}
		for (int64_t i = 3001; i <= 4000; i++)
			assert_null(cn_pair_cache_find(&cache, i * steps[s]));
		cn_pair_cache_free(&cache);
		assert_null(cn_pair_cache_find(&cache, steps[s]));
	}
}

static void pointers_stay_valid_while_it_grows(void **state)
{
	(void)state;
	cn_pair_cache cache = { 0 };
	cn_pair *first = new_pair(1, 3);
	assert_ok(cn_pair_cache_add(&cache, first));
	for (int64_t id = 2; id <= 2000; id++)
		assert_ok(cn_pair_cache_add(&cache, new_pair(id, 0)));
	assert_ptr_equal(cn_pair_cache_find(&cache, 1), first);
	assert_int_equal(first->result.inliers, 3);
	cn_pair_cache_free(&cache);
}

static void the_later_of_two_stays(void **state)
{
	(void)state;
	cn_pair_cache cache = { 0 };
	assert_ok(cn_pair_cache_add(&cache, new_pair(5, 1)));
	assert_ok(cn_pair_cache_add(&cache, new_pair(5, 2)));
	assert_int_equal(cache.count, 1);
	assert_int_equal(cn_pair_cache_find(&cache, 5)->result.inliers, 2);
	cn_pair_cache_free(&cache);
}

static int fill(void *context)
{
	cn_pair_cache cache = { 0 };
	static const cairn_match match = { 0, 0, 1 };
	const cairn_verification result = { .inliers = 1 };
	int status = 0;
	for (int64_t id = 1; id <= 130 && status == 0; id++) {
		cn_pair *pair;
		status = cn_pair_new(&pair, id, &result, &match, context, context);
		if (status == 0)
			status = cn_pair_cache_add(&cache, pair);
	}
	cn_pair_cache_free(&cache);
	return status;
}

static void survives_lack_of_memory(void **state)
{
	(void)state;
	static const cairn_keypoint point = { .x = 1 };
	static const float descriptor = 1;
	cairn_features *features;
	assert_ok(cairn_features_new(&features, "kind", 10, 10, 1, 1, &point, &descriptor));
	assert_int_equal(cn_torture(fill, features), 130 * 3 + 2);
	cairn_features_free(features);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_keep_matches_and_points),
		cmocka_unit_test(finds_what_was_added_and_nothing_else),
		cmocka_unit_test(pointers_stay_valid_while_it_grows),
		cmocka_unit_test(the_later_of_two_stays),
		cmocka_unit_test(survives_lack_of_memory),
	};
	return cmocka_run_group_tests_name("search/pair_cache", tests, NULL, NULL);
}
