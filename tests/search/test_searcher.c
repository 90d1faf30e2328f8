/*
 * Searching: the ranking against a plain one made here, what is left out, and what may go wrong.
 */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../collection/photos.h"
#include "cairn/ranking.h"
#include "cairn/search.h"
#include "search/search.h"
#include "torture.h"
#include "util/file.h"

enum { DIM = 16, PLACES = 5, VIEWS = 3, IMAGES = PLACES * VIEWS };

/* Of the product of two unit vectors that are kept as half-precision numbers. */
#define HALF_ERROR 1e-3f

/* Made once: they are only read. */
static const char *photos, *with_model, *without_model;

static cairn_collection *open_for_reading(const char *folder)
{
	cairn_collection *collection;
	assert_ok(cairn_collection_open(&collection, folder, 0));
	return collection;
}

static cairn_search_options plain_options(void)
{
	cairn_search_options options;
	cairn_search_options_init(&options);
	options.precision = "f32";
	options.threads = 1;
	return options;
}

static cairn_searcher *new_searcher(cairn_collection *collection, const cairn_search_options *options)
{
	cairn_searcher *searcher;
	assert_ok(cairn_searcher_new(&searcher, collection, options));
	return searcher;
}

static cairn_hit hit_at(const cairn_answer *answer, size_t rank)
{
	cairn_hit hit;
	assert_ok(cairn_answer_get(answer, rank, &hit));
	return hit;
}

/* Rank of an image in an answer; the number of hits where it is not there. */
static size_t rank_of(const cairn_answer *answer, int64_t id)
{
	size_t rank = 0;
	while (rank < cairn_answer_count(answer) && hit_at(answer, rank).id != id)
		rank++;
	return rank;
}

/* ---- against a plain search ---- */

struct plain_hit {
	int64_t id;
	double similarity, score;
	int32_t inliers;
	size_t place;
};

static int by_score(const void *left, const void *right)
{
	const struct plain_hit *a = left, *b = right;
	if (a->score != b->score)
		return a->score > b->score ? -1 : 1;
	return a->place < b->place ? -1 : a->place > b->place;
}

static int32_t verify_plainly(cairn_collection *collection, int64_t query, int64_t id)
{
	cairn_verifier *verifier;
	cairn_features *a, *b;
	cairn_verification result;
	assert_ok(cairn_collection_features(collection, query, "rootsift", &a));
	assert_ok(cairn_collection_features(collection, id, "rootsift", &b));
	assert_ok(cairn_verifier_new(&verifier, NULL));
	assert_ok(cairn_verify(verifier, a, b, &result, NULL));
	cairn_verifier_free(verifier);
	cairn_features_free(a);
	cairn_features_free(b);
	return (int32_t)result.inliers;
}

static double cosine_plainly(cairn_collection *collection, int64_t query, int64_t id)
{
	float a[DIM], b[DIM];
	double sum = 0;
	assert_ok(cairn_collection_descriptor(collection, query, a));
	assert_ok(cairn_collection_descriptor(collection, id, b));
	for (size_t i = 0; i < DIM; i++)
		sum += (double)a[i] * (double)b[i];
	return sum;
}

/* All images but the query, by cosine; the best of them verified; then by the documented rule. trust 8 and boost 0.14
 * are those of rootsift. `wanted` tells for each id whether it may be found; NULL: all. */
static size_t search_plainly(cairn_collection *collection, int64_t query, const cairn_search_options *options,
			     const int *wanted, struct plain_hit *hits)
{
	int has_model = options->local == NULL;
	int32_t trust = options->trust_inliers < 0 ? 8 : options->trust_inliers;
	double boost = isnan(options->boost) ? 0.14 : (double)options->boost;
	size_t count = 0, verified = options->verify < 0 ? 100 : (size_t)options->verify, kept = 0;
	for (int64_t id = 1; id <= IMAGES; id++)
		if (id != query && (!wanted || wanted[id])) {
			double similarity = has_model ? cosine_plainly(collection, query, id) : 0;
			hits[count] = (struct plain_hit){ id, similarity, similarity, CAIRN_NO_INLIERS, count };
			count++;
		}
	qsort(hits, count, sizeof(*hits), by_score);
	for (size_t i = 0; i < count; i++) {
		struct plain_hit *hit = &hits[i];
		hit->place = i;
		if (has_model && i >= verified)
			continue;
		hit->inliers = verify_plainly(collection, query, hit->id);
		if (hit->inliers >= trust)
			hit->score = options->order == CAIRN_ORDER_INLIERS ? 1 + hit->inliers
									   : hit->score + boost * log1p(hit->inliers);
	}
	qsort(hits, count, sizeof(*hits), by_score);
	for (size_t i = 0; i < count && kept < options->k; i++)
		if (hits[i].score >= (double)options->min_score && hits[i].inliers >= options->min_inliers)
			hits[kept++] = hits[i];
		else if (options->min_inliers == 0 && hits[i].score >= (double)options->min_score)
			hits[kept++] = hits[i];
	return kept;
}

static void assert_same_as_plain(const cairn_answer *answer, const struct plain_hit *plain, size_t count, int has_model)
{
	assert_int_equal(cairn_answer_count(answer), count);
	for (size_t i = 0; i < count; i++) {
		cairn_hit hit = hit_at(answer, i);
		assert_int_equal(hit.id, plain[i].id);
		assert_int_equal(hit.inliers, plain[i].inliers);
		assert_true(fabs((double)hit.score - plain[i].score) < 1e-5);
		if (has_model)
			assert_true(fabs((double)hit.similarity - plain[i].similarity) < 1e-5);
		else
			assert_true(isnan(hit.similarity));
		assert_int_equal(hit.matches != NULL, plain[i].inliers != CAIRN_NO_INLIERS);
		assert_int_equal(hit.width, 120);
		assert_int_equal(hit.height, 90);
	}
}

static void ranks_as_a_plain_search_does(void **state)
{
	static const struct {
		cairn_order order;
		uint32_t k;
		int32_t verify, trust;
		float boost, min_score;
		int32_t min_inliers;
	} cases[] = {
		{ CAIRN_ORDER_FUSED, 100, -1, -1, NAN, -INFINITY, 0 },
		{ CAIRN_ORDER_FUSED, 4, 7, -1, NAN, -INFINITY, 0 },
		{ CAIRN_ORDER_FUSED, 7, 4, 0, 2, -INFINITY, 0 },
		{ CAIRN_ORDER_FUSED, 100, 0, -1, NAN, -INFINITY, 0 },
		{ CAIRN_ORDER_FUSED, 1, 1, -1, NAN, -INFINITY, 0 },
		{ CAIRN_ORDER_INLIERS, 100, -1, -1, NAN, -INFINITY, 0 },
		{ CAIRN_ORDER_INLIERS, 5, 9, 12, NAN, -INFINITY, 0 },
		{ CAIRN_ORDER_INLIERS, 5, 9, 1000, NAN, -INFINITY, 0 },
		{ CAIRN_ORDER_FUSED, 100, -1, -1, NAN, 1.0f, 0 },
		{ CAIRN_ORDER_FUSED, 100, 6, -1, NAN, -INFINITY, 1 },
		{ CAIRN_ORDER_INLIERS, 3, -1, -1, NAN, 2, 12 },
		{ CAIRN_ORDER_FUSED, 100, -1, -1, NAN, INFINITY, 0 },
	};
	size_t found = 0;
	(void)state;
	for (int has_model = 0; has_model < 2; has_model++) {
		cairn_collection *collection = open_for_reading(has_model ? with_model : without_model);
		for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
			cairn_search_options options = plain_options();
			options.order = cases[c].order;
			options.k = cases[c].k;
			options.verify = cases[c].verify;
			options.trust_inliers = cases[c].trust;
			options.boost = cases[c].boost;
			options.min_score = cases[c].min_score;
			options.min_inliers = cases[c].min_inliers;
			options.threads = 1 + c % 3;
			options.local = has_model ? NULL : "rootsift";
			cairn_searcher *searcher = new_searcher(collection, &options);
			for (int64_t id = 1; id <= IMAGES; id += 4) {
				struct plain_hit plain[IMAGES];
				cairn_answer *answer;
				size_t count = search_plainly(collection, id, &options, NULL, plain);
				assert_ok(cairn_search_id(&answer, searcher, id));
				assert_same_as_plain(answer, plain, count, has_model);
				cairn_answer_free(answer);
				found += count;
			}
			cairn_searcher_free(searcher);
		}
		cairn_collection_free(collection);
	}
	assert_true(found > 400);
}

/* The other views of the query's place come first, and far above the rest. */
static void finds_the_place(void **state)
{
	(void)state;
	for (int has_model = 0; has_model < 2; has_model++) {
		cairn_collection *collection = open_for_reading(has_model ? with_model : without_model);
		cairn_searcher *searcher = new_searcher(collection, NULL);
		for (int64_t id = 1; id <= IMAGES; id++) {
			cairn_answer *answer;
			assert_ok(cairn_search_id(&answer, searcher, id));
			assert_int_equal(cairn_answer_count(answer), IMAGES - 1);
			assert_int_equal(rank_of(answer, id), IMAGES - 1);
			for (size_t rank = 0; rank < VIEWS - 1; rank++) {
				assert_int_equal((hit_at(answer, rank).id - 1) / VIEWS, (id - 1) / VIEWS);
				assert_true(hit_at(answer, rank).inliers > 15);
			}
			assert_true(hit_at(answer, VIEWS - 1).inliers < 10);
			cairn_answer_free(answer);
		}
		cairn_searcher_free(searcher);
		cairn_collection_free(collection);
	}
}

/* A photograph given by its path is compared with itself as well, if it is in the collection. */
static void finds_the_photograph_itself_by_path(void **state)
{
	(void)state;
	cairn_collection *collection = open_for_reading(with_model);
	const cairn_search_options options = plain_options();
	cairn_searcher *searcher = new_searcher(collection, &options);
	cairn_answer *answer;
	cairn_image_record record;
	assert_ok(cairn_collection_find_id(collection, 5, &record));
	const char *path = keep(record.path);
	assert_ok(cairn_search_path(&answer, searcher, path, NULL));
	cairn_hit hit = hit_at(answer, 0);
	assert_int_equal(hit.id, 5);
	assert_true(fabsf(hit.similarity - 1) < HALF_ERROR);
	assert_string_equal(hit.path, path);
	assert_string_equal(cairn_answer_query(answer), path);
	assert_int_equal(cairn_answer_count(answer), IMAGES);
	cairn_answer_times times = cairn_answer_get_times(answer);
	assert_true(times.decode > 0 && times.describe > 0 && times.search > 0 && times.verify > 0);
	cairn_answer_free(answer);
	cairn_image *image;
	cairn_query *query;
	assert_ok(cairn_image_open(&image, path, NULL));
	assert_ok(cairn_query_from_image(&query, searcher, image, "upload", NULL));
	cairn_image_free(image);
	assert_ok(cairn_search(&answer, searcher, query, NULL, 0));
	assert_int_equal(hit_at(answer, 0).id, 5);
	assert_true(fabsf(hit_at(answer, 0).similarity - 1) < HALF_ERROR);
	assert_string_equal(cairn_answer_query(answer), "upload");
	cairn_query_free(query);
	cairn_answer_free(answer);
	cairn_searcher_free(searcher);
	cairn_collection_free(collection);
}

/* ---- verifying otherwise ---- */

static cairn_answer *answer_afresh(cairn_searcher *searcher, int64_t id)
{
	cairn_answer *answer;
	assert_ok(cairn_search_id(&answer, searcher, id));
	return answer;
}

/* A searcher that is told to verify in another way does as one that was made so. */
static void may_be_told_to_verify_otherwise(void **state)
{
	(void)state;
	static const float radii[] = { 1.5f, 40, 10 };
	cairn_collection *collection = open_for_reading(with_model);
	cairn_search_options options = plain_options(), wrong;
	cairn_searcher *told = new_searcher(collection, &options);
	size_t different = 0;
	for (size_t r = 0; r < 3; r++) {
		options.verification.radius = radii[r];
		cairn_searcher *made = new_searcher(collection, &options);
		cairn_answer *before = answer_afresh(told, 5);
		assert_ok(cn_searcher_set_verification(told, &options.verification));
		wrong = options;
		wrong.verification.radius = -1;
		assert_true(cn_searcher_set_verification(told, &wrong.verification) < 0);
		wrong.verification.radius = 3;
		cn_memory_fail_at(1);
		assert_fails(cn_searcher_set_verification(told, &wrong.verification), CAIRN_ENOMEM, NULL);
		cn_memory_fail_at(-1);
		cairn_answer *now = answer_afresh(told, 5), *expected = answer_afresh(made, 5);
		for (size_t i = 0; i < IMAGES - 1; i++) {
			assert_int_equal(hit_at(now, i).id, hit_at(expected, i).id);
			assert_int_equal(hit_at(now, i).inliers, hit_at(expected, i).inliers);
			different += hit_at(before, i).inliers != hit_at(now, i).inliers;
		}
		cairn_answer_free(before);
		cairn_answer_free(now);
		cairn_answer_free(expected);
		cairn_searcher_free(made);
	}
	assert_true(different > 0);
	cairn_searcher_free(told);
	cairn_collection_free(collection);
}

/* ---- leaving out ---- */

/* A progress callback that notes how many pairs a search verified. */
static int note_total(const cairn_progress *progress, void *payload)
{
	*(uint64_t *)payload = progress->done;
	return 0;
}

static void leaves_out_before_verifying(void **state)
{
	(void)state;
	cairn_collection *collection = open_for_reading(with_model);
	cairn_search_options options = plain_options();
	uint64_t verified = 0;
	options.verify = 4;
	options.progress = note_total;
	options.progress_payload = &verified;
	cairn_searcher *searcher = new_searcher(collection, &options);
	cairn_query *query;
	cairn_answer *all, *answer;
	assert_ok(cairn_query_from_id(&query, searcher, 7));
	assert_ok(cairn_search(&all, searcher, query, NULL, 0));
	assert_int_equal(verified, 4);
	/* Two of the verified ones and twice the same are junk: the next two take their places. */
	int64_t junk[] = { hit_at(all, 0).id, hit_at(all, 1).id, INT64_MAX };
	if (junk[0] > junk[1])
		junk[0] = hit_at(all, 1).id, junk[1] = hit_at(all, 0).id;
	verified = 0;
	assert_ok(cairn_search(&answer, searcher, query, junk, 3));
	/* The pairs that were verified before are remembered. */
	assert_int_equal(verified, 2);
	assert_int_equal(cairn_answer_count(answer), IMAGES - 3);
	size_t with_inliers = 0;
	for (size_t i = 0; i < cairn_answer_count(answer); i++) {
		cairn_hit hit = hit_at(answer, i);
		assert_true(hit.id != junk[0] && hit.id != junk[1] && hit.id != 7);
		with_inliers += hit.inliers != CAIRN_NO_INLIERS;
	}
	assert_int_equal(with_inliers, 4);
	cairn_answer_free(answer);
	verified = 99;
	assert_ok(cairn_search(&answer, searcher, query, NULL, 0));
	assert_int_equal(verified, 99);
	assert_int_equal(cairn_answer_count(answer), cairn_answer_count(all));
	for (size_t i = 0; i < cairn_answer_count(all); i++) {
		assert_int_equal(hit_at(answer, i).id, hit_at(all, i).id);
		assert_int_equal(hit_at(answer, i).inliers, hit_at(all, i).inliers);
	}
	cairn_answer_free(answer);
	cairn_answer_free(all);
	cairn_query_free(query);
	cairn_searcher_free(searcher);
	cairn_collection_free(collection);
}

static void takes_lists_of_ids_to_leave_out(void **state)
{
	(void)state;
	int64_t everything[IMAGES];
	const int64_t two[] = { 2, 3 }, twice[] = { 2, 2, 3 }, descending[] = { 3, 2 }, unknown[] = { -5, 0, 1000 };
	for (int i = 0; i < IMAGES; i++)
		everything[i] = i + 1;
	for (int has_model = 0; has_model < 2; has_model++) {
		cairn_collection *collection = open_for_reading(has_model ? with_model : without_model);
		cairn_search_options options = plain_options();
		options.k = 2;
		cairn_searcher *searcher = new_searcher(collection, &options);
		cairn_query *query;
		cairn_answer *answer;
		assert_ok(cairn_query_from_id(&query, searcher, 1));
		assert_ok(cairn_search(&answer, searcher, query, everything, IMAGES));
		assert_int_equal(cairn_answer_count(answer), 0);
		cairn_answer_free(answer);
		/* 2 and 3 are the other views of the place of 1. */
		assert_ok(cairn_search(&answer, searcher, query, two, 2));
		assert_int_equal(cairn_answer_count(answer), 2);
		assert_int_equal(rank_of(answer, 2) + rank_of(answer, 3), 4);
		cairn_answer_free(answer);
		assert_ok(cairn_search(&answer, searcher, query, unknown, 3));
		assert_true(hit_at(answer, 0).id == 2 || hit_at(answer, 0).id == 3);
		cairn_answer_free(answer);
		assert_fails(cairn_search(&answer, searcher, query, descending, 2), CAIRN_EINVALID, "2 follows 3");
		assert_fails(cairn_search(&answer, searcher, query, twice, 3), CAIRN_EINVALID, "2 follows 2");
		assert_fails(cairn_search(&answer, searcher, query, NULL, 1), CAIRN_EINVALID, "NULL");
		cairn_query_free(query);
		cairn_searcher_free(searcher);
		cairn_collection_free(collection);
	}
}

/* ---- filters ---- */

static void finds_only_what_the_filter_selects(void **state)
{
	(void)state;
	static const int64_t some[] = { 14, 2, 3, 9, 8, 5, 1000 }, one[] = { 6 };
	static const struct {
		const int64_t *ids;
		size_t id_count;
		const char *where;
		int wanted[IMAGES + 1];
	} cases[] = {
		{ some, 7, NULL, { [2] = 1, [3] = 1, [5] = 1, [8] = 1, [9] = 1, [14] = 1 } },
		{ some, 7, "path LIKE '%view-1.png'", { [2] = 1, [5] = 1, [8] = 1, [14] = 1 } },
		{ NULL, 0, "id BETWEEN 4 AND 6", { [4] = 1, [5] = 1, [6] = 1 } },
		{ one, 1, NULL, { [6] = 1 } },
	};
	static const int32_t depths[] = { -1, 0, 2 };
	size_t found = 0;
	for (int has_model = 0; has_model < 2; has_model++) {
		cairn_collection *collection = open_for_reading(has_model ? with_model : without_model);
		for (size_t c = 0; c < 3 * sizeof(cases) / sizeof(*cases); c++) {
			cairn_filter filter = CAIRN_FILTER_INIT;
			cairn_search_options options = plain_options();
			filter.ids = cases[c / 3].ids;
			filter.id_count = cases[c / 3].id_count;
			filter.where = &cases[c / 3].where;
			filter.where_count = cases[c / 3].where != NULL;
			options.filter = &filter;
			options.verify = depths[c % 3];
			options.k = c % 2 ? 2 : 100;
			options.local = has_model ? NULL : "rootsift";
			cairn_searcher *searcher = new_searcher(collection, &options);
			/* Neither what the filter borrows nor itself is needed any more. */
			memset(&filter, 0xff, sizeof(filter));
			for (int64_t id = 1; id <= IMAGES; id += 5) {
				struct plain_hit plain[IMAGES];
				cairn_answer *answer;
				size_t count = search_plainly(collection, id, &options, cases[c / 3].wanted, plain);
				assert_ok(cairn_search_id(&answer, searcher, id));
				assert_same_as_plain(answer, plain, count, has_model);
				cairn_answer_free(answer);
				found += count;
			}
			cairn_searcher_free(searcher);
		}
		cairn_collection_free(collection);
	}
	assert_true(found > 100);
}

static void copies_the_filter(void **state)
{
	(void)state;
	char where[] = "id < 4", label[] = "place";
	const char *labels[] = { label };
	int64_t ids[] = { 2, 3 };
	const char *folder = collection_made(NULL, NULL, photos, 0);
	cairn_collection *collection;
	cairn_answer *answer;
	cairn_search_options options = plain_options();
	const char *conditions[] = { where };
	cairn_filter filter = { CAIRN_FILTER_VERSION, labels, 1, ids, 2, conditions, 1, NULL, NULL };
	cairn_add_options how = CAIRN_ADD_OPTIONS_INIT;
	const char *list = keep(cn_test_path(cn_test_folder(), "l.csv"));
	char *text = NULL;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);
	fprintf(file, "path,label\n%s/place-00-view-1.png,place\n", photos);
	assert_int_equal(fclose(file), 0);
	cn_test_write(list, text, length);
	free(text);
	how.labels = list;
	options.filter = &filter;
	assert_ok(cairn_collection_open(&collection, folder, 1));
	collection_add(collection, photos, &how);
	cairn_searcher *searcher = new_searcher(collection, &options);
	where[0] = label[0] = 'x';
	labels[0] = NULL;
	ids[0] = 3;
	/* A change of the collection makes it look again. */
	assert_ok(cairn_collection_remove(collection, (const int64_t[]){ 15 }, 1));
	assert_ok(cairn_search_id(&answer, searcher, 1));
	assert_int_equal(cairn_answer_count(answer), 1);
	assert_int_equal(hit_at(answer, 0).id, 2);
	cairn_answer_free(answer);
	cairn_searcher_free(searcher);
	cairn_collection_free(collection);
}

static void a_filter_follows_the_collection(void **state)
{
	(void)state;
	for (int has_model = 0; has_model < 2; has_model++) {
		const char *folder = collection_made(has_model ? model_new("tiny", 3) : NULL, NULL, photos, 0);
		cairn_collection *writer, *reader;
		cairn_answer *answer;
		cairn_filter filter = CAIRN_FILTER_INIT;
		cairn_search_options options = plain_options();
		filter.where = (const char *const[]){ "id IN (2, 3, 16)" };
		filter.where_count = 1;
		options.filter = &filter;
		assert_ok(cairn_collection_open(&writer, folder, 1));
		assert_ok(cairn_collection_open(&reader, folder, 0));
		cairn_searcher *searcher = new_searcher(writer, &options), *behind = new_searcher(reader, &options);
		assert_ok(cairn_collection_remove(writer, (const int64_t[]){ 2 }, 1));
		collection_add(writer, photo_folder(1, 900), NULL);
		static const size_t expected[3][2] = { { 2, 2 }, { 2, 2 }, { 2, 0 } };
		static const int64_t first[3] = { 3, 3, 0 };
		for (int round = 0; round < 3; round++) {
			if (round == 1)
				assert_ok(cairn_collection_refresh(reader));
			if (round == 2)
				assert_ok(cairn_collection_remove(writer, (const int64_t[]){ 3, 16 }, 2));
			assert_ok(cairn_search_id(&answer, behind, 1));
			assert_int_equal(cairn_answer_count(answer), expected[round][0]);
			assert_int_equal(rank_of(answer, 2) < 2, round == 0);
			assert_int_equal(rank_of(answer, 16) < 2, round > 0);
			cairn_answer_free(answer);
			if (first[round]) {
				assert_ok(cairn_search_id(&answer, searcher, 1));
				assert_int_equal(cairn_answer_count(answer), expected[round][1]);
				assert_int_equal(hit_at(answer, 0).id, first[round]);
				cairn_answer_free(answer);
			} else {
				assert_fails(cairn_search_id(&answer, searcher, 1), CAIRN_ENOTFOUND,
					     "the filter selects no image");
			}
		}
		cairn_searcher_free(searcher);
		cairn_searcher_free(behind);
		cairn_collection_free(reader);
		cairn_collection_free(writer);
	}
}

static void refuses_filters(void **state)
{
	(void)state;
	static const char *const unknown[] = { "castle" };
	static const char *const none[] = { "width < 0" }, *const cut[] = { "width <" };
	static const char *const broken[] = { "id = 1", "0) OR (1 = 1" };
	static const struct {
		cairn_filter filter;
		int status;
		const char *text;
	} cases[] = {
		{ { CAIRN_FILTER_VERSION, unknown, 1, NULL, 0, NULL, 0, NULL, NULL },
		  CAIRN_ENOTFOUND,
		  "selects no image" },
		{ { CAIRN_FILTER_VERSION, NULL, 0, NULL, 0, none, 1, NULL, NULL },
		  CAIRN_ENOTFOUND,
		  "selects no image" },
		{ { CAIRN_FILTER_VERSION, NULL, 0, NULL, 0, cut, 1, NULL, NULL }, CAIRN_EINVALID, "incomplete input" },
		/* Each by itself: neither is an expression. */
		{ { CAIRN_FILTER_VERSION, NULL, 0, NULL, 0, broken, 2, NULL, NULL }, CAIRN_EINVALID, "0) OR (1" },
		{ { CAIRN_FILTER_VERSION, NULL, 0, NULL, 0, NULL, 1, NULL, NULL },
		  CAIRN_EINVALID,
		  "condition 0 of the filter is NULL" },
		{ { 5, NULL, 0, NULL, 0, NULL, 0, NULL, NULL }, CAIRN_EINVALID, "version 5" },
	};
	cairn_collection *collection = open_for_reading(with_model);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cairn_search_options options = plain_options();
		cairn_searcher *searcher;
		options.filter = &cases[i].filter;
		assert_fails(cairn_searcher_new(&searcher, collection, &options), cases[i].status, cases[i].text);
		assert_null(searcher);
	}
	cairn_collection_free(collection);
}

/* ---- collections of all kinds ---- */

static void searches_an_empty_collection(void **state)
{
	(void)state;
	for (int has_model = 0; has_model < 2; has_model++) {
		const char *empty = keep(cn_test_folder());
		const char *folder = collection_made(has_model ? model_new("tiny", 3) : NULL, NULL, empty, 0);
		cairn_collection *collection = open_for_reading(folder);
		const cairn_search_options options = plain_options();
		cairn_searcher *searcher = new_searcher(collection, &options);
		cairn_answer *answer;
		assert_ok(cairn_search_path(&answer, searcher, cn_test_path(photos, "place-00-view-0.png"), NULL));
		assert_int_equal(cairn_answer_count(answer), 0);
		cairn_hit hit;
		assert_fails(cairn_answer_get(answer, 0, &hit), CAIRN_EINVALID, "0 hits");
		cairn_answer_free(answer);
		assert_fails(cairn_search_id(&answer, searcher, 1), CAIRN_ENOTFOUND, "1");
		cairn_searcher_free(searcher);
		cairn_collection_free(collection);
	}
}

static void sees_what_comes_and_goes(void **state)
{
	(void)state;
	for (int has_model = 0; has_model < 2; has_model++) {
		const char *empty = keep(cn_test_folder());
		const char *folder = collection_made(has_model ? model_new("tiny", 3) : NULL, NULL, empty, 0);
		cairn_collection *writer, *reader;
		cairn_answer *answer;
		cairn_query *query;
		assert_ok(cairn_collection_open(&writer, folder, 1));
		assert_ok(cairn_collection_open(&reader, folder, 0));
		cairn_searcher *searcher = new_searcher(writer, NULL), *behind = new_searcher(reader, NULL);
		const char *path = keep(cn_test_path(photos, "place-01-view-1.png"));
		collection_add(writer, photos, NULL);
		assert_ok(cairn_search_path(&answer, searcher, path, NULL));
		assert_int_equal(cairn_answer_count(answer), IMAGES);
		int64_t best = hit_at(answer, 0).id;
		cairn_answer_free(answer);
		assert_ok(cairn_query_from_id(&query, searcher, best));
		assert_ok(cairn_search(&answer, searcher, query, NULL, 0));
		int64_t second = hit_at(answer, 0).id;
		cairn_answer_free(answer);
		/* The reader sees nothing until it is refreshed, then all; and keeps it when the writer removes some.
		 */
		assert_ok(cairn_search_path(&answer, behind, path, NULL));
		assert_int_equal(cairn_answer_count(answer), 0);
		cairn_answer_free(answer);
		assert_ok(cairn_collection_refresh(reader));
		const int64_t gone[] = { best < second ? best : second, best < second ? second : best };
		assert_ok(cairn_collection_remove(writer, gone, 2));
		assert_ok(cairn_search_path(&answer, behind, path, NULL));
		assert_int_equal(cairn_answer_count(answer), IMAGES);
		assert_int_equal(hit_at(answer, 0).id, best);
		cairn_answer_free(answer);
		/* A query that was described before its image was removed can still be asked. */
		assert_ok(cairn_search(&answer, searcher, query, NULL, 0));
		assert_int_equal(cairn_answer_count(answer), IMAGES - 2);
		assert_int_equal(rank_of(answer, second), IMAGES - 2);
		cairn_answer_free(answer);
		assert_fails(cairn_search_id(&answer, searcher, best), CAIRN_ENOTFOUND, NULL);
		assert_ok(cairn_collection_compact(writer, NULL, NULL));
		assert_ok(cairn_search(&answer, searcher, query, NULL, 0));
		assert_int_equal(cairn_answer_count(answer), IMAGES - 2);
		cairn_answer_free(answer);
		cairn_query_free(query);
		cairn_searcher_free(searcher);
		cairn_searcher_free(behind);
		cairn_collection_free(reader);
		cairn_collection_free(writer);
	}
}

static void images_and_queries_may_lack_features(void **state)
{
	(void)state;
	const char *folder = keep(cn_test_folder());
	photo_save_plain(cn_test_path(folder, "1-plain.png"));
	photo_save(cn_test_path(folder, "0-full.png"), 1);
	photo_save_moved(cn_test_path(folder, "2-moved.png"), 1, 4, 4);
	for (int has_model = 0; has_model < 2; has_model++) {
		const char *made = collection_made(has_model ? model_new("tiny", 3) : NULL, NULL, folder, 0);
		cairn_collection *collection = open_for_reading(made);
		const cairn_search_options options = plain_options();
		cairn_searcher *searcher = new_searcher(collection, &options);
		cairn_features *features;
		cairn_answer *answer;
		assert_ok(cairn_collection_features(collection, 2, "rootsift", &features));
		assert_int_equal(cairn_features_count(features), 0);
		cairn_features_free(features);
		for (int64_t id = 1; id <= 3; id++) {
			assert_ok(cairn_search_id(&answer, searcher, id));
			assert_int_equal(cairn_answer_count(answer), 2);
			for (size_t i = 0; i < 2; i++) {
				cairn_hit hit = hit_at(answer, i);
				cairn_point_pair *pairs;
				size_t count;
				assert_int_equal(hit.inliers > 0, id != 2 && hit.id != 2);
				assert_int_not_equal(hit.inliers, CAIRN_NO_INLIERS);
				assert_ok(cairn_answer_points(answer, i, &pairs, &count));
				assert_int_equal(count, hit.inliers);
				cairn_bytes_free(pairs);
			}
			cairn_answer_free(answer);
		}
		assert_ok(cairn_search_path(&answer, searcher, cn_test_path(folder, "1-plain.png"), NULL));
		assert_int_equal(cairn_answer_count(answer), 3);
		assert_int_equal(hit_at(answer, 0).inliers, 0);
		cairn_answer_free(answer);
		cairn_searcher_free(searcher);
		cairn_collection_free(collection);
	}
}

static void an_image_with_several_rows_is_found_once(void **state)
{
	(void)state;
	const char *folder = collection_made(model_new("tiny", 3), NULL, photos, 4);
	cairn_collection *collection;
	float rows[3][DIM] = { { 0 } };
	assert_ok(cairn_collection_open(&collection, folder, 1));
	assert_ok(cairn_collection_descriptor(collection, 4, rows[1]));
	rows[0][0] = rows[2][1] = 1;
	int64_t id = collection_add_rows(collection, &rows[0][0], 3);
	cairn_search_options options = plain_options();
	for (options.k = 1; options.k <= 20; options.k += 19) {
		cairn_searcher *searcher = new_searcher(collection, &options);
		cairn_answer *answer;
		options.verify = 0;
		assert_ok(cairn_search_id(&answer, searcher, 4));
		assert_int_equal(cairn_answer_count(answer), options.k == 1 ? 1 : IMAGES);
		size_t times = 0;
		for (size_t i = 0; i < cairn_answer_count(answer); i++)
			times += hit_at(answer, i).id == id;
		if (options.k > 1) {
			assert_int_equal(times, 1);
			assert_true(fabsf(hit_at(answer, rank_of(answer, id)).similarity - 1) < HALF_ERROR);
		}
		cairn_answer_free(answer);
		cairn_searcher_free(searcher);
	}
	cairn_collection_free(collection);
}

/* ---- parts of photographs ---- */

static void points_of_a_part_are_those_of_the_whole(void **state)
{
	(void)state;
	const cairn_box box = { 31.5, 14.25, 108, 81 };
	for (int has_model = 0; has_model < 2; has_model++) {
		cairn_collection *collection = open_for_reading(has_model ? with_model : without_model);
		const cairn_search_options options = plain_options();
		cairn_searcher *searcher = new_searcher(collection, &options);
		cairn_answer *answer;
		/* View 1 of place 2, which is image 8. View 2, image 9, lies 5 pixels to the right and 3 up. */
		assert_ok(cairn_search_path(&answer, searcher, cn_test_path(photos, "place-02-view-1.png"), &box));
		cairn_box told = cairn_answer_box(answer);
		assert_memory_equal(&told, &box, sizeof(box));
		for (int64_t id = 8; id <= 9; id++) {
			size_t rank = rank_of(answer, id), count, near = 0;
			cairn_point_pair *pairs;
			assert_ok(cairn_answer_points(answer, rank, &pairs, &count));
			assert_int_equal(count, hit_at(answer, rank).inliers);
			assert_true(count > 8);
			for (size_t i = 0; i < count; i++) {
				double right = id == 8 ? 0 : 5, down = id == 8 ? 0 : -3;
				assert_true(pairs[i].ax > 30 && pairs[i].ax < 108);
				assert_true(pairs[i].ay > 13 && pairs[i].ay < 81);
				near += fabs((double)(pairs[i].bx - pairs[i].ax) - right) < 0.5 &&
					fabs((double)(pairs[i].by - pairs[i].ay) - down) < 0.5;
			}
			assert_true(near * 10 >= count * 8);
			cairn_bytes_free(pairs);
		}
		cairn_answer_free(answer);
		cairn_searcher_free(searcher);
		cairn_collection_free(collection);
	}
}

/* ---- several at once ---- */

struct asking {
	cairn_collection *collection;
	int64_t best[IMAGES + 1][3];
	int status;
};

static void *ask_all(void *context)
{
	struct asking *asking = context;
	cairn_search_options options = plain_options();
	cairn_searcher *searcher;
	options.threads = 2;
	asking->status = cairn_searcher_new(&searcher, asking->collection, &options);
	for (int64_t id = 1; id <= IMAGES && asking->status == 0; id++) {
		cairn_answer *answer;
		asking->status = cairn_search_id(&answer, searcher, id);
		if (asking->status < 0)
			break;
		for (size_t i = 0; i < 3; i++) {
			cairn_hit hit = { 0 };
			asking->status |= cairn_answer_get(answer, i, &hit);
			asking->best[id][i] = hit.id * 1000 + hit.inliers;
		}
		cairn_answer_free(answer);
	}
	if (asking->status == 0)
		cairn_searcher_free(searcher);
	return NULL;
}

static void searchers_share_a_collection(void **state)
{
	(void)state;
	struct asking asking[3] = { { 0 } };
	pthread_t threads[2];
	cairn_collection *collection = open_for_reading(with_model);
	for (size_t i = 0; i < 3; i++)
		asking[i].collection = collection;
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_all, &asking[i]), 0);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	ask_all(&asking[2]);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(asking[i].status, 0);
		assert_memory_equal(asking[i].best, asking[2].best, sizeof(asking[i].best));
	}
	cairn_collection_free(collection);
}

/* ---- failures ---- */

static void names_a_damaged_segment(void **state)
{
	(void)state;
	char *bytes;
	size_t length;
	int met = 0;
	const char *folder = collection_made(NULL, NULL, photos, 4);
	const char *path = keep(cn_test_path(cn_test_path(folder, "segments"), "00000002.rootsift.features"));
	assert_ok(cn_file_read(path, 1 << 24, &bytes, &length));
	for (size_t at = 0; at < length; at += 1 + length / 97) {
		bytes[at] = (char)(bytes[at] ^ 0x41);
		cn_test_write(path, bytes, length);
		bytes[at] = (char)(bytes[at] ^ 0x41);
		cairn_collection *collection = open_for_reading(folder);
		cairn_search_options options = plain_options();
		options.threads = 2;
		cairn_searcher *searcher = new_searcher(collection, &options);
		cairn_answer *answer = NULL;
		int status = cairn_search_id(&answer, searcher, 1);
		if (status < 0)
			assert_fails(status, CAIRN_EDAMAGED, "00000002.rootsift.features");
		met += status < 0;
		cairn_answer_free(answer);
		cairn_searcher_free(searcher);
		cairn_collection_free(collection);
	}
	assert_true(met > 90);
	cairn_bytes_free(bytes);
}

static void names_a_damaged_descriptor(void **state)
{
	(void)state;
	static const struct {
		const char *bytes; /* of a half-precision number */
		int is_infinite;
	} wrong[] = { { "\x00\x7e", 0 }, { "\x00\x7c", 1 } };
	for (size_t i = 0; i < 2; i++) {
		const char *folder = collection_made(model_new("tiny", 3), NULL, photos, 0);
		cairn_collection *collection;
		cairn_answer *answer;
		const float row[DIM] = { 1 };
		assert_ok(cairn_collection_open(&collection, folder, 1));
		int64_t id = collection_add_rows(collection, row, 1);
		file_overwrite(cn_test_path(folder, "segments/00000002.rows.npy"), 128, wrong[i].bytes, 2);
		cairn_searcher *searcher = new_searcher(collection, NULL);
		assert_fails(cairn_search_id(&answer, searcher, id), CAIRN_EDAMAGED, "16");
		/* What is not a number is nowhere near; what is infinite would come first. */
		if (wrong[i].is_infinite) {
			assert_fails(cairn_search_id(&answer, searcher, 2), CAIRN_EDAMAGED, "image 16 is damaged");
		} else {
			assert_ok(cairn_search_id(&answer, searcher, 2));
			for (size_t k = 0; k < cairn_answer_count(answer); k++)
				assert_false(isnan(hit_at(answer, k).score));
			assert_int_equal((hit_at(answer, 0).id - 1) / VIEWS, 0);
		}
		cairn_answer_free(answer);
		cairn_searcher_free(searcher);
		cairn_collection_free(collection);
	}
}

static void refuses_options(void **state)
{
	(void)state;
	cairn_collection *with = open_for_reading(with_model), *without = open_for_reading(without_model);
	cairn_search_options cases[10];
	static const struct {
		int status;
		const char *text;
	} expected[10] = {
		{ CAIRN_EINVALID, "version 7" },     { CAIRN_EINVALID, "k is 0" },  { CAIRN_EINVALID, "min_score" },
		{ CAIRN_EINVALID, "verify -2" },     { CAIRN_EINVALID, "order 9" }, { CAIRN_EINVALID, "boost" },
		{ CAIRN_EINVALID, "trust_inliers" }, { CAIRN_ENOTFOUND, "'surf'" }, { CAIRN_EINVALID, "radius" },
		{ CAIRN_EINVALID, "min_inliers" },
	};
	for (size_t i = 0; i < 10; i++)
		cases[i] = plain_options();
	cases[0].version = 7;
	cases[1].k = 0;
	cases[2].min_score = NAN;
	cases[3].verify = -2;
	cases[4].order = (cairn_order)9;
	cases[5].boost = INFINITY;
	cases[6].trust_inliers = -2;
	cases[7].local = "surf";
	cases[8].verification.radius = 0;
	cases[9].min_inliers = -1;
	for (size_t i = 0; i < 10; i++) {
		cairn_searcher *searcher;
		assert_fails(cairn_searcher_new(&searcher, with, &cases[i]), expected[i].status, expected[i].text);
		assert_fails(cairn_searcher_new(&searcher, without, &cases[i]), expected[i].status, expected[i].text);
	}
	cairn_searcher_free(NULL);
	cairn_query_free(NULL);
	cairn_answer_free(NULL);
	cairn_collection_free(with);
	cairn_collection_free(without);
}

static void refuses_the_query_of_another_searcher(void **state)
{
	(void)state;
	cairn_collection *collection = open_for_reading(without_model);
	cairn_searcher *one = new_searcher(collection, NULL), *two = new_searcher(collection, NULL);
	cairn_query *query;
	cairn_answer *answer;
	assert_ok(cairn_query_from_id(&query, one, 1));
	assert_fails(cairn_search(&answer, two, query, NULL, 0), CAIRN_EINVALID, "another searcher");
	cairn_query_free(query);
	cairn_searcher_free(one);
	cairn_searcher_free(two);
	cairn_collection_free(collection);
}

struct stopping {
	uint64_t after, total;
	int calls;
};

static int stop(const cairn_progress *progress, void *payload)
{
	struct stopping *stopping = payload;
	stopping->calls++;
	stopping->total = progress->total;
	return progress->done >= stopping->after;
}

/* Without a global model all images are verified, which may take long. */
static void can_be_cancelled(void **state)
{
	(void)state;
	cairn_collection *collection = open_for_reading(without_model);
	struct stopping stopping = { .after = 0 };
	cairn_search_options options = plain_options();
	options.progress = stop;
	options.progress_payload = &stopping;
	cairn_searcher *searcher = new_searcher(collection, &options);
	cairn_query *query;
	cairn_answer *answer;
	assert_ok(cairn_query_from_id(&query, searcher, 1));
	assert_fails(cairn_search(&answer, searcher, query, NULL, 0), CAIRN_ECANCELLED, NULL);
	assert_true(stopping.calls > 0);
	assert_int_equal(stopping.total, IMAGES - 1);
	/* What was verified until then is not done again. */
	stopping.after = UINT64_MAX;
	assert_ok(cairn_search(&answer, searcher, query, NULL, 0));
	assert_true(stopping.total < IMAGES - 1);
	assert_int_equal(cairn_answer_count(answer), IMAGES - 1);
	assert_int_equal((hit_at(answer, 0).id - 1) / VIEWS, 0);
	cairn_answer_free(answer);
	cairn_query_free(query);
	cairn_searcher_free(searcher);
	cairn_collection_free(collection);
}

static int search_once(void *context)
{
	cairn_search_options options = plain_options();
	cairn_searcher *searcher;
	cairn_answer *answer;
	static const int64_t ids[] = { 1, 3, 4, 9 };
	static const char *const conditions[] = { "width > 0" };
	const cairn_filter filter = { CAIRN_FILTER_VERSION, NULL, 0, ids, 4, conditions, 1, NULL, NULL };
	options.verify = 3;
	options.k = 2;
	options.filter = &filter;
	int status = cairn_searcher_new(&searcher, context, &options);
	if (status < 0)
		return status;
	status = cairn_search_id(&answer, searcher, 2);
	if (status == 0) {
		assert_int_equal(cairn_answer_count(answer), 2);
		cairn_answer_free(answer);
	}
	cairn_searcher_free(searcher);
	return status;
}

static void survives_lack_of_memory(void **state)
{
	(void)state;
	for (int has_model = 0; has_model < 2; has_model++) {
		cairn_collection *collection = open_for_reading(has_model ? with_model : without_model);
		assert_true(cn_torture(search_once, collection) > 40);
		cairn_collection_free(collection);
	}
}

static int make_collections(void **state)
{
	(void)state;
	photos = photo_views(PLACES, VIEWS, 1);
	with_model = collection_made(model_new("tiny", 3), NULL, photos, 4);
	without_model = collection_made(NULL, NULL, photos, 4);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranks_as_a_plain_search_does),
		cmocka_unit_test(finds_the_place),
		cmocka_unit_test(finds_the_photograph_itself_by_path),
		cmocka_unit_test(may_be_told_to_verify_otherwise),
		cmocka_unit_test(leaves_out_before_verifying),
		cmocka_unit_test(takes_lists_of_ids_to_leave_out),
		cmocka_unit_test(finds_only_what_the_filter_selects),
		cmocka_unit_test(copies_the_filter),
		cmocka_unit_test(a_filter_follows_the_collection),
		cmocka_unit_test(refuses_filters),
		cmocka_unit_test(searches_an_empty_collection),
		cmocka_unit_test(sees_what_comes_and_goes),
		cmocka_unit_test(images_and_queries_may_lack_features),
		cmocka_unit_test(an_image_with_several_rows_is_found_once),
		cmocka_unit_test(points_of_a_part_are_those_of_the_whole),
		cmocka_unit_test(searchers_share_a_collection),
		cmocka_unit_test(names_a_damaged_segment),
		cmocka_unit_test(names_a_damaged_descriptor),
		cmocka_unit_test(refuses_options),
		cmocka_unit_test(refuses_the_query_of_another_searcher),
		cmocka_unit_test(can_be_cancelled),
		cmocka_unit_test(survives_lack_of_memory),
	};
	return cmocka_run_group_tests_name("search/searcher", tests, make_collections, NULL);
}
