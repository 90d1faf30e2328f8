/* The neighbours of a query's first images against products one by one. */
#include "rank/neighbourhood.h"

#include "levels.h"
#include "lists.h"
#include "torture.h"

enum { DIM = 3 };

static cn_rank_list list_of(cn_scored *items, size_t count)
{
	return (cn_rank_list){ .items = items, .count = count };
}

/* 1 where `a` is a better neighbour of `row` than `b`. */
static int is_nearer(const cn_neighbourhood *hood, size_t row, size_t a, size_t b, double tolerance)
{
	const float *from = hood->vectors + row * hood->dim;
	double difference = 0;
	for (size_t k = 0; k < hood->dim; k++)
		difference += (double)from[k] *
			      ((double)hood->vectors[a * hood->dim + k] - (double)hood->vectors[b * hood->dim + k]);
	return difference > tolerance;
}

static void check_row(const cn_neighbourhood *hood, size_t first, size_t row, size_t neighbours)
{
	const cn_scored_row *near = hood->near + row * hood->nearest;
	const float *from = hood->vectors + row * hood->dim;
	uint8_t among[CN_TEST_DEPTH + 1] = { 0 };
	float least = INFINITY;
	for (size_t i = 0; i < neighbours; i++) {
		const float *to = hood->vectors + near[i].row * hood->dim;
		assert_in_range(near[i].row, first, hood->count);
		assert_int_not_equal(near[i].row, row);
		assert_int_equal(among[near[i].row]++, 0);
		assert_true(fabsf(near[i].score - cn_dot(from, to, hood->dim)) < 1e-5f);
		assert_true(i == 0 || near[i].score <= near[i - 1].score);
	}
	for (size_t other = first; other <= hood->count; other++) {
		const float *to = hood->vectors + other * hood->dim;
		least = fminf(least, cn_dot(from, to, hood->dim));
		if (other != row && !among[other])
			assert_false(neighbours && is_nearer(hood, row, other, near[neighbours - 1].row, 1e-5));
	}
	assert_true(fabsf(hood->least[row] - least) < 1e-5f);
}

static void neighbours_are_the_nearest(void **state)
{
	static const size_t mosts[] = { 1, 2, 20, CN_TEST_DEPTH, 1000 }, nearests[] = { 0, 1, 9, 19, 5000 };
	cn_test_world world;
	cn_scored items[CN_TEST_DEPTH];
	(void)state;
	cn_test_world_make(&world, 1);
	for (size_t i = 0; i < CN_TEST_DEPTH; i++)
		items[i] = (cn_scored){ 0, cairn_ranking_images(world.ranking, 0)[i] };
	const cn_rank_list list = list_of(items, CN_TEST_DEPTH);
	for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++)
		for (size_t c = 0; c < 25; c++) {
			cn_neighbourhood hood;
			cn_kernels_force((cn_kernels)level);
			assert_ok(cn_neighbourhood_init(&hood, mosts[c / 5], CN_TEST_DIM, nearests[c % 5]));
			assert_ok(cn_neighbourhood_fill(&hood, &list, 0, world.queries, &world.vectors));
			assert_int_equal(hood.count,
					 mosts[c / 5] < CN_TEST_DEPTH ? mosts[c / 5] : (size_t)CN_TEST_DEPTH);
			for (size_t first = 0; first < 2; first++) {
				size_t others = hood.count - first;
				size_t wanted = nearests[c % 5] < others ? nearests[c % 5] : others;
				assert_int_equal(cn_neighbourhood_search(&hood, first), wanted);
				for (size_t row = first; row <= hood.count; row++)
					check_row(&hood, first, row, wanted);
			}
			cn_neighbourhood_free(&hood);
		}
	cn_test_world_free(&world);
}

/* Rows are by id whatever the order of the list; equal vectors are neighbours in order of their ids. */
static void equals_are_in_order_of_their_ids(void **state)
{
	enum { MANY = 40 };
	static float rows[MANY][DIM];
	cn_scored items[MANY];
	static const float query[DIM] = { 1, 0, 0 };
	const cn_vectors vectors = cn_vectors_of_matrix(&rows[0][0], MANY, DIM);
	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		rows[i][i % 2] = 0.7f;
		items[i] = (cn_scored){ 0, (int64_t)(i * 7 % MANY) };
	}
	const cn_rank_list list = list_of(items, MANY);
	for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++) {
		cn_neighbourhood hood;
		cn_kernels_force((cn_kernels)level);
		assert_ok(cn_neighbourhood_init(&hood, MANY, DIM, 5));
		assert_ok(cn_neighbourhood_fill(&hood, &list, 0, query, &vectors));
		assert_int_equal(cn_neighbourhood_search(&hood, 0), 5);
		for (size_t i = 0; i < MANY; i++)
			assert_int_equal(hood.ids[i], i);
		/* of image 0 the query, then 2, 4, 6, 8; of image 1 the images 3, 5, 7 ... */
		for (size_t i = 0; i < 5; i++) {
			assert_int_equal(hood.near[5 + i].row, i == 0 ? 0 : 2 * i + 1);
			assert_int_equal(hood.near[10 + i].row, 2 * i + 4);
		}
		assert_true(hood.least[1] == 0 && hood.least[0] == 0);
		cn_neighbourhood_free(&hood);
	}
}

static void faults_are_reported(void **state)
{
	float rows[2][DIM] = { { 1, 0, 0 }, { 0, 1, 0 } }, query[DIM] = { 1, 0, 0 };
	cn_scored items[] = { { 0, 1 }, { 0, 0 } }, unknown = { 0, 2 };
	const cn_rank_list list = list_of(items, 2), wrong = list_of(&unknown, 1);
	const cn_vectors vectors = cn_vectors_of_matrix(&rows[0][0], 2, DIM);
	cn_neighbourhood hood;
	(void)state;
	assert_ok(cn_neighbourhood_init(&hood, 2, DIM, 1));
	assert_fails(cn_neighbourhood_fill(&hood, &wrong, 7, query, &vectors), CAIRN_ENOTFOUND, "image 2");
	query[1] = NAN;
	assert_fails(cn_neighbourhood_fill(&hood, &list, 7, query, &vectors), CAIRN_EINVALID, "query 7");
	query[1] = 0;
	rows[1][2] = -INFINITY;
	assert_fails(cn_neighbourhood_fill(&hood, &list, 7, query, &vectors), CAIRN_EINVALID, "image 1");
	rows[1][2] = 3e38f;
	rows[0][0] = 3e38f;
	rows[0][2] = -3e38f;
	rows[1][0] = 3e38f;
	assert_ok(cn_neighbourhood_fill(&hood, &list, 7, query, &vectors));
	assert_fails(cn_neighbourhood_search(&hood, 0), CAIRN_EINVALID, "too long");
	cn_neighbourhood_free(&hood);
}

static int search_once(void *context)
{
	const cn_test_world *world = context;
	cn_scored items[] = { { 0, 4 }, { 0, 7 }, { 0, 2 } };
	const cn_rank_list list = list_of(items, 3);
	cn_neighbourhood hood;
	int status = cn_neighbourhood_init(&hood, 3, CN_TEST_DIM, 2);
	if (status == 0)
		status = cn_neighbourhood_fill(&hood, &list, 0, world->queries, &world->vectors);
	if (status == 0)
		status = cn_neighbourhood_search(&hood, 0);
	cn_neighbourhood_free(&hood);
	return status;
}

static void survives_lack_of_memory(void **state)
{
	cn_test_world world;
	(void)state;
	cn_test_world_make(&world, 2);
	/* seven of its own; four of queries, panels, scratch memory */
	assert_int_equal(cn_torture(search_once, &world), 13);
	cn_test_world_free(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(neighbours_are_the_nearest),
		cmocka_unit_test(equals_are_in_order_of_their_ids),
		cmocka_unit_test(faults_are_reported),
		cmocka_unit_test(survives_lack_of_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
