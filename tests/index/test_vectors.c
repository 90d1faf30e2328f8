/* The vectors of an index's images, against looking at each row. */
#include "index/vectors.h"
#include "levels.h"
#include "rows.h"
#include "util/ids.h"

enum { DIM = 21, MOST_PARTS = 4 };

struct shape {
	const char *what;
	size_t counts[MOST_PARTS];
	int64_t first_ids[MOST_PARTS];
	int64_t most_gap; /* between ids: from 1 */
	unsigned rows_an_image;
	size_t removed; /* every which image; 0: none */
};

static const struct shape shapes[] = {
	{ "no gaps", { 100 }, { 5 }, 1, 1, 0 },
	{ "one row", { 1 }, { 0 }, 1, 1, 0 },
	{ "gaps", { 200, 130, 70 }, { 0, 20000, 40000 }, 40, 1, 0 },
	{ "parts out of order, empty ones", { 40, 0, 90, 64 }, { 5000, 0, 0, 100000 }, 7, 1, 0 },
	{ "several rows", { 90, 200 }, { 1, 9000 }, 5, 4, 0 },
	{ "removed", { 120, 60 }, { 0, 900 }, 3, 2, 3 },
	{ "shared by parts", { 50, 50, 80 }, { 0, 0, 17 }, 1, 2, 0 },
	{ "shared, removed", { 50, 0, 80, 20 }, { 30, 0, 17, 60 }, 2, 1, 4 },
	{ "large ids", { 60, 60 }, { 3, INT64_MAX - 60 }, 1, 1, 0 },
	/* The guess is far off. */
	{ "uneven ids", { 100 }, { 0 }, 1000000, 1, 0 },
};

struct world {
	struct rows parts[MOST_PARTS];
	int64_t *removed;
	size_t removed_count;
	cairn_index *index;
};

static void make_rows(struct rows *rows, const struct shape *shape, size_t p, uint64_t *seed)
{
	int64_t id = shape->first_ids[p];
	allocate_rows(rows, shape->counts[p], DIM);
	fill_normal(rows->numbers, rows->count * DIM, seed);
	for (size_t i = 0; i < rows->count; i++) {
		int64_t gap = 1 + (int64_t)(cn_test_random(seed) % (uint64_t)shape->most_gap);
		/* Now and then a leap that evenly spread ids would not have. */
		if (shape->most_gap > 1000 && i % 50)
			gap = 1;
		if (i && cn_test_random(seed) % shape->rows_an_image == 0)
			id += gap;
		rows->images[i] = id;
	}
	encode_rows(rows);
}

static void choose_removed(struct world *world, const struct shape *shape)
{
	size_t count = 0;
	world->removed = malloc(1000 * sizeof(int64_t));
	for (size_t p = 0; shape->removed && p < MOST_PARTS; p++)
		for (size_t i = 0; i < world->parts[p].count; i++)
			if (world->parts[p].images[i] % (int64_t)shape->removed == 0)
				world->removed[count++] = world->parts[p].images[i];
	world->removed_count = cn_ids_sort(world->removed, count);
}

static void make_world(struct world *world, const struct shape *shape)
{
	cairn_index_part parts[MOST_PARTS];
	uint64_t seed = 1 + (uint64_t)(shape - shapes);
	for (size_t p = 0; p < MOST_PARTS; p++) {
		make_rows(&world->parts[p], shape, p, &seed);
		parts[p] = part_of(&world->parts[p], 0, shape->counts[p]);
	}
	choose_removed(world, shape);
	assert_ok(cairn_index_new_flat(&world->index, DIM, parts, MOST_PARTS, world->removed, world->removed_count));
}

static void free_world(struct world *world)
{
	cairn_index_free(world->index);
	for (size_t p = 0; p < MOST_PARTS; p++)
		free_rows(&world->parts[p]);
	free(world->removed);
}

/* Rows of an image, by the smallest first id of a part, which comes first; NULL: there are none. Several parts with the
 * same first id may stand in any order. @param[out] others whether another part could be meant as well */
static const float *first_row(const struct world *world, int64_t image, int *others)
{
	const struct rows *found = NULL;
	const float *row = NULL;
	*others = 0;
	for (size_t i = 0; i < world->removed_count; i++)
		if (world->removed[i] == image)
			return NULL;
	for (size_t p = 0; p < MOST_PARTS; p++) {
		const struct rows *part = &world->parts[p];
		size_t i = 0;
		while (i < part->count && part->images[i] != image)
			i++;
		if (i == part->count)
			continue;
		*others |= found && part->images[0] == found->images[0];
		if (found && part->images[0] >= found->images[0])
			continue;
		found = part;
		row = part->numbers + i * DIM;
	}
	return row;
}

/* Half precision has 11 bits. */
static int is_row(const float *got, const float *wanted)
{
	for (size_t d = 0; d < DIM; d++)
		if (!(got[d] - wanted[d] <= 1e-3f * 4 && wanted[d] - got[d] <= 1e-3f * 4))
			return 0;
	return 1;
}

static void check_image(const struct world *world, const cn_vectors *vectors, const char *what, int64_t image)
{
	float got[DIM];
	int others;
	const float *wanted = first_row(world, image, &others);
	int status = vectors->get(vectors, &image, 1, got);
	if (status != (wanted ? 0 : CAIRN_ENOTFOUND))
		fail_msg("%s: image %lld: status %d", what, (long long)image, status);
	if (wanted && !others && !is_row(got, wanted))
		fail_msg("%s: image %lld has another row", what, (long long)image);
}

static void first_rows_of_images(void **state)
{
	(void)state;
	for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++) {
		struct world world;
		make_world(&world, &shapes[s]);
		cn_vectors vectors = cn_vectors_of_index(world.index);
		assert_int_equal(vectors.dim, DIM);
		for (size_t p = 0; p < MOST_PARTS; p++)
			for (size_t i = 0; i < world.parts[p].count; i++) {
				int64_t image = world.parts[p].images[i];
				check_image(&world, &vectors, shapes[s].what, image);
				check_image(&world, &vectors, shapes[s].what, image - 1);
				if (image < INT64_MAX)
					check_image(&world, &vectors, shapes[s].what, image + 1);
			}
		check_image(&world, &vectors, shapes[s].what, INT64_MIN);
		check_image(&world, &vectors, shapes[s].what, INT64_MAX);
		free_world(&world);
	}
}

static void many_in_any_order(void **state)
{
	static const int64_t unknown[] = { 5, 7, 200, 6 };
	struct world world;
	int64_t images[300];
	float got[300 * DIM];
	uint64_t seed = 3;
	(void)state;
	make_world(&world, &shapes[0]);
	cn_vectors vectors = cn_vectors_of_index(world.index);
	for (size_t i = 0; i < 300; i++)
		images[i] = 5 + (int64_t)(cn_test_random(&seed) % 100);
	for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++) {
		cn_kernels_force((cn_kernels)level);
		assert_ok(vectors.get(&vectors, images, 300, got));
		for (size_t i = 0; i < 300; i++) {
			int others;
			assert_true(is_row(got + i * DIM, first_row(&world, images[i], &others)));
		}
	}
	assert_ok(vectors.get(&vectors, images, 0, got));
	assert_fails(vectors.get(&vectors, unknown, 4, got), CAIRN_ENOTFOUND, "image 200 is not in the index");
	free_world(&world);
}

static void an_empty_index(void **state)
{
	static const int64_t image = 0;
	cairn_index *index;
	float got[DIM];
	(void)state;
	assert_ok(cairn_index_new_flat(&index, DIM, NULL, 0, NULL, 0));
	cn_vectors vectors = cn_vectors_of_index(index);
	assert_fails(vectors.get(&vectors, &image, 1, got), CAIRN_ENOTFOUND, "image 0 is not in the index");
	cairn_index_free(index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_rows_of_images),
		cmocka_unit_test(many_in_any_order),
		cmocka_unit_test(an_empty_index),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
