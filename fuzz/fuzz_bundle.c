/*
 * model.json: any text gives a bundle whose numbers are within their limits, or an error.
 */
#include <math.h>
#include <string.h>

#include "cairn/error.h"
#include "model/bundle.h"
#include "target.h"
#include "util/memory.h"

#define MAX_SIDE     (16384 + 1024)
#define SMALL_TENSOR (1u << 18)

int fuzz_accepted;

/* The tensor for a small image is filled to its last number, and all are finite. */
static void check_fill(const cn_input_spec *spec, uint32_t width, uint32_t height)
{
	size_t pixels = (size_t)width * height, channels = spec->channels == CN_CHANNELS_GREY ? 1 : 3;
	size_t size = spec->type == CN_TENSOR_U8 ? 1 : sizeof(float);
	if (pixels > SMALL_TENSOR)
		return;
	uint8_t *rgb = cn_alloc_zero(pixels, 3);
	void *tensor = cn_alloc(pixels * channels, size);
	FUZZ_CHECK(rgb && tensor);
	cn_input_fill(spec, rgb, width, height, tensor);
	if (spec->type == CN_TENSOR_F32)
		for (size_t i = 0; i < pixels * channels; i++)
			FUZZ_CHECK(isfinite(((const float *)tensor)[i]));
	cn_free(tensor);
	cn_free(rgb);
}

static void check_input(const cn_input_spec *spec)
{
	static const uint32_t sizes[][2] = { { 4000, 3000 }, { 1, 65535 }, { 7, 5 } };
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (int is_box = 0; is_box < 2; is_box++) {
			uint32_t width, height;
			size_t shape[4];
			cn_input_size(spec, sizes[i][0], sizes[i][1], is_box, &width, &height);
			cn_input_shape(spec, width, height, shape);
			FUZZ_CHECK(width > 0 && height > 0 && width <= MAX_SIDE && height <= MAX_SIDE && shape[0] == 1);
			check_fill(spec, width, height);
		}
}

static void check_model(const cairn_model *model)
{
	FUZZ_CHECK(model->name && model->name[0] && model->network_name && model->network_name[0]);
	check_input(&model->input);
	if (model->is_local)
		FUZZ_CHECK(model->local.dim > 0 && model->local.max_points > 0 && isfinite(model->local.threshold));
	else
		FUZZ_CHECK(model->global.dim > 0 && model->global.kept == model->global.dim && model->global.p <= 100);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cairn_model *model = cn_alloc_zero(1, sizeof(*model));
	FUZZ_CHECK(model);
	fuzz_accepted = cn_bundle_parse(model, (const char *)data, size, "model.json") == 0;
	if (fuzz_accepted)
		check_model(model);
	else
		FUZZ_CHECK(cairn_last_error()[0]);
	cairn_model_free(model);
	return 0;
}
