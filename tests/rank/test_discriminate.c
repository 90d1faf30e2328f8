/* Predicted labels and what they do to lists: by hand, and against the rule read off image by image. */
#include "rank/discriminate.h"

#include "lists.h"
#include "torture.h"

/* ---- predicting ---- */

static void known_labels(void **state)
{
	/* labels 4, 4, 6, 9, none, 6 of the images 10, 11, 12, 13, 14, 20 */
	int64_t known_ids[] = { 10, 11, 12, 13, 14, 20 };
	int32_t labels[] = { 4, 4, 6, 9, CN_NO_LABEL, 6 };
	const cn_label_table known = { .ids = known_ids, .labels = labels, .count = 6 };
	static const struct {
		const char *what;
		size_t k;
		int64_t images[4];
		float scores[4];
		int32_t label;
		float score;
	} cases[] = {
		{ "two against one", 3, { 12, 10, 11, 20 }, { 0.9f, 0.6f, 0.6f, 0.5f }, 4, 1.2f / 3 },
		{ "one against two", 3, { 12, 10, 11, 20 }, { 0.9f, 0.4f, 0.4f, 0.3f }, 6, 0.9f / 3 },
		{ "the fourth has no say", 3, { 13, 12, 10, 20 }, { 0.75f, 0.5f, 0.5f, 0.5f }, 9, 0.75f / 3 },
		{ "more have", 4, { 13, 12, 10, 20 }, { 0.75f, 0.5f, 0.5f, 0.5f }, 6, 1.0f / 4 },
		{ "of equal ones the nearer", 3, { 13, 10, 11, -1 }, { 0.5f, 0.25f, 0.25f }, 9, 0.5f / 3 },
		{ "and the other way round", 3, { 10, 13, 11, -1 }, { 0.25f, 0.5f, 0.25f }, 4, 0.5f / 3 },
		{ "fewer than k", 3, { 12, -1, -1, -1 }, { 0.9f }, 6, 0.9f / 3 },
		{ "holes are no places", 2, { -1, 12, -1, 20 }, { 0, 0.5f, 0, 0.25f }, 6, 0.75f / 2 },
		{ "no label takes a place", 2, { 14, 12, 10, 11 }, { 0.9f, 0.5f, 0.4f, 0.4f }, 6, 0.5f / 2 },
		{ "an unknown image takes a place", 2, { 99, 12, 10, 11 }, { 0.9f, 0.5f, 0.4f, 0.4f }, 6, 0.5f / 2 },
		{ "none has a label", 1, { 14, 12, 10, 11 }, { 0.9f, 0.5f, 0.4f, 0.4f }, CN_NO_LABEL, 0 },
		{ "no image", 3, { -1, -1, -1, -1 }, { 0 }, CN_NO_LABEL, 0 },
		{ "the least bad", 2, { 13, 10, -1, -1 }, { -0.25f, -0.5f }, 9, -0.25f / 2 },
		{ "more than the list", 50, { 13, 10, 11, 12 }, { 0.5f, 0.5f, 0.5f, 0.5f }, 4, 1.0f / 50 },
	};
	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		int32_t label = 77;
		float score = 77;
		cairn_ranking *nearest = cn_test_ranking(1, 4, cases[c].images, cases[c].scores);
		assert_ok(cn_predict_labels(&label, &score, nearest, &known, cases[c].k));
		if (label != cases[c].label || fabsf(score - cases[c].score) > 1e-6f)
			fail_msg("%s: label %d with %g", cases[c].what, label, (double)score);
		cairn_ranking_free(nearest);
	}
}

static void faults_of_labels(void **state)
{
	int64_t some_ids[] = { 0, 1, 2 }, falling[] = { 0, 2, 1 };
	int32_t some_labels[] = { 5, 5, 5 }, label;
	const float good[] = { 0, 0, 0 }, bad[] = { 0, NAN, 0 };
	float score;
	cn_label_table some = { .ids = some_ids, .labels = some_labels, .count = 3 };
	cn_labelled_images index;
	(void)state;
	cairn_ranking *nearest = cn_test_ranking(1, 3, some_ids, good);
	assert_fails(cn_predict_labels(&label, &score, nearest, &some, 0), CAIRN_EINVALID, "0 nearest");
	assert_fails(cn_labelled_images_init(&index, &some, bad), CAIRN_EINVALID,
		     "image 1 has the label 5 with score nan");
	cn_labelled_images_free(&index);
	some_labels[2] = -2;
	assert_fails(cn_labelled_images_init(&index, &some, good), CAIRN_EINVALID, "image 2 has the label -2");
	cn_labelled_images_free(&index);
	some.ids = falling;
	assert_fails(cn_labelled_images_init(&index, &some, good), CAIRN_EINVALID, "labelled ids must ascend");
	cn_labelled_images_free(&index);
	cairn_ranking_free(nearest);
}

/* ---- re-ranking ---- */

/* An index of ten images. */
static int64_t ids[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 30 };
static int32_t labels_of[] = { 7, 0, 7, CN_NO_LABEL, 7, 7, 0, 7, 7, 7 };
static const float scores_of[] = { 0.5f, 0.9f, 0.2f, 0.9f, 0.25f, 0.75f, 0.1f, 0.25f, 0.75f, 0.5f };
static const cn_label_table known = { .ids = ids, .labels = labels_of, .count = 10 };

static void images_are_in_order_by_label(void **state)
{
	static const int64_t order[] = { 2, 7, 6, 9, 1, 30, 5, 8, 3 };
	cn_labelled_images index;
	(void)state;
	assert_ok(cn_labelled_images_init(&index, &known, scores_of));
	assert_int_equal(index.count, 9);
	for (size_t i = 0; i < index.count; i++)
		assert_int_equal(index.items[i].image, order[i]);
	cn_labelled_images_free(&index);
	const cn_label_table none = { 0 };
	assert_ok(cn_labelled_images_init(&index, &none, NULL));
	assert_int_equal(index.count, 0);
	cn_labelled_images_free(&index);
}

static void known_lists(void **state)
{
	static const struct {
		const char *what;
		int32_t label;
		float score;
		cn_discriminate_options options;
		int64_t before[5], after[8];
		float scores_before[5], scores[8];
	} cases[] = {
		{ "sorted",
		  7,
		  0.5f,
		  { 5, 0, 0.6f, NULL },
		  { 2, 8, 4, 1, 99 },
		  { 8, 1, 2, 4, 99, -1 },
		  { 5, 4, 3, 2, 1 },
		  { 4, 2, 2, 0, -2 } },
		{ "inserted: those above .6 with the query's .3",
		  7,
		  0.3f,
		  { 7, 1, 0.6f, NULL },
		  { 2, 8, 4, 1, -1 },
		  { 8, 1, 6, 9, 30, 2, 4, -1 },
		  { 0.9f, 0.8f, 0.7f, 0.6f },
		  { 0.8f, 0.6f, 0.6f, 0.6f, 0.35f, 0.35f, 0.15f } },
		{ "the sum must be above, not at it",
		  7,
		  0.25f,
		  { 7, 1, 0.75f, NULL },
		  { 2, 8, 4, 1, -1 },
		  { 8, 1, 6, 9, 2, 4, -1 },
		  { 4, 3, 2, 1 },
		  { 3, 1, 0.75f, 0.75f, 0.75f, -1.25f } },
		{ "cut behind the inserted ones",
		  7,
		  9,
		  { 5, 1, 0.6f, NULL },
		  { 2, 8, 4, 1, -1 },
		  { 8, 1, 6, 9, 30, -1 },
		  { 4, 3, 2, 1 },
		  { 3, 1, 0.75f, 0.75f, 0.5f } },
		{ "what was not read is inserted too",
		  7,
		  9,
		  { 3, 1, 0.6f, NULL },
		  { 2, 4, 1, 6, 9 },
		  { 1, 6, 9, -1 },
		  { 5, 4, 3, 2, 1 },
		  { 3, 0.75f, 0.75f } },
		{ "nothing of the label in the list",
		  7,
		  0,
		  { 7, 1, 0.7f, NULL },
		  { 2, 4, -1, -1, -1 },
		  { 6, 9, 2, 4, -1 },
		  { 0.9f, 0.8f },
		  { 0.75f, 0.75f, 0.75f, 0.65f } },
		{ "nothing but the label",
		  0,
		  0,
		  { 7, 1, 0, NULL },
		  { 7, 2, -1, -1, -1 },
		  { 7, 2, -1 },
		  { 0.9f, 0.8f },
		  { 0.9f, 0.8f } },
		{ "an empty list",
		  7,
		  0,
		  { 7, 1, 0.7f, NULL },
		  { -1, -1, -1, -1, -1 },
		  { 6, 9, -1 },
		  { 0 },
		  { 0.75f, 0.75f } },
		{ "a label of nothing",
		  5,
		  9,
		  { 7, 1, 0.6f, NULL },
		  { 2, 8, -1, -1, -1 },
		  { 2, 8, -1 },
		  { 2, 1 },
		  { 2, 1 } },
		{ "no label: not even those without one",
		  CN_NO_LABEL,
		  9,
		  { 7, 1, 0.6f, NULL },
		  { 2, 4, -1, -1, -1 },
		  { 2, 4, -1 },
		  { 2, 1 },
		  { 2, 1 } },
	};
	cn_labelled_images index;
	(void)state;
	assert_ok(cn_labelled_images_init(&index, &known, scores_of));
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		cairn_ranking *ranking = cn_test_ranking(1, 5, cases[c].before, cases[c].scores_before), *out;
		assert_ok(cn_rank_discriminate(&out, NULL, ranking, &cases[c].label, &cases[c].score, &index,
					       &cases[c].options));
		assert_int_equal(cairn_ranking_depth(out), cases[c].options.depth);
		cn_test_sound(out);
		cn_test_row(out, 0, cases[c].after, cases[c].scores, cases[c].what);
		cairn_ranking_free(out);
		cairn_ranking_free(ranking);
	}
	cn_labelled_images_free(&index);
}

/* ---- any lists ---- */

enum { QUERIES = 60, PLACES = 12, IMAGES = 80, LABELS = 6 };

struct world {
	int64_t ids[IMAGES];
	int32_t labels[IMAGES], query_labels[QUERIES];
	float scores[IMAGES], query_scores[QUERIES];
	cairn_ranking *ranking;
	cn_label_table known;
	cn_labelled_images index;
};

static void make_world(struct world *world, uint64_t seed)
{
	int64_t images[QUERIES * PLACES];
	float scores[QUERIES * PLACES];
	for (size_t i = 0; i < IMAGES; i++) {
		world->ids[i] = (int64_t)i;
		world->labels[i] = (int32_t)(cn_test_random(&seed) % (LABELS + 1)) - 1;
		world->scores[i] = (float)(cn_test_random(&seed) % 8) / 8;
	}
	for (size_t i = 0; i < QUERIES * PLACES; i++) {
		images[i] = (int64_t)((i / PLACES * 5 + i % PLACES * 7) % IMAGES);
		images[i] = i % PLACES < i / PLACES % (PLACES + 1) ? images[i] : -1;
		scores[i] = 1 - 0.05f * (float)(i % PLACES / 2);
	}
	for (size_t i = 0; i < QUERIES; i++) {
		world->query_labels[i] = (int32_t)(cn_test_random(&seed) % (LABELS + 2)) - 1;
		world->query_scores[i] = (float)(cn_test_random(&seed) % 8) / 8;
	}
	world->ranking = cn_test_ranking(QUERIES, PLACES, images, scores);
	world->known = (cn_label_table){ .ids = world->ids, .labels = world->labels, .count = IMAGES };
	assert_ok(cn_labelled_images_init(&world->index, &world->known, world->scores));
}

static void free_world(struct world *world)
{
	cn_labelled_images_free(&world->index);
	cairn_ranking_free(world->ranking);
}

enum { POSITIVE, INSERTED, OTHER, ABSENT };

/* What an image is in a query's result, before it is cut. */
static int group_of(const struct world *world, size_t query, int64_t image, const cn_discriminate_options *options)
{
	int32_t label = world->query_labels[query];
	int is_same = label >= 0 && world->labels[image] == label;
	int is_own = options->own && options->own[query] == image;
	if (cn_test_has(world->ranking, query, options->depth, image))
		return is_same ? POSITIVE : OTHER;
	return is_same && !is_own && options->insert &&
			       world->query_scores[query] + world->scores[image] > options->threshold
		       ? INSERTED
		       : ABSENT;
}

static size_t place_of(const struct world *world, size_t query, int64_t image)
{
	size_t place = 0;
	while (cairn_ranking_images(world->ranking, query)[place] != image)
		place++;
	return place;
}

/* 1 where a belongs before b. */
static int is_before(const struct world *world, size_t query, int64_t a, int64_t b,
		     const cn_discriminate_options *options)
{
	int group = group_of(world, query, a, options), other = group_of(world, query, b, options);
	if (group != other)
		return group < other;
	if (group == INSERTED)
		return world->scores[a] > world->scores[b] || (world->scores[a] == world->scores[b] && a < b);
	return place_of(world, query, a) < place_of(world, query, b);
}

/* Every image's place is the number of those that belong before it. */
static void check_query(const struct world *world, const cairn_ranking *out, size_t query,
			const cn_discriminate_options *options)
{
	size_t count = 0;
	for (int64_t image = 0; image < IMAGES; image++) {
		size_t place = 0;
		if (group_of(world, query, image, options) == ABSENT)
			continue;
		count++;
		for (int64_t other = 0; other < IMAGES; other++)
			place += group_of(world, query, other, options) != ABSENT && other != image &&
				 is_before(world, query, other, image, options);
		if (place < options->depth)
			assert_int_equal(cairn_ranking_images(out, query)[place], image);
	}
	assert_int_equal(cairn_ranking_count(out, query), count < options->depth ? count : options->depth);
}

/* One that would be inserted; -1: none. */
static int64_t image_to_insert(const struct world *world, size_t query, const cn_discriminate_options *options)
{
	for (int64_t image = 0; image < IMAGES; image++)
		if (group_of(world, query, image, options) == INSERTED)
			return image;
	return -1;
}

static void any_lists_follow_the_rule(void **state)
{
	static const cn_discriminate_options options[] = {
		CN_DISCRIMINATE_OPTIONS_INIT, { 12, 1, 0.6f, NULL }, { 12, 0, 0.6f, NULL },
		{ 5, 1, 0.6f, NULL },         { 1, 1, 0, NULL },     { 30, 1, 1, NULL },
	};
	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct world world;
		make_world(&world, seed);
		for (size_t o = 0; o < 2 * sizeof(options) / sizeof(options[0]); o++) {
			cn_discriminate_options how = options[o / 2];
			cairn_ranking *out;
			int64_t own[QUERIES];
			for (size_t q = 0; q < QUERIES; q++)
				own[q] = q % 3 ? image_to_insert(&world, q, &how) : -1;
			how.own = o % 2 ? own : NULL;
			assert_ok(cn_rank_discriminate(&out, NULL, world.ranking, world.query_labels,
						       world.query_scores, &world.index, &how));
			cn_test_sound(out);
			for (size_t q = 0; q < QUERIES; q++)
				check_query(&world, out, q, &how);
			cairn_ranking_free(out);
		}
		free_world(&world);
	}
}

static void threads_change_nothing(void **state)
{
	const cn_discriminate_options options = CN_DISCRIMINATE_OPTIONS_INIT;
	struct world world;
	cn_rank_run run = { 0 };
	cairn_ranking *alone, *together;
	(void)state;
	make_world(&world, 9);
	assert_ok(cn_workers_new(&run.pool, 3));
	assert_ok(cn_rank_discriminate(&alone, NULL, world.ranking, world.query_labels, world.query_scores,
				       &world.index, &options));
	assert_ok(cn_rank_discriminate(&together, &run, world.ranking, world.query_labels, world.query_scores,
				       &world.index, &options));
	cn_test_same(alone, together);
	cairn_ranking_free(alone);
	cairn_ranking_free(together);
	cn_workers_free(run.pool);
	free_world(&world);
}

static void faults_are_reported(void **state)
{
	static const struct {
		int32_t label;
		float score;
		cn_discriminate_options options;
		const char *text;
	} cases[] = {
		{ 1, 0, { 0, 1, 0.6f, NULL }, "depth 0" },
		{ 1, 0, { (size_t)INT32_MAX + 1, 1, 0.6f, NULL }, "depth 2147483648" },
		{ 1, 0, { 9, 1, NAN, NULL }, "threshold nan" },
		{ -2, 0, { 9, 1, 0.6f, NULL }, "query 0 has the label -2" },
		{ 1, NAN, { 9, 1, 0.6f, NULL }, "score nan" },
	};
	const cn_discriminate_options good = CN_DISCRIMINATE_OPTIONS_INIT;
	const cn_rank_run cancelled = { NULL, cn_test_cancel, NULL };
	struct world world;
	(void)state;
	make_world(&world, 9);
	cairn_ranking *out = world.ranking;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		world.query_labels[0] = cases[c].label;
		world.query_scores[0] = cases[c].score;
		assert_fails(cn_rank_discriminate(&out, NULL, world.ranking, world.query_labels, world.query_scores,
						  &world.index, &cases[c].options),
			     CAIRN_EINVALID, cases[c].text);
		assert_null(out);
	}
	world.query_scores[0] = 0;
	assert_fails(cn_rank_discriminate(&out, &cancelled, world.ranking, world.query_labels, world.query_scores,
					  &world.index, &good),
		     CAIRN_ECANCELLED, "discriminating");
	assert_null(out);
	free_world(&world);
}

static int rerank_once(void *context)
{
	const struct world *world = context;
	const cn_discriminate_options options = CN_DISCRIMINATE_OPTIONS_INIT;
	int32_t found[QUERIES];
	float scores[QUERIES];
	cn_labelled_images index;
	cairn_ranking *out = NULL;
	int status = cn_predict_labels(found, scores, world->ranking, &world->known, 3);
	if (status < 0)
		return status;
	status = cn_labelled_images_init(&index, &world->known, world->scores);
	if (status == 0)
		status = cn_rank_discriminate(&out, NULL, world->ranking, found, scores, &index, &options);
	cairn_ranking_free(out);
	cn_labelled_images_free(&index);
	return status;
}

static void survives_lack_of_memory(void **state)
{
	struct world world;
	(void)state;
	make_world(&world, 3);
	/* the votes, the labelled images, and nine for any re-ranking */
	assert_int_equal(cn_torture(rerank_once, &world), 11);
	free_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_labels),
		cmocka_unit_test(faults_of_labels),
		cmocka_unit_test(images_are_in_order_by_label),
		cmocka_unit_test(known_lists),
		cmocka_unit_test(any_lists_follow_the_rule),
		cmocka_unit_test(threads_change_nothing),
		cmocka_unit_test(faults_are_reported),
		cmocka_unit_test(survives_lack_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
