/*
 * math/code_products.h - inner products of vectors of signed bytes. Every kernel level gives the same numbers.
 */
#ifndef CN_MATH_CODE_PRODUCTS_H
#define CN_MATH_CODE_PRODUCTS_H

#include <stddef.h>
#include <stdint.h>

/** The most dimensions: sums stay within 32 bits. */
#define CN_CODE_PRODUCTS_MAX_DIM 4096

/** out[i] = query . rows[i]; rows: count x dim, C order, dim <= CN_CODE_PRODUCTS_MAX_DIM. */
void cn_code_products(const int8_t *query, const int8_t *rows, size_t count, size_t dim, int32_t *out);

#endif
