/*
 * math/matrix.h - dense linear algebra on LAPACKE and OpenBLAS, the only users of which are in this room.
 *
 * Matrices are C order. OpenBLAS is kept to one thread.
 */
#ifndef CN_MATH_MATRIX_H
#define CN_MATH_MATRIX_H

#include <stddef.h>

#include "util/status.h"

/** Eigenvalues (descending) and eigenvectors (rows) of a symmetric n x n matrix, in double. CAIRN_EBACKEND if LAPACK
 * fails. */
int cn_matrix_eigen(size_t n, const double *symmetric, double *values, double *vectors);

#endif
