/* Ascending ids: looked for by halving as one by one. */
#include <stdlib.h>

#include "support.h"
#include "util/ids.h"

static void ids_are_found_where_a_walk_finds_them(void **state)
{
	static const int64_t ids[] = { INT64_MIN, -7, 0, 1, 2, 2, 9, 1000, INT64_MAX };
	static const int64_t wanted[] = { INT64_MIN, INT64_MIN + 1, -8,   -7,   -1,       0, 1, 2, 3, 9,
					  10,        999,           1000, 1001, INT64_MAX };
	(void)state;
	for (size_t count = 0; count <= sizeof(ids) / sizeof(ids[0]); count++)
		for (size_t w = 0; w < sizeof(wanted) / sizeof(wanted[0]); w++) {
			size_t at = 0;
			while (at < count && ids[at] < wanted[w])
				at++;
			assert_int_equal(cn_ids_find(ids, count, wanted[w]), at);
			assert_int_equal(cn_ids_have(ids, count, wanted[w]), at < count && ids[at] == wanted[w]);
		}
	assert_int_equal(cn_ids_find(NULL, 0, 1), 0);
	assert_false(cn_ids_have(NULL, 0, 1));
}

static void far_ids_are_ordered(void **state)
{
	int64_t ids[] = { 5, INT64_MAX, -1, INT64_MIN, 5, 0 };
	static const int64_t wanted[] = { INT64_MIN, -1, 0, 5, 5, INT64_MAX };
	(void)state;
	qsort(ids, sizeof(ids) / sizeof(ids[0]), sizeof(ids[0]), cn_ids_compare);
	assert_memory_equal(ids, wanted, sizeof(ids));
}

static void ids_are_sorted_and_each_is_kept_once(void **state)
{
	int64_t ids[] = { 5, INT64_MAX, -1, 5, INT64_MIN, 5, 0, -1 };
	static const int64_t wanted[] = { INT64_MIN, -1, 0, 5, INT64_MAX };
	(void)state;
	assert_int_equal(cn_ids_sort(ids, 8), 5);
	assert_memory_equal(ids, wanted, sizeof(wanted));
	assert_int_equal(cn_ids_sort(ids, 1), 1);
	assert_int_equal(cn_ids_sort(NULL, 0), 0);
}

static void what_does_not_ascend_is_named(void **state)
{
	static const int64_t twice[] = { 1, 4, 4, 5 }, back[] = { 1, 4, -3 }, good[] = { -3, 1, 4 };
	(void)state;
	assert_fails(cn_ids_ascend(twice, 4, "removed"), CAIRN_EINVALID, "removed ids must ascend; 4 follows 4");
	assert_fails(cn_ids_ascend(back, 3, "image"), CAIRN_EINVALID, "image ids must ascend; -3 follows 4");
	assert_ok(cn_ids_ascend(good, 3, "image"));
	assert_ok(cn_ids_ascend(twice, 1, "image"));
	assert_ok(cn_ids_ascend(NULL, 0, "image"));
	assert_fails(cn_ids_ascend(NULL, 2, "image"), CAIRN_EINVALID, "2 image ids at NULL");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_found_where_a_walk_finds_them),
		cmocka_unit_test(far_ids_are_ordered),
		cmocka_unit_test(ids_are_sorted_and_each_is_kept_once),
		cmocka_unit_test(what_does_not_ascend_is_named),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
