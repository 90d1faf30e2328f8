/*
 * The public extractor: options, parts of images, images that were reduced on loading, and what is refused.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../collection/photos.h"
#include "cairn/features.h"
#include "scenes.h"
#include "torture.h"

enum { WIDTH = 300, HEIGHT = 220 };

static cairn_image *photo;
static const char *tiny_local, *tiny_global;

static int set_up(void **state)
{
	(void)state;
	float *grey = scene_texture(WIDTH, HEIGHT, 4);
	uint8_t *pixels = malloc((size_t)3 * WIDTH * HEIGHT);
	for (size_t i = 0; i < (size_t)3 * WIDTH * HEIGHT; i++)
		pixels[i] = (uint8_t)grey[i / 3];
	assert_ok(cairn_image_new(&photo, WIDTH, HEIGHT, pixels));
	free(pixels);
	free(grey);
	const char *home = keep(model_home_new());
	model_write_local(keep(cn_test_path(home, "tiny-local")), "tiny-local", 3);
	model_write(keep(cn_test_path(home, "tiny-global")), "tiny-global", 3);
	tiny_local = "tiny-local";
	tiny_global = "tiny-global";
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	cairn_image_free(photo);
	return 0;
}

static cairn_features *extract(const char *name, const cairn_extractor_options *options, const cairn_image *image,
			       const cairn_box *box)
{
	cairn_extractor *extractor;
	cairn_features *features;
	assert_ok(cairn_extractor_new(&extractor, name, options));
	assert_string_equal(cairn_extractor_kind(extractor), name);
	assert_ok(cairn_extractor_run(extractor, image, box, &features));
	cairn_extractor_free(extractor);
	assert_string_equal(cairn_features_kind(features), name);
	return features;
}

static void options_are_kept(void **state)
{
	(void)state;
	static const char *const names[] = { "rootsift", "tiny-local" };
	for (size_t i = 0; i < 2; i++) {
		cairn_extractor_options options = CAIRN_EXTRACTOR_OPTIONS_INIT;
		options.max_points = 7;
		options.longest = 128;
		options.threads = 1;
		cairn_features *features = extract(names[i], &options, photo, NULL);
		assert_in_range(cairn_features_count(features), 1, 7);
		assert_int_equal(cairn_features_width(features), WIDTH);
		assert_int_equal(cairn_features_height(features), HEIGHT);
		const cairn_keypoint *points = cairn_features_keypoints(features);
		for (size_t k = 0; k < cairn_features_count(features); k++)
			assert_true(points[k].x >= -0.5f && points[k].x <= WIDTH - 0.5f && points[k].y >= -0.5f &&
				    points[k].y <= HEIGHT - 0.5f);
		cairn_features_free(features);
	}
	cairn_extractor *extractor;
	assert_ok(cairn_extractor_new(&extractor, "rootsift", NULL));
	assert_int_equal(cairn_extractor_longest(extractor), 1024);
	cairn_extractor_free(extractor);
	cairn_extractor_free(NULL);
}

/* How many of `a` have one of `b` at their place and scale. */
static size_t shared(const cairn_features *a, const cairn_features *b, float near)
{
	const cairn_keypoint *p = cairn_features_keypoints(a), *q = cairn_features_keypoints(b);
	size_t found = 0;
	for (size_t i = 0; i < cairn_features_count(a); i++)
		for (size_t k = 0; k < cairn_features_count(b); k++)
			if (hypotf(p[i].x - q[k].x, p[i].y - q[k].y) < near &&
			    fabsf(p[i].scale - q[k].scale) < 0.15f * p[i].scale) {
				found++;
				break;
			}
	return found;
}

static void a_part_has_the_points_of_the_whole_in_its_place(void **state)
{
	(void)state;
	const cairn_box box = { 100, 60, 260, 200 };
	cairn_features *whole = extract("rootsift", NULL, photo, NULL);
	cairn_features *part = extract("rootsift", NULL, photo, &box);
	assert_true(cairn_features_count(part) > 50);
	assert_true(cairn_features_count(part) < cairn_features_count(whole));
	assert_int_equal(cairn_features_width(part), WIDTH);
	const cairn_keypoint *points = cairn_features_keypoints(part);
	for (size_t i = 0; i < cairn_features_count(part); i++)
		assert_true(points[i].x >= 99.5f && points[i].x <= 259.5f && points[i].y >= 59.5f &&
			    points[i].y <= 199.5f);
	assert_true(shared(part, whole, 0.3f) > cairn_features_count(part) * 8 / 10);
	cairn_features_free(whole);
	cairn_features_free(part);
}

/* The decoder may give a quarter of the pixels; coordinates are those of the file all the same. */
static void coordinates_are_those_of_the_file(void **state)
{
	(void)state;
	cairn_image *larger, *whole, *reduced;
	cairn_image_options how = CAIRN_IMAGE_OPTIONS_INIT;
	const char *path = keep(cn_test_path(cn_test_folder(), "large.png"));
	assert_ok(cairn_image_resize(&larger, photo, 2 * WIDTH, 2 * HEIGHT));
	assert_ok(cairn_image_save(larger, path));
	assert_ok(cairn_image_open(&whole, path, &how));
	how.shrink_to = WIDTH;
	assert_ok(cairn_image_open(&reduced, path, &how));
	assert_int_equal(cairn_image_width(reduced), WIDTH);
	cairn_features *of_file = extract("rootsift", NULL, whole, NULL);
	cairn_features *of_reduced = extract("rootsift", NULL, reduced, NULL);
	assert_int_equal(cairn_features_width(of_reduced), 2 * WIDTH);
	assert_true(shared(of_reduced, of_file, 1) > cairn_features_count(of_reduced) / 2);
	cairn_features_free(of_file);
	cairn_features_free(of_reduced);
	cairn_image_free(larger);
	cairn_image_free(whole);
	cairn_image_free(reduced);
}

static void codes_are_those_of_unit_vectors(void **state)
{
	(void)state;
	cairn_features *features = extract("rootsift", NULL, photo, NULL);
	size_t dim = cairn_features_dim(features);
	const int8_t *codes = cairn_features_codes(features);
	double scale = (double)cairn_features_code_scale(features);
	assert_int_equal(dim, 128);
	for (size_t i = 0; i < cairn_features_count(features); i++) {
		double square = 0;
		for (size_t k = 0; k < dim; k++) {
			assert_true(codes[i * dim + k] >= 0);
			square += scale * scale * codes[i * dim + k] * codes[i * dim + k];
		}
		assert_float_equal(square, 1, 0.03);
	}
	cairn_features_free(features);
}

static void refuses(void **state)
{
	(void)state;
	const struct {
		const char *name;
		cairn_extractor_options options;
		int status;
		const char *text;
	} cases[] = {
		{ "rootsift", { 9, 0, 0, 0, NULL }, CAIRN_EINVALID, "version 9" },
		{ "rootsift", { CAIRN_EXTRACTOR_OPTIONS_VERSION, 2000000, 0, 0, NULL }, CAIRN_EINVALID, "2000000" },
		{ "rootsift", { CAIRN_EXTRACTOR_OPTIONS_VERSION, 0, 20000, 0, NULL }, CAIRN_EINVALID, "20000" },
		{ "no-such", { CAIRN_EXTRACTOR_OPTIONS_VERSION, 0, 0, 0, NULL }, CAIRN_ENOTFOUND, "no-such" },
		{ tiny_global, { CAIRN_EXTRACTOR_OPTIONS_VERSION, 0, 0, 0, NULL }, CAIRN_EINVALID, "global" },
		{ tiny_local, { CAIRN_EXTRACTOR_OPTIONS_VERSION, 0, 0, 0, "f8" }, CAIRN_EINVALID, "f8" },
	};
	cairn_extractor *extractor;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_fails(cairn_extractor_new(&extractor, cases[i].name, &cases[i].options), cases[i].status,
			     cases[i].text);
	const cairn_box outside = { 400, 0, 500, 100 };
	cairn_features *features;
	assert_ok(cairn_extractor_new(&extractor, "rootsift", NULL));
	assert_fails(cairn_extractor_run(extractor, photo, &outside, &features), CAIRN_EINVALID, NULL);
	cairn_extractor_free(extractor);
}

static int make_and_run(void *context)
{
	const cairn_box box = { 20, 20, 120, 100 };
	cairn_extractor_options options = CAIRN_EXTRACTOR_OPTIONS_INIT;
	cairn_extractor *extractor = NULL;
	cairn_features *features = NULL;
	options.threads = 1;
	int status = cairn_extractor_new(&extractor, context, &options);
	if (status >= 0)
		status = cairn_extractor_run(extractor, photo, &box, &features);
	if (status >= 0)
		cairn_features_free(features);
	cairn_extractor_free(extractor);
	return status;
}

static void survives_lack_of_memory(void **state)
{
	(void)state;
	char name[] = "rootsift";
	assert_true(cn_torture(make_and_run, name) >= 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_kept),
		cmocka_unit_test(a_part_has_the_points_of_the_whole_in_its_place),
		cmocka_unit_test(coordinates_are_those_of_the_file),
		cmocka_unit_test(codes_are_those_of_unit_vectors),
		cmocka_unit_test(refuses),
		cmocka_unit_test(survives_lack_of_memory),
	};
	return cmocka_run_group_tests_name("local/extractor", tests, set_up, tear_down);
}
