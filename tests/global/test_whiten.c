/*
 * Whitening against a plain principal component analysis in double precision, and what is refused.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../collection/photos.h"
#include "cairn/descriptors.h"
#include "global/describe.h"
#include "torture.h"
#include "util/file.h"

enum { DIM = 16, IMAGES = 40 };

static const char *paths[IMAGES];
static const char *home;
static const cairn_describer_options in_f32 = { CAIRN_DESCRIBER_OPTIONS_VERSION, 2, "f32" };

static int learn(const char *target, cairn_whitening_kind kind, uint32_t dim, size_t count)
{
	return cairn_whitening_learn("tiny", target, kind, dim, 1, paths, count, &in_f32, NULL, NULL);
}

/* Descriptors of all photographs by a bundle; returns their dimensions. */
static size_t describe_all(const char *model, double rows[IMAGES][DIM])
{
	const cairn_describer_model models[] = { { model, 1 } };
	cairn_describer *describer;
	float row[DIM];
	assert_ok(cairn_describer_new(&describer, models, 1, &in_f32));
	size_t dim = cairn_describer_dim(describer);
	assert_true(dim <= DIM);
	for (size_t i = 0; i < IMAGES; i++) {
		cairn_image *image;
		assert_ok(cairn_image_open(&image, paths[i], NULL));
		assert_ok(cairn_describer_run(describer, image, NULL, row));
		cairn_image_free(image);
		for (size_t k = 0; k < dim; k++)
			rows[i][k] = (double)row[k];
	}
	cairn_describer_free(describer);
	return dim;
}

/* What the network of "tiny" gives before anything is subtracted or normalised. */
static void pool_all(double rows[IMAGES][DIM])
{
	cairn_model_options how = CAIRN_MODEL_OPTIONS_INIT;
	cairn_model *model;
	float row[DIM];
	how.precision = "f32";
	assert_ok(cairn_model_open(&model, "tiny", &how));
	assert_int_equal(model->global.dim, DIM);
	for (size_t i = 0; i < IMAGES; i++) {
		cairn_image *image;
		assert_ok(cairn_image_open(&image, paths[i], NULL));
		assert_ok(cn_describe_pooled(model, image, NULL, row));
		cairn_image_free(image);
		for (size_t k = 0; k < DIM; k++)
			rows[i][k] = (double)row[k];
	}
	cairn_model_free(model);
}

/* ---- the plain way ---- */

static double dot(const double *a, const double *b, size_t dim)
{
	double sum = 0;
	for (size_t i = 0; i < dim; i++)
		sum += a[i] * b[i];
	return sum;
}

/* One rotation of Jacobi's method: makes a[p][q] zero and keeps the axes in the columns of v. */
static void rotate(double a[DIM][DIM], double v[DIM][DIM], size_t p, size_t q)
{
	if (a[p][q] == 0)
		return;
	double theta = 0.5 * atan2(2 * a[p][q], a[q][q] - a[p][p]), c = cos(theta), s = sin(theta);
	for (size_t k = 0; k < DIM; k++) {
		double kp = a[k][p], kq = a[k][q];
		a[k][p] = c * kp - s * kq;
		a[k][q] = s * kp + c * kq;
	}
	for (size_t k = 0; k < DIM; k++) {
		double pk = a[p][k], qk = a[q][k];
		a[p][k] = c * pk - s * qk;
		a[q][k] = s * pk + c * qk;
	}
	for (size_t k = 0; k < DIM; k++) {
		double kp = v[k][p], kq = v[k][q];
		v[k][p] = c * kp - s * kq;
		v[k][q] = s * kp + c * kq;
	}
}

struct axes {
	double mean[DIM], variance[DIM], axis[DIM][DIM];
};

static void find_axes(struct axes *out, double rows[IMAGES][DIM], size_t count)
{
	double a[DIM][DIM] = { { 0 } }, v[DIM][DIM] = { { 0 } };
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < DIM; k++)
			out->mean[k] += rows[i][k] / (double)count;
	for (size_t i = 0; i < count; i++)
		for (size_t p = 0; p < DIM; p++)
			for (size_t q = 0; q < DIM; q++)
				a[p][q] += (rows[i][p] - out->mean[p]) * (rows[i][q] - out->mean[q]) / (double)count;
	for (size_t k = 0; k < DIM; k++)
		v[k][k] = 1;
	for (int sweep = 0; sweep < 60; sweep++)
		for (size_t p = 0; p < DIM; p++)
			for (size_t q = p + 1; q < DIM; q++)
				rotate(a, v, p, q);
	for (size_t rank = 0; rank < DIM; rank++) {
		size_t best = 0;
		for (size_t k = 1; k < DIM; k++)
			if (a[k][k] > a[best][best])
				best = k;
		out->variance[rank] = a[best][best];
		for (size_t k = 0; k < DIM; k++)
			out->axis[rank][k] = v[k][best];
		a[best][best] = -INFINITY;
	}
}

static void whiten_plainly(const struct axes *axes, cairn_whitening_kind kind, size_t kept, const double *row,
			   double *out)
{
	double centred[DIM];
	for (size_t k = 0; k < DIM; k++)
		centred[k] = row[k] - axes->mean[k];
	for (size_t k = 0; k < kept; k++) {
		out[k] = kind == CAIRN_WHITEN_CENTRE ? centred[k] : dot(axes->axis[k], centred, DIM);
		if (kind == CAIRN_WHITEN_PCAW)
			out[k] /= sqrt(axes->variance[k]);
	}
	double norm = sqrt(dot(out, out, kept));
	for (size_t k = 0; k < kept; k++)
		out[k] /= norm;
}

/* Which way an axis points is left open, so cosines are compared. */
static void equals_a_plain_analysis(void **state)
{
	(void)state;
	static const struct {
		cairn_whitening_kind kind;
		uint32_t dim;
		size_t learned_from, kept;
	} cases[] = {
		{ CAIRN_WHITEN_CENTRE, 0, IMAGES, DIM }, { CAIRN_WHITEN_PCA, 0, IMAGES, DIM },
		{ CAIRN_WHITEN_PCA, 5, IMAGES, 5 },      { CAIRN_WHITEN_PCAW, 0, IMAGES, DIM },
		{ CAIRN_WHITEN_PCAW, 6, IMAGES, 6 },     { CAIRN_WHITEN_PCAW, 0, 9, 8 },
		{ CAIRN_WHITEN_PCA, 1, 2, 1 },           { CAIRN_WHITEN_CENTRE, 0, 2, DIM },
	};
	static double pooled[IMAGES][DIM], found[IMAGES][DIM], expected[IMAGES][DIM];
	pool_all(pooled);
	for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
		struct axes axes;
		assert_ok(learn("white", cases[c].kind, cases[c].dim, cases[c].learned_from));
		assert_int_equal(describe_all("white", found), cases[c].kept);
		find_axes(&axes, pooled, cases[c].learned_from);
		for (size_t i = 0; i < IMAGES; i++) {
			whiten_plainly(&axes, cases[c].kind, cases[c].kept, pooled[i], expected[i]);
			assert_true(fabs(dot(found[i], found[i], cases[c].kept) - 1) < 1e-5);
		}
		for (size_t i = 0; i < IMAGES; i++)
			for (size_t k = 0; k < i; k++)
				assert_true(fabs(dot(found[i], found[k], cases[c].kept) -
						 dot(expected[i], expected[k], cases[c].kept)) < 1e-3);
	}
}

/* ---- bundles ---- */

static char *read_parameters(const char *model, size_t *length)
{
	char *bytes[2];
	size_t lengths[2];
	const char *folder = keep(cn_test_path(home, model));
	assert_ok(cn_file_read(cn_test_path(folder, "mean.npy"), 1 << 20, &bytes[0], &lengths[0]));
	assert_ok(cn_file_read(cn_test_path(folder, "projection.npy"), 1 << 20, &bytes[1], &lengths[1]));
	char *both = malloc(lengths[0] + lengths[1]);
	memcpy(both, bytes[0], lengths[0]);
	memcpy(both + lengths[0], bytes[1], lengths[1]);
	*length = lengths[0] + lengths[1];
	cairn_bytes_free(bytes[0]);
	cairn_bytes_free(bytes[1]);
	return both;
}

static void does_not_depend_on_threads_nor_on_earlier_whitening(void **state)
{
	(void)state;
	char *expected = NULL;
	size_t expected_length = 0, length;
	for (uint32_t round = 0; round < 4; round++) {
		const cairn_describer_options options = { CAIRN_DESCRIBER_OPTIONS_VERSION, round + 1, "f32" };
		/* At last onto itself, which is whitened already. */
		assert_ok(cairn_whitening_learn(round == 3 ? "same" : "tiny", "same", CAIRN_WHITEN_PCAW, 7, 1, paths,
						IMAGES, &options, NULL, NULL));
		char *found = read_parameters("same", &length);
		if (expected) {
			assert_int_equal(length, expected_length);
			assert_memory_equal(found, expected, length);
			free(found);
		} else {
			expected = found;
			expected_length = length;
		}
	}
	free(expected);
}

static int warnings;

static void count_warnings(cairn_log_level level, const char *message, void *payload)
{
	(void)message, (void)payload;
	warnings += level == CAIRN_LOG_WARNING;
}

static int note_failed(const cairn_progress *progress, void *payload)
{
	*(cairn_progress *)payload = *progress;
	return 0;
}

static void passes_over_what_cannot_be_read(void **state)
{
	(void)state;
	const char *some[7], *broken = keep(cn_test_path(cn_test_folder(), "broken.png"));
	cairn_progress progress = { 0 };
	size_t length, other_length;
	cn_test_write(broken, "nothing", 7);
	for (size_t i = 0; i < 7; i++)
		some[i] = i == 0 ? "/nowhere/a.png" : i == 4 ? broken : paths[i];
	warnings = 0;
	cairn_set_log(count_warnings, NULL);
	assert_ok(cairn_whitening_learn("tiny", "some", CAIRN_WHITEN_PCAW, 0, 1, some, 7, &in_f32, note_failed,
					&progress));
	cairn_set_log(NULL, NULL);
	assert_int_equal(warnings, 2);
	assert_int_equal(progress.total, 7);
	assert_int_equal(progress.done + progress.failed >= 7, 1);
	assert_int_equal(progress.failed, 2);
	const char *good[] = { paths[1], paths[2], paths[3], paths[5], paths[6] };
	assert_ok(cairn_whitening_learn("tiny", "good", CAIRN_WHITEN_PCAW, 0, 1, good, 5, &in_f32, NULL, NULL));
	char *found = read_parameters("some", &length), *expected = read_parameters("good", &other_length);
	assert_int_equal(length, other_length);
	assert_memory_equal(found, expected, length);
	free(found);
	free(expected);
}

static int stop(const cairn_progress *progress, void *payload)
{
	(void)progress, (void)payload;
	return 1;
}

static void refuses(void **state)
{
	(void)state;
	static const char *const nowhere[] = { "/nowhere/a.png", "/nowhere/b.png", "/nowhere/c.png" };
	const cairn_describer_options future = { 9, 1, NULL };
	const struct {
		const char *model, *target;
		cairn_whitening_kind kind;
		uint32_t dim;
		const char *const *paths;
		size_t count;
		const cairn_describer_options *options;
		cairn_progress_cb progress;
		int status;
		const char *text;
	} cases[] = {
		{ "tiny", "t", CAIRN_WHITEN_CENTRE, 4, paths, 9, NULL, NULL, CAIRN_EINVALID, "keeps all dimensions" },
		{ "tiny", "t", CAIRN_WHITEN_PCA, DIM + 1, paths, 30, NULL, NULL, CAIRN_EINVALID, "17 cannot be kept" },
		{ "tiny", "t", CAIRN_WHITEN_PCA, 5, paths, 5, NULL, NULL, CAIRN_EINVALID, "at least 6 readable" },
		{ "tiny", "t", CAIRN_WHITEN_PCA, 0, paths, 1, NULL, NULL, CAIRN_EINVALID, "at least 2" },
		{ "tiny", "t", CAIRN_WHITEN_PCA, 0, paths, 0, NULL, NULL, CAIRN_EINVALID, "at least 2" },
		{ "tiny", "t", CAIRN_WHITEN_PCA, 0, nowhere, 3, NULL, NULL, CAIRN_EFORMAT, "0 of 3" },
		{ "tiny", "t", (cairn_whitening_kind)7, 0, paths, 9, NULL, NULL, CAIRN_EINVALID, "kind 7" },
		{ "corners", "t", CAIRN_WHITEN_PCA, 0, paths, 9, NULL, NULL, CAIRN_EINVALID, "local features" },
		{ "absent", "t", CAIRN_WHITEN_PCA, 0, paths, 9, NULL, NULL, CAIRN_ENOTFOUND, "absent" },
		{ "tiny", "../t", CAIRN_WHITEN_PCA, 0, paths, 9, NULL, NULL, CAIRN_EINVALID, "../t" },
		{ "tiny", "t", CAIRN_WHITEN_PCA, 0, paths, 9, &future, NULL, CAIRN_EINVALID, "version 9" },
		{ "tiny", "t", CAIRN_WHITEN_PCA, 0, paths, 9, NULL, stop, CAIRN_ECANCELLED, NULL },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_fails(cairn_whitening_learn(cases[i].model, cases[i].target, cases[i].kind, cases[i].dim, 1,
						   cases[i].paths, cases[i].count, cases[i].options, cases[i].progress,
						   NULL),
			     cases[i].status, cases[i].text);
		assert_false(cn_file_exists(cn_test_path(home, "t")));
	}
}

static int learn_once(void *context)
{
	const cairn_describer_options options = { CAIRN_DESCRIBER_OPTIONS_VERSION, 1, "f32" };
	return cairn_whitening_learn("tiny", context, CAIRN_WHITEN_PCAW, 2, 1, paths, 4, &options, NULL, NULL);
}

static void survives_lack_of_memory(void **state)
{
	(void)state;
	char target[] = "poor";
	assert_true(cn_torture(learn_once, target) > 40);
}

static int make_photos(void **state)
{
	(void)state;
	const char *photos = photo_folder(IMAGES, 1);
	for (size_t i = 0; i < IMAGES; i++) {
		char name[16];
		snprintf(name, sizeof(name), "%03zu.png", i);
		paths[i] = keep(cn_test_path(photos, name));
	}
	home = model_home_new();
	model_write(cn_test_path(home, "tiny"), "tiny", 3);
	model_write_local(cn_test_path(home, "corners"), "corners", 3);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equals_a_plain_analysis),
		cmocka_unit_test(does_not_depend_on_threads_nor_on_earlier_whitening),
		cmocka_unit_test(passes_over_what_cannot_be_read),
		cmocka_unit_test(refuses),
		cmocka_unit_test(survives_lack_of_memory),
	};
	return cmocka_run_group_tests_name("global/whiten", tests, make_photos, NULL);
}
