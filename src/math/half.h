/*
 * math/half.h - half-precision numbers as uint16_t (rounding to nearest, ties to even).
 */
#ifndef CN_MATH_HALF_H
#define CN_MATH_HALF_H

#include <stddef.h>
#include <stdint.h>

#define CN_HALF_LARGEST 65504.0f

/** Finite values beyond CN_HALF_LARGEST become it with their sign. NaN stays NaN. */
uint16_t cn_half_from_float(float value);
float cn_half_to_float(uint16_t half);

/** The same for arrays, at the speed of memory where the processor converts them itself. */
void cn_halves_from_floats(const float *values, size_t count, uint16_t *halves);
void cn_halves_to_floats(const uint16_t *halves, size_t count, float *values);

#endif
