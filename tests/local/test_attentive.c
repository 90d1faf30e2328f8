/*
 * Attentive features against a plain way: all positions of all scales in one list, sorted, chosen one by one.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "local/attentive.h"
#include "support.h"

enum { SCALES = 3, DIM = 5, MOST = 600, WIDTH = 200, HEIGHT = 150 };

struct scene {
	cn_attentive_scale scales[SCALES];
	cn_map maps[SCALES];
	float *numbers[SCALES], *attention[SCALES];
	int has_attention;
};

/* Attention of few levels, so that many are equal; one descriptor in ten is zero. */
static struct scene scene_new(uint64_t seed, int has_attention)
{
	static const size_t sides[SCALES][2] = { { 4, 6 }, { 9, 7 }, { 15, 20 } };
	struct scene scene = { .has_attention = has_attention };
	for (size_t i = 0; i < SCALES; i++) {
		size_t height = sides[i][0], width = sides[i][1], positions = height * width;
		float *numbers = malloc(DIM * positions * sizeof(*numbers));
		float *attention = malloc(positions * sizeof(*attention));
		for (size_t k = 0; k < positions; k++) {
			int is_zero = cn_test_random(&seed) % 10 == 0;
			attention[k] = (float)(cn_test_random(&seed) % 16) - 4;
			for (size_t c = 0; c < DIM; c++)
				numbers[c * positions + k] = is_zero ? 0 : cn_test_normal(&seed);
		}
		scene.numbers[i] = numbers;
		scene.attention[i] = attention;
		scene.maps[i] = (cn_map){ numbers, DIM, height, width };
		scene.scales[i] = (cn_attentive_scale){
			.field = { { 31, 33 }, { 8, 9 }, { 14, 15 } },
			.step = { (double)HEIGHT / (double)(8 * height), (double)WIDTH / (double)(9 * width) },
		};
	}
	return scene;
}

static void scene_free(struct scene *scene)
{
	for (size_t i = 0; i < SCALES; i++) {
		free(scene->numbers[i]);
		free(scene->attention[i]);
	}
}

static int find(const struct scene *scene, const cn_attentive_rule *rule, cn_points *points)
{
	cn_attentive gathered;
	int status = 0;
	cn_attentive_start(&gathered, scene->scales, SCALES, rule);
	for (size_t i = 0; status == 0 && i < SCALES; i++)
		status =
			cn_attentive_add(&gathered, &scene->maps[i], scene->has_attention ? scene->attention[i] : NULL);
	if (status == 0)
		status = cn_attentive_choose(&gathered, WIDTH, HEIGHT, points);
	cn_attentive_free(&gathered);
	return status;
}

/* ---- the plain way ---- */

struct feature {
	double attention, low[2], high[2], descriptor[DIM];
};

static size_t list_plainly(const struct scene *scene, const cn_attentive_rule *rule, struct feature *features)
{
	size_t count = 0;
	for (size_t i = 0; i < SCALES; i++) {
		const cn_attentive_scale *scale = &scene->scales[i];
		const cn_map *map = &scene->maps[i];
		size_t width = map->width, positions = cn_map_positions(map);
		for (size_t k = 0; k < positions; k++) {
			struct feature *feature = &features[count];
			const size_t place[2] = { k / width, k % width };
			double square = 0;
			for (size_t c = 0; c < DIM; c++) {
				feature->descriptor[c] = (double)map->data[c * positions + k];
				square += feature->descriptor[c] * feature->descriptor[c];
			}
			for (size_t c = 0; c < DIM; c++)
				feature->descriptor[c] /= sqrt(square);
			feature->attention = scene->has_attention ? (double)scene->attention[i][k] : sqrt(square);
			/* Pixel i reaches from i to i + 1 where the image's edge is 0. */
			for (size_t a = 0; a < 2; a++) {
				double first =
					(double)scale->field.stride[a] * (double)place[a] - (double)scale->field.pad[a];
				feature->low[a] = first * scale->step[a];
				feature->high[a] = (first + (double)scale->field.size[a]) * scale->step[a];
			}
			if (square > 0 && feature->attention >= (double)rule->threshold)
				count++;
		}
	}
	return count;
}

static double overlap_plainly(const struct feature *a, const struct feature *b)
{
	double sides[2], shared, all = 0;
	for (int i = 0; i < 2; i++)
		sides[i] = fmin(a->high[i], b->high[i]) - fmax(a->low[i], b->low[i]);
	shared = sides[0] > 0 && sides[1] > 0 ? sides[0] * sides[1] : 0;
	all += (a->high[0] - a->low[0]) * (a->high[1] - a->low[1]);
	all += (b->high[0] - b->low[0]) * (b->high[1] - b->low[1]);
	return shared / (all - shared);
}

/* The best that is left, and all that it overlaps, until nothing is left. */
static size_t choose_plainly(struct feature *features, size_t count, const cn_attentive_rule *rule,
			     struct feature *chosen)
{
	size_t kept = 0;
	uint8_t gone[MOST] = { 0 };
	for (;;) {
		size_t best = count;
		for (size_t i = 0; i < count; i++)
			if (!gone[i] && (best == count || features[i].attention > features[best].attention))
				best = i;
		if (best == count || kept == rule->max_points)
			return kept;
		chosen[kept++] = features[best];
		for (size_t i = 0; i < count; i++)
			gone[i] |= i == best || overlap_plainly(&features[i], &features[best]) > (double)rule->iou;
	}
}

static void assert_same(const cn_points *points, const struct feature *chosen, size_t count)
{
	assert_int_equal(points->count, count);
	assert_int_equal(points->dim, DIM);
	for (size_t i = 0; i < count; i++) {
		const cairn_keypoint *point = &points->keypoints[i];
		const struct feature *feature = &chosen[i];
		double y = (feature->low[0] + feature->high[0]) / 2 - 0.5;
		double x = (feature->low[1] + feature->high[1]) / 2 - 0.5;
		double area = (feature->high[0] - feature->low[0]) * (feature->high[1] - feature->low[1]);
		assert_float_equal(point->score, feature->attention, 1e-5);
		assert_float_equal(point->x, fmin(fmax(x, 0), WIDTH - 1), 1e-3);
		assert_float_equal(point->y, fmin(fmax(y, 0), HEIGHT - 1), 1e-3);
		assert_float_equal(point->scale, sqrt(area) / 2, 1e-3);
		for (size_t c = 0; c < DIM; c++)
			assert_float_equal(points->descriptors[i * DIM + c], feature->descriptor[c], 1e-6);
	}
}

static void against_the_plain_way(void **state)
{
	(void)state;
	static const cn_attentive_rule rules[] = {
		{ -100, 1, 100000 },
		{ 0, 1, 50 },
		{ 3, 1, 7 },
		{ 2, 0.5f, 100000 },
		{ -100, 0.3f, 25 },
		{ 1, 0.9f, 100 },
		{ 0, 0, 1000 },
		{ 100, 1, 1000 },
		{ 0, 1, 1 },
		/* Some scales can drop features of others, and some cannot. */
		{ -100, 0.1f, 1000 },
		{ 0, 0.2f, 40 },
		{ -2, 0.35f, 30 },
		{ -100, 0.25f, 60 },
	};
	static struct feature features[MOST], chosen[MOST];
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		for (int has_attention = 0; has_attention < 2; has_attention++) {
			struct scene scene = scene_new(i + 3, has_attention);
			cn_points points = { 0 };
			size_t count = list_plainly(&scene, &rules[i], features);
			count = choose_plainly(features, count, &rules[i], chosen);
			assert_ok(find(&scene, &rules[i], &points));
			assert_same(&points, chosen, count);
			cn_points_free(&points);
			scene_free(&scene);
		}
}

/* The constants of DELF's fourth block at half the size: position 3 is in the middle of pixels -49 to 241. */
static void places_are_middles_of_boxes(void **state)
{
	(void)state;
	const float numbers[4] = { 0, 0, 0, 1 };
	const cn_map map = { numbers, 1, 1, 4 };
	const cn_attentive_scale scale = { .field = { { 291, 291 }, { 32, 32 }, { 145, 145 } }, .step = { 2, 2 } };
	const cn_attentive_rule rule = { 0, 1, 10 };
	cn_attentive gathered;
	cn_points points;
	cn_attentive_start(&gathered, &scale, 1, &rule);
	assert_ok(cn_attentive_add(&gathered, &map, NULL));
	assert_ok(cn_attentive_choose(&gathered, 1000, 1000, &points));
	assert_int_equal(points.count, 1);
	assert_float_equal(points.keypoints[0].x, (96 + 0.5) * 2 - 0.5, 1e-4);
	assert_float_equal(points.keypoints[0].y, 0.5, 1e-4);
	assert_float_equal(points.keypoints[0].scale, 291, 1e-4);
	cn_points_free(&points);
	cn_attentive_free(&gathered);
}

static void the_largest_numbers_do_no_harm(void **state)
{
	(void)state;
	const float numbers[4] = { 3e38f, -3e38f, 1e-38f, 3e38f };
	const cn_map map = { numbers, 2, 1, 2 };
	const cn_attentive_scale scale = { .field = { { INT32_MAX, INT32_MAX }, { INT32_MAX, INT32_MAX }, { 0, 0 } },
					   .step = { 20, 20 } };
	const cn_attentive_rule rule = { 0, 0.5f, 10 };
	cn_attentive gathered;
	cn_points points;
	cn_attentive_start(&gathered, &scale, 1, &rule);
	assert_ok(cn_attentive_add(&gathered, &map, NULL));
	assert_ok(cn_attentive_choose(&gathered, 10, 10, &points));
	assert_int_equal(points.count, 2);
	for (size_t i = 0; i < 2; i++) {
		const cairn_keypoint *point = &points.keypoints[i];
		assert_true(point->x >= 0 && point->x <= 9 && point->y >= 0 && point->y <= 9);
		assert_true(isfinite(point->scale) && isfinite(point->score));
		assert_float_equal(hypot((double)points.descriptors[2 * i], (double)points.descriptors[2 * i + 1]), 1,
				   1e-5);
	}
	cn_points_free(&points);
	cn_attentive_free(&gathered);
}

/* Three scales whose sides differ by the root of 2: boxes overlap by 1/2 at most, and by 1/4 with one between. */
static void only_what_may_be_chosen_is_held(void **state)
{
	(void)state;
	static const struct {
		float iou;
		size_t held[SCALES];
	} cases[] = {
		{ 0.8f, { 9, 18, 27 } },
		{ 1, { 9, 18, 27 } },
		/* Neighbours may drop each other's, and so does everything hang together until the last has come. */
		{ 0.4f, { 40, 120, 9 } },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const cn_attentive_rule rule = { -1, cases[i].iou, 9 };
		cn_attentive_scale scales[SCALES];
		float numbers[DIM * 160];
		cn_attentive gathered;
		for (size_t k = 0; k < DIM * 160; k++)
			numbers[k] = (float)(k % 97 + 1);
		for (size_t k = 0; k < SCALES; k++) {
			double step = 4 / pow(2, (double)k / 2);
			scales[k] = (cn_attentive_scale){ { { 9, 9 }, { 8, 8 }, { 0, 0 } }, { step, step } };
		}
		cn_attentive_start(&gathered, scales, SCALES, &rule);
		for (size_t k = 0; k < SCALES; k++) {
			const cn_map map = { numbers, DIM, 5, (size_t)8 << k };
			assert_ok(cn_attentive_add(&gathered, &map, NULL));
			assert_int_equal(cn_attentive_held(&gathered), cases[i].held[k]);
		}
		cn_attentive_free(&gathered);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_the_plain_way),
		cmocka_unit_test(places_are_middles_of_boxes),
		cmocka_unit_test(the_largest_numbers_do_no_harm),
		cmocka_unit_test(only_what_may_be_chosen_is_held),
	};
	return cmocka_run_group_tests_name("local/attentive", tests, NULL, NULL);
}
