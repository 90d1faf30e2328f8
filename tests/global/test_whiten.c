/*
 * Whitening against a plain principal component analysis in double precision, and what is refused.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../collection/photos.h"
#include "cairn/whitening.h"
#include "global/describe.h"
#include "torture.h"
#include "util/file.h"

enum { DIM = 16, IMAGES = 40 };

static const char *paths[IMAGES];
static const char *home;
static const cairn_describer_options in_f32 = { CAIRN_DESCRIBER_OPTIONS_VERSION, 2, "f32" };

/* Options of a test: in f32, and over whatever is there. */
static cairn_whitening_options options_of(cairn_whitening_kind kind, uint32_t dim)
{
	cairn_whitening_options options = CAIRN_WHITENING_OPTIONS_INIT;
	options.kind = kind;
	options.dim = dim;
	options.replace = 1;
	options.threads = 2;
	options.precision = "f32";
	return options;
}

static int learn(const char *target, const char *model, const char *const *images, size_t count,
		 const cairn_whitening_options *options)
{
	const cairn_describer_model one = { model, 1 };
	return cairn_whitening_learn(target, &one, 1, images, count, options);
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

static void bring_to_unit_length(double *x, size_t dim)
{
	double norm = sqrt(dot(x, x, dim));
	for (size_t k = 0; k < dim; k++)
		x[k] /= norm;
}

/* Without the normalisation at the end. */
static void whiten_plainly(const struct axes *axes, const cairn_whitening_options *options, size_t kept,
			   const double *row, double *out)
{
	double centred[DIM];
	for (size_t k = 0; k < DIM; k++)
		centred[k] = row[k] - axes->mean[k];
	for (size_t k = 0; k < kept; k++) {
		out[k] = options->kind == CAIRN_WHITEN_CENTRE ? centred[k] : dot(axes->axis[k], centred, DIM);
		if (options->kind == CAIRN_WHITEN_PCAW)
			out[k] *= pow(axes->variance[k], -options->power / 2);
	}
}

/* Which way an axis points is left open, so cosines are compared. */
static void assert_same_cosines(double found[IMAGES][DIM], double expected[IMAGES][DIM], size_t kept)
{
	for (size_t i = 0; i < IMAGES; i++) {
		assert_true(fabs(dot(found[i], found[i], kept) - 1) < 1e-5);
		for (size_t k = 0; k < i; k++)
			assert_true(fabs(dot(found[i], found[k], kept) - dot(expected[i], expected[k], kept)) < 1e-3);
	}
}

static void equals_a_plain_analysis(void **state)
{
	(void)state;
	static const struct {
		cairn_whitening_kind kind;
		uint32_t dim;
		double power;
		int unit;
		size_t learned_from, kept;
	} cases[] = {
		{ CAIRN_WHITEN_CENTRE, 0, 1, -1, IMAGES, DIM },
		{ CAIRN_WHITEN_CENTRE, 0, 1, 1, IMAGES, DIM },
		{ CAIRN_WHITEN_PCA, 0, 1, -1, IMAGES, DIM },
		{ CAIRN_WHITEN_PCA, 5, 1, 0, IMAGES, 5 },
		{ CAIRN_WHITEN_PCA, 1, 1, 1, 2, 1 },
		{ CAIRN_WHITEN_PCAW, 0, 1, -1, IMAGES, DIM },
		{ CAIRN_WHITEN_PCAW, 0, 1, 0, IMAGES, DIM },
		{ CAIRN_WHITEN_PCAW, 6, 0.5, -1, IMAGES, 6 },
		{ CAIRN_WHITEN_PCAW, 0, 0.5, 0, IMAGES, DIM },
		{ CAIRN_WHITEN_PCAW, 0, 0, 1, IMAGES, DIM },
		{ CAIRN_WHITEN_PCAW, 0, 1, 0, 9, 8 },
		{ CAIRN_WHITEN_PCAW, 0, 0.25, 1, 9, 8 },
		{ CAIRN_WHITEN_CENTRE, 0, 1, 0, 2, DIM },
	};
	static double pooled[IMAGES][DIM], found[IMAGES][DIM], expected[IMAGES][DIM];
	for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
		struct axes axes;
		cairn_whitening_options options = options_of(cases[c].kind, cases[c].dim);
		options.power = cases[c].power;
		options.unit = cases[c].unit;
		assert_ok(learn("white", "tiny", paths, cases[c].learned_from, &options));
		assert_int_equal(describe_all("white", found), cases[c].kept);
		int unit = cases[c].unit >= 0 ? cases[c].unit : cases[c].kind != CAIRN_WHITEN_CENTRE;
		pool_all(pooled);
		for (size_t i = 0; i < IMAGES && unit; i++)
			bring_to_unit_length(pooled[i], DIM);
		find_axes(&axes, pooled, cases[c].learned_from);
		for (size_t i = 0; i < IMAGES; i++) {
			whiten_plainly(&axes, &options, cases[c].kept, pooled[i], expected[i]);
			bring_to_unit_length(expected[i], cases[c].kept);
		}
		assert_same_cosines(found, expected, cases[c].kept);
	}
}

/* P (x - m) of the bundle, before it is brought to unit length. */
static void project_all(const char *name, double rows[IMAGES][DIM])
{
	cairn_model *model;
	pool_all(rows);
	assert_ok(cairn_model_inspect(&model, name));
	for (size_t i = 0; i < IMAGES; i++) {
		double centred[DIM];
		if (model->global.unit)
			bring_to_unit_length(rows[i], DIM);
		for (size_t k = 0; k < DIM; k++)
			centred[k] = rows[i][k] - (double)model->global.mean[k];
		for (size_t r = 0; r < model->global.kept; r++) {
			rows[i][r] = 0;
			for (size_t k = 0; k < DIM; k++)
				rows[i][r] += (double)model->global.projection[r * DIM + k] * centred[k];
		}
	}
	cairn_model_free(model);
}

/* The covariance behind whitening with power t is Lambda^(1-t). */
static void a_power_of_the_variances_is_left(void **state)
{
	(void)state;
	static const double powers[] = { 0, 0.3, 0.5, 1 };
	static double pooled[IMAGES][DIM], rows[IMAGES][DIM];
	for (size_t c = 0; c < 2 * sizeof(powers) / sizeof(*powers); c++) {
		struct axes axes;
		cairn_whitening_options options = options_of(CAIRN_WHITEN_PCAW, 0);
		options.power = powers[c / 2];
		options.unit = (int)(c % 2);
		assert_ok(learn("power", "tiny", paths, IMAGES, &options));
		pool_all(pooled);
		for (size_t i = 0; i < IMAGES && options.unit; i++)
			bring_to_unit_length(pooled[i], DIM);
		find_axes(&axes, pooled, IMAGES);
		project_all("power", rows);
		for (size_t a = 0; a < DIM; a++)
			for (size_t b = 0; b <= a; b++) {
				double sum = 0, left = pow(axes.variance[a], 1 - options.power);
				double scale = sqrt(left * pow(axes.variance[b], 1 - options.power));
				for (size_t i = 0; i < IMAGES; i++)
					sum += rows[i][a] * rows[i][b] / IMAGES;
				assert_true(fabs(sum - (a == b ? left : 0)) < 2e-3 * scale);
			}
	}
}

/* ---- from pairs ---- */

/* Differences of the pairs are white behind it, and the rows' axes are those of coordinates. */
static void pairs_make_their_differences_white(void **state)
{
	(void)state;
	static double rows[IMAGES][DIM];
	double spread[DIM][DIM] = { { 0 } }, moment[DIM][DIM] = { { 0 } }, mean[DIM] = { 0 };
	cairn_pairs *pairs;
	cairn_whitening_options options = options_of(CAIRN_WHITEN_LW, 0);
	assert_ok(cairn_pairs_in_folders(&pairs, paths, IMAGES, 90, 4));
	size_t count = cairn_pairs_count(pairs);
	assert_int_equal(count, 90);
	options.pairs = pairs;
	assert_ok(learn("lw", "tiny", NULL, 0, &options));
	project_all("lw", rows);
	for (size_t i = 0; i < count; i++) {
		const char *query, *positive;
		cairn_pairs_get(pairs, i, &query, &positive);
		/* Photographs are called by their number. */
		const double *q = rows[atoi(query + strlen(query) - 7)];
		const double *p = rows[atoi(positive + strlen(positive) - 7)];
		for (size_t a = 0; a < DIM; a++) {
			mean[a] += q[a] / (double)count;
			for (size_t b = 0; b < DIM; b++)
				spread[a][b] += (q[a] - p[a]) * (q[b] - p[b]) / (double)count;
		}
	}
	for (size_t i = 0; i < IMAGES; i++)
		for (size_t a = 0; a < DIM; a++)
			for (size_t b = 0; b < DIM; b++)
				moment[a][b] += rows[i][a] * rows[i][b] / IMAGES;
	for (size_t a = 0; a < DIM; a++) {
		assert_true(fabs(mean[a]) < 1e-3);
		assert_true(a == 0 || moment[a][a] <= moment[a - 1][a - 1] * (1 + 1e-6));
		for (size_t b = 0; b < DIM; b++) {
			assert_true(fabs(spread[a][b] - (a == b)) < 1e-3);
			assert_true(a == b || fabs(moment[a][b]) < 1e-3 * moment[0][0]);
		}
	}
	cairn_pairs_free(pairs);
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
		cairn_whitening_options options = options_of(CAIRN_WHITEN_PCAW, 7);
		options.threads = round + 1;
		/* At last onto itself, which is whitened already. */
		assert_ok(learn("same", round == 3 ? "same" : "tiny", paths, IMAGES, &options));
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
	cairn_whitening_options options = options_of(CAIRN_WHITEN_PCAW, 0);
	options.progress = note_failed;
	options.progress_payload = &progress;
	cn_test_write(broken, "nothing", 7);
	for (size_t i = 0; i < 7; i++)
		some[i] = i == 0 ? "/nowhere/a.png" : i == 4 ? broken : paths[i];
	warnings = 0;
	cairn_set_log(count_warnings, NULL);
	assert_ok(learn("some", "tiny", some, 7, &options));
	cairn_set_log(NULL, NULL);
	assert_int_equal(warnings, 2);
	assert_int_equal(progress.total, 7);
	assert_int_equal(progress.done + progress.failed >= 7, 1);
	assert_int_equal(progress.failed, 2);
	const char *good[] = { paths[1], paths[2], paths[3], paths[5], paths[6] };
	assert_ok(learn("good", "tiny", good, 5, &options));
	char *found = read_parameters("some", &length), *expected = read_parameters("good", &other_length);
	assert_int_equal(length, other_length);
	assert_memory_equal(found, expected, length);
	free(found);
	free(expected);
}

/* Pairs of images that cannot be read do not count. */
static void passes_over_pairs_that_cannot_be_read(void **state)
{
	(void)state;
	const char *folder = keep(cn_test_folder()), *file = keep(cn_test_path(folder, "pairs.csv"));
	const char *broken = keep(cn_test_path(folder, "broken.png"));
	char text[4096], *found[2];
	size_t lengths[2];
	cn_test_write(broken, "nothing", 7);
	for (int round = 0; round < 2; round++) {
		cairn_pairs *pairs;
		cairn_whitening_options options = options_of(CAIRN_WHITEN_LW, 3);
		snprintf(text, sizeof(text), "%s,%s\n%s,%s\n%s,%s\n", paths[0], paths[1], paths[2], paths[3], paths[1],
			 broken);
		/* First without the third pair. */
		cn_test_write(file, text,
			      round ? strlen(text) : (size_t)(strstr(text, paths[3]) - text) + strlen(paths[3]));
		assert_ok(cairn_pairs_read(&pairs, file));
		options.pairs = pairs;
		assert_ok(learn("few", "tiny", NULL, 0, &options));
		found[round] = read_parameters("few", &lengths[round]);
		cairn_pairs_free(pairs);
	}
	assert_int_equal(lengths[0], lengths[1]);
	assert_memory_equal(found[0], found[1], lengths[0]);
	free(found[0]);
	free(found[1]);
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
	const char *const same[] = { paths[0], paths[0], paths[0] };
	const struct {
		const char *model, *target;
		cairn_whitening_kind kind;
		uint32_t dim;
		const char *const *paths;
		size_t count;
		int status;
		const char *text;
	} cases[] = {
		{ "tiny", "t", CAIRN_WHITEN_CENTRE, 4, paths, 9, CAIRN_EINVALID, "keeps all dimensions" },
		{ "tiny", "t", CAIRN_WHITEN_PCA, DIM + 1, paths, 30, CAIRN_EINVALID, "17 cannot be kept" },
		{ "tiny", "t", CAIRN_WHITEN_PCA, 5, paths, 5, CAIRN_EINVALID, "at least 6 readable" },
		{ "tiny", "t", CAIRN_WHITEN_PCA, 0, paths, 1, CAIRN_EINVALID, "at least 2" },
		{ "tiny", "t", CAIRN_WHITEN_PCA, 0, paths, 0, CAIRN_EINVALID, "at least 2" },
		{ "tiny", "t", CAIRN_WHITEN_PCA, 0, nowhere, 3, CAIRN_EFORMAT, "0 of 3" },
		{ "tiny", "t", CAIRN_WHITEN_PCAW, 0, same, 3, CAIRN_EINVALID, "same descriptor for all of the 3" },
		{ "tiny", "t", (cairn_whitening_kind)7, 0, paths, 9, CAIRN_EINVALID, "kind 7" },
		{ "tiny", "t", CAIRN_WHITEN_LW, 0, paths, 9, CAIRN_EINVALID, "from pairs" },
		{ "corners", "t", CAIRN_WHITEN_PCA, 0, paths, 9, CAIRN_EINVALID, "local features" },
		{ "absent", "t", CAIRN_WHITEN_PCA, 0, paths, 9, CAIRN_ENOTFOUND, "absent" },
		{ "tiny", "../t", CAIRN_WHITEN_PCA, 0, paths, 9, CAIRN_EINVALID, "../t" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const cairn_whitening_options options = options_of(cases[i].kind, cases[i].dim);
		assert_fails(learn(cases[i].target, cases[i].model, cases[i].paths, cases[i].count, &options),
			     cases[i].status, cases[i].text);
		assert_false(cn_file_exists(cn_test_path(home, "t")));
	}
}

static void refuses_options(void **state)
{
	(void)state;
	cairn_pairs *pairs;
	assert_ok(cairn_pairs_in_folders(&pairs, paths, 5, 0, 0));
	cairn_whitening_options options = options_of(CAIRN_WHITEN_PCAW, 0);
	options.version = 9;
	assert_fails(learn("t", "tiny", paths, 9, &options), CAIRN_EINVALID, "version 9");
	for (size_t i = 0; i < 3; i++) {
		options = options_of(CAIRN_WHITEN_PCAW, 0);
		options.power = (const double[]){ -0.1, 1.01, NAN }[i];
		assert_fails(learn("t", "tiny", paths, 9, &options), CAIRN_EINVALID, "from 0 to 1");
	}
	options = options_of(CAIRN_WHITEN_PCAW, 0);
	options.pairs = pairs;
	assert_fails(learn("t", "tiny", NULL, 0, &options), CAIRN_EINVALID, "no other");
	options.kind = CAIRN_WHITEN_LW;
	assert_fails(learn("t", "tiny", paths, 9, &options), CAIRN_EINVALID, "their images alone");
	options = options_of(CAIRN_WHITEN_PCA, 0);
	options.progress = stop;
	assert_fails(learn("t", "tiny", paths, 9, &options), CAIRN_ECANCELLED, NULL);
	options.progress = NULL;
	options.replace = 0;
	assert_fails(learn("corners", "tiny", paths, 9, &options), CAIRN_EEXISTS, "there already");
	assert_false(cn_file_exists(cn_test_path(home, "t")));
	cairn_pairs_free(pairs);
}

struct attempt {
	cairn_whitening_options options;
	const char *const *paths;
	size_t count;
};

static int learn_once(void *context)
{
	const struct attempt *attempt = context;
	return learn("poor", "tiny", attempt->paths, attempt->count, &attempt->options);
}

static void survives_lack_of_memory(void **state)
{
	(void)state;
	struct attempt attempt = { options_of(CAIRN_WHITEN_PCAW, 2), paths, 4 };
	cairn_pairs *pairs;
	attempt.options.threads = 1;
	assert_true(cn_torture(learn_once, &attempt) > 40);
	assert_ok(cairn_pairs_in_folders(&pairs, paths, 3, 0, 0));
	attempt = (struct attempt){ options_of(CAIRN_WHITEN_LW, 2), NULL, 0 };
	attempt.options.pairs = pairs;
	attempt.options.threads = 1;
	assert_true(cn_torture(learn_once, &attempt) > 40);
	cairn_pairs_free(pairs);
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
		cmocka_unit_test(a_power_of_the_variances_is_left),
		cmocka_unit_test(pairs_make_their_differences_white),
		cmocka_unit_test(does_not_depend_on_threads_nor_on_earlier_whitening),
		cmocka_unit_test(passes_over_what_cannot_be_read),
		cmocka_unit_test(passes_over_pairs_that_cannot_be_read),
		cmocka_unit_test(refuses),
		cmocka_unit_test(refuses_options),
		cmocka_unit_test(survives_lack_of_memory),
	};
	return cmocka_run_group_tests_name("global/whiten", tests, make_photos, NULL);
}
