/*
 * Views of an image: which they are, what is made of their vectors, and a whole describer against each view by hand.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../collection/photos.h"
#include "cairn/descriptors.h"
#include "global/describe.h"
#include "global/views.h"
#include "util/file.h"

/* ---- which views ---- */

static void assert_view(const cn_views *views, size_t i, cn_view expected)
{
	const cn_view found = cn_views_get(views, i);
	assert_float_equal(found.x, expected.x, 1e-9);
	assert_float_equal(found.y, expected.y, 1e-9);
	assert_float_equal(found.side, expected.side, 1e-9);
	assert_float_equal(found.scale, expected.scale, 0);
	assert_int_equal(found.flipped, expected.flipped);
}

static void counts(void **state)
{
	(void)state;
	static const struct {
		uint32_t scales;
		int flip;
		cn_crops crops;
		uint32_t crop_count;
		size_t expected;
	} cases[] = {
		{ 1, 0, CN_CROPS_NONE, 0, 1 },    { 1, 1, CN_CROPS_NONE, 0, 2 },   { 3, 0, CN_CROPS_NONE, 0, 3 },
		{ 3, 1, CN_CROPS_NONE, 0, 6 },    { 1, 0, CN_CROPS_FIVE, 0, 5 },   { 1, 1, CN_CROPS_FIVE, 0, 10 },
		{ 16, 1, CN_CROPS_FIVE, 0, 160 }, { 1, 0, CN_CROPS_RANDOM, 1, 1 }, { 2, 1, CN_CROPS_RANDOM, 100, 400 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const cn_views views = { .scale_count = cases[i].scales,
					 .flip = cases[i].flip,
					 .crops = cases[i].crops,
					 .crop_count = cases[i].crop_count };
		assert_int_equal(cn_views_count(&views), cases[i].expected);
	}
}

/* Each crop at each scale, as it is and flipped. */
static void order(void **state)
{
	(void)state;
	const cn_views views = { .scale_count = 2, .scales = { 1, 0.5f }, .flip = 1 };
	assert_view(&views, 0, (cn_view){ 0, 0, 1, 1, 0 });
	assert_view(&views, 1, (cn_view){ 0, 0, 1, 1, 1 });
	assert_view(&views, 2, (cn_view){ 0, 0, 1, 0.5f, 0 });
	assert_view(&views, 3, (cn_view){ 0, 0, 1, 0.5f, 1 });
	const cn_views unflipped = { .scale_count = 3, .scales = { 2, 1, 0.5f } };
	for (size_t i = 0; i < 3; i++)
		assert_view(&unflipped, i, (cn_view){ 0, 0, 1, unflipped.scales[i], 0 });
}

static void five_crops_by_hand(void **state)
{
	(void)state;
	static const double places[5][2] = { { 0, 0 }, { 0.25, 0 }, { 0, 0.25 }, { 0.25, 0.25 }, { 0.125, 0.125 } };
	const cn_views views = {
		.scale_count = 2, .scales = { 1, 2 }, .flip = 1, .crops = CN_CROPS_FIVE, .crop = 0.75f
	};
	for (size_t crop = 0; crop < 5; crop++)
		for (size_t k = 0; k < 4; k++)
			assert_view(&views, 4 * crop + k,
				    (cn_view){ places[crop][0], places[crop][1], 0.75, k < 2 ? 1 : 2, k % 2 });
	/* The whole, five times. */
	const cn_views whole = { .scale_count = 1, .scales = { 1 }, .crops = CN_CROPS_FIVE, .crop = 1 };
	for (size_t crop = 0; crop < 5; crop++)
		assert_view(&whole, crop, (cn_view){ 0, 0, 1, 1, 0 });
}

static void random_crops_lie_inside(void **state)
{
	(void)state;
	static const float least[] = { 0.05f, 0.5f, 0.875f, 1 };
	for (size_t k = 0; k < 4; k++)
		for (uint32_t seed = 0; seed < 20; seed++) {
			const cn_views views = { .scale_count = 1,
						 .scales = { 1 },
						 .crops = CN_CROPS_RANDOM,
						 .crop = least[k],
						 .crop_count = 100,
						 .seed = seed };
			for (size_t i = 0; i < 100; i++) {
				const cn_view view = cn_views_get(&views, i);
				assert_true(view.side >= (double)least[k] && view.side <= 1);
				assert_true(view.x >= 0 && view.y >= 0);
				assert_true(view.x + view.side <= 1 + 1e-12 && view.y + view.side <= 1 + 1e-12);
			}
		}
}

static void random_crops_depend_on_the_seed_alone(void **state)
{
	(void)state;
	cn_views views = {
		.scale_count = 1, .scales = { 1 }, .crops = CN_CROPS_RANDOM, .crop = 0.5f, .crop_count = 100, .seed = 7
	};
	/* With another scale, flipped, and fewer: the same places. */
	const cn_views others = { .scale_count = 2,
				  .scales = { 2, 1 },
				  .flip = 1,
				  .crops = CN_CROPS_RANDOM,
				  .crop = 0.5f,
				  .crop_count = 9,
				  .seed = 7 };
	double mean_side = 0, mean_x = 0;
	for (size_t i = 0; i < 100; i++) {
		const cn_view first = cn_views_get(&views, i), again = cn_views_get(&views, i);
		assert_true(first.x == again.x && first.y == again.y && first.side == again.side);
		assert_true(first.x != first.y);
		mean_side += first.side / 100;
		mean_x += first.x / (1 - first.side) / 100;
		for (size_t k = 0; k < 4 && i < 9; k++)
			assert_view(&others, 4 * i + k,
				    (cn_view){ first.x, first.y, first.side, k < 2 ? 2 : 1, k % 2 });
	}
	/* Uniform: within four standard errors of the middle. */
	assert_true(fabs(mean_side - 0.75) < 0.06);
	assert_true(fabs(mean_x - 0.5) < 0.12);
	const cn_view before = cn_views_get(&views, 3);
	views.seed = 8;
	const cn_view after = cn_views_get(&views, 3);
	assert_true(before.x != after.x && before.y != after.y && before.side != after.side);
}

/* ---- what is made of their vectors ---- */

static void combine(const cn_views *views, const float *vectors, size_t dim, float *out)
{
	double *gathered = calloc(dim, sizeof(*gathered));
	for (size_t i = 0; i < cn_views_count(views); i++) {
		memcpy(out, vectors + i * dim, dim * sizeof(*out));
		cn_views_gather(views, i, out, dim, gathered);
	}
	cn_views_finish(views, gathered, dim, out);
	free(gathered);
}

static void combining_by_hand(void **state)
{
	(void)state;
	static const float vectors[] = { 3, -4, 0, 5 };
	static const struct {
		cn_combine combine;
		float p, expected[2];
	} cases[] = {
		{ CN_COMBINE_MEAN, 0, { 1.5f, 0.5f } },
		/* Of (0.6, -0.8) and (0, 1). */
		{ CN_COMBINE_SUM, 0, { 0.3f, 0.1f } },
		{ CN_COMBINE_MAX, 0, { 0.6f, 1 } },
		{ CN_COMBINE_GEM, 1, { 0.3f, 0.1f } },
		/* The root of (0.36 + 0) / 2, and of (-0.64 + 1) / 2. */
		{ CN_COMBINE_GEM, 2, { 0.42426407f, 0.42426407f } },
		{ CN_COMBINE_GEM, 3, { 0.47622032f, 0.62488f } },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const cn_views views = { .scale_count = 2, .combine = cases[i].combine, .p = cases[i].p };
		float found[2];
		combine(&views, vectors, 2, found);
		assert_float_equal(found[0], cases[i].expected[0], 2e-6);
		assert_float_equal(found[1], cases[i].expected[1], 2e-6);
	}
	/* The sign of the larger power stays. */
	static const float negative[] = { -1, 0.001f, 0.5f, -1 };
	const cn_views views = { .scale_count = 2, .combine = CN_COMBINE_GEM, .p = 3 };
	float found[2];
	combine(&views, negative, 2, found);
	assert_true(found[0] < -0.7f && found[1] < -0.7f);
}

static double combined_plainly(const cn_views *views, double (*unit)[8], double (*raw)[8], size_t count, size_t k)
{
	double sum = 0, most = -INFINITY;
	for (size_t i = 0; i < count; i++) {
		double x = views->combine == CN_COMBINE_MEAN ? raw[i][k] : unit[i][k];
		most = fmax(most, x);
		if (views->combine == CN_COMBINE_GEM)
			x = (x < 0 ? -1 : 1) * pow(fmax(fabs(x), 1e-6), (double)views->p);
		sum += x;
	}
	if (views->combine == CN_COMBINE_MAX)
		return most;
	sum /= (double)count;
	return views->combine == CN_COMBINE_GEM ? (sum < 0 ? -1 : 1) * pow(fabs(sum), 1 / (double)views->p) : sum;
}

static void combining_equals_loops(void **state)
{
	(void)state;
	enum { DIM = 8 };
	static const struct {
		cn_combine combine;
		float p;
	} cases[] = { { CN_COMBINE_SUM, 0 },  { CN_COMBINE_MEAN, 0 },   { CN_COMBINE_MAX, 0 },
		      { CN_COMBINE_GEM, 1 },  { CN_COMBINE_GEM, 2.5f }, { CN_COMBINE_GEM, 3 },
		      { CN_COMBINE_GEM, 20 }, { CN_COMBINE_GEM, 0.75f } };
	uint64_t seed = 9;
	for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++)
		for (uint32_t scales = 1; scales <= 6; scales++) {
			const cn_views views = {
				.scale_count = scales, .flip = c % 2, .combine = cases[c].combine, .p = cases[c].p
			};
			size_t count = cn_views_count(&views);
			float vectors[12 * DIM], found[DIM];
			double unit[12][DIM], raw[12][DIM];
			for (size_t i = 0; i < count; i++) {
				double squares = 0;
				for (size_t k = 0; k < DIM; k++) {
					vectors[i * DIM + k] = (float)(i + 1) * cn_test_normal(&seed);
					raw[i][k] = (double)vectors[i * DIM + k];
					squares += raw[i][k] * raw[i][k];
				}
				for (size_t k = 0; k < DIM; k++)
					unit[i][k] = raw[i][k] / sqrt(squares);
			}
			combine(&views, vectors, DIM, found);
			for (size_t k = 0; k < DIM; k++) {
				double expected = combined_plainly(&views, unit, raw, count, k);
				assert_float_equal(found[k], expected, 3e-6 * fmax(1, fabs(expected)));
			}
		}
}

/* ---- the whole ---- */

/* The network of photos.h. */
enum { DIM = 16, LONGEST = 64, MULTIPLE = 16 };

static const cairn_describer_options in_f32 = { CAIRN_DESCRIBER_OPTIONS_VERSION, 1, "f32" };

/* A bundle whose "global" says this too, of images up to this size. */
static const char *bundle(const char *longest, const char *more)
{
	const char *model = model_new("tiny", 11), *path = keep(cn_test_path(model, "model.json"));
	char *bytes, edited[4096];
	size_t length;
	assert_ok(cn_file_read(path, 4096, &bytes, &length));
	char *size = strstr(bytes, "\"longest\": 64"), *dim = strstr(bytes, "\"dim\": 16");
	assert_true(size && dim && size < dim);
	int written = snprintf(edited, sizeof(edited), "%.*s\"longest\": %s%.*s%s%s", (int)(size - bytes), bytes,
			       longest, (int)(dim - size - 13), size + 13, more, dim);
	cn_test_write(path, edited, (size_t)written);
	cairn_bytes_free(bytes);
	return model;
}

static cairn_describer *describer_of(const char *model)
{
	const cairn_describer_model models[] = { { model, 1 } };
	cairn_describer *describer;
	assert_ok(cairn_describer_new(&describer, models, 1, &in_f32));
	return describer;
}

/* Random blocks of a size. */
static cairn_image *image_new(uint32_t width, uint32_t height, uint32_t block)
{
	cairn_image *image;
	uint8_t *pixels = malloc((size_t)3 * width * height);
	for (uint32_t y = 0; y < height; y++)
		for (uint32_t x = 0; x < width; x++)
			for (uint32_t c = 0; c < 3; c++) {
				uint64_t at = y / block * 1009 + x / block * 3 + c;
				pixels[((size_t)y * width + x) * 3 + c] = (uint8_t)cn_test_random(&at);
			}
	assert_ok(cairn_image_new(&image, width, height, pixels));
	free(pixels);
	return image;
}

static cairn_image *flipped(const cairn_image *image)
{
	uint32_t width = cairn_image_width(image), height = cairn_image_height(image);
	uint8_t *pixels = malloc((size_t)3 * width * height);
	cairn_image *out;
	for (uint32_t y = 0; y < height; y++)
		for (uint32_t x = 0; x < width; x++)
			memcpy(pixels + 3 * ((size_t)y * width + x),
			       cairn_image_pixels(image) + 3 * ((size_t)y * width + width - 1 - x), 3);
	assert_ok(cairn_image_new(&out, width, height, pixels));
	free(pixels);
	return out;
}

static uint32_t side_plainly(uint32_t side, uint32_t longer, double scale)
{
	double reduced = side * fmin(1, (double)LONGEST / longer) * scale;
	return (uint32_t)fmax(1, floor(reduced / MULTIPLE + 0.5)) * MULTIPLE;
}

/* One view made by hand, and described by a bundle of one view that takes it as large as it is. */
static void view_by_hand(cairn_model *plain, const cairn_image *image, cairn_box box, double scale, int flip,
			 float out[DIM])
{
	cairn_image *part, *resized;
	assert_ok(cairn_image_crop(&part, image, box));
	uint32_t width = cairn_image_width(part), height = cairn_image_height(part);
	uint32_t longer = width > height ? width : height;
	assert_ok(cairn_image_resize(&resized, part, side_plainly(width, longer, scale),
				     side_plainly(height, longer, scale)));
	cairn_image *turned = flip ? flipped(resized) : NULL;
	assert_ok(cn_describe_pooled(plain, flip ? turned : resized, NULL, out));
	cairn_image_free(turned);
	cairn_image_free(resized);
	cairn_image_free(part);
}

static void normalise(double *vector)
{
	double squares = 0;
	for (size_t k = 0; k < DIM; k++)
		squares += vector[k] * vector[k];
	for (size_t k = 0; k < DIM; k++)
		vector[k] /= sqrt(squares);
}

/* Five crops of half a side at two scales, each also flipped. */
static void a_describer_equals_its_views_by_hand(void **state)
{
	(void)state;
	static const cairn_box boxes[] = {
		{ 0, 0, 60, 45 }, { 60, 0, 120, 45 }, { 0, 45, 60, 90 }, { 60, 45, 120, 90 }, { 30, 22.5, 90, 67.5 },
	};
	static const double scales[] = { 1, 1.5 };
	static const char *const ways[] = { "\"sum\"", "\"mean\"", "\"gem\", \"p\": 3", "\"max\"" };
	const cairn_model_options precise = { CAIRN_MODEL_OPTIONS_VERSION, 1, "f32" };
	cairn_image *image = image_new(120, 90, 5);
	double raw[20][DIM], unit[20][DIM];
	cairn_model *plain;
	assert_ok(cairn_model_open(&plain, bundle("512", ""), &precise));
	for (size_t i = 0; i < 20; i++) {
		float vector[DIM];
		view_by_hand(plain, image, boxes[i / 4], scales[i / 2 % 2], i % 2, vector);
		for (size_t k = 0; k < DIM; k++)
			raw[i][k] = unit[i][k] = (double)vector[k];
		normalise(unit[i]);
	}
	for (size_t w = 0; w < 4; w++) {
		char text[256];
		double expected[DIM] = { 0 };
		float found[DIM];
		for (size_t k = 0; k < DIM; k++) {
			if (w == 3)
				expected[k] = -INFINITY;
			for (size_t i = 0; i < 20; i++)
				expected[k] = w == 3 ? fmax(expected[k], unit[i][k])
						     : expected[k] + (w == 0   ? unit[i][k]
								      : w == 1 ? raw[i][k]
									       : pow(unit[i][k], 3));
			if (w == 2)
				expected[k] = cbrt(expected[k]);
		}
		normalise(expected);
		snprintf(text, sizeof(text),
			 "\"views\": {\"scales\": [1, 1.5], \"flip\": true, \"crops\": {\"kind\": \"five\", "
			 "\"size\": 0.5}, \"combine\": %s}, ",
			 ways[w]);
		cairn_describer *describer = describer_of(bundle("64", text));
		assert_ok(cairn_describer_run(describer, image, NULL, found));
		for (size_t k = 0; k < DIM; k++)
			assert_float_equal(found[k], expected[k], 1e-5);
		cairn_describer_free(describer);
	}
	/* Views differ, so that none could be another one. */
	for (size_t i = 0; i < 20; i++)
		for (size_t j = 0; j < i; j++) {
			double most = 0;
			for (size_t k = 0; k < DIM; k++)
				most = fmax(most, fabs(unit[i][k] - unit[j][k]));
			assert_true(most > 1e-3);
		}
	cairn_model_free(plain);
	cairn_image_free(image);
}

/* In a box: the views are of the part. */
static void a_box_has_views_too(void **state)
{
	(void)state;
	static const char views[] = "\"views\": {\"scales\": [0.5, 1], \"flip\": true, \"combine\": \"sum\"}, ";
	const cairn_box box = { 20, 10, 100, 70 };
	cairn_describer *describer = describer_of(bundle("64", views));
	cairn_image *image = image_new(120, 90, 5), *part;
	float found[DIM], expected[DIM];
	assert_ok(cairn_image_crop(&part, image, box));
	assert_ok(cairn_describer_run(describer, part, NULL, expected));
	assert_ok(cairn_describer_run(describer, image, &box, found));
	assert_memory_equal(found, expected, sizeof(found));
	cairn_image_free(part);
	cairn_image_free(image);
	cairn_describer_free(describer);
}

static void random_crops_give_the_same_each_time(void **state)
{
	(void)state;
	static const char *const views[] = {
		"\"views\": {\"crops\": {\"kind\": \"random\", \"size\": 0.3, \"count\": 4, \"seed\": 3}, "
		"\"combine\": \"sum\"}, ",
		"\"views\": {\"crops\": {\"kind\": \"random\", \"size\": 0.3, \"count\": 4, \"seed\": 4}, "
		"\"combine\": \"sum\"}, ",
	};
	cairn_image *image = image_new(120, 90, 5);
	float found[3][DIM];
	for (size_t i = 0; i < 3; i++) {
		cairn_describer *describer = describer_of(bundle("64", views[i / 2]));
		assert_ok(cairn_describer_run(describer, image, NULL, found[i]));
		cairn_describer_free(describer);
	}
	assert_memory_equal(found[0], found[1], sizeof(found[0]));
	assert_memory_not_equal(found[0], found[2], sizeof(found[0]));
	cairn_image_free(image);
}

/* An image that was reduced while it was decoded, to the sides that are asked for, has pixels enough for crops, and for
 * sizes of another aspect. */
static void reduced_images_have_pixels_enough(void **state)
{
	(void)state;
	static const struct {
		const char *sizes, *views;
		uint32_t width, height, longest, shortest;
	} cases[] = {
		{ "64",
		  "\"views\": {\"scales\": [1, 1.25], \"crops\": {\"kind\": \"five\", \"size\": 0.25}, "
		  "\"combine\": \"sum\"}, ",
		  1280, 960, 320, 0 },
		{ "64, \"fixed\": [64, 64]", "", 1280, 160, 64, 64 },
		{ "64, \"fixed\": [32, 64]", "", 160, 1280, 64, 64 },
		{ "64, \"bins\": {\"ratios\": [1], \"sizes\": [[64, 32], [32, 64]]}", "", 1280, 80, 64, 32 },
		{ "64, \"bins\": {\"ratios\": [1], \"sizes\": [[64, 32], [32, 64]]}", "", 80, 1280, 64, 32 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *path = keep(cn_test_path(cn_test_folder(), "large.png"));
		cairn_describer *describer = describer_of(bundle(cases[i].sizes, cases[i].views));
		cairn_image *image = image_new(cases[i].width, cases[i].height, 20), *reduced;
		cairn_image_options how = CAIRN_IMAGE_OPTIONS_INIT;
		float found[DIM], expected[DIM];
		double cosine = 0;
		assert_int_equal(cairn_describer_longest(describer), cases[i].longest);
		assert_int_equal(cairn_describer_shortest(describer), cases[i].shortest);
		assert_ok(cairn_image_save(image, path));
		how.shrink_to = cairn_describer_longest(describer);
		how.shrink_shortest = cairn_describer_shortest(describer);
		assert_ok(cairn_image_open(&reduced, path, &how));
		assert_true(cairn_image_width(reduced) < cases[i].width);
		assert_ok(cairn_describer_run(describer, image, NULL, expected));
		assert_ok(cairn_describer_run(describer, reduced, NULL, found));
		for (size_t k = 0; k < DIM; k++)
			cosine += (double)found[k] * (double)expected[k];
		assert_true(cosine > 0.9999);
		cairn_image_free(reduced);
		cairn_image_free(image);
		cairn_describer_free(describer);
	}
}

/* Down to a single pixel. */
static void tiny_images_have_all_views(void **state)
{
	(void)state;
	static const char views[] = "\"views\": {\"scales\": [0.05, 8], \"flip\": true, \"crops\": {\"kind\": "
				    "\"random\", \"size\": 0.05}, \"combine\": \"max\"}, ";
	static const uint32_t sizes[][2] = { { 1, 1 }, { 1, 9 }, { 7, 1 }, { 3, 2 } };
	cairn_describer *describer = describer_of(bundle("64", views));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		cairn_image *image = image_new(sizes[i][0], sizes[i][1], 1);
		float found[DIM];
		double squares = 0;
		assert_ok(cairn_describer_run(describer, image, NULL, found));
		for (size_t k = 0; k < DIM; k++)
			squares += (double)found[k] * (double)found[k];
		assert_float_equal(squares, 1, 1e-5);
		cairn_image_free(image);
	}
	cairn_describer_free(describer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts),
		cmocka_unit_test(order),
		cmocka_unit_test(five_crops_by_hand),
		cmocka_unit_test(random_crops_lie_inside),
		cmocka_unit_test(random_crops_depend_on_the_seed_alone),
		cmocka_unit_test(combining_by_hand),
		cmocka_unit_test(combining_equals_loops),
		cmocka_unit_test(a_describer_equals_its_views_by_hand),
		cmocka_unit_test(a_box_has_views_too),
		cmocka_unit_test(random_crops_give_the_same_each_time),
		cmocka_unit_test(reduced_images_have_pixels_enough),
		cmocka_unit_test(tiny_images_have_all_views),
	};
	return cmocka_run_group_tests_name("global/views", tests, NULL, NULL);
}
