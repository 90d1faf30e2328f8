/*
 * Local models of all methods through their networks: where points are, what is refused, and what a PCA learns.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../collection/photos.h"
#include "../model/networks.h"
#include "cairn/descriptors.h"
#include "cairn/features.h"
#include "local/network.h"
#include "model/onnx_write.h"
#include "torture.h"
#include "util/npy.h"

enum { WIDTH = 160, HEIGHT = 96 };

static const char *home;

#define INPUT                                                                                                          \
	"\"input\": {\"type\": \"f32\", \"layout\": \"NCHW\", \"channels\": \"RGB\", \"mean\": [127, 127, 127], "      \
	"\"std\": [64, 64, 64], \"longest\": 256, \"multiple\": %u}"
#define ATTENTIVE "\"method\": \"attentive\", \"descriptors\": \"map\", \"dim\": 8, \"max_points\": 10000"
#define BY_NORM   ATTENTIVE ", \"attention\": \"norm\""
#define BY_OUTPUT ATTENTIVE ", \"attention\": {\"output\": \"attention\"}"
#define DENSE     "\"method\": \"dense\", \"descriptors\": \"coarse\", \"dim\": 8, \"max_points\": 10000, \"threshold\": "
#define LISTED                                                                                                         \
	"\"method\": \"keypoints\", \"keypoints\": \"places\", \"scores\": \"scores\", \"coordinates\": \"pixels\","   \
	"\"dim\": 3, \"max_points\": 10000, \"descriptors\": \"descriptors\""
#define VIT                                                                                                            \
	"\"method\": \"attentive\", \"descriptors\": \"tokens\", \"attention\": \"norm\", \"dim\": 12, \"scales\": "   \
	"[1], \"max_points\": 1000, \"tokens\": {\"prefix\": 1, \"patch\": 16}"

/* A bundle whose network `make` makes; borrowed. @param part "local" or "global" */
static const char *bundle(void (*make)(const char *path, uint64_t seed), const char *part, const char *members,
			  unsigned multiple)
{
	static unsigned number;
	char name[32], json[2048];
	snprintf(name, sizeof(name), "net-%u", number++);
	const char *folder = keep(cn_test_path(home, name));
	int length =
		snprintf(json, sizeof(json),
			 "{\"format\": 1, \"name\": \"%s\", \"kind\": \"%s\", \"network\": \"model.onnx\", \"cache\": "
			 "false, " INPUT ", \"%s\": {%s}}",
			 name, part, multiple, part, members);
	assert_int_equal(mkdir(folder, 0700), 0);
	cn_test_write(cn_test_path(folder, "model.json"), json, (size_t)length);
	make(cn_test_path(folder, "model.onnx"), 5);
	return folder;
}

static cairn_model *opened(const char *folder)
{
	cairn_model_options how = CAIRN_MODEL_OPTIONS_INIT;
	cairn_model *model;
	how.threads = 1;
	how.precision = "f32";
	assert_ok(cairn_model_open(&model, folder, &how));
	return model;
}

/* Random blocks of 3 pixels; moved to the right and down, cyclically. */
static cairn_image *image_moved(size_t right, size_t down)
{
	static uint8_t pixels[HEIGHT][WIDTH][3];
	cairn_image *image;
	for (size_t y = 0; y < HEIGHT; y++)
		for (size_t x = 0; x < WIDTH; x++)
			for (size_t c = 0; c < 3; c++) {
				uint64_t block = (y / 3 * WIDTH + x / 3) * 3 + c + 77;
				pixels[(y + down) % HEIGHT][(x + right) % WIDTH][c] = (uint8_t)cn_test_random(&block);
			}
	assert_ok(cairn_image_new(&image, WIDTH, HEIGHT, &pixels[0][0][0]));
	return image;
}

static cn_points points_of(cairn_model *model, const cairn_image *image)
{
	cn_points points;
	uint32_t width, height;
	assert_ok(cn_local_points(model, image, 0, model->local.max_points, &width, &height, &points));
	assert_int_equal(width, WIDTH);
	assert_int_equal(height, HEIGHT);
	return points;
}

/* The point at this place with this score and descriptor. */
static int has_point(const cn_points *points, double x, double y, const cairn_keypoint *like, const float *descriptor)
{
	for (size_t i = 0; i < points->count; i++) {
		const cairn_keypoint *point = &points->keypoints[i];
		double product = 0;
		for (size_t c = 0; c < points->dim; c++)
			product += (double)descriptor[c] * (double)points->descriptors[i * points->dim + c];
		if (fabs((double)point->x - x) < 0.01 && fabs((double)point->y - y) < 0.01 &&
		    fabsf(point->score - like->score) < 1e-3f && fabsf(point->scale - like->scale) < 0.01f &&
		    product > 0.9999)
			return 1;
	}
	return 0;
}

/* How far a point's neighbourhood reaches, with what interpolation adds at the largest scale. */
static int is_far_inside(const cairn_keypoint *point, double reach, double right, double down)
{
	reach += (double)point->scale;
	return (double)point->x > reach && (double)point->y > reach && (double)point->x + right < WIDTH - 1 - reach &&
	       (double)point->y + down < HEIGHT - 1 - reach;
}

static void moved_images_have_moved_points(void **state)
{
	(void)state;
	static const struct {
		void (*make)(const char *path, uint64_t seed);
		const char *members;
		double reach;
	} cases[] = {
		{ make_attentive, BY_NORM ", \"scales\": [1]", 1 },
		{ make_attentive, BY_OUTPUT ", \"scales\": [0.5, 1, 2], \"threshold\": 0.5", 8 },
		{ make_detector, DENSE "0.6, \"keypoints\": \"heat\"", 13 },
		{ make_detector, DENSE "0.02, \"keypoints\": \"cells\"", 20 },
		{ make_detector, LISTED ", \"threshold\": 0.85", 4 },
	};
	cairn_image *still = image_moved(0, 0), *moved = image_moved(16, 8);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cairn_model *model = opened(bundle(cases[i].make, "local", cases[i].members, 8));
		cn_points before = points_of(model, still), after = points_of(model, moved);
		size_t compared = 0;
		for (size_t k = 0; k < before.count; k++) {
			const cairn_keypoint *point = &before.keypoints[k];
			if (!is_far_inside(point, cases[i].reach, 16, 8))
				continue;
			compared++;
			assert_true(has_point(&after, (double)point->x + 16, (double)point->y + 8, point,
					      before.descriptors + k * before.dim));
		}
		assert_true(compared > 20);
		cn_points_free(&before);
		cn_points_free(&after);
		cairn_model_free(model);
	}
	cairn_image_free(still);
	cairn_image_free(moved);
}

/* Whatever the scale, a feature's box has the only spot that there is in it. */
static void a_spot_is_where_it_is(void **state)
{
	(void)state;
	static const char *const scales[] = { "0.5", "1", "2" };
	static uint8_t pixels[HEIGHT][WIDTH][3];
	cairn_image *image;
	memset(pixels, 127, sizeof(pixels));
	memset(&pixels[40][100], 255, 2 * sizeof(pixels[0][0]));
	memset(&pixels[41][100], 255, 2 * sizeof(pixels[0][0]));
	assert_ok(cairn_image_new(&image, WIDTH, HEIGHT, &pixels[0][0][0]));
	for (size_t i = 0; i < 3; i++) {
		char members[512];
		snprintf(members, sizeof(members), BY_NORM ", \"scales\": [%s], \"threshold\": 0.01", scales[i]);
		cairn_model *model = opened(bundle(make_attentive, "local", members, 1));
		cn_points points = points_of(model, image);
		assert_true(points.count >= 1);
		for (size_t k = 0; k < points.count; k++) {
			const cairn_keypoint *point = &points.keypoints[k];
			assert_float_equal(point->scale, 3 / atof(scales[i]), 1e-4);
			assert_true(fabs((double)point->x - 100.5) <= (double)point->scale + 1.5);
			assert_true(fabs((double)point->y - 40.5) <= (double)point->scale + 1.5);
		}
		cn_points_free(&points);
		cairn_model_free(model);
	}
	cairn_image_free(image);
}

static void given_fields_are_used(void **state)
{
	(void)state;
	cairn_image *image = image_moved(0, 0);
	cairn_model *computed = opened(bundle(make_attentive, "local", BY_NORM ", \"scales\": [1]", 8));
	cairn_model *given =
		opened(bundle(make_attentive, "local",
			      BY_NORM ", \"scales\": [1], \"receptive_field\": {\"size\": 10, \"stride\": 4, "
				      "\"pad\": 1}",
			      8));
	assert_null(given->field);
	cn_points a = points_of(computed, image), b = points_of(given, image);
	assert_int_equal(a.count, b.count);
	for (size_t i = 0; i < a.count; i++) {
		assert_float_equal(a.keypoints[i].scale, 3, 1e-5);
		assert_float_equal(b.keypoints[i].scale, 5, 1e-5);
		assert_float_equal(fminf(a.keypoints[i].x + 2, WIDTH - 1), b.keypoints[i].x, 1e-3);
	}
	cn_points_free(&a);
	cn_points_free(&b);
	cairn_model_free(computed);
	cairn_model_free(given);
	cairn_image_free(image);
}

static void fingerprints_know_every_member(void **state)
{
	(void)state;
	static const char *const members[] = {
		BY_NORM,
		BY_OUTPUT,
		BY_NORM ", \"threshold\": 0.1",
		BY_NORM ", \"iou\": 0.5",
		BY_NORM ", \"scales\": [1]",
		BY_NORM ", \"scales\": [1, 0.5]",
		BY_NORM ", \"receptive_field\": {\"size\": 10, \"stride\": 4, \"pad\": 1}",
		BY_NORM ", \"receptive_field\": {\"size\": 10, \"stride\": 4, \"pad\": 2}",
		"\"method\": \"attentive\", \"descriptors\": \"map\", \"dim\": 8, \"max_points\": 9, \"attention\": "
		"\"norm\"",
		"\"method\": \"dense\", \"descriptors\": \"map\", \"dim\": 8, \"max_points\": 9, \"threshold\": 0, "
		"\"keypoints\": \"map\"",
		"\"method\": \"dense\", \"descriptors\": \"map\", \"dim\": 8, \"max_points\": 9, \"threshold\": 0, "
		"\"keypoints\": \"map\", \"radius\": 3",
		"\"method\": \"dense\", \"descriptors\": \"map\", \"dim\": 8, \"max_points\": 9, \"threshold\": 0, "
		"\"keypoints\": \"map\", \"border\": 3",
	};
	enum { COUNT = sizeof(members) / sizeof(members[0]) };
	char prints[COUNT][33];
	for (size_t i = 0; i < COUNT; i++) {
		cairn_model *model;
		assert_ok(cairn_model_inspect(&model, bundle(make_attentive, "local", members[i], 8)));
		memcpy(prints[i], model->fingerprint, sizeof(prints[i]));
		cairn_model_free(model);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(prints[i], prints[k]);
	}
}

/* ---- what networks list ---- */

static void as_many_as_are_listed(void **state)
{
	(void)state;
	cairn_model *model = opened(bundle(make_detector, "local", LISTED, 1));
	cairn_image *image = image_moved(0, 0), *grey;
	static uint8_t pixels[HEIGHT][WIDTH][3];
	memset(pixels, 127, sizeof(pixels));
	assert_ok(cairn_image_new(&grey, WIDTH, HEIGHT, &pixels[0][0][0]));
	cn_points points = points_of(model, image);
	const uint8_t *rgb = cairn_image_pixels(image);
	assert_true(points.count > 50);
	for (size_t i = 0; i < points.count; i++) {
		const cairn_keypoint *point = &points.keypoints[i];
		const uint8_t *pixel = rgb + 3 * ((size_t)point->y * WIDTH + (size_t)point->x);
		double norm = 0, product = 0;
		for (size_t c = 0; c < 3; c++) {
			double number = (pixel[c] - 127) / 64.0;
			norm += number * number;
			product += number * (double)points.descriptors[3 * i + c];
		}
		assert_float_equal(product, sqrt(norm), 1e-4);
		assert_true(point->score > 0.8f && point->score <= 1);
	}
	cn_points_free(&points);
	/* Where nothing differs from grey, no pixel's heat is above 1/2. */
	points = points_of(model, grey);
	assert_int_equal(points.count, 0);
	cn_points_free(&points);
	cairn_model_free(model);
	cairn_image_free(image);
	cairn_image_free(grey);
}

/* ---- the PCA ---- */

static const char *photos[24]; /* the second half are the first again */

static int learn_from(size_t count, const char *model, const char *target, uint32_t dim, uint32_t threads)
{
	cairn_extractor_options options = CAIRN_EXTRACTOR_OPTIONS_INIT;
	options.threads = threads;
	options.precision = "f32";
	return cairn_features_learn_pca(model, target, dim, 1, photos, count, &options, NULL, NULL);
}

static int learn(const char *model, const char *target, uint32_t dim, uint32_t threads)
{
	return learn_from(12, model, target, dim, threads);
}

static void multiply(double matrix[8][8], const double *vector, double *out)
{
	for (size_t i = 0; i < 8; i++) {
		out[i] = 0;
		for (size_t k = 0; k < 8; k++)
			out[i] += matrix[i][k] * vector[k];
	}
}

/* The axis of largest variance by power iteration; taken out of the matrix. */
static void next_axis(double covariance[8][8], double *axis)
{
	double variance = 0;
	for (size_t i = 0; i < 8; i++)
		axis[i] = 1 + (double)i / 7;
	for (int round = 0; round < 20000; round++) {
		double turned[8];
		multiply(covariance, axis, turned);
		variance = 0;
		for (size_t i = 0; i < 8; i++)
			variance += turned[i] * turned[i];
		variance = sqrt(variance);
		for (size_t i = 0; i < 8; i++)
			axis[i] = turned[i] / variance;
	}
	for (size_t i = 0; i < 8; i++)
		for (size_t k = 0; k < 8; k++)
			covariance[i][k] -= variance * axis[i] * axis[k];
}

/* Mean and covariance of all descriptors of the photographs, which are fewer than the sample may hold. */
static void measure(cairn_model *model, double mean[8], double covariance[8][8])
{
	double count = 0, squares[8][8] = { { 0 } };
	for (size_t i = 0; i < 12; i++) {
		cairn_image *image;
		cn_points points;
		uint32_t width, height;
		assert_ok(cairn_image_open(&image, photos[i], NULL));
		assert_ok(cn_local_points(model, image, 0, 10000, &width, &height, &points));
		for (size_t k = 0; k < points.count; k++, count++)
			for (size_t a = 0; a < 8; a++) {
				double number = (double)points.descriptors[8 * k + a];
				mean[a] += number;
				for (size_t b = 0; b < 8; b++)
					squares[a][b] += number * (double)points.descriptors[8 * k + b];
			}
		cn_points_free(&points);
		cairn_image_free(image);
	}
	for (size_t a = 0; a < 8; a++)
		mean[a] /= count;
	for (size_t a = 0; a < 8; a++)
		for (size_t b = 0; b < 8; b++)
			covariance[a][b] = squares[a][b] / count - mean[a] * mean[b];
}

static void a_pca_is_learned_and_applied(void **state)
{
	(void)state;
	enum { KEPT = 3 };
	const char *folder = bundle(make_attentive, "local", BY_NORM ", \"threshold\": 0.1", 8);
	cairn_model *plain = opened(folder);
	double mean[8] = { 0 }, covariance[8][8], axes[KEPT][8];
	measure(plain, mean, covariance);
	for (size_t i = 0; i < KEPT; i++)
		next_axis(covariance, axes[i]);
	assert_ok(learn(folder, "short", KEPT, 1));
	cairn_model *learned = opened("short");
	assert_int_equal(learned->local.kept, KEPT);
	assert_string_not_equal(learned->fingerprint, plain->fingerprint);
	cairn_image *image = image_moved(0, 0);
	cn_points before = points_of(plain, image), after = points_of(learned, image);
	assert_ok(cn_points_project(&plain->local, &before));
	assert_int_equal(before.dim, 8);
	assert_ok(cn_points_project(&learned->local, &after));
	assert_int_equal(after.dim, KEPT);
	assert_int_equal(after.count, before.count);
	assert_memory_equal(after.keypoints, before.keypoints, after.count * sizeof(*after.keypoints));
	for (size_t i = 0; i < after.count; i++) {
		double expected[KEPT] = { 0 }, norm = 0;
		for (size_t k = 0; k < KEPT; k++) {
			double positive = 0;
			for (size_t c = 0; c < 8; c++) {
				positive = fabs(axes[k][c]) > fabs(positive) ? axes[k][c] : positive;
				expected[k] += axes[k][c] * ((double)before.descriptors[8 * i + c] - mean[c]);
			}
			expected[k] = positive < 0 ? -expected[k] : expected[k];
			norm += expected[k] * expected[k];
		}
		for (size_t k = 0; k < KEPT; k++)
			assert_float_equal(after.descriptors[KEPT * i + k], expected[k] / sqrt(norm), 2e-3);
	}
	cn_points_free(&before);
	cn_points_free(&after);
	cairn_model_free(plain);
	cairn_model_free(learned);
	cairn_image_free(image);
}

static void a_pca_does_not_depend_on_threads(void **state)
{
	(void)state;
	const char *folder = bundle(make_attentive, "local", BY_NORM, 8);
	cn_npy one, many;
	/* More descriptors than the sample holds. */
	assert_ok(learn_from(24, folder, "pca-one", 5, 1));
	assert_ok(learn_from(24, folder, "pca-many", 5, 3));
	assert_ok(cn_npy_open(&one, cn_test_path(home, "pca-one/projection.npy")));
	assert_ok(cn_npy_open(&many, cn_test_path(home, "pca-many/projection.npy")));
	assert_int_equal(one.count, 40);
	assert_memory_equal(one.data, many.data, 40 * sizeof(float));
	cn_npy_close(&one);
	cn_npy_close(&many);
	/* Learned again, from what the network gives as before. */
	assert_ok(learn_from(24, "pca-one", "pca-one", 5, 1));
	assert_ok(cn_npy_open(&one, cn_test_path(home, "pca-one/projection.npy")));
	assert_ok(cn_npy_open(&many, cn_test_path(home, "pca-many/projection.npy")));
	assert_memory_equal(one.data, many.data, 40 * sizeof(float));
	cn_npy_close(&one);
	cn_npy_close(&many);
}

static void a_pca_must_fit(void **state)
{
	(void)state;
	static const char *const missing[] = { "/nowhere/1.png", "/nowhere/2.png" };
	const char *local = bundle(make_attentive, "local", BY_NORM, 8);
	const char *global = bundle(make_attentive, "global", "\"output\": \"map\", \"pool\": \"mac\", \"dim\": 8", 8);
	assert_fails(learn(local, "x", 9, 1), CAIRN_EINVALID, "8 dimensions; 9");
	assert_fails(learn(local, "x", 0, 1), CAIRN_EINVALID, "0 cannot be kept");
	assert_fails(learn(global, "x", 4, 1), CAIRN_EINVALID, "model whiten");
	assert_fails(cairn_features_learn_pca(local, "x", 4, 0, missing, 2, NULL, NULL, NULL), CAIRN_EINVALID,
		     "at least 5 descriptors; the images gave 0");
	assert_ok(learn(local, "taken", 4, 1));
	assert_fails(cairn_features_learn_pca(local, "taken", 4, 0, photos, 12, NULL, NULL, NULL), CAIRN_EEXISTS,
		     "--replace");
	const float numbers[8] = { 0 };
	cairn_model *model;
	assert_ok(cn_npy_write(cn_test_path(home, "taken/projection.npy"), CN_NPY_F32, 2, (const size_t[]){ 1, 7 },
			       numbers));
	assert_fails(cairn_model_open(&model, "taken", NULL), CAIRN_EFORMAT, "projection.npy");
}

struct work {
	cairn_model *model;
	cairn_image *image;
};

static int find_points(void *context)
{
	const struct work *work = context;
	uint32_t width, height;
	cn_points points;
	CN_TRY(cn_local_points(work->model, work->image, 0, 100, &width, &height, &points));
	int status = cn_points_project(&work->model->local, &points);
	cn_points_free(&points);
	return status;
}

static void a_lack_of_memory_is_survived(void **state)
{
	(void)state;
	static const struct {
		const char *members;
		void (*make)(const char *path, uint64_t seed);
		long least;
	} cases[] = {
		{ BY_OUTPUT ", \"iou\": 0.5, \"scales\": [1, 0.5]", make_attentive, 12 },
		{ VIT, make_vit, 7 },
		{ DENSE "0.02, \"keypoints\": \"cells\"", make_detector, 7 },
		{ LISTED, make_detector, 4 },
	};
	struct work work = { .image = image_moved(0, 0) };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *folder = bundle(cases[i].make, "local", cases[i].members, 16);
		assert_ok(learn(folder, "tortured", 2, 1));
		work.model = opened("tortured");
		assert_true(cn_torture(find_points, &work) >= cases[i].least);
		cairn_model_free(work.model);
	}
	cairn_image_free(work.image);
}

/* ---- transformers ---- */

/* Tokens of a network run on an image, less the prefix. */
static float *tokens_of(const char *folder, const cairn_image *image, size_t *count)
{
	cairn_model *model = opened(folder);
	cn_request *request;
	cn_tensor tokens;
	assert_ok(cn_model_run(model, cairn_image_pixels(image), WIDTH, HEIGHT, &request));
	assert_ok(cn_request_output(request, "tokens", &tokens));
	*count = tokens.shape[1];
	float *copy = malloc(tokens.count * sizeof(*copy));
	memcpy(copy, tokens.data, tokens.count * sizeof(*copy));
	cn_network_release(model->network, request);
	cairn_model_free(model);
	return copy;
}

static void tokens_are_local_features(void **state)
{
	(void)state;
	const char *folder = bundle(make_vit, "local", VIT, 16);
	cairn_model *model = opened(folder);
	cairn_image *image = image_moved(0, 0), *moved = image_moved(32, 16);
	size_t count;
	float *tokens = tokens_of(folder, image, &count);
	cn_points points = points_of(model, image), after = points_of(model, moved);
	assert_int_equal(count, 1 + WIDTH / 16 * HEIGHT / 16);
	assert_int_equal(points.count, count - 1);
	for (size_t i = 1; i < count; i++) {
		const float *token = tokens + i * VIT_CHANNELS;
		size_t x = (i - 1) % (WIDTH / 16) * 16, y = (i - 1) / (WIDTH / 16) * 16;
		cairn_keypoint point = { .scale = 8 };
		float unit[VIT_CHANNELS];
		double square = 0;
		for (size_t c = 0; c < VIT_CHANNELS; c++)
			square += (double)token[c] * (double)token[c];
		for (size_t c = 0; c < VIT_CHANNELS; c++)
			unit[c] = (float)((double)token[c] / sqrt(square));
		point.score = (float)sqrt(square);
		assert_true(has_point(&points, (double)x + 7.5, (double)y + 7.5, &point, unit));
		/* Without position embeddings, patches that change places take their tokens along. */
		assert_true(has_point(&after, (double)((x + 32) % WIDTH) + 7.5, (double)((y + 16) % HEIGHT) + 7.5,
				      &point, unit));
	}
	free(tokens);
	cn_points_free(&points);
	cn_points_free(&after);
	cairn_model_free(model);
	cairn_image_free(image);
	cairn_image_free(moved);
}

static void describe(const char *folder, const cairn_image *image, float *out)
{
	const cairn_describer_model models[] = { { folder, 1 } };
	const cairn_describer_options options = { CAIRN_DESCRIBER_OPTIONS_VERSION, 1, "f32" };
	cairn_describer *describer;
	assert_ok(cairn_describer_new(&describer, models, 1, &options));
	assert_int_equal(cairn_describer_dim(describer), VIT_CHANNELS);
	assert_ok(cairn_describer_run(describer, image, NULL, out));
	cairn_describer_free(describer);
}

static void assert_along(const float *unit, const double *expected)
{
	double norm = 0, product = 0;
	for (size_t c = 0; c < VIT_CHANNELS; c++) {
		norm += expected[c] * expected[c];
		product += expected[c] * (double)unit[c];
	}
	assert_float_equal(product, sqrt(norm), 1e-4);
}

static void tokens_are_global_descriptors(void **state)
{
	(void)state;
	static const char tokens[] =
		"\"output\": \"tokens\", \"tokens\": {\"prefix\": 1, \"patch\": 16}, \"dim\": 12, ";
	char members[512];
	cairn_image *image = image_moved(0, 0);
	size_t count;
	float row[VIT_CHANNELS];
	double expected[VIT_CHANNELS] = { 0 };
	snprintf(members, sizeof(members), "%s\"pool\": \"none\"", tokens);
	const char *folder = bundle(make_vit, "global", members, 16);
	float *given = tokens_of(folder, image, &count);
	for (size_t c = 0; c < VIT_CHANNELS; c++)
		expected[c] = (double)given[c];
	describe(folder, image, row);
	assert_along(row, expected);
	snprintf(members, sizeof(members), "%s\"pool\": \"gem\", \"p\": 3", tokens);
	describe(bundle(make_vit, "global", members, 16), image, row);
	for (size_t c = 0; c < VIT_CHANNELS; c++) {
		double sum = 0;
		for (size_t i = 1; i < count; i++)
			sum += pow(fmax((double)given[i * VIT_CHANNELS + c], 1e-6), 3);
		expected[c] = cbrt(sum / (double)(count - 1));
	}
	assert_along(row, expected);
	free(given);
	cairn_image_free(image);
}

/* ---- networks that do not keep their word ---- */

static void broken(const char *path, uint64_t seed)
{
	(void)seed;
	cn_onnx_graph *graph;
	assert_ok(cn_onnx_graph_new(&graph, "broken"));
	const char *x = cn_onnx_graph_input(graph, "image", CN_TENSOR_F32, 4, (const int64_t[]){ 1, 3, -1, -1 });
	float weight[24 * 16] = { 0 };
	const char *zeros = cn_onnx_conv(
		graph, x,
		&(cn_onnx_conv_spec){ .weight = weight, .outputs = 8, .inputs = 3, .kernel = 4, .stride = 4 });
	const char *none = cn_onnx_op(graph, "Div", zeros, zeros);
	const char *infinite = cn_onnx_op(graph, "Log", zeros, NULL);
	cn_onnx_graph_output(graph, none, "map", 4, (const int64_t[]){ 1, 8, -1, -1 });
	cn_onnx_graph_output(graph, infinite, "coarse", 4, (const int64_t[]){ 1, 8, -1, -1 });
	cn_onnx_graph_output(graph, cn_onnx_op(graph, "Softplus", zeros, NULL), "fine", 4,
			     (const int64_t[]){ 1, 8, -1, -1 });
	cn_onnx_graph_output(graph, cn_onnx_op(graph, "Sqrt", x, NULL), "free", 4, (const int64_t[]){ 1, -1, -1, -1 });
	assert_ok(cn_onnx_graph_write(graph, path));
	cn_onnx_graph_free(graph);
}

static void outputs_must_be_as_promised(void **state)
{
	(void)state;
	static const struct {
		void (*make)(const char *path, uint64_t seed);
		const char *members, *part;
		int status;
	} cases[] = {
		{ make_attentive, ATTENTIVE ", \"scales\": [1], \"attention\": {\"output\": \"narrow\"}",
		  "'narrow' is 12 x 20", CAIRN_EFORMAT },
		{ make_attentive, ATTENTIVE ", \"attention\": {\"output\": \"map\"}", "8 channels, but must have 1",
		  CAIRN_EFORMAT },
		{ make_detector, DENSE "0.1, \"keypoints\": \"coarse\"", "heat map", CAIRN_EFORMAT },
		{ make_detector, DENSE "0.1, \"keypoints\": \"places\"", "neither a vector", CAIRN_EFORMAT },
		{ make_detector,
		  "\"method\": \"keypoints\", \"keypoints\": \"places\", \"scores\": \"all_scores\", \"coordinates\": "
		  "\"pixels\", \"dim\": 3, \"max_points\": 10, \"descriptors\": \"descriptors\"",
		  "'all_scores' is not 1 x N", CAIRN_EFORMAT },
		{ make_detector,
		  "\"method\": \"keypoints\", \"keypoints\": \"heat\", \"scores\": \"scores\", \"coordinates\": "
		  "\"pixels\", \"dim\": 3, \"max_points\": 10, \"descriptors\": \"descriptors\"",
		  "'heat' is not 1 x N x 2", CAIRN_EFORMAT },
		{ make_vit,
		  "\"method\": \"attentive\", \"descriptors\": \"tokens\", \"attention\": \"norm\", \"dim\": 12, "
		  "\"scales\": [1], \"max_points\": 9, \"tokens\": {\"prefix\": 2, \"patch\": 16}",
		  "61 tokens, but 2 and 10 x 6", CAIRN_EFORMAT },
		{ make_vit,
		  "\"method\": \"dense\", \"keypoints\": \"tokens\", \"descriptors\": \"tokens\", \"dim\": 61, "
		  "\"max_points\": 9, \"threshold\": 0",
		  "neither a vector", CAIRN_EFORMAT },
		{ broken, BY_NORM, "not finite", CAIRN_EBACKEND },
		{ broken, DENSE "0, \"keypoints\": \"fine\"", "heat map", CAIRN_EFORMAT },
		{ broken,
		  "\"method\": \"attentive\", \"descriptors\": \"coarse\", \"attention\": \"norm\", \"dim\": 8, "
		  "\"max_points\": 9",
		  "not finite", CAIRN_EBACKEND },
		{ broken,
		  "\"method\": \"attentive\", \"descriptors\": \"fine\", \"attention\": {\"output\": \"free\"}, "
		  "\"dim\": 8, "
		  "\"max_points\": 9",
		  "3 channels, but must have 1", CAIRN_EFORMAT },
		{ broken,
		  "\"method\": \"attentive\", \"descriptors\": \"free\", \"attention\": \"norm\", \"dim\": 8, "
		  "\"max_points\": 9",
		  "3 channels, but must have 8", CAIRN_EFORMAT },
	};
	cairn_image *image = image_moved(0, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cairn_model *model = opened(bundle(cases[i].make, "local", cases[i].members, 8));
		cn_points points;
		uint32_t width, height;
		assert_fails(cn_local_points(model, image, 0, 100, &width, &height, &points), cases[i].status,
			     cases[i].part);
		cairn_model_free(model);
	}
	cairn_image_free(image);
}

static void networks_that_do_not_fit(void **state)
{
	(void)state;
	static const struct {
		void (*make)(const char *path, uint64_t seed);
		const char *members, *part;
		int status;
	} cases[] = {
		{ make_attentive, ATTENTIVE ", \"attention\": {\"output\": \"a\"}", "no output 'a' (\"attention\"",
		  CAIRN_EFORMAT },
		{ make_attentive,
		  "\"method\": \"attentive\", \"descriptors\": \"map\", \"attention\": \"norm\", \"dim\": 9, "
		  "\"max_points\": 9",
		  "has 8 channels; model.json says \"dim\" 9", CAIRN_EFORMAT },
		{ make_vit,
		  "\"method\": \"attentive\", \"descriptors\": \"tokens\", \"attention\": \"norm\", \"dim\": 11, "
		  "\"max_points\": 9, \"tokens\": {\"prefix\": 1, \"patch\": 16}",
		  "has 12 channels", CAIRN_EFORMAT },
		{ make_detector,
		  "\"method\": \"attentive\", \"descriptors\": \"descriptors\", \"attention\": \"norm\", \"dim\": 3, "
		  "\"max_points\": 9, \"scales\": [1]",
		  "Greater", CAIRN_EUNSUPPORTED },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cairn_model *model;
		assert_fails(cairn_model_open(&model, bundle(cases[i].make, "local", cases[i].members, 8), NULL),
			     cases[i].status, cases[i].part);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moved_images_have_moved_points),
		cmocka_unit_test(a_spot_is_where_it_is),
		cmocka_unit_test(given_fields_are_used),
		cmocka_unit_test(fingerprints_know_every_member),
		cmocka_unit_test(as_many_as_are_listed),
		cmocka_unit_test(a_pca_is_learned_and_applied),
		cmocka_unit_test(a_pca_does_not_depend_on_threads),
		cmocka_unit_test(a_pca_must_fit),
		cmocka_unit_test(a_lack_of_memory_is_survived),
		cmocka_unit_test(tokens_are_local_features),
		cmocka_unit_test(tokens_are_global_descriptors),
		cmocka_unit_test(outputs_must_be_as_promised),
		cmocka_unit_test(networks_that_do_not_fit),
	};
	home = keep(model_home_new());
	const char *folder = photo_folder(12, 3);
	for (size_t i = 0; i < 24; i++) {
		char name[32];
		snprintf(name, sizeof(name), "%03zu.png", i % 12);
		photos[i] = keep(cn_test_path(folder, name));
	}
	return cmocka_run_group_tests_name("local/network", tests, NULL, NULL);
}
