/* Rankings. */
#include <math.h>

#include "cairn/ranking.h"
#include "support.h"
#include "torture.h"

static void unused_places_hold_nothing(void **state)
{
	cairn_ranking *ranking;

	(void)state;
	assert_ok(cairn_ranking_new(&ranking, 3, 4));
	assert_int_equal(cairn_ranking_queries(ranking), 3);
	assert_int_equal(cairn_ranking_depth(ranking), 4);
	for (size_t q = 0; q < 3; q++) {
		assert_int_equal(cairn_ranking_count(ranking, q), 0);
		for (size_t r = 0; r < 4; r++) {
			assert_int_equal(cairn_ranking_images(ranking, q)[r], CAIRN_NO_IMAGE);
			assert_true(cairn_ranking_scores(ranking, q)[r] == -INFINITY);
		}
	}
	cairn_ranking_free(ranking);
	cairn_ranking_free(NULL);
}

static void places_are_set_row_by_row(void **state)
{
	cairn_ranking *ranking;

	(void)state;
	assert_ok(cairn_ranking_new(&ranking, 3, 4));
	for (size_t q = 0; q < 3; q++)
		for (size_t r = 0; r <= q; r++) {
			assert_ok(cairn_ranking_set(ranking, q, r, (int64_t)(10 * q + r), 1.0f / (float)(r + 1)));
			assert_int_equal(cairn_ranking_count(ranking, q), r + 1);
		}
	for (size_t q = 0; q < 3; q++)
		for (size_t r = 0; r < 4; r++) {
			assert_int_equal(cairn_ranking_images(ranking, q)[r],
					 r <= q ? (int64_t)(10 * q + r) : CAIRN_NO_IMAGE);
			assert_true(cairn_ranking_scores(ranking, q)[r] ==
				    (r <= q ? 1.0f / (float)(r + 1) : -INFINITY));
		}
	/* Setting a place again does not lengthen the row. */
	assert_ok(cairn_ranking_set(ranking, 2, 0, 99, -INFINITY));
	assert_int_equal(cairn_ranking_count(ranking, 2), 3);
	assert_int_equal(cairn_ranking_images(ranking, 2)[0], 99);
	cairn_ranking_free(ranking);
}

static void bad_sizes_are_refused(void **state)
{
	static const struct {
		size_t queries, depth;
		int status;
	} cases[] = {
		{ 0, 1, CAIRN_EINVALID },
		{ 1, 0, CAIRN_EINVALID },
		{ 1, (size_t)INT32_MAX + 1, CAIRN_EINVALID },
		{ SIZE_MAX, 2, CAIRN_ENOMEM },
		{ SIZE_MAX / 2, 1, CAIRN_ENOMEM },
	};
	cairn_ranking *ranking;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_fails(cairn_ranking_new(&ranking, cases[i].queries, cases[i].depth), cases[i].status, NULL);
		assert_null(ranking);
	}
}

static void bad_places_are_refused(void **state)
{
	static const struct {
		size_t query, rank;
		int64_t image;
		float score;
		const char *part;
	} cases[] = {
		{ 2, 0, 1, 1, "query 2, rank 0 is outside" },
		{ 0, 3, 1, 1, "query 0, rank 3 is outside" },
		{ SIZE_MAX, SIZE_MAX, 1, 1, "is outside" },
		{ 0, 0, -1, 1, "image id -1" },
		{ 0, 0, 1, NAN, "not a number" },
	};
	cairn_ranking *ranking;

	(void)state;
	assert_ok(cairn_ranking_new(&ranking, 2, 3));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_fails(cairn_ranking_set(ranking, cases[i].query, cases[i].rank, cases[i].image, cases[i].score),
			     CAIRN_EINVALID, cases[i].part);
		assert_int_equal(cairn_ranking_count(ranking, 0), 0);
	}
	cairn_ranking_free(ranking);
}

static int make(void *context)
{
	cairn_ranking *ranking;

	(void)context;
	CN_TRY(cairn_ranking_new(&ranking, 2, 2));
	cairn_ranking_free(ranking);
	return 0;
}

static void memory_may_run_out(void **state)
{
	(void)state;
	assert_int_equal(cn_torture(make, NULL), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unused_places_hold_nothing), cmocka_unit_test(places_are_set_row_by_row),
		cmocka_unit_test(bad_sizes_are_refused),      cmocka_unit_test(bad_places_are_refused),
		cmocka_unit_test(memory_may_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
