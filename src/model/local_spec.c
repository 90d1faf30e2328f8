/*
 * "local" of model.json: parsed strictly, each method with members of its own; without "method" it is XFeat's.
 */
#include "model/local_spec.h"

#include <stdio.h>
#include <string.h>

#include "model/bundle_file.h"
#include "util/memory.h"

#define PLACE_LENGTH 512
#define MOST_NUMBER  1e6

#define COMMON       "method", "descriptors", "dim", "max_points", "threshold", "pca"

/* The scales of DELF (Noh et al., ICCV 2017): from 1/4 to 2 in steps of the root of 2. */
static const float delf_scales[] = { 0.25f, 0.3536f, 0.5f, 0.7071f, 1.0f, 1.4142f, 2.0f };

/* ---- the methods ---- */

static int parse_xfeat(cn_local_spec *spec, const json_t *local, const char *where)
{
	static const char *const known[] = { COMMON, "keypoints", "reliability", NULL };
	CN_TRY(cn_json_only(local, where, known));
	CN_TRY(cn_spec_get_name(local, where, "keypoints", &spec->keypoints));
	CN_TRY(cn_spec_get_name(local, where, "reliability", &spec->reliability));
	return cn_json_get_real(local, where, "threshold", 0, 1, &spec->threshold);
}

static int parse_attention(cn_local_spec *spec, const json_t *local, const char *where)
{
	static const char *const known[] = { "output", NULL };
	static const char *const words[] = { "norm", NULL };
	const json_t *attention = NULL;
	char place[PLACE_LENGTH];
	int choice;
	if (json_is_string(json_object_get(local, "attention")))
		return cn_json_get_choice(local, where, "attention", words, &choice);
	CN_TRY(cn_json_get_object(local, where, "attention", &attention));
	snprintf(place, sizeof(place), "%.450s.attention", where);
	CN_TRY(cn_json_only(attention, place, known));
	return cn_spec_get_name(attention, place, "output", &spec->attention);
}

static int parse_field(cn_local_spec *spec, const json_t *local, const char *where)
{
	static const char *const known[] = { "size", "stride", "pad", NULL };
	const json_t *field = NULL;
	char place[PLACE_LENGTH];
	uint32_t size = 0, stride = 0, pad = 0;
	CN_TRY(cn_json_opt_object(local, where, "receptive_field", &field));
	if (!field)
		return 0;
	if (spec->tokens.patch)
		return cn_fail(CAIRN_EFORMAT, "%s: \"tokens\" and \"receptive_field\" exclude each other", where);
	snprintf(place, sizeof(place), "%.450s.receptive_field", where);
	CN_TRY(cn_json_only(field, place, known));
	CN_TRY(cn_json_get_size(field, place, "size", 1, 65536, &size));
	CN_TRY(cn_json_get_size(field, place, "stride", 1, 65536, &stride));
	CN_TRY(cn_json_get_size(field, place, "pad", 0, 65536, &pad));
	spec->field = (cn_receptive_field){ { size, size }, { stride, stride }, { pad, pad } };
	return 0;
}

static int parse_attentive(cn_local_spec *spec, const json_t *local, const char *where)
{
	static const char *const known[] = { COMMON, "attention", "scales", "iou", "tokens", "receptive_field", NULL };
	CN_TRY(cn_json_only(local, where, known));
	CN_TRY(parse_attention(spec, local, where));
	spec->scale_count = sizeof(delf_scales) / sizeof(delf_scales[0]);
	memcpy(spec->scales, delf_scales, sizeof(delf_scales));
	CN_TRY(cn_spec_opt_scales(local, where, spec->scales, &spec->scale_count));
	CN_TRY(cn_json_opt_real(local, where, "threshold", -MOST_NUMBER, MOST_NUMBER, &spec->threshold));
	spec->iou = 1;
	CN_TRY(cn_json_opt_real(local, where, "iou", 0, 1, &spec->iou));
	CN_TRY(cn_spec_opt_tokens(local, where, &spec->tokens));
	return parse_field(spec, local, where);
}

static int parse_dense(cn_local_spec *spec, const json_t *local, const char *where)
{
	static const char *const known[] = { COMMON, "keypoints", "radius", "border", NULL };
	CN_TRY(cn_json_only(local, where, known));
	CN_TRY(cn_spec_get_name(local, where, "keypoints", &spec->keypoints));
	spec->radius = spec->border = 4;
	CN_TRY(cn_json_opt_size(local, where, "radius", 0, 64, &spec->radius));
	CN_TRY(cn_json_opt_size(local, where, "border", 0, 64, &spec->border));
	return cn_json_get_real(local, where, "threshold", 0, 1, &spec->threshold);
}

static int parse_keypoints(cn_local_spec *spec, const json_t *local, const char *where)
{
	static const char *const known[] = { COMMON, "keypoints", "scores", "coordinates", NULL };
	static const char *const coordinates[] = { "pixels", "unit", NULL };
	CN_TRY(cn_json_only(local, where, known));
	CN_TRY(cn_spec_get_name(local, where, "keypoints", &spec->keypoints));
	CN_TRY(cn_spec_get_name(local, where, "scores", &spec->scores));
	CN_TRY(cn_json_get_choice(local, where, "coordinates", coordinates, &spec->unit_coordinates));
	return cn_json_opt_real(local, where, "threshold", -MOST_NUMBER, MOST_NUMBER, &spec->threshold);
}

static int parse_pca(cn_local_spec *spec, const json_t *local, const char *where)
{
	static const char *const known[] = { "mean", "projection", NULL };
	const json_t *pca = NULL;
	char place[PLACE_LENGTH];
	CN_TRY(cn_json_opt_object(local, where, "pca", &pca));
	if (!pca)
		return 0;
	snprintf(place, sizeof(place), "%.450s.pca", where);
	CN_TRY(cn_json_only(pca, place, known));
	CN_TRY(cn_bundle_get_file(pca, place, "mean", &spec->mean_file));
	return cn_bundle_get_file(pca, place, "projection", &spec->projection_file);
}

int cn_local_parse(cn_local_spec *spec, const json_t *local, const char *where)
{
	static const char *const methods[] = { "xfeat", "attentive", "dense", "keypoints", NULL };
	static int (*const parse[])(cn_local_spec *, const json_t *, const char *) = {
		[CN_LOCAL_XFEAT] = parse_xfeat,
		[CN_LOCAL_ATTENTIVE] = parse_attentive,
		[CN_LOCAL_DENSE] = parse_dense,
		[CN_LOCAL_KEYPOINTS] = parse_keypoints,
	};
	int method = CN_LOCAL_XFEAT;
	if (json_object_get(local, "method"))
		CN_TRY(cn_json_get_choice(local, where, "method", methods, &method));
	spec->method = (cn_local_method)method;
	spec->scale_count = 1;
	spec->scales[0] = 1;
	CN_TRY(parse[method](spec, local, where));
	CN_TRY(cn_spec_get_name(local, where, "descriptors", &spec->descriptors));
	CN_TRY(cn_json_get_size(local, where, "dim", 1, 4096, &spec->dim));
	CN_TRY(cn_json_get_size(local, where, "max_points", 1, 1000000, &spec->max_points));
	spec->kept = spec->dim;
	return parse_pca(spec, local, where);
}

/* ---- what lies beside it ---- */

int cn_local_load(cn_local_spec *spec, const char *folder)
{
	size_t mean[1] = { spec->dim }, projection[2] = { 0, spec->dim };
	if (!spec->mean_file)
		return 0;
	CN_TRY(cn_bundle_read_array(folder, spec->mean_file, 1, mean, &spec->mean));
	CN_TRY(cn_bundle_read_array(folder, spec->projection_file, 2, projection, &spec->projection));
	if (projection[0] < 1 || projection[0] > spec->dim)
		return cn_fail(CAIRN_EFORMAT, "%s/%s: %zu rows for %u dimensions", folder, spec->projection_file,
			       projection[0], spec->dim);
	spec->kept = (uint32_t)projection[0];
	return 0;
}

void cn_local_free(cn_local_spec *spec)
{
	char *const texts[] = { spec->descriptors, spec->keypoints, spec->reliability,    spec->scores,
				spec->attention,   spec->mean_file, spec->projection_file };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cn_free(texts[i]);
	cn_free(spec->mean);
	cn_free(spec->projection);
	memset(spec, 0, sizeof(*spec));
}

void cn_local_hash(XXH3_state_t *state, const cn_local_spec *spec)
{
	const double numbers[] = {
		spec->method,
		spec->dim,
		spec->kept,
		spec->mean != NULL,
		spec->max_points,
		(double)spec->threshold,
		spec->tokens.prefix,
		spec->tokens.patch,
		spec->scale_count,
		(double)spec->iou,
		(double)spec->field.size[0],
		(double)spec->field.stride[0],
		(double)spec->field.pad[0],
		spec->radius,
		spec->border,
		spec->unit_coordinates,
	};
	cn_spec_hash_numbers(state, numbers, sizeof(numbers) / sizeof(*numbers));
	cn_spec_hash_floats(state, spec->scales, spec->scale_count);
	cn_spec_hash_text(state, spec->descriptors);
	cn_spec_hash_text(state, spec->keypoints);
	cn_spec_hash_text(state, spec->reliability);
	cn_spec_hash_text(state, spec->scores);
	cn_spec_hash_text(state, spec->attention);
	cn_spec_hash_floats(state, spec->mean, spec->dim);
	cn_spec_hash_floats(state, spec->projection, (size_t)spec->kept * spec->dim);
}

/* ---- the network ---- */

/* The dimension of an output that has the descriptors' numbers. */
static size_t channels_at(const cn_local_spec *spec, const cn_onnx_port *port)
{
	int are_last = spec->method == CN_LOCAL_KEYPOINTS || spec->tokens.patch;
	return are_last && port->rank ? port->rank - 1 : 1;
}

int cn_local_check_outputs(const cn_local_spec *spec, const cn_onnx_info *info, const char *where, const char *file)
{
	const struct {
		const char *name, *member;
		int integers;
	} others[] = {
		{ spec->keypoints, "keypoints", spec->method == CN_LOCAL_KEYPOINTS },
		{ spec->reliability, "reliability", 0 },
		{ spec->scores, "scores", 0 },
		{ spec->attention, "attention", 0 },
	};
	const cn_onnx_port *port;
	CN_TRY(cn_spec_find_output(info, where, file, spec->descriptors, "descriptors", 0, &port));
	size_t at = channels_at(spec, port);
	if (port->has_shape && at < port->rank && port->shape[at] > 0 && port->shape[at] != spec->dim)
		return cn_fail(CAIRN_EFORMAT, "%s: the output '%s' has %lld channels; model.json says \"dim\" %u",
			       where, spec->descriptors, (long long)port->shape[at], spec->dim);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i].name)
			CN_TRY(cn_spec_find_output(info, where, file, others[i].name, others[i].member,
						   others[i].integers, NULL));
	return 0;
}

int cn_local_needs_field(const cn_local_spec *spec)
{
	return spec->method == CN_LOCAL_ATTENTIVE && !spec->tokens.patch && !spec->field.size[0];
}
