/*
 * Guesses from shapes, names and the range of numbers, in this order: shapes are what networks of a kind share, names
 * are what their exporters like.
 */
#include "model/propose_outputs.h"

#include <string.h>

#define LEAST_DIM   16
#define MOST_DIM    65536
#define MOST_LOCAL  4096 /* dimensions of local descriptors */
#define CELL        8    /* pixels that a cell of a map of logits has a side */
#define CELL_LOGITS 65   /* its pixels, and none of them */
#define MOST_PREFIX 16   /* class token and registers */
#define MAX_POINTS  1000

static int has_part(const char *name, const char *const *parts)
{
	for (; *parts; parts++)
		if (strcasestr(name, *parts))
			return 1;
	return 0;
}

static int is_called_scores(const cn_seen_output *output)
{
	static const char *const parts[] = { "logit", "prob", "score", NULL };
	return has_part(output->name, parts);
}

static int is_floats(const cn_seen_output *output, size_t rank)
{
	return output->type == CN_TENSOR_F32 && output->rank == rank && output->shape[0] == 1 && output->count > 0;
}

static int is_map(const cn_seen_output *output, size_t least, size_t most)
{
	return is_floats(output, 4) && output->shape[1] >= least && output->shape[1] <= most;
}

static int are_alike(const cn_seen_output *a, const cn_seen_output *b)
{
	return a->shape[2] == b->shape[2] && a->shape[3] == b->shape[3];
}

/* ---- keypoints ---- */

static json_t *local_json(const char *method, const cn_seen_output *keypoints, const cn_seen_output *descriptors,
			  size_t dim)
{
	return json_pack("{s:s, s:s, s:s, s:i, s:i}", "method", method, "keypoints", keypoints->name, "descriptors",
			 descriptors->name, "dim", (int)dim, "max_points", MAX_POINTS);
}

/* 1 x count x columns, or without the 1; columns 0: 1 x count. */
static int is_list(const cn_seen_output *output, size_t columns, size_t count)
{
	size_t rank = columns ? 2 : 1, first = output->rank > rank ? 1 : 0;
	return output->rank == rank + first && (!first || output->shape[0] == 1) && output->shape[first] == count &&
	       (!columns || output->shape[first + 1] == columns);
}

static const cn_seen_output *find_list(const cn_seen_output *outputs, size_t count, size_t columns, size_t length)
{
	for (size_t i = 0; i < count; i++)
		if (is_list(&outputs[i], columns, length) && outputs[i].type == CN_TENSOR_F32)
			return &outputs[i];
	return NULL;
}

static const cn_seen_output *find_descriptor_list(const cn_seen_output *outputs, size_t count, size_t length)
{
	for (size_t i = 0; i < count; i++) {
		const cn_seen_output *output = &outputs[i];
		size_t dim = output->rank ? output->shape[output->rank - 1] : 0;
		if (dim >= LEAST_DIM && dim <= MOST_LOCAL && is_list(output, dim, length) &&
		    output->type == CN_TENSOR_F32)
			return output;
	}
	return NULL;
}

static int propose_lists(cn_outputs_plan *out, const cn_seen_output *outputs, size_t count, cn_text *found)
{
	for (size_t i = 0; i < count; i++) {
		const cn_seen_output *places = &outputs[i];
		size_t length = places->rank >= 2 ? places->shape[places->rank - 2] : 0;
		if (places->type == CN_TENSOR_U8 || places->rank < 2 || !is_list(places, 2, length))
			continue;
		const cn_seen_output *scores = find_list(outputs, count, 0, length);
		const cn_seen_output *descriptors = find_descriptor_list(outputs, count, length);
		if (!scores || !descriptors)
			continue;
		int is_unit = length > 0 && places->type == CN_TENSOR_F32 && places->least >= -1 && places->most <= 1;
		out->kind = "local";
		out->member = local_json("keypoints", places, descriptors, descriptors->shape[descriptors->rank - 1]);
		json_object_set_new(out->member, "scores", json_string(scores->name));
		json_object_set_new(out->member, "coordinates", json_string(is_unit ? "unit" : "pixels"));
		return cn_text_addf(found,
				    "taken: keypoints that the network lists: places '%s' %s, scores '%s', descriptors "
				    "'%s'\n%s",
				    places->name, is_unit ? "from -1 to 1" : "in pixels", scores->name,
				    descriptors->name,
				    length ? "" : "it found none in the generated image: pixels are guessed\n");
	}
	return 0;
}

/* A number a pixel that may be a probability, and is called like one of keypoints. */
static int is_heat_map(const cn_seen_output *output, uint32_t width, uint32_t height)
{
	static const char *const parts[] = { "heat", "keypoint", "kpt", "score", "prob", "detect", NULL };
	return is_map(output, 1, 1) && output->shape[2] == height && output->shape[3] == width && output->least >= 0 &&
	       output->most <= 1 && has_part(output->name, parts);
}

static int is_cells(const cn_seen_output *output, uint32_t width, uint32_t height)
{
	return is_map(output, CELL_LOGITS, CELL_LOGITS) && output->shape[2] == height / CELL &&
	       output->shape[3] == width / CELL;
}

/* The map of most channels that is not `other`. */
static const cn_seen_output *find_descriptor_map(const cn_seen_output *outputs, size_t count,
						 const cn_seen_output *other)
{
	const cn_seen_output *best = NULL;
	for (size_t i = 0; i < count; i++)
		if (&outputs[i] != other && is_map(&outputs[i], LEAST_DIM, MOST_LOCAL) &&
		    (!best || outputs[i].shape[1] > best->shape[1]))
			best = &outputs[i];
	return best;
}

/* One channel of the cells' size: how far descriptors can be relied on. */
static const cn_seen_output *find_reliability(const cn_seen_output *outputs, size_t count, const cn_seen_output *cells)
{
	for (size_t i = 0; i < count; i++)
		if (is_map(&outputs[i], 1, 1) && are_alike(&outputs[i], cells) && outputs[i].least >= 0 &&
		    outputs[i].most <= 1)
			return &outputs[i];
	return NULL;
}

static int propose_maps(cn_outputs_plan *out, const cn_seen_output *outputs, size_t count, uint32_t width,
			uint32_t height, cn_text *found)
{
	for (size_t i = 0; i < count; i++) {
		const cn_seen_output *heat = &outputs[i];
		int is_logits = is_cells(heat, width, height);
		const cn_seen_output *descriptors = find_descriptor_map(outputs, count, heat);
		if (!descriptors || (!is_logits && !is_heat_map(heat, width, height)))
			continue;
		const cn_seen_output *reliability =
			is_logits && are_alike(descriptors, heat) ? find_reliability(outputs, count, heat) : NULL;
		out->kind = "local";
		out->multiple = is_logits ? CELL : 0;
		out->member = local_json(reliability ? "xfeat" : "dense", heat, descriptors, descriptors->shape[1]);
		/* What XFeat and SuperPoint were published with. */
		json_object_set_new(out->member, "threshold", json_real(reliability ? 0.05 : 0.005));
		if (reliability)
			json_object_set_new(out->member, "reliability", json_string(reliability->name));
		CN_TRY(cn_text_addf(found, "taken: keypoints at the peaks of '%s', %s, descriptors from the map '%s'",
				    heat->name, is_logits ? "logits of cells of 8 x 8 pixels" : "a heat map",
				    descriptors->name));
		return reliability ? cn_text_addf(found, ", reliability from '%s'\n", reliability->name)
				   : cn_text_addf(found, "\n");
	}
	return 0;
}

/* ---- one vector ---- */

/* How tokens lie over the input; patch 0: they do not, for any patch that is in use. */
static void guess_patch(const cn_seen_output *output, uint32_t width, uint32_t height, uint32_t *patch,
			uint32_t *prefix)
{
	static const uint32_t sides[] = { 16, 14, 32, 8 };
	*patch = *prefix = 0;
	for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
		size_t positions = (size_t)(width / sides[i]) * (height / sides[i]);
		size_t more = output->shape[1] - positions;
		if (positions == 0 || output->shape[1] < positions || more > MOST_PREFIX || (*patch && more >= *prefix))
			continue;
		*patch = sides[i];
		*prefix = (uint32_t)more;
	}
}

static size_t dim_of(const cn_seen_output *output)
{
	return output->shape[output->rank == 3 ? 2 : 1];
}

/* What an output is good for: 0 nothing, and the larger the better. */
static int rank_output(const cn_seen_output *output, uint32_t width, uint32_t height)
{
	static const char *const descriptor[] = { "embed", "descriptor", "global", NULL };
	uint32_t patch = 0, prefix = 0;
	if (!is_floats(output, 2) && !is_floats(output, 3) && !is_floats(output, 4))
		return 0;
	int is_vector = output->rank == 2 || (output->rank == 4 && output->shape[2] * output->shape[3] == 1);
	if (dim_of(output) < LEAST_DIM || dim_of(output) > MOST_DIM || is_called_scores(output))
		return 0;
	if (is_vector && has_part(output->name, descriptor))
		return 4;
	/* A thousand classes are those of ImageNet. */
	if (is_vector && dim_of(output) == 1000)
		return 1;
	if (output->rank == 3)
		guess_patch(output, width, height, &patch, &prefix);
	return is_vector ? 2 : output->rank == 4 || patch ? 3 : 0;
}

/* Of several alike the one with the most dimensions, which is the deepest of maps. */
static const cn_seen_output *best_output(const cn_seen_output *outputs, size_t count, uint32_t width, uint32_t height)
{
	const cn_seen_output *best = NULL;
	int most = 0;
	for (size_t i = 0; i < count; i++) {
		int rank = rank_output(&outputs[i], width, height);
		if (rank == 0 || rank < most || (rank == most && dim_of(&outputs[i]) <= dim_of(best)))
			continue;
		best = &outputs[i];
		most = rank;
	}
	return best;
}

static int propose_tokens(cn_outputs_plan *out, const cn_seen_output *output, uint32_t width, uint32_t height,
			  cn_text *found)
{
	uint32_t patch, prefix;
	guess_patch(output, width, height, &patch, &prefix);
	out->multiple = patch;
	json_object_set_new(out->member, "tokens", json_pack("{s:i, s:i}", "prefix", (int)prefix, "patch", (int)patch));
	/* Tokens have both signs, of which GeM would drop one. */
	json_object_set_new(out->member, "pool", json_string(prefix ? "none" : "spoc"));
	return cn_text_addf(found, "taken: '%s', tokens of patches of %u x %u pixels behind %u other%s: %s\n",
			    output->name, patch, patch, prefix, prefix == 1 ? "" : "s",
			    prefix ? "the first stands for the image" : "their mean");
}

static int propose_vector(cn_outputs_plan *out, const cn_seen_output *outputs, size_t count, uint32_t width,
			  uint32_t height, cn_text *found)
{
	const cn_seen_output *best = best_output(outputs, count, width, height);
	if (!best)
		return 0;
	int is_pooled = best->rank == 4;
	out->kind = "global";
	out->member = json_pack("{s:s, s:s, s:i}", "output", best->name, "pool", is_pooled ? "gem" : "none", "dim",
				(int)dim_of(best));
	if (best->rank == 3)
		return propose_tokens(out, best, width, height, found);
	if (is_pooled)
		json_object_set_new(out->member, "p", json_real(3));
	CN_TRY(cn_text_addf(found, "taken: '%s', %s\n", best->name,
			    is_pooled ? "a map, pooled by GeM with p = 3" : "a vector as it is"));
	if (best->rank == 2 && dim_of(best) == 1000)
		return cn_text_addf(found, "it looks like the scores of 1000 classes: a network exported without its "
					   "classifier describes images better\n");
	return 0;
}

int cn_outputs_propose(cn_outputs_plan *out, const cn_seen_output *outputs, size_t count, uint32_t width,
		       uint32_t height, cn_text *found)
{
	*out = (cn_outputs_plan){ 0 };
	CN_TRY(propose_lists(out, outputs, count, found));
	if (!out->member)
		CN_TRY(propose_maps(out, outputs, count, width, height, found));
	return out->member ? 0 : propose_vector(out, outputs, count, width, height, found);
}
