/*
 * Input of networks: sizes against the rule in exact arithmetic, and every value against a plain computation.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/dispatch.h"
#include "model/bundle.h"
#include "support.h"

static void sizes_follow_the_rule(void **state)
{
	(void)state;
	static const struct {
		uint32_t longest, box_longest, multiple, fixed[2];
		int is_box;
		uint32_t width, height, expected[2];
	} cases[] = {
		{ 512, 0, 32, { 0 }, 0, 4000, 3000, { 512, 384 } },
		{ 512, 0, 32, { 0 }, 0, 3000, 4000, { 384, 512 } },
		/* Never enlarged, but for the rounding; halves go up. */
		{ 512, 0, 32, { 0 }, 0, 100, 80, { 96, 96 } },
		{ 512, 0, 32, { 0 }, 0, 112, 111, { 128, 96 } },
		{ 512, 0, 1, { 0 }, 0, 100, 80, { 100, 80 } },
		{ 512, 0, 32, { 0 }, 0, 1, 1, { 32, 32 } },
		{ 512, 0, 32, { 0 }, 0, 1048576, 1, { 512, 32 } },
		{ 16384, 0, 1, { 0 }, 0, 1048576, 1048575, { 16384, 16384 } },
		{ 640, 0, 32, { 0 }, 0, 1024, 683, { 640, 416 } },
		{ 640, 480, 32, { 0 }, 0, 1024, 683, { 640, 416 } },
		{ 640, 480, 32, { 0 }, 1, 1024, 683, { 480, 320 } },
		{ 640, 0, 32, { 0 }, 1, 1024, 683, { 640, 416 } },
		{ 640, 480, 32, { 224, 160 }, 1, 1024, 683, { 224, 160 } },
		{ 640, 0, 32, { 224, 160 }, 0, 10, 10, { 224, 160 } },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const cn_input_spec spec = { .longest = cases[i].longest,
					     .box_longest = cases[i].box_longest,
					     .multiple = cases[i].multiple,
					     .fixed_width = cases[i].fixed[0],
					     .fixed_height = cases[i].fixed[1] };
		uint32_t width, height;
		cn_input_size(&spec, cases[i].width, cases[i].height, cases[i].is_box, 1, &width, &height);
		assert_int_equal(width, cases[i].expected[0]);
		assert_int_equal(height, cases[i].expected[1]);
	}
}

/* Of height / width: below 0.67, to 0.77, to 1.33, to 1.5, and from there on. */
static const cn_input_spec binned = {
	.longest = 8,
	.box_longest = 16,
	.multiple = 32,
	.bin_count = 5,
	.bin_ratios = { 0.67f, 0.77f, 1.33f, 1.5f },
	.bin_sizes = { { 800, 544 }, { 800, 608 }, { 800, 800 }, { 608, 800 }, { 544, 800 } },
};

static void bins_go_by_aspect(void **state)
{
	(void)state;
	static const struct {
		uint32_t width, height;
		size_t bin;
	} cases[] = {
		{ 1, 1, 2 },       { 1000, 669, 0 },  { 1000, 671, 1 },     { 4000, 3000, 1 },
		{ 1000, 769, 1 },  { 1000, 771, 2 },  { 1000, 1329, 2 },    { 1000, 1331, 3 },
		{ 3000, 4000, 3 }, { 1000, 1499, 3 }, { 1000, 1500, 4 },    { 2, 3, 4 },
		{ 1048576, 1, 0 }, { 1, 1048576, 4 }, { 100000, 66999, 0 }, { 100000, 67001, 1 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		/* Sides of parts and of whole images, to the pixel: nothing else has a say. */
		for (int is_box = 0; is_box < 2; is_box++) {
			uint32_t width, height;
			cn_input_size(&binned, cases[i].width, cases[i].height, is_box, 1, &width, &height);
			assert_int_equal(width, binned.bin_sizes[cases[i].bin][0]);
			assert_int_equal(height, binned.bin_sizes[cases[i].bin][1]);
		}
	/* A ratio itself belongs to the next bin; exact in binary here. */
	const cn_input_spec halves = {
		.multiple = 1, .bin_count = 2, .bin_ratios = { 0.5f }, .bin_sizes = { { 20, 10 }, { 30, 30 } }
	};
	uint32_t width, height;
	cn_input_size(&halves, 200, 100, 0, 1, &width, &height);
	assert_int_equal(width, 30);
	cn_input_size(&halves, 201, 100, 0, 1, &width, &height);
	assert_int_equal(width, 20);
	/* One bin is a fixed size. */
	const cn_input_spec one = { .multiple = 1, .bin_count = 1, .bin_sizes = { { 7, 9 } } };
	cn_input_size(&one, 5, 5000, 0, 1, &width, &height);
	assert_true(width == 7 && height == 9);
}

/* The side that would go in is multiplied before it is rounded, and may then be larger than the image. */
static void scales_follow_the_rule(void **state)
{
	(void)state;
	const cn_input_spec reduced = { .longest = 512, .box_longest = 256, .multiple = 32 },
			    fine = { .longest = 512, .multiple = 1 },
			    fixed = { .longest = 512, .multiple = 32, .fixed_width = 224, .fixed_height = 161 };
	static const float root = 0.70710678f;
	const struct {
		const cn_input_spec *spec;
		uint32_t width, height;
		int is_box;
		float scale;
		uint32_t expected[2];
	} cases[] = {
		{ &reduced, 1024, 768, 0, 2, { 1024, 768 } },      { &reduced, 1024, 768, 0, 0.5f, { 256, 192 } },
		{ &reduced, 1024, 768, 0, root, { 352, 256 } },    { &reduced, 1024, 768, 1, 2, { 512, 384 } },
		{ &reduced, 100, 80, 0, 2, { 192, 160 } },         { &reduced, 100, 80, 0, 8, { 800, 640 } },
		{ &reduced, 100, 80, 0, 0.05f, { 32, 32 } },       { &fine, 1024, 683, 0, root, { 362, 241 } },
		{ &fine, 1024, 683, 0, 1.4142135f, { 724, 483 } }, { &fine, 3, 1, 0, 0.1f, { 1, 1 } },
		{ &fixed, 1024, 768, 0, 0.5f, { 112, 81 } },       { &fixed, 10, 10, 1, 1.5f, { 336, 242 } },
		{ &binned, 4000, 3000, 0, root, { 566, 430 } },    { &binned, 4000, 3000, 0, 0.05f, { 40, 30 } },
		{ &binned, 10, 100, 0, 2, { 1088, 1600 } },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint32_t width, height;
		cn_input_size(cases[i].spec, cases[i].width, cases[i].height, cases[i].is_box, cases[i].scale, &width,
			      &height);
		assert_int_equal(width, cases[i].expected[0]);
		assert_int_equal(height, cases[i].expected[1]);
	}
}

/* So large must an image be decoded: the largest view of it has so many pixels. */
static void longest_sides(void **state)
{
	(void)state;
	const cn_input_spec reduced = { .longest = 512, .box_longest = 1024, .multiple = 32 },
			    fixed = { .longest = 64, .multiple = 32, .fixed_width = 224, .fixed_height = 320 };
	assert_int_equal(cn_input_longest(&reduced), 512);
	assert_int_equal(cn_input_longest(&fixed), 320);
	assert_int_equal(cn_input_longest(&binned), 800);
	static const struct {
		cn_views views;
		int is_local;
		uint32_t expected;
	} cases[] = {
		{ { .scale_count = 1, .scales = { 1 } }, 0, 512 },
		{ { .scale_count = 3, .scales = { 0.5f, 1.4142135f, 1 } }, 0, 725 },
		/* Images as they are looked at without scales need not be smaller. */
		{ { .scale_count = 1, .scales = { 0.5f } }, 0, 512 },
		{ { .scale_count = 1, .scales = { 1 }, .crops = CN_CROPS_FIVE, .crop = 0.5f }, 0, 1024 },
		{ { .scale_count = 1, .scales = { 2 }, .crops = CN_CROPS_RANDOM, .crop = 0.25f }, 0, 4096 },
		{ { .scale_count = 1, .scales = { 1 }, .crop = 0.5f }, 0, 512 },
		/* Local models have no views. */
		{ { .scale_count = 1, .scales = { 2 }, .crops = CN_CROPS_FIVE, .crop = 0.5f }, 1, 512 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const cairn_model model = { .input = reduced,
					    .is_local = cases[i].is_local,
					    .global.views = cases[i].views };
		cairn_model_info info;
		assert_int_equal(cn_model_longest(&model), cases[i].expected);
		assert_int_equal(cn_model_shortest(&model), 0);
		cairn_model_get_info(&model, &info);
		assert_int_equal(info.longest, cases[i].expected);
	}
}

static void shortest_sides(void **state)
{
	(void)state;
	static const struct {
		cn_input_spec input;
		float scale;
		uint32_t expected;
	} cases[] = {
		{ { .longest = 512 }, 2, 0 },
		{ { .fixed_width = 224, .fixed_height = 224 }, 1, 224 },
		/* High images must be as wide, wide ones as high. */
		{ { .fixed_width = 320, .fixed_height = 224 }, 1, 320 },
		{ { .fixed_width = 224, .fixed_height = 320 }, 1.5f, 480 },
		{ { .bin_count = 1, .bin_sizes = { { 7, 9 } } }, 1, 9 },
		/* Wide images get 512 x 352, high ones 352 x 512, and those between 448 x 448. */
		{ { .bin_count = 3,
		    .bin_ratios = { 0.75f, 1.5f },
		    .bin_sizes = { { 512, 352 }, { 448, 448 }, { 352, 512 } } },
		  1,
		  448 },
		{ { .bin_count = 2, .bin_ratios = { 1 }, .bin_sizes = { { 512, 352 }, { 352, 512 } } }, 2, 704 },
		{ { .bin_count = 2, .bin_ratios = { 1.001f }, .bin_sizes = { { 512, 352 }, { 300, 512 } } }, 1, 512 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const cairn_model model = { .input = cases[i].input,
					    .global.views = { .scale_count = 1, .scales = { cases[i].scale } } };
		assert_int_equal(cn_model_shortest(&model), cases[i].expected);
	}
	cn_member members[2] = { 0 };
	cairn_model parts[2] = { 0 };
	for (size_t i = 0; i < 2; i++) {
		parts[i].input = cases[i + 1].input;
		members[i].model = &parts[i];
	}
	const cairn_model joined = { .ensemble = { members, 2 } };
	assert_int_equal(cn_model_shortest(&joined), 320);
}

/* What decoding leaves of a side: it halves up to three times while both are as long as is asked for. */
static void reduce(const cairn_model *model, uint32_t sides[2])
{
	uint32_t longer = sides[0] > sides[1] ? sides[0] : sides[1], shorter = sides[0] + sides[1] - longer, by = 1;
	while (by < 8 && longer / (2 * by) >= cn_model_longest(model) && shorter / (2 * by) >= cn_model_shortest(model))
		by *= 2;
	sides[0] /= by;
	sides[1] /= by;
}

/* Sides are enlarged only where the photograph itself is too small. */
static void nothing_that_was_reduced_is_enlarged(void **state)
{
	(void)state;
	uint64_t seed = 5;
	size_t reduced = 0;
	for (size_t round = 0; round < 20000; round++) {
		cn_input_spec spec = { .longest = 64, .multiple = 8 };
		uint32_t sides[2], width, height;
		spec.bin_count = (uint32_t)(cn_test_random(&seed) % 4);
		for (uint32_t i = 0; i < 4; i++) {
			spec.bin_ratios[i] =
				(i ? spec.bin_ratios[i - 1] : 0) + (float)(cn_test_random(&seed) % 8 + 1) / 8;
			for (int a = 0; a < 2; a++)
				spec.bin_sizes[i][a] = (uint32_t)(cn_test_random(&seed) % 300 + 1);
		}
		if (spec.bin_count == 0) {
			spec.fixed_width = spec.bin_sizes[0][0];
			spec.fixed_height = spec.bin_sizes[0][1];
		}
		const float scale = 0.5f + (float)(cn_test_random(&seed) % 8) / 4;
		const cairn_model model = { .input = spec, .global.views = { .scale_count = 1, .scales = { scale } } };
		for (int a = 0; a < 2; a++)
			sides[a] = (uint32_t)(cn_test_random(&seed) % 6000 + 1);
		const uint32_t whole = sides[0];
		reduce(&model, sides);
		if (sides[0] == whole)
			continue;
		reduced++;
		cn_input_size(&spec, sides[0], sides[1], 0, scale, &width, &height);
		assert_true(sides[0] >= width && sides[1] >= height);
	}
	assert_true(reduced > 1000);
}

/* Which of the pixel's bytes goes into a channel. */
static double channel_value(const cn_input_spec *spec, const uint8_t *pixel, size_t channel)
{
	if (spec->channels == CN_CHANNELS_GREY)
		return (pixel[0] + pixel[1] + pixel[2]) / 3.0;
	return pixel[spec->channels == CN_CHANNELS_BGR ? 2 - channel : channel];
}

static void assert_filled(const cn_input_spec *spec, const uint8_t *rgb, uint32_t width, uint32_t height,
			  const void *tensor)
{
	size_t count = (size_t)width * height, channels = spec->channels == CN_CHANNELS_GREY ? 1 : 3;
	for (size_t c = 0; c < channels; c++)
		for (size_t i = 0; i < count; i++) {
			size_t at = spec->layout == CN_LAYOUT_NCHW ? c * count + i : channels * i + c;
			double value = channel_value(spec, rgb + 3 * i, c);
			if (spec->type == CN_TENSOR_U8) {
				assert_int_equal(((const uint8_t *)tensor)[at], (uint8_t)floor(value + 0.5));
				continue;
			}
			value = (value - (double)spec->mean[c]) / (double)spec->std[c];
			assert_true(fabs((double)((const float *)tensor)[at] - value) < 2e-5);
		}
}

static void values_are_those_of_a_plain_computation(void **state)
{
	(void)state;
	static const uint32_t sizes[][2] = { { 1, 1 }, { 7, 5 }, { 64, 33 } };
	for (size_t i = 0; i < 3 * 3 * 2 * 2; i++) {
		uint32_t width = sizes[i % 3][0], height = sizes[i % 3][1];
		size_t count = (size_t)3 * width * height, shape[4];
		const cn_input_spec spec = {
			.channels = (cn_channels)(i / 3 % 3),
			.layout = i / 9 % 2 ? CN_LAYOUT_NHWC : CN_LAYOUT_NCHW,
			.type = i / 18 ? CN_TENSOR_U8 : CN_TENSOR_F32,
			.mean = { 123.675f, 116.28f, 103.53f },
			.std = { 58.395f, 57.12f, 57.375f },
		};
		int grey = spec.channels == CN_CHANNELS_GREY, planar = spec.layout == CN_LAYOUT_NCHW;
		/* Exactly as large as needed, for the sanitizer to see what is written beyond. */
		size_t values = grey ? count / 3 : count;
		uint8_t *rgb = malloc(count);
		size_t bytes = values * (spec.type == CN_TENSOR_U8 ? 1 : sizeof(float));
		void *tensor = malloc(bytes), *scalar = malloc(bytes);
		uint64_t seed = i;
		for (size_t k = 0; k < count; k++)
			rgb[k] = (uint8_t)cn_test_random(&seed);
		cn_input_shape(&spec, width, height, shape);
		assert_int_equal(shape[0], 1);
		assert_int_equal(shape[planar ? 1 : 3], grey ? 1 : 3);
		assert_int_equal(shape[planar ? 2 : 1], height);
		assert_int_equal(shape[planar ? 3 : 2], width);
		for (int level = CN_KERNELS_SCALAR; level <= CN_KERNELS_BEST; level++) {
			cn_kernels_force((cn_kernels)level);
			memset(tensor, 0, bytes);
			cn_input_fill(&spec, rgb, width, height, tensor);
			assert_filled(&spec, rgb, width, height, tensor);
			if (level == CN_KERNELS_SCALAR)
				memcpy(scalar, tensor, bytes);
			assert_memory_equal(tensor, scalar, bytes);
		}
		free(rgb);
		free(tensor);
		free(scalar);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_follow_the_rule),
		cmocka_unit_test(bins_go_by_aspect),
		cmocka_unit_test(scales_follow_the_rule),
		cmocka_unit_test(longest_sides),
		cmocka_unit_test(shortest_sides),
		cmocka_unit_test(nothing_that_was_reduced_is_enlarged),
		cmocka_unit_test(values_are_those_of_a_plain_computation),
	};
	return cmocka_run_group_tests_name("model/input", tests, NULL, NULL);
}
