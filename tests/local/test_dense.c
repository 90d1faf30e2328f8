/*
 * Dense detectors against a plain look at every pixel's neighbourhood.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "local/dense.h"
#include "math/dispatch.h"
#include "support.h"

enum { DIM = 6 };

struct scene {
	cn_dense_maps maps;
	float *heat, *descriptors;
};

/* @param levels numbers that pixels can have, so that neighbours are equal now and then; 0: all different */
static struct scene scene_new(size_t width, size_t height, size_t across, size_t down, unsigned levels, uint64_t seed)
{
	struct scene scene = { .heat = malloc(width * height * sizeof(float)),
			       .descriptors = malloc(DIM * across * down * sizeof(float)) };
	for (size_t i = 0; i < width * height; i++)
		scene.heat[i] =
			levels ? (float)(cn_test_random(&seed) % levels) / (float)levels : cn_test_uniform(&seed);
	for (size_t i = 0; i < DIM * across * down; i++)
		scene.descriptors[i] = cn_test_normal(&seed);
	scene.maps = (cn_dense_maps){ width, height, scene.heat, { scene.descriptors, DIM, down, across } };
	return scene;
}

static void scene_free(struct scene *scene)
{
	free(scene->heat);
	free(scene->descriptors);
}

static int is_keypoint(const cn_dense_maps *maps, const cn_dense_rule *rule, long x, long y)
{
	long width = (long)maps->width, height = (long)maps->height, border = rule->border, radius = rule->radius;
	float own = maps->heat[y * width + x];
	if (!(own > rule->threshold) || x < border || y < border || x >= width - border || y >= height - border)
		return 0;
	for (long v = y - radius; v <= y + radius; v++)
		for (long u = x - radius; u <= x + radius; u++) {
			if (u < 0 || v < 0 || u >= width || v >= height || (u == x && v == y))
				continue;
			int is_before = v < y || (v == y && u < x);
			float other = maps->heat[v * width + u];
			if (other > own || (other == own && is_before))
				return 0;
		}
	return 1;
}

static double sample_plainly(const cn_dense_maps *maps, size_t channel, double x, double y)
{
	const cn_map *map = &maps->descriptors;
	double cx = (x + 0.5) * (double)map->width / (double)maps->width - 0.5;
	double cy = (y + 0.5) * (double)map->height / (double)maps->height - 0.5, sum = 0;
	cx = fmin(fmax(cx, 0), (double)map->width - 1);
	cy = fmin(fmax(cy, 0), (double)map->height - 1);
	for (size_t v = 0; v < map->height; v++)
		for (size_t u = 0; u < map->width; u++)
			sum += fmax(0, 1 - fabs(cx - (double)u)) * fmax(0, 1 - fabs(cy - (double)v)) *
			       (double)map->data[(channel * map->height + v) * map->width + u];
	return sum;
}

static void check_points(const cn_dense_maps *maps, const cn_dense_rule *rule, const cn_points *points)
{
	size_t expected = 0;
	for (size_t i = 0; i < maps->width * maps->height; i++)
		expected += (size_t)is_keypoint(maps, rule, (long)(i % maps->width), (long)(i / maps->width));
	assert_int_equal(points->count, expected < rule->max_points ? expected : rule->max_points);
	for (size_t i = 0; i < points->count; i++) {
		const cairn_keypoint *point = &points->keypoints[i], *before = point - 1;
		size_t x = (size_t)point->x, y = (size_t)point->y;
		double norm = 0, product = 0;
		assert_true(is_keypoint(maps, rule, (long)x, (long)y));
		assert_float_equal(point->score, maps->heat[y * maps->width + x], 0);
		if (i > 0)
			assert_true(before->score > point->score ||
				    (before->score == point->score &&
				     (before->y < point->y || (before->y == point->y && before->x < point->x))));
		for (size_t c = 0; c < DIM; c++) {
			double number = sample_plainly(maps, c, (double)x, (double)y);
			norm += number * number;
			product += number * (double)points->descriptors[i * DIM + c];
		}
		assert_float_equal(product / sqrt(norm), 1, 1e-5);
	}
}

static void against_the_plain_way(void **state)
{
	(void)state;
	static const struct {
		size_t width, height, across, down;
		unsigned levels;
		cn_dense_rule rule;
	} cases[] = {
		{ 64, 48, 8, 6, 0, { 0.5f, 4, 4, 1000 } }, { 61, 47, 8, 6, 0, { 0, 4, 0, 1000 } },
		{ 40, 30, 40, 30, 5, { 0, 1, 0, 1000 } },  { 40, 30, 10, 7, 3, { 0.2f, 3, 2, 1000 } },
		{ 1, 1, 1, 1, 0, { 0, 4, 0, 10 } },        { 5, 40, 1, 5, 4, { 0, 16, 1, 1000 } },
		{ 40, 5, 5, 1, 2, { 0.1f, 2, 1, 1000 } },  { 30, 30, 4, 4, 0, { 0, 0, 0, 100000 } },
		{ 50, 50, 7, 7, 0, { 0, 2, 0, 9 } },       { 8, 8, 1, 1, 0, { 0, 2, 4, 100 } },
		{ 33, 21, 5, 3, 1, { 0, 2, 0, 100 } },
	};
	cn_kernels best = cn_kernels_level();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scene scene = scene_new(cases[i].width, cases[i].height, cases[i].across, cases[i].down,
					       cases[i].levels, 11 + i);
		for (int level = CN_KERNELS_SCALAR; level <= (int)best; level++) {
			cn_points points = { 0 };
			cn_kernels_force((cn_kernels)level);
			assert_ok(cn_dense_decode(&scene.maps, &cases[i].rule, &points));
			check_points(&scene.maps, &cases[i].rule, &points);
			cn_points_free(&points);
		}
		cn_kernels_force(best);
		scene_free(&scene);
	}
}

static void a_plateau_gives_one_keypoint(void **state)
{
	(void)state;
	const cn_dense_rule rule = { 0.1f, 2, 0, 100 };
	struct scene scene = scene_new(30, 20, 4, 3, 1, 1);
	for (size_t i = 0; i < 600; i++)
		scene.heat[i] = 0.5f;
	cn_points points = { 0 };
	assert_ok(cn_dense_decode(&scene.maps, &rule, &points));
	assert_int_equal(points.count, 1);
	assert_float_equal(points.keypoints[0].x, 0, 0);
	assert_float_equal(points.keypoints[0].y, 0, 0);
	cn_points_free(&points);
	scene_free(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_the_plain_way),
		cmocka_unit_test(a_plateau_gives_one_keypoint),
	};
	return cmocka_run_group_tests_name("local/dense", tests, NULL, NULL);
}
