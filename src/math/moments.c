/*
 * Rows are brought to double some at a time, so that products of them are work for BLAS.
 */
#include "math/moments.h"

#include <string.h>

#include "math/matrix.h"
#include "util/memory.h"

#define BLOCK 256

void cn_mean_of(const float *rows, size_t count, size_t dim, double *mean)
{
	memset(mean, 0, dim * sizeof(*mean));
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < dim; k++)
			mean[k] += (double)rows[i * dim + k];
	for (size_t k = 0; k < dim; k++)
		mean[k] /= (double)count;
}

/* The upper triangle of sums becomes a whole matrix of means. */
static void finish(double *moment, size_t dim, size_t count)
{
	for (size_t r = 0; r < dim; r++)
		for (size_t c = r; c < dim; c++)
			moment[c * dim + r] = moment[r * dim + c] /= (double)count;
}

int cn_second_moment(const float *rows, size_t count, size_t dim, const double *centre, double *moment)
{
	double *block = cn_alloc(BLOCK * dim, sizeof(*block));
	if (!block)
		return CAIRN_ENOMEM;
	memset(moment, 0, dim * dim * sizeof(*moment));
	for (size_t begin = 0; begin < count; begin += BLOCK) {
		size_t size = count - begin < BLOCK ? count - begin : BLOCK;
		for (size_t i = 0; i < size; i++)
			for (size_t k = 0; k < dim; k++)
				block[i * dim + k] = (double)rows[(begin + i) * dim + k] - centre[k];
		cn_matrix_add_squares(dim, block, size, moment);
	}
	cn_free(block);
	finish(moment, dim, count);
	return 0;
}

int cn_difference_moment(const float *rows, size_t dim, const uint32_t *pairs, size_t pair_count, double *moment)
{
	double *block = cn_alloc(BLOCK * dim, sizeof(*block));
	if (!block)
		return CAIRN_ENOMEM;
	memset(moment, 0, dim * dim * sizeof(*moment));
	for (size_t begin = 0; begin < pair_count; begin += BLOCK) {
		size_t size = pair_count - begin < BLOCK ? pair_count - begin : BLOCK;
		for (size_t i = 0; i < size; i++) {
			const float *a = rows + (size_t)pairs[2 * (begin + i)] * dim,
				    *b = rows + (size_t)pairs[2 * (begin + i) + 1] * dim;
			for (size_t k = 0; k < dim; k++)
				block[i * dim + k] = (double)a[k] - (double)b[k];
		}
		cn_matrix_add_squares(dim, block, size, moment);
	}
	cn_free(block);
	finish(moment, dim, pair_count);
	return 0;
}
