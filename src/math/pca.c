/*
 * Principal components from the covariance matrix, in double: sums over millions of rows keep their digits.
 */
#include "math/pca.h"

#include <math.h>
#include <string.h>

#include "math/dot.h"
#include "math/matrix.h"
#include "util/memory.h"

static void mean_of(const float *rows, size_t count, size_t dim, double *mean)
{
	memset(mean, 0, dim * sizeof(*mean));
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < dim; k++)
			mean[k] += (double)rows[i * dim + k];
	for (size_t k = 0; k < dim; k++)
		mean[k] /= (double)count;
}

/* Upper triangle by rank-one updates, mirrored at the end. */
static void covariance_of(const float *rows, size_t count, size_t dim, const double *mean, double *centred,
			  double *covariance)
{
	memset(covariance, 0, dim * dim * sizeof(*covariance));
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < dim; k++)
			centred[k] = (double)rows[i * dim + k] - mean[k];
		for (size_t r = 0; r < dim; r++) {
			double value = centred[r];
			double *line = covariance + r * dim;
			for (size_t c = r; c < dim; c++)
				line[c] += value * centred[c];
		}
	}
	for (size_t r = 0; r < dim; r++)
		for (size_t c = r; c < dim; c++)
			covariance[c * dim + r] = covariance[r * dim + c] /= (double)count;
}

/* An eigenvector's sign is arbitrary: the entry of largest magnitude is made positive. */
static void copy_axis(const double *vector, size_t dim, float *axis)
{
	size_t largest = 0;
	for (size_t k = 1; k < dim; k++)
		if (fabs(vector[k]) > fabs(vector[largest]))
			largest = k;
	double sign = vector[largest] < 0 ? -1.0 : 1.0;
	for (size_t k = 0; k < dim; k++)
		axis[k] = (float)(sign * vector[k]);
}

static int decompose(cn_pca *pca, const float *rows, size_t count, double *mean, double *centred, double *covariance,
		     double *values, double *vectors)
{
	mean_of(rows, count, pca->dim, mean);
	covariance_of(rows, count, pca->dim, mean, centred, covariance);
	CN_TRY(cn_matrix_eigen(pca->dim, covariance, values, vectors));
	for (size_t k = 0; k < pca->dim; k++)
		pca->mean[k] = (float)mean[k];
	for (size_t i = 0; i < pca->kept; i++) {
		pca->variance[i] = (float)fmax(values[i], 0);
		copy_axis(vectors + i * pca->dim, pca->dim, pca->axes + i * pca->dim);
	}
	return 0;
}

int cn_pca_learn(cn_pca *out, const float *rows, size_t count, size_t dim, size_t keep)
{
	memset(out, 0, sizeof(*out));
	if (count < 2 || keep < 1 || keep > dim)
		return cn_fail(CAIRN_EINVALID, "principal components: %zu rows of %zu dimensions, %zu to keep", count,
			       dim, keep);
	if (!cn_all_finite(rows, count * dim))
		return cn_fail(CAIRN_EINVALID, "principal components: a row holds a number that is not finite");
	size_t cells;
	CN_TRY(cn_size_mul(dim, dim, &cells));
	double *mean = cn_alloc(dim, sizeof(double)), *centred = cn_alloc(dim, sizeof(double));
	double *covariance = cn_alloc(cells, sizeof(double)), *vectors = cn_alloc(cells, sizeof(double));
	double *values = cn_alloc(dim, sizeof(double));
	out->dim = dim;
	out->kept = keep;
	out->mean = cn_alloc(dim, sizeof(float));
	out->axes = cn_alloc(keep * dim, sizeof(float));
	out->variance = cn_alloc(keep, sizeof(float));
	int status = CAIRN_ENOMEM;
	if (mean && centred && covariance && vectors && values && out->mean && out->axes && out->variance)
		status = decompose(out, rows, count, mean, centred, covariance, values, vectors);
	cn_free(mean);
	cn_free(centred);
	cn_free(covariance);
	cn_free(vectors);
	cn_free(values);
	if (status < 0)
		cn_pca_free(out);
	return status;
}

void cn_pca_free(cn_pca *pca)
{
	cn_free(pca->mean);
	cn_free(pca->axes);
	cn_free(pca->variance);
	memset(pca, 0, sizeof(*pca));
}
