/*
 * math/pca.h - principal component analysis of float32 rows.
 *
 * Works with fewer rows than dimensions; variances that rounding makes negative are 0. Thread-safe.
 */
#ifndef CN_MATH_PCA_H
#define CN_MATH_PCA_H

#include <stddef.h>

#include "util/status.h"

typedef struct {
	size_t dim;      /**< input dimensions */
	size_t kept;     /**< components, <= dim */
	float *mean;     /**< dim */
	float *axes;     /**< kept x dim, unit rows, by descending variance; each row's largest entry is positive */
	float *variance; /**< kept, >= 0 */
} cn_pca;

/**
 * @param[out] out  the caller frees it with cn_pca_free()
 * @param      rows count x dim, count >= 2, finite
 * @param      keep components wanted, 1 to dim
 * @return 0; CAIRN_EINVALID where a size is out of range or a number is not finite; CAIRN_EBACKEND; CAIRN_ENOMEM
 */
int cn_pca_learn(cn_pca *out, const float *rows, size_t count, size_t dim, size_t keep);
void cn_pca_free(cn_pca *pca);

/** Copy an axis whose sign is arbitrary: the entry of largest magnitude becomes positive. */
void cn_pca_copy_axis(const double *vector, size_t dim, float *axis);

#endif
