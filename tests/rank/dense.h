/*
 * dense.h - diffusion the plain way, for the tests of it: clusters of unit vectors, their neighbours by a double loop,
 * affinities as a dense matrix, and systems by Gaussian elimination.
 */
#ifndef CN_TESTS_RANK_DENSE_H
#define CN_TESTS_RANK_DENSE_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rank/diffuse.h"
#include "support.h"

enum { DENSE_DIM = 8, DENSE_MOST = 200 };

struct dense {
	size_t count, k;
	float rows[DENSE_MOST * DENSE_DIM];
	int32_t *ids;
	float *scores; /* count x k, the row itself left out */
};

static inline float dense_similarity(const float *a, const float *b)
{
	float sum = 0;
	for (size_t d = 0; d < DENSE_DIM; d++)
		sum += a[d] * b[d];
	return sum;
}

/* A unit vector near one of the centres. */
static inline void dense_row(float *row, size_t cluster, float spread, uint64_t *seed)
{
	uint64_t centre = 1000 + cluster;
	float squares = 0;
	for (size_t d = 0; d < DENSE_DIM; d++) {
		row[d] = cn_test_normal(&centre) + spread * cn_test_normal(seed);
		squares += row[d] * row[d];
	}
	for (size_t d = 0; d < DENSE_DIM; d++)
		row[d] /= sqrtf(squares);
}

/* The k nearest of `among` rows, itself left out, equal ones by number; -1 where there are fewer. */
static inline void dense_nearest(const struct dense *dense, const float *row, int32_t self, size_t among, size_t k,
				 int32_t *ids, float *scores)
{
	char taken[DENSE_MOST] = { 0 };
	for (size_t place = 0; place < k; place++) {
		int32_t best = -1;
		float most = -INFINITY;
		for (size_t i = 0; i < among; i++) {
			float similarity = dense_similarity(row, dense->rows + i * DENSE_DIM);
			if (!taken[i] && (int32_t)i != self && similarity > most) {
				most = similarity;
				best = (int32_t)i;
			}
		}
		ids[place] = best;
		scores[place] = most;
		if (best >= 0)
			taken[best] = 1;
	}
}

/* Clusters of 20 rows, of which every tenth is equal to the one before. */
static inline void dense_make(struct dense *dense, size_t count, size_t k, float spread, uint64_t seed)
{
	memset(dense, 0, sizeof(*dense));
	dense->count = count;
	dense->k = k;
	for (size_t i = 0; i < count; i++)
		if (i % 10 == 9)
			memcpy(dense->rows + i * DENSE_DIM, dense->rows + (i - 1) * DENSE_DIM,
			       DENSE_DIM * sizeof(float));
		else
			dense_row(dense->rows + i * DENSE_DIM, i / 20, spread, &seed);
	dense->ids = malloc(count * k * sizeof(*dense->ids));
	dense->scores = malloc(count * k * sizeof(*dense->scores));
	for (size_t i = 0; i < count; i++)
		dense_nearest(dense, dense->rows + i * DENSE_DIM, (int32_t)i, count, k, dense->ids + i * k,
			      dense->scores + i * k);
}

static inline void dense_free(struct dense *dense)
{
	free(dense->ids);
	free(dense->scores);
}

static inline cn_neighbours dense_lists(const struct dense *dense)
{
	return (cn_neighbours){ dense->count, dense->k, dense->ids, dense->scores };
}

static inline double dense_weight(double similarity, double gamma)
{
	return similarity > 0 ? pow(similarity, gamma) : 0;
}

/* Whether i is among the first k of j's list. */
static inline int dense_is_near(const cn_neighbours *lists, size_t i, size_t j, size_t k, double *similarity)
{
	for (size_t place = 0; place < k && place < lists->k; place++)
		if (lists->ids[j * lists->k + place] == (int32_t)i) {
			*similarity = (double)lists->scores[j * lists->k + place];
			return 1;
		}
	return 0;
}

/* @param[out] a n x n: affinities of lists that leave the row itself out */
static inline void dense_affinities(double *a, const cn_neighbours *lists, size_t k, double gamma)
{
	size_t n = lists->lines;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++) {
			double one = 0, other = 0;
			int mutual =
				i != j && dense_is_near(lists, i, j, k, &one) && dense_is_near(lists, j, i, k, &other);
			a[i * n + j] = mutual ? dense_weight((one + other) / 2, gamma) : 0;
		}
}

static inline void dense_normalise(double *a, size_t n)
{
	double *degrees = calloc(n, sizeof(*degrees));
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			degrees[i] += a[i * n + j];
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			a[i * n + j] = a[i * n + j] > 0 ? a[i * n + j] / sqrt(degrees[i] * degrees[j]) : 0;
	free(degrees);
}

/* (I - alpha S) x = y among the rows with `member`, 0 elsewhere; NULL: all. */
static inline void dense_solve(const double *s, size_t n, double alpha, const char *member, const double *y, double *x)
{
	double *m = calloc(n * (n + 1), sizeof(*m));
	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; j < n; j++)
			m[i * (n + 1) + j] =
				(i == j) - (!member || (member[i] && member[j]) ? alpha * s[i * n + j] : 0);
		m[i * (n + 1) + n] = !member || member[i] ? y[i] : 0;
	}
	for (size_t c = 0; c < n; c++)
		for (size_t i = 0; i < n; i++) {
			double factor = i == c ? 0 : m[i * (n + 1) + c] / m[c * (n + 1) + c];
			for (size_t j = c; factor != 0 && j <= n; j++)
				m[i * (n + 1) + j] -= factor * m[c * (n + 1) + j];
		}
	for (size_t i = 0; i < n; i++)
		x[i] = m[i * (n + 1) + n] / m[i * (n + 1) + i];
	free(m);
}

/* A ranking has the images whose score is above 0, by descending score within `tolerance` of the largest. */
static inline void dense_assert_ranked(const cairn_ranking *ranking, size_t query, const double *scores, size_t n,
				       double tolerance)
{
	const int64_t *images = cairn_ranking_images(ranking, query);
	const float *found = cairn_ranking_scores(ranking, query);
	size_t count = cairn_ranking_count(ranking, query), positive = 0;
	char *seen = calloc(n, 1);
	double most = 0;
	for (size_t i = 0; i < n; i++) {
		positive += scores[i] > 1e-9;
		most = fmax(most, scores[i]);
	}
	assert_int_equal(count, positive < cairn_ranking_depth(ranking) ? positive : cairn_ranking_depth(ranking));
	for (size_t i = 0; i < count; i++) {
		assert_in_range(images[i], 0, n - 1);
		assert_int_equal(seen[images[i]]++, 0);
		if (fabs((double)found[i] - scores[images[i]]) > tolerance * most)
			fail_msg("place %zu: image %d has %g, wanted %g", i, (int)images[i], (double)found[i],
				 scores[images[i]]);
		if (i && found[i] == found[i - 1])
			assert_true(images[i] > images[i - 1]);
		assert_true(i == 0 || found[i] <= found[i - 1]);
	}
	for (size_t i = 0; count && i < n; i++)
		assert_true(seen[i] || scores[i] <= (double)found[count - 1] + tolerance * most);
	free(seen);
}

#endif
