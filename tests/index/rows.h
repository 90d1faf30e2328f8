/*
 * rows.h - rows of an index with the memory that its parts borrow, and searches whose rankings are compared.
 */
#ifndef CN_TESTS_INDEX_ROWS_H
#define CN_TESTS_INDEX_ROWS_H

#include <stdlib.h>
#include <string.h>

#include "cairn/index.h"
#include "support.h"

/* Rows of one part, with the memory that the part borrows. */
struct rows {
	size_t count, dim;
	float *numbers;
	uint16_t *halves;
	int8_t *codes;
	float *scales;
	int64_t *images;
};

static inline void allocate_rows(struct rows *rows, size_t count, size_t dim)
{
	*rows = (struct rows){ .count = count, .dim = dim };
	rows->numbers = malloc(count * dim * sizeof(float) + !count);
	rows->halves = malloc(count * dim * sizeof(uint16_t) + !count);
	rows->codes = malloc(count * dim + !count);
	rows->scales = malloc(count * sizeof(float) + !count);
	rows->images = malloc(count * sizeof(int64_t) + !count);
}

static inline void encode_rows(struct rows *rows)
{
	assert_ok(cairn_index_encode(rows->numbers, rows->count, rows->dim, rows->halves, rows->codes, rows->scales));
}

static inline void free_rows(struct rows *rows)
{
	free(rows->numbers);
	free(rows->halves);
	free(rows->codes);
	free(rows->scales);
	free(rows->images);
}

/* `count` rows from row `begin` on. */
static inline cairn_index_part part_of(const struct rows *rows, size_t begin, size_t count)
{
	return (cairn_index_part){ rows->halves + begin * rows->dim, rows->codes + begin * rows->dim,
				   rows->scales + begin, rows->images + begin, count };
}

static inline cairn_ranking *search(const cairn_index *index, const float *queries, size_t count, size_t k,
				    const cairn_index_options *options)
{
	cairn_ranking *ranking;
	assert_ok(cairn_index_search(&ranking, index, queries, count, k, options));
	assert_int_equal(cairn_ranking_queries(ranking), count);
	assert_int_equal(cairn_ranking_depth(ranking), k);
	return ranking;
}

static inline void assert_same_row(const cairn_ranking *found, size_t query, const cairn_ranking *wanted, size_t other)
{
	size_t k = cairn_ranking_depth(wanted);
	assert_int_equal(cairn_ranking_count(found, query), cairn_ranking_count(wanted, other));
	assert_memory_equal(cairn_ranking_images(found, query), cairn_ranking_images(wanted, other),
			    k * sizeof(int64_t));
	assert_memory_equal(cairn_ranking_scores(found, query), cairn_ranking_scores(wanted, other), k * sizeof(float));
}

static inline void fill_normal(float *numbers, size_t count, uint64_t *seed)
{
	for (size_t i = 0; i < count; i++)
		numbers[i] = cn_test_normal(seed);
}

#endif
