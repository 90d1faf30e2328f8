/* Matches against brute force on the decoded numbers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/dispatch.h"
#include "support.h"
#include "torture.h"
#include "verify/match.h"

/* Random descriptors; every fourth resembles one of a common stock, so that sets made so have true partners. */
static cairn_features *random_set(size_t count, uint32_t dim, uint64_t seed)
{
	cairn_keypoint *keypoints = calloc(count + 1, sizeof(*keypoints));
	float *descriptors = malloc(count * dim * sizeof(*descriptors) + 1);
	cairn_features *set;
	for (size_t i = 0; i < count; i++) {
		uint64_t stock = 1000 + i / 4 % 50;
		for (uint32_t j = 0; j < dim; j++)
			descriptors[i * dim + j] =
				i % 4 ? cn_test_normal(&seed) : cn_test_normal(&stock) + 0.3f * cn_test_normal(&seed);
	}
	assert_ok(cairn_features_new(&set, "kind", 640, 480, count, dim, keypoints, descriptors));
	free(keypoints);
	free(descriptors);
	return set;
}

/* The similarity of two features, by the definition. */
static double cosine(const cairn_features *a, size_t i, const cairn_features *b, size_t j)
{
	uint32_t dim = cairn_features_dim(a);
	double sum = 0;
	for (uint32_t k = 0; k < dim; k++)
		sum += cairn_features_codes(a)[i * dim + k] * cairn_features_codes(b)[j * dim + k];
	return sum * (double)cairn_features_code_scale(a) * (double)cairn_features_code_scale(b);
}

static size_t nearest(const cairn_features *a, size_t i, const cairn_features *b, double *best, double *second)
{
	size_t found = SIZE_MAX;
	*best = *second = -INFINITY;
	for (size_t j = 0; j < cairn_features_count(b); j++) {
		double similarity = cosine(a, i, b, j);
		*second = fmax(*second, fmin(similarity, *best));
		if (similarity > *best) {
			*best = similarity;
			found = j;
		}
	}
	return found;
}

static double distance(double similarity)
{
	return sqrt(fmax(0, 2 - 2 * similarity));
}

struct limits {
	int mutual;
	float ratio, min_similarity, max_distance;
};

static size_t naive(const cairn_features *a, const cairn_features *b, const struct limits *limits, cairn_match *matches)
{
	size_t count = 0;
	for (size_t i = 0; i < cairn_features_count(a); i++) {
		double best, second, back, rest;
		size_t j = nearest(a, i, b, &best, &second);
		if (j == SIZE_MAX || (limits->mutual && nearest(b, j, a, &back, &rest) != i))
			continue;
		if (limits->ratio < 1 && !(distance(best) < (double)limits->ratio * distance(second)))
			continue;
		if (limits->mutual ? limits->min_similarity > -1 && best <= (double)limits->min_similarity
				   : distance(best) >= (double)limits->max_distance)
			continue;
		matches[count++] = (cairn_match){ (uint32_t)i, (uint32_t)j, (float)fmin(best, 1) };
	}
	return count;
}

static int match(const cairn_features *a, const cairn_features *b, const struct limits *limits,
		 cn_match_scratch *scratch, cairn_match *matches)
{
	return limits->mutual ? cn_match_mutual(a, b, limits->ratio, limits->min_similarity, scratch, matches)
			      : cn_match_one_way(a, b, limits->ratio, limits->max_distance, scratch, matches);
}

/* @return how many matches there are */
static size_t check_sets(const cairn_features *a, const cairn_features *b, const struct limits *limits,
			 cn_match_scratch *scratch)
{
	size_t room = cairn_features_count(a);
	cairn_match *wanted = malloc(room * sizeof(*wanted) + 1), *matches = malloc(room * sizeof(*matches));
	size_t count = naive(a, b, limits, wanted);
	for (int level = CN_KERNELS_SCALAR; level <= CN_KERNELS_BEST; level++) {
		cn_kernels_force((cn_kernels)level);
		assert_int_equal(match(a, b, limits, scratch, matches), count);
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(matches[i].a, wanted[i].a);
			assert_int_equal(matches[i].b, wanted[i].b);
			assert_true(fabsf(matches[i].similarity - wanted[i].similarity) < 1e-6f);
		}
	}
	free(wanted);
	free(matches);
	return count;
}

static const struct limits limits[] = {
	{ 1, 1, -1, 0 },      { 1, 0.9f, -1, 0 },    { 1, 1, 0.5f, 0 }, { 1, 0.8f, 0.2f, 0 },      { 0, 1, 0, 0.8f },
	{ 0, 0.9f, 0, 1.2f }, { 0, 1, 0, INFINITY }, { 0, 1, 0, 2.5f }, { 0, 0.95f, 0, INFINITY },
};

static void matches_are_those_of_brute_force(void **state)
{
	static const struct {
		size_t na, nb;
		uint32_t dim;
	} sizes[] = { { 0, 0, 8 },  { 0, 5, 8 },   { 5, 0, 8 },      { 1, 1, 8 },
		      { 1, 30, 3 }, { 30, 1, 64 }, { 200, 170, 64 }, { 90, 210, 128 } };
	cn_match_scratch scratch = { 0 };
	(void)state;
	for (size_t k = 0; k < sizeof(limits) / sizeof(limits[0]); k++) {
		size_t count = 0;
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			cairn_features *a = random_set(sizes[i].na, sizes[i].dim, 2 * i + 1);
			cairn_features *b = random_set(sizes[i].nb, sizes[i].dim, 2 * i + 2);
			count += check_sets(a, b, &limits[k], &scratch);
			cairn_features_free(a);
			cairn_features_free(b);
		}
		assert_true(count > 40);
	}
	cn_match_scratch_free(&scratch);
}

/* A descriptor and its double in the other set. Rounding may give codes a norm above 1, and then the difference to
 * itself a square below 0. */
static void doubles_never_pass_the_ratio_test(void **state)
{
	enum { DIM = 8 };
	static const struct limits no_ratio = { 1, 1, -1, 0 };
	cn_match_scratch scratch = { 0 };
	size_t above = 0;
	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		cairn_features *one = random_set(1, DIM, seed), *two;
		float descriptors[2 * DIM];
		cairn_keypoint keypoints[2] = { { 0 } };
		cairn_match found[2];
		for (size_t k = 0; k < (size_t)2 * DIM; k++)
			descriptors[k] = cairn_features_codes(one)[k % DIM];
		assert_ok(cairn_features_new(&two, "kind", 640, 480, 2, DIM, keypoints, descriptors));
		above += cosine(one, 0, two, 0) > 1;
		assert_int_equal(cn_match_mutual(one, two, 0.9f, -1, &scratch, found), 0);
		assert_int_equal(cn_match_one_way(one, two, 0.9f, 2, &scratch, found), 0);
		/* Without the test the first of them is the partner, and no cosine is above 1. */
		assert_int_equal(match(one, two, &no_ratio, &scratch, found), 1);
		assert_int_equal(found[0].b, 0);
		assert_true(found[0].similarity <= 1);
		/* Of the two in the first set only the first has a partner that chooses it; one way, both have. */
		assert_int_equal(match(two, one, &no_ratio, &scratch, found), 1);
		assert_int_equal(found[0].a, 0);
		assert_int_equal(cn_match_one_way(two, one, 0.9f, 2, &scratch, found), 2);
		cairn_features_free(one);
		cairn_features_free(two);
	}
	assert_true(above > 10);
	cn_match_scratch_free(&scratch);
}

struct work {
	cairn_features *a, *b;
};

static int match_in_new_memory(void *context)
{
	const struct work *work = context;
	cn_match_scratch scratch = { 0 };
	cairn_match found[40];
	int status = cn_match_mutual(work->a, work->a, 1, -1, &scratch, found);
	/* Scratch memory that must grow. */
	if (status >= 0)
		status = cn_match_mutual(work->b, work->b, 1, -1, &scratch, found);
	cn_match_scratch_free(&scratch);
	return status;
}

static void memory_may_run_out(void **state)
{
	struct work work = { random_set(20, 64, 1), random_set(40, 64, 2) };
	(void)state;
	cn_kernels_force(CN_KERNELS_SCALAR);
	assert_int_equal(cn_torture(match_in_new_memory, &work), 4);
	cn_kernels_force(CN_KERNELS_BEST);
	assert_in_range(cn_torture(match_in_new_memory, &work), 4, 6);
	cairn_features_free(work.a);
	cairn_features_free(work.b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_are_those_of_brute_force),
		cmocka_unit_test(doubles_never_pass_the_ratio_test),
		cmocka_unit_test(memory_may_run_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
