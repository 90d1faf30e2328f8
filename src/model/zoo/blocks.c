/*
 * Building blocks that architectures share. Folding: batch normalisation after a convolution is scale * y + shift for
 * each channel, so scale goes into the weights and shift into the bias.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/zoo/zoo.h"
#include "util/memory.h"

struct folded {
	float *weight, *bias;
};

static int get_part(const cn_weights *weights, const char *prefix, const char *suffix, size_t size, int required,
		    const float **out)
{
	char name[256];
	const cn_weight *weight;
	snprintf(name, sizeof(name), "%.200s.%s", prefix, suffix);
	*out = NULL;
	if (!required && !cn_weights_find(weights, name))
		return 0;
	CN_TRY(cn_weights_get(weights, name, 1, &size, &weight));
	*out = weight->numbers;
	return 0;
}

static int fold_norm(const cn_weights *weights, const cn_zoo_conv_spec *spec, size_t outputs, size_t each,
		     struct folded *folded)
{
	const float *gamma, *beta, *mean, *variance;
	CN_TRY(get_part(weights, spec->norm, "weight", outputs, 0, &gamma));
	CN_TRY(get_part(weights, spec->norm, "bias", outputs, 0, &beta));
	CN_TRY(get_part(weights, spec->norm, "running_mean", outputs, 1, &mean));
	CN_TRY(get_part(weights, spec->norm, "running_var", outputs, 1, &variance));
	for (size_t c = 0; c < outputs; c++) {
		double scale = (gamma ? (double)gamma[c] : 1.0) / sqrt((double)variance[c] + (double)spec->epsilon);
		if (!isfinite(scale))
			return cn_fail(CAIRN_EFORMAT,
				       "%s: channel %zu of '%s' has a variance that is not a positive number",
				       weights->file, c, spec->norm);
		for (size_t i = 0; i < each; i++)
			folded->weight[c * each + i] = (float)((double)folded->weight[c * each + i] * scale);
		folded->bias[c] =
			(float)(((double)folded->bias[c] - (double)mean[c]) * scale + (beta ? (double)beta[c] : 0.0));
	}
	return 0;
}

static int fold(const cn_weights *weights, const cn_zoo_conv_spec *spec, const cn_weight *weight, struct folded *folded)
{
	size_t outputs = weight->shape[0], each = weight->count / (outputs ? outputs : 1);
	const float *bias;
	CN_TRY(get_part(weights, spec->conv, "bias", outputs, 0, &bias));
	folded->weight = cn_memdup(weight->numbers, weight->count * sizeof(float));
	folded->bias = cn_alloc_zero(outputs, sizeof(float));
	if (!folded->weight || !folded->bias)
		return CAIRN_ENOMEM;
	if (bias)
		memcpy(folded->bias, bias, outputs * sizeof(float));
	return spec->norm ? fold_norm(weights, spec, outputs, each, folded) : 0;
}

static const char *add_conv(cn_onnx_graph *graph, const cn_weights *weights, const char *x,
			    const cn_zoo_conv_spec *spec, const cn_weight *weight)
{
	struct folded folded = { NULL, NULL };
	const char *y = NULL;
	int status = fold(weights, spec, weight, &folded);
	size_t kernel = weight->shape[2];
	if (status == 0)
		y = cn_onnx_conv(graph, x,
				 &(cn_onnx_conv_spec){ .weight = folded.weight,
						       .bias = folded.bias,
						       .outputs = weight->shape[0],
						       .inputs = spec->inputs,
						       .kernel = kernel,
						       .stride = spec->stride,
						       .groups = spec->depthwise ? spec->inputs : 1,
						       .same = spec->same,
						       .pad = (kernel - 1) / 2 });
	else
		cn_onnx_graph_fail(graph, status);
	cn_free(folded.weight);
	cn_free(folded.bias);
	return y;
}

const char *cn_zoo_conv(cn_onnx_graph *graph, const cn_weights *weights, const char *x, const cn_zoo_conv_spec *spec,
			size_t *outputs)
{
	char name[256];
	const cn_weight *weight;
	if (cn_onnx_graph_status(graph) < 0)
		return NULL;
	snprintf(name, sizeof(name), "%.200s.weight", spec->conv);
	const size_t shape[4] = { spec->depthwise ? spec->inputs : 0, spec->depthwise ? 1 : spec->inputs, 0, 0 };
	int status = cn_weights_get(weights, name, 4, shape, &weight);
	if (status == 0 && (weight->count == 0 || weight->shape[2] != weight->shape[3] || weight->shape[2] % 2 != 1))
		status = cn_fail(CAIRN_EFORMAT, "%s: the kernel of '%s' is not square and odd", weights->file, name);
	if (status < 0) {
		cn_onnx_graph_fail(graph, status);
		return NULL;
	}
	if (outputs)
		*outputs = weight->shape[0];
	return add_conv(graph, weights, x, spec, weight);
}
