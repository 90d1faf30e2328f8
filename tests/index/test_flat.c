/*
 * Exact search against a double loop. Rows hold small integers, so that every order of summation gives the same scores
 * and ties abound.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/index.h"
#include "math/dispatch.h"
#include "support.h"
#include "util/heap.h"
#include "util/memory.h"

#define MOST_PARTS 4

/* An index, what it is made of, and the queries put to it. */
struct world {
	size_t dim, parts, queries;
	cairn_index_part part[MOST_PARTS];
	float *rows[MOST_PARTS], *query;
	int64_t *images[MOST_PARTS], removed[64];
	size_t removed_count;
	cairn_index *index;
};

struct shape {
	size_t dim, parts, rows, queries, k;
	unsigned rows_an_image; /* about */
	unsigned removed;
	int shared; /* parts hold rows of the same images */
};

static void fill(float *numbers, size_t count, uint64_t *seed)
{
	for (size_t i = 0; i < count; i++)
		numbers[i] = (float)((int)(cn_test_random(seed) % 5) - 2);
}

static void make_world(struct world *world, const struct shape *shape)
{
	uint64_t seed = shape->rows * 31 + shape->dim;
	int64_t id = 0;
	memset(world, 0, sizeof(*world));
	world->dim = shape->dim;
	world->parts = shape->parts;
	world->queries = shape->queries;
	for (size_t p = 0; p < shape->parts; p++) {
		size_t count = p == 1 ? 0 : shape->rows; /* an empty part among them */
		world->rows[p] = malloc(count * shape->dim * sizeof(float) + 1);
		world->images[p] = malloc(count * sizeof(int64_t) + 1);
		fill(world->rows[p], count * shape->dim, &seed);
		id = shape->shared ? 0 : id + 1;
		for (size_t i = 0; i < count; i++) {
			if (cn_test_random(&seed) % shape->rows_an_image == 0)
				id += 1 + (int64_t)(cn_test_random(&seed) % 3);
			world->images[p][i] = id;
		}
		world->part[p] = (cairn_index_part){ world->rows[p], world->images[p], count };
	}
	for (; world->removed_count < shape->removed; world->removed_count++)
		world->removed[world->removed_count] = 2 + 5 * (int64_t)world->removed_count;
	world->query = malloc(shape->queries * shape->dim * sizeof(float));
	fill(world->query, shape->queries * shape->dim, &seed);
	assert_ok(cairn_index_new_flat(&world->index, world->dim, world->part, world->parts, world->removed,
				       world->removed_count));
}

static void free_world(struct world *world)
{
	cairn_index_free(world->index);
	for (size_t p = 0; p < world->parts; p++) {
		free(world->rows[p]);
		free(world->images[p]);
	}
	free(world->query);
}

static int is_removed(const struct world *world, int64_t id)
{
	for (size_t i = 0; i < world->removed_count; i++)
		if (world->removed[i] == id)
			return 1;
	return 0;
}

/* All images with the score of their best row, best first. */
static size_t naive(const struct world *world, size_t query, cn_scored *found, size_t most)
{
	size_t count = 0;
	for (size_t p = 0; p < world->parts; p++)
		for (size_t i = 0; i < world->part[p].count; i++) {
			int64_t id = world->images[p][i];
			float score = 0;
			size_t place = 0;
			for (size_t k = 0; k < world->dim; k++)
				score += world->query[query * world->dim + k] * world->rows[p][i * world->dim + k];
			if (is_removed(world, id))
				continue;
			while (place < count && found[place].id != id)
				place++;
			assert_true(place < most);
			if (place == count)
				found[count++] = (cn_scored){ score, id };
			else if (score > found[place].score)
				found[place].score = score;
		}
	qsort(found, count, sizeof(*found), cn_scored_compare);
	return count;
}

static void assert_row(const struct world *world, const cairn_ranking *ranking, size_t query, size_t k,
		       cn_scored *found, size_t most)
{
	size_t count = naive(world, query, found, most), used = count < k ? count : k;
	const int64_t *images = cairn_ranking_images(ranking, query);
	const float *scores = cairn_ranking_scores(ranking, query);
	assert_int_equal(cairn_ranking_count(ranking, query), used);
	for (size_t i = 0; i < k; i++) {
		assert_int_equal(images[i], i < used ? found[i].id : CAIRN_NO_IMAGE);
		assert_true(scores[i] == (i < used ? found[i].score : -INFINITY));
	}
}

static const struct shape shapes[] = {
	{ 1, 1, 1, 1, 1, 1, 0, 0 },
	{ 3, 1, 40, 2, 100, 1, 0, 0 },
	{ 8, 1, 300, 70, 10, 1, 0, 0 },
	{ 8, 4, 300, 5, 10, 3, 40, 0 },
	{ 17, 4, 500, 3, 7, 4, 40, 0 },
	{ 17, 4, 500, 66, 2000, 4, 20, 0 },
	/* more rows than a thread takes at once; one image may own hundreds of rows */
	{ 2, 3, 20000, 9, 50, 2000, 3, 0 },
	{ 2, 1, 40000, 2, 50, 3000, 0, 0 },
	/* images whose rows are scattered over parts */
	{ 8, 4, 60, 9, 5, 2, 10, 1 },
	{ 8, 4, 60, 2, 1, 2, 0, 1 },
	{ 8, 3, 60, 2, 1000, 3, 5, 1 },
	/* one image, and few */
	{ 4, 1, 3, 2, 5, 100, 0, 0 },
};

static void search_is_exact_at_every_level(void **state)
{
	cn_scored *found = malloc(2000 * sizeof(*found));
	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct world world;
		make_world(&world, &shapes[i]);
		assert_int_equal(cairn_index_dim(world.index), shapes[i].dim);
		for (int level = CN_KERNELS_SCALAR; level <= CN_KERNELS_AVX512; level++) {
			cairn_ranking *ranking;
			cn_kernels_force((cn_kernels)level);
			assert_ok(
				cairn_index_search(world.index, world.query, world.queries, shapes[i].k, 1, &ranking));
			assert_int_equal(cairn_ranking_queries(ranking), world.queries);
			assert_int_equal(cairn_ranking_depth(ranking), shapes[i].k);
			for (size_t q = 0; q < world.queries; q++)
				assert_row(&world, ranking, q, shapes[i].k, found, 2000);
			cairn_ranking_free(ranking);
		}
		free_world(&world);
	}
	free(found);
}

/* Real numbers, where another order of summation would show. */
static void threads_change_no_byte(void **state)
{
	enum { ROWS = 50000, DIM = 24, QUERIES = 70, K = 40 };
	float *rows = malloc(ROWS * DIM * sizeof(*rows)), *queries = malloc(QUERIES * DIM * sizeof(*queries));
	int64_t *images = malloc(ROWS * sizeof(*images));
	uint64_t seed = 23;
	cairn_index *index;
	(void)state;
	for (size_t i = 0; i < ROWS * DIM; i++)
		rows[i] = cn_test_normal(&seed);
	for (size_t i = 0; i < QUERIES * DIM; i++)
		queries[i] = cn_test_normal(&seed);
	for (size_t i = 0; i < ROWS; i++)
		images[i] = (int64_t)i / 3;
	cairn_index_part part = { rows, images, ROWS };
	assert_ok(cairn_index_new_flat(&index, DIM, &part, 1, NULL, 0));
	assert_int_equal(cairn_index_rows(index), ROWS);
	for (size_t count = 1; count <= QUERIES; count += QUERIES - 1) {
		cairn_ranking *wanted;
		assert_ok(cairn_index_search(index, queries, count, K, 1, &wanted));
		for (unsigned threads = 0; threads <= 4; threads++) {
			cairn_ranking *ranking;
			assert_ok(cairn_index_search(index, queries, count, K, threads, &ranking));
			for (size_t q = 0; q < count; q++) {
				assert_memory_equal(cairn_ranking_images(ranking, q), cairn_ranking_images(wanted, q),
						    K * sizeof(int64_t));
				assert_memory_equal(cairn_ranking_scores(ranking, q), cairn_ranking_scores(wanted, q),
						    K * sizeof(float));
			}
			cairn_ranking_free(ranking);
		}
		cairn_ranking_free(wanted);
	}
	cairn_index_free(index);
	free(rows);
	free(queries);
	free(images);
}

static void rows_that_are_no_numbers_do_not_hide_others(void **state)
{
	static const float rows[] = { NAN, 1, 2, NAN, NAN, INFINITY, 3 };
	static const int64_t images[] = { 1, 1, 2, 2, 3, 4, 5 };
	const cairn_index_part part = { rows, images, 7 };
	const float query = 1;
	cairn_index *index;
	cairn_ranking *ranking;
	(void)state;
	assert_ok(cairn_index_new_flat(&index, 1, &part, 1, NULL, 0));
	assert_ok(cairn_index_search(index, &query, 1, 9, 1, &ranking));
	assert_int_equal(cairn_ranking_count(ranking, 0), 4);
	assert_memory_equal(cairn_ranking_images(ranking, 0), ((int64_t[]){ 4, 5, 2, 1 }), 4 * sizeof(int64_t));
	cairn_ranking_free(ranking);
	cairn_index_free(index);
}

static void an_index_of_nothing_finds_nothing(void **state)
{
	const float query[2] = { 1, 2 };
	const int64_t removed[] = { 1, 2 };
	cairn_index *index;
	cairn_ranking *ranking;
	(void)state;
	assert_ok(cairn_index_new_flat(&index, 2, NULL, 0, removed, 2));
	assert_int_equal(cairn_index_rows(index), 0);
	assert_ok(cairn_index_search(index, query, 1, 3, 0, &ranking));
	assert_int_equal(cairn_ranking_count(ranking, 0), 0);
	cairn_ranking_free(ranking);
	cairn_index_free(index);
	cairn_index_free(NULL);
}

static void faults_are_reported(void **state)
{
	static const float rows[4] = { 1, 2, 3, 4 };
	static const int64_t images[2] = { 1, 2 }, backwards[2] = { 2, 1 }, negative[2] = { -1, 2 },
			     twice[2] = { 7, 7 };
	static const struct {
		size_t dim;
		const int64_t *images, *removed;
		const char *part;
	} makings[] = {
		{ 0, images, NULL, "without dimensions" },
		{ 2, backwards, NULL, "row 1" },
		{ 2, negative, NULL, "-1" },
		{ 2, images, backwards, "1 follows 2" },
		{ 2, images, twice, "7 follows 7" },
	};
	static const struct {
		size_t queries, k;
		float number;
		const char *part;
	} searches[] = {
		{ 0, 1, 1, "0 queries" },          { 1, 0, 1, "best 0" },
		{ 2, 1, NAN, "query 1" },          { 2, 1, INFINITY, "query 1" },
		{ 2, 1, -INFINITY, "not finite" },
	};
	cairn_index_part part = { rows, images, 2 };
	cairn_index *index = NULL;
	cairn_ranking *ranking;
	(void)state;
	for (size_t i = 0; i < sizeof(makings) / sizeof(makings[0]); i++) {
		part.images = makings[i].images;
		assert_fails(cairn_index_new_flat(&index, makings[i].dim, &part, 1, makings[i].removed,
						  makings[i].removed ? 2 : 0),
			     CAIRN_EINVALID, makings[i].part);
	}
	part.images = images;
	assert_ok(cairn_index_new_flat(&index, 2, &part, 1, NULL, 0));
	for (size_t i = 0; i < sizeof(searches) / sizeof(searches[0]); i++) {
		const float query[4] = { 1, 2, 3, searches[i].number };
		assert_fails(cairn_index_search(index, query, searches[i].queries, searches[i].k, 1, &ranking),
			     CAIRN_EINVALID, searches[i].part);
	}
	cairn_index_free(index);
}

/* Every allocation in turn fails, until none does. */
static void short_memory_is_reported(void **state)
{
	const struct shape shape = { 4, 3, 50, 3, 5, 2, 4, 1 };
	struct world world;
	int status = CAIRN_ENOMEM;
	(void)state;
	make_world(&world, &shape);
	for (long n = 0; status < 0; n++) {
		cairn_index *index = NULL;
		cairn_ranking *ranking = NULL;
		assert_in_range(n, 0, 100);
		cn_memory_fail_at(n);
		status = cairn_index_new_flat(&index, world.dim, world.part, world.parts, world.removed, 4);
		if (status == 0)
			status = cairn_index_search(index, world.query, world.queries, 5, 1, &ranking);
		assert_true(status == 0 || status == CAIRN_ENOMEM);
		cairn_ranking_free(ranking);
		cairn_index_free(index);
	}
	cn_memory_fail_at(-1);
	free_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(search_is_exact_at_every_level),
		cmocka_unit_test(threads_change_no_byte),
		cmocka_unit_test(rows_that_are_no_numbers_do_not_hide_others),
		cmocka_unit_test(an_index_of_nothing_finds_nothing),
		cmocka_unit_test(faults_are_reported),
		cmocka_unit_test(short_memory_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
