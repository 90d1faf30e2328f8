/*
 * Global descriptors: resize -> network -> pool -> whiten -> L2, for each network, then the weighted join.
 *
 * Weights are applied as weight_i / sqrt(sum of weight^2) to unit vectors, so the joined vector is a unit vector again
 * and its inner products are weighted means of the networks' cosines.
 */
#include "global/describe.h"

#include <math.h>
#include <string.h>

#include "cairn/descriptors.h"
#include "global/pool.h"
#include "math/dot.h"
#include "util/memory.h"

struct part {
	cairn_model *model;
	float factor;
};

struct cairn_describer {
	struct part *parts;
	size_t count;
	size_t dim;
	uint32_t longest;
};

static int pool_output(const cairn_model *model, cn_request *request, float *out)
{
	const cn_global_spec *spec = &model->global;
	cn_tensor output;
	CN_TRY(cn_request_output(request, spec->output, &output));
	if (output.type != CN_TENSOR_F32 || output.rank < 2 || output.shape[0] != 1 || output.shape[1] != spec->dim)
		return cn_fail(CAIRN_EFORMAT,
			       "model '%s': output '%s' is not float32 of 1 x %u (x height x width) as model.json says",
			       model->name, spec->output, spec->dim);
	size_t positions = output.count / spec->dim;
	if (positions < 1 || (spec->pool == CN_POOL_NONE && positions != 1))
		return cn_fail(CAIRN_EFORMAT,
			       "model '%s': output '%s' has %zu positions a channel; 'pool' must be 'gem' for a map",
			       model->name, spec->output, positions);
	if (spec->pool == CN_POOL_GEM)
		cn_pool_gem(output.data, spec->dim, positions, spec->p, out);
	else
		memcpy(out, output.data, spec->dim * sizeof(float));
	if (!cn_all_finite(out, spec->dim))
		return cn_fail(CAIRN_EBACKEND,
			       "model '%s' gave numbers that are not finite; its weights may be damaged", model->name);
	return 0;
}

int cn_describe_pooled(cairn_model *model, const cairn_image *image, const cairn_box *box, float *out)
{
	cairn_image *part = NULL, *resized = NULL;
	cn_request *request = NULL;
	int status = 0;
	if (box) {
		CN_GOTO(status, cairn_image_crop(&part, image, *box));
		image = part;
	}
	uint32_t width, height;
	cn_input_size(&model->input, cairn_image_width(image), cairn_image_height(image), box != NULL, &width, &height);
	CN_GOTO(status, cairn_image_resize(&resized, image, width, height));
	CN_GOTO(status, cn_model_run(model, cairn_image_pixels(resized), width, height, &request));
	status = pool_output(model, request, out);
done:
	if (request)
		cn_network_release(model->network, request);
	cairn_image_free(resized);
	cairn_image_free(part);
	return status;
}

void cn_describe_whiten(const cairn_model *model, float *pooled, float *out)
{
	const cn_global_spec *spec = &model->global;
	if (spec->mean)
		for (uint32_t i = 0; i < spec->dim; i++)
			pooled[i] -= spec->mean[i];
	if (spec->projection)
		cn_dot_rows(pooled, spec->projection, spec->kept, spec->dim, out);
	else
		memcpy(out, pooled, spec->dim * sizeof(float));
	cn_normalise(out, spec->kept);
}

int cn_describe_check_options(const cairn_describer_options *options)
{
	if (!options || options->version == CAIRN_DESCRIBER_OPTIONS_VERSION)
		return 0;
	return cn_fail(CAIRN_EINVALID, "describer options have version %u; this library knows %d", options->version,
		       CAIRN_DESCRIBER_OPTIONS_VERSION);
}

static int add_part(cairn_describer *describer, const cairn_describer_model *wanted,
		    const cairn_describer_options *options)
{
	if (!(wanted->weight > 0) || !isfinite(wanted->weight))
		return cn_fail(CAIRN_EINVALID, "model '%s': its weight %g must be a positive number", wanted->name,
			       (double)wanted->weight);
	cairn_model_options how = CAIRN_MODEL_OPTIONS_INIT;
	how.threads = options->threads;
	how.precision = options->precision;
	struct part *part = &describer->parts[describer->count];
	CN_TRY(cairn_model_open(&part->model, wanted->name, &how));
	describer->count++;
	if (part->model->is_local)
		return cn_fail(CAIRN_EINVALID, "model '%s' gives local features, not a global descriptor",
			       wanted->name);
	part->factor = wanted->weight;
	describer->dim += part->model->global.kept;
	uint32_t longest = cn_input_longest(&part->model->input);
	if (describer->longest < longest)
		describer->longest = longest;
	return 0;
}

int cairn_describer_new(cairn_describer **out, const cairn_describer_model *models, size_t n,
			const cairn_describer_options *options)
{
	static const cairn_describer_options defaults = CAIRN_DESCRIBER_OPTIONS_INIT;
	*out = NULL;
	CN_TRY(cn_describe_check_options(options));
	if (n == 0 || n > 64)
		return cn_fail(CAIRN_EINVALID, "a descriptor needs 1 to 64 models, not %zu", n);
	cairn_describer *describer;
	CN_NEW(describer, 1, sizeof(*describer));
	int status = 0;
	describer->parts = cn_alloc_zero(n, sizeof(*describer->parts));
	if (!describer->parts)
		CN_GOTO(status, CAIRN_ENOMEM);
	double squares = 0;
	for (size_t i = 0; i < n; i++) {
		CN_GOTO(status, add_part(describer, &models[i], options ? options : &defaults));
		squares += (double)models[i].weight * (double)models[i].weight;
	}
	for (size_t i = 0; i < n; i++)
		describer->parts[i].factor = (float)((double)describer->parts[i].factor / sqrt(squares));
	*out = describer;
	return 0;
done:
	cairn_describer_free(describer);
	return status;
}

void cairn_describer_free(cairn_describer *describer)
{
	if (!describer)
		return;
	for (size_t i = 0; i < describer->count; i++)
		cairn_model_free(describer->parts[i].model);
	cn_free(describer->parts);
	cn_free(describer);
}

size_t cairn_describer_dim(const cairn_describer *describer)
{
	return describer->dim;
}

uint32_t cairn_describer_longest(const cairn_describer *describer)
{
	return describer->longest;
}

int cairn_describer_run(cairn_describer *describer, const cairn_image *image, const cairn_box *box, float *out)
{
	size_t widest = 0;
	for (size_t i = 0; i < describer->count; i++)
		if (widest < describer->parts[i].model->global.dim)
			widest = describer->parts[i].model->global.dim;
	float *pooled;
	CN_NEW(pooled, widest, sizeof(*pooled));
	int status = 0;
	for (size_t i = 0; i < describer->count; i++) {
		const struct part *part = &describer->parts[i];
		CN_GOTO(status, cn_describe_pooled(part->model, image, box, pooled));
		cn_describe_whiten(part->model, pooled, out);
		for (uint32_t k = 0; k < part->model->global.kept; k++)
			out[k] *= part->factor;
		out += part->model->global.kept;
	}
done:
	cn_free(pooled);
	return status;
}
