/*
 * math/codes.h - vectors as signed 8-bit codes with one scale each: value = scale * code.
 *
 * The largest |value| of a vector becomes 127, so codes are in -127..127. Every kernel level gives the same codes.
 */
#ifndef CN_MATH_CODES_H
#define CN_MATH_CODES_H

#include <stddef.h>
#include <stdint.h>

/**
 * Encode rows.
 *
 * @param      rows   count x dim, C order, finite
 * @param[out] codes  count x dim
 * @param[out] scales count; 0 for a row of zeros
 */
void cn_codes_encode(const float *rows, size_t count, size_t dim, int8_t *codes, float *scales);

#endif
