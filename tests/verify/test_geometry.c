/* Fitting, plausibility and counting against their definitions. */
#include <string.h>

#include "math/dispatch.h"
#include "scene.h"

static const uint32_t in_order[64] = { 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
				       16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
				       32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47,
				       48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63 };

static void check_exact(cairn_geometry geometry, const double map[9], size_t count, uint64_t seed)
{
	const scene_shape shape = { count, 0, 0, seed };
	struct scene scene;
	double model[9];
	scene_new(&scene, map, &shape);
	assert_int_equal(cn_model_fit(geometry, &scene.pairs, in_order, count, model), 1);
	for (size_t i = 0; i < count; i++)
		assert_true(scene_residual(&scene.pairs, model, i) < 1e-3);
	if (geometry == CAIRN_AFFINE)
		assert_memory_equal(model + 6, ((double[]){ 0, 0, 1 }), 3 * sizeof(double));
	scene_free(&scene);
}

static void pairs_without_noise_give_their_map(void **state)
{
	(void)state;
	assert_int_equal(cn_model_pairs(CAIRN_AFFINE), 3);
	assert_int_equal(cn_model_pairs(CAIRN_HOMOGRAPHY), 4);
	for (uint64_t seed = 1; seed <= 20; seed++) {
		for (size_t k = 0; k < 4; k++)
			for (size_t count = 3; count <= 48; count *= 4)
				check_exact(CAIRN_AFFINE, scene_affine[k], count, seed);
		for (size_t k = 0; k < 3; k++)
			for (size_t count = 4; count <= 64; count *= 4)
				check_exact(CAIRN_HOMOGRAPHY, scene_homography[k], count, seed);
	}
}

/* At the least sum of squares the residuals are orthogonal to every column of the equations. */
static void affine_fit_has_least_squares(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		const scene_shape shape = { 40, 0.2, 5, seed };
		struct scene scene;
		double model[9], along[2][3] = { { 0 } };
		scene_new(&scene, scene_affine[seed % 4], &shape);
		assert_int_equal(cn_model_fit(CAIRN_AFFINE, &scene.pairs, in_order, 40, model), 1);
		for (size_t i = 0; i < 40; i++) {
			double x = (double)scene.pairs.ax[i], y = (double)scene.pairs.ay[i], u, v;
			scene_map(model, x, y, &u, &v);
			const double off[2] = { u - (double)scene.pairs.bx[i], v - (double)scene.pairs.by[i] };
			for (int axis = 0; axis < 2; axis++) {
				along[axis][0] += off[axis] * x;
				along[axis][1] += off[axis] * y;
				along[axis][2] += off[axis];
			}
		}
		for (int axis = 0; axis < 2; axis++)
			for (int column = 0; column < 3; column++)
				assert_true(fabs(along[axis][column]) < 1e-5);
		scene_free(&scene);
	}
}

/* Hartley's normalisation of one image: centre, and factor that makes sqrt(2) of the mean distance from it. */
static void normalisation(const float *x, const float *y, size_t count, double frame[3])
{
	double distance = 0;
	frame[0] = frame[1] = 0;
	for (size_t i = 0; i < count; i++) {
		frame[0] += (double)x[i] / (double)count;
		frame[1] += (double)y[i] / (double)count;
	}
	for (size_t i = 0; i < count; i++)
		distance += hypot((double)x[i] - frame[0], (double)y[i] - frame[1]);
	frame[2] = sqrt(2) * (double)count / distance;
}

/* The sum of squares that the fit makes least: u (h6 x + h7 y + 1) - (h0 x + h1 y + h2), and likewise v. */
static double algebraic_error(const cn_pairs *pairs, const double a[3], const double b[3], const double h[9])
{
	double sum = 0;
	for (size_t i = 0; i < pairs->count; i++) {
		double x = ((double)pairs->ax[i] - a[0]) * a[2], y = ((double)pairs->ay[i] - a[1]) * a[2];
		double u = ((double)pairs->bx[i] - b[0]) * b[2], v = ((double)pairs->by[i] - b[1]) * b[2];
		double w = h[6] * x + h[7] * y + h[8];
		double p = u * w - (h[0] * x + h[1] * y + h[2]), q = v * w - (h[3] * x + h[4] * y + h[5]);
		sum += p * p + q * q;
	}
	return sum;
}

/* The model between normalised images: scale_b (model - centre_b) at x / scale_a + centre_a. */
static void normalised(const double model[9], const double a[3], const double b[3], double h[9])
{
	double m[9];
	for (int r = 0; r < 3; r++) {
		m[3 * r] = model[3 * r] / a[2];
		m[3 * r + 1] = model[3 * r + 1] / a[2];
		m[3 * r + 2] = model[3 * r] * a[0] + model[3 * r + 1] * a[1] + model[3 * r + 2];
	}
	for (int c = 0; c < 3; c++) {
		h[c] = b[2] * (m[c] - b[0] * m[6 + c]);
		h[3 + c] = b[2] * (m[3 + c] - b[1] * m[6 + c]);
		h[6 + c] = m[6 + c];
	}
	for (int i = 0; i < 9; i++)
		h[i] /= m[8];
}

static void homography_fit_has_least_squares(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		const scene_shape shape = { 40, 0, 3, seed };
		struct scene scene;
		double model[9], a[3], b[3], h[9];
		scene_new(&scene, scene_homography[seed % 3], &shape);
		assert_int_equal(cn_model_fit(CAIRN_HOMOGRAPHY, &scene.pairs, in_order, 40, model), 1);
		normalisation(scene.pairs.ax, scene.pairs.ay, 40, a);
		normalisation(scene.pairs.bx, scene.pairs.by, 40, b);
		normalised(model, a, b, h);
		double least = algebraic_error(&scene.pairs, a, b, h);
		for (int i = 0; i < 16; i++) {
			double moved[9];
			memcpy(moved, h, sizeof(moved));
			moved[i / 2] += i & 1 ? 1e-5 : -1e-5;
			assert_true(algebraic_error(&scene.pairs, a, b, moved) > least);
		}
		scene_free(&scene);
	}
}

static void pairs_that_determine_nothing(void **state)
{
	static const struct {
		const char *what;
		float ax[4], ay[4], bx[4], by[4];
		size_t count;
		int affine, homography;
	} cases[] = {
		{ "a square", { 0, 9, 9, 0 }, { 0, 0, 9, 9 }, { 0, 9, 9, 0 }, { 0, 0, 9, 9 }, 4, 1, 1 },
		{ "too few", { 0, 9 }, { 0, 0 }, { 0, 9 }, { 0, 0 }, 2, 0, 0 },
		{ "three", { 0, 9, 9 }, { 0, 0, 9 }, { 0, 9, 9 }, { 0, 0, 9 }, 3, 1, 0 },
		{ "none", { 0 }, { 0 }, { 0 }, { 0 }, 0, 0, 0 },
		{ "a on a line", { 1, 2, 3, 4 }, { 2, 4, 6, 8 }, { 0, 9, 9, 0 }, { 0, 0, 9, 9 }, 4, 0, 0 },
		{ "both on a line", { 1, 2, 3, 4 }, { 2, 4, 6, 8 }, { 3, 6, 9, 12 }, { 5, 5, 5, 5 }, 4, 0, 0 },
		{ "a in one place", { 7, 7, 7, 7 }, { 8, 8, 8, 8 }, { 0, 9, 9, 0 }, { 0, 0, 9, 9 }, 4, 0, 0 },
		{ "b in one place", { 0, 9, 9, 0 }, { 0, 0, 9, 9 }, { 7, 7, 7, 7 }, { 8, 8, 8, 8 }, 4, 0, 0 },
		{ "not a number", { NAN, 9, 9, 0 }, { 0, 0, 9, 9 }, { 0, 9, 9, 0 }, { 0, 0, 9, 9 }, 4, 0, 0 },
		{ "infinite", { 0, 9, 9, 0 }, { 0, 0, 9, 9 }, { 0, 9, 9, 0 }, { 0, 0, INFINITY, 9 }, 4, 0, 0 },
		{ "far away", { 0, 1e30f, 1e30f, 0 }, { 0, 0, 1e30f, 1e30f }, { 0, 9, 9, 0 }, { 0, 0, 9, 9 }, 4, 1, 1 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const cn_pairs pairs = { cases[i].ax, cases[i].ay, cases[i].bx, cases[i].by, cases[i].count };
		double model[9];
		if (cn_model_fit(CAIRN_AFFINE, &pairs, in_order, cases[i].count, model) != cases[i].affine ||
		    cn_model_fit(CAIRN_HOMOGRAPHY, &pairs, in_order, cases[i].count, model) != cases[i].homography)
			fail_msg("%s", cases[i].what);
	}
}

static void plausible_maps(void **state)
{
	static const struct {
		cairn_geometry geometry;
		double model[9];
		int wanted;
	} cases[] = {
		{ CAIRN_AFFINE, { 1, 0, 5, 0, 1, 5, 0, 0, 1 }, 1 },
		{ CAIRN_AFFINE, { 0, -1, 0, 1, 0, 0, 0, 0, 1 }, 1 }, /* a quarter turn */
		{ CAIRN_AFFINE, { -1, 0, 0, 0, 1, 0, 0, 0, 1 }, 0 }, /* mirrored */
		{ CAIRN_AFFINE, { 11.9, 0, 0, 0, 11.9, 0, 0, 0, 1 }, 1 },
		{ CAIRN_AFFINE, { 12.1, 0, 0, 0, 12.1, 0, 0, 0, 1 }, 0 },
		{ CAIRN_AFFINE, { 1 / 11.9, 0, 0, 0, 1 / 11.9, 0, 0, 0, 1 }, 1 },
		{ CAIRN_AFFINE, { 1 / 12.1, 0, 0, 0, 1 / 12.1, 0, 0, 0, 1 }, 0 },
		{ CAIRN_AFFINE, { 5.9, 0, 0, 0, 1, 0, 0, 0, 1 }, 1 },
		{ CAIRN_AFFINE, { 6.1, 0, 0, 0, 1, 0, 0, 0, 1 }, 0 },
		{ CAIRN_AFFINE, { 1, 2, 0, 0, 1, 0, 0, 0, 1 }, 1 }, /* shear: singular values 2.41 and 0.41 */
		{ CAIRN_AFFINE, { 1, 2.5, 0, 0, 1, 0, 0, 0, 1 }, 0 },
		{ CAIRN_AFFINE, { 1, 2, 0, 2, 4, 0, 0, 0, 1 }, 0 }, /* onto a line */
		{ CAIRN_AFFINE, { 0, 0, 9, 0, 0, 9, 0, 0, 1 }, 0 }, /* onto a point */
		{ CAIRN_AFFINE, { NAN, 0, 0, 0, 1, 0, 0, 0, 1 }, 0 },
		{ CAIRN_HOMOGRAPHY, { 1, 0, 5, 0, 1, 5, 0, 0, 1 }, 1 },
		{ CAIRN_HOMOGRAPHY, { 1, 0, 5, 0, 1, 5, 0, -0.011, 1 }, 0 }, /* (50, 100) behind the camera */
		{ CAIRN_HOMOGRAPHY, { 1, 0, 5, 0, 1, 5, 0.004, -0.002, 1 }, 1 },
		{ CAIRN_HOMOGRAPHY, { -1, 0, 5, 0, 1, 5, 0, 0, 1 }, 0 },
		{ CAIRN_HOMOGRAPHY, { 0.1, 0, 0, 0, 0.1, 0, 0, 0, 2 }, 0 }, /* scale 0.05 */
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (cn_model_is_plausible(cases[i].geometry, cases[i].model, 50, 100) != cases[i].wanted)
			fail_msg("case %zu", i);
}

static void check_counts(cairn_geometry geometry, const double map[9], const scene_shape *shape)
{
	struct scene scene;
	uint32_t *inliers = malloc(shape->count * sizeof(*inliers));
	scene_new(&scene, map, shape);
	for (float radius = 0.5f; radius < 100; radius *= 3) {
		/* Sums in float are off by some thousandths of a pixel. */
		size_t least = scene_count(&scene.pairs, map, (double)radius - 0.005);
		size_t most = scene_count(&scene.pairs, map, (double)radius + 0.005), first = 0;
		for (int level = CN_KERNELS_SCALAR; level <= CN_KERNELS_BEST; level++) {
			cn_kernels_force((cn_kernels)level);
			size_t count = cn_model_count(geometry, map, &scene.pairs, radius);
			assert_in_range(count, least, most);
			first = level ? first : count;
			assert_int_equal(count, first);
			assert_int_equal(cn_model_inliers(geometry, map, &scene.pairs, radius, inliers), count);
			for (size_t i = 0; i < count; i++) {
				assert_true(scene_residual(&scene.pairs, map, inliers[i]) < (double)radius + 0.005);
				assert_true(i == 0 || inliers[i] > inliers[i - 1]);
			}
		}
	}
	scene_free(&scene);
	free(inliers);
}

static void counts_are_those_of_the_definition(void **state)
{
	(void)state;
	for (size_t count = 0; count <= 70; count++) {
		const scene_shape shape = { count, 0.5, 6, count };
		check_counts(CAIRN_AFFINE, scene_affine[count % 4], &shape);
		check_counts(CAIRN_HOMOGRAPHY, scene_homography[count % 3], &shape);
	}
	const scene_shape shape = { 2000, 0.3, 8, 5 };
	check_counts(CAIRN_AFFINE, scene_affine[1], &shape);
	check_counts(CAIRN_HOMOGRAPHY, scene_homography[1], &shape);
}

/* Numbers that are none agree with nothing, and neither does what lies behind the camera. */
static void what_cannot_be_an_inlier(void **state)
{
	enum { COUNT = 20 };
	static const double identity[9] = { 1, 0, 0, 0, 1, 0, 0, 0, 1 }, behind[9] = { -1, 0, 0, 0, -1, 0, 0, 0, -1 };
	static const float bad[] = { NAN, INFINITY, -INFINITY, 3e38f };
	float numbers[4][COUNT] = { { 0 } };
	uint32_t inliers[COUNT];
	(void)state;
	for (size_t i = 0; i < 16; i++)
		numbers[i / 4][i] = bad[i % 4];
	/* The last four pairs are in order. */
	const cn_pairs pairs = { numbers[0], numbers[1], numbers[2], numbers[3], COUNT };
	for (int level = CN_KERNELS_SCALAR; level <= CN_KERNELS_BEST; level++) {
		cn_kernels_force((cn_kernels)level);
		for (int geometry = CAIRN_AFFINE; geometry <= CAIRN_HOMOGRAPHY; geometry++) {
			assert_int_equal(cn_model_count((cairn_geometry)geometry, identity, &pairs, 10), 4);
			assert_int_equal(cn_model_inliers((cairn_geometry)geometry, identity, &pairs, 10, inliers), 4);
			assert_int_equal(inliers[0], 16);
		}
		assert_int_equal(cn_model_count(CAIRN_HOMOGRAPHY, behind, &pairs, 10), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pairs_without_noise_give_their_map),
		cmocka_unit_test(affine_fit_has_least_squares),
		cmocka_unit_test(homography_fit_has_least_squares),
		cmocka_unit_test(pairs_that_determine_nothing),
		cmocka_unit_test(plausible_maps),
		cmocka_unit_test(counts_are_those_of_the_definition),
		cmocka_unit_test(what_cannot_be_an_inlier),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
