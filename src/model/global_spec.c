/*
 * "global" of model.json: parsed strictly; what may be left out has the value of a bundle that says nothing of it.
 */
#include "model/global_spec.h"

#include <stdio.h>
#include <string.h>

#include "model/bundle_file.h"
#include "util/memory.h"

#define MOST_HEADS   64
#define MOST_DIM     65536
#define PLACE_LENGTH 512

/* ---- heads ---- */

static int parse_layer(cn_layer *layer, const json_t *object, const char *where, const char *key)
{
	static const char *const known[] = { "weight", "bias", NULL };
	const json_t *member = NULL;
	char place[PLACE_LENGTH];
	CN_TRY(cn_json_opt_object(object, where, key, &member));
	if (!member)
		return 0;
	snprintf(place, sizeof(place), "%.450s.%s", where, key);
	CN_TRY(cn_json_only(member, place, known));
	CN_TRY(cn_bundle_get_file(member, place, "weight", &layer->weight_file));
	return cn_bundle_opt_file(member, place, "bias", &layer->bias_file);
}

#define LEAST_P 0.1
#define MOST_P  100.0

static int parse_power(cn_head *head, const json_t *object, const char *where)
{
	const json_t *p = json_object_get(object, "p");
	if (!json_is_array(p))
		return cn_json_get_real(object, where, "p", LEAST_P, MOST_P, &head->p);
	head->channels = json_array_size(p);
	if (head->channels < 1 || head->channels > MOST_DIM)
		return cn_fail(CAIRN_EFORMAT, "%s: \"p\" has %zu numbers, but must have one, or one a channel", where,
			       head->channels);
	CN_NEW(head->channel_p, head->channels, sizeof(float));
	for (size_t i = 0; i < head->channels; i++) {
		double number = json_number_value(json_array_get(p, i));
		if (!(number >= LEAST_P && number <= MOST_P))
			return cn_fail(CAIRN_EFORMAT, "%s: number %zu of \"p\" is not a number from %g to %g", where, i,
				       LEAST_P, MOST_P);
		head->channel_p[i] = (float)number;
	}
	return 0;
}

static int parse_regions(cn_head *head, const json_t *object, const char *where)
{
	head->levels = 3;
	head->overlap = 0.4f;
	head->whole = 1;
	CN_TRY(cn_json_opt_size(object, where, "levels", 1, 16, &head->levels));
	CN_TRY(cn_json_opt_real(object, where, "overlap", 0, 0.95, &head->overlap));
	CN_TRY(cn_json_opt_bool(object, where, "whole", &head->whole));
	return parse_layer(&head->regional, object, where, "regional");
}

/* The members of a head; others of the same object are the caller's matter. */
static int parse_head(cn_head *head, const json_t *object, const char *where)
{
	static const char *const pools[] = { "none", "gem", "mac", "spoc", "rmac", NULL };
	static const char *const of_gem[] = { "p", NULL };
	static const char *const of_rmac[] = { "levels", "overlap", "whole", "regional", NULL };
	int choice = 0;
	CN_TRY(cn_json_get_choice(object, where, "pool", pools, &choice));
	head->pool = (cn_pool_kind)choice;
	CN_TRY(head->pool == CN_POOL_GEM ? parse_power(head, object, where)
					 : cn_spec_refuse(object, where, of_gem, "pool \"gem\""));
	CN_TRY(head->pool == CN_POOL_RMAC ? parse_regions(head, object, where)
					  : cn_spec_refuse(object, where, of_rmac, "pool \"rmac\""));
	CN_TRY(parse_layer(&head->layer, object, where, "layer"));
	return cn_json_opt_bool(object, where, "normalise", &head->normalise);
}

#define HEAD_MEMBERS "pool", "p", "levels", "overlap", "whole", "regional", "layer", "normalise"

static int parse_listed_heads(cn_global_spec *spec, const json_t *heads, const char *where)
{
	static const char *const known[] = { HEAD_MEMBERS, NULL };
	size_t count = json_array_size(heads);
	if (count < 1 || count > MOST_HEADS)
		return cn_fail(CAIRN_EFORMAT, "%s: \"heads\" has %zu entries, but must have 1 to %d", where, count,
			       MOST_HEADS);
	CN_NEW(spec->heads, count, sizeof(*spec->heads));
	spec->head_count = count;
	for (size_t i = 0; i < count; i++) {
		char place[PLACE_LENGTH];
		const json_t *head = json_array_get(heads, i);
		snprintf(place, sizeof(place), "%.450s.heads[%zu]", where, i);
		CN_TRY(cn_json_only(head, place, known));
		spec->heads[i].normalise = 1;
		CN_TRY(parse_head(&spec->heads[i], head, place));
		if (spec->heads[i].pool == CN_POOL_NONE)
			return cn_fail(CAIRN_EFORMAT, "%s: \"pool\" is \"none\"; heads pool a map", place);
	}
	return 0;
}

static int parse_heads(cn_global_spec *spec, const json_t *global, const char *where)
{
	static const char *const of_head[] = { HEAD_MEMBERS, NULL };
	const json_t *heads = NULL;
	CN_TRY(cn_json_opt_array(global, where, "heads", &heads));
	if (heads) {
		for (size_t i = 0; of_head[i]; i++)
			if (json_object_get(global, of_head[i]))
				return cn_fail(CAIRN_EFORMAT, "%s: with \"heads\", \"%s\" is said in each of them",
					       where, of_head[i]);
		return parse_listed_heads(spec, heads, where);
	}
	CN_NEW(spec->heads, 1, sizeof(*spec->heads));
	spec->head_count = 1;
	return parse_head(spec->heads, global, where);
}

/* ---- filters ---- */

static int parse_attention(cn_filters *filters, const json_t *global, const char *where)
{
	static const char *const known[] = { "output", "mode", NULL };
	static const char *const modes[] = { "residual", "weight", NULL };
	const json_t *attention = NULL;
	char place[PLACE_LENGTH];
	int choice = 0;
	CN_TRY(cn_json_opt_object(global, where, "attention", &attention));
	if (!attention)
		return 0;
	snprintf(place, sizeof(place), "%.450s.attention", where);
	CN_TRY(cn_json_only(attention, place, known));
	CN_TRY(cn_spec_get_name(attention, place, "output", &filters->attention_output));
	CN_TRY(cn_json_get_choice(attention, place, "mode", modes, &choice));
	filters->attention = choice == 0 ? CN_ATTENTION_RESIDUAL : CN_ATTENTION_WEIGHT;
	return 0;
}

static int parse_regional_gem(cn_filters *filters, const json_t *global, const char *where)
{
	static const char *const known[] = { "size", "p", "weight", NULL };
	const json_t *regional = NULL;
	char place[PLACE_LENGTH];
	CN_TRY(cn_json_opt_object(global, where, "regional_gem", &regional));
	if (!regional)
		return 0;
	snprintf(place, sizeof(place), "%.450s.regional_gem", where);
	CN_TRY(cn_json_only(regional, place, known));
	CN_TRY(cn_json_get_size(regional, place, "size", 1, 63, &filters->regional_size));
	if (filters->regional_size % 2 == 0)
		return cn_fail(CAIRN_EFORMAT, "%s: \"size\" is %u, but must be odd", place, filters->regional_size);
	CN_TRY(cn_json_get_real(regional, place, "p", LEAST_P, MOST_P, &filters->regional_p));
	return cn_json_get_real(regional, place, "weight", 0, 1, &filters->regional_weight);
}

static int parse_filters(cn_filters *filters, const json_t *global, const char *where)
{
	CN_TRY(parse_attention(filters, global, where));
	filters->has_floor = json_object_get(global, "floor") != NULL;
	CN_TRY(cn_json_opt_real(global, where, "floor", -1e6, 1e6, &filters->floor));
	return parse_regional_gem(filters, global, where);
}

static int filters_anything(const cn_filters *filters)
{
	return filters->attention != CN_ATTENTION_NONE || filters->has_floor || filters->regional_size;
}

/* ---- views ---- */

static int parse_crops(cn_views *views, const json_t *object, const char *where)
{
	static const char *const known[] = { "kind", "size", "count", "seed", NULL };
	static const char *const kinds[] = { "five", "random", NULL };
	static const char *const of_random[] = { "count", "seed", NULL };
	const json_t *crops = NULL;
	char place[PLACE_LENGTH];
	int choice = 0;
	CN_TRY(cn_json_opt_object(object, where, "crops", &crops));
	if (!crops)
		return 0;
	snprintf(place, sizeof(place), "%.450s.crops", where);
	CN_TRY(cn_json_only(crops, place, known));
	CN_TRY(cn_json_get_choice(crops, place, "kind", kinds, &choice));
	views->crops = choice == 0 ? CN_CROPS_FIVE : CN_CROPS_RANDOM;
	views->crop = 0.875f;
	CN_TRY(cn_json_opt_real(crops, place, "size", 0.05, 1, &views->crop));
	if (views->crops == CN_CROPS_FIVE)
		return cn_spec_refuse(crops, place, of_random, "kind \"random\"");
	views->crop_count = 10;
	CN_TRY(cn_json_opt_size(crops, place, "count", 1, 100, &views->crop_count));
	return cn_json_opt_size(crops, place, "seed", 0, UINT32_MAX, &views->seed);
}

static int parse_views(cn_views *views, const json_t *global, const char *where)
{
	static const char *const known[] = { "scales", "flip", "crops", "combine", "p", NULL };
	static const char *const combines[] = { "sum", "mean", "gem", "max", NULL };
	static const char *const of_gem[] = { "p", NULL };
	const json_t *object = NULL;
	char place[PLACE_LENGTH];
	int choice = 0;
	views->scale_count = 1;
	views->scales[0] = 1;
	/* A single view passes as it is. */
	views->combine = CN_COMBINE_MEAN;
	CN_TRY(cn_json_opt_object(global, where, "views", &object));
	if (!object)
		return 0;
	snprintf(place, sizeof(place), "%.450s.views", where);
	CN_TRY(cn_json_only(object, place, known));
	CN_TRY(cn_spec_opt_scales(object, place, views->scales, &views->scale_count));
	CN_TRY(cn_json_opt_bool(object, place, "flip", &views->flip));
	CN_TRY(parse_crops(views, object, place));
	CN_TRY(cn_json_get_choice(object, place, "combine", combines, &choice));
	views->combine = (cn_combine)choice;
	if (views->combine == CN_COMBINE_GEM)
		return cn_json_get_real(object, place, "p", LEAST_P, MOST_P, &views->p);
	return cn_spec_refuse(object, place, of_gem, "combine \"gem\"");
}

/* ---- whitening ---- */

static const char *const whitening_kinds[] = { "none", "centre", "pca", "pcaw", "lw", NULL };

const char *cn_whitening_name(cn_whitening_kind kind)
{
	return whitening_kinds[kind];
}

int cn_whitening_parse(cn_global_spec *spec, const json_t *owner, const char *where, const char *place)
{
	static const char *const known[] = { "kind", "mean", "projection", "unit", "power", NULL };
	static const char *const of_pcaw[] = { "power", NULL };
	const json_t *whitening = NULL;
	int kind = 0;
	/* It is part of the projection; here it stands for people. */
	float power = 1;
	CN_TRY(cn_json_opt_object(owner, where, "whitening", &whitening));
	if (!whitening)
		return 0;
	CN_TRY(cn_json_only(whitening, place, known));
	CN_TRY(cn_json_get_choice(whitening, place, "kind", whitening_kinds + 1, &kind));
	spec->whitening = (cn_whitening_kind)(kind + 1);
	CN_TRY(cn_bundle_get_file(whitening, place, "mean", &spec->mean_file));
	CN_TRY(cn_json_opt_bool(whitening, place, "unit", &spec->unit));
	if (spec->whitening == CN_WHITENING_PCAW)
		CN_TRY(cn_json_opt_real(whitening, place, "power", 0, 1, &power));
	else
		CN_TRY(cn_spec_refuse(whitening, place, of_pcaw, "kind \"pcaw\""));
	if (spec->whitening != CN_WHITENING_CENTRE)
		return cn_bundle_get_file(whitening, place, "projection", &spec->projection_file);
	if (json_object_get(whitening, "projection"))
		return cn_fail(CAIRN_EFORMAT, "%s: kind \"centre\" has no \"projection\"", place);
	return 0;
}

/* ---- the whole ---- */

int cn_global_is_vector(const cn_global_spec *spec)
{
	return spec->heads[0].pool == CN_POOL_NONE;
}

int cn_global_parse(cn_global_spec *spec, const json_t *global, const char *where)
{
	static const char *const known[] = { "output",       "heads",      "attention", "floor",
					     "regional_gem", "views",      "dim",       "whitening",
					     "tokens",       HEAD_MEMBERS, NULL };
	CN_TRY(cn_json_only(global, where, known));
	CN_TRY(cn_spec_get_name(global, where, "output", &spec->output));
	CN_TRY(cn_spec_opt_tokens(global, where, &spec->tokens));
	CN_TRY(parse_heads(spec, global, where));
	CN_TRY(parse_filters(&spec->filters, global, where));
	if (cn_global_is_vector(spec) && filters_anything(&spec->filters))
		return cn_fail(CAIRN_EFORMAT,
			       "%s: \"attention\", \"floor\" and \"regional_gem\" go with pooled maps, not with "
			       "pool \"none\"",
			       where);
	if (cn_global_is_vector(spec) && spec->tokens.patch && !spec->tokens.prefix)
		return cn_fail(CAIRN_EFORMAT,
			       "%s.tokens: \"prefix\" is 0, but pool \"none\" takes the first token of it", where);
	CN_TRY(parse_views(&spec->views, global, where));
	CN_TRY(cn_json_get_size(global, where, "dim", 1, MOST_DIM, &spec->dim));
	spec->kept = spec->dim;
	char place[PLACE_LENGTH];
	snprintf(place, sizeof(place), "%.450s.whitening", where);
	return cn_whitening_parse(spec, global, where, place);
}

static void free_layer(cn_layer *layer)
{
	cn_free(layer->weight_file);
	cn_free(layer->bias_file);
	cn_free(layer->weight);
	cn_free(layer->bias);
}

void cn_global_free(cn_global_spec *spec)
{
	for (size_t i = 0; i < spec->head_count; i++) {
		cn_free(spec->heads[i].channel_p);
		free_layer(&spec->heads[i].regional);
		free_layer(&spec->heads[i].layer);
	}
	cn_free(spec->heads);
	cn_free(spec->output);
	cn_free(spec->filters.attention_output);
	cn_free(spec->mean_file);
	cn_free(spec->projection_file);
	cn_free(spec->mean);
	cn_free(spec->projection);
	memset(spec, 0, sizeof(*spec));
}

/* ---- arrays ---- */

static int visit_layer(const cn_layer *layer, int (*visit)(const char *file, void *payload), void *payload)
{
	if (layer->weight_file)
		CN_TRY(visit(layer->weight_file, payload));
	return layer->bias_file ? visit(layer->bias_file, payload) : 0;
}

int cn_global_layer_files(const cn_global_spec *spec, int (*visit)(const char *file, void *payload), void *payload)
{
	for (size_t i = 0; i < spec->head_count; i++) {
		CN_TRY(visit_layer(&spec->heads[i].regional, visit, payload));
		CN_TRY(visit_layer(&spec->heads[i].layer, visit, payload));
	}
	return 0;
}

static int load_layer(cn_layer *layer, const char *folder)
{
	size_t shape[2] = { 0, 0 };
	if (!layer->weight_file)
		return 0;
	CN_TRY(cn_bundle_read_array(folder, layer->weight_file, 2, shape, &layer->weight));
	layer->outputs = shape[0];
	layer->inputs = shape[1];
	if (layer->outputs < 1 || layer->inputs < 1 || layer->outputs > MOST_DIM)
		return cn_fail(CAIRN_EFORMAT, "%s/%s: %zu x %zu numbers are no layer of 1 to %d outputs", folder,
			       layer->weight_file, layer->outputs, layer->inputs, MOST_DIM);
	return layer->bias_file ? cn_bundle_read_array(folder, layer->bias_file, 1, shape, &layer->bias) : 0;
}

int cn_whitening_load(cn_global_spec *spec, const char *folder)
{
	size_t shape[2] = { spec->dim, 0 };
	if (spec->mean_file)
		CN_TRY(cn_bundle_read_array(folder, spec->mean_file, 1, shape, &spec->mean));
	if (!spec->projection_file)
		return 0;
	shape[0] = 0;
	shape[1] = spec->dim;
	CN_TRY(cn_bundle_read_array(folder, spec->projection_file, 2, shape, &spec->projection));
	if (shape[0] < 1 || shape[0] > spec->dim)
		return cn_fail(CAIRN_EFORMAT, "%s/%s: %zu rows for %u dimensions", folder, spec->projection_file,
			       shape[0], spec->dim);
	spec->kept = (uint32_t)shape[0];
	return 0;
}

int cn_global_load(cn_global_spec *spec, const char *folder)
{
	for (size_t i = 0; i < spec->head_count; i++) {
		CN_TRY(load_layer(&spec->heads[i].regional, folder));
		CN_TRY(load_layer(&spec->heads[i].layer, folder));
	}
	return cn_whitening_load(spec, folder);
}

/* ---- dimensions ---- */

static size_t pooled_dim(const cn_head *head, size_t channels)
{
	return head->regional.outputs ? head->regional.outputs : channels;
}

size_t cn_head_dim(const cn_head *head, size_t channels)
{
	return head->layer.outputs ? head->layer.outputs : pooled_dim(head, channels);
}

static int check_layer(const cn_layer *layer, size_t inputs, const char *where)
{
	if (layer->inputs && layer->inputs != inputs)
		return cn_fail(CAIRN_EFORMAT, "%s: the layer %s takes %zu numbers, but gets %zu", where,
			       layer->weight_file, layer->inputs, inputs);
	return 0;
}

int cn_global_check_channels(const cn_global_spec *spec, size_t channels, const char *where)
{
	size_t dim = 0;
	for (size_t i = 0; i < spec->head_count; i++) {
		const cn_head *head = &spec->heads[i];
		if (head->channel_p && head->channels != channels)
			return cn_fail(CAIRN_EFORMAT, "%s: \"p\" has %zu numbers, but '%s' has %zu channels", where,
				       head->channels, spec->output, channels);
		CN_TRY(check_layer(&head->regional, channels, where));
		CN_TRY(check_layer(&head->layer, pooled_dim(head, channels), where));
		dim += cn_head_dim(head, channels);
	}
	if (dim != spec->dim)
		return cn_fail(CAIRN_EFORMAT,
			       "%s: '%s' has %zu channels, of which %zu numbers are made; model.json says \"dim\" %u",
			       where, spec->output, channels, dim, spec->dim);
	return 0;
}

/* ---- fingerprint ---- */

static void hash_layer(XXH3_state_t *state, const cn_layer *layer)
{
	const double numbers[] = { (double)layer->outputs, (double)layer->inputs, layer->bias != NULL };
	cn_spec_hash_numbers(state, numbers, sizeof(numbers) / sizeof(*numbers));
	cn_spec_hash_floats(state, layer->weight, layer->outputs * layer->inputs);
	cn_spec_hash_floats(state, layer->bias, layer->outputs);
}

static void hash_head(XXH3_state_t *state, const cn_head *head)
{
	const double numbers[] = {
		head->pool,  (double)head->p, (double)head->channels, head->levels, (double)head->overlap,
		head->whole, head->normalise,
	};
	cn_spec_hash_numbers(state, numbers, sizeof(numbers) / sizeof(*numbers));
	cn_spec_hash_floats(state, head->channel_p, head->channels);
	hash_layer(state, &head->regional);
	hash_layer(state, &head->layer);
}

void cn_global_hash(XXH3_state_t *state, const cn_global_spec *spec)
{
	const cn_filters *filters = &spec->filters;
	const cn_views *views = &spec->views;
	const double numbers[] = {
		(double)spec->head_count,
		spec->dim,
		spec->kept,
		spec->unit,
		spec->tokens.prefix,
		spec->tokens.patch,
		spec->mean != NULL,
		spec->projection != NULL,
		filters->attention,
		filters->has_floor,
		(double)filters->floor,
		filters->regional_size,
		(double)filters->regional_p,
		(double)filters->regional_weight,
		views->scale_count,
		views->flip,
		views->crops,
		(double)views->crop,
		views->crop_count,
		views->seed,
		views->combine,
		(double)views->p,
	};
	cn_spec_hash_numbers(state, numbers, sizeof(numbers) / sizeof(*numbers));
	cn_spec_hash_floats(state, views->scales, views->scale_count);
	cn_spec_hash_text(state, spec->output);
	cn_spec_hash_text(state, filters->attention_output);
	for (size_t i = 0; i < spec->head_count; i++)
		hash_head(state, &spec->heads[i]);
	cn_spec_hash_floats(state, spec->mean, spec->dim);
	cn_spec_hash_floats(state, spec->projection, (size_t)spec->kept * spec->dim);
}
