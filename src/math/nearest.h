/*
 * math/nearest.h - nearest neighbours between two small sets of signed 8-bit codes, both ways in one pass.
 *
 * Inner products are exact integers, so every kernel level gives the same answer. Ties go to the smaller index.
 */
#ifndef CN_MATH_NEAREST_H
#define CN_MATH_NEAREST_H

#include <stddef.h>
#include <stdint.h>

#include "util/status.h"

/** The two best partners of one vector. */
typedef struct {
	int32_t best;    /**< index of the best partner, -1 if there is none */
	int32_t product; /**< inner product with it */
	int32_t second;  /**< inner product with the second best; INT32_MIN if there is none */
} cn_nearest;

/** Scratch memory for cn_nearest_both(), grown as needed. Start zeroed. */
typedef struct {
	void *memory;
	size_t size;
} cn_nearest_scratch;

void cn_nearest_scratch_free(cn_nearest_scratch *scratch);

/**
 * For each row of a the best rows of b, and for each row of b the best row of a.
 *
 * @param a    na x dim codes in -127..127, C order; likewise b
 * @param of_a na results; @param of_b nb results (its `second` is filled as well)
 */
int cn_nearest_both(const int8_t *a, size_t na, const int8_t *b, size_t nb, size_t dim, cn_nearest *of_a,
		    cn_nearest *of_b, cn_nearest_scratch *scratch);

#endif
