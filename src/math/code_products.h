/*
 * math/code_products.h - inner products of vectors of signed bytes. Every kernel level gives the same numbers.
 */
#ifndef CN_MATH_CODE_PRODUCTS_H
#define CN_MATH_CODE_PRODUCTS_H

#include <stddef.h>
#include <stdint.h>

/** out[i] = query . rows[i]; rows: count x dim, C order, dim <= CN_CODES_MAX_DIM (math/codes.h). The query's codes are
 * those that cn_codes_encode() makes, -127 to 127; rows may hold -128, as a damaged file does. */
void cn_code_products(const int8_t *query, const int8_t *rows, size_t count, size_t dim, int32_t *out);

#endif
