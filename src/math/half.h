/*
 * math/half.h - half-precision numbers as uint16_t, converted in software (rounding to nearest, ties to even).
 */
#ifndef CN_MATH_HALF_H
#define CN_MATH_HALF_H

#include <stdint.h>

/** Finite values beyond 65504 become 65504 with their sign. NaN stays NaN. */
uint16_t cn_half_from_float(float value);
float cn_half_to_float(uint16_t half);

#endif
