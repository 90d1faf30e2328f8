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

/** Add rows^T rows to the upper triangle of an n x n matrix. @param rows count x n */
void cn_matrix_add_squares(size_t n, const double *rows, size_t count, double *upper);

/** Cholesky's factor in place: symmetric = L L^T, with zeros above the diagonal. Only the lower triangle is read.
 * @return 1; 0 where the matrix is not positive definite, and then what it holds is undefined; CAIRN_EBACKEND */
int cn_matrix_cholesky(size_t n, double *symmetric);

/** The inverse of a lower triangular matrix in place. CAIRN_EBACKEND if a number on the diagonal is 0. */
int cn_matrix_invert_lower(size_t n, double *lower);

/** symmetric := lower symmetric lower^T, in place and whole. */
void cn_matrix_transform(size_t n, const double *lower, double *symmetric);

/** rows := rows lower, in place. @param rows count x n */
void cn_matrix_times_lower(size_t n, double *rows, size_t count, const double *lower);

#endif
