/*
 * A model.json for an ONNX file that nothing is known of: what the file says of its input, and what comes out when it
 * is run on a generated image.
 */
#include <math.h>
#include <string.h>

#include "cairn/model.h"
#include "model/bundle.h"
#include "model/onnx_read.h"
#include "model/precision.h"
#include "model/propose_outputs.h"
#include "util/json.h"
#include "util/memory.h"
#include "util/text.h"

#define LONGEST      1024 /* what retrieval networks are commonly run at */
#define MULTIPLE     32   /* strides of the common networks */
#define TRIAL_WIDTH  256
#define TRIAL_HEIGHT 192
#define SQUARE       224 /* what networks of one size that do not say so were mostly trained at */

struct trial {
	cn_input_spec input;
	cn_text found;          /* lines for people */
	uint32_t width, height; /* that it was run at */
	cn_seen_output outputs[CN_MOST_SEEN];
	size_t count;
};

/* ---- input ---- */

/* ImageNet's, on pixels from 0 to 255: what nearly all published networks were trained with. */
static void usual_pixels(cn_input_spec *spec)
{
	static const float mean[3] = { 123.675f, 116.28f, 103.53f }, std[3] = { 58.395f, 57.12f, 57.375f };
	for (size_t c = 0; c < 3; c++) {
		spec->mean[c] = spec->channels == CN_CHANNELS_GREY ? 0 : mean[c];
		spec->std[c] = spec->channels == CN_CHANNELS_GREY ? 255 : std[c];
	}
}

static int is_colours(int64_t channels)
{
	return channels == 1 || channels == 3;
}

static int propose_input(struct trial *trial, const cn_onnx_port *port, const char *onnx)
{
	cn_input_spec *spec = &trial->input;
	if ((port->type != CN_TENSOR_F32 && port->type != CN_TENSOR_U8) || (port->has_shape && port->rank != 4))
		return cn_fail(CAIRN_EUNSUPPORTED,
			       "%s: the input '%s' is no image: one of four dimensions, float32 or uint8, is needed",
			       onnx, port->name);
	int64_t shape[4] = { 1, 3, -1, -1 };
	if (port->has_shape)
		memcpy(shape, port->shape, sizeof(shape));
	spec->layout = !is_colours(shape[1]) && is_colours(shape[3]) ? CN_LAYOUT_NHWC : CN_LAYOUT_NCHW;
	int64_t channels = spec->layout == CN_LAYOUT_NCHW ? shape[1] : shape[3];
	int64_t height = spec->layout == CN_LAYOUT_NCHW ? shape[2] : shape[1];
	int64_t width = spec->layout == CN_LAYOUT_NCHW ? shape[3] : shape[2];
	if (channels > 0 && !is_colours(channels))
		return cn_fail(CAIRN_EUNSUPPORTED, "%s: the input '%s' has %lld channels; 1 or 3 are possible", onnx,
			       port->name, (long long)channels);
	spec->type = port->type;
	spec->channels = channels == 1 ? CN_CHANNELS_GREY : CN_CHANNELS_RGB;
	spec->longest = LONGEST;
	spec->multiple = MULTIPLE;
	if (width > 0 && height > 0 && width <= 16384 && height <= 16384) {
		spec->fixed_width = (uint32_t)width;
		spec->fixed_height = (uint32_t)height;
		spec->longest = (uint32_t)(width > height ? width : height);
	}
	usual_pixels(spec);
	return cn_text_addf(&trial->found, "input '%s': %s, %s, %s, %s\n", port->name,
			    spec->type == CN_TENSOR_U8 ? "bytes" : "float32",
			    spec->layout == CN_LAYOUT_NCHW ? "channels first" : "channels last",
			    channels == 1 ? "grey" : "colour", spec->fixed_width ? "of fixed size" : "of any size");
}

/* ---- outputs ---- */

static void measure_range(cn_seen_output *seen, const cn_tensor *tensor)
{
	const float *numbers = tensor->data;
	if (tensor->type != CN_TENSOR_F32 || tensor->count == 0)
		return;
	seen->least = seen->most = (double)numbers[0];
	for (size_t i = 1; i < tensor->count; i++) {
		seen->least = fmin(seen->least, (double)numbers[i]);
		seen->most = fmax(seen->most, (double)numbers[i]);
	}
}

static int look_at_output(struct trial *trial, const char *name, const cn_tensor *tensor)
{
	static const char *const types[] = { "float32", "bytes", "int32", "int64" };
	cn_seen_output *seen = &trial->outputs[trial->count++];
	*seen = (cn_seen_output){ .name = name, .type = tensor->type, .rank = tensor->rank, .count = tensor->count };
	memcpy(seen->shape, tensor->shape, sizeof(seen->shape));
	measure_range(seen, tensor);
	CN_TRY(cn_text_addf(&trial->found, "output '%s': %s", name, types[tensor->type]));
	for (size_t i = 0; i < tensor->rank; i++)
		CN_TRY(cn_text_addf(&trial->found, "%s%zu", i ? " x " : " ", tensor->shape[i]));
	return cn_text_addf(&trial->found, "\n");
}

static int fill_input(const struct trial *trial, cn_request *request)
{
	cn_tensor input;
	CN_TRY(cn_request_input(request, &input));
	uint8_t *rgb = cn_alloc((size_t)trial->width * trial->height, 3);
	if (!rgb)
		return CAIRN_ENOMEM;
	cn_precision_image(1, trial->width, trial->height, rgb);
	cn_input_fill(&trial->input, rgb, trial->width, trial->height, input.data);
	cn_free(rgb);
	return 0;
}

static int look_at_outputs(struct trial *trial, cn_request *request, const cn_onnx_info *info)
{
	CN_TRY(cn_text_addf(&trial->found, "run on %u x %u pixels:\n", trial->width, trial->height));
	for (size_t i = 0; i < info->output_count && i < CN_MOST_SEEN; i++) {
		cn_tensor output;
		CN_TRY(cn_request_output(request, info->outputs[i].name, &output));
		CN_TRY(look_at_output(trial, info->outputs[i].name, &output));
	}
	return 0;
}

static int run_at(struct trial *trial, cn_network *network, uint32_t width, uint32_t height, cn_request **request)
{
	size_t shape[4];
	trial->width = width;
	trial->height = height;
	cn_input_shape(&trial->input, width, height, shape);
	CN_TRY(cn_network_acquire(network, shape, 4, request));
	int status = fill_input(trial, *request);
	if (status == 0)
		status = cn_request_run(*request);
	if (status < 0)
		cn_network_release(network, *request);
	return status;
}

/* Position embeddings may bind a network to one size that its input does not tell of. */
static int run(struct trial *trial, cn_network *network, cn_request **request)
{
	cn_input_spec *input = &trial->input;
	if (input->fixed_width)
		return run_at(trial, network, input->fixed_width, input->fixed_height, request);
	if (run_at(trial, network, TRIAL_WIDTH, TRIAL_HEIGHT, request) == 0)
		return 0;
	CN_TRY(run_at(trial, network, SQUARE, SQUARE, request));
	input->fixed_width = input->fixed_height = input->longest = SQUARE;
	return cn_text_addf(&trial->found,
			    "it does not run on %d x %d pixels, but on %d x %d, which is taken as fixed\n", TRIAL_WIDTH,
			    TRIAL_HEIGHT, SQUARE, SQUARE);
}

static int run_once(struct trial *trial, cn_network *network)
{
	cn_request *request;
	CN_TRY(run(trial, network, &request));
	int status = look_at_outputs(trial, request, cn_network_info(network));
	cn_network_release(network, request);
	return status;
}

/* ---- the proposal ---- */

static json_t *channels_json(const cn_input_spec *spec, const float *numbers)
{
	if (spec->channels == CN_CHANNELS_GREY)
		return json_pack("[f]", (double)numbers[0]);
	/* Floats have 7 digits; those that a double shows behind them are noise. */
	json_t *list = json_array();
	for (size_t c = 0; c < 3; c++)
		json_array_append_new(list, json_real(nearbyint((double)numbers[c] * 1e4) / 1e4));
	return list;
}

static json_t *input_json(const cn_input_spec *spec)
{
	json_t *input = json_pack("{s:s, s:s, s:s, s:i, s:i}", "type", spec->type == CN_TENSOR_U8 ? "u8" : "f32",
				  "layout", spec->layout == CN_LAYOUT_NCHW ? "NCHW" : "NHWC", "channels",
				  spec->channels == CN_CHANNELS_GREY ? "GREY" : "RGB", "longest", (int)spec->longest,
				  "multiple", (int)spec->multiple);
	if (spec->type == CN_TENSOR_F32) {
		json_object_set_new(input, "mean", channels_json(spec, spec->mean));
		json_object_set_new(input, "std", channels_json(spec, spec->std));
	}
	if (spec->fixed_width)
		json_object_set_new(input, "fixed",
				    json_pack("[i, i]", (int)spec->fixed_width, (int)spec->fixed_height));
	return input;
}

/* Takes the plan's member over. */
static int make_json(const struct trial *trial, const cn_outputs_plan *plan, char **out)
{
	json_t *root = json_pack("{s:i, s:s, s:o, s:o}", "format", 1, "kind", plan->kind, "input",
				 input_json(&trial->input), plan->kind, plan->member);
	cn_text text = CN_TEXT_INIT;
	int status = cn_json_text(&text, root, 2);
	if (status == 0)
		status = cn_text_addf(&text, "\n");
	json_decref(root);
	if (status < 0)
		cn_text_free(&text);
	*out = text.data;
	return status;
}

static int fail_without_output(struct trial *trial, const char *onnx)
{
	for (char *at = trial->found.data; (at = strchr(at, '\n')) != NULL;)
		*at = at[1] ? ';' : '\0';
	return cn_fail(CAIRN_EUNSUPPORTED,
		       "%s: no output looks like a descriptor or a feature map; write a model.json by hand "
		       "(docs/format.md). Found: %s",
		       onnx, trial->found.data);
}

static int conclude(struct trial *trial, const char *onnx, cairn_model_proposal *out)
{
	cn_outputs_plan plan;
	int status =
		cn_outputs_propose(&plan, trial->outputs, trial->count, trial->width, trial->height, &trial->found);
	if (status < 0) {
		json_decref(plan.member);
		return status;
	}
	if (!plan.member)
		return fail_without_output(trial, onnx);
	if (plan.multiple && trial->input.multiple % plan.multiple)
		trial->input.multiple = plan.multiple;
	CN_TRY(make_json(trial, &plan, &out->json));
	if (trial->input.type == CN_TENSOR_F32)
		CN_TRY(cn_text_addf(&trial->found, "guessed: mean and std of the pixels%s\n",
				    trial->input.fixed_width ? "" : ", the longest side and the multiple of sides"));
	out->found = trial->found.data;
	trial->found = (cn_text)CN_TEXT_INIT;
	return 0;
}

static int propose(struct trial *trial, const char *onnx, cairn_model_proposal *out)
{
	const cn_network_options options = { .threads = 1 };
	cn_network *network;
	CN_TRY(cn_network_open(&network, onnx, &options));
	int status = propose_input(trial, &cn_network_info(network)->input, onnx);
	if (status == 0)
		status = run_once(trial, network);
	if (status == 0)
		status = conclude(trial, onnx, out);
	cn_network_free(network);
	return status;
}

int cairn_model_propose(cairn_model_proposal *out, const char *onnx)
{
	struct trial trial = { .found = CN_TEXT_INIT };
	*out = (cairn_model_proposal){ 0 };
	int status = propose(&trial, onnx, out);
	cn_text_free(&trial.found);
	if (status < 0)
		cairn_model_proposal_free(out);
	return status;
}

void cairn_model_proposal_free(cairn_model_proposal *proposal)
{
	cn_free(proposal->json);
	cn_free(proposal->found);
	*proposal = (cairn_model_proposal){ 0 };
}
