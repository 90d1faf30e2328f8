/*
 * Heads of a descriptor against plain computations in double precision.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "global/heads.h"
#include "global/pool.h"
#include "support.h"
#include "torture.h"

enum { CHANNELS = 6, HEIGHT = 5, WIDTH = 8, POSITIONS = HEIGHT * WIDTH, MOST = 64 };

static float numbers[CHANNELS * POSITIONS];
static const cn_map map = { numbers, CHANNELS, HEIGHT, WIDTH };

static int fill(void **state)
{
	uint64_t seed = 21;
	(void)state;
	for (size_t i = 0; i < CHANNELS * POSITIONS; i++)
		numbers[i] = 3 * cn_test_uniform(&seed) - 1;
	return 0;
}

/* Random weights; borrowed memory. */
static cn_layer layer_of(size_t outputs, size_t inputs, int has_bias, uint64_t seed)
{
	static float room[64][MOST * MOST];
	static size_t next;
	float *weight = room[next++ % 64], *bias = has_bias ? room[next++ % 64] : NULL;
	for (size_t i = 0; i < outputs * inputs; i++)
		weight[i] = cn_test_normal(&seed);
	for (size_t i = 0; has_bias && i < outputs; i++)
		bias[i] = cn_test_normal(&seed);
	return (cn_layer){ .weight = weight, .bias = bias, .outputs = outputs, .inputs = inputs };
}

/* ---- the plain way ---- */

static void normalise_plainly(double *vector, size_t count)
{
	double squares = 0;
	for (size_t i = 0; i < count; i++)
		squares += vector[i] * vector[i];
	for (size_t i = 0; i < count && squares > 0; i++)
		vector[i] /= sqrt(squares);
}

/* In place; returns how many numbers there are then. */
static size_t apply_plainly(const cn_layer *layer, double *vector, size_t count)
{
	double out[MOST];
	if (!layer->outputs)
		return count;
	for (size_t i = 0; i < layer->outputs; i++) {
		out[i] = layer->bias ? (double)layer->bias[i] : 0;
		for (size_t k = 0; k < count; k++)
			out[i] += (double)layer->weight[i * layer->inputs + k] * vector[k];
	}
	memcpy(vector, out, layer->outputs * sizeof(*out));
	return layer->outputs;
}

static double channel_plainly(const cn_head *head, size_t c)
{
	double p = head->channel_p ? (double)head->channel_p[c] : (double)head->p, sum = 0, most = -INFINITY;
	for (size_t i = 0; i < POSITIONS; i++) {
		double x = (double)numbers[c * POSITIONS + i];
		sum += head->pool == CN_POOL_GEM ? pow(fmax(x, 1e-6), p) : x;
		most = fmax(most, x);
	}
	return head->pool == CN_POOL_MAC   ? most
	       : head->pool == CN_POOL_GEM ? pow(sum / POSITIONS, 1 / p)
					   : sum / POSITIONS;
}

/* L2 -> layer -> L2 of the maxima of a rectangle, added. */
static size_t add_rectangle_plainly(const cn_head *head, size_t x, size_t y, size_t width, size_t height, double *sum)
{
	double vector[MOST];
	for (size_t c = 0; c < CHANNELS; c++) {
		vector[c] = -INFINITY;
		for (size_t v = y; v < y + height; v++)
			for (size_t u = x; u < x + width; u++)
				vector[c] = fmax(vector[c], (double)numbers[(c * HEIGHT + v) * WIDTH + u]);
	}
	normalise_plainly(vector, CHANNELS);
	size_t count = apply_plainly(&head->regional, vector, CHANNELS);
	normalise_plainly(vector, count);
	for (size_t i = 0; i < count; i++)
		sum[i] += vector[i];
	return count;
}

static size_t regions_plainly(const cn_head *head, double *sum)
{
	cn_region regions[4096];
	assert_true(cn_regions_most(head->levels) <= 4096);
	size_t count = CHANNELS, found = cn_regions(WIDTH, HEIGHT, head->levels, (double)head->overlap, regions);
	memset(sum, 0, MOST * sizeof(*sum));
	if (head->whole)
		count = add_rectangle_plainly(head, 0, 0, WIDTH, HEIGHT, sum);
	for (size_t i = 0; i < found; i++)
		count = add_rectangle_plainly(head, regions[i].x, regions[i].y, regions[i].side, regions[i].side, sum);
	return count;
}

static size_t head_plainly(const cn_head *head, double *out)
{
	double vector[MOST];
	size_t count = CHANNELS;
	if (head->pool == CN_POOL_RMAC)
		count = regions_plainly(head, vector);
	else
		for (size_t c = 0; c < CHANNELS; c++)
			vector[c] = channel_plainly(head, c);
	count = apply_plainly(&head->layer, vector, count);
	if (head->normalise)
		normalise_plainly(vector, count);
	memcpy(out, vector, count * sizeof(*out));
	return count;
}

static void assert_as_plainly(cn_head *heads, size_t count)
{
	double expected[1024];
	float found[1024];
	size_t dim = 0;
	for (size_t i = 0; i < count; i++) {
		size_t made = head_plainly(&heads[i], expected + dim);
		assert_int_equal(made, cn_head_dim(&heads[i], CHANNELS));
		dim += made;
	}
	const cn_global_spec spec = { .heads = heads, .head_count = count, .dim = (uint32_t)dim };
	assert_ok(cn_global_check_channels(&spec, CHANNELS, "m"));
	/* Nothing is written behind. */
	found[dim] = 12345;
	assert_ok(cn_heads_run(&spec, &map, found));
	assert_true(found[dim] == 12345);
	for (size_t i = 0; i < dim; i++)
		if (!(fabs((double)found[i] - expected[i]) <= 2e-5 * fmax(1, fabs(expected[i]))))
			fail_msg("number %zu of %zu is %.9g instead of %.9g", i, dim, (double)found[i], expected[i]);
}

/* ---- tests ---- */

/* Pooled by GeM, R-MAC, MAC and SPoC, and the same again with fully connected layers with bias, each of unit length:
 * 4 C + 4 D dimensions. */
static void eight_heads_of_cgd(void **state)
{
	(void)state;
	cn_head heads[8];
	for (size_t i = 0; i < 8; i++) {
		static const cn_pool_kind pools[] = { CN_POOL_GEM, CN_POOL_RMAC, CN_POOL_MAC, CN_POOL_SPOC };
		heads[i] = (cn_head){
			.pool = pools[i % 4], .p = 3, .levels = 3, .overlap = 0.4f, .whole = 1, .normalise = 1
		};
		if (i >= 4)
			heads[i].layer = layer_of(4, CHANNELS, 1, i);
	}
	assert_as_plainly(heads, 8);
	/* All parts have the same say. */
	float found[4 * CHANNELS + 16], *at = found;
	const cn_global_spec spec = { .heads = heads, .head_count = 8, .dim = 4 * CHANNELS + 16 };
	assert_ok(cn_heads_run(&spec, &map, found));
	for (size_t i = 0; i < 8; at += cn_head_dim(&heads[i], CHANNELS), i++) {
		double squares = 0;
		for (size_t k = 0; k < cn_head_dim(&heads[i], CHANNELS); k++)
			squares += (double)at[k] * (double)at[k];
		assert_float_equal(squares, 1, 1e-6);
	}
}

static void heads_equal_plain_computations(void **state)
{
	(void)state;
	static float powers[CHANNELS] = { 1, 2, 3, 4.6f, 0.5f, 10 };
	static const cn_head cases[] = {
		{ .pool = CN_POOL_GEM, .p = 3 },
		{ .pool = CN_POOL_GEM, .p = 4.6f, .normalise = 1 },
		{ .pool = CN_POOL_GEM, .channel_p = powers, .channels = CHANNELS },
		{ .pool = CN_POOL_MAC },
		{ .pool = CN_POOL_SPOC },
		{ .pool = CN_POOL_SPOC, .normalise = 1 },
		{ .pool = CN_POOL_RMAC, .levels = 3, .overlap = 0.4f, .whole = 1 },
		{ .pool = CN_POOL_RMAC, .levels = 3, .overlap = 0.4f, .whole = 0 },
		{ .pool = CN_POOL_RMAC, .levels = 1, .overlap = 0, .whole = 1, .normalise = 1 },
		{ .pool = CN_POOL_RMAC, .levels = 16, .overlap = 0.9f, .whole = 0 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (int layer = 0; layer < 3; layer++) {
			cn_head head = cases[i];
			if (layer)
				head.layer = layer_of(i % 2 ? 3 : 11, CHANNELS, layer == 2, i);
			assert_as_plainly(&head, 1);
		}
}

/* Each region L2 -> layer -> L2, then the sum; smaller and larger than the number of channels. */
static void regions_are_whitened(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * 2 * 2 * 3; i++) {
		static const size_t outputs[] = { 4, CHANNELS, 9 };
		size_t made = outputs[i % 3];
		cn_head head = { .pool = CN_POOL_RMAC, .levels = 3, .overlap = 0.4f };
		head.whole = i / 3 % 2;
		head.normalise = i / 6 % 2;
		head.regional = layer_of(made, CHANNELS, 1, i);
		if (i / 12)
			head.layer = layer_of(5, made, 0, 50 + i);
		assert_as_plainly(&head, 1);
	}
}

static void the_whole_counts_once_more(void **state)
{
	(void)state;
	float with[CHANNELS], without[CHANNELS], mac[CHANNELS];
	double squares = 0;
	for (int whole = 0; whole < 2; whole++) {
		cn_head head = { .pool = CN_POOL_RMAC, .levels = 3, .overlap = 0.4f, .whole = whole };
		const cn_global_spec spec = { .heads = &head, .head_count = 1, .dim = CHANNELS };
		assert_ok(cn_heads_run(&spec, &map, whole ? with : without));
	}
	cn_pool_mac(&map, mac);
	for (size_t c = 0; c < CHANNELS; c++)
		squares += (double)mac[c] * (double)mac[c];
	for (size_t c = 0; c < CHANNELS; c++)
		assert_float_equal(with[c] - without[c], (double)mac[c] / sqrt(squares), 1e-5);
}

/* A map without activations: nothing is divided by zero. */
static void zeros_stay_zeros(void **state)
{
	(void)state;
	static const float zeros[CHANNELS * 4];
	const cn_map empty = { zeros, CHANNELS, 2, 2 };
	cn_head heads[] = {
		{ .pool = CN_POOL_RMAC, .levels = 2, .overlap = 0.4f, .whole = 1, .normalise = 1 },
		{ .pool = CN_POOL_SPOC, .normalise = 1 },
	};
	const cn_global_spec spec = { .heads = heads, .head_count = 2, .dim = 2 * CHANNELS };
	float found[2 * CHANNELS];
	assert_ok(cn_heads_run(&spec, &empty, found));
	for (size_t i = 0; i < 2 * CHANNELS; i++)
		assert_true(found[i] == 0);
}

static void a_vector_passes(void **state)
{
	(void)state;
	static const float vector[] = { 3, -4, 0 };
	const cn_map as_map = { vector, 3, 1, 1 };
	for (int normalise = 0; normalise < 2; normalise++) {
		cn_head head = { .pool = CN_POOL_NONE, .normalise = normalise };
		const cn_global_spec spec = { .heads = &head, .head_count = 1, .dim = 3 };
		float found[3];
		assert_ok(cn_heads_run(&spec, &as_map, found));
		assert_float_equal(found[0], normalise ? 0.6f : 3, 1e-6);
		assert_float_equal(found[1], normalise ? -0.8f : -4, 1e-6);
		assert_true(found[2] == 0);
	}
}

static int run_once(void *context)
{
	float found[CHANNELS];
	return cn_heads_run(context, &map, found);
}

static void survives_lack_of_memory(void **state)
{
	(void)state;
	cn_head head = { .pool = CN_POOL_RMAC, .levels = 3, .overlap = 0.4f, .whole = 1 };
	head.layer = layer_of(4, CHANNELS, 1, 1);
	cn_global_spec spec = { .heads = &head, .head_count = 1, .dim = 4 };
	assert_true(cn_torture(run_once, &spec) >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eight_heads_of_cgd),      cmocka_unit_test(heads_equal_plain_computations),
		cmocka_unit_test(regions_are_whitened),    cmocka_unit_test(the_whole_counts_once_more),
		cmocka_unit_test(zeros_stay_zeros),        cmocka_unit_test(a_vector_passes),
		cmocka_unit_test(survives_lack_of_memory),
	};
	return cmocka_run_group_tests_name("global/heads", tests, fill, NULL);
}
