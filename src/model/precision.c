/*
 * What bf16 costs: the same images in both precisions, the cosine of what comes out. Made-up images decide whether bf16
 * is chosen by itself.
 *
 * These images are value noise: random numbers on grids of 4, 8 ... 128 cells a side, interpolated and added with
 * weights that fall with frequency, as in photographs. Each machine makes the same ones, and none need be shipped.
 */
#include "model/precision.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "math/dispatch.h"
#include "model/map.h"
#include "util/memory.h"

#define OCTAVES 6

static uint32_t scramble(uint64_t seed, uint64_t octave, uint64_t x, uint64_t y, uint64_t channel)
{
	uint64_t z = seed * 0x9e3779b97f4a7c15u + octave * 0xd1342543de82ef95u + (x << 32 | y) * 0xbf58476d1ce4e5b9u +
		     channel;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (uint32_t)((z ^ (z >> 31)) >> 40);
}

/* The grid's numbers around a place, interpolated; -1 to 1. */
static float noise(uint64_t seed, unsigned octave, float u, float v, unsigned channel)
{
	float cells = (float)(4u << octave), x = u * cells, y = v * cells;
	uint64_t x0 = (uint64_t)x, y0 = (uint64_t)y;
	float fx = x - (float)x0, fy = y - (float)y0, corner[4];
	for (unsigned i = 0; i < 4; i++)
		corner[i] = (float)scramble(seed, octave, x0 + (i & 1), y0 + (i >> 1), channel) * 0x1p-23f - 1.0f;
	float top = corner[0] + (corner[1] - corner[0]) * fx, bottom = corner[2] + (corner[3] - corner[2]) * fx;
	return top + (bottom - top) * fy;
}

void cn_precision_image(uint64_t seed, uint32_t width, uint32_t height, uint8_t *rgb)
{
	float longer = (float)(width > height ? width : height);
	for (uint32_t y = 0; y < height; y++)
		for (uint32_t x = 0; x < width; x++)
			for (unsigned c = 0; c < 3; c++) {
				/* Channels share most of their structure, as in photographs. */
				float value = 128, u = ((float)x + 0.5f) / longer, v = ((float)y + 0.5f) / longer;
				for (unsigned octave = 0; octave < OCTAVES; octave++) {
					float shared = noise(seed, octave, u, v, 3), own = noise(seed, octave, u, v, c);
					value += (80 * shared + 30 * own) / (float)(octave + 1);
				}
				rgb[3 * ((size_t)y * width + x) + c] = (uint8_t)fminf(255, fmaxf(0, value));
			}
}

/* ---- running ---- */

/* What is compared: the output that descriptors are made of. @param[out] buffer caller frees */
static int view_output(const cairn_model *model, cn_request *request, uint32_t width, uint32_t height, cn_map *map,
		       float **buffer)
{
	const cn_global_spec *global = &model->global;
	const cn_local_spec *local = &model->local;
	cn_tensor output;
	char where[128];
	snprintf(where, sizeof(where), "model '%.100s'", model->name);
	*buffer = NULL;
	if (model->is_local) {
		CN_TRY(cn_model_map(model, request, local->descriptors, &local->tokens, width, height, map, buffer));
		return map->channels == local->dim
			       ? 0
			       : cn_fail(CAIRN_EFORMAT,
					 "%s: the output '%s' has %zu channels; model.json says \"dim\" %u", where,
					 local->descriptors, map->channels, local->dim);
	}
	if (global->tokens.patch && cn_global_is_vector(global)) {
		CN_TRY(cn_request_output(request, global->output, &output));
		CN_TRY(cn_map_of_class(map, &output, where, global->output));
	} else {
		CN_TRY(cn_model_map(model, request, global->output, &global->tokens, width, height, map, buffer));
	}
	return cn_global_check_channels(global, map->channels, where);
}

/* @param[out] out a copy of the map; the caller frees its data */
static int copy_output(const cairn_model *model, cn_request *request, uint32_t width, uint32_t height, cn_map *out)
{
	float *buffer = NULL;
	int status = view_output(model, request, width, height, out, &buffer);
	size_t count = status == 0 ? out->channels * cn_map_positions(out) : 0;
	for (size_t i = 0; status == 0 && i < count; i++)
		if (!isfinite(out->data[i]))
			status = cn_fail(CAIRN_EFORMAT, "model '%s' gave numbers that are not finite in %s",
					 model->name, model->bf16 ? "bf16" : "f32");
	if (status == 0)
		out->data = cn_memdup(out->data, count * sizeof(float));
	cn_free(buffer);
	if (status < 0 || !out->data)
		*out = (cn_map){ 0 };
	return status < 0 || out->data ? status : CAIRN_ENOMEM;
}

static int run_image(cairn_model *model, const uint8_t *rgb, uint32_t width, uint32_t height, cn_map *out)
{
	cn_request *request;
	CN_TRY(cn_model_run(model, rgb, width, height, &request));
	int status = copy_output(model, request, width, height, out);
	cn_network_release(model->network, request);
	return status;
}

static double cosine(double product, double a, double b)
{
	return a > 0 && b > 0 ? product / sqrt(a * b) : a == b;
}

/* Generalised mean of a channel (Radenovic et al., 2018) with the power of the first head, 3 where that has none; or
 * the number itself. This room cannot call global's. */
static double pooled(const cn_global_spec *spec, const float *channel, size_t positions)
{
	double sum = 0, p = spec->heads[0].p > 0 ? (double)spec->heads[0].p : 3;
	if (cn_global_is_vector(spec))
		return (double)channel[0];
	for (size_t i = 0; i < positions; i++)
		sum += pow(fmax((double)channel[i], 1e-6), p);
	return pow(sum / (double)positions, 1.0 / p);
}

static double compare_global(const cairn_model *model, const cn_map *a, const cn_map *b)
{
	size_t positions = cn_map_positions(a);
	double product = 0, square_a = 0, square_b = 0;
	for (size_t c = 0; c < a->channels; c++) {
		double x = pooled(&model->global, a->data + c * positions, positions);
		double y = pooled(&model->global, b->data + c * positions, positions);
		product += x * y;
		square_a += x * x;
		square_b += y * y;
	}
	return cosine(product, square_a, square_b);
}

static double compare_local(const cn_map *a, const cn_map *b)
{
	size_t positions = cn_map_positions(a);
	double total = 0;
	for (size_t i = 0; i < positions; i++) {
		double product = 0, square_a = 0, square_b = 0;
		for (size_t c = 0; c < a->channels; c++) {
			double x = (double)a->data[c * positions + i], y = (double)b->data[c * positions + i];
			product += x * y;
			square_a += x * x;
			square_b += y * y;
		}
		total += cosine(product, square_a, square_b);
	}
	return total / (double)positions;
}

static int run_all(cairn_model *model, int bf16, cn_map *outputs)
{
	/* Landscape, portrait, wide and square. */
	static const uint32_t sides[CN_PRECISION_INPUTS][2] = { { 4, 3 }, { 3, 4 },  { 3, 2 },
								{ 1, 1 }, { 16, 9 }, { 2, 3 } };
	CN_TRY(cn_bundle_load(model, 1, bf16));
	for (size_t i = 0; i < CN_PRECISION_INPUTS; i++) {
		uint32_t longest = model->input.longest, width, height;
		uint32_t longer = sides[i][0] > sides[i][1] ? sides[i][0] : sides[i][1];
		cn_input_size(&model->input, sides[i][0] * longest / longer, sides[i][1] * longest / longer, 0, 1,
			      &width, &height);
		uint8_t *rgb = cn_alloc((size_t)width * height, 3);
		if (!rgb)
			return CAIRN_ENOMEM;
		cn_precision_image(i + 1, width, height, rgb);
		int status = run_image(model, rgb, width, height, &outputs[i]);
		cn_free(rgb);
		CN_TRY(status);
	}
	return 0;
}

int cn_precision_is_comparable(const cairn_model *model)
{
	/* Keypoints or boxes that a network chose itself are not the same ones in both. */
	return !model->is_detector && (!model->is_local || model->local.method != CN_LOCAL_KEYPOINTS);
}

static double compare(const cairn_model *model, const cn_map *wide, const cn_map *narrow)
{
	return model->is_local ? compare_local(wide, narrow) : compare_global(model, wide, narrow);
}

cairn_model_cost cn_precision_cost(const double *cosines, size_t count)
{
	cairn_model_cost cost = { NAN, NAN, (uint32_t)count };
	double sum = 0;
	for (size_t i = 0; i < count; i++) {
		sum += cosines[i];
		if (!(cosines[i] >= cost.least))
			cost.least = cosines[i];
	}
	if (count)
		cost.mean = sum / (double)count;
	return cost;
}

int cn_precision_compare(cairn_model *wide, cairn_model *narrow, const uint8_t *rgb, uint32_t width, uint32_t height,
			 double *cosine)
{
	cn_map of_wide = { 0 }, of_narrow = { 0 };
	int status = run_image(wide, rgb, width, height, &of_wide);
	if (status == 0)
		status = run_image(narrow, rgb, width, height, &of_narrow);
	if (status == 0)
		*cosine = compare(wide, &of_wide, &of_narrow);
	cn_free((float *)(uintptr_t)of_wide.data);
	cn_free((float *)(uintptr_t)of_narrow.data);
	return status;
}

int cn_precision_check(cairn_model *model, cairn_model_cost *out)
{
	cn_map wide[CN_PRECISION_INPUTS] = { 0 }, narrow[CN_PRECISION_INPUTS] = { 0 };
	double cosines[CN_PRECISION_INPUTS];
	size_t count = 0;
	int status = 0;
	*out = cn_precision_cost(NULL, 0);
	if (!cn_precision_is_comparable(model))
		return cn_bundle_load(model, 1, 0);
	if (cn_cpu_has_bf16())
		CN_GOTO(status, run_all(model, 1, narrow));
	CN_GOTO(status, run_all(model, 0, wide));
	for (; count < CN_PRECISION_INPUTS && narrow[count].data; count++)
		cosines[count] = compare(model, &wide[count], &narrow[count]);
	*out = cn_precision_cost(cosines, count);
done:
	for (size_t i = 0; i < CN_PRECISION_INPUTS; i++) {
		cn_free((float *)(uintptr_t)wide[i].data);
		cn_free((float *)(uintptr_t)narrow[i].data);
	}
	return status;
}
