/* Fusion of rankings against its definition, and by what it must keep. */
#include <string.h>

#include "torture.h"
#include "weighted_sums.h"

enum { MOST = 5, QUERIES = 40, IMAGES = 50 };

static const cairn_fusion_options defaults = CAIRN_FUSION_OPTIONS_INIT;

/* ---- cases to be done by hand ---- */

static void known_fusions(void **state)
{
	static const double twice[] = { 2, 1 }, first_alone[] = { 1, 0 };
	static const struct {
		const char *what;
		cairn_fusion_options options;
		int64_t images[2][4];
		float scores[2][4];
		int64_t order[6];
		double fused[6];
	} cases[] = {
		{ "sum; what is missing has the least",
		  { 1, CAIRN_FUSE_SUM, CAIRN_NORMALISE_NONE, CAIRN_MISSING_LEAST, 60, NULL, 0 },
		  { { 1, 2, 3, -1 }, { 2, 4, -1, -1 } },
		  { { 0.75f, 0.5f, 0.25f }, { 1, 0.5f } },
		  { 2, 1, 3, 4, -1 },
		  { 1.5, 1.25, 0.75, 0.75 } },
		{ "sum; what is missing has 0",
		  { 1, CAIRN_FUSE_SUM, CAIRN_NORMALISE_NONE, CAIRN_MISSING_ZERO, 60, NULL, 0 },
		  { { 1, 2, 3, -1 }, { 2, 4, -1, -1 } },
		  { { 0.75f, 0.5f, 0.25f }, { 1, 0.5f } },
		  { 2, 1, 4, 3, -1 },
		  { 1.5, 0.75, 0.5, 0.25 } },
		{ "weights",
		  { 1, CAIRN_FUSE_SUM, CAIRN_NORMALISE_NONE, CAIRN_MISSING_ZERO, 60, twice, 0 },
		  { { 1, 2, 3, -1 }, { 2, 4, -1, -1 } },
		  { { 0.75f, 0.5f, 0.25f }, { 1, 0.5f } },
		  { 2, 1, 3, 4, -1 },
		  { 2, 1.5, 0.5, 0.5 } },
		{ "weight 0: its images come last",
		  { 1, CAIRN_FUSE_SUM, CAIRN_NORMALISE_NONE, CAIRN_MISSING_ZERO, 60, first_alone, 0 },
		  { { 1, 2, 3, -1 }, { 2, 4, -1, -1 } },
		  { { 0.75f, 0.5f, 0.25f }, { 1, 0.5f } },
		  { 1, 2, 3, 4, -1 },
		  { 0.75, 0.5, 0.25, 0 } },
		{ "min-max",
		  { 1, CAIRN_FUSE_SUM, CAIRN_NORMALISE_MIN_MAX, CAIRN_MISSING_LEAST, 60, NULL, 0 },
		  { { 1, 2, 3, -1 }, { 2, 4, 1, -1 } },
		  { { 9, 7, 5 }, { 40, 30, 20 } },
		  { 2, 1, 4, 3, -1 },
		  { 1.5, 1, 0.5, 0 } },
		{ "min-max of equal scores",
		  { 1, CAIRN_FUSE_SUM, CAIRN_NORMALISE_MIN_MAX, CAIRN_MISSING_LEAST, 60, NULL, 0 },
		  { { 8, 7, -1, -1 }, { 9, -1, -1, -1 } },
		  { { 3, 3 }, { -2 } },
		  { 7, 8, 9, -1 },
		  { 1, 1, 1 } },
		/* means 7 and 30, deviations 2 and 10 */
		{ "z-scores",
		  { 1, CAIRN_FUSE_SUM, CAIRN_NORMALISE_Z_SCORE, CAIRN_MISSING_LEAST, 60, NULL, 0 },
		  { { 1, 3, -1, -1 }, { 3, 4, -1, -1 } },
		  { { 9, 5 }, { 40, 20 } },
		  { 1, 3, 4, -1 },
		  { 0, 0, -2 } },
		{ "z-scores of equal scores",
		  { 1, CAIRN_FUSE_SUM, CAIRN_NORMALISE_Z_SCORE, CAIRN_MISSING_LEAST, 60, NULL, 0 },
		  { { 1, 3, -1, -1 }, { 3, 4, -1, -1 } },
		  { { 5, 5 }, { 40, 20 } },
		  { 3, 1, 4, -1 },
		  { 1, -1, -1 } },
		{ "by best",
		  { 1, CAIRN_FUSE_SUM, CAIRN_NORMALISE_BEST, CAIRN_MISSING_ZERO, 60, NULL, 0 },
		  { { 1, 3, -1, -1 }, { 3, 4, -1, -1 } },
		  { { 8, 2 }, { 40, 10 } },
		  { 3, 1, 4, -1 },
		  { 1.25, 1, 0.25 } },
		{ "by best, below 0 and 0",
		  { 1, CAIRN_FUSE_SUM, CAIRN_NORMALISE_BEST, CAIRN_MISSING_ZERO, 60, NULL, 0 },
		  { { 1, 3, -1, -1 }, { 3, 4, -1, -1 } },
		  { { -2, -8 }, { 0, 0 } },
		  { 4, 1, 3, -1 },
		  { 0, -0.25, -1 } },
		{ "reciprocal ranks; scores are not read",
		  { 1, CAIRN_FUSE_RECIPROCAL_RANKS, CAIRN_NORMALISE_NONE, CAIRN_MISSING_LEAST, 60, NULL, 0 },
		  { { 1, 2, 3, -1 }, { 3, 4, -1, -1 } },
		  { { 1, INFINITY, -INFINITY }, { -5, 5 } },
		  { 3, 1, 2, 4, -1 },
		  { 1 / 61. + 1 / 63., 1 / 61., 1 / 62., 1 / 62. } },
		{ "another constant, and weights",
		  { 1, CAIRN_FUSE_RECIPROCAL_RANKS, CAIRN_NORMALISE_NONE, CAIRN_MISSING_LEAST, 0, twice, 0 },
		  { { 1, 2, 3, -1 }, { 3, 4, -1, -1 } },
		  { { 0 }, { 0 } },
		  { 1, 3, 2, 4, -1 },
		  { 2, 5 / 3., 1, 0.5 } },
		{ "product",
		  { 1, CAIRN_FUSE_PRODUCT, CAIRN_NORMALISE_NONE, CAIRN_MISSING_LEAST, 60, twice, 0 },
		  { { 1, 2, -1, -1 }, { 2, 4, -1, -1 } },
		  { { 0.75f, 0.5f }, { 1, 0.5f } },
		  { 1, 2, 4, -1 },
		  { 0.28125, 0.25, 0.125 } },
		{ "product with 0",
		  { 1, CAIRN_FUSE_PRODUCT, CAIRN_NORMALISE_NONE, CAIRN_MISSING_ZERO, 60, NULL, 0 },
		  { { 1, 2, -1, -1 }, { 2, 4, -1, -1 } },
		  { { 0.75f, 0.5f }, { 1, 0.5f } },
		  { 2, 1, 4, -1 },
		  { 0.5, 0.75e-6, 0.5e-6 } },
		{ "repeats and holes",
		  { 1, CAIRN_FUSE_SUM, CAIRN_NORMALISE_NONE, CAIRN_MISSING_ZERO, 60, NULL, 0 },
		  { { 1, -1, 1, 2 }, { 2, 2, 1, -1 } },
		  { { 0.75f, 0, 0.5f, 0.25f }, { 1, 0.5f, 0.125f } },
		  { 2, 1, -1 },
		  { 1.25, 0.875 } },
		{ "repeats and holes, by rank",
		  { 1, CAIRN_FUSE_RECIPROCAL_RANKS, CAIRN_NORMALISE_NONE, CAIRN_MISSING_ZERO, 1, NULL, 0 },
		  { { 1, -1, 2, 1 }, { -1, -1, -1, -1 } },
		  { { 0 }, { 0 } },
		  { 1, 2, -1 },
		  { 1 / 2., 1 / 3. } },
		{ "one has nothing",
		  { 1, CAIRN_FUSE_PRODUCT, CAIRN_NORMALISE_NONE, CAIRN_MISSING_ZERO, 60, NULL, 0 },
		  { { 1, 2, -1, -1 }, { -1, -1, -1, -1 } },
		  { { 0.75f, 0.5f }, { 0 } },
		  { 1, 2, -1 },
		  { 0.75, 0.5 } },
		{ "ties by id",
		  { 1, CAIRN_FUSE_SUM, CAIRN_NORMALISE_NONE, CAIRN_MISSING_ZERO, 60, NULL, 0 },
		  { { 9, 3, 5, -1 }, { 7, 2, -1, -1 } },
		  { { 1, 1, 1 }, { 1, 1 } },
		  { 2, 3, 5, 7, 9, -1 },
		  { 1, 1, 1, 1, 1 } },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cairn_ranking *lists[2], *fused;
		size_t count = 0;
		for (size_t l = 0; l < 2; l++)
			lists[l] = ranking_of(cases[i].images[l], cases[i].scores[l], 4);
		assert_ok(cairn_fuse(&fused, (const cairn_ranking *const *)lists, 2, 6, &cases[i].options));
		for (; count < 6 && cases[i].order[count] > 0; count++)
			if (cairn_ranking_images(fused, 0)[count] != cases[i].order[count] ||
			    !(fabs((double)cairn_ranking_scores(fused, 0)[count] - cases[i].fused[count]) <
			      1e-6 * fabs(cases[i].fused[count]) + 1e-12))
				fail_msg("%s: place %zu has image %d with %.9g", cases[i].what, count,
					 (int)cairn_ranking_images(fused, 0)[count],
					 (double)cairn_ranking_scores(fused, 0)[count]);
		if (cairn_ranking_count(fused, 0) != count)
			fail_msg("%s: %zu places", cases[i].what, cairn_ranking_count(fused, 0));
		cairn_ranking_free(fused);
		for (size_t l = 0; l < 2; l++)
			cairn_ranking_free(lists[l]);
	}
}

/* ---- random cases ---- */

struct world {
	size_t n;
	const cairn_ranking *lists[MOST];
	double weights[MOST];
	cairn_fusion_options options;
};

static void make_world(struct world *world, uint64_t seed)
{
	world->n = 1 + (size_t)(seed % MOST);
	world->options = defaults;
	world->options.rule = (cairn_fusion_rule)(seed / 2 % 3);
	world->options.normalisation = (cairn_normalisation)(seed / 6 % 4);
	if (world->options.rule == CAIRN_FUSE_PRODUCT && world->options.normalisation == CAIRN_NORMALISE_Z_SCORE)
		world->options.normalisation = CAIRN_NORMALISE_MIN_MAX;
	world->options.missing = (cairn_missing_score)(seed / 24 % 2);
	if (seed % 3)
		world->options.weights = world->weights;
	for (size_t l = 0; l < world->n; l++) {
		world->lists[l] = random_ranking(QUERIES, 3 + (size_t)(cn_test_random(&seed) % 30), IMAGES, &seed);
		world->weights[l] = 0.25 * (double)(1 + cn_test_random(&seed) % 8);
	}
}

static void free_world(struct world *world)
{
	for (size_t l = 0; l < world->n; l++) {
		union {
			const cairn_ranking *borrowed;
			cairn_ranking *own;
		} list = { world->lists[l] };
		cairn_ranking_free(list.own);
	}
}

static cairn_ranking *fuse(const struct world *world, size_t k)
{
	cairn_ranking *fused;
	assert_ok(cairn_fuse(&fused, world->lists, world->n, k, &world->options));
	assert_int_equal(cairn_ranking_queries(fused), QUERIES);
	assert_int_equal(cairn_ranking_depth(fused), k);
	return fused;
}

static int place_of(const cairn_ranking *ranking, size_t query, int64_t image)
{
	for (size_t i = 0; i < cairn_ranking_count(ranking, query); i++)
		if (cairn_ranking_images(ranking, query)[i] == image)
			return (int)i;
	return -1;
}

/* The scores of a list descend. */
static double normal_score(const struct world *world, const cairn_ranking *list, size_t query, int place)
{
	const float *scores = cairn_ranking_scores(list, query);
	size_t count = cairn_ranking_count(list, query);
	double most = (double)scores[0], least = (double)scores[count - 1], mean = 0, squares = 0;
	if (place < 0 && world->options.missing == CAIRN_MISSING_ZERO)
		return 0;
	if (place < 0 && world->options.normalisation == CAIRN_NORMALISE_MIN_MAX)
		return 0;
	double score = place < 0 ? least : (double)scores[place];
	for (size_t i = 0; i < count; i++) {
		mean += (double)scores[i] / (double)count;
		squares += (double)scores[i] * (double)scores[i] / (double)count;
	}
	switch (world->options.normalisation) {
	case CAIRN_NORMALISE_MIN_MAX:
		return count > 1 ? (score - least) / (most - least) : 1;
	case CAIRN_NORMALISE_Z_SCORE:
		return count > 1 ? (score - mean) / sqrt(squares - mean * mean) : 0;
	case CAIRN_NORMALISE_BEST:
		return score / fmax(fabs(most), fabs(least));
	default:
		return score;
	}
}

static double fused_score(const struct world *world, size_t query, int64_t image)
{
	double sum = 0, product = 1;
	for (size_t l = 0; l < world->n; l++) {
		double weight = world->options.weights ? world->weights[l] : 1;
		int place = place_of(world->lists[l], query, image);
		if (cairn_ranking_count(world->lists[l], query) == 0)
			continue;
		if (world->options.rule == CAIRN_FUSE_RECIPROCAL_RANKS) {
			sum += place < 0 ? 0 : weight / (60 + place + 1);
			continue;
		}
		double score = normal_score(world, world->lists[l], query, place);
		sum += weight * score;
		product *= pow(score > 1e-6 ? score : 1e-6, weight);
	}
	return world->options.rule == CAIRN_FUSE_PRODUCT ? product : sum;
}

static int is_anywhere(const struct world *world, size_t query, int64_t image)
{
	for (size_t l = 0; l < world->n; l++)
		if (place_of(world->lists[l], query, image) >= 0)
			return 1;
	return 0;
}

static void assert_in_order(const cairn_ranking *fused, size_t query)
{
	const float *scores = cairn_ranking_scores(fused, query);
	const int64_t *images = cairn_ranking_images(fused, query);
	for (size_t i = 1; i < cairn_ranking_count(fused, query); i++)
		assert_true(scores[i] < scores[i - 1] || (scores[i] == scores[i - 1] && images[i] > images[i - 1]));
}

static void every_image_once_with_its_score(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 240; seed++) {
		struct world world;
		make_world(&world, seed);
		cairn_ranking *fused = fuse(&world, IMAGES);
		for (size_t q = 0; q < QUERIES; q++) {
			size_t count = 0;
			assert_in_order(fused, q);
			for (int64_t image = 0; image < IMAGES; image++) {
				int place = place_of(fused, q, image);
				assert_int_equal(place >= 0, is_anywhere(&world, q, image));
				if (place < 0)
					continue;
				count++;
				double wanted = fused_score(&world, q, image),
				       got = (double)cairn_ranking_scores(fused, q)[place];
				if (!(fabs(got - wanted) <= 1e-5 * fabs(wanted) + 1e-5))
					fail_msg("seed %d, query %zu: image %d has %.8g, wanted %.8g", (int)seed, q,
						 (int)image, got, wanted);
			}
			assert_int_equal(cairn_ranking_count(fused, q), count);
		}
		cairn_ranking_free(fused);
		free_world(&world);
	}
}

static void fewer_are_the_first_of_all(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 60; seed++) {
		struct world world;
		size_t k = 1 + (size_t)(seed % 9);
		make_world(&world, seed);
		world.options.threads = 3;
		cairn_ranking *few = fuse(&world, k);
		world.options.threads = 1;
		cairn_ranking *all = fuse(&world, IMAGES);
		for (size_t q = 0; q < QUERIES; q++) {
			size_t count = cairn_ranking_count(all, q) < k ? cairn_ranking_count(all, q) : k;
			assert_int_equal(cairn_ranking_count(few, q), count);
			assert_memory_equal(cairn_ranking_images(few, q), cairn_ranking_images(all, q),
					    count * sizeof(int64_t));
			assert_memory_equal(cairn_ranking_scores(few, q), cairn_ranking_scores(all, q),
					    count * sizeof(float));
		}
		cairn_ranking_free(few);
		cairn_ranking_free(all);
		free_world(&world);
	}
}

/* One ranking, alone or with itself, keeps its order whatever is done. */
static void a_ranking_with_itself(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 120; seed++) {
		struct world world;
		make_world(&world, seed);
		const cairn_ranking *first = world.lists[0], *twice[] = { first, first };
		for (size_t n = 1; n <= 2; n++) {
			cairn_ranking *fused;
			assert_ok(cairn_fuse(&fused, twice, n, cairn_ranking_depth(first), &world.options));
			for (size_t q = 0; q < QUERIES; q++) {
				size_t count = cairn_ranking_count(first, q);
				assert_int_equal(cairn_ranking_count(fused, q), count);
				for (size_t i = 0; i < count; i++) {
					/* Products do not tell apart what is below their least factor. */
					if (world.options.rule == CAIRN_FUSE_PRODUCT &&
					    cairn_ranking_scores(first, q)[i] < 1e-5f)
						break;
					assert_int_equal(cairn_ranking_images(fused, q)[i],
							 cairn_ranking_images(first, q)[i]);
				}
			}
			cairn_ranking_free(fused);
		}
		free_world(&world);
	}
}

/* What is brought to a common scale does not depend on the scale that it had; ranks do not on scores at all. */
static void scales_do_not_matter(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 60; seed++) {
		struct world world;
		cairn_ranking *scaled;
		make_world(&world, seed);
		world.options.rule = seed % 2 ? CAIRN_FUSE_SUM : CAIRN_FUSE_RECIPROCAL_RANKS;
		world.options.normalisation = seed % 4 == 1 ? CAIRN_NORMALISE_MIN_MAX : CAIRN_NORMALISE_Z_SCORE;
		cairn_ranking *before = fuse(&world, IMAGES);
		const cairn_ranking *first = world.lists[0];
		assert_ok(cairn_ranking_new(&scaled, QUERIES, cairn_ranking_depth(first)));
		for (size_t q = 0; q < QUERIES; q++)
			for (size_t i = 0; i < cairn_ranking_count(first, q); i++)
				assert_ok(cairn_ranking_set(scaled, q, i, cairn_ranking_images(first, q)[i],
							    7 * cairn_ranking_scores(first, q)[i] + 20));
		world.lists[0] = scaled;
		cairn_ranking *after = fuse(&world, IMAGES);
		for (size_t q = 0; q < QUERIES; q++)
			for (size_t i = 0; i < cairn_ranking_count(before, q); i++) {
				int place = place_of(after, q, cairn_ranking_images(before, q)[i]);
				assert_true(place >= 0);
				assert_true(fabsf(cairn_ranking_scores(after, q)[place] -
						  cairn_ranking_scores(before, q)[i]) < 1e-3f);
			}
		cairn_ranking_free(before);
		cairn_ranking_free(after);
		cairn_ranking_free(scaled);
		world.lists[0] = first;
		free_world(&world);
	}
}

/* ---- what is refused ---- */

static void options_out_of_range(void **state)
{
	static const double negative[] = { 1, -1 }, no_number[] = { NAN, 1 }, infinite[] = { 1, INFINITY },
			    zeros[] = { 0, 0 };
	static const struct {
		cairn_fusion_options options;
		const char *part;
	} cases[] = {
		{ { 3, 0, 0, 0, 60, NULL, 0 }, "options of version 3" },
		{ { 1, (cairn_fusion_rule)3, 0, 0, 60, NULL, 0 }, "fusion rule 3" },
		{ { 1, 0, (cairn_normalisation)4, 0, 60, NULL, 0 }, "normalisation 4" },
		{ { 1, 0, 0, (cairn_missing_score)2, 60, NULL, 0 }, "missing score 2" },
		{ { 1, CAIRN_FUSE_PRODUCT, CAIRN_NORMALISE_Z_SCORE, 0, 60, NULL, 0 }, "z-scores" },
		{ { 1, 0, 0, 0, -1, NULL, 0 }, "rank constant of -1" },
		{ { 1, 0, 0, 0, NAN, NULL, 0 }, "rank constant" },
		{ { 1, 0, 0, 0, 60, negative, 0 }, "weight of ranking 1 is -1" },
		{ { 1, 0, 0, 0, 60, no_number, 0 }, "weight of ranking 0" },
		{ { 1, 0, 0, 0, 60, infinite, 0 }, "weight of ranking 1 is inf" },
		{ { 1, 0, 0, 0, 60, zeros, 0 }, "all 2 rankings are 0" },
	};
	struct world world;
	cairn_ranking *fused;
	(void)state;
	make_world(&world, 1);
	assert_int_equal(world.n, 2);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_fails(cairn_fuse(&fused, world.lists, 2, 5, &cases[i].options), CAIRN_EINVALID, cases[i].part);
		assert_null(fused);
	}
	assert_fails(cairn_fuse(&fused, world.lists, 0, 5, NULL), CAIRN_EINVALID, "no rankings");
	assert_fails(cairn_fuse(&fused, world.lists, 2, 0, NULL), CAIRN_EINVALID, "depth 0");
	assert_null(fused);
	free_world(&world);
}

static void rankings_at_fault(void **state)
{
	static const int64_t ids[] = { 1, 2 };
	static const float scores[] = { 1, -INFINITY };
	cairn_ranking *one = ranking_of(ids, scores, 2), *two, *fused;
	(void)state;
	assert_ok(cairn_ranking_new(&two, 2, 1));
	const cairn_ranking *unlike[] = { one, two }, *infinite[] = { one };
	assert_fails(cairn_fuse(&fused, unlike, 2, 5, NULL), CAIRN_EINVALID,
		     "ranking 1 is of 2 queries, the first of 1");
	assert_null(fused);
	assert_fails(cairn_fuse(&fused, infinite, 1, 5, NULL), CAIRN_EINVALID,
		     "ranking 0, query 0: the score of image 2 is infinite");
	assert_null(fused);
	cairn_ranking_free(one);
	cairn_ranking_free(two);
}

static int fuse_once(void *context)
{
	const struct world *world = context;
	cairn_ranking *fused;
	CN_TRY(cairn_fuse(&fused, world->lists, world->n, 7, &world->options));
	cairn_ranking_free(fused);
	return 0;
}

static void memory_may_run_out(void **state)
{
	struct world world;
	(void)state;
	make_world(&world, 7);
	world.options.threads = 2;
	assert_true(cn_torture(fuse_once, &world) >= 11);
	free_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_fusions),
		cmocka_unit_test(every_image_once_with_its_score),
		cmocka_unit_test(fewer_are_the_first_of_all),
		cmocka_unit_test(a_ranking_with_itself),
		cmocka_unit_test(scales_do_not_matter),
		cmocka_unit_test(options_out_of_range),
		cmocka_unit_test(rankings_at_fault),
		cmocka_unit_test(memory_may_run_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
