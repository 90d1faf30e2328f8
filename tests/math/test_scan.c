/*
 * Scanning against a double loop, at every kernel level, of all kinds of stored rows and in all kinds of numbers.
 *
 * Numbers that are not codes are small integers in most tests, so that every order of summation gives the same scores,
 * ties abound, and lists must be equal to the bit.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hits.h"
#include "levels.h"
#include "math/codes.h"
#include "math/half.h"
#include "math/scan.h"
#include "support.h"
#include "torture.h"

#define QUERIES 100
#define ROWS    300
#define FIRST   1000 /* number of the first row */

static const struct kind {
	int stored;
	cn_number number;
} kinds[] = {
	{ CN_ROWS_I8, CN_NUMBER_I8 },    { CN_ROWS_F16, CN_NUMBER_BF16 }, { CN_ROWS_F16, CN_NUMBER_F32 },
	{ CN_ROWS_F32, CN_NUMBER_BF16 }, { CN_ROWS_F32, CN_NUMBER_F32 },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Queries and rows, how they are stored, and all their products. */
struct world {
	struct kind kind;
	size_t dim;
	float *queries, *numbers; /* QUERIES x dim, ROWS x dim */
	void *stored;
	float scales[ROWS], offsets[ROWS], bases[QUERIES];
	float query_scales[QUERIES];
	double *products; /* QUERIES x ROWS: of codes, or of numbers rounded as they are multiplied */
};

/* What is scanned of a world. */
struct part {
	size_t queries, rows, keep;
	const uint32_t *which, *numbers;
	const uint64_t *live;
	size_t live_from;
	int has_bases, has_offsets;
};

/* ---- worlds ---- */

static float to_bf16(float value)
{
	double step = value == 0 ? 1 : ldexp(1, ilogbf(value) - 7);
	return (float)(nearbyint((double)value / step) * step);
}

static void store_rows(struct world *world)
{
	size_t count = ROWS * world->dim;
	if (world->kind.stored == CN_ROWS_I8) {
		int8_t *codes = world->stored = malloc(count);
		for (size_t i = 0; i < count; i++)
			codes[i] = (int8_t)world->numbers[i];
	} else if (world->kind.stored == CN_ROWS_F16) {
		world->stored = malloc(count * sizeof(uint16_t));
		cn_halves_from_floats(world->numbers, count, world->stored);
		cn_halves_to_floats(world->stored, count, world->numbers);
	} else {
		world->stored = malloc(count * sizeof(float));
		memcpy(world->stored, world->numbers, count * sizeof(float));
	}
}

/* Queries as they are multiplied. */
static float *rounded_queries(struct world *world)
{
	size_t count = QUERIES * world->dim;
	float *out = malloc(count * sizeof(*out));
	if (world->kind.number == CN_NUMBER_I8) {
		int8_t *codes = malloc(count);
		cn_codes_encode(world->queries, QUERIES, world->dim, codes, world->query_scales);
		for (size_t i = 0; i < count; i++)
			out[i] = codes[i];
		free(codes);
		return out;
	}
	for (size_t i = 0; i < count; i++)
		out[i] = world->kind.number == CN_NUMBER_BF16 ? to_bf16(world->queries[i]) : world->queries[i];
	return out;
}

static void multiply(struct world *world)
{
	float *queries = rounded_queries(world);
	int is_bf16 = world->kind.number == CN_NUMBER_BF16;
	world->products = calloc(QUERIES * ROWS, sizeof(*world->products));
	for (size_t r = 0; r < ROWS; r++)
		for (size_t k = 0; k < world->dim; k++) {
			float number = world->numbers[r * world->dim + k];
			double rounded = (double)(is_bf16 ? to_bf16(number) : number);
			for (size_t q = 0; q < QUERIES; q++)
				world->products[q * ROWS + r] += (double)queries[q * world->dim + k] * rounded;
		}
	free(queries);
}

/* Whole numbers from -most to most; other numbers if it is 0. */
static void fill(float *numbers, size_t count, int most, uint64_t *seed)
{
	for (size_t i = 0; i < count; i++)
		numbers[i] = most ? (float)((int)(cn_test_random(seed) % (2 * (unsigned)most + 1)) - most)
				  : cn_test_normal(seed);
}

static void allocate_world(struct world *world, struct kind kind, size_t dim)
{
	*world = (struct world){ .kind = kind, .dim = dim };
	world->queries = malloc(QUERIES * dim * sizeof(float));
	world->numbers = malloc(ROWS * dim * sizeof(float));
}

static void make_world(struct world *world, struct kind kind, size_t dim, int most, float query_size)
{
	uint64_t seed = dim;
	allocate_world(world, kind, dim);
	fill(world->queries, QUERIES * dim, most, &seed);
	fill(world->numbers, ROWS * dim, kind.stored == CN_ROWS_I8 && dim % 2 ? 127 : most, &seed);
	fill(world->offsets, ROWS, 3, &seed);
	fill(world->bases, QUERIES, 3, &seed);
	for (size_t i = 0; i < QUERIES * dim; i++)
		world->queries[i] *= query_size;
	for (size_t i = 0; i < QUERIES; i++) {
		world->query_scales[i] = 1;
		world->bases[i] *= query_size;
	}
	for (size_t i = 0; i < ROWS; i++)
		world->scales[i] = cn_test_random(&seed) % 2 ? 0.001f : 0.003f;
	/* No code is made -128, but a damaged file may hold it. */
	if (kind.stored == CN_ROWS_I8 && dim % 2)
		for (size_t i = 0; i < ROWS; i++)
			world->numbers[i * dim] = -128;
	store_rows(world);
	multiply(world);
}

static void free_world(struct world *world)
{
	free(world->queries);
	free(world->numbers);
	free(world->stored);
	free(world->products);
}

/* ---- the definition ---- */

/* Parts are the last rows, so that AddressSanitizer sees what is read behind them. */
static size_t world_row(const struct part *part, size_t i)
{
	return ROWS - part->rows + i;
}

static float score_of(const struct world *world, const struct part *part, size_t query, size_t i)
{
	size_t number = part->which ? part->which[query] : query, row = world_row(part, i);
	float score = (float)world->products[number * ROWS + row];
	if (world->kind.number == CN_NUMBER_I8)
		score = score * world->scales[row];
	else if (part->has_offsets)
		score += world->offsets[row];
	score = score * world->query_scales[number];
	return score + (part->has_bases ? world->bases[query] : 0);
}

static size_t number_of(const struct part *part, size_t i)
{
	return part->numbers ? part->numbers[i] : i;
}

static int is_live(const struct part *part, size_t i)
{
	size_t bit = part->live_from + number_of(part, i);
	return !part->live || (part->live[bit / 64] >> bit % 64 & 1);
}

static size_t best_by_definition(const struct world *world, const struct part *part, size_t query, cn_scored_row *best)
{
	size_t count = 0;
	for (size_t i = 0; i < part->rows; i++) {
		float score = score_of(world, part, query, i);
		if (is_live(part, i) && !isnan(score))
			best[count++] = (cn_scored_row){ score, (uint32_t)(FIRST + number_of(part, i)) };
	}
	qsort(best, count, sizeof(*best), cn_test_best_first);
	return count < part->keep ? count : part->keep;
}

static void assert_list(const struct world *world, const struct part *part, size_t query, const cn_shortlist *list)
{
	cn_scored_row best[ROWS];
	size_t count = best_by_definition(world, part, query, best);
	int same = list->count == count;
	for (size_t i = 0; same && i < count; i++)
		same = list->items[i].score == best[i].score && list->items[i].row == best[i].row;
	if (same)
		return;
	print_error("stored %d, number %d, dim %zu, level %d: query %zu of %zu, rows %zu, keep %zu, live %d, which "
		    "%d, numbers %d, bases %d, offsets %d\n",
		    world->kind.stored, (int)world->kind.number, world->dim, (int)cn_kernels_level(), query,
		    part->queries, part->rows, part->keep, part->live != NULL, part->which != NULL,
		    part->numbers != NULL, part->has_bases, part->has_offsets);
	fail();
}

/* ---- scanning ---- */

/* What a thread keeps between scans. */
struct bench {
	cn_query_panels panels;
	cn_scan_scratch scratch;
	cn_shortlist lists[QUERIES];
};

static void open_bench(struct bench *bench, size_t keep)
{
	memset(bench, 0, sizeof(*bench));
	for (size_t i = 0; i < QUERIES; i++)
		assert_ok(cn_shortlist_init(&bench->lists[i], keep));
}

static void close_bench(struct bench *bench)
{
	cn_query_panels_free(&bench->panels);
	cn_scan_scratch_free(&bench->scratch);
	for (size_t i = 0; i < QUERIES; i++)
		cn_shortlist_free(&bench->lists[i]);
}

/* `count` rows of the part from its row `begin` on. */
static cn_rows rows_of(const struct world *world, const struct part *part, size_t begin, size_t count)
{
	static const size_t sizes[] = {
		[CN_ROWS_I8] = 1, [CN_ROWS_F16] = sizeof(uint16_t), [CN_ROWS_F32] = sizeof(float)
	};
	size_t from = world_row(part, begin), size = sizes[world->kind.stored];
	cn_rows rows = { .rows = (const char *)world->stored + from * world->dim * size,
			 .count = count,
			 .first = FIRST,
			 .live = part->live,
			 .live_from = part->live_from };
	rows.stored = world->kind.stored;
	if (part->numbers) {
		rows.numbers = part->numbers + begin;
	} else {
		rows.first += (uint32_t)begin;
		rows.live_from += begin;
	}
	if (world->kind.stored == CN_ROWS_I8)
		rows.scales = world->scales + from;
	else if (part->has_offsets)
		rows.offsets = world->offsets + from;
	return rows;
}

/* Lists are by the numbers of queries. */
static cn_shortlist *list_of(struct bench *bench, const struct part *part, size_t i)
{
	return &bench->lists[part->which ? part->which[i] : i];
}

/* In two runs, the later rows first: the order in which rows come must not matter. */
static void scan(const struct world *world, const struct part *part, const cn_queries *queries, struct bench *bench)
{
	size_t early = part->rows / 3;
	const cn_rows runs[] = { rows_of(world, part, early, part->rows - early), rows_of(world, part, 0, early) };
	for (size_t i = 0; i < part->queries; i++) {
		cn_shortlist *list = list_of(bench, part, i);
		cn_shortlist_clear(list);
		list->keep = part->keep;
		/* So small that lists are cut often. */
		list->capacity = 2 * part->keep;
	}
	assert_ok(cn_query_panels_pack(&bench->panels, queries, part->which, part->queries));
	for (size_t r = 0; r < 2; r++) {
		assert_ok(cn_scan_rows(&bench->panels, &runs[r], part->has_bases ? world->bases : NULL, bench->lists,
				       &bench->scratch));
		/* Thresholds as high as they can be, where ties are for the next run to win. */
		for (size_t i = 0; i < part->queries; i++)
			cn_shortlist_cut(list_of(bench, part, i));
	}
	for (size_t i = 0; i < part->queries; i++)
		cn_test_sort_list(list_of(bench, part, i));
}

static void check_part(const struct world *world, const struct part *part, const cn_queries *queries,
		       struct bench *bench)
{
	scan(world, part, queries, bench);
	for (size_t i = 0; i < part->queries; i++)
		assert_list(world, part, i, list_of(bench, part, i));
}

/* ---- tests ---- */

enum live { ALL_LIVE, ALL_DEAD, SOME_LIVE, ONE_LIVE, LIVES };

/* Bits of rows that are not of the part are set, so that it shows where they are looked at. */
static uint64_t *make_live(enum live live, size_t from, size_t rows, uint64_t *seed)
{
	size_t words = (from + rows + 63) / 64, only = rows ? cn_test_random(seed) % rows : 0;
	uint64_t *bits = malloc(words * sizeof(*bits) + 1);
	memset(bits, 0xff, words * sizeof(*bits));
	for (size_t i = 0; i < rows; i++) {
		int value = live == SOME_LIVE ? cn_test_random(seed) % 3 == 0 : live == ONE_LIVE && i == only;
		if (!value)
			bits[(from + i) / 64] &= ~((uint64_t)1 << (from + i) % 64);
	}
	return bits;
}

/* Each count of queries with each count of rows; everything else takes turns. */
static void check_world(const struct world *world, const cn_queries *queries, struct bench *bench)
{
	static const size_t counts[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 24, 25, QUERIES };
	static const size_t rows[] = { 0, 1, 7, 31, 32, 33, 100, ROWS }, keeps[] = { 10, 1, ROWS },
			    froms[] = { 0, 37, 64, 191 };
	uint32_t which[QUERIES], backwards[ROWS];
	uint64_t seed = 11;
	size_t turn = 0;
	for (size_t i = 0; i < QUERIES; i++)
		which[i] = (uint32_t)(i * 7 + 3) % QUERIES;
	for (size_t i = 0; i < ROWS; i++)
		backwards[i] = (uint32_t)(ROWS - 1 - i);
	for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++)
		for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++, turn++) {
			enum live live = (enum live)((turn + c) % LIVES);
			size_t from = froms[turn / LIVES % 4];
			uint64_t *bits = live == ALL_LIVE ? NULL : make_live(live, from, rows[r], &seed);
			const struct part part = {
				.queries = counts[c],
				.rows = rows[r],
				.keep = keeps[turn % 3],
				.which = (turn + c) / 3 % 2 ? which : NULL,
				/* the last of them, which count down to 0 */
				.numbers = cn_test_random(&seed) % 2 ? backwards + ROWS - rows[r] : NULL,
				.live = bits,
				.live_from = from,
				.has_bases = cn_test_random(&seed) % 2,
				.has_offsets = cn_test_random(&seed) % 2 && world->kind.stored != CN_ROWS_I8,
			};
			check_part(world, &part, queries, bench);
			free(bits);
		}
}

static void every_level_gives_the_definition(void **state)
{
	static const size_t dims[] = { 1, 3, 4, 31, 32, 63, 64, 65, 512 };
	struct bench bench;
	(void)state;
	open_bench(&bench, ROWS);
	for (size_t d = 0; d < sizeof(dims) / sizeof(dims[0]); d++)
		for (size_t k = 0; k < KINDS; k++) {
			struct world world;
			make_world(&world, kinds[k], dims[d], 2, 1);
			for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++) {
				cn_queries queries;
				cn_kernels_force((cn_kernels)level);
				assert_ok(cn_queries_init(&queries, kinds[k].number, world.queries, QUERIES, dims[d]));
				check_world(&world, &queries, &bench);
				cn_queries_free(&queries);
			}
			free_world(&world);
		}
	close_bench(&bench);
}

/* Other numbers: sums differ by the order of additions, but for one level not with what a query is packed with. */
static void check_real_numbers(struct kind kind, size_t dim, float query_size, struct bench *benches)
{
	const struct part all = { .queries = QUERIES, .rows = ROWS, .keep = ROWS };
	struct world world;
	cn_queries queries;
	make_world(&world, kind, dim, 0, query_size);
	assert_ok(cn_queries_init(&queries, kind.number, world.queries, QUERIES, dim));
	scan(&world, &all, &queries, &benches[0]);
	for (uint32_t q = 0; q < QUERIES; q += 9) {
		const struct part alone = { .queries = 1, .rows = ROWS, .keep = ROWS, .which = &q };
		const cn_scored_row *hits = benches[1].lists[q].items;
		scan(&world, &alone, &queries, &benches[1]);
		assert_int_equal(benches[1].lists[q].count, ROWS);
		assert_memory_equal(benches[0].lists[q].items, hits, ROWS * sizeof(*hits));
		for (size_t i = 0; i < ROWS; i++) {
			size_t row = hits[i].row - FIRST;
			double wanted = world.products[q * ROWS + row], size = 0;
			for (size_t k = 0; k < dim; k++)
				size += fabs((double)world.queries[q * dim + k] * (double)world.numbers[row * dim + k]);
			assert_true(fabs((double)hits[i].score - wanted) <= 1e-5 * size);
		}
	}
	cn_queries_free(&queries);
	free_world(&world);
}

static void real_numbers_differ_by_the_order_of_additions_alone(void **state)
{
	static const size_t dims[] = { 5, 64, 513 };
	static const float sizes[] = { 1, 0x1p-100f, 0x1p+100f };
	struct bench benches[2];
	(void)state;
	open_bench(&benches[0], ROWS);
	open_bench(&benches[1], ROWS);
	for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++) {
		cn_kernels_force((cn_kernels)level);
		for (size_t k = 0; k < KINDS; k++)
			for (size_t d = 0; kinds[k].stored != CN_ROWS_I8 && d < 3; d++)
				check_real_numbers(kinds[k], dims[d], sizes[(d + k) % 3], benches);
	}
	close_bench(&benches[0]);
	close_bench(&benches[1]);
}

/* Of codes: down to where scores are subnormal numbers or zero, and up to where they are infinite. */
static void vectors_of_any_norm_are_put_into_order(void **state)
{
	static const struct {
		float query, row;
	} sizes[] = {
		{ 0, 1 },
		{ 1, 0 },
		{ 1.1f, 1 },
		{ 1.3f, 1 },
		{ 1.7f, 1 },
		{ 1e-44f, 1 },
		{ 0.6e-36f, 1 },
		{ 1e-36f, 1 },
		{ 1e-34f, 1 },
		{ 1e-36f, 1e-4f },
		{ 1.1e-36f, 1e-4f },
		{ 1.7e-36f, 1e-5f },
		{ 1e-34f, 1e-6f },
		{ 1.3e-33f, 1e-7f },
		{ 1e-20f, 1e-20f },
		{ 1e-5f, 1e-35f },
		{ 1, 1e-30f },
		{ 1e30f, 1 },
		{ 1, 1e38f },
		{ 1e38f, 1e4f },
	};
	struct bench bench;
	(void)state;
	open_bench(&bench, ROWS);
	for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++) {
		cn_kernels_force((cn_kernels)level);
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
			for (int has_bases = 0; has_bases <= 1; has_bases++) {
				const struct part
					one = { .queries = 1, .rows = ROWS, .keep = 30, .has_bases = has_bases },
					all = { .queries = 13, .rows = ROWS, .keep = 30, .has_bases = has_bases };
				struct world world;
				cn_queries queries;
				make_world(&world, kinds[0], 8, 2, sizes[s].query);
				for (size_t i = 0; i < ROWS; i++)
					world.scales[i] *= sizes[s].row;
				assert_ok(cn_queries_init(&queries, CN_NUMBER_I8, world.queries, QUERIES, 8));
				check_part(&world, &one, &queries, &bench);
				check_part(&world, &all, &queries, &bench);
				cn_queries_free(&queries);
				free_world(&world);
			}
	}
	close_bench(&bench);
}

/* The most that sums of codes can become, in the most dimensions that an index takes. */
static void sums_of_codes_do_not_overflow(void **state)
{
	enum { DIM = 65536, COUNT = 3 };
	static const float values[COUNT] = { 127, -127, -128 };
	float *vectors = malloc(2 * DIM * sizeof(*vectors));
	int8_t *codes = malloc(COUNT * DIM);
	const float scales[COUNT] = { 1, 1, 1 };
	const cn_rows rows = { .stored = CN_ROWS_I8, .rows = codes, .scales = scales, .count = COUNT };
	struct bench bench;
	(void)state;
	for (size_t i = 0; i < DIM; i++) {
		vectors[i] = 127;
		vectors[DIM + i] = -127;
		for (size_t r = 0; r < COUNT; r++)
			codes[r * DIM + i] = (int8_t)values[r];
	}
	open_bench(&bench, COUNT);
	for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++)
		for (size_t count = 1; count <= 2; count++) {
			cn_queries queries;
			cn_kernels_force((cn_kernels)level);
			assert_ok(cn_queries_init(&queries, CN_NUMBER_I8, vectors, count, DIM));
			assert_ok(cn_query_panels_pack(&bench.panels, &queries, NULL, count));
			assert_ok(cn_scan_rows(&bench.panels, &rows, NULL, bench.lists, &bench.scratch));
			for (size_t q = 0; q < count; q++) {
				assert_int_equal(bench.lists[q].count, COUNT);
				for (size_t i = 0; i < COUNT; i++) {
					float wanted = (float)(DIM * 127) * values[bench.lists[q].items[i].row];
					assert_true(bench.lists[q].items[i].score == (q ? -wanted : wanted));
				}
				cn_shortlist_clear(&bench.lists[q]);
			}
			cn_queries_free(&queries);
		}
	close_bench(&bench);
	free(vectors);
	free(codes);
}

/* Every third row damaged. */
static void damage(struct world *world, size_t turn)
{
	static const uint16_t halves[] = { 0x7e00, 0x7fff, 0xffff };
	static const uint32_t floats[] = { 0x7fc00000, 0x7fffffff, 0xffffffff, 0x7f800001 };
	static const float scales[] = { NAN, INFINITY, -INFINITY };
	for (size_t r = 0; r < ROWS; r += 3) {
		size_t at = r * world->dim + r % world->dim;
		if (world->kind.stored == CN_ROWS_I8)
			world->scales[r] = scales[turn % 3];
		else if (world->kind.stored == CN_ROWS_F16)
			((uint16_t *)world->stored)[at] = halves[turn % 3];
		else
			memcpy((float *)world->stored + at, &floats[turn % 4], sizeof(float));
		/* The definition then leaves the row out. */
		for (size_t q = 0; q < QUERIES; q++)
			world->products[q * ROWS + r] = NAN;
	}
}

static void damaged_rows_are_never_found_and_hide_no_other(void **state)
{
	struct bench bench;
	(void)state;
	open_bench(&bench, ROWS);
	for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++)
		for (size_t k = 0; k < KINDS; k++)
			for (size_t turn = 0; turn < 4; turn++) {
				const struct part one = { .queries = 1, .rows = ROWS, .keep = 40 },
						  all = { .queries = 13, .rows = ROWS, .keep = 40 };
				struct world world;
				cn_queries queries;
				cn_kernels_force((cn_kernels)level);
				make_world(&world, kinds[k], 33, 2, 1);
				damage(&world, turn);
				assert_ok(cn_queries_init(&queries, kinds[k].number, world.queries, QUERIES, 33));
				check_part(&world, &one, &queries, &bench);
				check_part(&world, &all, &queries, &bench);
				cn_queries_free(&queries);
				free_world(&world);
			}
	close_bench(&bench);
}

static void as_many_queries_are_packed_as_stay_in_the_cache(void **state)
{
	static const size_t dims[] = { 1, 64, 512, 4096, 65536 };
	(void)state;
	for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++)
		for (int number = 0; number < CN_NUMBERS; number++)
			for (size_t d = 0; d < sizeof(dims) / sizeof(dims[0]); d++) {
				cn_kernels_force((cn_kernels)level);
				const cn_panel_form *form = cn_panel_form_of((cn_number)number, CN_PANEL_MOST_QUERIES);
				size_t numbers = form->numbers * form->piece;
				size_t bytes = (dims[d] + numbers - 1) / numbers * form->piece * 4;
				size_t best = cn_query_panels_best((cn_number)number, dims[d]);
				assert_true(best >= form->most);
				assert_true(best == form->most || best * bytes <= 512 << 10);
				assert_true((best + 1) * bytes > 512 << 10);
			}
}

/* Three queries with all rows, from nothing. */
static int scan_from_nothing(void *context)
{
	const struct world *world = context;
	const struct part part = { .queries = 3, .rows = ROWS, .keep = 5 };
	cn_rows rows = rows_of(world, &part, 0, ROWS);
	cn_queries queries;
	cn_query_panels panels = { 0 };
	cn_scan_scratch scratch = { 0 };
	cn_shortlist lists[3];
	CN_TRY(cn_queries_init(&queries, world->kind.number, world->queries, 3, world->dim));
	int status = cn_query_panels_pack(&panels, &queries, NULL, 3);
	for (size_t i = 0; i < 3; i++) {
		int made = cn_shortlist_init(&lists[i], 5);
		status = status < 0 ? status : made;
	}
	if (status == 0)
		status = cn_scan_rows(&panels, &rows, NULL, lists, &scratch);
	for (size_t i = 0; i < 3; i++)
		cn_shortlist_free(&lists[i]);
	cn_scan_scratch_free(&scratch);
	cn_query_panels_free(&panels);
	cn_queries_free(&queries);
	return status;
}

static void short_memory_is_reported(void **state)
{
	(void)state;
	for (size_t k = 0; k < KINDS; k++) {
		struct world world;
		make_world(&world, kinds[k], 8, 2, 1);
		/* four arrays of queries, panels, scratch memory and three lists */
		assert_int_equal(cn_torture(scan_from_nothing, &world), 9);
		free_world(&world);
	}
}

/* ---- lists of both sides ---- */

/* What is scanned: the first `count` rows are the queries too, and each three of them are one in lists. */
struct both {
	const char *what;
	size_t count;
	int has_query_lists;
};

#define BOTH_KEEP 7

static void push_naive(cn_scored_row *best, size_t *count, float score, uint32_t name)
{
	for (size_t i = 0; i < *count; i++)
		if (best[i].row == name) {
			best[i].score = score > best[i].score ? score : best[i].score;
			return;
		}
	best[(*count)++] = (cn_scored_row){ score, name };
}

static void assert_both(cn_shortlist *list, cn_scored_row *best, size_t count, const char *what, int level, size_t at)
{
	size_t used = count < BOTH_KEEP ? count : BOTH_KEEP;
	cn_test_sort_list(list);
	if (count > 1)
		qsort(best, count, sizeof(*best), cn_test_best_first);
	int same = list->count == used;
	for (size_t i = 0; same && i < used; i++)
		same = list->items[i].row == best[i].row && list->items[i].score == best[i].score;
	if (!same)
		fail_msg("%s, level %d: list %zu", what, level, at);
}

static float both_score(const struct world *world, size_t query, size_t row)
{
	float score = (float)world->products[query * ROWS + row];
	if (world->kind.number == CN_NUMBER_I8)
		score = score * world->scales[row] * world->query_scales[query];
	return score;
}

static void check_both(const struct world *world, const struct both *both, int level)
{
	uint32_t names[ROWS];
	cn_shortlist query_lists[QUERIES], row_lists[ROWS / 3];
	cn_queries queries;
	cn_query_panels panels = { 0 };
	cn_scan_scratch scratch = { 0 };
	cn_scored_row best[ROWS];
	for (size_t i = 0; i < ROWS; i++)
		names[i] = (uint32_t)(FIRST + i / 3);
	for (size_t i = 0; i < QUERIES; i++)
		assert_ok(cn_shortlist_init(&query_lists[i], BOTH_KEEP));
	for (size_t i = 0; i < ROWS / 3; i++)
		assert_ok(cn_shortlist_init(&row_lists[i], BOTH_KEEP));
	for (size_t i = 0; i < QUERIES; i++)
		query_lists[i].distinct = 1;
	for (size_t i = 0; i < ROWS / 3; i++)
		row_lists[i].distinct = 1;
	const cn_rows rows = { .stored = world->kind.stored,
			       .rows = world->stored,
			       .scales = world->kind.stored == CN_ROWS_I8 ? world->scales : NULL,
			       .count = ROWS,
			       .names = names };
	const cn_row_lists to = { names, row_lists, FIRST };
	assert_ok(cn_queries_init(&queries, world->kind.number, world->queries, QUERIES, world->dim));
	assert_ok(cn_query_panels_pack(&panels, &queries, NULL, both->count));
	assert_ok(cn_scan_both(&panels, &rows, both->has_query_lists ? query_lists : NULL, &to, &scratch));
	for (size_t q = 0; q < both->count; q++) {
		size_t count = 0;
		for (size_t r = 0; both->has_query_lists && r < ROWS; r++)
			if (names[r] > names[q])
				push_naive(best, &count, both_score(world, q, r), names[r]);
		assert_both(&query_lists[q], best, count, both->what, level, q);
	}
	for (uint32_t n = 0; n < ROWS / 3; n++) {
		size_t count = 0;
		for (size_t r = 3 * n; r < 3 * n + 3; r++)
			for (size_t q = 0; q < both->count; q++)
				if (names[q] < names[r])
					push_naive(best, &count, both_score(world, q, r), names[q]);
		assert_both(&row_lists[n], best, count, both->what, level, n);
	}
	for (size_t i = 0; i < QUERIES; i++)
		cn_shortlist_free(&query_lists[i]);
	for (size_t i = 0; i < ROWS / 3; i++)
		cn_shortlist_free(&row_lists[i]);
	cn_scan_scratch_free(&scratch);
	cn_query_panels_free(&panels);
	cn_queries_free(&queries);
}

static void both_sides_get_the_same_score(void **state)
{
	static const struct both cases[] = {
		{ "both", QUERIES, 1 },
		{ "some", 5, 1 },
		{ "one query", 1, 1 },
		{ "rows alone", QUERIES, 0 },
	};
	(void)state;
	for (size_t k = 0; k < KINDS; k++)
		for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++) {
			struct world world;
			cn_kernels_force((cn_kernels)level);
			make_world(&world, kinds[k], 37, 2, 9);
			for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
				check_both(&world, &cases[i], level);
			free_world(&world);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_level_gives_the_definition),
		cmocka_unit_test(real_numbers_differ_by_the_order_of_additions_alone),
		cmocka_unit_test(vectors_of_any_norm_are_put_into_order),
		cmocka_unit_test(sums_of_codes_do_not_overflow),
		cmocka_unit_test(damaged_rows_are_never_found_and_hide_no_other),
		cmocka_unit_test(as_many_queries_are_packed_as_stay_in_the_cache),
		cmocka_unit_test(both_sides_get_the_same_score),
		cmocka_unit_test(short_memory_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
