/* RANSAC: known maps among outliers, the published protocol against a plain loop, and what determines nothing. */
#include <string.h>
#include <time.h>

#include "math/dispatch.h"
#include "scene.h"
#include "verify/ransac.h"

/* Runs with memory that is exactly as large as it must be. @param[out] inliers NULL, or room for all pairs */
static size_t run(const cn_pairs *pairs, const cn_ransac_options *options, double model[9], uint32_t *inliers)
{
	uint32_t *scratch = malloc(pairs->count * sizeof(*scratch)), *found = malloc(pairs->count * sizeof(*found));
	size_t count = cn_ransac(pairs, options, scratch, model, found);
	assert_true(count <= pairs->count);
	if (inliers)
		memcpy(inliers, found, count * sizeof(*found));
	free(scratch);
	free(found);
	return count;
}

static void check_recovery(cairn_geometry geometry, const double map[9], const scene_shape *shape)
{
	const cn_ransac_options options = { geometry, 10, 1000, shape->seed, 0 };
	uint32_t *inliers = malloc(shape->count * sizeof(*inliers));
	struct scene scene;
	double model[9];
	size_t true_found = 0;
	scene_new(&scene, map, shape);
	size_t count = run(&scene.pairs, &options, model, inliers);
	for (size_t i = 0; i < count; i++) {
		true_found += (size_t)scene.is_true[inliers[i]];
		assert_true(i == 0 || inliers[i] > inliers[i - 1]);
		assert_true(scene_residual(&scene.pairs, model, inliers[i]) < 10.01);
	}
	assert_true(true_found >= scene.true_count * 98 / 100);
	/* Some outliers are near by chance. */
	assert_true(count - true_found <= 3 + shape->count / 50);
	/* Chance neighbours among the inliers pull at the corners, more so at those of a homography. */
	assert_true(scene_distance(model, map) < (geometry == CAIRN_AFFINE ? 8 : 20));
	assert_true(geometry == CAIRN_HOMOGRAPHY || (model[6] == 0 && model[7] == 0 && model[8] == 1));
	scene_free(&scene);
	free(inliers);
}

static void maps_are_found_among_outliers(void **state)
{
	static const double shares[] = { 0, 0.3, 0.7 };
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++)
		for (size_t s = 0; s < 3; s++) {
			const scene_shape shape = { 200, shares[s], 1, seed };
			for (size_t k = 0; k < 4; k++)
				check_recovery(CAIRN_AFFINE, scene_affine[k], &shape);
			for (size_t k = 0; k < 3; k++)
				check_recovery(CAIRN_HOMOGRAPHY, scene_homography[k], &shape);
		}
}

/* ---- the published protocol ---- */

/* Cramer's rule on three pairs. @return 0 where they lie on a line */
static int exact_affine(const cn_pairs *p, const uint32_t s[3], double model[9])
{
	double x0 = (double)p->ax[s[0]], y0 = (double)p->ay[s[0]];
	double x1 = (double)p->ax[s[1]] - x0, y1 = (double)p->ay[s[1]] - y0;
	double x2 = (double)p->ax[s[2]] - x0, y2 = (double)p->ay[s[2]] - y0, area = x1 * y2 - x2 * y1;
	const float *to[2] = { p->bx, p->by };
	if (fabs(area) < 1e-6)
		return 0;
	for (int r = 0; r < 2; r++) {
		double t0 = (double)to[r][s[0]], t1 = (double)to[r][s[1]] - t0, t2 = (double)to[r][s[2]] - t0;
		model[3 * r] = (t1 * y2 - t2 * y1) / area;
		model[3 * r + 1] = (x1 * t2 - x2 * t1) / area;
		model[3 * r + 2] = t0 - model[3 * r] * x0 - model[3 * r + 1] * y0;
	}
	model[6] = model[7] = 0;
	model[8] = 1;
	return 1;
}

/* Most inliers of the first so many samples of three different pairs. */
static size_t plain_loop(const cn_pairs *pairs, uint64_t seed, size_t trials, double radius)
{
	size_t best = 0;
	for (size_t trial = 0; trial < trials; trial++) {
		uint32_t s[3];
		double model[9];
		for (int i = 0; i < 3; i++)
			do
				s[i] = (uint32_t)(((cn_test_random(&seed) >> 32) * pairs->count) >> 32);
			while ((i > 0 && s[i] == s[0]) || (i > 1 && s[i] == s[1]));
		if (!exact_affine(pairs, s, model))
			continue;
		size_t count = scene_count(pairs, model, radius);
		best = count > best ? count : best;
	}
	return best;
}

static void the_published_protocol_does_exactly_its_trials(void **state)
{
	static const uint32_t trials[] = { 1, 2, 3, 5, 10, 20, 50, 100, 200, 1000 };
	size_t rises = 0;
	(void)state;
	for (uint64_t seed = 0; seed < 10; seed++) {
		/* Noise, so that one sample is better than another, and no early end even without outliers. */
		const scene_shape shape = { 60, seed % 2 ? 0.5 : 0, 6, seed };
		struct scene scene;
		size_t before = 0;
		scene_new(&scene, scene_affine[seed % 4], &shape);
		for (size_t t = 0; t < sizeof(trials) / sizeof(trials[0]); t++) {
			const cn_ransac_options options = { CAIRN_AFFINE, 8, trials[t], seed, 1 };
			double model[9];
			size_t count = run(&scene.pairs, &options, model, NULL);
			assert_int_equal(count, plain_loop(&scene.pairs, seed, trials[t], 8));
			assert_in_range(scene_count(&scene.pairs, model, 8), count - 1, count + 1);
			rises += t == 9 && count > before;
			before = count;
		}
		scene_free(&scene);
	}
	/* The last 800 trials were not idle. */
	assert_true(rises >= 3);
}

/* ---- samples that say nothing ---- */

enum shape { LINE, ONE_PLACE, TWO_PLACES, MIRRORED, ONTO_LINE, ONTO_POINT, FROM_POINT, CROWDED };

static void make_degenerate(struct scene *scene, enum shape shape)
{
	for (size_t i = 0; i < scene->pairs.count; i++) {
		float *ax = &scene->numbers[0][i], *ay = &scene->numbers[1][i], *bx = &scene->numbers[2][i],
		      *by = &scene->numbers[3][i];
		switch (shape) {
		case LINE:
			*ax = *bx = (float)i * 5;
			*ay = *by = 100 + (float)i * 3;
			break;
		case ONE_PLACE:
			*ax = *bx = 50;
			*ay = *by = 60;
			break;
		case TWO_PLACES:
			*ax = *bx = i % 2 ? 50 : 300;
			*ay = *by = i % 2 ? 60 : 200;
			break;
		case MIRRORED:
			*bx = 640 - *ax;
			*by = *ay;
			break;
		case ONTO_LINE:
			*bx = *ax;
			*by = 30;
			break;
		case ONTO_POINT:
			*bx = 70;
			*by = 30;
			break;
		case FROM_POINT:
			*ax = 70;
			*ay = 30;
			break;
		case CROWDED: /* within 3 pixels */
			*ax = *bx = 70 + 0.4f * (float)(i % 7);
			*ay = *by = 30 + 0.4f * (float)(i / 7);
			break;
		}
	}
}

static void degenerate_pairs(void **state)
{
	/* The published protocol has no guard against maps that mirror or flatten. */
	static const struct {
		enum shape shape;
		size_t plain_affine;
	} cases[] = { { LINE, 0 },       { ONE_PLACE, 0 },  { TWO_PLACES, 0 }, { MIRRORED, 40 },
		      { ONTO_LINE, 40 }, { ONTO_POINT, 0 }, { FROM_POINT, 0 }, { CROWDED, 40 } };
	static const double nothing[9];
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const scene_shape shape = { 40, 0, 0, 3 };
		struct scene scene;
		double model[9];
		scene_new(&scene, scene_affine[0], &shape);
		make_degenerate(&scene, cases[i].shape);
		for (int geometry = CAIRN_AFFINE; geometry <= CAIRN_HOMOGRAPHY; geometry++) {
			const cn_ransac_options options = { (cairn_geometry)geometry, 10, 500, 1, 0 };
			if (run(&scene.pairs, &options, model, NULL))
				fail_msg("shape %d, geometry %d", cases[i].shape, geometry);
			assert_memory_equal(model, nothing, sizeof(nothing));
		}
		const cn_ransac_options plain = { CAIRN_AFFINE, 10, 500, 1, 1 };
		if (run(&scene.pairs, &plain, model, NULL) != cases[i].plain_affine)
			fail_msg("shape %d, plain", cases[i].shape);
		scene_free(&scene);
	}
}

static void few_pairs(void **state)
{
	static const double nothing[9];
	(void)state;
	for (size_t count = 0; count <= 8; count++) {
		const scene_shape shape = { count, 0, 0, 11 };
		struct scene scene;
		double model[9];
		scene_new(&scene, scene_affine[1], &shape);
		for (int geometry = CAIRN_AFFINE; geometry <= CAIRN_HOMOGRAPHY; geometry++) {
			const cn_ransac_options options = { (cairn_geometry)geometry, 10, 100, 1, 0 };
			size_t wanted = count < cn_model_pairs((cairn_geometry)geometry) ? 0 : count;
			assert_int_equal(run(&scene.pairs, &options, model, NULL), wanted);
			assert_int_equal(memcmp(model, nothing, sizeof(nothing)) == 0, wanted == 0);
		}
		scene_free(&scene);
	}
}

/* Pairs with the same points as others, as features with several orientations give them. */
static void doubled_points_are_no_obstacle(void **state)
{
	const scene_shape shape = { 60, 0.4, 0.5, 9 };
	struct scene scene;
	(void)state;
	scene_new(&scene, scene_affine[1], &shape);
	for (size_t i = 1; i < 60; i += 2)
		for (int k = 0; k < 4; k++) {
			scene.numbers[k][i] = scene.numbers[k][i - 1];
			scene.is_true[i] = scene.is_true[i - 1];
		}
	size_t wanted = scene_count(&scene.pairs, scene_affine[1], 10);
	for (int geometry = CAIRN_AFFINE; geometry <= CAIRN_HOMOGRAPHY; geometry++) {
		const cn_ransac_options options = { (cairn_geometry)geometry, 10, 1000, 1, 0 };
		double model[9];
		assert_true(wanted > 20 && run(&scene.pairs, &options, model, NULL) >= wanted);
		assert_true(scene_distance(model, scene_affine[1]) < 8);
	}
	scene_free(&scene);
}

static void numbers_that_are_none_are_outliers(void **state)
{
	static const float bad[] = { NAN, INFINITY, -INFINITY, 3e38f };
	const scene_shape shape = { 80, 0, 0.5, 13 };
	(void)state;
	for (int plain = 0; plain <= 1; plain++) {
		const cn_ransac_options options = { CAIRN_AFFINE, 10, 1000, 1, plain };
		uint32_t inliers[80];
		struct scene scene;
		double model[9];
		scene_new(&scene, scene_affine[1], &shape);
		for (size_t i = 0; i < 32; i++)
			scene.numbers[i / 8][i] = bad[i % 4];
		assert_int_equal(run(&scene.pairs, &options, model, inliers), 48);
		assert_int_equal(inliers[0], 32);
		scene_free(&scene);
	}
}

/* ---- repeatability ---- */

static void the_same_seed_gives_the_same_bytes(void **state)
{
	size_t different = 0;
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		const scene_shape shape = { 150, 0.6, 4, 7 };
		for (int how = 0; how < 4; how++) {
			const cn_ransac_options options = { (cairn_geometry)(how & 1), 10, 300, seed, how >> 1 };
			cn_ransac_options other = options;
			uint32_t first[150], again[150];
			double model[9], repeated[9];
			struct scene scene;
			scene_new(&scene, scene_affine[1], &shape);
			cn_kernels_force(CN_KERNELS_SCALAR);
			size_t count = run(&scene.pairs, &options, model, first);
			for (int level = CN_KERNELS_SCALAR; level <= CN_KERNELS_BEST; level++) {
				cn_kernels_force((cn_kernels)level);
				assert_int_equal(run(&scene.pairs, &options, repeated, again), count);
				assert_memory_equal(repeated, model, sizeof(model));
				assert_memory_equal(again, first, count * sizeof(*first));
			}
			other.seed += 1000;
			run(&scene.pairs, &other, repeated, again);
			different += memcmp(model, repeated, sizeof(model)) != 0;
			scene_free(&scene);
		}
	}
	assert_true(different > 20);
}

/* Ten million trials would take seconds; those that are needed at one half outliers take no time. */
static void trials_end_when_enough_were_made(void **state)
{
	static const cn_ransac_options options = { CAIRN_AFFINE, 10, 10000000, 1, 0 };
	const scene_shape shape = { 1000, 0.5, 1, 21 };
	struct scene scene;
	double model[9];
	(void)state;
	scene_new(&scene, scene_affine[1], &shape);
	clock_t start = clock();
	assert_true(run(&scene.pairs, &options, model, NULL) >= scene.true_count * 98 / 100);
	assert_true(clock() - start < CLOCKS_PER_SEC / 2);
	scene_free(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(maps_are_found_among_outliers),
		cmocka_unit_test(the_published_protocol_does_exactly_its_trials),
		cmocka_unit_test(degenerate_pairs),
		cmocka_unit_test(few_pairs),
		cmocka_unit_test(doubled_points_are_no_obstacle),
		cmocka_unit_test(numbers_that_are_none_are_outliers),
		cmocka_unit_test(the_same_seed_gives_the_same_bytes),
		cmocka_unit_test(trials_end_when_enough_were_made),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
