/* Reciprocal neighbours by hand, and against the published procedure in dense matrices over the same set. */
#include "rank/reciprocal.h"

#include "levels.h"
#include "lists.h"
#include "torture.h"

/* ---- by hand: directions in a plane ---- */

#define DEGREES(d)                                                                                                     \
	{                                                                                                              \
		(float)cos((d)*M_PI / 180), (float)sin((d)*M_PI / 180)                                                 \
	}

static double half_square(double degrees)
{
	return 1 - cos(degrees * M_PI / 180);
}

/* The query at 0 degrees and image 5 at 10 are each other's nearest, as images 2 at 100 and 3 at 108. */
static void pairs_in_a_plane(void **state)
{
	const float query[2] = DEGREES(0),
		    rows[6][2] = { DEGREES(0), DEGREES(0), DEGREES(100), DEGREES(108), DEGREES(190), DEGREES(10) };
	static const int64_t images[] = { 3, 2, 5 };
	static const float scores[] = { 0.9f, 0.8f, 0.7f };
	const cn_vectors vectors = cn_vectors_of_matrix(&rows[0][0], 6, 2);
	double of_query = exp(-half_square(10) / half_square(108)), of_image = exp(-half_square(10) / half_square(98));
	double common = fmin(1 / (1 + of_query), of_image / (1 + of_image)) +
			fmin(of_query / (1 + of_query), 1 / (1 + of_image));
	double alike = common / (2 - common), near = 1 - half_square(10) / half_square(108),
	       far = 1 - half_square(100) / half_square(108);
	(void)state;
	cairn_ranking *ranking = cn_test_ranking(1, 3, images, scores), *out;
	const struct {
		const char *what;
		cn_reciprocal_options options;
		int64_t images[3];
		float scores[3];
	} cases[] = {
		{ "encodings alone", { 3, 1, 1, 0 }, { 5, 2, 3 }, { (float)alike, 0, 0 } },
		{ "distances alone", { 3, 1, 1, 1 }, { 5, 2, 3 }, { (float)near, (float)far, 0 } },
		{ "both",
		  { 3, 1, 1, 0.3f },
		  { 5, 2, 3 },
		  { (float)(0.7 * alike + 0.3 * near), (float)(0.3 * far), 0 } },
		/* Averaged, the query and its neighbour have the same encoding. */
		{ "averaged", { 3, 1, 2, 0 }, { 5, 2, 3 }, { 1, 0, 0 } },
		/* Of the first two, 2 and 3, neither has the query as its nearest; theirs keeps its distance to them.
		 */
		{ "the first alone", { 2, 1, 1, 0 }, { 2, 3, 5 }, { 0, 0, 0 } },
	};
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		assert_ok(cn_rank_reciprocal(&out, NULL, ranking, query, &vectors, &cases[c].options));
		cn_test_row(out, 0, cases[c].images, cases[c].scores, cases[c].what);
		cairn_ranking_free(out);
	}
	cairn_ranking_free(ranking);
}

/* Equal vectors, of any length: nothing tells them apart but the id. */
static void equal_images_are_in_order_of_their_ids(void **state)
{
	enum { MANY = 30 };
	float rows[MANY][3] = { { 0 } }, query[] = { 2, 2, 2 }, scores[MANY];
	int64_t images[MANY];
	const cn_vectors vectors = cn_vectors_of_matrix(&rows[0][0], MANY, 3);
	const cn_reciprocal_options options = CN_RECIPROCAL_OPTIONS_INIT;
	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		rows[i][0] = rows[i][1] = rows[i][2] = (float)(1u << i % 3);
		images[i] = (int64_t)(i * 7 % MANY);
		scores[i] = 0.5f;
	}
	cairn_ranking *ranking = cn_test_ranking(1, MANY, images, scores), *out;
	assert_ok(cn_rank_reciprocal(&out, NULL, ranking, query, &vectors, &options));
	cn_test_permuted(ranking, out);
	const int64_t *found = cairn_ranking_images(out, 0);
	for (size_t i = 1; i < MANY; i++)
		assert_true(cairn_ranking_scores(out, 0)[i] < cairn_ranking_scores(out, 0)[i - 1] ||
			    found[i] > found[i - 1]);
	cairn_ranking_free(out);
	cairn_ranking_free(ranking);
}

/* ---- the published procedure ---- */

enum { MOST = CN_TEST_DEPTH + 1 };

struct plain {
	size_t count; /* the query, then the images by id */
	int64_t ids[MOST];
	double vectors[MOST][CN_TEST_DIM], distance[MOST][MOST];
	size_t rank[MOST][MOST]; /* of row i: all rows, nearest first */
	double encoding[MOST][MOST], averaged[MOST][MOST], final[MOST];
};

static void add_vector(struct plain *plain, int64_t id, const float *vector)
{
	double norm = 0;
	for (size_t k = 0; k < CN_TEST_DIM; k++)
		norm += (double)vector[k] * (double)vector[k];
	for (size_t k = 0; k < CN_TEST_DIM; k++)
		plain->vectors[plain->count][k] = (double)vector[k] / sqrt(norm);
	plain->ids[plain->count++] = id;
}

static void measure(struct plain *plain)
{
	for (size_t i = 0; i < plain->count; i++) {
		double largest = 0;
		for (size_t j = 0; j < plain->count; j++) {
			plain->distance[i][j] = 0;
			for (size_t k = 0; i != j && k < CN_TEST_DIM; k++)
				plain->distance[i][j] += pow(plain->vectors[i][k] - plain->vectors[j][k], 2);
			largest = fmax(largest, plain->distance[i][j]);
		}
		for (size_t j = 0; j < plain->count; j++) {
			plain->distance[i][j] /= largest;
			size_t place = j;
			for (; place > 0 && plain->distance[i][j] < plain->distance[i][plain->rank[i][place - 1]];
			     place--)
				plain->rank[i][place] = plain->rank[i][place - 1];
			plain->rank[i][place] = j;
		}
	}
}

/* Among the first k + 1, of which one is the row itself. */
static int is_among(const struct plain *plain, size_t row, size_t other, size_t k)
{
	for (size_t i = 0; i <= k && i < plain->count; i++)
		if (plain->rank[row][i] == other)
			return 1;
	return 0;
}

static void find_mutual(const struct plain *plain, size_t row, size_t k, int *mutual)
{
	for (size_t i = 0; i < plain->count; i++)
		mutual[i] = is_among(plain, row, i, k) && is_among(plain, i, row, k);
}

static void encode(struct plain *plain, size_t row, size_t k1)
{
	int mutual[MOST], expanded[MOST], others[MOST];
	double sum = 0;
	find_mutual(plain, row, k1, mutual);
	memcpy(expanded, mutual, sizeof(expanded));
	for (size_t c = 0; c < plain->count; c++) {
		size_t all = 0, common = 0;
		if (!mutual[c])
			continue;
		find_mutual(plain, c, (size_t)nearbyint((double)k1 / 2), others);
		for (size_t i = 0; i < plain->count; i++) {
			all += (size_t)others[i];
			common += (size_t)(others[i] && mutual[i]);
		}
		for (size_t i = 0; common * 3 > all * 2 && i < plain->count; i++)
			expanded[i] |= others[i];
	}
	for (size_t i = 0; i < plain->count; i++) {
		plain->encoding[row][i] = expanded[i] ? exp(-plain->distance[row][i]) : 0;
		sum += plain->encoding[row][i];
	}
	for (size_t i = 0; i < plain->count; i++)
		plain->encoding[row][i] /= sum;
}

static void compare(struct plain *plain, const cn_reciprocal_options *options)
{
	size_t k2 = options->k2 < plain->count ? options->k2 : plain->count;
	memset(plain->averaged, 0, sizeof(plain->averaged));
	for (size_t row = 0; row < plain->count; row++)
		for (size_t i = 0; i < k2; i++)
			for (size_t c = 0; c < plain->count; c++)
				plain->averaged[row][c] += plain->encoding[plain->rank[row][i]][c] / (double)k2;
	for (size_t row = 0; row < plain->count; row++) {
		double least = 0, most = 0;
		for (size_t c = 0; c < plain->count; c++) {
			least += fmin(plain->averaged[0][c], plain->averaged[row][c]);
			most += fmax(plain->averaged[0][c], plain->averaged[row][c]);
		}
		plain->final[row] = (1 - (double)options->lambda) * (1 - least / most) +
				    (double)options->lambda * plain->distance[0][row];
	}
}

static void rerank_plainly(struct plain *plain, const cn_test_world *world, size_t query,
			   const cn_reciprocal_options *options)
{
	plain->count = 0;
	add_vector(plain, -1, world->queries + query * CN_TEST_DIM);
	for (int64_t id = 0; id < CN_TEST_IMAGES; id++)
		if (cn_test_has(world->ranking, query, options->most, id))
			add_vector(plain, id, world->rows + id * CN_TEST_DIM);
	measure(plain);
	for (size_t row = 0; row < plain->count; row++)
		encode(plain, row, options->k1);
	compare(plain, options);
}

static void check_query(const struct plain *plain, const cn_test_world *world, const cairn_ranking *out, size_t query)
{
	const int64_t *images = cairn_ranking_images(out, query), *before = cairn_ranking_images(world->ranking, query);
	const float *scores = cairn_ranking_scores(out, query);
	for (size_t i = 0; i + 1 < plain->count; i++) {
		size_t at = 1;
		while (at < plain->count && plain->ids[at] != images[i])
			at++;
		assert_true(at < plain->count);
		assert_true(fabs((double)scores[i] - (1 - plain->final[at])) < 5e-6);
	}
	for (size_t i = plain->count - 1; i < cairn_ranking_count(out, query); i++)
		assert_int_equal(images[i], before[i]);
}

static void equals_the_published_procedure(void **state)
{
	static const cn_reciprocal_options options[] = {
		CN_RECIPROCAL_OPTIONS_INIT, { 60, 8, 3, 0.3f },  { 40, 5, 1, 0 },
		{ 40, 7, 6, 0.5f },         { 25, 6, 30, 0.1f }, { 60, 90, 90, 0 },
		{ 60, 1, 1, 0.2f },         { 1, 20, 6, 0.3f },  { 60, 3, 2, 1 },
	};
	static struct plain plain;
	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		cn_test_world world;
		cn_test_world_make(&world, seed);
		for (size_t o = 0; o < sizeof(options) / sizeof(options[0]); o++)
			for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++) {
				cairn_ranking *out;
				cn_kernels_force((cn_kernels)level);
				assert_ok(cn_rank_reciprocal(&out, NULL, world.ranking, world.queries, &world.vectors,
							     &options[o]));
				cn_test_permuted(world.ranking, out);
				for (size_t q = 0; q < CN_TEST_QUERIES; q++) {
					rerank_plainly(&plain, &world, q, &options[o]);
					check_query(&plain, &world, out, q);
				}
				cairn_ranking_free(out);
			}
		cn_test_world_free(&world);
	}
}

static void threads_change_nothing(void **state)
{
	const cn_reciprocal_options options = CN_RECIPROCAL_OPTIONS_INIT;
	cn_test_world world;
	cn_rank_run run = { 0 };
	cairn_ranking *alone, *together;
	(void)state;
	cn_test_world_make(&world, 5);
	assert_ok(cn_workers_new(&run.pool, 3));
	assert_ok(cn_rank_reciprocal(&alone, NULL, world.ranking, world.queries, &world.vectors, &options));
	assert_ok(cn_rank_reciprocal(&together, &run, world.ranking, world.queries, &world.vectors, &options));
	cn_test_same(alone, together);
	cairn_ranking_free(alone);
	cairn_ranking_free(together);
	cn_workers_free(run.pool);
	cn_test_world_free(&world);
}

static void empty_lists_stay_empty(void **state)
{
	static const int64_t images[] = { -1, -1, -1, 1 };
	static const float scores[] = { 0, 0, 0, 0.5f }, queries[] = { 1, 0, 1, 0 };
	static const float rows[] = { 1, 0, 0, 1 };
	const cn_vectors vectors = cn_vectors_of_matrix(rows, 2, 2);
	const cn_reciprocal_options options = CN_RECIPROCAL_OPTIONS_INIT;
	(void)state;
	cairn_ranking *ranking = cn_test_ranking(2, 2, images, scores), *out;
	assert_ok(cn_rank_reciprocal(&out, NULL, ranking, queries, &vectors, &options));
	assert_int_equal(cairn_ranking_count(out, 0), 0);
	assert_int_equal(cairn_ranking_count(out, 1), 1);
	assert_int_equal(cairn_ranking_images(out, 1)[0], 1);
	cn_test_sound(out);
	cairn_ranking_free(out);
	cairn_ranking_free(ranking);
}

static void faults_are_reported(void **state)
{
	static const struct {
		cn_reciprocal_options options;
		const char *text;
	} cases[] = {
		{ { 0, 20, 6, 0.3f }, "of 0 images" }, { { 9, 0, 6, 0.3f }, "k1 0" },
		{ { 9, 20, 0, 0.3f }, "k2 0" },        { { 9, 20, 6, -0.1f }, "lambda -0.1" },
		{ { 9, 20, 6, 1.5f }, "lambda 1.5" },  { { 9, 20, 6, NAN }, "lambda nan" },
	};
	const cn_reciprocal_options good = CN_RECIPROCAL_OPTIONS_INIT;
	const cn_rank_run cancelled = { NULL, cn_test_cancel, NULL };
	cn_test_world world;
	(void)state;
	cn_test_world_make(&world, 6);
	cairn_ranking *out = world.ranking;
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		assert_fails(
			cn_rank_reciprocal(&out, NULL, world.ranking, world.queries, &world.vectors, &cases[c].options),
			CAIRN_EINVALID, cases[c].text);
		assert_null(out);
	}
	assert_fails(cn_rank_reciprocal(&out, &cancelled, world.ranking, world.queries, &world.vectors, &good),
		     CAIRN_ECANCELLED, "comparing neighbours");
	world.vectors.count = 1;
	assert_fails(cn_rank_reciprocal(&out, NULL, world.ranking, world.queries, &world.vectors, &good),
		     CAIRN_ENOTFOUND, "no vector of image");
	world.vectors.count = CN_TEST_IMAGES;
	world.queries[2 * CN_TEST_DIM] = INFINITY;
	assert_fails(cn_rank_reciprocal(&out, NULL, world.ranking, world.queries, &world.vectors, &good),
		     CAIRN_EINVALID, "query 2");
	assert_null(out);
	cn_test_world_free(&world);
}

static int rerank_once(void *context)
{
	const cn_test_world *world = context;
	const cn_reciprocal_options options = { 5, 3, 2, 0.3f };
	cairn_ranking *out;
	int status = cn_rank_reciprocal(&out, NULL, world->ranking, world->queries, &world->vectors, &options);
	cairn_ranking_free(out);
	return status;
}

static void survives_lack_of_memory(void **state)
{
	cn_test_world world;
	(void)state;
	cn_test_world_make(&world, 7);
	assert_true(cn_torture(rerank_once, &world) >= 31);
	cn_test_world_free(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_in_a_plane),
		cmocka_unit_test(equal_images_are_in_order_of_their_ids),
		cmocka_unit_test(equals_the_published_procedure),
		cmocka_unit_test(threads_change_nothing),
		cmocka_unit_test(empty_lists_stay_empty),
		cmocka_unit_test(faults_are_reported),
		cmocka_unit_test(survives_lack_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
