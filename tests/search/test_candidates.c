/*
 * What candidates are chosen by: global descriptor, ASMK or both, against a plain computation; what the default is;
 * that filters and exclusions hold in all of it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../collection/photos.h"
#include "cairn/search.h"
#include "verify/kinds.h"

enum { PLACES = 6, VIEWS = 3, IMAGES = PLACES * VIEWS, WORDS = 64 };

/* Made once: they are only read. */
static char photos[256], both[256], local_only[256], plain[256];

static cairn_collection *open_for_reading(const char *folder)
{
	cairn_collection *collection;
	assert_ok(cairn_collection_open(&collection, folder, 0));
	return collection;
}

static cairn_search_options options_by(cairn_search_by by)
{
	cairn_search_options options;
	cairn_search_options_init(&options);
	options.precision = "f32";
	options.threads = 1;
	options.by = by;
	options.verify = 0;
	return options;
}

static cairn_answer *search(cairn_collection *collection, const cairn_search_options *options, int64_t id)
{
	cairn_searcher *searcher;
	cairn_answer *answer;
	assert_ok(cairn_searcher_new(&searcher, collection, options));
	assert_ok(cairn_search_id(&answer, searcher, id));
	cairn_searcher_free(searcher);
	return answer;
}

static cairn_hit hit_at(const cairn_answer *answer, size_t rank)
{
	cairn_hit hit;
	assert_ok(cairn_answer_get(answer, rank, &hit));
	return hit;
}

/* ---- plainly ---- */

static float cosine(cairn_collection *collection, int64_t a, int64_t b)
{
	float x[16], y[16], sum = 0;
	assert_ok(cairn_collection_descriptor(collection, a, x));
	assert_ok(cairn_collection_descriptor(collection, b, y));
	for (size_t i = 0; i < 16; i++)
		sum += x[i] * y[i];
	return sum;
}

/* 0 where they share nothing. */
static float asmk_similarity(cairn_collection *collection, int64_t query, int64_t image)
{
	const cairn_asmk_index *index;
	cairn_features *features;
	cairn_ranking *ranking;
	float found = 0;
	assert_ok(cairn_collection_asmk(&index, collection, "rootsift"));
	assert_ok(cairn_collection_features(collection, query, "rootsift", &features));
	const cairn_features *const queries[] = { features };
	assert_ok(cairn_asmk_index_search(&ranking, index, queries, 1, IMAGES, NULL));
	for (size_t i = 0; i < cairn_ranking_count(ranking, 0); i++)
		if (cairn_ranking_images(ranking, 0)[i] == image)
			found = cairn_ranking_scores(ranking, 0)[i];
	cairn_ranking_free(ranking);
	cairn_features_free(features);
	return found;
}

static void each_way_has_its_scores(void **state)
{
	(void)state;
	static const struct {
		cairn_search_by by;
		float weight; /* NAN: the default */
		uint32_t k;
	} cases[] = {
		{ CAIRN_BY_GLOBAL, NAN, 100 }, { CAIRN_BY_ASMK, NAN, 100 }, { CAIRN_BY_FUSED, NAN, 100 },
		{ CAIRN_BY_FUSED, 0, 100 },    { CAIRN_BY_FUSED, 5, 100 },  { CAIRN_BY_FUSED, 5, 3 },
		{ CAIRN_BY_AUTO, NAN, 100 },
	};
	cairn_collection *collection = open_for_reading(both);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cairn_search_options options = options_by(cases[i].by);
		int fused = cases[i].by == CAIRN_BY_FUSED || cases[i].by == CAIRN_BY_AUTO;
		float weight = isnan(cases[i].weight) ? cn_kind_find("rootsift")->asmk_weight : cases[i].weight;
		options.asmk_weight = cases[i].weight;
		options.k = cases[i].k;
		cairn_answer *answer = search(collection, &options, 4);
		size_t count = cairn_answer_count(answer);
		assert_true(count > 2 && count <= options.k);
		if (cases[i].by != CAIRN_BY_ASMK && options.k >= IMAGES)
			assert_int_equal(count, IMAGES - 1);
		for (size_t rank = 0; rank < count; rank++) {
			cairn_hit hit = hit_at(answer, rank);
			float similarity = cosine(collection, 4, hit.id), asmk = asmk_similarity(collection, 4, hit.id);
			if (fused || cases[i].by == CAIRN_BY_GLOBAL)
				assert_float_equal(hit.similarity, similarity, 1e-5);
			else
				assert_true(isnan(hit.similarity));
			if (cases[i].by == CAIRN_BY_GLOBAL)
				assert_true(isnan(hit.asmk));
			else
				assert_float_equal(hit.asmk, asmk, 1e-7);
			assert_float_equal(hit.score,
					   fused                            ? similarity + weight * asmk
					   : cases[i].by == CAIRN_BY_GLOBAL ? similarity
									    : asmk,
					   1e-5);
			assert_true(rank == 0 || hit.score <= hit_at(answer, rank - 1).score);
		}
		cairn_answer_free(answer);
	}
	cairn_collection_free(collection);
}

/* With k = 1, one image comes from each list, and the better by both is the answer. */
static void the_union_is_scored_by_both(void **state)
{
	(void)state;
	cairn_collection *collection = open_for_reading(both);
	for (int64_t id = 1; id <= IMAGES; id++) {
		cairn_search_options options = options_by(CAIRN_BY_GLOBAL);
		float best = -1;
		options.k = 1;
		for (int by = CAIRN_BY_GLOBAL; by <= CAIRN_BY_ASMK; by++) {
			options.by = (cairn_search_by)by;
			cairn_answer *one = search(collection, &options, id);
			int64_t found = hit_at(one, 0).id;
			best = fmaxf(best, cosine(collection, id, found) + 3 * asmk_similarity(collection, id, found));
			cairn_answer_free(one);
		}
		options.by = CAIRN_BY_FUSED;
		options.asmk_weight = 3;
		cairn_answer *answer = search(collection, &options, id);
		assert_int_equal(cairn_answer_count(answer), 1);
		assert_float_equal(hit_at(answer, 0).score, best, 1e-5);
		cairn_answer_free(answer);
	}
	cairn_collection_free(collection);
}

/* A filter's images, but neither the query itself nor what is left out. */
static void filters_and_exclusions_hold(void **state)
{
	(void)state;
	static const int64_t wanted[] = { 2, 4, 5, 6, 9, 17 }, exclude[] = { 5, 9 };
	cairn_collection *collection = open_for_reading(both);
	cairn_filter filter = CAIRN_FILTER_INIT;
	filter.ids = wanted;
	filter.id_count = 6;
	for (int by = CAIRN_BY_AUTO; by <= CAIRN_BY_FUSED; by++) {
		cairn_search_options options = options_by((cairn_search_by)by);
		cairn_searcher *searcher;
		cairn_query *query;
		cairn_answer *answer;
		options.filter = &filter;
		assert_ok(cairn_searcher_new(&searcher, collection, &options));
		assert_ok(cairn_query_from_id(&query, searcher, 4));
		assert_ok(cairn_search(&answer, searcher, query, exclude, 2));
		int bits = 0;
		for (size_t rank = 0; rank < cairn_answer_count(answer); rank++)
			bits |= 1 << hit_at(answer, rank).id;
		/* ASMK finds only what shares a word. */
		assert_int_equal(bits & ~(1 << 2 | 1 << 6 | 1 << 17), 0);
		assert_true(bits & 1 << 6);
		if (by != CAIRN_BY_ASMK)
			assert_int_equal(cairn_answer_count(answer), 3);
		cairn_answer_free(answer);
		cairn_query_free(query);
		cairn_searcher_free(searcher);
	}
	cairn_collection_free(collection);
}

static void defaults_follow_what_there_is(void **state)
{
	(void)state;
	const struct {
		const char *folder;
		int has_similarity, has_asmk;
	} cases[] = { { both, 1, 1 }, { local_only, 0, 1 }, { plain, 1, 0 } };
	for (size_t i = 0; i < 3; i++) {
		cairn_collection *collection = open_for_reading(cases[i].folder);
		cairn_search_options options = options_by(CAIRN_BY_AUTO);
		options.verify = 2;
		cairn_answer *answer = search(collection, &options, 1);
		size_t verified = 0;
		for (size_t rank = 0; rank < cairn_answer_count(answer); rank++)
			verified += hit_at(answer, rank).inliers != CAIRN_NO_INLIERS;
		assert_int_equal(verified, 2);
		assert_int_equal(!isnan(hit_at(answer, 0).similarity), cases[i].has_similarity);
		assert_int_equal(!isnan(hit_at(answer, 0).asmk), cases[i].has_asmk);
		cairn_answer_free(answer);
		cairn_collection_free(collection);
	}
}

static void what_is_not_there_cannot_be_searched_by(void **state)
{
	(void)state;
	const struct {
		const char *folder;
		cairn_search_by by;
		double recall;
		float weight;
		int code;
		const char *text;
	} cases[] = {
		{ plain, CAIRN_BY_ASMK, 0, NAN, CAIRN_ENOTFOUND, "cairn index --asmk" },
		{ plain, CAIRN_BY_FUSED, 0, NAN, CAIRN_ENOTFOUND, "cairn index --asmk" },
		{ local_only, CAIRN_BY_GLOBAL, 0, NAN, CAIRN_EINVALID, "no global descriptors" },
		{ local_only, CAIRN_BY_FUSED, 0, NAN, CAIRN_EINVALID, "no global descriptors" },
		{ both, (cairn_search_by)9, 0, NAN, CAIRN_EINVALID, "by 9" },
		{ both, CAIRN_BY_AUTO, -1, NAN, CAIRN_EINVALID, "recall -1" },
		{ both, CAIRN_BY_AUTO, 1.5, NAN, CAIRN_EINVALID, "recall 1.5" },
		{ both, CAIRN_BY_AUTO, NAN, NAN, CAIRN_EINVALID, "recall" },
		{ both, CAIRN_BY_AUTO, 0, INFINITY, CAIRN_EINVALID, "asmk_weight" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cairn_collection *collection = open_for_reading(cases[i].folder);
		cairn_search_options options = options_by(cases[i].by);
		cairn_searcher *searcher;
		options.recall = cases[i].recall;
		options.asmk_weight = cases[i].weight;
		assert_fails(cairn_searcher_new(&searcher, collection, &options), cases[i].code, cases[i].text);
		cairn_collection_free(collection);
	}
}

/* The searcher of before goes on by what is left. */
static void losing_asmk_falls_back(void **state)
{
	(void)state;
	const char *folder = collection_made(keep(model_new("fallback", 3)), NULL, photos, 6);
	cairn_collection *writer, *reader = NULL;
	cairn_build_options build = CAIRN_BUILD_OPTIONS_INIT;
	cairn_searcher *searcher;
	cairn_query *query;
	cairn_answer *answer;
	build.asmk = "rootsift";
	build.words = WORDS;
	assert_ok(cairn_collection_open(&writer, folder, 1));
	assert_ok(cairn_collection_build_index(writer, &build, NULL));
	cairn_collection_free(writer);
	reader = open_for_reading(folder);
	cairn_search_options options = options_by(CAIRN_BY_AUTO);
	assert_ok(cairn_searcher_new(&searcher, reader, &options));
	assert_ok(cairn_query_from_id(&query, searcher, 1));
	cairn_collection_info info;
	assert_ok(cairn_collection_get_info(reader, &info));
	for (int lost = 0; lost < 2; lost++) {
		if (lost) {
			const char *codebook =
				keep(cn_test_path(cn_test_path(folder, "segments"), "00000004.rootsift.codebook.npy"));
			file_overwrite(codebook, 0, "damage", 6);
			assert_ok(cairn_collection_open(&writer, folder, 1));
			assert_int_equal(collection_faults(writer, CAIRN_CHECK_REPAIR), 0);
			cairn_collection_free(writer);
			assert_ok(cairn_collection_refresh(reader));
		}
		assert_ok(cairn_search(&answer, searcher, query, NULL, 0));
		assert_int_equal(cairn_answer_count(answer), IMAGES - 1);
		assert_int_equal(isnan(hit_at(answer, 0).asmk), lost);
		cairn_answer_free(answer);
	}
	cairn_query_free(query);
	cairn_searcher_free(searcher);
	cairn_collection_free(reader);
}

static void make_index(const char *folder)
{
	cairn_build_options build = CAIRN_BUILD_OPTIONS_INIT;
	cairn_collection *collection;
	build.asmk = "rootsift";
	build.words = WORDS;
	assert_ok(cairn_collection_open(&collection, folder, 1));
	assert_ok(cairn_collection_build_index(collection, &build, NULL));
	cairn_collection_free(collection);
}

static int set_up(void **state)
{
	(void)state;
	const char *model = keep(model_new("tiny", 1));
	snprintf(photos, sizeof(photos), "%s", photo_views(PLACES, VIEWS, 1));
	snprintf(both, sizeof(both), "%s", collection_made(model, NULL, photos, 5));
	snprintf(plain, sizeof(plain), "%s", collection_made(model, NULL, photos, 5));
	snprintf(local_only, sizeof(local_only), "%s", collection_made(NULL, NULL, photos, 5));
	make_index(both);
	make_index(local_only);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_way_has_its_scores),
		cmocka_unit_test(the_union_is_scored_by_both),
		cmocka_unit_test(filters_and_exclusions_hold),
		cmocka_unit_test(defaults_follow_what_there_is),
		cmocka_unit_test(what_is_not_there_cannot_be_searched_by),
		cmocka_unit_test(losing_asmk_falls_back),
	};
	return cmocka_run_group_tests(tests, set_up, NULL);
}
