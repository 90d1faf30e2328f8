/* The shortlist against sorting everything. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hits.h"
#include "support.h"
#include "util/memory.h"
#include "util/shortlist.h"

#define MOST 2000

enum contents { FEW_VALUES, MANY_VALUES, ASCENDING, DESCENDING, ALL_ALIKE, CONTENTS };

static float score_of(enum contents contents, size_t i, uint64_t *seed)
{
	switch (contents) {
	case FEW_VALUES:
		return (float)(int)(cn_test_random(seed) % 7) - 3;
	case MANY_VALUES:
		return cn_test_normal(seed);
	case ASCENDING:
		return (float)i;
	case DESCENDING:
		return -(float)i;
	default:
		return 0.25f;
	}
}

/* Each row once, in random order, with both zeros, infinities and NaN among the scores. */
static void random_items(cn_scored_row *items, size_t count, enum contents contents, uint64_t *seed)
{
	static const float strange[] = { NAN, INFINITY, -INFINITY, -0.0f, 0.0f };
	for (size_t i = 0; i < count; i++) {
		uint64_t r = cn_test_random(seed);
		items[i].score = r % 64 < 5 ? strange[r % 64] : score_of(contents, i, seed);
		items[i].row = (uint32_t)i;
	}
	for (size_t i = 1; i < count; i++) {
		size_t other = cn_test_random(seed) % (i + 1);
		uint32_t row = items[i].row;
		items[i].row = items[other].row;
		items[other].row = row;
	}
}

/* Sorts the items; NaN is left out. @return how many are left */
static size_t sort_everything(cn_scored_row *items, size_t count)
{
	size_t numbers = 0;
	for (size_t i = 0; i < count; i++)
		if (!isnan(items[i].score))
			items[numbers++] = items[i];
	qsort(items, numbers, sizeof(*items), cn_test_best_first);
	return numbers;
}

static void assert_best(const cn_shortlist *list, const cn_scored_row *sorted, size_t numbers, size_t keep)
{
	assert_int_equal(list->count, numbers < keep ? numbers : keep);
	for (size_t i = 0; i < list->count; i++) {
		assert_true(list->items[i].score == sorted[i].score);
		assert_int_equal(list->items[i].row, sorted[i].row);
	}
}

static void push_all(cn_shortlist *list, const cn_scored_row *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		cn_shortlist_push(list, items[i].score, items[i].row);
}

static void check_case(size_t count, size_t keep, enum contents contents, uint64_t *seed)
{
	cn_scored_row items[MOST];
	cn_shortlist list;
	random_items(items, count, contents, seed);
	assert_ok(cn_shortlist_init(&list, keep));
	push_all(&list, items, count);
	size_t numbers = sort_everything(items, count);
	cn_test_sort_list(&list);
	assert_best(&list, items, numbers, keep);
	assert_true(list.threshold == (numbers > keep ? items[keep - 1].score : -INFINITY) || numbers == keep);
	cn_shortlist_free(&list);
}

static void kept_are_the_best(void **state)
{
	uint64_t seed = 7;
	(void)state;
	for (int contents = 0; contents < CONTENTS; contents++) {
		for (size_t count = 0; count <= 40; count++)
			for (size_t keep = 1; keep <= count + 1; keep++)
				check_case(count, keep, (enum contents)contents, &seed);
		for (size_t keep = 1; keep <= MOST + 1; keep += 1 + keep / 3)
			check_case(MOST, keep, (enum contents)contents, &seed);
	}
}

/* Joining lists of parts gives the list of all: how threads put theirs together. */
static void order_of_arrival_does_not_matter(void **state)
{
	enum { COUNT = 1000, KEEP = 37, PARTS = 5 };
	cn_scored_row items[COUNT];
	cn_shortlist forwards, backwards, part, joined;
	uint64_t seed = 3;
	(void)state;
	random_items(items, COUNT, FEW_VALUES, &seed);
	assert_ok(cn_shortlist_init(&forwards, KEEP));
	assert_ok(cn_shortlist_init(&backwards, KEEP));
	assert_ok(cn_shortlist_init(&part, KEEP));
	assert_ok(cn_shortlist_init(&joined, KEEP));
	push_all(&forwards, items, COUNT);
	for (size_t i = COUNT; i-- > 0;)
		cn_shortlist_push(&backwards, items[i].score, items[i].row);
	for (size_t p = 0; p < PARTS; p++) {
		cn_shortlist_clear(&part);
		push_all(&part, items + p * COUNT / PARTS, COUNT / PARTS);
		push_all(&joined, part.items, part.count);
	}
	size_t numbers = sort_everything(items, COUNT);
	cn_shortlist *lists[] = { &forwards, &backwards, &joined };
	for (size_t i = 0; i < 3; i++) {
		cn_test_sort_list(lists[i]);
		assert_best(lists[i], items, numbers, KEEP);
	}
	cn_shortlist_free(&forwards);
	cn_shortlist_free(&backwards);
	cn_shortlist_free(&part);
	cn_shortlist_free(&joined);
}

static void a_cut_list_knows_its_worst(void **state)
{
	cn_shortlist list;
	(void)state;
	assert_ok(cn_shortlist_init(&list, 2));
	cn_shortlist_push(&list, 1, 10);
	cn_shortlist_push(&list, 3, 11);
	cn_shortlist_cut(&list);
	assert_int_equal(list.count, 2);
	assert_true(list.threshold == 1);
	cn_shortlist_push(&list, 2, 12);
	cn_shortlist_cut(&list);
	assert_int_equal(list.count, 2);
	assert_true(list.threshold == 2);
	/* Below the threshold: not even put down. Equal to it, with a smaller row: takes the place. */
	cn_shortlist_push(&list, 1.5f, 1);
	assert_int_equal(list.count, 2);
	cn_shortlist_push(&list, 2, 9);
	cn_test_sort_list(&list);
	assert_int_equal(list.items[0].row, 11);
	assert_int_equal(list.items[1].row, 9);
	cn_shortlist_clear(&list);
	assert_int_equal(list.count, 0);
	cn_shortlist_push(&list, -5, 3);
	cn_test_sort_list(&list);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.items[0].row, 3);
	cn_shortlist_free(&list);
}

/* Rows that come several times, as queries with many words meet them. */
static void a_row_is_kept_once_where_rows_are_distinct(void **state)
{
	enum { COUNT = 1500, ROWS = 200 };
	cn_scored_row items[COUNT];
	uint64_t seed = 5;
	(void)state;
	for (size_t keep = 1; keep <= ROWS + 1; keep += 1 + keep / 3) {
		char seen[ROWS] = { 0 };
		size_t kept = 0;
		cn_shortlist list;
		random_items(items, COUNT, MANY_VALUES, &seed);
		for (size_t i = 0; i < COUNT; i++)
			items[i].row %= ROWS;
		assert_ok(cn_shortlist_init(&list, keep));
		list.distinct = 1;
		push_all(&list, items, COUNT);
		size_t numbers = sort_everything(items, COUNT);
		for (size_t i = 0; i < numbers; i++) {
			if (!seen[items[i].row])
				items[kept++] = items[i];
			seen[items[i].row] = 1;
		}
		cn_test_sort_list(&list);
		assert_best(&list, items, kept, keep);
		cn_shortlist_free(&list);
	}
}

/* Lists that share one piece of memory, as one query's of many have them. */
static void a_list_works_in_memory_of_the_caller(void **state)
{
	enum { COUNT = 1000, KEEP = 70 };
	cn_scored_row items[COUNT];
	cn_shortlist list;
	size_t capacity;
	uint64_t seed = 6;
	(void)state;
	random_items(items, COUNT, FEW_VALUES, &seed);
	assert_ok(cn_shortlist_capacity(KEEP, &capacity));
	/* Exactly as large, so that AddressSanitizer sees what is written behind it. */
	cn_scored_row *memory = malloc(capacity * sizeof(*memory));
	cn_shortlist_place(&list, KEEP, memory, capacity);
	push_all(&list, items, COUNT);
	size_t numbers = sort_everything(items, COUNT);
	cn_test_sort_list(&list);
	assert_ptr_equal(list.items, memory);
	assert_best(&list, items, numbers, KEEP);
	free(memory);
	assert_fails(cn_shortlist_capacity(SIZE_MAX, &capacity), CAIRN_ENOMEM, "overflows");
}

static void short_memory_is_reported(void **state)
{
	cn_shortlist list;
	(void)state;
	cn_memory_fail_at(0);
	assert_fails(cn_shortlist_init(&list, 5), CAIRN_ENOMEM, "out of memory");
	cn_memory_fail_at(-1);
	cn_shortlist_free(&list);
	assert_fails(cn_shortlist_init(&list, SIZE_MAX / 8), CAIRN_ENOMEM, NULL);
	assert_fails(cn_shortlist_init(&list, SIZE_MAX), CAIRN_ENOMEM, "overflows");
	cn_shortlist_free(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kept_are_the_best),
		cmocka_unit_test(order_of_arrival_does_not_matter),
		cmocka_unit_test(a_cut_list_knows_its_worst),
		cmocka_unit_test(a_row_is_kept_once_where_rows_are_distinct),
		cmocka_unit_test(a_list_works_in_memory_of_the_caller),
		cmocka_unit_test(short_memory_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
