/* The bounded heap against sorting everything. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"
#include "torture.h"
#include "util/heap.h"

#define MOST 400

/* Random scores of few values, so that ties abound, with infinities, both zeros and NaN among them. */
static size_t random_items(cn_scored *items, size_t count, uint64_t *seed)
{
	size_t numbers = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t r = cn_test_random(seed);
		float score = (float)(int)(r % 17) - 8;

		if ((r >> 32 & 15) == 0)
			score = -0.0f;
		switch (r >> 40 & 31) {
		case 0:
			score = NAN;
			break;
		case 1:
			score = INFINITY;
			break;
		case 2:
			score = -INFINITY;
			break;
		default:
			break;
		}
		items[i] = (cn_scored){ score, (int64_t)(cn_test_random(seed) % 100) - 50 };
		numbers += !isnan(score);
	}
	return numbers;
}

static void kept_are_the_best(void **state)
{
	cn_scored items[MOST];
	uint64_t seed = 7;

	(void)state;
	for (int round = 0; round < 300; round++) {
		size_t count = cn_test_random(&seed) % MOST, capacity = 1 + cn_test_random(&seed) % 60;
		size_t numbers = random_items(items, count, &seed);
		size_t kept = numbers < capacity ? numbers : capacity;
		cn_heap heap;

		assert_ok(cn_heap_init(&heap, capacity));
		for (size_t i = 0; i < count; i++)
			cn_heap_push(&heap, items[i].score, items[i].id);
		/* NaN sorts behind all numbers. */
		qsort(items, count, sizeof(items[0]), cn_scored_compare);
		assert_int_equal(heap.count, kept);
		if (kept < capacity)
			assert_true(cn_heap_threshold(&heap) == -INFINITY);
		else
			assert_true(cn_heap_threshold(&heap) == items[kept - 1].score);
		cn_heap_sort(&heap);
		for (size_t i = 0; i < kept; i++) {
			assert_true(heap.items[i].score == items[i].score);
			assert_int_equal(heap.items[i].id, items[i].id);
		}
		cn_heap_free(&heap);
	}
}

static void order_of_arrival_does_not_matter(void **state)
{
	cn_scored items[100];
	uint64_t seed = 3;
	cn_heap first, second;

	(void)state;
	random_items(items, 100, &seed);
	assert_ok(cn_heap_init(&first, 10));
	assert_ok(cn_heap_init(&second, 10));
	for (size_t i = 0; i < 100; i++) {
		cn_heap_push(&first, items[i].score, items[i].id);
		cn_heap_push(&second, items[99 - i].score, items[99 - i].id);
	}
	cn_heap_sort(&first);
	cn_heap_sort(&second);
	for (size_t i = 0; i < 10; i++) {
		assert_true(first.items[i].score == second.items[i].score);
		assert_int_equal(first.items[i].id, second.items[i].id);
	}
	cn_heap_free(&first);
	cn_heap_free(&second);
}

static void compare_is_a_total_order(void **state)
{
	cn_scored items[40];
	uint64_t seed = 11;

	(void)state;
	random_items(items, 40, &seed);
	for (int a = 0; a < 40; a++)
		for (int b = 0; b < 40; b++) {
			int order = cn_scored_compare(&items[a], &items[b]);

			assert_int_equal(order, -cn_scored_compare(&items[b], &items[a]));
			for (int c = 0; c < 40; c++)
				if (order <= 0 && cn_scored_compare(&items[b], &items[c]) <= 0)
					assert_true(cn_scored_compare(&items[a], &items[c]) <= 0);
		}
}

static void a_heap_of_nothing_and_a_cleared_one(void **state)
{
	cn_heap heap;

	(void)state;
	assert_ok(cn_heap_init(&heap, 0));
	cn_heap_push(&heap, 1, 1);
	assert_int_equal(heap.count, 0);
	assert_true(cn_heap_threshold(&heap) == INFINITY);
	cn_heap_sort(&heap);
	cn_heap_free(&heap);
	assert_ok(cn_heap_init(&heap, 2));
	cn_heap_push(&heap, 1, 1);
	cn_heap_push(&heap, 2, 2);
	cn_heap_clear(&heap);
	assert_true(cn_heap_threshold(&heap) == -INFINITY);
	cn_heap_push(&heap, -5, 9);
	assert_int_equal(heap.count, 1);
	assert_int_equal(heap.items[0].id, 9);
	cn_heap_free(&heap);
	cn_memory_fail_at(0);
	assert_fails(cn_heap_init(&heap, 5), CAIRN_ENOMEM, NULL);
	assert_fails(cn_heap_init(&heap, SIZE_MAX / 2), CAIRN_ENOMEM, NULL);
	cn_heap_push(&heap, 1, 1);
	cn_heap_free(&heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kept_are_the_best),
		cmocka_unit_test(order_of_arrival_does_not_matter),
		cmocka_unit_test(compare_is_a_total_order),
		cmocka_unit_test(a_heap_of_nothing_and_a_cleared_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
