/* Numbers of rows and bitmaps over them, against looking at each row. */

#include "index/row_parts.h"
#include "support.h"
#include "torture.h"

#define DIM        3
#define MOST_PARTS 6
#define MOST_ROWS  200

struct shape {
	size_t counts[MOST_PARTS];
	int64_t first_ids[MOST_PARTS];
	unsigned rows_an_image; /* of each image but the last of a part */
	int shared;
	size_t most; /* rows of one image, over all parts */
};

static const struct shape shapes[] = {
	{ { 0 }, { 0 }, 1, 0, 1 },
	{ { 1 }, { 5 }, 1, 0, 1 },
	{ { 63, 64, 65, 128, 1 }, { 0, 100, 200, 300, 500 }, 1, 0, 1 },
	/* empty parts before, between and behind */
	{ { 0, 10, 0, 0, 70, 0 }, { 0, 0, 0, 0, 100, 0 }, 3, 0, 3 },
	/* not in the order of ids */
	{ { 20, 30, 40 }, { 500, 0, 200 }, 2, 0, 2 },
	/* the same images twice and thrice; ends that meet; one within another */
	{ { 12, 12 }, { 7, 7 }, 4, 1, 8 },
	{ { 8, 8, 6 }, { 0, 0, 0 }, 2, 1, 6 },
	{ { 9, 9 }, { 0, 2 }, 3, 1, 6 },
	{ { 100, 1 }, { 0, 50 }, 1, 1, 2 },
	{ { 200 }, { 3 }, 200, 0, 200 },
};

#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

/* The parts of a shape; halves are told from each other by their numbers. */
struct world {
	cairn_index_part given[MOST_PARTS];
	uint16_t halves[MOST_PARTS][MOST_ROWS * DIM];
	int64_t images[MOST_PARTS][MOST_ROWS];
};

static void make_world(struct world *world, const struct shape *shape)
{
	for (size_t p = 0; p < MOST_PARTS; p++) {
		for (size_t i = 0; i < shape->counts[p]; i++) {
			world->images[p][i] = shape->first_ids[p] + (int64_t)(i / shape->rows_an_image);
			world->halves[p][i * DIM] = (uint16_t)(p * MOST_ROWS + i);
		}
		world->given[p] = (cairn_index_part){ .rows = world->halves[p],
						      .images = shape->counts[p] ? world->images[p] : NULL,
						      .count = shape->counts[p] };
	}
}

static void rows_are_found_by_their_numbers(void **state)
{
	(void)state;
	for (size_t s = 0; s < SHAPES; s++) {
		static struct world world;
		cn_row_parts parts;
		size_t number = 0, rows = 0;
		make_world(&world, &shapes[s]);
		assert_ok(cn_row_parts_init(&parts, DIM, world.given, MOST_PARTS));
		assert_int_equal(parts.count, MOST_PARTS);
		assert_int_equal(parts.shared, shapes[s].shared);
		assert_int_equal(parts.rows_an_image, shapes[s].most);
		for (size_t p = 0; p < parts.count; p++) {
			const cairn_index_part *part = &parts.items[p].data;
			assert_int_equal(parts.items[p].first, number);
			for (size_t i = 0; i < part->count; i++) {
				uint32_t row = (uint32_t)(number + i);
				assert_ptr_equal(cn_row_parts_find(&parts, row), &parts.items[p]);
				assert_ptr_equal(cn_row_parts_half(&parts, row), part->rows + i * DIM);
				assert_true(cn_row_parts_same_image(&parts, row, row));
				if (i)
					assert_int_equal(cn_row_parts_same_image(&parts, row, row - 1),
							 part->images[i] == part->images[i - 1]);
			}
			rows += part->count;
			number += (part->count + 63) / 64 * 64;
		}
		assert_int_equal(parts.rows, rows);
		assert_int_equal(parts.numbers, number);
		cn_row_parts_free(&parts);
	}
}

static void numbers_are_in_the_order_of_ids(void **state)
{
	static struct world world;
	cn_row_parts parts;
	(void)state;
	for (size_t s = 0; s < SHAPES; s++) {
		int64_t last = -1;
		make_world(&world, &shapes[s]);
		assert_ok(cn_row_parts_init(&parts, DIM, world.given, MOST_PARTS));
		for (size_t p = 0; p < parts.count; p++)
			for (size_t i = 0; i < parts.items[p].data.count; i++) {
				assert_true(shapes[s].shared || parts.items[p].data.images[i] >= last);
				last = parts.items[p].data.images[i];
			}
		cn_row_parts_free(&parts);
	}
}

static void rows_of_other_parts_are_of_another_image(void **state)
{
	/* Who asks joins the rows of an image part by part. */
	static struct world world;
	cn_row_parts parts;
	(void)state;
	make_world(&world, &shapes[5]);
	/* Behind the rows of the part: none of its business. */
	for (size_t p = 0; p < 2; p++)
		world.images[p][64] = world.images[p][0];
	assert_ok(cn_row_parts_init(&parts, DIM, world.given, 2));
	assert_int_equal(parts.items[0].data.images[0], parts.items[1].data.images[0]);
	assert_false(cn_row_parts_same_image(&parts, (uint32_t)parts.items[0].first, (uint32_t)parts.items[1].first));
	cn_row_parts_free(&parts);
}

/* ---- bitmaps ---- */

static int is_among(const int64_t *ids, size_t count, int64_t id)
{
	for (size_t i = 0; i < count; i++)
		if (ids[i] == id)
			return 1;
	return 0;
}

static int bit_of(const uint64_t *bits, size_t at)
{
	return bits[at / 64] >> at % 64 & 1;
}

static void assert_bits(const cn_row_parts *parts, const uint64_t *bits, const int64_t *ids, size_t count, int listed,
			const uint64_t *among)
{
	for (size_t p = 0; p < parts->count; p++) {
		size_t rows = parts->items[p].data.count, end = (rows + 63) / 64 * 64;
		for (size_t i = 0; i < end; i++) {
			size_t at = parts->items[p].first + i;
			/* What is no row does not count. */
			int wanted = i < rows && is_among(ids, count, parts->items[p].data.images[i]) == listed &&
				     (!among || bit_of(among, at));
			assert_int_equal(bit_of(bits, at), wanted);
		}
	}
}

static void check_lists(const cn_row_parts *parts, const int64_t *ids, size_t count)
{
	uint64_t *without, *only, *both;
	assert_ok(cn_row_parts_without(parts, ids, count, &without));
	if (count)
		assert_bits(parts, without, ids, count, 0, NULL);
	else
		assert_null(without);
	assert_ok(cn_row_parts_only(parts, ids, count, NULL, &only));
	assert_non_null(only);
	assert_bits(parts, only, ids, count, 1, NULL);
	assert_ok(cn_row_parts_only(parts, ids, count / 2, without, &both));
	assert_bits(parts, both, ids, count / 2, 1, without);
	cn_free(without);
	cn_free(only);
	cn_free(both);
}

static void bitmaps_tell_which_rows_count(void **state)
{
	/* one in so many of the ids from 0 to 699, most of them unknown; 0: none, 1: all */
	static const unsigned one_in[] = { 0, 1, 2, 7, 100 };
	static struct world world;
	uint64_t seed = 9;
	(void)state;
	for (size_t s = 0; s < SHAPES; s++) {
		cn_row_parts parts;
		make_world(&world, &shapes[s]);
		assert_ok(cn_row_parts_init(&parts, DIM, world.given, MOST_PARTS));
		for (size_t d = 0; d < sizeof(one_in) / sizeof(one_in[0]); d++) {
			int64_t ids[700];
			size_t count = 0;
			for (int64_t id = 0; id < 700; id++)
				if (one_in[d] && cn_test_random(&seed) % one_in[d] == 0)
					ids[count++] = id;
			check_lists(&parts, ids, count);
		}
		for (int64_t id = -1; id < 12; id++)
			check_lists(&parts, &id, 1);
		check_lists(&parts, (const int64_t[]){ INT64_MIN, INT64_MAX }, 2);
		cn_row_parts_free(&parts);
	}
}

/* ---- faults ---- */

static void faults_are_reported(void **state)
{
	static const struct {
		int64_t images[3];
		size_t count;
		int code;
		const char *part;
	} parts[] = {
		{ { 1, 2, -3 }, 3, CAIRN_EINVALID, "part 1 of the index: image id -3 of row 2" },
		{ { -1, 2, 3 }, 3, CAIRN_EINVALID, "image id -1 of row 0" },
		{ { 5, 4, 9 }, 3, CAIRN_EINVALID, "image id 4 of row 1" },
		{ { 1, 2, 3 }, (size_t)1 << 32, CAIRN_ELIMIT, "part 1 of the index has 4294967296 rows" },
		{ { 1, 2, 3 }, SIZE_MAX, CAIRN_ELIMIT, "rows" },
	};
	static const struct {
		int64_t ids[2];
		const char *part;
	} lists[] = { { { 2, 1 }, "1 follows 2" }, { { 7, 7 }, "7 follows 7" } };
	static struct world world;
	cn_row_parts made;
	(void)state;
	make_world(&world, &shapes[2]);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		world.given[1].images = parts[i].images;
		world.given[1].count = parts[i].count;
		assert_fails(cn_row_parts_init(&made, DIM, world.given, 3), parts[i].code, parts[i].part);
	}
	make_world(&world, &shapes[2]);
	assert_ok(cn_row_parts_init(&made, DIM, world.given, MOST_PARTS));
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		uint64_t *live;
		assert_fails(cn_row_parts_without(&made, lists[i].ids, 2, &live), CAIRN_EINVALID, lists[i].part);
		assert_null(live);
		assert_fails(cn_row_parts_only(&made, lists[i].ids, 2, NULL, &live), CAIRN_EINVALID, lists[i].part);
		assert_null(live);
	}
	cn_row_parts_free(&made);
}

static int make_and_ask(void *context)
{
	static const int64_t ids[] = { 1, 7 };
	const struct world *world = context;
	cn_row_parts parts;
	uint64_t *without = NULL, *only = NULL;
	CN_TRY(cn_row_parts_init(&parts, DIM, world->given, MOST_PARTS));
	int status = cn_row_parts_without(&parts, ids, 2, &without);
	if (status == 0)
		status = cn_row_parts_only(&parts, ids, 2, without, &only);
	cn_free(without);
	cn_free(only);
	cn_row_parts_free(&parts);
	return status;
}

static void short_memory_is_reported(void **state)
{
	static struct world world;
	(void)state;
	/* parts, the sorted ids of parts that share images, and two bitmaps */
	make_world(&world, &shapes[5]);
	assert_int_equal(cn_torture(make_and_ask, &world), 4);
	make_world(&world, &shapes[2]);
	assert_int_equal(cn_torture(make_and_ask, &world), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_found_by_their_numbers),
		cmocka_unit_test(numbers_are_in_the_order_of_ids),
		cmocka_unit_test(rows_of_other_parts_are_of_another_image),
		cmocka_unit_test(bitmaps_tell_which_rows_count),
		cmocka_unit_test(faults_are_reported),
		cmocka_unit_test(short_memory_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
