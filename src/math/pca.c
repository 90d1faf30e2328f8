/*
 * Principal components from the covariance matrix, in double: sums over millions of rows keep their digits.
 */
#include "math/pca.h"

#include <math.h>
#include <string.h>

#include "math/dot.h"
#include "math/matrix.h"
#include "math/moments.h"
#include "util/memory.h"

void cn_pca_copy_axis(const double *vector, size_t dim, float *axis)
{
	size_t largest = 0;
	for (size_t k = 1; k < dim; k++)
		if (fabs(vector[k]) > fabs(vector[largest]))
			largest = k;
	double sign = vector[largest] < 0 ? -1.0 : 1.0;
	for (size_t k = 0; k < dim; k++)
		axis[k] = (float)(sign * vector[k]);
}

static int decompose(cn_pca *pca, const float *rows, size_t count, double *mean, double *covariance, double *values,
		     double *vectors)
{
	cn_mean_of(rows, count, pca->dim, mean);
	CN_TRY(cn_second_moment(rows, count, pca->dim, mean, covariance));
	CN_TRY(cn_matrix_eigen(pca->dim, covariance, values, vectors));
	for (size_t k = 0; k < pca->dim; k++)
		pca->mean[k] = (float)mean[k];
	for (size_t i = 0; i < pca->kept; i++) {
		pca->variance[i] = (float)fmax(values[i], 0);
		cn_pca_copy_axis(vectors + i * pca->dim, pca->dim, pca->axes + i * pca->dim);
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
	double *mean = cn_alloc(dim, sizeof(double));
	double *covariance = cn_alloc(cells, sizeof(double)), *vectors = cn_alloc(cells, sizeof(double));
	double *values = cn_alloc(dim, sizeof(double));
	out->dim = dim;
	out->kept = keep;
	out->mean = cn_alloc(dim, sizeof(float));
	out->axes = cn_alloc(keep * dim, sizeof(float));
	out->variance = cn_alloc(keep, sizeof(float));
	int status = CAIRN_ENOMEM;
	if (mean && covariance && vectors && values && out->mean && out->axes && out->variance)
		status = decompose(out, rows, count, mean, covariance, values, vectors);
	cn_free(mean);
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
