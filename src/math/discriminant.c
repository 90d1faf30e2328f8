/*
 * Differences of matching rows are made white first, and then the rows are turned onto the principal axes of what that
 * leaves of them:
 *
 *     S = mean of (q - p)(q - p)^T = L L^T,  A = L^-1,  A C A^T = V Lambda V^T,  P = V^T A
 *
 * with C the second moment of all rows about the mean of the queries.
 */
#include "math/discriminant.h"

#include <string.h>

#include "math/dot.h"
#include "math/matrix.h"
#include "math/moments.h"
#include "math/pca.h"
#include "util/memory.h"

/* Added to the diagonal, as a part of its mean; ten times more until the matrix is positive definite. */
#define RIDGE      1e-10
#define MOST_RIDGE 1.0

struct work {
	double *mean;       /* dim */
	double *spread;     /* dim x dim: S, its factor, the inverse of that */
	double *covariance; /* dim x dim: C, then of the rows behind it */
	double *vectors, *values;
};

static void mean_of_queries(const float *rows, size_t dim, const uint32_t *pairs, size_t pair_count, double *mean)
{
	memset(mean, 0, dim * sizeof(*mean));
	for (size_t i = 0; i < pair_count; i++)
		for (size_t k = 0; k < dim; k++)
			mean[k] += (double)rows[(size_t)pairs[2 * i] * dim + k];
	for (size_t k = 0; k < dim; k++)
		mean[k] /= (double)pair_count;
}

/* Cholesky's factor of S, with as little on its diagonal as will do. @param[out] factor lower triangle, zeros above */
static int factorise(const double *moment, size_t dim, double *factor, double *ridge)
{
	double level = 0;
	for (size_t k = 0; k < dim; k++)
		level += moment[k * dim + k] / (double)dim;
	if (!(level > 0))
		return cn_fail(CAIRN_EINVALID, "matching pairs: the two of every pair are equal, so nothing can be "
					       "learned from them");
	for (*ridge = RIDGE; *ridge <= MOST_RIDGE; *ridge *= 10) {
		memcpy(factor, moment, dim * dim * sizeof(*factor));
		for (size_t k = 0; k < dim; k++)
			factor[k * dim + k] += *ridge * level;
		int positive = cn_matrix_cholesky(dim, factor);
		if (positive != 0)
			return positive < 0 ? positive : 0;
	}
	return cn_fail(CAIRN_EBACKEND, "matching pairs: the moment of their differences has no Cholesky factor");
}

static int learn(cn_discriminant *out, const float *rows, size_t count, const uint32_t *pairs, size_t pair_count,
		 const struct work *work)
{
	size_t dim = out->dim;
	mean_of_queries(rows, dim, pairs, pair_count, work->mean);
	/* The place of the eigenvectors is free until then. */
	CN_TRY(cn_difference_moment(rows, dim, pairs, pair_count, work->vectors));
	CN_TRY(factorise(work->vectors, dim, work->spread, &out->ridge));
	CN_TRY(cn_matrix_invert_lower(dim, work->spread));
	CN_TRY(cn_second_moment(rows, count, dim, work->mean, work->covariance));
	cn_matrix_transform(dim, work->spread, work->covariance);
	CN_TRY(cn_matrix_eigen(dim, work->covariance, work->values, work->vectors));
	cn_matrix_times_lower(dim, work->vectors, out->kept, work->spread);
	for (size_t k = 0; k < dim; k++)
		out->mean[k] = (float)work->mean[k];
	for (size_t i = 0; i < out->kept; i++)
		cn_pca_copy_axis(work->vectors + i * dim, dim, out->projection + i * dim);
	return 0;
}

static int check(const float *rows, size_t count, size_t dim, const uint32_t *pairs, size_t pair_count, size_t keep)
{
	if (count < 2 || pair_count < 1 || keep < 1 || keep > dim)
		return cn_fail(CAIRN_EINVALID,
			       "matching pairs: %zu rows of %zu dimensions, %zu pairs, %zu dimensions to keep", count,
			       dim, pair_count, keep);
	for (size_t i = 0; i < pair_count; i++)
		if (pairs[2 * i] >= count || pairs[2 * i + 1] >= count)
			return cn_fail(CAIRN_EINVALID, "matching pairs: pair %zu is of rows %u and %u, of %zu rows", i,
				       pairs[2 * i], pairs[2 * i + 1], count);
	if (!cn_all_finite(rows, count * dim))
		return cn_fail(CAIRN_EINVALID, "matching pairs: a row holds a number that is not finite");
	return 0;
}

int cn_discriminant_learn(cn_discriminant *out, const float *rows, size_t count, size_t dim, const uint32_t *pairs,
			  size_t pair_count, size_t keep)
{
	memset(out, 0, sizeof(*out));
	CN_TRY(check(rows, count, dim, pairs, pair_count, keep));
	size_t cells;
	CN_TRY(cn_size_mul(dim, dim, &cells));
	struct work work = {
		.mean = cn_alloc(dim, sizeof(double)),
		.spread = cn_alloc(cells, sizeof(double)),
		.covariance = cn_alloc(cells, sizeof(double)),
		.vectors = cn_alloc(cells, sizeof(double)),
		.values = cn_alloc(dim, sizeof(double)),
	};
	out->dim = dim;
	out->kept = keep;
	out->mean = cn_alloc(dim, sizeof(float));
	out->projection = cn_alloc(keep * dim, sizeof(float));
	int status = CAIRN_ENOMEM;
	if (work.mean && work.spread && work.covariance && work.vectors && work.values && out->mean && out->projection)
		status = learn(out, rows, count, pairs, pair_count, &work);
	cn_free(work.mean);
	cn_free(work.spread);
	cn_free(work.covariance);
	cn_free(work.vectors);
	cn_free(work.values);
	if (status == 0 && !cn_all_finite(out->projection, keep * dim))
		status = cn_fail(CAIRN_EINVALID, "matching pairs: the projection they give is not finite; they differ "
						 "too little");
	if (status < 0)
		cn_discriminant_free(out);
	return status;
}

void cn_discriminant_free(cn_discriminant *discriminant)
{
	cn_free(discriminant->mean);
	cn_free(discriminant->projection);
	memset(discriminant, 0, sizeof(*discriminant));
}
