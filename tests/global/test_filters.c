/*
 * Filters of feature maps by hand, and against plain loops in double precision.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "global/filters.h"
#include "support.h"
#include "torture.h"

enum { CHANNELS = 3 };

static const size_t sizes[][2] = {
	{ 1, 1 }, { 1, 2 }, { 2, 1 }, { 2, 2 }, { 3, 1 }, { 2, 5 }, { 3, 3 }, { 4, 7 }, { 9, 5 }, { 17, 23 },
};

static float *numbers_new(size_t count, uint64_t seed)
{
	float *numbers = malloc(count * sizeof(*numbers));
	for (size_t i = 0; i < count; i++)
		numbers[i] = 4 * cn_test_uniform(&seed) - 1;
	return numbers;
}

/* ---- the plain way ---- */

/* Reflected at the edges, again and again where the map is smaller than the window; edges are not repeated. */
static size_t reflected(long at, size_t count)
{
	while (at < 0 || at >= (long)count) {
		if (count == 1)
			return 0;
		at = at < 0 ? -at : 2 * ((long)count - 1) - at;
	}
	return (size_t)at;
}

static double windowed_plainly(const double *channel, size_t height, size_t width, size_t y, size_t x, long size,
			       double p)
{
	double sum = 0;
	for (long v = -(size / 2); v <= size / 2; v++)
		for (long u = -(size / 2); u <= size / 2; u++) {
			size_t row = reflected((long)y + v, height), column = reflected((long)x + u, width);
			sum += pow(fmax(channel[row * width + column], 0), p);
		}
	return pow(sum / (double)(size * size), 1 / p);
}

static void filter_plainly(const cn_filters *filters, const cn_map *map, const float *attention, double *out)
{
	size_t positions = map->height * map->width;
	double *weighed = malloc(positions * sizeof(*weighed));
	for (size_t c = 0; c < map->channels; c++) {
		for (size_t i = 0; i < positions; i++) {
			double x = (double)map->data[c * positions + i];
			if (filters->attention == CN_ATTENTION_RESIDUAL)
				x *= 1 + (double)attention[i];
			if (filters->attention == CN_ATTENTION_WEIGHT)
				x *= (double)attention[i];
			if (filters->has_floor)
				x = fmax(x, (double)filters->floor);
			weighed[i] = out[c * positions + i] = x;
		}
		double w = (double)filters->regional_weight;
		for (size_t i = 0; i < positions && filters->regional_size; i++)
			out[c * positions + i] =
				(1 - w) * weighed[i] +
				w * windowed_plainly(weighed, map->height, map->width, i / map->width, i % map->width,
						     filters->regional_size, (double)filters->regional_p);
	}
	free(weighed);
}

static void filters_equal_plain_loops(void **state)
{
	(void)state;
	static char name[] = "attention";
	static const cn_filters cases[] = {
		{ .attention = CN_ATTENTION_RESIDUAL, .attention_output = name },
		{ .attention = CN_ATTENTION_WEIGHT, .attention_output = name },
		{ .has_floor = 1, .floor = 0.014f },
		{ .has_floor = 1, .floor = -0.5f },
		{ .regional_size = 5, .regional_p = 2.5f, .regional_weight = 0.5f },
		{ .regional_size = 3, .regional_p = 1, .regional_weight = 1 },
		{ .regional_size = 7, .regional_p = 4.6f, .regional_weight = 0.25f },
		{ .regional_size = 1, .regional_p = 3, .regional_weight = 0.75f },
		{ .regional_size = 63, .regional_p = 2, .regional_weight = 0.5f },
		/* All of them, in this order. */
		{ CN_ATTENTION_RESIDUAL, name, 1, 0.014f, 5, 2.5f, 0.5f },
		{ CN_ATTENTION_WEIGHT, name, 1, 0.3f, 3, 3, 0.8f },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (size_t s = 0; s < sizeof(sizes) / sizeof(*sizes); s++) {
			size_t positions = sizes[s][0] * sizes[s][1], count = CHANNELS * positions;
			float *numbers = numbers_new(count, s), *weights = numbers_new(positions, 100 + s), *buffer;
			float *before = malloc(count * sizeof(*before));
			double *expected = malloc(count * sizeof(*expected));
			cn_map map = { numbers, CHANNELS, sizes[s][0], sizes[s][1] };
			const cn_map attention = { weights, 1, sizes[s][0], sizes[s][1] };
			memcpy(before, numbers, count * sizeof(*before));
			filter_plainly(&cases[i], &map, weights, expected);
			assert_ok(cn_filter_map(&cases[i], &map, &attention, "model 'm'", &buffer));
			assert_ptr_equal(map.data, buffer);
			for (size_t k = 0; k < count; k++)
				assert_float_equal(buffer[k], expected[k], 2e-6 * fmax(1, fabs(expected[k])));
			/* The network's own memory stays as it is. */
			assert_memory_equal(numbers, before, count * sizeof(*before));
			cn_free(buffer);
			free(numbers);
			free(weights);
			free(before);
			free(expected);
		}
}

/* ---- by hand ---- */

static void regional_gem_by_hand(void **state)
{
	(void)state;
	/* A row of 1 2 3 in a window of 3: beyond the ends come 2 and 2. Squares 4 1 4, 1 4 9, 4 9 4; other rows are
	 * the same one. */
	const cn_filters filters = { .regional_size = 3, .regional_p = 2, .regional_weight = 0.5f };
	static const float numbers[] = { 1, 2, 3 };
	const double expected[] = { 0.5 + 0.5 * sqrt(3), 1 + 0.5 * sqrt(14.0 / 3), 1.5 + 0.5 * sqrt(17.0 / 3) };
	float *buffer;
	cn_map map = { numbers, 1, 1, 3 };
	assert_ok(cn_filter_map(&filters, &map, NULL, "m", &buffer));
	for (size_t i = 0; i < 3; i++)
		assert_float_equal(buffer[i], expected[i], 1e-6);
	cn_free(buffer);
}

static void a_constant_map_is_kept(void **state)
{
	(void)state;
	const cn_filters filters = { .regional_size = 5, .regional_p = 2.5f, .regional_weight = 0.5f };
	float numbers[6 * 4], *buffer;
	for (size_t i = 0; i < 24; i++)
		numbers[i] = 0.7f;
	cn_map map = { numbers, 1, 4, 6 };
	assert_ok(cn_filter_map(&filters, &map, NULL, "m", &buffer));
	for (size_t i = 0; i < 24; i++)
		assert_float_equal(buffer[i], 0.7f, 1e-6);
	cn_free(buffer);
}

static void nothing_to_do_copies_nothing(void **state)
{
	(void)state;
	const cn_filters filters = { 0 };
	float numbers[] = { 1, 2 }, *buffer = numbers;
	cn_map map = { numbers, 1, 1, 2 };
	assert_ok(cn_filter_map(&filters, &map, NULL, "m", &buffer));
	assert_null(buffer);
	assert_ptr_equal(map.data, numbers);
}

static void nan_stays_nan(void **state)
{
	(void)state;
	static char name[] = "a";
	static const cn_filters cases[] = {
		{ .has_floor = 1, .floor = 0.5f },
		{ .regional_size = 3, .regional_p = 2, .regional_weight = 0.5f },
		{ .attention = CN_ATTENTION_WEIGHT, .attention_output = name },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		static const float numbers[] = { NAN, 1, 1, 1, 1 }, weights[] = { 1, 1, 1, 1, 1 };
		cn_map map = { numbers, 1, 1, 5 };
		const cn_map attention = { weights, 1, 1, 5 };
		float *buffer;
		assert_ok(cn_filter_map(&cases[i], &map, &attention, "m", &buffer));
		assert_true(isnan(buffer[0]));
		assert_true(isfinite(buffer[4]));
		cn_free(buffer);
	}
}

static void attention_of_another_size_is_refused(void **state)
{
	(void)state;
	static char name[] = "where to look";
	static const size_t shapes[][3] = { { 2, 3, 4 }, { 1, 4, 3 }, { 1, 3, 3 }, { 1, 1, 12 }, { 1, 1, 1 } };
	const cn_filters filters = { .attention = CN_ATTENTION_WEIGHT, .attention_output = name, .has_floor = 1 };
	float numbers[24] = { 0 }, *buffer;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
		cn_map map = { numbers, 2, 3, 4 };
		const cn_map attention = { numbers, shapes[i][0], shapes[i][1], shapes[i][2] };
		char text[128];
		snprintf(text, sizeof(text),
			 "model 'm': attention 'where to look' is %zu x %zu x %zu, but the map 3 x 4", shapes[i][0],
			 shapes[i][1], shapes[i][2]);
		assert_fails(cn_filter_map(&filters, &map, &attention, "model 'm'", &buffer), CAIRN_EFORMAT, text);
		assert_null(buffer);
		assert_ptr_equal(map.data, numbers);
	}
}

static int filter_once(void *context)
{
	float numbers[12] = { 1, 2, 3 }, *buffer;
	cn_map map = { numbers, 1, 3, 4 };
	const cn_map attention = map;
	int status = cn_filter_map(context, &map, &attention, "m", &buffer);
	if (status == 0)
		cn_free(buffer);
	else
		assert_null(buffer);
	return status;
}

static void survives_lack_of_memory(void **state)
{
	(void)state;
	static char name[] = "a";
	cn_filters filters = { CN_ATTENTION_RESIDUAL, name, 1, 0.014f, 5, 2.5f, 0.5f };
	assert_true(cn_torture(filter_once, &filters) >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filters_equal_plain_loops),
		cmocka_unit_test(regional_gem_by_hand),
		cmocka_unit_test(a_constant_map_is_kept),
		cmocka_unit_test(nothing_to_do_copies_nothing),
		cmocka_unit_test(nan_stays_nan),
		cmocka_unit_test(attention_of_another_size_is_refused),
		cmocka_unit_test(survives_lack_of_memory),
	};
	return cmocka_run_group_tests_name("global/filters", tests, NULL, NULL);
}
