/*
 * math/sparse.h - sparse float32 matrices by rows (CSR), and systems with them by conjugate gradients.
 *
 * Nothing depends on the number of threads or the kernel level: every sum has one order. Matrices may be read from any
 * number of threads while none changes them.
 */
#ifndef CN_MATH_SPARSE_H
#define CN_MATH_SPARSE_H

#include <stddef.h>
#include <stdint.h>

#include "util/parallel.h"

/** Row i has the entries starts[i] to starts[i + 1] - 1. */
typedef struct {
	size_t rows, columns; /**< each below 2^32 */
	uint64_t *starts;     /**< rows + 1 */
	uint32_t *column;     /**< of each entry; ascending within a row where this file makes them */
	float *values;
} cn_sparse;

/** One entry. */
typedef struct {
	uint32_t row, column;
	float value;
} cn_triplet;

/**
 * A matrix of its entries, in any order; those of one place are added up in the order given.
 *
 * @param[out] out the caller frees it with cn_sparse_free()
 * @return 0; CAIRN_EINVALID where an entry is outside of the matrix or not finite; CAIRN_ELIMIT; CAIRN_ENOMEM
 */
int cn_sparse_new(cn_sparse *out, size_t rows, size_t columns, const cn_triplet *entries, size_t count);

/** Harmless on a zeroed struct. */
void cn_sparse_free(cn_sparse *matrix);

/** For those who fill matrices themselves: an empty matrix with starts of 0, ... */
int cn_sparse_init(cn_sparse *out, size_t rows, size_t columns);

/** ... and, when starts[i + 1] holds how many entries row i has, room for these and what starts should hold. */
int cn_sparse_make_room(cn_sparse *matrix);

int cn_sparse_transpose(cn_sparse *out, const cn_sparse *matrix);

/**
 * The entries between chosen rows and the columns of the same numbers: out[i][j] = matrix[chosen[i]][chosen[j]].
 *
 * @param matrix square
 * @param chosen count numbers of rows, ascending, each once
 * @param pool   NULL: in the calling thread alone
 * @return 0; CAIRN_EINVALID; CAIRN_ENOMEM
 */
int cn_sparse_submatrix(cn_sparse *out, const cn_sparse *matrix, const uint32_t *chosen, size_t count,
			cn_workers *pool);

/**
 * A := D^-1/2 A D^-1/2 with D the sums of rows. Rows and columns whose sum is not above 0 become 0.
 *
 * @param      matrix square and symmetric, no entry negative
 * @param[out] roots  rows: of the sums, 0 where there is none; NULL: not wanted
 */
int cn_sparse_normalise(cn_sparse *matrix, float *roots, cn_workers *pool);

/** y = matrix x. @param x columns numbers @param[out] y rows */
int cn_sparse_multiply(const cn_sparse *matrix, const float *x, float *y, cn_workers *pool);

/** A system (I - alpha S) x = y, and when its solution is good enough. */
typedef struct {
	float alpha;       /**< 0 to below 1 */
	size_t iterations; /**< at most, >= 1 */
	float tolerance;   /**< it ends before where |residual| <= tolerance |y|; >= 0 */
} cn_solver_options;

/** Of Iscen et al., CVPR 2017. */
#define CN_SOLVER_OPTIONS_INIT                                                                                         \
	{                                                                                                              \
		0.99f, 20, 1e-6f                                                                                       \
	}

int cn_solver_check(const cn_solver_options *options);

/** Right-hand sides that are taken together: an entry of the matrix then is read once for all of them. */
#define CN_SOLVER_WIDTH 16

/** Memory for systems of up to `rows` rows. Of one thread at a time. */
typedef struct {
	size_t rows, width;                         /* width: 1 or CN_SOLVER_WIDTH */
	float *residual, *direction, *image, *both; /* rows x width; both: solutions side by side, NULL for width 1 */
	double *sums;                               /* a chunk of rows each, x width */
} cn_solver;

/** @param several 1 where several right-hand sides may come at once */
int cn_solver_init(cn_solver *solver, size_t rows, int several);
void cn_solver_free(cn_solver *solver);

/**
 * Solve by conjugate gradients from x = 0 (Hestenes and Stiefel, 1952). Each solution is the same whether its system is
 * solved alone or with others.
 *
 * @param      matrix S: square, symmetric, eigenvalues -1 to 1
 * @param      y      count x rows, C order, finite
 * @param[out] x      likewise; must not be y
 * @return 0; CAIRN_EINVALID where an option is out of range or the matrix too large for the memory
 */
int cn_solver_run(cn_solver *solver, const cn_sparse *matrix, const cn_solver_options *options, const float *y,
		  size_t count, float *x, cn_workers *pool);

#endif
