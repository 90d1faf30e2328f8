/*
 * weighted_sums.h - random rankings and vectors, and weighted sums of neighbours in double by their definition.
 */
#ifndef CN_TESTS_RANK_WEIGHTED_SUMS_H
#define CN_TESTS_RANK_WEIGHTED_SUMS_H

#include <math.h>
#include <stdlib.h>

#include "cairn/rerank.h"
#include "support.h"

/* count x dim, each of unit length; the caller frees it. */
static inline float *random_units(size_t count, size_t dim, uint64_t *seed)
{
	float *rows = malloc(count * dim * sizeof(*rows));
	for (size_t i = 0; i < count; i++) {
		double squares = 0;
		for (size_t d = 0; d < dim; d++) {
			rows[i * dim + d] = cn_test_normal(seed);
			squares += (double)rows[i * dim + d] * (double)rows[i * dim + d];
		}
		for (size_t d = 0; d < dim; d++)
			rows[i * dim + d] = (float)((double)rows[i * dim + d] / sqrt(squares));
	}
	return rows;
}

/* Different ids below `images`, and descending scores from 1 to about -0.5. @param count at most `images` */
static inline void random_list(int64_t *ids, float *scores, size_t count, size_t images, uint64_t *seed)
{
	int64_t *all = malloc(images * sizeof(*all));
	for (size_t i = 0; i < images; i++)
		all[i] = (int64_t)i;
	for (size_t i = 0; i < count; i++) {
		size_t other = i + (size_t)(cn_test_random(seed) % (images - i));
		ids[i] = all[other];
		all[other] = all[i];
		scores[i] = 1 - 1.5f * ((float)i + cn_test_uniform(seed)) / (float)count;
	}
	free(all);
}

/* A ranking whose rows hold from 0 to all places. */
static inline cairn_ranking *random_ranking(size_t queries, size_t depth, size_t images, uint64_t *seed)
{
	cairn_ranking *ranking;
	int64_t *ids = malloc(depth * sizeof(*ids));
	float *scores = malloc(depth * sizeof(*scores));
	assert_ok(cairn_ranking_new(&ranking, queries, depth));
	for (size_t q = 0; q < queries; q++) {
		size_t most = depth < images ? depth : images, count = (size_t)(cn_test_random(seed) % (most + 1));
		random_list(ids, scores, count, images, seed);
		for (size_t i = 0; i < count; i++)
			assert_ok(cairn_ranking_set(ranking, q, i, ids[i], scores[i]));
	}
	free(ids);
	free(scores);
	return ranking;
}

/* A ranking of one query; ids below 0 leave the place as it is. */
static inline cairn_ranking *ranking_of(const int64_t *ids, const float *scores, size_t count)
{
	cairn_ranking *ranking;
	assert_ok(cairn_ranking_new(&ranking, 1, count ? count : 1));
	for (size_t i = 0; i < count; i++)
		if (ids[i] >= 0)
			assert_ok(cairn_ranking_set(ranking, 0, i, ids[i], scores[i]));
	return ranking;
}

static inline int stands_before(const int64_t *ids, size_t place)
{
	for (size_t i = 0; i < place; i++)
		if (ids[i] == ids[place])
			return 1;
	return 0;
}

static inline void add_times(double *sum, const float *row, double weight, size_t dim)
{
	for (size_t d = 0; d < dim; d++)
		sum[d] += weight * (double)row[d];
}

static inline double rule_weight(cairn_neighbour_weights rule, double n, double rank, double similarity, double alpha)
{
	if (rule == CAIRN_WEIGHTS_AVERAGE)
		return 1;
	if (rule == CAIRN_WEIGHTS_DECAY)
		return (n - rank) / n;
	return similarity > 0 ? pow(similarity, alpha) : 0;
}

/* Add the first n of a list to a sum. @param rows of image i is row i. @param verified a flag an image; NULL: none is
 * @param taken a flag an image, set for those that were added; NULL where nobody asks */
static inline void add_neighbours(double *sum, const float *rows, size_t dim, const int64_t *ids, const float *scores,
				  size_t count, int64_t self, cairn_neighbour_weights rule, size_t n, double alpha,
				  const int *verified, int *taken)
{
	size_t rank = 0;
	for (size_t i = 0; i < count && rank < n; i++) {
		if (ids[i] < 0 || ids[i] == self)
			continue;
		rank++;
		if (stands_before(ids, i))
			continue;
		double weight = rule_weight(rule, (double)n, (double)rank, (double)scores[i], alpha);
		if (rule == CAIRN_WEIGHTS_DECAY && verified && verified[ids[i]])
			weight = 1;
		add_times(sum, rows + (size_t)ids[i] * dim, weight, dim);
		if (taken)
			taken[ids[i]] = 1;
	}
}

/* The vector is the sum, brought to unit length. */
static inline void assert_direction(const float *vector, const double *sum, size_t dim, double tolerance)
{
	double squares = 0;
	for (size_t d = 0; d < dim; d++)
		squares += sum[d] * sum[d];
	for (size_t d = 0; d < dim; d++)
		if (!(fabs((double)vector[d] - sum[d] / sqrt(squares)) <= tolerance))
			fail_msg("dimension %zu is %.8g, expected %.8g", d, (double)vector[d], sum[d] / sqrt(squares));
}

#endif
