/* Feature sets: order, normalisation, codes, refusals. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/features.h"
#include "support.h"
#include "torture.h"

#define COUNT 50
#define DIM   64

static void random_features(cairn_keypoint *keypoints, float *descriptors, size_t count, uint32_t dim, uint64_t seed)
{
	for (size_t i = 0; i < count; i++) {
		/* Few values of the score, so that there are ties; x remembers the place. */
		keypoints[i] =
			(cairn_keypoint){ (float)i, cn_test_uniform(&seed), 1, 2, (float)(cn_test_random(&seed) % 5) };
		for (uint32_t j = 0; j < dim; j++)
			descriptors[i * dim + j] = cn_test_normal(&seed);
	}
}

static void best_score_comes_first_and_ties_stay(void **state)
{
	cairn_keypoint keypoints[COUNT];
	static float descriptors[COUNT * DIM];
	const cairn_keypoint *got;
	cairn_features *set;

	(void)state;
	random_features(keypoints, descriptors, COUNT, DIM, 1);
	assert_ok(cairn_features_new(&set, "kind", 640, 480, COUNT, DIM, keypoints, descriptors));
	assert_string_equal(cairn_features_kind(set), "kind");
	assert_int_equal(cairn_features_width(set), 640);
	assert_int_equal(cairn_features_height(set), 480);
	assert_int_equal(cairn_features_count(set), COUNT);
	assert_int_equal(cairn_features_dim(set), DIM);
	got = cairn_features_keypoints(set);
	for (size_t i = 1; i < COUNT; i++)
		assert_true(got[i - 1].score > got[i].score ||
			    (got[i - 1].score == got[i].score && got[i - 1].x < got[i].x));
	for (size_t i = 0; i < COUNT; i++)
		assert_memory_equal(&got[i], &keypoints[(size_t)got[i].x], sizeof(got[i]));
	cairn_features_free(set);
}

/* Each code is the unit vector's value to within half a step, the largest is 127, and rows follow their keypoints. */
static void codes_are_unit_vectors(void **state)
{
	static const float factors[] = { 1, 1e-30f, 1e30f };
	cairn_keypoint keypoints[COUNT];
	static float descriptors[COUNT * DIM];

	(void)state;
	for (size_t f = 0; f < 3; f++) {
		cairn_features *set;
		int largest = 0;

		random_features(keypoints, descriptors, COUNT, DIM, 2);
		for (size_t i = 0; i < COUNT * DIM; i++)
			descriptors[i] *= factors[f];
		assert_ok(cairn_features_new(&set, "kind", 1, 1, COUNT, DIM, keypoints, descriptors));
		for (size_t i = 0; i < COUNT; i++) {
			const float *d = descriptors + (size_t)cairn_features_keypoints(set)[i].x * DIM;
			const int8_t *code = cairn_features_codes(set) + i * DIM;
			double norm = 0, scale = cairn_features_code_scale(set);

			for (int j = 0; j < DIM; j++)
				norm += (double)d[j] * (double)d[j];
			norm = sqrt(norm);
			for (int j = 0; j < DIM; j++) {
				assert_true(fabs((double)d[j] / norm - code[j] * scale) < 0.5001 * scale);
				largest = abs(code[j]) > largest ? abs(code[j]) : largest;
			}
		}
		assert_int_equal(largest, 127);
		cairn_features_free(set);
	}
}

static void known_codes(void **state)
{
	static const struct {
		float descriptor[2];
		int8_t codes[2];
		double scale;
	} cases[] = {
		{ { 3, 4 }, { 95, 127 }, 0.8 / 127 },
		{ { -30, 40 }, { -95, 127 }, 0.8 / 127 },
		{ { 0, -5 }, { 0, -127 }, 1.0 / 127 },
		{ { 0, 0 }, { 0, 0 }, 1 },
	};
	cairn_keypoint keypoint = { 0 };
	cairn_features *set;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_ok(cairn_features_new(&set, "k", 1, 1, 1, 2, &keypoint, cases[i].descriptor));
		assert_memory_equal(cairn_features_codes(set), cases[i].codes, 2);
		assert_true(fabs((double)cairn_features_code_scale(set) - cases[i].scale) < 1e-8);
		cairn_features_free(set);
	}
}

static void an_empty_set(void **state)
{
	cairn_features *set;

	(void)state;
	assert_ok(cairn_features_new(&set, "kind", 10, 20, 0, 128, NULL, NULL));
	assert_int_equal(cairn_features_count(set), 0);
	assert_true(cairn_features_code_scale(set) == 1);
	cairn_features_free(set);
	assert_ok(cn_features_from_codes(&set, "kind", 10, 20, 0, 128, 1, NULL, NULL));
	assert_int_equal(cairn_features_count(set), 0);
	cairn_features_free(set);
	cairn_features_free(NULL);
}

static void bad_arguments_are_refused(void **state)
{
	static const char long_kind[] = "0123456789012345678901234567890123456789012345678901234567890123";
	static const struct {
		const char *kind;
		uint32_t width, height, dim;
		const char *part;
	} cases[] = {
		{ "", 1, 1, 2, "has 0 bytes" },         { NULL, 1, 1, 2, "has 0 bytes" },
		{ long_kind, 1, 1, 2, "has 64 bytes" }, { "k", 0, 1, 2, "0 x 1 pixels" },
		{ "k", 1, 0, 2, "1 x 0 pixels" },       { "k", 1, 1, 0, "0 dimensions" },
		{ "k", 1, 1, 1025, "1025 dimensions" },
	};
	cairn_keypoint keypoint = { 0 };
	static const float descriptor[1025];
	static const int8_t codes[1025];
	cairn_features *set;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_fails(cairn_features_new(&set, cases[i].kind, cases[i].width, cases[i].height, 1, cases[i].dim,
						&keypoint, descriptor),
			     CAIRN_EINVALID, cases[i].part);
		assert_null(set);
		assert_fails(cn_features_from_codes(&set, cases[i].kind, cases[i].width, cases[i].height, 1,
						    cases[i].dim, 1, &keypoint, codes),
			     CAIRN_EINVALID, cases[i].part);
		assert_null(set);
	}
	assert_ok(cairn_features_new(&set, long_kind + 1, 1, 1, 1, 1024, &keypoint, descriptor));
	assert_int_equal(strlen(cairn_features_kind(set)), 63);
	cairn_features_free(set);
}

static void numbers_must_be_finite(void **state)
{
	static const float bad[] = { NAN, INFINITY, -INFINITY };
	static const float scales[] = { NAN, INFINITY, 0, -1 };
	cairn_keypoint keypoints[2] = { { 0 } };
	float descriptors[4] = { 1, 2, 3, 4 };
	static const int8_t codes[4] = { 1, 2, 3, 4 };
	cairn_features *set;

	(void)state;
	for (size_t b = 0; b < 3; b++) {
		float *fields[] = { &keypoints[1].x, &keypoints[1].y, &keypoints[1].scale, &keypoints[1].angle,
				    &keypoints[1].score };

		for (size_t f = 0; f < 5; f++) {
			*fields[f] = bad[b];
			assert_fails(cairn_features_new(&set, "k", 1, 1, 2, 2, keypoints, descriptors), CAIRN_EINVALID,
				     "keypoint 1 of 2");
			assert_fails(cn_features_from_codes(&set, "k", 1, 1, 2, 2, 1, keypoints, codes), CAIRN_EINVALID,
				     "keypoint 1 of 2");
			*fields[f] = 0;
		}
		descriptors[2] = bad[b];
		assert_fails(cairn_features_new(&set, "k", 1, 1, 2, 2, keypoints, descriptors), CAIRN_EINVALID,
			     "descriptor 1 of 2");
		descriptors[2] = 3;
	}
	for (size_t s = 0; s < 4; s++)
		assert_fails(cn_features_from_codes(&set, "k", 1, 1, 2, 2, scales[s], keypoints, codes), CAIRN_EINVALID,
			     "must be positive");
}

static void codes_come_back_as_they_were(void **state)
{
	cairn_keypoint keypoints[COUNT];
	static float descriptors[COUNT * DIM];
	cairn_features *set, *copy;

	(void)state;
	random_features(keypoints, descriptors, COUNT, DIM, 3);
	assert_ok(cairn_features_new(&set, "kind", 5, 6, COUNT, DIM, keypoints, descriptors));
	assert_ok(cn_features_from_codes(&copy, set->kind, set->width, set->height, set->count, set->dim,
					 set->code_scale, set->keypoints, set->codes));
	assert_string_equal(copy->kind, set->kind);
	assert_true(copy->code_scale == set->code_scale);
	assert_memory_equal(copy->keypoints, set->keypoints, COUNT * sizeof(cairn_keypoint));
	assert_memory_equal(copy->codes, set->codes, COUNT * DIM);
	cairn_features_free(copy);
	cairn_features_free(set);
}

static int make_both(void *context)
{
	static const cairn_keypoint keypoints[3] = { { 0, 0, 0, 0, 1 }, { 0, 0, 0, 0, 3 }, { 0, 0, 0, 0, 2 } };
	static const float descriptors[6] = { 1, 2, 3, 4, 5, 6 };
	cairn_features *set, *copy = NULL;
	int status;

	(void)context;
	CN_TRY(cairn_features_new(&set, "k", 1, 1, 3, 2, keypoints, descriptors));
	status = cn_features_from_codes(&copy, "k", 1, 1, 3, 2, 1, set->keypoints, set->codes);
	cairn_features_free(copy);
	cairn_features_free(set);
	return status;
}

static void memory_may_run_out(void **state)
{
	(void)state;
	assert_int_equal(cn_torture(make_both, NULL), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(best_score_comes_first_and_ties_stay),
		cmocka_unit_test(codes_are_unit_vectors),
		cmocka_unit_test(known_codes),
		cmocka_unit_test(an_empty_set),
		cmocka_unit_test(bad_arguments_are_refused),
		cmocka_unit_test(numbers_must_be_finite),
		cmocka_unit_test(codes_come_back_as_they_were),
		cmocka_unit_test(memory_may_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
