/*
 * Ensembles against joining by hand, their bundles, and what becomes of them when a member changes.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../collection/photos.h"
#include "cairn/whitening.h"
#include "global/describe.h"
#include "math/pca.h"
#include "torture.h"
#include "util/file.h"

enum { DIM = 16, MEMBERS = 3, JOINED = MEMBERS * DIM, IMAGES = 60 };

static const char *paths[IMAGES], *home;

static const cairn_describer_model members[MEMBERS] = { { "red", 1 }, { "green", 0.5f }, { "blue", 2 } };

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

/* Descriptors of the first images by models that are joined, or one. @return their dimensions */
static size_t describe(const cairn_describer_model *models, size_t n, size_t count, float *rows)
{
	const cairn_describer_options in_f32 = { CAIRN_DESCRIBER_OPTIONS_VERSION, 2, "f32" };
	cairn_describer *describer;
	assert_ok(cairn_describer_new(&describer, models, n, &in_f32));
	size_t dim = cairn_describer_dim(describer);
	for (size_t i = 0; i < count; i++) {
		cairn_image *image;
		assert_ok(cairn_image_open(&image, paths[i], NULL));
		assert_ok(cairn_describer_run(describer, image, NULL, rows + i * dim));
		cairn_image_free(image);
	}
	cairn_describer_free(describer);
	return dim;
}

/* Unit vectors of each member by itself, times its weight, side by side, and all of that of unit length. */
static void join_by_hand(double rows[IMAGES][JOINED])
{
	static float row[IMAGES * DIM];
	for (size_t m = 0; m < MEMBERS; m++) {
		assert_int_equal(describe(&members[m], 1, IMAGES, row), DIM);
		for (size_t i = 0; i < IMAGES; i++)
			for (size_t k = 0; k < DIM; k++)
				rows[i][m * DIM + k] = (double)members[m].weight * (double)row[i * DIM + k];
	}
	for (size_t i = 0; i < IMAGES; i++) {
		double square = 0;
		for (size_t k = 0; k < JOINED; k++)
			square += rows[i][k] * rows[i][k];
		/* 1 + 1/4 + 4 */
		assert_true(fabs(square - 5.25) < 1e-4);
		for (size_t k = 0; k < JOINED; k++)
			rows[i][k] /= sqrt(square);
	}
}

/* L2 of the rows' principal components over the roots of a power of their variances. */
static void whiten_by_hand(double rows[IMAGES][JOINED], double power, size_t kept)
{
	static float flat[IMAGES * JOINED];
	cn_pca pca;
	for (size_t i = 0; i < IMAGES * JOINED; i++)
		flat[i] = (float)rows[i / JOINED][i % JOINED];
	assert_ok(cn_pca_learn(&pca, flat, IMAGES, JOINED, kept));
	for (size_t i = 0; i < IMAGES; i++) {
		double out[JOINED], square = 0;
		for (size_t a = 0; a < kept; a++) {
			out[a] = 0;
			for (size_t k = 0; k < JOINED; k++)
				out[a] += (double)pca.axes[a * JOINED + k] * (rows[i][k] - (double)pca.mean[k]);
			out[a] *= pow((double)pca.variance[a], -power / 2);
			square += out[a] * out[a];
		}
		for (size_t a = 0; a < kept; a++)
			rows[i][a] = out[a] / sqrt(square);
	}
	cn_pca_free(&pca);
}

/* Which way an axis points is left open, so cosines are compared. */
static void assert_same_cosines(const float *found, double expected[IMAGES][JOINED], size_t kept)
{
	for (size_t i = 0; i < IMAGES; i++)
		for (size_t k = 0; k <= i; k++) {
			double a = 0, b = 0;
			for (size_t x = 0; x < kept; x++) {
				a += (double)found[i * kept + x] * (double)found[k * kept + x];
				b += expected[i][x] * expected[k][x];
			}
			assert_true(fabs(a - b) < 1e-3);
		}
}

static void equals_joining_by_hand(void **state)
{
	(void)state;
	static const struct {
		cairn_whitening_kind kind;
		uint32_t dim;
		double power;
	} cases[] = { { CAIRN_WHITEN_PCAW, 20, 0.5 }, { CAIRN_WHITEN_PCAW, 12, 1 }, { CAIRN_WHITEN_PCA, 30, 0 } };
	static double expected[IMAGES][JOINED];
	static float found[IMAGES * JOINED];
	for (size_t c = 0; c < sizeof(cases) / sizeof(*cases); c++) {
		cairn_whitening_options options = options_of(cases[c].kind, cases[c].dim);
		const cairn_describer_model joint = { "joint", 1 };
		options.power = cases[c].power;
		assert_ok(cairn_whitening_learn("joint", members, MEMBERS, paths, IMAGES, &options));
		assert_int_equal(describe(&joint, 1, IMAGES, found), cases[c].dim);
		join_by_hand(expected);
		whiten_by_hand(expected, cases[c].power, cases[c].dim);
		assert_same_cosines(found, expected, cases[c].dim);
	}
}

/* A part of it is joined with others like any model. */
static void an_ensemble_is_joined_in_turn(void **state)
{
	(void)state;
	const cairn_describer_model parts[] = { { "joint", 3 }, { "red", 4 } };
	static float both[2 * (8 + DIM)], joint[2 * 8], red[2 * DIM];
	const cairn_whitening_options options = options_of(CAIRN_WHITEN_PCAW, 8);
	assert_ok(cairn_whitening_learn("joint", members, MEMBERS, paths, IMAGES, &options));
	assert_int_equal(describe(parts, 2, 2, both), 8 + DIM);
	assert_int_equal(describe(&parts[0], 1, 2, joint), 8);
	assert_int_equal(describe(&parts[1], 1, 2, red), DIM);
	for (size_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < 8; k++)
			assert_true(fabsf(both[i * (8 + DIM) + k] - 0.6f * joint[i * 8 + k]) < 1e-5f);
		for (size_t k = 0; k < DIM; k++)
			assert_true(fabsf(both[i * (8 + DIM) + 8 + k] - 0.8f * red[i * DIM + k]) < 1e-5f);
	}
}

static void its_bundle_says_what_it_is(void **state)
{
	(void)state;
	cairn_model *model;
	cairn_model_info info;
	const cairn_whitening_options options = options_of(CAIRN_WHITEN_PCAW, 8);
	assert_ok(cairn_whitening_learn("joint", members, MEMBERS, paths, IMAGES, &options));
	assert_ok(cairn_model_inspect(&model, "joint"));
	cairn_model_get_info(model, &info);
	assert_string_equal(info.kind, "ensemble");
	assert_string_equal(info.whitening, "pcaw");
	assert_string_equal(info.network, "");
	assert_int_equal(info.dim, 8);
	assert_int_equal(info.longest, 64);
	assert_int_equal(info.member_count, MEMBERS);
	for (size_t i = 0; i < MEMBERS; i++) {
		cairn_model_member member;
		cairn_model *single;
		cairn_model_info known;
		cairn_model_get_member(model, i, &member);
		assert_string_equal(member.name, members[i].name);
		assert_true(member.weight == members[i].weight);
		assert_ok(cairn_model_inspect(&single, members[i].name));
		cairn_model_get_info(single, &known);
		assert_string_equal(member.fingerprint, known.fingerprint);
		assert_int_equal(known.member_count, 0);
		assert_string_equal(known.whitening, "none");
		cairn_model_free(single);
	}
	cairn_model_free(model);
	cairn_model_speed speed;
	assert_ok(cairn_model_open(&model, "joint", NULL));
	assert_fails(cairn_model_bench(model, 64, 64, 0.1, &speed), CAIRN_EINVALID, "is an ensemble");
	cairn_model_free(model);
}

static const char *fingerprint_of(const char *name)
{
	cairn_model *model;
	cairn_model_info info;
	assert_ok(cairn_model_inspect(&model, name));
	cairn_model_get_info(model, &info);
	const char *copy = keep(info.fingerprint);
	cairn_model_free(model);
	return copy;
}

/* Learned again, onto itself: the members stay as they are, and what it was whitened with does not count. */
static void an_ensemble_is_whitened_anew(void **state)
{
	(void)state;
	const cairn_describer_model joint = { "joint", 1 };
	cairn_whitening_options options = options_of(CAIRN_WHITEN_PCAW, 8);
	assert_ok(cairn_whitening_learn("joint", members, MEMBERS, paths, IMAGES, &options));
	const char *first = fingerprint_of("joint");
	options = options_of(CAIRN_WHITEN_CENTRE, 0);
	assert_ok(cairn_whitening_learn("joint", &joint, 1, paths, IMAGES, &options));
	assert_string_not_equal(fingerprint_of("joint"), first);
	options = options_of(CAIRN_WHITEN_PCAW, 8);
	assert_ok(cairn_whitening_learn("joint", &joint, 1, paths, IMAGES, &options));
	assert_string_equal(fingerprint_of("joint"), first);
	/* Only the ratios of weights count; which they are does. */
	cairn_describer_model others[MEMBERS];
	for (size_t i = 0; i < MEMBERS; i++)
		others[i] = (cairn_describer_model){ members[i].name, 2 * members[i].weight };
	assert_ok(cairn_whitening_learn("twice", others, MEMBERS, paths, IMAGES, &options));
	assert_string_equal(fingerprint_of("twice"), first);
	others[0].weight = 3;
	assert_ok(cairn_whitening_learn("other", others, MEMBERS, paths, IMAGES, &options));
	assert_string_not_equal(fingerprint_of("other"), first);
}

static void members_must_be_what_they_were(void **state)
{
	(void)state;
	const cairn_describer_model joint = { "joint", 1 }, red = { "red", 1 };
	const cairn_whitening_options options = options_of(CAIRN_WHITEN_PCAW, 8);
	const cairn_whitening_options centring = options_of(CAIRN_WHITEN_CENTRE, 0);
	const char *folder = keep(cn_test_path(home, "red")), *elsewhere = keep(cn_test_path(home, "elsewhere"));
	cairn_model *model;
	cairn_describer *describer;
	assert_ok(cairn_whitening_learn("joint", members, MEMBERS, paths, IMAGES, &options));
	assert_int_equal(rename(folder, elsewhere), 0);
	assert_fails(cairn_model_inspect(&model, "joint"), CAIRN_ENOTFOUND,
		     "the ensemble 'joint' has the member 'red'");
	assert_fails(cairn_describer_new(&describer, &joint, 1, NULL), CAIRN_ENOTFOUND, "no model 'red'");
	assert_int_equal(rename(elsewhere, folder), 0);
	assert_ok(cairn_model_inspect(&model, "joint"));
	cairn_model_free(model);
	assert_ok(cairn_whitening_learn("red", &red, 1, paths, IMAGES, &centring));
	assert_fails(cairn_model_inspect(&model, "joint"), CAIRN_ENOTFOUND, "learn the ensemble again");
	assert_fails(cairn_model_open(&model, "joint", NULL), CAIRN_ENOTFOUND, "member 'red', which is not the model");
	assert_ok(cn_folder_remove(folder));
	model_write(folder, "red", 1);
	assert_ok(cairn_model_open(&model, "joint", NULL));
	cairn_model_free(model);
}

static void collections_take_it(void **state)
{
	(void)state;
	const cairn_whitening_options options = options_of(CAIRN_WHITEN_PCAW, 8);
	const char *photos = photo_folder(3, 1);
	assert_ok(cairn_whitening_learn("joint", members, MEMBERS, paths, IMAGES, &options));
	const char *folder = collection_made("joint", "red", photos, 16);
	cairn_collection *collection;
	cairn_collection_info info;
	static float rows[3 * 8], stored[8 + DIM];
	const cairn_describer_model joint = { "joint", 1 };
	int64_t *ids;
	size_t count;
	assert_ok(cairn_collection_open(&collection, folder, 0));
	assert_ok(cairn_collection_get_info(collection, &info));
	assert_int_equal(info.dim, 8 + DIM);
	assert_ok(cairn_collection_ids(collection, &ids, &count));
	describe(&joint, 1, 3, rows);
	for (size_t i = 0; i < count; i++) {
		assert_ok(cairn_collection_descriptor(collection, ids[i], stored));
		/* The weights are 2 and 1. */
		for (size_t k = 0; k < 8; k++)
			assert_true(fabsf(stored[k] - rows[i * 8 + k] * 2 / sqrtf(5)) < 2e-3f);
	}
	cairn_bytes_free(ids);
	cairn_collection_free(collection);
}

static void refuses(void **state)
{
	(void)state;
	const cairn_whitening_options options = options_of(CAIRN_WHITEN_PCAW, 4);
	static const struct {
		cairn_describer_model models[2];
		const char *target;
		int status;
		const char *text;
	} cases[] = {
		{ { { "red", 1 }, { "red", 2 } }, "t", CAIRN_EINVALID, "'red' is given twice" },
		{ { { "red", 1 }, { "green", 0 } }, "t", CAIRN_EINVALID, "weight 0 must be" },
		{ { { "red", 1 }, { "green", NAN } }, "t", CAIRN_EINVALID, "must be a positive number" },
		{ { { "red", 1 }, { "corners", 1 } }, "t", CAIRN_EINVALID, "'corners' gives local features" },
		{ { { "red", 1 }, { "joint", 1 } }, "t", CAIRN_EINVALID, "'joint' is an ensemble itself" },
		{ { { "red", 1 }, { "absent", 1 } }, "t", CAIRN_ENOTFOUND, "no model 'absent'" },
		{ { { "red", 1 }, { "../x y", 1 } }, "t", CAIRN_ENOTFOUND, "x y" },
		{ { { "red", 1 }, { "green", 1 } }, "green", CAIRN_EINVALID, "needs its member 'green'" },
	};
	assert_ok(cairn_whitening_learn("joint", members, MEMBERS, paths, IMAGES, &options));
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_fails(cairn_whitening_learn(cases[i].target, cases[i].models, 2, paths, 9, &options),
			     cases[i].status, cases[i].text);
		assert_false(cn_file_exists(cn_test_path(home, "t")));
	}
	cairn_whitening_options timid = options;
	timid.replace = 0;
	assert_fails(cairn_whitening_learn("joint", members, MEMBERS, paths, 9, &timid), CAIRN_EEXISTS, "joint");
	assert_fails(cairn_whitening_learn("t", members, 0, paths, 9, &options), CAIRN_EINVALID, "needs a model");
	timid.dim = JOINED + 1;
	assert_fails(cairn_whitening_learn("t", members, MEMBERS, paths, 9, &timid), CAIRN_EINVALID, "48 dimensions");
}

#define MEMBER  "{\"model\":\"red\",\"weight\":1,\"fingerprint\":\"f\"}"
#define BEGIN   "{\"format\":1,\"name\":\"x\",\"kind\":\"ensemble\""
#define WITH(m) BEGIN ",\"members\":[" m "]}"

static void faulty_bundles_are_told(void **state)
{
	(void)state;
	static const struct {
		const char *json, *text;
	} cases[] = {
		{ BEGIN "}", "\"members\" is missing" },
		{ WITH(""), "\"members\" has 0 entries" },
		{ WITH("1"), "members[0]: must be an object" },
		{ WITH("{\"model\":\"red\",\"weight\":1}"), "members[0]: member \"fingerprint\" is missing" },
		{ WITH("{\"model\":\"red\",\"fingerprint\":\"f\"}"), "member \"weight\" is missing" },
		{ WITH(MEMBER ",{\"model\":\"red\",\"weight\":0,\"fingerprint\":\"f\"}"), "members[1]: model 'red'" },
		{ WITH(MEMBER "," MEMBER), "members[1]: 'red' is given twice" },
		{ WITH("{\"model\":\"a/b\",\"weight\":1,\"fingerprint\":\"f\"}"), "absolute path" },
		{ WITH("{\"model\":\".x\",\"weight\":1,\"fingerprint\":\"f\"}"), "cannot name a model" },
		{ BEGIN ",\"network\":\"model.onnx\",\"members\":[" MEMBER "]}", "has no \"network\"" },
		{ BEGIN ",\"whitening\":{\"kind\":\"pca\",\"mean\":\"m.npy\"},\"members\":[" MEMBER "]}",
		  "member \"projection\" is missing" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cairn_model *model = calloc(1, sizeof(*model));
		assert_fails(cn_bundle_parse(model, cases[i].json, strlen(cases[i].json), "model.json"), CAIRN_EFORMAT,
			     cases[i].text);
		cairn_model_free(model);
	}
	/* One that names itself ends, and does not go round in circles. */
	cairn_model *model;
	static const char json[] = BEGIN ",\"members\":[{\"model\":\"circle\",\"weight\":1,\"fingerprint\":\"f\"}]}";
	const char *folder = keep(cn_test_path(home, "circle"));
	assert_ok(cn_folder_make(folder));
	cn_test_write(cn_test_path(folder, "model.json"), json, sizeof(json) - 1);
	assert_fails(cairn_model_inspect(&model, "circle"), CAIRN_EINVALID, "is an ensemble itself");
}

static int learn_once(void *context)
{
	return cairn_whitening_learn("poor", members, 2, paths, 4, context);
}

static int inspect_once(void *context)
{
	cairn_model *model;
	int status = cairn_model_inspect(&model, context);
	cairn_model_free(model);
	return status;
}

static void survives_lack_of_memory(void **state)
{
	(void)state;
	cairn_whitening_options options = options_of(CAIRN_WHITEN_PCAW, 2);
	char name[] = "poor";
	options.threads = 1;
	assert_true(cn_torture(learn_once, &options) > 60);
	assert_true(cn_torture(inspect_once, name) > 30);
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
	for (size_t i = 0; i < MEMBERS; i++)
		model_write(cn_test_path(home, members[i].name), members[i].name, i + 1);
	model_write_local(cn_test_path(home, "corners"), "corners", 3);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equals_joining_by_hand),
		cmocka_unit_test(an_ensemble_is_joined_in_turn),
		cmocka_unit_test(its_bundle_says_what_it_is),
		cmocka_unit_test(an_ensemble_is_whitened_anew),
		cmocka_unit_test(members_must_be_what_they_were),
		cmocka_unit_test(collections_take_it),
		cmocka_unit_test(refuses),
		cmocka_unit_test(faulty_bundles_are_told),
		cmocka_unit_test(survives_lack_of_memory),
	};
	return cmocka_run_group_tests_name("global/ensemble", tests, make_photos, NULL);
}
