/*
 * Aggregation: descriptors are sorted by word, and each word's differences are summed in the order of the descriptors,
 * in double, so that the sign of a sum does not depend on how it was computed.
 */
#include "index/asmk_aggregate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/assign.h"
#include "util/memory.h"

#define LEAST_NORM 1e-6 /* of a sum that has a direction (Teichmann et al.) */

int cn_asmk_options_read(cairn_asmk_options *out, const cairn_asmk_options *options)
{
	const cairn_asmk_options defaults = CAIRN_ASMK_OPTIONS_INIT;
	*out = options ? *options : defaults;
	if (out->version != CAIRN_ASMK_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "ASMK options of version %u; this cairn knows version %d", out->version,
			       CAIRN_ASMK_OPTIONS_VERSION);
	return 0;
}

static int check_regions(const cairn_codebook *codebook, const cairn_features *const *regions, size_t count,
			 const cairn_asmk_options *options)
{
	if (count < 1 || (count > 1 && !options->regional))
		return cn_fail(CAIRN_EINVALID, "ASMK of %zu feature sets; one, or several with options.regional",
			       count);
	for (size_t i = 0; i < count; i++)
		if (regions[i]->dim != codebook->dim || strcmp(regions[i]->kind, regions[0]->kind) != 0)
			return cn_fail(CAIRN_EINVALID,
				       "features of kind '%s' with %u dimensions, of '%s', for a codebook of %zu",
				       regions[i]->kind, regions[i]->dim, regions[0]->kind, codebook->dim);
	return 0;
}

/* ---- descriptors in the order of their words ---- */

/* All descriptors of all regions, and a key for each of their words: word << 32 | row. */
struct pairs {
	float *rows;
	uint64_t *keys;
	size_t rows_count, count;
};

static void free_pairs(struct pairs *pairs)
{
	cn_free(pairs->rows);
	cn_free(pairs->keys);
}

static void decode_rows(const cairn_features *const *regions, size_t count, float *rows)
{
	for (size_t r = 0; r < count; r++) {
		size_t numbers = regions[r]->count * regions[r]->dim;
		for (size_t j = 0; j < numbers; j++)
			rows[j] = (float)regions[r]->codes[j] * regions[r]->code_scale;
		rows += numbers;
	}
}

static int by_key(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
	return a < b ? -1 : a > b;
}

static int make_pairs(struct pairs *pairs, const cairn_codebook *codebook, const cairn_features *const *regions,
		      size_t count, size_t assignments, cn_workers *pool)
{
	for (size_t r = 0; r < count; r++)
		CN_TRY(cn_size_add(pairs->rows_count, regions[r]->count, &pairs->rows_count));
	if (pairs->rows_count > UINT32_MAX)
		return cn_fail(CAIRN_EINVALID, "ASMK of %zu descriptors; at most 2^32 - 1", pairs->rows_count);
	pairs->count = pairs->rows_count * assignments;
	pairs->rows = cn_alloc_aligned(pairs->rows_count * codebook->dim, sizeof(*pairs->rows));
	pairs->keys = cn_alloc(pairs->count, sizeof(*pairs->keys));
	uint32_t *words = cn_alloc(pairs->count, sizeof(*words));
	int status = pairs->rows && pairs->keys && words ? 0 : CAIRN_ENOMEM;
	if (status == 0) {
		decode_rows(regions, count, pairs->rows);
		status = cn_assign(pool, &codebook->centroids, pairs->rows, pairs->rows_count, assignments, words);
	}
	for (size_t i = 0; status == 0 && i < pairs->count; i++)
		pairs->keys[i] = (uint64_t)words[i] << 32 | i / assignments;
	if (status == 0 && pairs->count)
		qsort(pairs->keys, pairs->count, sizeof(*pairs->keys), by_key);
	cn_free(words);
	return status;
}

/* ---- residuals ---- */

static void code_bits(const double *sum, size_t dim, uint8_t *code)
{
	for (size_t j = 0; j < dim; j++)
		if (sum[j] > 0)
			code[j / 8] |= (uint8_t)(1u << j % 8);
}

/* As descriptors are coded: the largest magnitude becomes 127. @return the factor that makes the code a unit vector */
static float code_bytes(const double *sum, size_t dim, uint8_t *code)
{
	double most = 0;
	int64_t squares = 0;
	for (size_t j = 0; j < dim; j++)
		most = fmax(most, fabs(sum[j]));
	for (size_t j = 0; j < dim; j++) {
		int number = (int)round(127 * (sum[j] / most));
		code[j] = (uint8_t)number;
		squares += number * number;
	}
	return (float)(1 / sqrt((double)squares));
}

/* The sum over the pairs of one word, divided by the number of regions. @return its norm */
static double add_residuals(const struct pairs *pairs, size_t begin, size_t end, const cairn_codebook *codebook,
			    size_t regions, double *sum)
{
	const float *centroid = codebook->vectors + (pairs->keys[begin] >> 32) * codebook->dim;
	double squares = 0;
	memset(sum, 0, codebook->dim * sizeof(*sum));
	for (size_t p = begin; p < end; p++) {
		const float *row = pairs->rows + (pairs->keys[p] & UINT32_MAX) * codebook->dim;
		for (size_t j = 0; j < codebook->dim; j++)
			sum[j] += (double)row[j] - (double)centroid[j];
	}
	for (size_t j = 0; j < codebook->dim; j++) {
		sum[j] /= (double)regions;
		squares += sum[j] * sum[j];
	}
	return sqrt(squares);
}

static void code_words(cairn_asmk_aggregate *aggregate, const struct pairs *pairs, const cairn_codebook *codebook,
		       size_t regions, double *sum)
{
	for (size_t begin = 0, end; begin < pairs->count; begin = end) {
		uint32_t word = (uint32_t)(pairs->keys[begin] >> 32);
		uint8_t *code = aggregate->codes + aggregate->count * aggregate->code_size;
		for (end = begin + 1; end < pairs->count && pairs->keys[end] >> 32 == word; end++)
			;
		/* Numbers that overflowed compare as false. */
		double norm = add_residuals(pairs, begin, end, codebook, regions, sum);
		if (!(norm > LEAST_NORM) || isinf(norm))
			continue;
		if (aggregate->binary)
			code_bits(sum, codebook->dim, code);
		else
			aggregate->scales[aggregate->count] = code_bytes(sum, codebook->dim, code);
		aggregate->words[aggregate->count++] = word;
	}
}

static int fill(cairn_asmk_aggregate *aggregate, const cairn_codebook *codebook, const cairn_features *const *regions,
		size_t count, size_t assignments, cn_workers *pool)
{
	struct pairs pairs = { .rows_count = 0 };
	double *sum = cn_alloc(codebook->dim, sizeof(*sum));
	int status = sum ? make_pairs(&pairs, codebook, regions, count, assignments, pool) : CAIRN_ENOMEM;
	if (status == 0) {
		size_t most = pairs.count < codebook->words ? pairs.count : codebook->words;
		aggregate->words = cn_alloc(most, sizeof(*aggregate->words));
		aggregate->codes = cn_alloc_zero(most, aggregate->code_size);
		aggregate->scales = aggregate->binary ? NULL : cn_alloc(most, sizeof(*aggregate->scales));
		if (aggregate->words && aggregate->codes && (aggregate->binary || aggregate->scales))
			code_words(aggregate, &pairs, codebook, count, sum);
		else
			status = CAIRN_ENOMEM;
	}
	free_pairs(&pairs);
	cn_free(sum);
	return status;
}

int cn_asmk_aggregate(cairn_asmk_aggregate **out, const cairn_codebook *codebook, const cairn_features *const *regions,
		      size_t count, size_t assignments, const cairn_asmk_options *options, cn_workers *pool)
{
	cairn_asmk_aggregate *aggregate;
	*out = NULL;
	CN_TRY(check_regions(codebook, regions, count, options));
	CN_NEW(aggregate, 1, sizeof(*aggregate));
	memcpy(aggregate->kind, regions[0]->kind, sizeof(aggregate->kind));
	aggregate->codebook_crc = codebook->crc;
	aggregate->binary = options->binary != 0;
	aggregate->regional = options->regional != 0;
	aggregate->dim = codebook->dim;
	aggregate->code_size = cn_asmk_code_size(codebook->dim, aggregate->binary);
	int status = fill(aggregate, codebook, regions, count, assignments, pool);
	if (status < 0) {
		cairn_asmk_aggregate_free(aggregate);
		return status;
	}
	*out = aggregate;
	return 0;
}

int cairn_asmk_aggregate_new(cairn_asmk_aggregate **out, const cairn_codebook *codebook,
			     const cairn_features *const *regions, size_t count, const cairn_asmk_options *options)
{
	cairn_asmk_options known;
	*out = NULL;
	CN_TRY(cn_asmk_options_read(&known, options));
	return cn_asmk_aggregate(out, codebook, regions, count, 1, &known, NULL);
}

void cairn_asmk_aggregate_free(cairn_asmk_aggregate *aggregate)
{
	if (!aggregate)
		return;
	cn_free(aggregate->words);
	cn_free(aggregate->codes);
	cn_free(aggregate->scales);
	cn_free(aggregate);
}

size_t cairn_asmk_aggregate_words(const cairn_asmk_aggregate *aggregate)
{
	return aggregate->count;
}
