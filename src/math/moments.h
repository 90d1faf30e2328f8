/*
 * math/moments.h - means and second moments of float32 rows, in double: sums over millions of rows keep their digits.
 *
 * Thread-safe.
 */
#ifndef CN_MATH_MOMENTS_H
#define CN_MATH_MOMENTS_H

#include <stddef.h>
#include <stdint.h>

#include "util/status.h"

/** @param rows count x dim, count >= 1 @param[out] mean dim */
void cn_mean_of(const float *rows, size_t count, size_t dim, double *mean);

/**
 * The mean of (x - centre)(x - centre)^T over the rows: about their mean it is the covariance.
 *
 * @param      centre dim
 * @param[out] moment dim x dim, symmetric
 * @return 0; CAIRN_ENOMEM
 */
int cn_second_moment(const float *rows, size_t count, size_t dim, const double *centre, double *moment);

/**
 * The mean of (a - b)(a - b)^T over pairs of rows.
 *
 * @param      pairs  2 x pair_count: the numbers of the two rows of each; pair_count >= 1
 * @param[out] moment dim x dim, symmetric
 * @return 0; CAIRN_ENOMEM
 */
int cn_difference_moment(const float *rows, size_t dim, const uint32_t *pairs, size_t pair_count, double *moment);

#endif
