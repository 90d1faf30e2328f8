/*
 * Global descriptors against a plain computation of the same tiny network in double precision, joined networks, parts
 * of images, several threads, and what is refused.
 */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "../collection/photos.h"
#include "cairn/descriptors.h"
#include "model/onnx_write.h"
#include "torture.h"
#include "util/file.h"
#include "util/npy.h"

/* The network of photos.h: 4 x 4 pixels a position, 16 channels, the longest side at most 64. */
enum { DIM = 16, KERNEL = 4, LONGEST = 64, MULTIPLE = 16 };

static const cairn_describer_options in_f32 = { CAIRN_DESCRIBER_OPTIONS_VERSION, 1, "f32" };

static cairn_describer *describer_new(const char *first, float first_weight, const char *second, float second_weight)
{
	const cairn_describer_model models[] = { { first, first_weight }, { second, second_weight } };
	cairn_describer *describer;
	assert_ok(cairn_describer_new(&describer, models, second ? 2 : 1, &in_f32));
	return describer;
}

static cairn_image *image_new(uint32_t width, uint32_t height, uint64_t seed)
{
	cairn_image *image;
	uint8_t *pixels = malloc((size_t)3 * width * height);
	/* Blocks of 5 pixels, so that something is left of them when they are reduced. */
	for (uint32_t y = 0; y < height; y++)
		for (uint32_t x = 0; x < 3 * width; x++) {
			uint64_t block = seed * 1000003 + y / 5 * 1009 + x / 15 * 3 + x % 3;
			pixels[(size_t)y * 3 * width + x] =
				(uint8_t)((uint8_t)cn_test_random(&block) >> (x % 3 == seed % 3 ? 2 : 0));
		}
	assert_ok(cairn_image_new(&image, width, height, pixels));
	free(pixels);
	return image;
}

/* Replace a part of a bundle's model.json. */
static void edit(const char *model, const char *from, const char *to)
{
	char *bytes, edited[4096];
	size_t length;
	const char *path = keep(cn_test_path(model, "model.json"));
	assert_ok(cn_file_read(path, 4096, &bytes, &length));
	char *at = strstr(bytes, from);
	assert_non_null(at);
	int written = snprintf(edited, sizeof(edited), "%.*s%s%s", (int)(at - bytes), bytes, to, at + strlen(from));
	cn_test_write(path, edited, (size_t)written);
	cairn_bytes_free(bytes);
}

/* ---- against a plain computation ---- */

static double channel_plainly(const cairn_image *image, const float *weight, double p)
{
	uint32_t width = cairn_image_width(image), height = cairn_image_height(image);
	const uint8_t *pixels = cairn_image_pixels(image);
	double sum = 0;
	size_t positions = 0;
	for (uint32_t y = 0; y + KERNEL <= height; y += KERNEL)
		for (uint32_t x = 0; x + KERNEL <= width; x += KERNEL, positions++) {
			double value = 0;
			for (uint32_t i = 0; i < 3 * KERNEL * KERNEL; i++) {
				uint32_t c = i / (KERNEL * KERNEL), v = i / KERNEL % KERNEL, u = i % KERNEL;
				value += (double)weight[i] *
					 ((double)pixels[3 * ((size_t)(y + v) * width + x + u) + c] - 127) / 64;
			}
			sum += pow(fmax(value, 1e-6), p);
		}
	return pow(sum / (double)positions, 1 / p);
}

static void describe_plainly(const cairn_image *image, uint32_t width, uint32_t height, uint64_t seed, double p,
			     double out[DIM])
{
	cairn_image *resized;
	double squares = 0;
	assert_ok(cairn_image_resize(&resized, image, width, height));
	for (size_t c = 0; c < DIM; c++) {
		float weight[3 * KERNEL * KERNEL];
		for (size_t i = 0; i < sizeof(weight) / sizeof(*weight); i++)
			weight[i] = cn_test_normal(&seed);
		out[c] = channel_plainly(resized, weight, p);
		squares += out[c] * out[c];
	}
	for (size_t c = 0; c < DIM; c++)
		out[c] /= sqrt(squares);
	cairn_image_free(resized);
}

static void assert_near(const float *found, const double *expected, size_t count, double tolerance)
{
	for (size_t i = 0; i < count; i++)
		if (!(fabs((double)found[i] - expected[i]) <= tolerance))
			fail_msg("number %zu is %.9g instead of %.9g", i, (double)found[i], expected[i]);
}

static void equals_a_plain_computation(void **state)
{
	(void)state;
	/* The size of the image and the one that goes in: reduced to 64, rounded to 16, never enlarged. */
	static const uint32_t sizes[][4] = {
		{ 120, 90, 64, 48 },  { 90, 120, 48, 64 },   { 64, 64, 64, 64 },
		{ 640, 480, 64, 48 }, { 31, 17, 32, 16 },    { 1, 1, 16, 16 },
		{ 300, 3, 64, 16 },   { 1000, 600, 64, 32 }, { 40, 24, 48, 32 },
	};
	static const double powers[] = { 3, 1, 2.5 };
	for (size_t k = 0; k < 3; k++) {
		const char *model = model_new("tiny", 11);
		char text[32];
		snprintf(text, sizeof(text), "\"p\": %g,", powers[k]);
		edit(model, "\"p\": 3,", text);
		cairn_describer *describer = describer_new(model, 0.25f, NULL, 0);
		assert_int_equal(cairn_describer_dim(describer), DIM);
		assert_int_equal(cairn_describer_longest(describer), LONGEST);
		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			cairn_image *image = image_new(sizes[i][0], sizes[i][1], i);
			double expected[DIM];
			float found[DIM];
			describe_plainly(image, sizes[i][2], sizes[i][3], 11, powers[k], expected);
			assert_ok(cairn_describer_run(describer, image, NULL, found));
			assert_near(found, expected, DIM, 1e-5);
			cairn_image_free(image);
		}
		cairn_describer_free(describer);
	}
}

static void describes_the_part_in_a_box(void **state)
{
	(void)state;
	static const struct {
		cairn_box box;
		const char *box_longest;
		uint32_t width, height;
	} cases[] = {
		{ { 10, 20, 90, 80 }, NULL, 64, 48 },
		{ { 10, 20, 90, 80 }, "32", 32, 32 },
		{ { 10.5, 20.75, 89.25, 79.5 }, "96", 80, 64 },
		/* Clamped to the image. */
		{ { -50, -50, 60, 40 }, NULL, 64, 48 },
		{ { 0, 0, 120, 90 }, NULL, 64, 48 },
		{ { 5, 5, 6, 6 }, NULL, 16, 16 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *model = model_new("tiny", 11);
		cairn_image *image = image_new(120, 90, 5), *part;
		double expected[DIM];
		float found[DIM];
		if (cases[i].box_longest) {
			char text[64];
			snprintf(text, sizeof(text), "\"longest\": 64, \"box_longest\": %s", cases[i].box_longest);
			edit(model, "\"longest\": 64", text);
		}
		cairn_describer *describer = describer_new(model, 1, NULL, 0);
		assert_ok(cairn_image_crop(&part, image, cases[i].box));
		describe_plainly(part, cases[i].width, cases[i].height, 11, 3, expected);
		assert_ok(cairn_describer_run(describer, image, &cases[i].box, found));
		assert_near(found, expected, DIM, 1e-5);
		cairn_image_free(part);
		cairn_image_free(image);
		cairn_describer_free(describer);
	}
}

static void a_fixed_size_holds_for_all(void **state)
{
	(void)state;
	const cairn_box box = { 10, 10, 100, 70 };
	const char *model = model_new("tiny", 11);
	edit(model, "\"multiple\": 16", "\"multiple\": 16, \"fixed\": [80, 48]");
	cairn_describer *describer = describer_new(model, 1, NULL, 0);
	cairn_image *image = image_new(120, 90, 5), *part;
	double expected[DIM];
	float found[DIM];
	assert_int_equal(cairn_describer_longest(describer), 80);
	describe_plainly(image, 80, 48, 11, 3, expected);
	assert_ok(cairn_describer_run(describer, image, NULL, found));
	assert_near(found, expected, DIM, 1e-5);
	assert_ok(cairn_image_crop(&part, image, box));
	describe_plainly(part, 80, 48, 11, 3, expected);
	assert_ok(cairn_describer_run(describer, image, &box, found));
	assert_near(found, expected, DIM, 1e-5);
	cairn_image_free(part);
	cairn_image_free(image);
	cairn_describer_free(describer);
}

/* ---- heads, filters and whitening ---- */

/* What a convolution of the tiny network gives at every position; returns how many there are. */
static size_t convolve_plainly(const cairn_image *image, uint64_t seed, size_t channels, double *out)
{
	uint32_t width = cairn_image_width(image), height = cairn_image_height(image);
	const uint8_t *pixels = cairn_image_pixels(image);
	size_t columns = width / KERNEL, positions = columns * (height / KERNEL);
	for (size_t k = 0; k < channels; k++) {
		float weight[3 * KERNEL * KERNEL];
		for (size_t i = 0; i < sizeof(weight) / sizeof(*weight); i++)
			weight[i] = cn_test_normal(&seed);
		for (size_t at = 0; at < positions; at++) {
			double value = 0;
			for (size_t i = 0; i < 3 * KERNEL * KERNEL; i++) {
				size_t x = at % columns * KERNEL + i % KERNEL;
				size_t y = at / columns * KERNEL + i / KERNEL % KERNEL;
				size_t c = i / (KERNEL * KERNEL);
				value += (double)weight[i] * ((double)pixels[3 * (y * width + x) + c] - 127) / 64;
			}
			out[k * positions + at] = value;
		}
	}
	return positions;
}

static void normalise_plainly(double *vector, size_t count)
{
	double squares = 0;
	for (size_t i = 0; i < count; i++)
		squares += vector[i] * vector[i];
	for (size_t i = 0; i < count; i++)
		vector[i] /= sqrt(squares);
}

enum { LAYER = 5, KEPT = 7, JOINED = DIM + LAYER };

struct numbers {
	float layer[LAYER][DIM], bias[LAYER], mean[JOINED], projection[KEPT][JOINED];
};

static void write_numbers(const char *model, struct numbers *out)
{
	uint64_t seed = 77;
	float *all = &out->layer[0][0];
	for (size_t i = 0; i < sizeof(*out) / sizeof(float); i++)
		all[i] = cn_test_normal(&seed);
	for (size_t i = 0; i < JOINED; i++)
		out->mean[i] *= 0.1f;
	assert_ok(cn_npy_write(cn_test_path(model, "layer.npy"), CN_NPY_F32, 2, (const size_t[]){ LAYER, DIM },
			       out->layer));
	assert_ok(cn_npy_write(cn_test_path(model, "bias.npy"), CN_NPY_F32, 1, (const size_t[]){ LAYER }, out->bias));
	assert_ok(cn_npy_write(cn_test_path(model, "m.npy"), CN_NPY_F32, 1, (const size_t[]){ JOINED }, out->mean));
	assert_ok(cn_npy_write(cn_test_path(model, "p.npy"), CN_NPY_F32, 2, (const size_t[]){ KEPT, JOINED },
			       out->projection));
}

/* The heads: GeM with p = 3 as it is, and the maximum through the layer, of unit length. */
static void heads_plainly(const struct numbers *numbers, const double *map, size_t positions, double out[JOINED])
{
	double most[DIM];
	for (size_t c = 0; c < DIM; c++) {
		double sum = 0;
		most[c] = 0;
		for (size_t i = 0; i < positions; i++) {
			sum += pow(fmax(map[c * positions + i], 1e-6), 3);
			most[c] = fmax(most[c], map[c * positions + i]);
		}
		out[c] = cbrt(sum / (double)positions);
	}
	for (size_t i = 0; i < LAYER; i++) {
		out[DIM + i] = (double)numbers->bias[i];
		for (size_t c = 0; c < DIM; c++)
			out[DIM + i] += (double)numbers->layer[i][c] * most[c];
	}
	normalise_plainly(out + DIM, LAYER);
}

static void whiten_plainly(const struct numbers *numbers, int unit, double vector[JOINED], double out[KEPT])
{
	if (unit)
		normalise_plainly(vector, JOINED);
	for (size_t i = 0; i < KEPT; i++) {
		out[i] = 0;
		for (size_t k = 0; k < JOINED; k++)
			out[i] += (double)numbers->projection[i][k] * (vector[k] - (double)numbers->mean[k]);
	}
	normalise_plainly(out, KEPT);
}

/* Attention, floor, two heads, a layer and whitening, with vectors brought to unit length before it or not. */
static void all_parts_equal_a_plain_computation(void **state)
{
	(void)state;
	static const char form[] =
		"\"attention\": {\"output\": \"attention\", \"mode\": \"%s\"}, \"floor\": 0.25, \"heads\": ["
		"{\"pool\": \"gem\", \"p\": 3, \"normalise\": false}, "
		"{\"pool\": \"mac\", \"layer\": {\"weight\": \"layer.npy\", \"bias\": \"bias.npy\"}}], "
		"\"whitening\": {\"kind\": \"lw\", \"mean\": \"m.npy\", \"projection\": \"p.npy\"%s}, "
		"\"dim\": 21";
	for (int i = 0; i < 4; i++) {
		int residual = i % 2, unit = i / 2;
		const char *model = model_new("tiny", 11);
		char text[1024];
		struct numbers numbers;
		double map[DIM * 256], attention[256], joined[JOINED], expected[KEPT];
		float found[KEPT];
		snprintf(text, sizeof(text), form, residual ? "residual" : "weight", unit ? ", \"unit\": true" : "");
		edit(model, "\"pool\": \"gem\", \"p\": 3, \"dim\": 16", text);
		write_numbers(model, &numbers);
		cairn_image *image = image_new(64, 48, 3);
		size_t positions = convolve_plainly(image, 11, DIM, map);
		assert_int_equal(convolve_plainly(image, 12, 1, attention), positions);
		for (size_t k = 0; k < DIM * positions; k++) {
			double weight = 1 / (1 + exp(-attention[k % positions]));
			map[k] = fmax(0.25, fmax(map[k], 0) * (residual + weight));
		}
		heads_plainly(&numbers, map, positions, joined);
		whiten_plainly(&numbers, unit, joined, expected);
		cairn_describer *describer = describer_new(model, 1, NULL, 0);
		assert_int_equal(cairn_describer_dim(describer), KEPT);
		assert_ok(cairn_describer_run(describer, image, NULL, found));
		assert_near(found, expected, KEPT, 1e-5);
		cairn_describer_free(describer);
		cairn_image_free(image);
	}
}

static void refuses_what_does_not_fit_the_map(void **state)
{
	(void)state;
	static const struct {
		const char *from, *to, *text;
	} cases[] = {
		/* The map itself is no attention: it has 16 channels. */
		{ "\"p\": 3,", "\"p\": 3, \"attention\": {\"output\": \"map\", \"mode\": \"weight\"},",
		  "attention 'map' is 16 x 12 x 16, but the map 12 x 16" },
		{ "\"pool\": \"gem\", \"p\": 3,", "\"pool\": \"none\",", "192 positions a channel" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *model = model_new("tiny", 1);
		float out[DIM];
		edit(model, cases[i].from, cases[i].to);
		cairn_describer *describer = describer_new(model, 1, NULL, 0);
		cairn_image *image = image_new(64, 48, 1);
		assert_fails(cairn_describer_run(describer, image, NULL, out), CAIRN_EFORMAT, cases[i].text);
		cairn_image_free(image);
		cairn_describer_free(describer);
	}
}

/* A file may leave the number of channels open; then it shows when the network runs. */
static void free_channels_are_checked_when_known(void **state)
{
	(void)state;
	static const float weight[7 * 3] = { 1 };
	const cn_onnx_conv_spec conv = { .weight = weight, .outputs = 7, .inputs = 3, .kernel = 1 };
	const char *model = model_new("tiny", 1);
	cn_onnx_graph *graph;
	float out[DIM];
	assert_ok(cn_onnx_graph_new(&graph, "free"));
	const char *x = cn_onnx_graph_input(graph, "image", CN_TENSOR_F32, 4, (const int64_t[]){ 1, 3, -1, -1 });
	cn_onnx_graph_output(graph, cn_onnx_conv(graph, x, &conv), "map", 4, (const int64_t[]){ 1, -1, -1, -1 });
	assert_ok(cn_onnx_graph_write(graph, cn_test_path(model, "model.onnx")));
	cn_onnx_graph_free(graph);
	cairn_describer *describer = describer_new(model, 1, NULL, 0);
	cairn_image *image = image_new(64, 48, 1);
	assert_fails(cairn_describer_run(describer, image, NULL, out), CAIRN_EFORMAT,
		     "'map' has 7 channels, of which 7 numbers are made; model.json says \"dim\" 16");
	cairn_image_free(image);
	cairn_describer_free(describer);
}

/* ---- several networks ---- */

static double dot(const float *a, const float *b, size_t count)
{
	double sum = 0;
	for (size_t i = 0; i < count; i++)
		sum += (double)a[i] * (double)b[i];
	return sum;
}

static void joined_cosines_are_weighted_means(void **state)
{
	(void)state;
	static const float weights[][2] = { { 1, 1 }, { 2, 1 }, { 0.25f, 3 }, { 1000, 0.5f }, { 1e-15f, 2e-15f } };
	const char *first = model_new("first", 1), *second = model_new("second", 2);
	cairn_describer *alone[2] = { describer_new(first, 7, NULL, 0), describer_new(second, 0.1f, NULL, 0) };
	cairn_image *a = image_new(120, 90, 1), *b = image_new(100, 100, 2);
	double cosines[2];
	float parts[2][DIM];
	for (size_t i = 0; i < 2; i++) {
		float other[DIM];
		assert_ok(cairn_describer_run(alone[i], a, NULL, parts[i]));
		assert_ok(cairn_describer_run(alone[i], b, NULL, other));
		cosines[i] = dot(parts[i], other, DIM);
		cairn_describer_free(alone[i]);
	}
	assert_true(fabs(cosines[0] - cosines[1]) > 1e-3);
	for (size_t i = 0; i < sizeof(weights) / sizeof(*weights); i++) {
		double w0 = pow((double)weights[i][0], 2), w1 = pow((double)weights[i][1], 2);
		cairn_describer *joined = describer_new(first, weights[i][0], second, weights[i][1]);
		float of_a[2 * DIM], of_b[2 * DIM];
		assert_int_equal(cairn_describer_dim(joined), 2 * DIM);
		assert_ok(cairn_describer_run(joined, a, NULL, of_a));
		assert_ok(cairn_describer_run(joined, b, NULL, of_b));
		assert_true(fabs(dot(of_a, of_a, 2 * DIM) - 1) < 1e-6);
		assert_true(fabs(dot(of_a, of_b, 2 * DIM) - (w0 * cosines[0] + w1 * cosines[1]) / (w0 + w1)) < 1e-6);
		/* In the order given. */
		for (size_t k = 0; k < DIM; k++)
			assert_true(fabs((double)of_a[k] - (double)parts[0][k] * sqrt(w0 / (w0 + w1))) < 1e-6);
		cairn_describer_free(joined);
	}
	cairn_image_free(a);
	cairn_image_free(b);
}

static void the_longest_side_is_that_of_the_most_demanding(void **state)
{
	(void)state;
	const char *small = model_new("small", 1), *large = model_new("large", 2);
	edit(large, "\"longest\": 64", "\"longest\": 512");
	for (int i = 0; i < 2; i++) {
		cairn_describer *describer = describer_new(i ? small : large, 1, i ? large : small, 1);
		assert_int_equal(cairn_describer_longest(describer), 512);
		cairn_describer_free(describer);
	}
}

/* ---- threads ---- */

struct describing {
	cairn_describer *describer;
	cairn_image *const *images;
	float out[6][DIM];
	int status;
};

static void *describe_all(void *context)
{
	struct describing *work = context;
	for (int i = 0; i < 6; i++)
		work->status |= cairn_describer_run(work->describer, work->images[i], NULL, work->out[i]);
	return NULL;
}

static void serves_several_threads(void **state)
{
	(void)state;
	struct describing work[4] = { { 0 } };
	pthread_t threads[3];
	cairn_image *images[6];
	cairn_describer *describer = describer_new(model_new("tiny", 1), 1, NULL, 0);
	for (uint32_t i = 0; i < 6; i++)
		images[i] = image_new(40 + 30 * i, 120, i);
	for (size_t i = 0; i < 4; i++)
		work[i] = (struct describing){ .describer = describer, .images = images };
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, describe_all, &work[i]), 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	describe_all(&work[3]);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(work[i].status, 0);
		assert_memory_equal(work[i].out, work[3].out, sizeof(work[i].out));
	}
	for (size_t i = 0; i < 6; i++)
		cairn_image_free(images[i]);
	cairn_describer_free(describer);
}

/* ---- what is refused ---- */

static void refuses_boxes_outside(void **state)
{
	(void)state;
	static const cairn_box boxes[] = {
		{ 120, 0, 130, 10 },
		{ 0, 90, 10, 100 },
		{ -20, -20, 0, 0 },
		{ 30, 30, 30, 40 },
		{ 50, 50, 40, 60 },
		{ 0, 0, (double)NAN, 10 },
		{ 0, 0, (double)INFINITY, 10 },
		{ (double)-INFINITY, 0, 10, 10 },
	};
	cairn_describer *describer = describer_new(model_new("tiny", 1), 1, NULL, 0);
	cairn_image *image = image_new(120, 90, 1);
	float out[DIM];
	for (size_t i = 0; i < sizeof(boxes) / sizeof(*boxes); i++)
		assert_fails(cairn_describer_run(describer, image, &boxes[i], out), CAIRN_EINVALID, NULL);
	assert_ok(cairn_describer_run(describer, image, NULL, out));
	cairn_image_free(image);
	cairn_describer_free(describer);
}

static void refuses_models(void **state)
{
	(void)state;
	const char *tiny = model_new("tiny", 1), *local = keep(cn_test_path(cn_test_folder(), "corners"));
	const cairn_describer_options future = { 9, 1, NULL }, precise = { CAIRN_DESCRIBER_OPTIONS_VERSION, 1, "f64" };
	model_write_local(local, "corners", 1);
	const struct {
		cairn_describer_model model;
		size_t count;
		const cairn_describer_options *options;
		int status;
		const char *text;
	} cases[] = {
		{ { tiny, 0 }, 1, NULL, CAIRN_EINVALID, "weight 0" },
		{ { tiny, -1 }, 1, NULL, CAIRN_EINVALID, "weight -1" },
		{ { tiny, NAN }, 1, NULL, CAIRN_EINVALID, "weight" },
		{ { tiny, INFINITY }, 1, NULL, CAIRN_EINVALID, "weight inf" },
		{ { tiny, 1 }, 0, NULL, CAIRN_EINVALID, "1 to 64 models" },
		{ { tiny, 1 }, 65, NULL, CAIRN_EINVALID, "1 to 64 models" },
		{ { local, 1 }, 1, NULL, CAIRN_EINVALID, "local features" },
		{ { "/nowhere/model", 1 }, 1, NULL, CAIRN_ENOTFOUND, "/nowhere/model" },
		{ { tiny, 1 }, 1, &future, CAIRN_EINVALID, "version 9" },
		{ { tiny, 1 }, 1, &precise, CAIRN_EINVALID, "f64" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cairn_describer *describer;
		assert_fails(cairn_describer_new(&describer, &cases[i].model, cases[i].count, cases[i].options),
			     cases[i].status, cases[i].text);
	}
	cairn_describer_free(NULL);
}

static void refuses_what_is_no_descriptor(void **state)
{
	(void)state;
	const char *model = model_new("tiny", 1);
	char *bytes;
	size_t length;
	const char *path = keep(cn_test_path(model, "model.onnx"));
	assert_ok(cn_file_read(path, 1 << 20, &bytes, &length));
	/* Weights of 3.4e38, whose sums overflow. */
	memset(bytes + length / 2, 0x7F, 256);
	cn_test_write(path, bytes, length);
	cairn_bytes_free(bytes);
	cairn_describer *describer = describer_new(model, 1, NULL, 0);
	cairn_image *image = image_new(120, 90, 1);
	float out[DIM];
	assert_fails(cairn_describer_run(describer, image, NULL, out), CAIRN_EBACKEND, "not finite");
	cairn_image_free(image);
	cairn_describer_free(describer);
}

struct scene {
	const char *model;
	cairn_image *image;
};

static int describe_once(void *context)
{
	const struct scene *scene = context;
	const cairn_describer_model models[] = { { scene->model, 1 } };
	const cairn_box box = { 10, 10, 100, 80 };
	cairn_describer *describer;
	float out[DIM];
	int status = cairn_describer_new(&describer, models, 1, &in_f32);
	if (status < 0)
		return status;
	status = cairn_describer_run(describer, scene->image, &box, out);
	cairn_describer_free(describer);
	return status;
}

static void survives_lack_of_memory(void **state)
{
	(void)state;
	struct scene scene = { model_new("tiny", 1), image_new(120, 90, 1) };
	assert_true(cn_torture(describe_once, &scene) > 20);
	cairn_image_free(scene.image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equals_a_plain_computation),
		cmocka_unit_test(describes_the_part_in_a_box),
		cmocka_unit_test(a_fixed_size_holds_for_all),
		cmocka_unit_test(all_parts_equal_a_plain_computation),
		cmocka_unit_test(refuses_what_does_not_fit_the_map),
		cmocka_unit_test(free_channels_are_checked_when_known),
		cmocka_unit_test(joined_cosines_are_weighted_means),
		cmocka_unit_test(the_longest_side_is_that_of_the_most_demanding),
		cmocka_unit_test(serves_several_threads),
		cmocka_unit_test(refuses_boxes_outside),
		cmocka_unit_test(refuses_models),
		cmocka_unit_test(refuses_what_is_no_descriptor),
		cmocka_unit_test(survives_lack_of_memory),
	};
	return cmocka_run_group_tests_name("global/describe", tests, NULL, NULL);
}
