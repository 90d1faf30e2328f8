/* Order by inliers against its definition. */
#include <math.h>
#include <string.h>

#include "rank/inliers.h"
#include "support.h"

#define COUNT 6

static void known_orders(void **state)
{
	static const struct {
		const char *what;
		cn_inlier_options options;
		int32_t inliers[COUNT];
		int64_t order[COUNT];
		float scores[COUNT];
	} cases[] = {
		/* scores before: 1, .8, .6, .6, .5, .1 for the images 10 to 15 */
		{ "nothing verified",
		  { CAIRN_ORDER_INLIERS, 5, 0 },
		  { -1, -1, -1, -1, -1, -1 },
		  { 10, 11, 12, 13, 14, 15 },
		  { 1, 0.8f, 0.6f, 0.6f, 0.5f, 0.1f } },
		{ "one below the minimum",
		  { CAIRN_ORDER_INLIERS, 5, 0 },
		  { 0, 4, 1, 2, 3, 5 },
		  { 15, 10, 11, 12, 13, 14 },
		  { 6, 1, 0.8f, 0.6f, 0.6f, 0.5f } },
		{ "more inliers first, ties as before",
		  { CAIRN_ORDER_INLIERS, 5, 0 },
		  { 5, 9, 7, 9, -1, 30 },
		  { 15, 11, 13, 12, 10, 14 },
		  { 31, 10, 10, 8, 6, 0.5f } },
		/* The published order: by inliers, then by score, with 0 for what was not verified. */
		{ "no minimum",
		  { CAIRN_ORDER_INLIERS, 0, 0 },
		  { 0, 3, 0, 0, 4, -1 },
		  { 14, 11, 10, 12, 13, 15 },
		  { 5, 4, 1, 0.6f, 0.6f, 0.1f } },
		{ "no minimum, and an equal not verified",
		  { CAIRN_ORDER_INLIERS, 0, 0 },
		  { -1, 0, 1, -1, 0, 0 },
		  { 12, 10, 11, 13, 14, 15 },
		  { 2, 1, 0.8f, 0.6f, 0.5f, 0.1f } },
		{ "fused",
		  { CAIRN_ORDER_FUSED, 3, 0.5f },
		  { -1, 2, 3, -1, 7, 0 },
		  { 14, 12, 10, 11, 13, 15 },
		  { 1.5397208f, 1.2931472f, 1, 0.8f, 0.6f, 0.1f } },
		{ "fused without boost",
		  { CAIRN_ORDER_FUSED, 3, 0 },
		  { -1, 2, 3, -1, 7, 900 },
		  { 10, 11, 12, 13, 14, 15 },
		  { 1, 0.8f, 0.6f, 0.6f, 0.5f, 0.1f } },
	};
	static const float before[COUNT] = { 1, 0.8f, 0.6f, 0.6f, 0.5f, 0.1f };
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cn_inlier_item items[COUNT];
		for (size_t k = 0; k < COUNT; k++)
			items[k] = (cn_inlier_item){ 10 + (int64_t)k, before[k], cases[i].inliers[k], 99, 99 };
		cn_order_by_inliers(items, COUNT, &cases[i].options);
		for (size_t k = 0; k < COUNT; k++)
			if (items[k].id != cases[i].order[k] || fabsf(items[k].score - cases[i].scores[k]) > 1e-6f ||
			    items[k].place != (size_t)items[k].id - 10 ||
			    items[k].inliers != cases[i].inliers[items[k].place] ||
			    items[k].trusted != (items[k].inliers >= 1 && items[k].inliers >= cases[i].options.trust))
				fail_msg("%s: place %zu has image %d with %g", cases[i].what, k, (int)items[k].id,
					 (double)items[k].score);
	}
}

/* Search by both has scores above any number of inliers. */
static void inliers_stand_above_large_scores(void **state)
{
	const cn_inlier_options options = { CAIRN_ORDER_INLIERS, 8, 0 };
	cn_inlier_item items[] = { { .id = 1, .score = 40, .inliers = 7 },
				   { .id = 2, .score = 30, .inliers = 9 },
				   { .id = 3, .score = 0.5f, .inliers = 12 } };
	(void)state;
	cn_order_by_inliers(items, 3, &options);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(items[i].id, 3 - (int64_t)i);
}

/* 1 where an item belongs before another, by the definition. */
static int before(const cn_inlier_item *a, const cn_inlier_item *b, const cn_inlier_options *options)
{
	int32_t trust = options->trust > 1 ? options->trust : 1;
	int32_t inliers_a = a->inliers < trust ? 0 : a->inliers, inliers_b = b->inliers < trust ? 0 : b->inliers;
	double score_a = (double)a->score, score_b = (double)b->score;
	if (options->order == CAIRN_ORDER_INLIERS && inliers_a != inliers_b)
		return inliers_a > inliers_b;
	if (options->order == CAIRN_ORDER_FUSED) {
		score_a += (double)options->boost * log(1.0 + inliers_a);
		score_b += (double)options->boost * log(1.0 + inliers_b);
	}
	return score_a > score_b + 1e-6;
}

static void long_lists_are_in_order(void **state)
{
	enum { LENGTH = 300 };
	(void)state;
	for (uint64_t seed = 1; seed <= 50; seed++) {
		cn_inlier_item items[LENGTH], unordered[LENGTH];
		uint64_t random = seed;
		const cn_inlier_options options = { seed % 2 ? CAIRN_ORDER_FUSED : CAIRN_ORDER_INLIERS,
						    (int32_t)(seed % 7), 0.1f };
		int seen[LENGTH] = { 0 };
		for (size_t i = 0; i < LENGTH; i++)
			unordered[i] = (cn_inlier_item){ (int64_t)i, 1.0f - (float)(i / 3) / 100,
							 (int32_t)(cn_test_random(&random) % 12) - 1, 0, 0 };
		memcpy(items, unordered, sizeof(items));
		cn_order_by_inliers(items, LENGTH, &options);
		for (size_t i = 0; i < LENGTH; i++) {
			assert_in_range(items[i].place, 0, LENGTH - 1);
			assert_int_equal(seen[items[i].place]++, 0);
			if (i == 0)
				continue;
			assert_false(before(&unordered[items[i].place], &unordered[items[i - 1].place], &options));
			assert_true(items[i].score <= items[i - 1].score);
			assert_true(items[i].score < items[i - 1].score || items[i].place > items[i - 1].place);
		}
	}
}

static void short_lists(void **state)
{
	const cn_inlier_options options = { CAIRN_ORDER_INLIERS, 5, 0.1f };
	cn_inlier_item item = { 3, 0.5f, 8, 99, 99 };
	(void)state;
	cn_order_by_inliers(NULL, 0, &options);
	cn_order_by_inliers(&item, 1, &options);
	assert_int_equal(item.place, 0);
	assert_true(item.score == 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_orders),
		cmocka_unit_test(inliers_stand_above_large_scores),
		cmocka_unit_test(long_lists_are_in_order),
		cmocka_unit_test(short_lists),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
