/*
 * lists.h - rankings for tests of re-ranking: made from arrays or from random vectors, and what every result must be.
 */
#ifndef CN_TESTS_RANK_LISTS_H
#define CN_TESTS_RANK_LISTS_H

#include <math.h>
#include <string.h>

#include "cairn/ranking.h"
#include "data/vectors.h"
#include "math/dot.h"
#include "rank/list.h"
#include "support.h"

/** @param images queries x depth; what is negative is left without an image */
static inline cairn_ranking *cn_test_ranking(size_t queries, size_t depth, const int64_t *images, const float *scores)
{
	cairn_ranking *ranking;
	assert_ok(cairn_ranking_new(&ranking, queries, depth));
	for (size_t i = 0; i < queries * depth; i++)
		if (images[i] >= 0)
			assert_ok(cairn_ranking_set(ranking, i / depth, i % depth, images[i], scores[i]));
	return ranking;
}

/** The row has these images and, to 1e-6, these scores; the array ends where depth or a negative image is reached. */
static inline void cn_test_row(const cairn_ranking *ranking, size_t query, const int64_t *images, const float *scores,
			       const char *what)
{
	size_t depth = cairn_ranking_depth(ranking), count = 0;
	const int64_t *found = cairn_ranking_images(ranking, query);
	while (count < depth && images[count] >= 0)
		count++;
	if (cairn_ranking_count(ranking, query) != count)
		fail_msg("%s: query %zu has %zu images instead of %zu", what, query,
			 cairn_ranking_count(ranking, query), count);
	for (size_t i = 0; i < count; i++) {
		float score = cairn_ranking_scores(ranking, query)[i];
		if (found[i] != images[i] || (score != scores[i] && !(fabsf(score - scores[i]) <= 1e-6f)))
			fail_msg("%s: query %zu has image %d with %.9g in place %zu, not %d with %.9g", what, query,
				 (int)found[i], (double)score, i, (int)images[i], (double)scores[i]);
	}
}

static inline int cn_test_has(const cairn_ranking *ranking, size_t query, size_t places, int64_t image)
{
	size_t count = cairn_ranking_count(ranking, query);
	for (size_t i = 0; i < count && i < places; i++)
		if (cairn_ranking_images(ranking, query)[i] == image)
			return 1;
	return 0;
}

/** No image twice, none behind an unused place, and no score above the one before. */
static inline void cn_test_sound(const cairn_ranking *ranking)
{
	for (size_t q = 0; q < cairn_ranking_queries(ranking); q++) {
		size_t count = cairn_ranking_count(ranking, q), depth = cairn_ranking_depth(ranking);
		const int64_t *images = cairn_ranking_images(ranking, q);
		const float *scores = cairn_ranking_scores(ranking, q);
		for (size_t i = 0; i < depth; i++) {
			assert_true((images[i] >= 0) == (i < count));
			assert_false(i < count && cn_test_has(ranking, q, i, images[i]));
			assert_true(i == 0 || scores[i] <= scores[i - 1]);
		}
	}
}

/** Every row has the same images as before. */
static inline void cn_test_permuted(const cairn_ranking *before, const cairn_ranking *after)
{
	cn_test_sound(after);
	assert_int_equal(cairn_ranking_queries(before), cairn_ranking_queries(after));
	assert_int_equal(cairn_ranking_depth(before), cairn_ranking_depth(after));
	for (size_t q = 0; q < cairn_ranking_queries(before); q++) {
		assert_int_equal(cairn_ranking_count(before, q), cairn_ranking_count(after, q));
		for (size_t i = 0; i < cairn_ranking_count(before, q); i++)
			assert_true(cn_test_has(after, q, SIZE_MAX, cairn_ranking_images(before, q)[i]));
	}
}

/** Bit for bit. */
static inline void cn_test_same(const cairn_ranking *a, const cairn_ranking *b)
{
	size_t depth = cairn_ranking_depth(a);
	assert_int_equal(cairn_ranking_queries(a), cairn_ranking_queries(b));
	assert_int_equal(depth, cairn_ranking_depth(b));
	for (size_t q = 0; q < cairn_ranking_queries(a); q++) {
		assert_memory_equal(cairn_ranking_images(a, q), cairn_ranking_images(b, q), depth * sizeof(int64_t));
		assert_memory_equal(cairn_ranking_scores(a, q), cairn_ranking_scores(b, q), depth * sizeof(float));
	}
}

/** A callback of progress that stops the work at once. */
static inline int cn_test_cancel(const cairn_progress *progress, void *payload)
{
	(void)progress;
	(void)payload;
	return 1;
}

/* ---- unit vectors around some places ---- */

enum { CN_TEST_QUERIES = 5, CN_TEST_IMAGES = 90, CN_TEST_DIM = 24, CN_TEST_DEPTH = 60, CN_TEST_PLACES = 7 };

typedef struct {
	float queries[CN_TEST_QUERIES * CN_TEST_DIM];
	float rows[CN_TEST_IMAGES * CN_TEST_DIM];
	cn_vectors vectors;
	cairn_ranking
		*ranking; /* the nearest images; of query q only the first CN_TEST_DEPTH - 11 q, so the last has 16 */
} cn_test_world;

static inline void cn_test_vector(float *out, const float *place, float spread, uint64_t *seed)
{
	for (size_t k = 0; k < CN_TEST_DIM; k++)
		out[k] = place[k] + spread * cn_test_normal(seed);
	cn_normalise(out, CN_TEST_DIM);
}

static inline void cn_test_world_make(cn_test_world *world, uint64_t seed)
{
	float places[CN_TEST_PLACES * CN_TEST_DIM];
	for (size_t i = 0; i < CN_TEST_PLACES * CN_TEST_DIM; i++)
		places[i] = cn_test_normal(&seed);
	for (size_t i = 0; i < CN_TEST_IMAGES; i++)
		cn_test_vector(world->rows + i * CN_TEST_DIM, places + i % CN_TEST_PLACES * CN_TEST_DIM, 0.9f, &seed);
	world->vectors = cn_vectors_of_matrix(world->rows, CN_TEST_IMAGES, CN_TEST_DIM);
	assert_ok(cairn_ranking_new(&world->ranking, CN_TEST_QUERIES, CN_TEST_DEPTH));
	for (size_t q = 0; q < CN_TEST_QUERIES; q++) {
		cn_heap best;
		float *query = world->queries + q * CN_TEST_DIM;
		cn_test_vector(query, places + q * CN_TEST_DIM, 0.9f, &seed);
		assert_ok(cn_heap_init(&best, CN_TEST_DEPTH - 11 * q));
		for (size_t i = 0; i < CN_TEST_IMAGES; i++)
			cn_heap_push(&best, cn_dot(query, world->rows + i * CN_TEST_DIM, CN_TEST_DIM), (int64_t)i);
		cn_heap_sort(&best);
		for (size_t i = 0; i < best.count; i++)
			assert_ok(cairn_ranking_set(world->ranking, q, i, best.items[i].id, best.items[i].score));
		cn_heap_free(&best);
	}
}

static inline void cn_test_world_free(cn_test_world *world)
{
	cairn_ranking_free(world->ranking);
}

#endif
