/*
 * math/power.h - powers of many numbers, several times faster than pow().
 */
#ifndef CN_MATH_POWER_H
#define CN_MATH_POWER_H

#include <stddef.h>

/**
 * out[i] = x[i]^p with a relative error of at most 1e-12 (1 + |p|), in the same bits at every kernel level. Results
 * beyond the normal numbers become the smallest or largest of them, which is the power of 0 too; of infinity and NaN
 * they are NaN.
 *
 * @param x   count numbers >= 0; may be `out`
 * @param out count numbers
 */
void cn_powers(const double *x, size_t count, double p, double *out);

#endif
