/*
 * Answers: made from candidates, cut to k and the limits, and independent of what they were made from.
 */
#include <math.h>
#include <string.h>

#include "../collection/photos.h"
#include "cairn/ranking.h"
#include "search/search.h"
#include "torture.h"

enum { IMAGES = 4 };

static const char *folder;

/* A searcher and a query that hold just what an answer is made from. */
struct scene {
	cairn_searcher searcher;
	cairn_query query;
	cn_pair pairs[IMAGES];
	cn_candidate candidates[IMAGES];
	cairn_match matches[3];
	cairn_point_pair points[3];
};

/* Scores 4, 3, 2, 1; inliers 3, 0, 1 and not verified. */
static void set_up(struct scene *scene)
{
	static const uint32_t inliers[] = { 3, 0, 1, 0 };
	static char path[] = "/some/query.jpg";
	*scene = (struct scene){ .query = { .path = path, .box = { 1, 2, 3, 4 }, .times = { 1, 2, 3, 4 } } };
	cairn_search_options_init(&scene->searcher.options);
	scene->query.searcher = &scene->searcher;
	assert_ok(cairn_collection_open(&scene->searcher.collection, folder, 0));
	for (uint32_t i = 0; i < 3; i++) {
		scene->matches[i] = (cairn_match){ i, 10 + i, 0.5f };
		scene->points[i] = (cairn_point_pair){ 1 + (float)i, 2, 3, 4 };
	}
	for (size_t i = 0; i < IMAGES; i++) {
		scene->pairs[i] = (cn_pair){ .id = (int64_t)i + 1,
					     .result = { .inliers = inliers[i] },
					     .matches = scene->matches,
					     .points = scene->points };
		scene->candidates[i] = (cn_candidate){ .id = (int64_t)i + 1,
						       .similarity = i == 2 ? NAN : 0.5f,
						       .score = 4 - (float)i,
						       .inliers = i < 3 ? (int32_t)inliers[i] : CAIRN_NO_INLIERS,
						       .pair = i < 3 ? &scene->pairs[i] : NULL };
	}
}

static void keeps_the_best_within_the_limits(void **state)
{
	(void)state;
	static const struct {
		uint32_t k;
		float min_score;
		int32_t min_inliers;
		size_t count;
		int64_t ids[IMAGES];
	} cases[] = {
		{ 100, -INFINITY, 0, 4, { 1, 2, 3, 4 } },
		{ 2, -INFINITY, 0, 2, { 1, 2 } },
		{ 1, -INFINITY, 0, 1, { 1 } },
		{ 100, 2, 0, 3, { 1, 2, 3 } },
		{ 100, 5, 0, 0, { 0 } },
		{ 100, INFINITY, 0, 0, { 0 } },
		{ 100, -INFINITY, 1, 2, { 1, 3 } },
		{ 100, -INFINITY, 2, 1, { 1 } },
		{ 100, 2.5f, 1, 1, { 1 } },
		{ 100, -INFINITY, INT32_MAX, 0, { 0 } },
		/* What is left out takes no place. */
		{ 2, -INFINITY, 1, 2, { 1, 3 } },
	};
	struct scene scene;
	set_up(&scene);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cairn_answer *answer;
		scene.searcher.options.k = cases[i].k;
		scene.searcher.options.min_score = cases[i].min_score;
		scene.searcher.options.min_inliers = cases[i].min_inliers;
		assert_ok(cn_answer_new(&answer, &scene.query, CAIRN_BY_GLOBAL, scene.candidates, IMAGES));
		assert_int_equal(cairn_answer_count(answer), cases[i].count);
		for (size_t k = 0; k < cases[i].count; k++) {
			cairn_hit hit;
			assert_ok(cairn_answer_get(answer, k, &hit));
			assert_int_equal(hit.id, cases[i].ids[k]);
		}
		cairn_answer_free(answer);
	}
	cairn_collection_free(scene.searcher.collection);
}

/* Inliers that are known count, whether or not the matched points are there. */
static void inliers_may_be_known_without_points(void **state)
{
	(void)state;
	static const int32_t inliers[IMAGES] = { 5, CAIRN_NO_INLIERS, 2, 0 };
	struct scene scene;
	cairn_answer *answer;
	cairn_hit hit;
	cairn_point_pair *points;
	size_t count;
	set_up(&scene);
	for (size_t i = 0; i < IMAGES; i++) {
		scene.candidates[i].inliers = inliers[i];
		scene.candidates[i].pair = NULL;
	}
	assert_ok(cn_answer_new(&answer, &scene.query, CAIRN_BY_GLOBAL, scene.candidates, IMAGES));
	for (size_t i = 0; i < IMAGES; i++) {
		assert_ok(cairn_answer_get(answer, i, &hit));
		assert_int_equal(hit.inliers, inliers[i]);
		assert_null(hit.matches);
		assert_ok(cairn_answer_points(answer, i, &points, &count));
		assert_int_equal(count, 0);
		cairn_bytes_free(points);
	}
	cairn_answer_free(answer);
	scene.searcher.options.min_inliers = 2;
	assert_ok(cn_answer_new(&answer, &scene.query, CAIRN_BY_GLOBAL, scene.candidates, IMAGES));
	assert_int_equal(cairn_answer_count(answer), 2);
	assert_ok(cairn_answer_get(answer, 1, &hit));
	assert_int_equal(hit.id, 3);
	cairn_answer_free(answer);
	cairn_collection_free(scene.searcher.collection);
}

static void stands_by_itself(void **state)
{
	(void)state;
	static const int32_t inliers[] = { 3, 0, 1, CAIRN_NO_INLIERS };
	const cairn_box box = { 1, 2, 3, 4 };
	struct scene scene;
	cairn_answer *answer;
	cairn_hit hit;
	set_up(&scene);
	assert_ok(cn_answer_new(&answer, &scene.query, CAIRN_BY_GLOBAL, scene.candidates, IMAGES));
	cairn_collection_free(scene.searcher.collection);
	memset(&scene, 0xA5, sizeof(scene));
	assert_string_equal(cairn_answer_query(answer), "/some/query.jpg");
	cairn_box told = cairn_answer_box(answer);
	assert_memory_equal(&told, &box, sizeof(box));
	cairn_answer_times times = cairn_answer_get_times(answer);
	assert_true(times.decode == 1 && times.describe == 2 && times.search == 3 && times.verify == 4);
	for (size_t i = 0; i < IMAGES; i++) {
		cairn_point_pair *pairs;
		size_t count;
		char name[16];
		assert_ok(cairn_answer_get(answer, i, &hit));
		snprintf(name, sizeof(name), "/%03zu.png", i);
		assert_non_null(strstr(hit.path, name));
		assert_int_equal(hit.inliers, inliers[i]);
		assert_true(hit.score == 4 - (float)i);
		assert_true(i == 2 ? isnan(hit.similarity) : hit.similarity == 0.5f);
		assert_int_equal(hit.matches != NULL, i < 3);
		assert_int_equal(hit.width, 120);
		assert_int_equal(hit.height, 90);
		assert_non_null(strstr(keep(hit.label), "sights"));
		assert_ok(cairn_answer_points(answer, i, &pairs, &count));
		assert_int_equal(count, inliers[i] > 0 ? inliers[i] : 0);
		for (size_t k = 0; k < count; k++) {
			assert_true(pairs[k].ax == 1 + (float)k && pairs[k].by == 4);
			assert_int_equal(hit.matches[k].b, 10 + k);
		}
		cairn_bytes_free(pairs);
	}
	cairn_answer_free(answer);
}

static void refuses_ranks_that_are_not_there(void **state)
{
	(void)state;
	static const size_t ranks[] = { IMAGES, IMAGES + 1, SIZE_MAX };
	struct scene scene;
	cairn_answer *answer;
	cairn_hit hit;
	cairn_point_pair *pairs;
	size_t count;
	set_up(&scene);
	assert_ok(cn_answer_new(&answer, &scene.query, CAIRN_BY_GLOBAL, scene.candidates, IMAGES));
	for (size_t i = 0; i < 3; i++) {
		assert_fails(cairn_answer_get(answer, ranks[i], &hit), CAIRN_EINVALID, "4 hits");
		assert_fails(cairn_answer_points(answer, ranks[i], &pairs, &count), CAIRN_EINVALID, "4 hits");
	}
	cairn_answer_free(answer);
	assert_ok(cn_answer_new(&answer, &scene.query, CAIRN_BY_GLOBAL, NULL, 0));
	assert_int_equal(cairn_answer_count(answer), 0);
	assert_fails(cairn_answer_get(answer, 0, &hit), CAIRN_EINVALID, "0 hits");
	cairn_answer_free(answer);
	cairn_collection_free(scene.searcher.collection);
}

/* An image that went while it was searched for: the failure is told, and nothing is lost. */
static void tells_of_an_image_that_is_gone(void **state)
{
	(void)state;
	struct scene scene;
	cairn_answer *answer;
	set_up(&scene);
	scene.candidates[2].id = 77;
	assert_fails(cn_answer_new(&answer, &scene.query, CAIRN_BY_GLOBAL, scene.candidates, IMAGES), CAIRN_ENOTFOUND,
		     "77");
	cairn_collection_free(scene.searcher.collection);
}

static int make_and_ask(void *context)
{
	struct scene *scene = context;
	cairn_answer *answer;
	cairn_point_pair *pairs;
	size_t count;
	int status = cn_answer_new(&answer, &scene->query, CAIRN_BY_GLOBAL, scene->candidates, IMAGES);
	if (status < 0)
		return status;
	status = cairn_answer_points(answer, 0, &pairs, &count);
	if (status == 0)
		cairn_bytes_free(pairs);
	cairn_answer_free(answer);
	return status;
}

static void survives_lack_of_memory(void **state)
{
	(void)state;
	struct scene scene;
	set_up(&scene);
	/* Answer, query, hits; path and label of each hit; matches and points of three; the points asked for. */
	assert_true(cn_torture(make_and_ask, &scene) >= 3 + 2 * IMAGES + 2 * 3 + 1);
	cairn_collection_free(scene.searcher.collection);
}

static int make_collection(void **state)
{
	(void)state;
	cairn_add_options options = CAIRN_ADD_OPTIONS_INIT;
	const char *photos = photo_folder(IMAGES, 1);
	char csv[512];
	size_t length = (size_t)snprintf(csv, sizeof(csv), "path,label\n");
	for (int i = 0; i < IMAGES; i++)
		length += (size_t)snprintf(csv + length, sizeof(csv) - length, "%03d.png,sights %d\n", i, i);
	const char *labels = keep(cn_test_path(photos, "labels.csv"));
	cn_test_write(labels, csv, length);
	options.labels = labels;
	folder = collection_new();
	cairn_collection *collection;
	assert_ok(cairn_collection_open(&collection, folder, 1));
	collection_add(collection, photos, &options);
	cairn_collection_free(collection);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_the_best_within_the_limits),
		cmocka_unit_test(inliers_may_be_known_without_points),
		cmocka_unit_test(stands_by_itself),
		cmocka_unit_test(refuses_ranks_that_are_not_there),
		cmocka_unit_test(tells_of_an_image_that_is_gone),
		cmocka_unit_test(survives_lack_of_memory),
	};
	return cmocka_run_group_tests_name("search/answer", tests, make_collection, NULL);
}
