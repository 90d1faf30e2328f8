/* Progress and log callbacks. */
#include <pthread.h>
#include <string.h>

#include "support.h"
#include "util/log.h"
#include "util/progress.h"

typedef struct {
	int calls, stop_at;
	cairn_progress last;
	char stage[64];
} record;

static int note(const cairn_progress *progress, void *payload)
{
	record *r = payload;

	r->last = *progress;
	snprintf(r->stage, sizeof(r->stage), "%s", progress->stage);
	return ++r->calls == r->stop_at;
}

static void first_and_last_state_are_told(void **state)
{
	record r = { 0 };
	cn_progress progress;

	(void)state;
	cn_progress_start(&progress, note, &r, "counting", 1000);
	assert_ok(cn_progress_add(&progress, 1, 0));
	assert_int_equal(r.calls, 1);
	for (int i = 1; i < 1000; i++)
		assert_ok(cn_progress_add(&progress, 1, i % 100 == 0));
	/* A thousand additions take no second. */
	assert_true(r.calls < 12);
	cn_progress_end(&progress);
	assert_int_equal(r.last.done, 1000);
	assert_int_equal(r.last.failed, 9);
	assert_int_equal(r.last.total, 1000);
	assert_string_equal(r.stage, "counting");
}

static void cancelling_lasts(void **state)
{
	record r = { .stop_at = 1 };
	cn_progress progress;

	(void)state;
	cn_progress_start(&progress, note, &r, "stage", 0);
	assert_fails(cn_progress_add(&progress, 1, 0), CAIRN_ECANCELLED, "stage: cancelled");
	assert_fails(cn_progress_add(&progress, 1, 0), CAIRN_ECANCELLED, "cancelled");
	cn_progress_end(&progress);
	assert_int_equal(r.calls, 1);
}

static void nobody_needs_to_listen(void **state)
{
	cn_progress progress;

	(void)state;
	cn_progress_start(&progress, NULL, NULL, "stage", 5);
	assert_ok(cn_progress_add(&progress, 5, 0));
	cn_progress_end(&progress);
}

static void *add_many(void *progress)
{
	for (int i = 0; i < 5000; i++)
		if (cn_progress_add(progress, 1, i % 2) < 0)
			return NULL;
	return progress;
}

static void threads_add_together(void **state)
{
	pthread_t threads[4];
	record r = { 0 };
	cn_progress progress;

	(void)state;
	cn_progress_start(&progress, note, &r, "together", 20000);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, &progress), 0);
	for (int i = 0; i < 4; i++) {
		void *result;

		pthread_join(threads[i], &result);
		assert_ptr_equal(result, &progress);
	}
	cn_progress_end(&progress);
	assert_int_equal(r.last.done, 20000);
	assert_int_equal(r.last.failed, 10000);
}

static void keep_message(cairn_log_level level, const char *message, void *payload)
{
	snprintf(payload, 64, "%d:%.50s", level, message);
}

static void messages_reach_the_callback(void **state)
{
	char heard[64] = "";

	(void)state;
	cn_log(CAIRN_LOG_WARNING, "into the void");
	cairn_set_log(keep_message, heard);
	cn_log(CAIRN_LOG_WARNING, "%d images\nskipped", 3);
	assert_string_equal(heard, "2:3 images skipped");
	cairn_set_log(NULL, NULL);
	cn_log(CAIRN_LOG_INFO, "unheard");
	assert_string_equal(heard, "2:3 images skipped");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_and_last_state_are_told), cmocka_unit_test(cancelling_lasts),
		cmocka_unit_test(nobody_needs_to_listen),        cmocka_unit_test(threads_add_together),
		cmocka_unit_test(messages_reach_the_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
