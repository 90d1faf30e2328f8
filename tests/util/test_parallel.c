/* The pool: every index once, failures carried and chosen the same way whatever the number of threads. */
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "support.h"
#include "torture.h"
#include "util/parallel.h"

#define MOST_THREADS 8

typedef struct {
	atomic_int *visits;
	size_t grain, count;
	unsigned threads;
	atomic_int faults;
} visit_context;

static int visit(void *context, size_t begin, size_t end, unsigned worker)
{
	visit_context *c = context;

	if (end <= begin || end > c->count || end - begin > c->grain || worker >= c->threads || begin % c->grain != 0)
		atomic_fetch_add(&c->faults, 1);
	for (size_t i = begin; i < end; i++)
		atomic_fetch_add(&c->visits[i], 1);
	return 0;
}

static void every_index_once(void **state)
{
	static const size_t counts[] = { 0, 1, 2, 7, 64, 1000 }, grains[] = { 1, 3, 64, 5000 };
	static atomic_int visits[1000];

	(void)state;
	for (unsigned threads = 1; threads <= MOST_THREADS; threads++) {
		cn_workers *pool;

		assert_ok(cn_workers_new(&pool, threads));
		assert_int_equal(cn_workers_threads(pool), threads);
		for (size_t n = 0; n < 6; n++)
			for (size_t g = 0; g < 4; g++) {
				visit_context c = { visits, grains[g], counts[n], threads, 0 };

				memset(visits, 0, sizeof(visits));
				assert_ok(cn_parallel_for(pool, counts[n], grains[g], visit, &c));
				assert_int_equal(atomic_load(&c.faults), 0);
				for (size_t i = 0; i < 1000; i++)
					assert_int_equal(atomic_load(&visits[i]), i < counts[n]);
			}
		cn_workers_free(pool);
	}
}

static void without_a_pool(void **state)
{
	static atomic_int visits[10];
	visit_context c = { visits, 1, 10, 1, 0 };

	(void)state;
	assert_ok(cn_parallel_for(NULL, 10, 0, visit, &c));
	assert_int_equal(atomic_load(&c.faults), 0);
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(atomic_load(&visits[i]), 1);
	assert_int_equal(cn_workers_threads(NULL), 1);
	cn_workers_free(NULL);
}

static int fail_from(void *context, size_t begin, size_t end, unsigned worker)
{
	size_t first = *(size_t *)context;

	(void)worker;
	/* The earliest failure is the slowest to arrive. */
	if (begin <= first && first < end)
		usleep(2000);
	return end > first ? cn_fail(CAIRN_EFORMAT, "range at %zu failed", begin) : 0;
}

static void the_first_failure_is_reported(void **state)
{
	static const size_t firsts[] = { 0, 1, 17, 250, 499 };
	char wanted[64];

	(void)state;
	for (unsigned threads = 1; threads <= MOST_THREADS; threads++) {
		cn_workers *pool;

		assert_ok(cn_workers_new(&pool, threads));
		for (size_t f = 0; f < sizeof(firsts) / sizeof(firsts[0]); f++) {
			size_t first = firsts[f];

			snprintf(wanted, sizeof(wanted), "range at %zu failed", first / 5 * 5);
			assert_fails(cn_parallel_for(pool, 500, 5, fail_from, &first), CAIRN_EFORMAT, wanted);
		}
		cn_workers_free(pool);
	}
}

static int count_calls(void *context, size_t begin, size_t end, unsigned worker)
{
	(void)end, (void)worker;
	atomic_fetch_add((atomic_int *)context, 1);
	return begin == 0 ? cn_fail(CAIRN_EIO, "at once") : 0;
}

static void a_failure_stops_the_loop(void **state)
{
	atomic_int calls = 0;

	(void)state;
	assert_fails(cn_parallel_for(NULL, 1000000, 1, count_calls, &calls), CAIRN_EIO, "at once");
	assert_int_equal(atomic_load(&calls), 1);
}

static void a_pool_is_used_again_and_again(void **state)
{
	static atomic_int visits[64];
	cn_workers *pool;

	(void)state;
	assert_ok(cn_workers_new(&pool, 4));
	for (int round = 0; round < 3000; round++) {
		visit_context c = { visits, 1, 64, 4, 0 };

		assert_ok(cn_parallel_for(pool, 64, 1, visit, &c));
	}
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(atomic_load(&visits[i]), 3000);
	cn_workers_free(pool);
}

static void cores_are_the_default(void **state)
{
	cn_workers *pool;

	(void)state;
	assert_true(cn_cores() >= 1);
	assert_ok(cn_workers_new(&pool, 0));
	assert_int_equal(cn_workers_threads(pool), cn_cores());
	cn_workers_free(pool);
}

static int make_pool(void *context)
{
	cn_workers *pool;

	(void)context;
	CN_TRY(cn_workers_new(&pool, 3));
	cn_workers_free(pool);
	return 0;
}

static void memory_may_run_out(void **state)
{
	(void)state;
	cn_workers_end_idle();
	assert_int_equal(cn_torture(make_pool, NULL), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_index_once),
		cmocka_unit_test(without_a_pool),
		cmocka_unit_test(the_first_failure_is_reported),
		cmocka_unit_test(a_failure_stops_the_loop),
		cmocka_unit_test(a_pool_is_used_again_and_again),
		cmocka_unit_test(cores_are_the_default),
		cmocka_unit_test(memory_may_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
