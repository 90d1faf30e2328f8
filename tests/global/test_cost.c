/*
 * What bf16 costs on photographs: against the two descriptors, by hand; and what is noted in the bundle.
 */
#include <math.h>
#include <string.h>

#include "../collection/photos.h"
#include "cairn/descriptors.h"
#include "cairn/model.h"
#include "global/describe.h"
#include "math/dispatch.h"
#include "model/bundle.h"
#include "util/file.h"
#include "util/memory.h"

enum { PHOTOS = 3, DIM = 16 };

static const char *paths[PHOTOS + 1];

static int set_up(void **state)
{
	(void)state;
	const char *folder = keep(photo_folder(PHOTOS, 4));
	static const char *const names[] = { "000.png", "001.png", "002.png" };
	for (size_t i = 0; i < PHOTOS; i++)
		paths[i] = keep(cn_test_path(folder, names[i]));
	paths[PHOTOS] = keep(cn_test_path(folder, "none.png"));
	return 0;
}

/* Not whitened and not normalised. */
static void pooled(const char *model_path, const char *precision, const char *path, float *out)
{
	cairn_model_options how = CAIRN_MODEL_OPTIONS_INIT;
	cairn_model *model;
	cairn_image *image;
	how.precision = precision;
	assert_ok(cairn_model_open(&model, model_path, &how));
	assert_ok(cairn_image_open(&image, path, NULL));
	assert_ok(cn_describe_pooled(model, image, NULL, out));
	cairn_image_free(image);
	cairn_model_free(model);
}

static double cosine_by_hand(const char *model, const char *path)
{
	float wide[DIM], narrow[DIM];
	double product = 0, of_wide = 0, of_narrow = 0;
	pooled(model, "f32", path, wide);
	pooled(model, "bf16", path, narrow);
	for (size_t k = 0; k < DIM; k++) {
		product += (double)wide[k] * (double)narrow[k];
		of_wide += (double)wide[k] * (double)wide[k];
		of_narrow += (double)narrow[k] * (double)narrow[k];
	}
	return product / sqrt(of_wide * of_narrow);
}

static int skip_without_bf16(void)
{
	if (cn_cpu_has_bf16())
		return 0;
	print_message("# skipped: no bf16 here\n");
	return 1;
}

/* The one that cannot be read is passed over. */
static void costs_are_those_of_descriptors(void **state)
{
	(void)state;
	const char *model = keep(model_new("tiny", 7));
	cairn_model_cost cost;
	double sum = 0, least = 2;
	if (skip_without_bf16())
		return;
	for (size_t i = 0; i < PHOTOS; i++) {
		double cosine = cosine_by_hand(model, paths[i]);
		sum += cosine;
		least = fmin(least, cosine);
	}
	for (uint32_t threads = 1; threads <= 2; threads++) {
		assert_ok(cairn_model_measure(model, paths, PHOTOS + 1, threads, NULL, NULL, &cost));
		assert_int_equal(cost.images, PHOTOS);
		assert_float_equal(cost.mean, sum / PHOTOS, 1e-6);
		assert_float_equal(cost.least, least, 1e-6);
		assert_true(cost.least <= cost.mean && cost.mean < 1);
	}
}

/* Neither what the model is nor what was found on generated images changes. */
static void costs_are_noted(void **state)
{
	(void)state;
	const char *model = keep(model_new("tiny", 7));
	cairn_model *before, *after;
	cairn_model_info old, new;
	cairn_model_cost cost;
	if (skip_without_bf16())
		return;
	assert_ok(cairn_model_inspect(&before, model));
	cairn_model_get_info(before, &old);
	assert_int_equal(old.photographs.images, 0);
	for (size_t count = 1; count <= 2; count++) {
		assert_ok(cairn_model_measure(model, paths, count, 1, NULL, NULL, &cost));
		assert_ok(cairn_model_inspect(&after, model));
		cairn_model_get_info(after, &new);
		assert_string_equal(new.fingerprint, old.fingerprint);
		assert_int_equal(new.photographs.images, count);
		assert_true(new.photographs.mean == cost.mean &&new.photographs.least == cost.least);
		assert_int_equal(new.generated.images, old.generated.images);
		assert_memory_equal(&new.bf16_cosine, &old.bf16_cosine, sizeof(double));
		cairn_model_free(after);
	}
	cairn_model_free(before);
}

static void local_models_are_measured_too(void **state)
{
	(void)state;
	const char *folder = keep(cn_test_path(cn_test_folder(), "tiny-local"));
	cairn_model_cost cost;
	if (skip_without_bf16())
		return;
	model_write_local(folder, "tiny-local", 3);
	assert_ok(cairn_model_measure(folder, paths, PHOTOS, 2, NULL, NULL, &cost));
	assert_int_equal(cost.images, PHOTOS);
	assert_true(cost.least > 0.99 && cost.mean < 1);
}

static int cancel(const cairn_progress *progress, void *payload)
{
	(void)progress, (void)payload;
	return 1;
}

static void refuses(void **state)
{
	(void)state;
	const char *model = keep(model_new("tiny", 7)), *json = keep(cn_test_path(model, "model.json"));
	cairn_model_cost cost;
	char *before, *after;
	size_t length[2];
	if (skip_without_bf16())
		return;
	assert_ok(cn_file_read(json, 1 << 16, &before, &length[0]));
	assert_fails(cairn_model_measure("./none", paths, 1, 1, NULL, NULL, &cost), CAIRN_ENOTFOUND, "none");
	assert_fails(cairn_model_measure(model, paths + PHOTOS, 1, 1, NULL, NULL, &cost), CAIRN_EINVALID,
		     "none of 1 images");
	assert_fails(cairn_model_measure(model, paths, 0, 1, NULL, NULL, &cost), CAIRN_EINVALID, "none of 0 images");
	assert_int_equal(cairn_model_measure(model, paths, PHOTOS, 1, cancel, NULL, &cost), CAIRN_ECANCELLED);
	assert_int_equal(cost.images, 0);
	assert_ok(cn_file_read(json, 1 << 16, &after, &length[1]));
	assert_int_equal(length[0], length[1]);
	assert_memory_equal(before, after, length[0]);
	cn_free(before);
	cn_free(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(costs_are_those_of_descriptors),
		cmocka_unit_test(costs_are_noted),
		cmocka_unit_test(local_models_are_measured_too),
		cmocka_unit_test(refuses),
	};
	return cmocka_run_group_tests_name("global/cost", tests, set_up, NULL);
}
