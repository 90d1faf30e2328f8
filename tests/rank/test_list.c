/* What is around every method: how lists are read and written. */
#include "lists.h"
#include "torture.h"

static void scores_that_follow(void **state)
{
	static const struct {
		const char *what;
		size_t count, from;
		float before[4], after[4];
	} cases[] = {
		{ "above", 4, 2, { 3, 2, 5, 4 }, { 3, 2, 2, 1 } },
		{ "below", 4, 2, { 3, 2, 1, 0 }, { 3, 2, 1, 0 } },
		{ "equal", 4, 2, { 3, 2, 2, 1 }, { 3, 2, 2, 1 } },
		{ "all", 4, 0, { 3, 2, 5, 4 }, { 3, 2, 5, 4 } },
		{ "none", 4, 4, { 3, 2, 5, 4 }, { 3, 2, 5, 4 } },
		{ "the last", 4, 3, { 3, 2, 1, 4 }, { 3, 2, 1, 1 } },
		{ "infinite", 3, 1, { 3, INFINITY, 4, 0 }, { 3, INFINITY, 4, 0 } },
		{ "below infinity", 3, 1, { -INFINITY, 1, 0, 0 }, { -INFINITY, 1, 0, 0 } },
		{ "no list", 0, 0, { 0 }, { 0 } },
	};
	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		cn_scored items[4];
		for (size_t i = 0; i < 4; i++)
			items[i] = (cn_scored){ cases[c].before[i], (int64_t)i };
		cn_scores_follow(items, cases[c].count, cases[c].from);
		for (size_t i = 0; i < 4; i++)
			if (items[i].score != cases[c].after[i] || items[i].id != (int64_t)i)
				fail_msg("%s: %g in place %zu", cases[c].what, (double)items[i].score, i);
	}
}

static int leave(void *context, cn_rank_list *list, size_t query, unsigned worker)
{
	(void)context;
	(void)list;
	(void)query;
	(void)worker;
	return 0;
}

/* Take the odd ones of what was read first, then all from 100 on. */
static int extend(void *context, cn_rank_list *list, size_t query, unsigned worker)
{
	size_t extra = *(size_t *)context, count = 0;
	(void)query;
	(void)worker;
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].id % 2)
			list->spare[count++] = list->items[i];
	for (size_t i = 0; i < extra; i++)
		list->spare[count++] = (cn_scored){ 0.5f, 100 + (int64_t)i };
	cn_rank_list_take(list, count);
	return 0;
}

static const int64_t images[] = { 7, 3, 8, 5, -1, -1, -1, -1, 4, -1, 4, 9, 1, 2, 1, 3 };
static const float scores[] = { 4, 3, 2, 1, 0, 0, 0, 0, 9, 0, 8, 7, 3, 2, 1, 0.25f };

static void lists_are_read_and_written(void **state)
{
	static const struct {
		const char *what;
		size_t take, depth, extra;
		cn_rank_body body;
		int64_t images[4][5];
		float scores[4][5];
	} cases[] = {
		{ "as they are: without holes and repetitions",
		  4,
		  4,
		  0,
		  leave,
		  { { 7, 3, 8, 5 }, { -1 }, { 4, 9, -1 }, { 1, 2, 3, -1 } },
		  { { 4, 3, 2, 1 }, { 0 }, { 9, 7 }, { 3, 2, 0.25f } } },
		{ "the first places alone",
		  2,
		  4,
		  0,
		  leave,
		  { { 7, 3, -1 }, { -1 }, { 4, -1 }, { 1, 2, -1 } },
		  { { 4, 3 }, { 0 }, { 9 }, { 3, 2 } } },
		{ "cut",
		  4,
		  2,
		  0,
		  leave,
		  { { 7, 3 }, { -1 }, { 4, 9 }, { 1, 2 } },
		  { { 4, 3 }, { 0 }, { 9, 7 }, { 3, 2 } } },
		{ "longer, and no score rises",
		  4,
		  5,
		  2,
		  extend,
		  { { 7, 3, 5, 100, 101 }, { 100, 101, -1 }, { 9, 100, 101, -1 }, { 1, 3, 100, 101, -1 } },
		  { { 4, 3, 1, 0.5f, 0.5f }, { 0.5f, 0.5f }, { 7, 0.5f, 0.5f }, { 3, 0.25f, 0.25f, 0.25f } } },
	};
	(void)state;
	cairn_ranking *ranking = cn_test_ranking(4, 4, images, scores), *out;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		size_t extra = cases[c].extra;
		const cn_rank_job job = { .ranking = ranking,
					  .take = cases[c].take,
					  .depth = cases[c].depth,
					  .stage = "testing",
					  .body = cases[c].body,
					  .context = &extra };
		assert_ok(cn_rank_lists(&out, &job));
		cn_test_sound(out);
		for (size_t q = 0; q < 4; q++)
			cn_test_row(out, q, cases[c].images[q], cases[c].scores[q], cases[c].what);
		cairn_ranking_free(out);
	}
	cairn_ranking_free(ranking);
}

static int look(void *context, cn_rank_list *list, size_t query, unsigned worker)
{
	static const int64_t ids[] = { 3, 5, 7, 8, 4, 9, 1, 2, 3 };
	static const size_t starts[] = { 0, 4, 4, 6, 9 };
	unsigned *seen = context;
	assert_int_equal(worker, 0);
	assert_int_equal(list->capacity, 7);
	assert_int_equal(list->read, starts[query + 1] - starts[query]);
	assert_int_equal(list->count, list->read);
	for (size_t i = 0; i < list->read; i++)
		assert_int_equal(list->ids[i], ids[starts[query] + i]);
	*seen |= 1u << query;
	return 0;
}

static void a_body_gets_every_query_and_what_was_read(void **state)
{
	unsigned seen = 0;
	(void)state;
	cairn_ranking *ranking = cn_test_ranking(4, 4, images, scores), *out;
	const cn_rank_job job = {
		.ranking = ranking, .take = 4, .depth = 3, .stage = "testing", .body = look, .context = &seen
	};
	assert_ok(cn_rank_lists(&out, &job));
	assert_int_equal(seen, 15);
	cairn_ranking_free(out);
	cairn_ranking_free(ranking);
}

static int spoil(void *context, cn_rank_list *list, size_t query, unsigned worker)
{
	(void)worker;
	if (query != 2)
		return 0;
	if (!context)
		return cn_fail(CAIRN_EIO, "the body failed");
	list->items[0].score = NAN;
	return 0;
}

static void failures_leave_no_ranking(void **state)
{
	const cn_rank_run run = { NULL, cn_test_cancel, NULL };
	(void)state;
	cairn_ranking *ranking = cn_test_ranking(4, 4, images, scores), *out = ranking;
	cn_rank_job job = { .ranking = ranking, .take = 4, .depth = 4, .stage = "testing", .body = spoil };
	assert_fails(cn_rank_lists(&out, &job), CAIRN_EIO, "the body failed");
	assert_null(out);
	job.context = &job;
	assert_fails(cn_rank_lists(&out, &job), CAIRN_EINVALID, "image 4");
	assert_null(out);
	job.body = leave;
	job.run = &run;
	assert_fails(cn_rank_lists(&out, &job), CAIRN_ECANCELLED, "testing: cancelled");
	assert_null(out);
	job.depth = 0;
	assert_fails(cn_rank_lists(&out, &job), CAIRN_EINVALID, "depth 0");
	assert_null(out);
	cairn_ranking_free(ranking);
}

static int work_once(void *context)
{
	const cn_rank_job job = { .ranking = context, .take = 4, .depth = 4, .stage = "testing", .body = leave };
	cairn_ranking *out;
	int status = cn_rank_lists(&out, &job);
	cairn_ranking_free(out);
	return status;
}

static void survives_lack_of_memory(void **state)
{
	(void)state;
	cairn_ranking *ranking = cn_test_ranking(4, 4, images, scores);
	/* four of the ranking, the lists, four of a list */
	assert_int_equal(cn_torture(work_once, ranking), 9);
	cairn_ranking_free(ranking);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scores_that_follow),
		cmocka_unit_test(lists_are_read_and_written),
		cmocka_unit_test(a_body_gets_every_query_and_what_was_read),
		cmocka_unit_test(failures_leave_no_ranking),
		cmocka_unit_test(survives_lack_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
