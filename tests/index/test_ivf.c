/*
 * The inverted file against the scan of all rows: equal where all lists are probed, as good as was asked for where few
 * are; the files of quantizers and lists, whole and damaged.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cairn/ivf.h"
#include "index/ivf.h"
#include "levels.h"
#include "rows.h"
#include "support.h"
#include "torture.h"
#include "util/crc.h"
#include "util/file.h"

#define MOST_PARTS 11

/* ---- quantizers and lists ---- */

static cairn_ivf *train(size_t dim, const cairn_index_part *parts, size_t n, size_t lists, unsigned threads)
{
	const cairn_ivf_options options = { CAIRN_IVF_OPTIONS_VERSION, threads, lists, 3 };
	cairn_ivf *ivf;
	assert_ok(cairn_ivf_train(&ivf, dim, parts, n, &options, NULL, NULL));
	return ivf;
}

/* Parts with their lists, and an index of them. */
struct inverted {
	size_t count;
	cairn_ivf_lists *lists[MOST_PARTS];
	cairn_index *index;
};

static void make_inverted(struct inverted *inverted, const cairn_ivf *ivf, const cairn_index_part *parts, size_t count,
			  const int64_t *removed, size_t removed_count)
{
	const char *path = cn_test_path(cn_test_folder(), "a.ivf");
	inverted->count = count;
	for (size_t i = 0; i < count; i++) {
		assert_ok(cairn_ivf_write_lists(ivf, &parts[i], path, 2, NULL, NULL));
		assert_ok(cairn_ivf_lists_open(&inverted->lists[i], path, ivf, parts[i].count));
		assert_ok(cairn_ivf_lists_check(inverted->lists[i]));
	}
	assert_ok(cairn_index_new_ivf(&inverted->index, ivf, parts, (const cairn_ivf_lists *const *)inverted->lists,
				      count, removed, removed_count));
}

static void free_inverted(struct inverted *inverted)
{
	cairn_index_free(inverted->index);
	for (size_t i = 0; i < inverted->count; i++)
		cairn_ivf_lists_free(inverted->lists[i]);
}

/* Ten parts of odd sizes, cut between images of `rows_an_image` rows, in no order, and an empty one. */
static void divide(const struct rows *rows, size_t rows_an_image, cairn_index_part *parts)
{
	size_t begin = 0;
	parts[10] = part_of(rows, 0, 0);
	for (size_t p = 0; p < 10; p++) {
		size_t left = rows->count - begin, count = left / 5 / rows_an_image * rows_an_image;
		parts[p * 7 % 10] = part_of(rows, begin, p < 9 ? count : left);
		begin += count;
	}
}

static void assert_same_rankings(const cairn_ranking *found, const cairn_ranking *wanted)
{
	for (size_t q = 0; q < cairn_ranking_queries(wanted); q++)
		assert_same_row(found, q, wanted, q);
}

/* ---- the crowd: clusters, many rows ---- */

#define ROWS     20000
#define DIM      32
#define QUERIES  300
#define CLUSTERS 400
#define K        10

/* Made once, never changed. One image a row. */
static struct {
	struct rows rows;
	float queries[QUERIES * DIM];
	cairn_index_part part;
	cairn_ivf *ivf;
	struct inverted inverted;
	cairn_index *flat;
} crowd;

/* Unit vectors about one of the centres each, so that neighbours of a cluster are spread over a few lists. */
static void draw(float *rows, size_t count, const float *centres, uint64_t *seed)
{
	fill_normal(rows, count * DIM, seed);
	for (size_t i = 0; i < count; i++) {
		const float *centre = centres + cn_test_random(seed) % CLUSTERS * DIM;
		double square = 0;
		for (size_t k = 0; k < DIM; k++) {
			rows[i * DIM + k] = centre[k] + 0.6f * rows[i * DIM + k];
			square += (double)rows[i * DIM + k] * (double)rows[i * DIM + k];
		}
		for (size_t k = 0; k < DIM; k++)
			rows[i * DIM + k] /= (float)sqrt(square);
	}
}

static int make_crowd(void **state)
{
	static float centres[CLUSTERS * DIM];
	uint64_t seed = 41;
	(void)state;
	fill_normal(centres, CLUSTERS * DIM, &seed);
	allocate_rows(&crowd.rows, ROWS, DIM);
	draw(crowd.rows.numbers, ROWS, centres, &seed);
	draw(crowd.queries, QUERIES, centres, &seed);
	encode_rows(&crowd.rows);
	for (size_t i = 0; i < ROWS; i++)
		crowd.rows.images[i] = (int64_t)i;
	crowd.part = part_of(&crowd.rows, 0, ROWS);
	crowd.ivf = train(DIM, &crowd.part, 1, 0, 0);
	make_inverted(&crowd.inverted, crowd.ivf, &crowd.part, 1, NULL, 0);
	assert_ok(cairn_index_new_flat(&crowd.flat, DIM, &crowd.part, 1, NULL, 0));
	return 0;
}

static int free_crowd(void **state)
{
	(void)state;
	free_inverted(&crowd.inverted);
	cairn_index_free(crowd.flat);
	cairn_ivf_free(crowd.ivf);
	free_rows(&crowd.rows);
	return 0;
}

/* ---- all lists ---- */

struct shape {
	size_t rows, dim, lists, queries, k;
	size_t rows_an_image;
	size_t distinct; /* 0: all rows differ */
	int divided;     /* into MOST_PARTS parts */
	/* every so-manieth image, 0: none; all lists would take more than the rest, whose rows are scanned then */
	size_t removed;
};

static const struct shape shapes[] = {
	{ 1, 3, 1, 1, 5, 1, 0, 0, 0 },
	{ 300, 1, 7, 3, 20, 1, 0, 0, 0 },
	{ 300, 5, 300, 3, 20, 1, 0, 0, 0 },
	{ 2000, 17, 40, 70, 50, 1, 0, 0, 0 },
	{ 2000, 17, 40, 70, 50, 1, 0, 1, 3 },
	{ 2001, 8, 30, 20, 50, 3, 0, 0, 0 },
	{ 2001, 8, 30, 20, 1000, 3, 0, 1, 2 },
	/* ten rows two hundred times each */
	{ 2000, 4, 10, 5, 300, 1, 10, 0, 0 },
	{ 2000, 4, 10, 5, 300, 4, 10, 1, 5 },
	/* more than are written at once */
	{ 9000, 2, 20, 3, 10, 1, 0, 0, 0 },
};

struct world {
	struct rows rows;
	float *queries;
	cairn_index_part parts[MOST_PARTS];
	size_t count;
	int64_t *removed;
	size_t removed_count;
	cairn_ivf *ivf;
};

static void make_world(struct world *world, const struct shape *shape)
{
	uint64_t seed = shape->rows + shape->dim;
	struct rows *rows = &world->rows;
	memset(world, 0, sizeof(*world));
	allocate_rows(rows, shape->rows, shape->dim);
	fill_normal(rows->numbers, shape->rows * shape->dim, &seed);
	for (size_t i = shape->distinct; shape->distinct && i < shape->rows; i++)
		memcpy(rows->numbers + i * shape->dim, rows->numbers + i % shape->distinct * shape->dim,
		       shape->dim * sizeof(float));
	encode_rows(rows);
	world->removed = malloc(shape->rows * sizeof(int64_t));
	for (size_t i = 0; i < shape->rows; i++) {
		rows->images[i] = (int64_t)(2 * (i / shape->rows_an_image));
		if (shape->removed && i % (shape->removed * shape->rows_an_image) == 0)
			world->removed[world->removed_count++] = rows->images[i];
	}
	world->queries = malloc(shape->queries * shape->dim * sizeof(float));
	fill_normal(world->queries, shape->queries * shape->dim, &seed);
	world->count = shape->divided ? MOST_PARTS : 1;
	if (shape->divided)
		divide(rows, shape->rows_an_image, world->parts);
	else
		world->parts[0] = part_of(rows, 0, shape->rows);
	world->ivf = train(shape->dim, world->parts, world->count, shape->lists, 0);
}

static void free_world(struct world *world)
{
	cairn_ivf_free(world->ivf);
	free_rows(&world->rows);
	free(world->queries);
	free(world->removed);
}

/* All that is found is scored anew, so only what is not found could differ. */
static void check_all_lists(const struct shape *shape)
{
	cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
	struct world world;
	struct inverted inverted;
	cairn_index *flat;
	make_world(&world, shape);
	make_inverted(&inverted, world.ivf, world.parts, world.count, world.removed, world.removed_count);
	assert_ok(
		cairn_index_new_flat(&flat, shape->dim, world.parts, world.count, world.removed, world.removed_count));
	options.depth = shape->rows;
	options.probes = SIZE_MAX;
	for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++) {
		cn_kernels_force((cn_kernels)level);
		cairn_ranking *wanted = search(flat, world.queries, shape->queries, shape->k, &options);
		cairn_ranking *found = search(inverted.index, world.queries, shape->queries, shape->k, &options);
		assert_same_rankings(found, wanted);
		cairn_ranking_free(wanted);
		cairn_ranking_free(found);
	}
	cairn_index_free(flat);
	free_inverted(&inverted);
	free_world(&world);
}

static void where_all_lists_are_probed_the_scan_of_all_rows_is_equalled(void **state)
{
	(void)state;
	for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++)
		check_all_lists(&shapes[s]);
}

static void what_is_asked_to_be_exact_is(void **state)
{
	cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
	(void)state;
	options.exact = 1;
	options.probes = 1;
	cairn_ranking *wanted = search(crowd.flat, crowd.queries, 20, K, &options);
	cairn_ranking *found = search(crowd.inverted.index, crowd.queries, 20, K, &options);
	assert_same_rankings(found, wanted);
	cairn_ranking_free(wanted);
	cairn_ranking_free(found);
}

/* ---- recall ---- */

/* The share of the first k of `wanted` that are among those of `found`. */
static double recall_of(const cairn_ranking *found, const cairn_ranking *wanted, size_t k)
{
	size_t hits = 0, queries = cairn_ranking_queries(wanted);
	for (size_t q = 0; q < queries; q++) {
		assert_int_equal(cairn_ranking_count(wanted, q), k);
		for (size_t i = 0; i < k; i++)
			for (size_t j = 0; j < k; j++)
				hits += cairn_ranking_images(wanted, q)[i] == cairn_ranking_images(found, q)[j];
	}
	return (double)hits / (double)(queries * k);
}

static void assert_recall(const cairn_ranking *found, const cairn_ranking *wanted, size_t k, double target,
			  const char *what)
{
	double recall = recall_of(found, wanted, k);
	if (recall >= target - 0.005)
		return;
	print_error("recall of %s at level %d, k %zu: %.4f, wanted %.4f\n", what, (int)cn_kernels_level(), k, recall,
		    target);
	fail();
}

static void the_recall_that_is_asked_for_is_reached(void **state)
{
	static const double targets[] = { 0.9, 0, 0.95, 0.99 }; /* 0: 0.95 */
	cairn_ranking *wanted = search(crowd.flat, crowd.queries, QUERIES, K, NULL);
	cairn_ivf_info info;
	(void)state;
	cairn_ivf_get_info(crowd.ivf, &info);
	assert_int_equal(info.dim, DIM);
	assert_int_equal(info.lists, 282); /* 2 * the root of 20000 */
	/* It would be reached by probing all as well. */
	assert_true(cairn_ivf_probes(crowd.ivf, K, 0.99) < info.lists / 2);
	assert_true(cairn_ivf_probes(crowd.ivf, K, 0.9) < cairn_ivf_probes(crowd.ivf, K, 0.99));
	for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++)
		for (unsigned threads = 1; threads <= 3; threads++)
			for (size_t t = 0; t < sizeof(targets) / sizeof(targets[0]); t++) {
				cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
				options.threads = threads;
				options.recall = targets[t];
				cn_kernels_force((cn_kernels)level);
				cairn_ranking *found =
					search(crowd.inverted.index, crowd.queries, QUERIES, K, &options);
				assert_recall(found, wanted, K, targets[t] > 0 ? targets[t] : 0.95, "all");
				cairn_ranking_free(found);
			}
	cairn_ranking_free(wanted);
}

/* Where all lists are probed, only codes of residuals can lose something. */
static void the_default_depth_finds_what_all_rows_have(void **state)
{
	static const size_t ks[] = { 1, 10, 100 };
	cairn_index_options all = CAIRN_INDEX_OPTIONS_INIT, exact = CAIRN_INDEX_OPTIONS_INIT;
	(void)state;
	all.probes = SIZE_MAX;
	exact.exact = 1;
	for (size_t i = 0; i < sizeof(ks) / sizeof(ks[0]); i++) {
		cairn_ranking *wanted = search(crowd.flat, crowd.queries, QUERIES, ks[i], &exact);
		cairn_ranking *found = search(crowd.inverted.index, crowd.queries, QUERIES, ks[i], &all);
		assert_true(recall_of(found, wanted, ks[i]) >= 0.999);
		cairn_ranking_free(wanted);
		cairn_ranking_free(found);
	}
}

static void more_recall_never_takes_fewer_lists(void **state)
{
	static const size_t depths[] = { 0, 1, 2, 10, 11, 100, 101, 500, 1000, 5000, SIZE_MAX };
	cairn_ivf_info info;
	(void)state;
	cairn_ivf_get_info(crowd.ivf, &info);
	for (size_t d = 0; d < sizeof(depths) / sizeof(depths[0]); d++) {
		size_t before = 1;
		assert_int_equal(cairn_ivf_probes(crowd.ivf, depths[d], 0), 1);
		for (int percent = 0; percent <= 100; percent++) {
			size_t probes = cairn_ivf_probes(crowd.ivf, depths[d], percent / 100.0);
			assert_in_range(probes, before, info.lists);
			before = probes;
		}
		assert_int_equal(cairn_ivf_probes(crowd.ivf, depths[d], 1.5), info.lists);
		assert_int_equal(cairn_ivf_probes(crowd.ivf, depths[d], (double)NAN), info.lists);
	}
}

static void more_images_never_take_fewer_lists(void **state)
{
	(void)state;
	for (int percent = 50; percent < 100; percent += 7) {
		size_t before = 1;
		for (size_t k = 1; k <= 1200; k++) {
			size_t probes = cairn_ivf_probes(crowd.ivf, k, percent / 100.0);
			assert_true(probes >= before);
			before = probes;
		}
		assert_int_equal(cairn_ivf_probes(crowd.ivf, 5000, percent / 100.0), before);
	}
	assert_true(cairn_ivf_probes(crowd.ivf, 1000, 0.95) > cairn_ivf_probes(crowd.ivf, 100, 0.95));
	/* As a search for an image of the collection asks, which leaves out the image itself. */
	assert_in_range(cairn_ivf_probes(crowd.ivf, 101, 0.95), cairn_ivf_probes(crowd.ivf, 100, 0.95),
			cairn_ivf_probes(crowd.ivf, 100, 0.95) + 1);
}

static void the_recall_is_reached_at_every_depth(void **state)
{
	static const size_t depths[] = { 1, 3, 10, 30, 101, 300, 1000 };
	(void)state;
	for (size_t d = 0; d < sizeof(depths) / sizeof(depths[0]); d++) {
		cairn_ranking *wanted = search(crowd.flat, crowd.queries, QUERIES, depths[d], NULL);
		cairn_ranking *found = search(crowd.inverted.index, crowd.queries, QUERIES, depths[d], NULL);
		assert_recall(found, wanted, depths[d], 0.95, "a depth");
		cairn_ranking_free(wanted);
		cairn_ranking_free(found);
	}
}

/* ---- removed and filtered ---- */

static int is_in(const int64_t *ids, size_t count, int64_t id)
{
	size_t low = 0;
	while (low < count && ids[low] < id)
		low++;
	return low < count && ids[low] == id;
}

/* Every `one_in`-th image, and as many ids of no image as are asked for. */
static size_t choose(int64_t *ids, size_t one_in, size_t unknown)
{
	size_t count = 0;
	for (size_t i = 0; i < ROWS; i += one_in)
		ids[count++] = (int64_t)i;
	for (size_t i = 0; i < unknown; i++)
		ids[count++] = (int64_t)(ROWS + i);
	return count;
}

static void filters_cost_no_recall(void **state)
{
	static const struct {
		size_t one_in, unknown;
		int is_exact; /* so few that rows are scanned */
	} cases[] = {
		{ 1, 0, 0 },        { 2, 0, 0 },   { 2, 5 * ROWS, 0 },   { 7, 0, 0 },
		{ 7, 5 * ROWS, 0 }, { 500, 0, 1 }, { 500, 5 * ROWS, 1 },
	};
	static int64_t ids[6 * ROWS];
	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
		options.only = ids;
		options.only_count = choose(ids, cases[c].one_in, cases[c].unknown);
		cairn_ranking *wanted = search(crowd.flat, crowd.queries, QUERIES, K, &options);
		cairn_ranking *found = search(crowd.inverted.index, crowd.queries, QUERIES, K, &options);
		if (cases[c].is_exact)
			assert_same_rankings(found, wanted);
		assert_recall(found, wanted, K, 0.95, "what a filter leaves");
		for (size_t q = 0; q < QUERIES; q++)
			for (size_t i = 0; i < cairn_ranking_count(found, q); i++)
				assert_int_equal((size_t)cairn_ranking_images(found, q)[i] % cases[c].one_in, 0);
		cairn_ranking_free(wanted);
		cairn_ranking_free(found);
	}
}

static int by_id(const void *left, const void *right)
{
	int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
	return (a > b) - (a < b);
}

/* The images nearest to some other queries: a filter is rarely spread evenly. @return how many */
static size_t choose_places(int64_t *ids, size_t query, size_t places)
{
	size_t count = 0, kept = 0;
	for (size_t i = 1; i <= places; i++) {
		cairn_ranking *place = search(crowd.flat, crowd.queries + (query + i) % QUERIES * DIM, 1, 500, NULL);
		memcpy(ids + count, cairn_ranking_images(place, 0), 500 * sizeof(*ids));
		count += 500;
		cairn_ranking_free(place);
	}
	qsort(ids, count, sizeof(*ids), by_id);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || ids[i] != ids[i - 1])
			ids[kept++] = ids[i];
	return kept;
}

static void filters_by_content_cost_no_recall(void **state)
{
	static const size_t places[] = { 2, 4, 16 };
	static int64_t ids[ROWS];
	(void)state;
	for (size_t p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
		double recall = 0;
		for (size_t q = 0; q < 40; q++) {
			cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
			options.only = ids;
			options.only_count = choose_places(ids, q, places[p]);
			cairn_ranking *wanted = search(crowd.flat, crowd.queries + q * DIM, 1, K, &options);
			cairn_ranking *found = search(crowd.inverted.index, crowd.queries + q * DIM, 1, K, &options);
			recall += recall_of(found, wanted, K) / 40;
			cairn_ranking_free(wanted);
			cairn_ranking_free(found);
		}
		assert_true(recall >= 0.9);
	}
}

static void removed_images_are_never_found_and_cost_no_recall(void **state)
{
	static const struct {
		size_t removed; /* the first so many of each seven images */
		int is_exact;
	} cases[] = { { 1, 0 }, { 4, 0 }, { 6, 0 }, { 7, 1 } };
	static int64_t removed[ROWS];
	(void)state;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		struct inverted inverted;
		cairn_index *flat;
		size_t count = 0;
		for (size_t i = 0; i < ROWS - 20; i++)
			if (i % 7 < cases[c].removed)
				removed[count++] = (int64_t)i;
		make_inverted(&inverted, crowd.ivf, &crowd.part, 1, removed, count);
		assert_ok(cairn_index_new_flat(&flat, DIM, &crowd.part, 1, removed, count));
		cairn_ranking *wanted = search(flat, crowd.queries, QUERIES, K, NULL);
		cairn_ranking *found = search(inverted.index, crowd.queries, QUERIES, K, NULL);
		if (cases[c].is_exact)
			assert_same_rankings(found, wanted);
		assert_recall(found, wanted, K, 0.95, "what is not removed");
		for (size_t q = 0; q < QUERIES; q++)
			for (size_t i = 0; i < cairn_ranking_count(found, q); i++)
				assert_false(is_in(removed, count, cairn_ranking_images(found, q)[i]));
		cairn_ranking_free(wanted);
		cairn_ranking_free(found);
		cairn_index_free(flat);
		free_inverted(&inverted);
	}
}

/* What is found are images of the lists that were probed, with the scores of a scan. */
static void more_images_than_the_probed_lists_hold(void **state)
{
	enum { MANY = 3000 };
	cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
	size_t before = 0;
	(void)state;
	options.depth = ROWS;
	cairn_ranking *all = search(crowd.flat, crowd.queries, 1, ROWS, &options);
	for (options.probes = 1; options.probes <= 4; options.probes++) {
		cairn_ranking *found = search(crowd.inverted.index, crowd.queries, 1, MANY, &options);
		size_t count = cairn_ranking_count(found, 0), at = 0;
		assert_in_range(count, before + 1, MANY - 1);
		for (size_t i = 0; i < count; i++, at++) {
			while (at < ROWS && cairn_ranking_images(all, 0)[at] != cairn_ranking_images(found, 0)[i])
				at++;
			assert_true(at < ROWS);
			assert_true(cairn_ranking_scores(all, 0)[at] == cairn_ranking_scores(found, 0)[i]);
		}
		assert_int_equal(cairn_ranking_images(found, 0)[count], CAIRN_NO_IMAGE);
		before = count;
		cairn_ranking_free(found);
	}
	cairn_ranking_free(all);
}

/* ---- what must not matter ---- */

static void threads_and_company_change_no_byte(void **state)
{
	(void)state;
	for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++) {
		cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
		cn_kernels_force((cn_kernels)level);
		options.threads = 1;
		cairn_ranking *wanted = search(crowd.inverted.index, crowd.queries, QUERIES, K, &options);
		for (options.threads = 0; options.threads <= 3; options.threads++) {
			cairn_ranking *found = search(crowd.inverted.index, crowd.queries, QUERIES, K, &options);
			assert_same_rankings(found, wanted);
			cairn_ranking_free(found);
		}
		for (size_t q = 0; q < QUERIES; q += 31) {
			cairn_ranking *alone = search(crowd.inverted.index, crowd.queries + q * DIM, 1, K, NULL);
			assert_same_row(alone, 0, wanted, q);
			cairn_ranking_free(alone);
		}
		cairn_ranking_free(wanted);
	}
}

/* More queries than are taken at once. */
static void many_queries_are_answered_in_blocks(void **state)
{
	enum { MANY = 16500, FEW_ROWS = 1000, LISTS = 500 };
	static float queries[MANY * DIM];
	const cairn_index_part part = part_of(&crowd.rows, 0, FEW_ROWS);
	cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
	struct inverted inverted;
	cairn_ivf *ivf = train(DIM, &part, 1, LISTS, 0);
	(void)state;
	for (size_t i = 0; i < MANY; i++)
		memcpy(queries + i * DIM, crowd.queries + i % QUERIES * DIM, DIM * sizeof(float));
	make_inverted(&inverted, ivf, &part, 1, NULL, 0);
	options.probes = 20;
	cairn_ranking *many = search(inverted.index, queries, MANY, K, &options);
	cairn_ranking *few = search(inverted.index, queries, QUERIES, K, &options);
	for (size_t i = 0; i < MANY; i++)
		assert_same_row(many, i, few, i % QUERIES);
	cairn_ranking_free(many);
	cairn_ranking_free(few);
	free_inverted(&inverted);
	cairn_ivf_free(ivf);
}

static void ten_parts_are_as_good_as_one(void **state)
{
	static int64_t removed[ROWS];
	const size_t counts[] = { 0, choose(removed, 3, 0) };
	cairn_index_part parts[MOST_PARTS];
	(void)state;
	divide(&crowd.rows, 1, parts);
	for (size_t i = 0; i < 2; i++) {
		struct inverted divided, whole;
		make_inverted(&divided, crowd.ivf, parts, MOST_PARTS, removed, counts[i]);
		make_inverted(&whole, crowd.ivf, &crowd.part, 1, removed, counts[i]);
		assert_int_equal(cairn_index_rows(divided.index), ROWS);
		cairn_ranking *wanted = search(whole.index, crowd.queries, QUERIES, K, NULL);
		cairn_ranking *found = search(divided.index, crowd.queries, QUERIES, K, NULL);
		assert_same_rankings(found, wanted);
		for (size_t q = 0; q < QUERIES; q++)
			for (size_t k = 0; k < K; k++)
				assert_false(is_in(removed, counts[i], cairn_ranking_images(found, q)[k]));
		cairn_ranking_free(wanted);
		cairn_ranking_free(found);
		free_inverted(&divided);
		free_inverted(&whole);
	}
}

/* ---- files ---- */

struct file {
	uint8_t *bytes; /* from malloc(), as aligned as that */
	size_t length;
};

static struct file load(const char *path)
{
	struct file file;
	char *bytes;
	assert_ok(cn_file_read(path, 1 << 26, &bytes, &file.length));
	file.bytes = (uint8_t *)bytes;
	return file;
}

static struct file saved(const cairn_ivf *ivf)
{
	const char *path = cn_test_path(cn_test_folder(), "a.quantizer");
	assert_ok(cairn_ivf_save(ivf, path));
	return load(path);
}

static struct file written(const cairn_ivf *ivf, const cairn_index_part *part, unsigned threads)
{
	const char *path = cn_test_path(cn_test_folder(), "a.ivf");
	assert_ok(cairn_ivf_write_lists(ivf, part, path, threads, NULL, NULL));
	return load(path);
}

static int are_same(const struct file *a, const struct file *b)
{
	return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

static void threads_and_parts_change_no_byte_of_a_file(void **state)
{
	cairn_index_part parts[MOST_PARTS];
	struct rows some = crowd.rows;
	some.count = 6000;
	const cairn_index_part whole = part_of(&some, 0, some.count);
	cairn_ivf *ivf = train(DIM, &whole, 1, 0, 1);
	struct file quantizer = saved(ivf), lists = written(ivf, &crowd.part, 1);
	(void)state;
	divide(&some, 1, parts);
	for (unsigned threads = 2; threads <= 3; threads++) {
		cairn_ivf *again =
			threads < 3 ? train(DIM, &whole, 1, 0, threads) : train(DIM, parts, MOST_PARTS, 0, threads);
		struct file same_quantizer = saved(again), same_lists = written(again, &crowd.part, threads);
		assert_true(are_same(&same_quantizer, &quantizer));
		assert_true(are_same(&same_lists, &lists));
		free(same_quantizer.bytes);
		free(same_lists.bytes);
		cairn_ivf_free(again);
	}
	cairn_ivf_free(ivf);
	free(quantizer.bytes);
	free(lists.bytes);
}

static void another_seed_gives_another_quantizer(void **state)
{
	const cairn_ivf_options options = { CAIRN_IVF_OPTIONS_VERSION, 0, 0, 4 };
	const cairn_index_part part = part_of(&crowd.rows, 0, 500);
	cairn_ivf *one = train(DIM, &part, 1, 0, 0), *other;
	(void)state;
	assert_ok(cairn_ivf_train(&other, DIM, &part, 1, &options, NULL, NULL));
	struct file first = saved(one), second = saved(other);
	assert_int_equal(first.length, second.length);
	assert_false(are_same(&first, &second));
	free(first.bytes);
	free(second.bytes);
	cairn_ivf_free(one);
	cairn_ivf_free(other);
}

static void a_quantizer_is_read_as_it_was_saved(void **state)
{
	const char *path = cn_test_path(cn_test_folder(), "a.quantizer");
	struct file first, second;
	struct inverted inverted;
	cairn_ivf_info wanted, found;
	cairn_ivf *ivf;
	(void)state;
	assert_ok(cairn_ivf_save(crowd.ivf, path));
	assert_ok(cairn_ivf_open(&ivf, path));
	first = saved(crowd.ivf);
	second = saved(ivf);
	assert_true(are_same(&first, &second));
	cairn_ivf_get_info(crowd.ivf, &wanted);
	cairn_ivf_get_info(ivf, &found);
	assert_int_equal(found.dim, wanted.dim);
	assert_int_equal(found.lists, wanted.lists);
	assert_true(found.error == wanted.error);
	for (int percent = 0; percent <= 100; percent += 10)
		assert_int_equal(cairn_ivf_probes(ivf, K, percent / 100.0),
				 cairn_ivf_probes(crowd.ivf, K, percent / 100.0));
	make_inverted(&inverted, ivf, &crowd.part, 1, NULL, 0);
	cairn_ranking *ranking = search(inverted.index, crowd.queries, QUERIES, K, NULL);
	cairn_ranking *before = search(crowd.inverted.index, crowd.queries, QUERIES, K, NULL);
	assert_same_rankings(ranking, before);
	cairn_ranking_free(ranking);
	cairn_ranking_free(before);
	free_inverted(&inverted);
	free(first.bytes);
	free(second.bytes);
	cairn_ivf_free(ivf);
}

/* The error is what the lists' residuals are, and rows of elsewhere have a larger one. */
static void drift_shows_in_the_error(void **state)
{
	const cairn_index_part head = part_of(&crowd.rows, 0, 1000);
	struct inverted same, strange;
	struct rows rows;
	cairn_ivf_info info;
	uint64_t seed = 2;
	double error = 0;
	(void)state;
	allocate_rows(&rows, 1000, DIM);
	fill_normal(rows.numbers, 1000 * DIM, &seed);
	encode_rows(&rows);
	for (size_t i = 0; i < 1000; i++)
		rows.images[i] = (int64_t)i;
	const cairn_index_part part = part_of(&rows, 0, 1000);
	make_inverted(&same, crowd.ivf, &head, 1, NULL, 0);
	make_inverted(&strange, crowd.ivf, &part, 1, NULL, 0);
	cairn_ivf_get_info(crowd.ivf, &info);
	assert_true(fabs(cairn_ivf_lists_error(same.lists[0]) / info.error - 1) < 0.1);
	assert_true(cairn_ivf_lists_error(strange.lists[0]) > 5 * info.error);
	for (size_t i = 0; i < 1000; i++) {
		double nearest = INFINITY;
		for (size_t c = 0; c < info.lists; c++) {
			double square = 0;
			for (size_t k = 0; k < DIM; k++) {
				double difference = (double)crowd.rows.numbers[i * DIM + k] -
						    (double)crowd.ivf->centroids[c * DIM + k];
				square += difference * difference;
			}
			nearest = square < nearest ? square : nearest;
		}
		error += nearest / 1000;
	}
	/* Rows are in half precision there. */
	assert_true(fabs(cairn_ivf_lists_error(same.lists[0]) / error - 1) < 1e-3);
	free_inverted(&same);
	free_inverted(&strange);
	free_rows(&rows);
}

/* ---- small files ---- */

#define SMALL       40
#define SMALL_DIM   6
#define SMALL_LISTS 5
#define NAME        "memory"

/* Where things stand in the files: docs/format.md. */
enum { Q_ERROR_AT = 24, Q_CRC_AT = 56, Q_HEADER_CRC_AT = 60, Q_RECALL = 64, Q_CENTROIDS = 64 + 4 * 1024 * 4 };
enum { L_ROWS_AT = 24, L_ERROR_AT = 32, L_QUANTIZER_AT = 40, L_CRCS_AT = 44, L_HEADER_CRC_AT = 124, L_STARTS = 128 };
enum { L_NUMBERS = L_STARTS + 64, L_SCALES = L_NUMBERS + 192, L_CODES = L_SCALES + 192 };

struct small {
	struct rows rows;
	float queries[3 * SMALL_DIM];
	cairn_index_part part;
	cairn_ivf *ivf;
	struct file quantizer, lists;
};

static void make_small(struct small *small)
{
	uint64_t seed = 12;
	allocate_rows(&small->rows, SMALL, SMALL_DIM);
	fill_normal(small->rows.numbers, SMALL * SMALL_DIM, &seed);
	fill_normal(small->queries, 3 * SMALL_DIM, &seed);
	encode_rows(&small->rows);
	for (size_t i = 0; i < SMALL; i++)
		small->rows.images[i] = (int64_t)i;
	small->part = part_of(&small->rows, 0, SMALL);
	small->ivf = train(SMALL_DIM, &small->part, 1, SMALL_LISTS, 1);
	small->quantizer = saved(small->ivf);
	small->lists = written(small->ivf, &small->part, 1);
	assert_int_equal(small->quantizer.length, Q_CENTROIDS + SMALL_LISTS * SMALL_DIM * 4);
	assert_int_equal(small->lists.length, L_CODES + SMALL * SMALL_DIM);
}

static void free_small(struct small *small)
{
	cairn_ivf_free(small->ivf);
	free_rows(&small->rows);
	free(small->quantizer.bytes);
	free(small->lists.bytes);
}

/* Lists that were opened: every image at most once, by scores that are numbers. */
static void search_lists(const struct small *small, const cairn_ivf_lists *lists)
{
	cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
	cairn_index *index;
	assert_ok(cairn_index_new_ivf(&index, small->ivf, &small->part, &lists, 1, NULL, 0));
	for (options.probes = 1; options.probes <= SMALL_LISTS; options.probes += 2) {
		cairn_ranking *ranking = search(index, small->queries, 3, SMALL, &options);
		for (size_t q = 0; q < 3; q++) {
			char seen[SMALL] = { 0 };
			for (size_t i = 0; i < cairn_ranking_count(ranking, q); i++) {
				assert_in_range(cairn_ranking_images(ranking, q)[i], 0, SMALL - 1);
				assert_int_equal(seen[cairn_ranking_images(ranking, q)[i]]++, 0);
				assert_true(isfinite(cairn_ranking_scores(ranking, q)[i]));
			}
		}
		cairn_ranking_free(ranking);
	}
	cairn_index_free(index);
}

static int parse_quantizer(const struct file *file)
{
	cairn_ivf *ivf;
	int status = cn_ivf_parse(&ivf, file->bytes, file->length, NAME);
	assert_true((status == 0) == (ivf != NULL));
	cairn_ivf_free(ivf);
	return status;
}

/* Searches where that is possible. @return of parsing and of the check */
static int parse_lists(const struct small *small, const struct file *file, int *check)
{
	cairn_ivf_lists *lists;
	int status = cn_ivf_lists_parse(&lists, file->bytes, file->length, NAME, small->ivf, SMALL);
	assert_true((status == 0) == (lists != NULL));
	if (status < 0)
		return status;
	search_lists(small, lists);
	*check = cairn_ivf_lists_check(lists);
	cairn_ivf_lists_free(lists);
	return 0;
}

static void every_flipped_byte_of_a_quantizer_is_found(void **state)
{
	struct small small;
	(void)state;
	make_small(&small);
	assert_ok(parse_quantizer(&small.quantizer));
	for (size_t i = 0; i < small.quantizer.length; i++) {
		uint8_t flip = (uint8_t)(1 << i % 8);
		small.quantizer.bytes[i] ^= flip;
		int status = parse_quantizer(&small.quantizer);
		assert_fails(status, status == CAIRN_EUNSUPPORTED ? status : CAIRN_EDAMAGED, NAME);
		small.quantizer.bytes[i] ^= flip;
	}
	assert_ok(parse_quantizer(&small.quantizer));
	free_small(&small);
}

static void every_flipped_byte_of_lists_is_found(void **state)
{
	struct small small;
	int check = 1;
	(void)state;
	make_small(&small);
	assert_ok(parse_lists(&small, &small.lists, &check));
	assert_int_equal(check, 0);
	for (size_t i = 0; i < small.lists.length; i++)
		for (unsigned flip = 1; flip < 256; flip = flip == 128 ? 255 : flip == 255 ? 256 : 2 * flip) {
			small.lists.bytes[i] ^= (uint8_t)flip;
			int status = parse_lists(&small, &small.lists, &check);
			if (i < L_SCALES)
				assert_fails(status, status == CAIRN_EUNSUPPORTED ? status : CAIRN_EDAMAGED, NAME);
			else
				assert_fails(check, CAIRN_EDAMAGED, i < L_CODES ? "scales" : "codes");
			small.lists.bytes[i] ^= (uint8_t)flip;
		}
	free_small(&small);
}

static void every_truncation_is_found(void **state)
{
	struct small small;
	int check;
	(void)state;
	make_small(&small);
	for (int which = 0; which <= 1; which++) {
		const struct file *file = which ? &small.lists : &small.quantizer;
		for (size_t length = 0; length < file->length; length++) {
			struct file cut = { malloc(length + !length), length };
			memcpy(cut.bytes, file->bytes, length);
			assert_fails(which ? parse_lists(&small, &cut, &check) : parse_quantizer(&cut), CAIRN_EDAMAGED,
				     NAME);
			free(cut.bytes);
		}
	}
	free_small(&small);
}

static void put_crc(uint8_t *place, const uint8_t *from, size_t length)
{
	uint32_t crc = cn_crc32c(0, from, length);
	memcpy(place, &crc, sizeof(crc));
}

static void seal_quantizer(struct file *file)
{
	put_crc(file->bytes + Q_CRC_AT, file->bytes + Q_RECALL, file->length - Q_RECALL);
	put_crc(file->bytes + Q_HEADER_CRC_AT, file->bytes, Q_HEADER_CRC_AT);
}

static void seal_lists(struct file *file)
{
	put_crc(file->bytes + L_CRCS_AT, file->bytes + L_STARTS, L_NUMBERS - L_STARTS);
	put_crc(file->bytes + L_CRCS_AT + 4, file->bytes + L_NUMBERS, L_SCALES - L_NUMBERS);
	put_crc(file->bytes + L_HEADER_CRC_AT, file->bytes, L_HEADER_CRC_AT);
}

/* Contradictions under valid checksums: what a faulty or hostile program could write. */
static void contradictions_are_found(void **state)
{
	static const uint32_t not_a_number = 0x7fc00000, infinite = 0x7f800000, large = 0x477fe100, one = 0x3f800000;
	enum { QUANTIZER, LISTS };
	const struct {
		int file;
		size_t at;
		uint64_t value;
		size_t size;
		int code;
		const char *part;
	} cases[] = {
		{ QUANTIZER, 0, 'X', 1, CAIRN_EDAMAGED, "not a quantizer" },
		{ QUANTIZER, 8, 1, 4, CAIRN_EUNSUPPORTED, "version 1, this cairn knows version 2: 'cairn index --ivf" },
		{ QUANTIZER, 12, 0, 4, CAIRN_EDAMAGED, "of 0 dimensions" },
		{ QUANTIZER, 12, 65537, 4, CAIRN_EDAMAGED, "of 65537 dimensions" },
		{ QUANTIZER, 12, SMALL_DIM + 1, 4, CAIRN_EDAMAGED, "5 centroids of 7 dimensions" },
		{ QUANTIZER, 16, 0, 8, CAIRN_EDAMAGED, "0 centroids" },
		{ QUANTIZER, 16, (1 << 20) + 1, 8, CAIRN_EDAMAGED, "1048577 centroids" },
		{ QUANTIZER, 16, UINT64_MAX / SMALL_DIM, 8, CAIRN_EDAMAGED, "centroids" },
		{ QUANTIZER, Q_ERROR_AT, UINT64_MAX, 8, CAIRN_EDAMAGED, "error of" },
		{ QUANTIZER, Q_ERROR_AT, 0x7ff0000000000000, 8, CAIRN_EDAMAGED, "error of inf" },
		{ QUANTIZER, Q_ERROR_AT, 0xbff0000000000000, 8, CAIRN_EDAMAGED, "error of -1" },
		{ QUANTIZER, Q_RECALL, not_a_number, 4, CAIRN_EDAMAGED, "number 0 of the recall" },
		{ QUANTIZER, Q_RECALL, 0xbf800000, 4, CAIRN_EDAMAGED, "number 0 of the recall is -1" },
		{ QUANTIZER, Q_RECALL + 4, 0, 4, CAIRN_EDAMAGED, "number 1 of the recall is 0" },
		{ QUANTIZER, Q_RECALL + 4 * 1024, one, 4, CAIRN_EDAMAGED, "number 1025 of the recall" },
		{ QUANTIZER, Q_CENTROIDS - 4, one + 1, 4, CAIRN_EDAMAGED, "number 4095 of the recall" },
		{ QUANTIZER, Q_CENTROIDS, not_a_number, 4, CAIRN_EDAMAGED, "centroid 0" },
		{ QUANTIZER, Q_CENTROIDS + 4 * SMALL_DIM, infinite, 4, CAIRN_EDAMAGED, "centroid 1 is inf" },
		{ QUANTIZER, Q_CENTROIDS + 4 * SMALL_DIM, large, 4, CAIRN_EDAMAGED, "centroid 1 is 65505" },
		{ LISTS, 0, 'X', 1, CAIRN_EDAMAGED, "does not hold the lists of a quantizer" },
		{ LISTS, 8, 0, 4, CAIRN_EUNSUPPORTED, "version 0, this cairn knows version 1" },
		{ LISTS, 12, SMALL_DIM + 1, 4, CAIRN_EDAMAGED, "another quantizer" },
		{ LISTS, 16, SMALL_LISTS - 1, 8, CAIRN_EDAMAGED, "another quantizer" },
		{ LISTS, L_ROWS_AT, SMALL - 1, 8, CAIRN_EDAMAGED, "lists of 39 rows, not of 40" },
		{ LISTS, L_QUANTIZER_AT, 0, 4, CAIRN_EDAMAGED, "another quantizer" },
		{ LISTS, L_STARTS, 1, 8, CAIRN_EDAMAGED, "do not hold the 40 rows" },
		{ LISTS, L_STARTS + 8, SMALL + 1, 8, CAIRN_EDAMAGED, "list 1 ends before it begins" },
		{ LISTS, L_STARTS + 8, UINT64_MAX, 8, CAIRN_EDAMAGED, "list 1 ends before it begins" },
		{ LISTS, L_STARTS + 8 * SMALL_LISTS, SMALL + 1, 8, CAIRN_EDAMAGED, "do not hold the 40 rows" },
		{ LISTS, L_NUMBERS + 12, SMALL, 4, CAIRN_EDAMAGED, "row 40 of 40" },
		{ LISTS, L_NUMBERS + 12, UINT32_MAX, 4, CAIRN_EDAMAGED, "row 4294967295 of 40" },
	};
	struct small small;
	int check;
	(void)state;
	make_small(&small);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct file *file = cases[i].file == LISTS ? &small.lists : &small.quantizer;
		struct file changed = { malloc(file->length), file->length };
		memcpy(changed.bytes, file->bytes, file->length);
		memcpy(changed.bytes + cases[i].at, &cases[i].value, cases[i].size);
		if (cases[i].file == LISTS)
			seal_lists(&changed);
		else
			seal_quantizer(&changed);
		assert_fails(cases[i].file == LISTS ? parse_lists(&small, &changed, &check) : parse_quantizer(&changed),
			     cases[i].code, cases[i].part);
		free(changed.bytes);
	}
	/* A row twice, another not at all. */
	memcpy(small.lists.bytes + L_NUMBERS, small.lists.bytes + L_NUMBERS + 4, 4);
	seal_lists(&small.lists);
	assert_fails(parse_lists(&small, &small.lists, &check), CAIRN_EDAMAGED, "there twice");
	free_small(&small);
}

static void damaged_scales_hide_no_other_row(void **state)
{
	static const float strange[] = { NAN, INFINITY, -INFINITY };
	struct small small;
	(void)state;
	make_small(&small);
	for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++)
		for (size_t s = 0; s < 3; s++) {
			cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
			cairn_ivf_lists *lists;
			cairn_index *index;
			cn_kernels_force((cn_kernels)level);
			for (size_t i = 0; i < SMALL; i += 2)
				memcpy(small.lists.bytes + L_SCALES + 4 * i, &strange[s], 4);
			memset(small.lists.bytes + L_CODES, 0x80, 2 * SMALL_DIM);
			assert_ok(cn_ivf_lists_parse(&lists, small.lists.bytes, small.lists.length, NAME, small.ivf,
						     SMALL));
			assert_ok(cairn_index_new_ivf(&index, small.ivf, &small.part,
						      (const cairn_ivf_lists *const *)&lists, 1, NULL, 0));
			options.probes = SMALL_LISTS;
			cairn_ranking *ranking = search(index, small.queries, 3, SMALL, &options);
			for (size_t q = 0; q < 3; q++) {
				assert_int_equal(cairn_ranking_count(ranking, q), SMALL / 2);
				for (size_t i = 0; i < SMALL; i += 2)
					for (size_t j = 0; j < SMALL / 2; j++)
						assert_int_not_equal(cairn_ranking_images(ranking, q)[j],
								     lists->numbers[i]);
			}
			cairn_ranking_free(ranking);
			cairn_index_free(index);
			cairn_ivf_lists_free(lists);
		}
	free_small(&small);
}

static void queries_of_any_size_are_answered(void **state)
{
	static const float sizes[] = { 0, 1e-45f, 1e-20f, 1e20f, 1e38f };
	static float queries[8 * DIM];
	cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
	(void)state;
	options.probes = 20;
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		for (size_t i = 0; i < 8 * DIM; i++)
			queries[i] = crowd.queries[i] * sizes[s];
		cairn_ranking *ranking = search(crowd.inverted.index, queries, 8, K, &options);
		for (size_t q = 0; q < 8; q++)
			assert_int_equal(cairn_ranking_count(ranking, q), K);
		cairn_ranking_free(ranking);
	}
	/* So large that products are infinite or no numbers: what has no score is left out. */
	for (size_t i = 0; i < 8 * DIM; i++)
		queries[i] = copysignf(3e38f, crowd.queries[i]);
	cairn_ranking *ranking = search(crowd.inverted.index, queries, 8, K, &options);
	for (size_t q = 0; q < 8; q++)
		for (size_t i = 0; i < cairn_ranking_count(ranking, q); i++)
			assert_false(isnan(cairn_ranking_scores(ranking, q)[i]));
	cairn_ranking_free(ranking);
}

/* ---- faults ---- */

static void faults_in_training_are_reported(void **state)
{
	static const struct {
		size_t dim, rows, lists;
		uint32_t version;
		int code;
		const char *part;
	} cases[] = {
		{ SMALL_DIM, SMALL, SMALL + 1, 1, CAIRN_EINVALID, "41 lists for 40 rows" },
		{ SMALL_DIM, 0, 0, 1, CAIRN_EINVALID, "for 0 rows" },
		{ SMALL_DIM, 0, 1, 1, CAIRN_EINVALID, "1 lists for 0 rows" },
		{ 0, SMALL, 1, 1, CAIRN_EINVALID, "0 dimensions" },
		{ 65537, SMALL, 1, 1, CAIRN_EINVALID, "65537 dimensions" },
		{ SMALL_DIM, SMALL, 1, 0, CAIRN_EINVALID, "version 0, this library knows version 1" },
		{ SMALL_DIM, SMALL, 1, 2, CAIRN_EINVALID, "version 2" },
	};
	struct small small;
	cairn_ivf *ivf;
	(void)state;
	make_small(&small);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const cairn_ivf_options options = { cases[i].version, 1, cases[i].lists, 1 };
		const cairn_index_part part = part_of(&small.rows, 0, cases[i].rows);
		ivf = small.ivf;
		assert_fails(cairn_ivf_train(&ivf, cases[i].dim, &part, 1, &options, NULL, NULL), cases[i].code,
			     cases[i].part);
		assert_null(ivf);
	}
	small.rows.images[3] = 1;
	assert_fails(cairn_ivf_train(&ivf, SMALL_DIM, &small.part, 1, NULL, NULL, NULL), CAIRN_EINVALID, "row 3");
	small.rows.images[3] = 3;
	for (size_t i = 0; i < SMALL; i++)
		memset(small.rows.halves + i * SMALL_DIM, 0, SMALL_DIM * sizeof(uint16_t));
	assert_fails(cairn_ivf_train(&ivf, SMALL_DIM, &small.part, 1, NULL, NULL, NULL), CAIRN_EINVALID, NULL);
	small.rows.halves[7] = 0x7e00;
	assert_fails(cairn_ivf_train(&ivf, SMALL_DIM, &small.part, 1, NULL, NULL, NULL), CAIRN_EINVALID, "finite");
	assert_null(ivf);
	free_small(&small);
}

/* The default number of lists must do for any number of rows. */
static void few_rows_are_enough_for_a_quantizer(void **state)
{
	(void)state;
	for (size_t rows = 1; rows <= 6; rows++) {
		const cairn_index_part part = part_of(&crowd.rows, 0, rows);
		cairn_ivf *ivf = train(DIM, &part, 1, 0, 1);
		struct inverted inverted;
		cairn_ivf_info info;
		cairn_ivf_get_info(ivf, &info);
		assert_in_range(info.lists, 1, rows);
		make_inverted(&inverted, ivf, &part, 1, NULL, 0);
		cairn_ranking *ranking = search(inverted.index, crowd.rows.numbers, 1, 1, NULL);
		assert_int_equal(cairn_ranking_images(ranking, 0)[0], 0);
		cairn_ranking_free(ranking);
		free_inverted(&inverted);
		cairn_ivf_free(ivf);
	}
}

static void faults_with_files_are_reported(void **state)
{
	const char *folder = cn_test_folder(), *path = cn_test_path(folder, "a.ivf");
	const char *absent = cn_test_path(folder, "none/a.ivf");
	cairn_index_part part, endless = { .count = (size_t)UINT32_MAX + 1 };
	cairn_ivf_lists *lists = NULL;
	struct small small;
	cairn_ivf *other;
	(void)state;
	make_small(&small);
	part = small.part;
	other = train(SMALL_DIM, &part, 1, SMALL_LISTS + 1, 1);
	assert_fails(cairn_ivf_save(other, absent), CAIRN_ENOTFOUND, "none");
	assert_fails(cairn_ivf_save(other, "/dev/full"), CAIRN_ENOSPACE, "/dev/full");
	cairn_ivf_free(other);
	assert_fails(cairn_ivf_open(&other, absent), CAIRN_ENOTFOUND, "none/a.ivf");
	assert_null(other);
	assert_fails(cairn_ivf_open(&other, folder), CAIRN_EIO, folder);
	assert_fails(cairn_ivf_write_lists(small.ivf, &part, absent, 1, NULL, NULL), CAIRN_ENOTFOUND, "none");
	assert_fails(cairn_ivf_write_lists(small.ivf, &part, "/dev/full", 1, NULL, NULL), CAIRN_ENOSPACE, "/dev/full");
	assert_fails(cairn_ivf_write_lists(small.ivf, &endless, path, 1, NULL, NULL), CAIRN_ELIMIT, "4294967296 rows");
	assert_fails(cairn_ivf_lists_open(&lists, absent, small.ivf, SMALL), CAIRN_ENOTFOUND, "none/a.ivf");
	assert_null(lists);
	small.rows.halves[7] = 0x7c00;
	assert_fails(cairn_ivf_write_lists(small.ivf, &part, path, 1, NULL, NULL), CAIRN_EINVALID, "row 1 of");
	assert_false(cn_file_exists(path));
	assert_ok(cn_file_write(path, "short", 5));
	assert_fails(cairn_ivf_lists_open(&lists, path, small.ivf, SMALL), CAIRN_EDAMAGED, path);
	assert_fails(cairn_ivf_open(&other, path), CAIRN_EDAMAGED, path);
	assert_ok(cn_file_write(path, "", 0));
	assert_fails(cairn_ivf_lists_open(&lists, path, small.ivf, SMALL), CAIRN_EDAMAGED, path);
	assert_fails(cairn_ivf_open(&other, path), CAIRN_EDAMAGED, path);
	cairn_ivf_lists_free(NULL);
	cairn_ivf_free(NULL);
	free_small(&small);
}

/* Lists of another part or quantizer would be read where they have no bytes. */
static void an_index_takes_only_the_lists_of_its_parts(void **state)
{
	const char *path = cn_test_path(cn_test_folder(), "a.ivf");
	struct small small;
	cairn_ivf_lists *lists;
	cairn_index *index = (cairn_index *)&small;
	(void)state;
	make_small(&small);
	const cairn_index_part shorter = part_of(&small.rows, 0, SMALL - 1);
	cairn_ivf *more = train(SMALL_DIM, &small.part, 1, SMALL_LISTS + 1, 1);
	cairn_ivf *alike = train(SMALL_DIM, &shorter, 1, SMALL_LISTS, 1);
	assert_ok(cairn_ivf_write_lists(small.ivf, &small.part, path, 1, NULL, NULL));
	assert_fails(cairn_ivf_lists_open(&lists, path, small.ivf, SMALL - 1), CAIRN_EDAMAGED, path);
	assert_fails(cairn_ivf_lists_open(&lists, path, more, SMALL), CAIRN_EDAMAGED, "another quantizer");
	assert_fails(cairn_ivf_lists_open(&lists, path, alike, SMALL), CAIRN_EDAMAGED, "another quantizer");
	assert_ok(cairn_ivf_lists_open(&lists, path, small.ivf, SMALL));
	const cairn_ivf_lists *const given = lists;
	assert_fails(cairn_index_new_ivf(&index, small.ivf, &shorter, &given, 1, NULL, 0), CAIRN_EINVALID,
		     "part 0 of the index has 39 rows");
	assert_null(index);
	assert_fails(cairn_index_new_ivf(&index, more, &small.part, &given, 1, NULL, 0), CAIRN_EINVALID,
		     "another quantizer");
	assert_fails(cairn_index_new_ivf(&index, alike, &small.part, &given, 1, NULL, 0), CAIRN_EINVALID,
		     "another quantizer");
	assert_fails(cairn_index_new_ivf(&index, small.ivf, &small.part, &given, 1, (const int64_t[]){ 2, 1 }, 2),
		     CAIRN_EINVALID, "1 follows 2");
	assert_null(index);
	cairn_ivf_lists_free(lists);
	cairn_ivf_free(more);
	cairn_ivf_free(alike);
	free_small(&small);
}

static void a_recall_that_is_no_share_is_refused(void **state)
{
	static const double recalls[] = { -0.1, 1.1, NAN, INFINITY };
	(void)state;
	for (size_t i = 0; i < sizeof(recalls) / sizeof(recalls[0]); i++) {
		cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
		cairn_ranking *ranking;
		options.recall = recalls[i];
		assert_fails(cairn_index_search(&ranking, crowd.inverted.index, crowd.queries, 1, 1, &options),
			     CAIRN_EINVALID, "a recall of");
	}
}

static void an_index_of_nothing_finds_nothing(void **state)
{
	const cairn_index_part empty = part_of(&crowd.rows, 0, 0);
	struct inverted none, one;
	(void)state;
	make_inverted(&none, crowd.ivf, NULL, 0, NULL, 0);
	make_inverted(&one, crowd.ivf, &empty, 1, NULL, 0);
	assert_true(cairn_ivf_lists_error(one.lists[0]) == 0);
	for (int i = 0; i <= 1; i++) {
		cairn_ranking *ranking = search(i ? one.index : none.index, crowd.queries, 3, 2, NULL);
		assert_int_equal(cairn_ranking_count(ranking, 0), 0);
		cairn_ranking_free(ranking);
	}
	free_inverted(&none);
	free_inverted(&one);
}

/* ---- cancelling, short memory ---- */

/* Cancels the n-th time that it is told; so slow that it is told every time. */
static int cancel_at(const cairn_progress *progress, void *left)
{
	const struct timespec pause = { 0, 101000000 };
	assert_true(progress->done <= progress->total);
	nanosleep(&pause, NULL);
	return (*(int *)left)-- == 0;
}

static size_t count_files(const char *folder)
{
	char **names;
	size_t count;
	assert_ok(cn_folder_list(folder, &names, &count));
	cn_names_free(names, count);
	return count;
}

static void work_that_is_cancelled_leaves_nothing(void **state)
{
	struct small small;
	cairn_ivf *ivf;
	int ticks = 0, status = CAIRN_ECANCELLED;
	(void)state;
	make_small(&small);
	const char *folder = cn_test_folder(), *path = cn_test_path(folder, "a.ivf");
	for (; status == CAIRN_ECANCELLED; ticks++) {
		int left = ticks;
		assert_int_equal(count_files(folder), 0);
		status = cairn_ivf_write_lists(small.ivf, &small.part, path, 1, cancel_at, &left);
		if (status < 0)
			assert_fails(status, CAIRN_ECANCELLED, "cancelled");
	}
	/* Rows are sorted, encoded and written; the end cannot be cancelled. */
	assert_ok(status);
	assert_int_equal(ticks, 4);
	assert_int_equal(count_files(folder), 1);
	for (ticks = 0; ticks < 3; ticks++) {
		int left = ticks;
		assert_fails(cairn_ivf_train(&ivf, SMALL_DIM, &small.part, 1, NULL, cancel_at, &left), CAIRN_ECANCELLED,
			     "cancelled");
		assert_null(ivf);
	}
	free_small(&small);
}

struct work {
	const struct small *small;
	const char *quantizer, *lists; /* paths */
};

static int train_small(void *context)
{
	const struct small *small = context;
	const cairn_ivf_options options = { CAIRN_IVF_OPTIONS_VERSION, 1, 2, 1 };
	/* Few rows, since each of them is searched with. */
	const cairn_index_part few = part_of(&small->rows, 0, 4);
	cairn_ivf *ivf;
	int status = cairn_ivf_train(&ivf, SMALL_DIM, &few, 1, &options, NULL, NULL);
	assert_true((status == 0) == (ivf != NULL));
	cairn_ivf_free(ivf);
	return status;
}

static int save_and_open(void *context)
{
	const struct work *work = context;
	cairn_ivf *ivf = NULL;
	int status = cairn_ivf_save(work->small->ivf, work->quantizer);
	if (status == 0)
		status = cairn_ivf_open(&ivf, work->quantizer);
	cairn_ivf_free(ivf);
	return status;
}

static int write_and_open(void *context)
{
	const struct work *work = context;
	cairn_ivf_lists *lists = NULL;
	int status = cairn_ivf_write_lists(work->small->ivf, &work->small->part, work->lists, 1, NULL, NULL);
	if (status == 0)
		status = cairn_ivf_lists_open(&lists, work->lists, work->small->ivf, SMALL);
	cairn_ivf_lists_free(lists);
	return status;
}

static int make_and_search(void *context)
{
	static const int64_t only[] = { 3, 4, 5, 100 };
	const struct small *small = context;
	cairn_ivf_lists *lists = NULL;
	cairn_index *index = NULL;
	int status = cn_ivf_lists_parse(&lists, small->lists.bytes, small->lists.length, NAME, small->ivf, SMALL);
	const cairn_ivf_lists *const given = lists;
	if (status == 0)
		status = cairn_index_new_ivf(&index, small->ivf, &small->part, &given, 1, only, 1);
	for (int i = 0; status == 0 && i < 2; i++) {
		cairn_index_options options = CAIRN_INDEX_OPTIONS_INIT;
		cairn_ranking *ranking;
		options.threads = 1;
		options.probes = 2;
		options.only = i ? only : NULL;
		options.only_count = i ? 4 : 0;
		status = cairn_index_search(&ranking, index, small->queries, 3, 5, &options);
		cairn_ranking_free(ranking);
	}
	cairn_index_free(index);
	cairn_ivf_lists_free(lists);
	return status;
}

static void short_memory_is_reported(void **state)
{
	struct small small;
	(void)state;
	make_small(&small);
	const char *folder = cn_test_folder();
	struct work work = { &small, cn_test_path(folder, "q"), cn_test_path(folder, "l") };
	/* a quantizer, its sample, the queries */
	assert_true(cn_torture(train_small, &small) >= 5 + 2 + 4);
	/* names, a quantizer */
	assert_true(cn_torture(save_and_open, &work) >= 2 + 5);
	/* what is sorted, names, lists and the rows that were seen */
	assert_true(cn_torture(write_and_open, &work) >= 7 + 2 + 3);
	/* lists, an index, what is probed and a shortlist a query */
	assert_true(cn_torture(make_and_search, &small) >= 3 + 6 + 7 + 3);
	assert_int_equal(count_files(folder), 2);
	free_small(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_all_lists_are_probed_the_scan_of_all_rows_is_equalled),
		cmocka_unit_test(what_is_asked_to_be_exact_is),
		cmocka_unit_test(the_recall_that_is_asked_for_is_reached),
		cmocka_unit_test(the_default_depth_finds_what_all_rows_have),
		cmocka_unit_test(more_recall_never_takes_fewer_lists),
		cmocka_unit_test(more_images_never_take_fewer_lists),
		cmocka_unit_test(the_recall_is_reached_at_every_depth),
		cmocka_unit_test(filters_cost_no_recall),
		cmocka_unit_test(filters_by_content_cost_no_recall),
		cmocka_unit_test(removed_images_are_never_found_and_cost_no_recall),
		cmocka_unit_test(more_images_than_the_probed_lists_hold),
		cmocka_unit_test(threads_and_company_change_no_byte),
		cmocka_unit_test(many_queries_are_answered_in_blocks),
		cmocka_unit_test(ten_parts_are_as_good_as_one),
		cmocka_unit_test(threads_and_parts_change_no_byte_of_a_file),
		cmocka_unit_test(another_seed_gives_another_quantizer),
		cmocka_unit_test(a_quantizer_is_read_as_it_was_saved),
		cmocka_unit_test(drift_shows_in_the_error),
		cmocka_unit_test(every_flipped_byte_of_a_quantizer_is_found),
		cmocka_unit_test(every_flipped_byte_of_lists_is_found),
		cmocka_unit_test(every_truncation_is_found),
		cmocka_unit_test(contradictions_are_found),
		cmocka_unit_test(damaged_scales_hide_no_other_row),
		cmocka_unit_test(queries_of_any_size_are_answered),
		cmocka_unit_test(faults_in_training_are_reported),
		cmocka_unit_test(few_rows_are_enough_for_a_quantizer),
		cmocka_unit_test(faults_with_files_are_reported),
		cmocka_unit_test(an_index_takes_only_the_lists_of_its_parts),
		cmocka_unit_test(a_recall_that_is_no_share_is_refused),
		cmocka_unit_test(an_index_of_nothing_finds_nothing),
		cmocka_unit_test(work_that_is_cancelled_leaves_nothing),
		cmocka_unit_test(short_memory_is_reported),
	};
	return cmocka_run_group_tests(tests, make_crowd, free_crowd);
}
