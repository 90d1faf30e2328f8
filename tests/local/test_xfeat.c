/*
 * XFeat's decoding against a dense reference that computes every probability and looks at every pixel.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "local/xfeat.h"
#include "math/dispatch.h"
#include "support.h"

#define DIM 16

struct scene {
	cn_xfeat_maps maps;
	float *descriptors, *logits, *reliability;
};

static float *random_map(size_t count, float scale, uint64_t *seed)
{
	float *map = malloc(count * sizeof(*map));
	for (size_t i = 0; i < count; i++)
		map[i] = scale * cn_test_normal(seed);
	return map;
}

static struct scene scene_new(size_t width, size_t height, float spread, uint64_t seed)
{
	size_t cells = width * height;
	struct scene scene = {
		.descriptors = random_map(DIM * cells, 1, &seed),
		.logits = random_map(65 * cells, spread, &seed),
		.reliability = random_map(cells, 1, &seed),
	};
	for (size_t i = 0; i < cells; i++)
		scene.reliability[i] = 1.0f / (1.0f + expf(-scene.reliability[i]));
	scene.maps = (cn_xfeat_maps){ width, height, DIM, scene.descriptors, scene.logits, scene.reliability };
	return scene;
}

static void scene_free(struct scene *scene)
{
	free(scene->descriptors);
	free(scene->logits);
	free(scene->reliability);
}

static double probability(const cn_xfeat_maps *maps, size_t x, size_t y)
{
	size_t plane = maps->width * maps->height, cell = (y / 8) * maps->width + x / 8;
	double sum = 0;
	for (size_t c = 0; c < 65; c++)
		sum += exp((double)maps->logits[c * plane + cell]);
	return exp((double)maps->logits[(y % 8 * 8 + x % 8) * plane + cell]) / sum;
}

static double bilinear(const float *plane, size_t width, size_t height, double x, double y)
{
	double cx = fmin(fmax((x + 0.5) / 8 - 0.5, 0), (double)width - 1);
	double cy = fmin(fmax((y + 0.5) / 8 - 0.5, 0), (double)height - 1);
	size_t x0 = (size_t)cx, y0 = (size_t)cy, x1 = x0 + 1 < width ? x0 + 1 : x0, y1 = y0 + 1 < height ? y0 + 1 : y0;
	double fx = cx - (double)x0, fy = cy - (double)y0;
	return (1 - fy) * ((1 - fx) * (double)plane[y0 * width + x0] + fx * (double)plane[y0 * width + x1]) +
	       fy * ((1 - fx) * (double)plane[y1 * width + x0] + fx * (double)plane[y1 * width + x1]);
}

/* 1 if (x, y) is a keypoint by definition: above the threshold and nowhere exceeded in 5 x 5. */
static int is_keypoint(const cn_xfeat_maps *maps, size_t x, size_t y, double threshold)
{
	double own = probability(maps, x, y);
	if (own <= threshold)
		return 0;
	for (long v = (long)y - 2; v <= (long)y + 2; v++)
		for (long u = (long)x - 2; u <= (long)x + 2; u++)
			if (u >= 0 && v >= 0 && u < (long)maps->width * 8 && v < (long)maps->height * 8 &&
			    probability(maps, (size_t)u, (size_t)v) > own)
				return 0;
	return 1;
}

static void check_against_reference(const struct scene *scene, const cn_points *points, double threshold)
{
	const cn_xfeat_maps *maps = &scene->maps;
	size_t expected = 0, plane = maps->width * maps->height;
	for (size_t y = 0; y < maps->height * 8; y++)
		for (size_t x = 0; x < maps->width * 8; x++)
			expected += (size_t)is_keypoint(maps, x, y, threshold);
	assert_int_equal(points->count, expected);
	for (size_t i = 0; i < points->count; i++) {
		const cairn_keypoint *point = &points->keypoints[i];
		size_t x = (size_t)point->x, y = (size_t)point->y;
		assert_true(is_keypoint(maps, x, y, threshold));
		assert_float_equal(point->score,
				   probability(maps, x, y) *
					   bilinear(maps->reliability, maps->width, maps->height, (double)x, (double)y),
				   1e-5);
		assert_true(i == 0 || points->keypoints[i - 1].score >= point->score);
		double norm = 0, dot = 0;
		for (size_t c = 0; c < DIM; c++) {
			double value = bilinear(maps->descriptors + c * plane, maps->width, maps->height, (double)x,
						(double)y);
			norm += value * value;
			dot += value * (double)points->descriptors[i * DIM + c];
		}
		assert_float_equal(dot / sqrt(norm), 1.0, 1e-5);
	}
}

static void test_against_reference(void **state)
{
	(void)state;
	static const struct {
		size_t width, height;
		float spread, threshold;
	} cases[] = {
		{ 1, 1, 2, 0.05f }, { 5, 3, 2, 0.05f }, { 17, 4, 3, 0.02f }, { 20, 15, 1, 0.05f }, { 3, 40, 4, 0.2f }
	};
	cn_kernels best = cn_kernels_level();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scene scene = scene_new(cases[i].width, cases[i].height, cases[i].spread, 7 + i);
		for (int level = CN_KERNELS_SCALAR; level <= (int)best; level++) {
			cn_points points = { 0 };
			cn_kernels_force((cn_kernels)level);
			assert_ok(cn_xfeat_decode(&scene.maps, cases[i].threshold, 1000000, &points));
			check_against_reference(&scene, &points, (double)cases[i].threshold);
			cn_points_free(&points);
		}
		cn_kernels_force(best);
		scene_free(&scene);
	}
}

static void test_every_kernel_gives_the_same_bytes(void **state)
{
	(void)state;
	struct scene scene = scene_new(33, 21, 2.5f, 99);
	cn_points first = { 0 };
	cn_kernels best = cn_kernels_level();
	for (int level = CN_KERNELS_SCALAR; level <= (int)best; level++) {
		cn_points points = { 0 };
		cn_kernels_force((cn_kernels)level);
		assert_ok(cn_xfeat_decode(&scene.maps, 0.05f, 500, &points));
		if (level == CN_KERNELS_SCALAR) {
			first = points;
			continue;
		}
		assert_int_equal(points.count, first.count);
		for (size_t i = 0; i < points.count; i++) {
			assert_float_equal(points.keypoints[i].x, first.keypoints[i].x, 0);
			assert_float_equal(points.keypoints[i].y, first.keypoints[i].y, 0);
			assert_float_equal(points.keypoints[i].score, first.keypoints[i].score, 0);
		}
		cn_points_free(&points);
	}
	cn_kernels_force(best);
	cn_points_free(&first);
	scene_free(&scene);
}

static void test_keeps_the_best(void **state)
{
	(void)state;
	struct scene scene = scene_new(12, 9, 3, 5);
	cn_points all = { 0 }, few = { 0 };
	assert_ok(cn_xfeat_decode(&scene.maps, 0.05f, 100000, &all));
	assert_ok(cn_xfeat_decode(&scene.maps, 0.05f, 20, &few));
	assert_true(all.count > 20);
	assert_int_equal(few.count, 20);
	assert_memory_equal(few.keypoints, all.keypoints, 20 * sizeof(*few.keypoints));
	cn_points_free(&all);
	cn_points_free(&few);
	scene_free(&scene);
}

static void test_a_plateau_gives_one_keypoint(void **state)
{
	(void)state;
	struct scene scene = scene_new(2, 1, 0, 1);
	/* Two neighbouring pixels of equal, overwhelming probability in the first cell. */
	scene.logits[(3 * 8 + 3) * 2] = 20;
	scene.logits[(3 * 8 + 4) * 2] = 20;
	cn_points points = { 0 };
	assert_ok(cn_xfeat_decode(&scene.maps, 0.05f, 10, &points));
	assert_int_equal(points.count, 1);
	assert_float_equal(points.keypoints[0].x, 3, 0);
	assert_float_equal(points.keypoints[0].y, 3, 0);
	cn_points_free(&points);
	scene_free(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_reference),
		cmocka_unit_test(test_every_kernel_gives_the_same_bytes),
		cmocka_unit_test(test_keeps_the_best),
		cmocka_unit_test(test_a_plateau_gives_one_keypoint),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
