/*
 * math/codes.h - vectors as signed 8-bit codes with one scale each: value = scale * code.
 *
 * The largest |value| of a vector becomes 127, so codes are in -127..127. Every kernel level gives the same codes.
 */
#ifndef CN_MATH_CODES_H
#define CN_MATH_CODES_H

#include <stddef.h>
#include <stdint.h>

/** The most dimensions: sums of products fit into 32 bits, also where a kernel adds 128 to the codes of one side, since
 * 128 * 255 * 65536 < 2^31. */
#define CN_CODES_MAX_DIM 65536

/**
 * Encode rows.
 *
 * @param      rows   count x dim, C order, finite
 * @param[out] codes  count x dim
 * @param[out] scales count; 0 for a row of zeros
 */
void cn_codes_encode(const float *rows, size_t count, size_t dim, int8_t *codes, float *scales);

#endif
