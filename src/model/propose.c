/*
 * A model.json for an ONNX file that nothing is known of: what the file says of its input, and what comes out when it
 * is run on a generated image.
 */
#include <math.h>
#include <string.h>

#include "cairn/model.h"
#include "model/bundle.h"
#include "model/map.h"
#include "model/onnx_read.h"
#include "model/precision.h"
#include "util/json.h"
#include "util/memory.h"
#include "util/text.h"

#define LONGEST      1024 /* what retrieval networks are commonly run at */
#define MULTIPLE     32   /* strides of the common networks */
#define TRIAL_WIDTH  256
#define TRIAL_HEIGHT 192
#define MOST_OUTPUTS 8 /* that are looked at */
#define LEAST_DIM    16
#define MOST_DIM     65536

struct trial {
	cn_input_spec input;
	cn_text found; /* lines for people */
	char *output;  /* the best so far */
	int is_map;    /* it is pooled */
	int rank;      /* how good it is */
	size_t dim;
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

static int is_like(const char *name, const char *const *parts)
{
	for (; *parts; parts++)
		if (strcasestr(name, *parts))
			return 1;
	return 0;
}

/* What an output is good for: 0 nothing, and the larger the better. */
static int rank_output(const char *name, const cn_map *map)
{
	static const char *const descriptor[] = { "embed", "descriptor", "global", NULL };
	static const char *const scores[] = { "logit", "prob", "score", NULL };
	int is_map = cn_map_positions(map) > 1;
	if (map->channels < LEAST_DIM || map->channels > MOST_DIM || is_like(name, scores))
		return 0;
	if (!is_map && is_like(name, descriptor))
		return 4;
	/* A thousand classes are those of ImageNet. */
	if (!is_map && map->channels == 1000)
		return 1;
	return is_map ? 3 : 2;
}

static int look_at_output(struct trial *trial, const char *onnx, const char *name, const cn_tensor *tensor)
{
	static const char *const types[] = { "float32", "bytes", "int32", "int64" };
	cn_map map;
	CN_TRY(cn_text_addf(&trial->found, "output '%s': %s", name, types[tensor->type]));
	for (size_t i = 0; i < tensor->rank; i++)
		CN_TRY(cn_text_addf(&trial->found, "%s%zu", i ? " x " : " ", tensor->shape[i]));
	CN_TRY(cn_text_addf(&trial->found, "\n"));
	if (cn_map_of(&map, tensor, onnx, name) < 0)
		return 0;
	int rank = rank_output(name, &map);
	/* Of several maps the deepest, which has the most channels. */
	if (rank == 0 || rank < trial->rank || (rank == trial->rank && map.channels <= trial->dim))
		return 0;
	char *copy = cn_strdup(name);
	if (!copy)
		return CAIRN_ENOMEM;
	cn_free(trial->output);
	trial->output = copy;
	trial->rank = rank;
	trial->is_map = tensor->rank == 4;
	trial->dim = map.channels;
	return 0;
}

static int fill_input(const struct trial *trial, cn_request *request, uint32_t width, uint32_t height)
{
	cn_tensor input;
	CN_TRY(cn_request_input(request, &input));
	uint8_t *rgb = cn_alloc((size_t)width * height, 3);
	if (!rgb)
		return CAIRN_ENOMEM;
	cn_precision_image(1, width, height, rgb);
	cn_input_fill(&trial->input, rgb, width, height, input.data);
	cn_free(rgb);
	return 0;
}

static int run_once(struct trial *trial, cn_network *network, const char *onnx)
{
	const cn_onnx_info *info = cn_network_info(network);
	uint32_t width = trial->input.fixed_width ? trial->input.fixed_width : TRIAL_WIDTH;
	uint32_t height = trial->input.fixed_width ? trial->input.fixed_height : TRIAL_HEIGHT;
	cn_request *request;
	size_t shape[4];
	int status = 0;
	cn_input_shape(&trial->input, width, height, shape);
	CN_TRY(cn_network_acquire(network, shape, 4, &request));
	CN_GOTO(status, fill_input(trial, request, width, height));
	CN_GOTO(status, cn_request_run(request));
	CN_GOTO(status, cn_text_addf(&trial->found, "run on %u x %u pixels:\n", width, height));
	for (size_t i = 0; i < info->output_count && i < MOST_OUTPUTS; i++) {
		cn_tensor output;
		CN_GOTO(status, cn_request_output(request, info->outputs[i].name, &output));
		CN_GOTO(status, look_at_output(trial, onnx, info->outputs[i].name, &output));
	}
done:
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

static int make_json(const struct trial *trial, char **out)
{
	json_t *global = json_pack("{s:s, s:s, s:i}", "output", trial->output, "pool", trial->is_map ? "gem" : "none",
				   "dim", (int)trial->dim);
	if (trial->is_map)
		json_object_set_new(global, "p", json_real(3));
	json_t *root = json_pack("{s:i, s:s, s:o, s:o}", "format", 1, "kind", "global", "input",
				 input_json(&trial->input), "global", global);
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

static int propose(struct trial *trial, const char *onnx, cairn_model_proposal *out)
{
	const cn_network_options options = { .threads = 1 };
	cn_network *network;
	CN_TRY(cn_network_open(&network, onnx, &options));
	int status = propose_input(trial, &cn_network_info(network)->input, onnx);
	if (status == 0)
		status = run_once(trial, network, onnx);
	cn_network_free(network);
	CN_TRY(status);
	if (!trial->output)
		return fail_without_output(trial, onnx);
	CN_TRY(cn_text_addf(&trial->found, "taken: '%s', %s\n", trial->output,
			    trial->is_map ? "a map, pooled by GeM with p = 3" : "a vector as it is"));
	if (trial->rank == 1)
		CN_TRY(cn_text_addf(&trial->found,
				    "it looks like the scores of 1000 classes: a network exported without "
				    "its classifier describes images better\n"));
	if (trial->input.type == CN_TENSOR_F32)
		CN_TRY(cn_text_addf(&trial->found, "guessed: mean and std of the pixels%s\n",
				    trial->input.fixed_width ? "" : ", the longest side and the multiple of sides"));
	CN_TRY(make_json(trial, &out->json));
	out->found = trial->found.data;
	trial->found = (cn_text)CN_TEXT_INIT;
	return 0;
}

int cairn_model_propose(cairn_model_proposal *out, const char *onnx)
{
	struct trial trial = { .found = CN_TEXT_INIT };
	*out = (cairn_model_proposal){ 0 };
	int status = propose(&trial, onnx, out);
	cn_text_free(&trial.found);
	cn_free(trial.output);
	return status;
}

void cairn_model_proposal_free(cairn_model_proposal *proposal)
{
	cn_free(proposal->json);
	cn_free(proposal->found);
	*proposal = (cairn_model_proposal){ 0 };
}
