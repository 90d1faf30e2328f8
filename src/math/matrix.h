/*
 * math/matrix.h - dense linear algebra on OpenBLAS and LAPACKE, the only users of which are in this room.
 *
 * Matrices are C order. OpenBLAS is kept to one thread.
 */
#ifndef CN_MATH_MATRIX_H
#define CN_MATH_MATRIX_H

#include <stddef.h>

#include "util/status.h"

/** c[m x n] = a[m x k] * b[n x k]^T. */
void cn_matrix_abt(size_t m, size_t n, size_t k, const float *a, const float *b, float *c);

/** Eigenvalues (descending) and eigenvectors (rows) of a symmetric n x n matrix, in double. CAIRN_EBACKEND if LAPACK
 * fails. */
int cn_matrix_eigen(size_t n, const double *symmetric, double *values, double *vectors);

#endif
