/*
 * math/dot.h - inner products and distances of float32 vectors.
 *
 * The fast forms sum in a different order than the scalar reference: relative difference at most 1e-5 of the sum of the
 * absolute products. For one kernel level results are the same on every call.
 */
#ifndef CN_MATH_DOT_H
#define CN_MATH_DOT_H

#include <stddef.h>
#include <stdint.h>

float cn_dot(const float *a, const float *b, size_t n);
float cn_distance_squared(const float *a, const float *b, size_t n);

/** With half-precision numbers. */
float cn_dot_half(const float *a, const uint16_t *b, size_t n);

/** out[i] = a . rows[i], rows: count x n, C order. */
void cn_dot_rows(const float *a, const float *rows, size_t count, size_t n, float *out);

float cn_norm(const float *a, size_t n);

/** Divide by the norm; a vector whose norm is not above 1e-12 stays as it is. @return the norm before */
float cn_normalise(float *a, size_t n);

/** 1 if all numbers are finite. */
int cn_all_finite(const float *a, size_t n);

#endif
