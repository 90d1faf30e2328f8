/*
 * Global descriptors: views -> network -> heads -> whiten -> L2, for each network, then the weighted join. An
 * ensemble is joined first, of whitened parts, and then whitened as a whole.
 *
 * Weights are applied as weight_i / sqrt(sum of weight^2) to unit vectors, so the joined vector is a unit vector again
 * and its inner products are weighted means of the networks' cosines.
 */
#include "global/describe.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cairn/descriptors.h"
#include "global/filters.h"
#include "global/heads.h"
#include "global/views.h"
#include "image/image.h"
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
	uint32_t longest, shortest;
};

/* The output as a map. @param[out] buffer caller frees */
static int view_output(const cairn_model *model, cn_request *request, const cairn_image *resized, cn_map *map,
		       float **buffer)
{
	const cn_global_spec *spec = &model->global;
	char where[128];
	snprintf(where, sizeof(where), "model '%.100s'", model->name);
	if (cn_global_is_vector(spec) && spec->tokens.patch) {
		cn_tensor output;
		CN_TRY(cn_request_output(request, spec->output, &output));
		CN_TRY(cn_map_of_class(map, &output, where, spec->output));
	} else {
		CN_TRY(cn_model_map(model, request, spec->output, &spec->tokens, cairn_image_width(resized),
				    cairn_image_height(resized), map, buffer));
	}
	CN_TRY(cn_global_check_channels(spec, map->channels, where));
	if (cn_global_is_vector(spec) && cn_map_positions(map) != 1)
		return cn_fail(
			CAIRN_EFORMAT,
			"%s: output '%s' has %zu positions a channel; with \"pool\" \"none\" it must be a vector",
			where, spec->output, cn_map_positions(map));
	return 0;
}

static int filter_output(const cairn_model *model, cn_request *request, const cairn_image *resized, cn_map *map,
			 float **buffer)
{
	const cn_filters *filters = &model->global.filters;
	cn_map attention = { 0 };
	float *of_attention = NULL;
	char where[128];
	int status = 0;
	snprintf(where, sizeof(where), "model '%.100s'", model->name);
	if (filters->attention_output)
		status = cn_model_map(model, request, filters->attention_output, &model->global.tokens,
				      cairn_image_width(resized), cairn_image_height(resized), &attention,
				      &of_attention);
	if (status == 0)
		status = cn_filter_map(filters, map, &attention, where, buffer);
	cn_free(of_attention);
	return status;
}

static int pool_output(const cairn_model *model, cn_request *request, const cairn_image *resized, float *out)
{
	cn_map map;
	float *planes = NULL, *filtered = NULL;
	int status = view_output(model, request, resized, &map, &planes);
	if (status == 0)
		status = filter_output(model, request, resized, &map, &filtered);
	if (status == 0)
		status = cn_heads_run(&model->global, &map, out);
	cn_free(planes);
	cn_free(filtered);
	CN_TRY(status);
	if (!cn_all_finite(out, model->global.dim))
		return cn_fail(CAIRN_EBACKEND,
			       "model '%s' gave numbers that are not finite; its weights may be damaged", model->name);
	return 0;
}

/* @param resized of the input's size */
static int run_network(cairn_model *model, const cairn_image *resized, float *out)
{
	cn_request *request;
	CN_TRY(cn_model_run(model, cairn_image_pixels(resized), cairn_image_width(resized), cairn_image_height(resized),
			    &request));
	int status = pool_output(model, request, resized, out);
	cn_network_release(model->network, request);
	return status;
}

static int describe_view(cairn_model *model, const cairn_image *image, int is_box, const cn_view *view, float *out)
{
	cairn_image *part = NULL, *resized = NULL;
	uint32_t width, height;
	int status = 0;
	if (view->side < 1) {
		double w = cairn_image_full_width(image), h = cairn_image_full_height(image);
		const cairn_box box = { view->x * w, view->y * h, (view->x + view->side) * w,
					(view->y + view->side) * h };
		CN_GOTO(status, cairn_image_crop(&part, image, box));
		image = part;
	}
	cn_input_size(&model->input, cairn_image_width(image), cairn_image_height(image), is_box, view->scale, &width,
		      &height);
	CN_GOTO(status, cairn_image_resize(&resized, image, width, height));
	if (view->flipped)
		cn_image_flip(resized);
	status = run_network(model, resized, out);
done:
	cairn_image_free(resized);
	cairn_image_free(part);
	return status;
}

static int describe_views(cairn_model *model, const cairn_image *image, int is_box, float *out)
{
	const cn_views *views = &model->global.views;
	size_t count = cn_views_count(views), dim = model->global.dim;
	double *gathered;
	if (count == 1 && views->combine == CN_COMBINE_MEAN) {
		const cn_view only = cn_views_get(views, 0);
		return describe_view(model, image, is_box, &only, out);
	}
	CN_NEW(gathered, dim, sizeof(*gathered));
	int status = 0;
	for (size_t i = 0; status == 0 && i < count; i++) {
		const cn_view view = cn_views_get(views, i);
		status = describe_view(model, image, is_box, &view, out);
		if (status == 0)
			cn_views_gather(views, i, out, dim, gathered);
	}
	if (status == 0)
		cn_views_finish(views, gathered, dim, out);
	cn_free(gathered);
	return status;
}

/* Whitened, of length `factor`. @param[out] out model->global.kept floats */
static int describe_part(cairn_model *model, float factor, const cairn_image *image, const cairn_box *box, float *out)
{
	float *pooled;
	CN_NEW(pooled, model->global.dim, sizeof(*pooled));
	int status = cn_describe_pooled(model, image, box, pooled);
	if (status == 0) {
		cn_describe_whiten(model, pooled, out);
		for (uint32_t k = 0; k < model->global.kept; k++)
			out[k] *= factor;
	}
	cn_free(pooled);
	return status;
}

static int describe_members(const cn_ensemble *ensemble, const cairn_image *image, const cairn_box *box, float *out)
{
	for (size_t i = 0; i < ensemble->count; i++) {
		const cn_member *member = &ensemble->members[i];
		CN_TRY(describe_part(member->model, member->factor, image, box, out));
		out += member->model->global.kept;
	}
	return 0;
}

int cn_describe_pooled(cairn_model *model, const cairn_image *image, const cairn_box *box, float *out)
{
	cairn_image *part;
	if (model->ensemble.count)
		return describe_members(&model->ensemble, image, box, out);
	if (!box)
		return describe_views(model, image, 0, out);
	CN_TRY(cairn_image_crop(&part, image, *box));
	int status = describe_views(model, part, 1, out);
	cairn_image_free(part);
	return status;
}

void cn_describe_whiten(const cairn_model *model, float *pooled, float *out)
{
	const cn_global_spec *spec = &model->global;
	if (spec->unit)
		cn_normalise(pooled, spec->dim);
	if (spec->mean)
		for (uint32_t i = 0; i < spec->dim; i++)
			pooled[i] -= spec->mean[i];
	if (spec->projection)
		cn_dot_rows(pooled, spec->projection, spec->kept, spec->dim, out);
	else
		memcpy(out, pooled, spec->dim * sizeof(float));
	cn_normalise(out, spec->kept);
}

static int check_options(const cairn_describer_options *options)
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
	if (part->model->is_local || part->model->is_detector)
		return cn_fail(CAIRN_EINVALID, "model '%s' gives %s, not a global descriptor", wanted->name,
			       cn_model_gives(part->model));
	part->factor = wanted->weight;
	describer->dim += part->model->global.kept;
	uint32_t longest = cn_model_longest(part->model), shortest = cn_model_shortest(part->model);
	if (describer->longest < longest)
		describer->longest = longest;
	if (describer->shortest < shortest)
		describer->shortest = shortest;
	return 0;
}

int cairn_describer_new(cairn_describer **out, const cairn_describer_model *models, size_t n,
			const cairn_describer_options *options)
{
	static const cairn_describer_options defaults = CAIRN_DESCRIBER_OPTIONS_INIT;
	*out = NULL;
	CN_TRY(check_options(options));
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

uint32_t cairn_describer_shortest(const cairn_describer *describer)
{
	return describer->shortest;
}

int cairn_describer_run(cairn_describer *describer, const cairn_image *image, const cairn_box *box, float *out)
{
	for (size_t i = 0; i < describer->count; i++) {
		const struct part *part = &describer->parts[i];
		CN_TRY(describe_part(part->model, part->factor, image, box, out));
		out += part->model->global.kept;
	}
	return 0;
}
