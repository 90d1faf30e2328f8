/*
 * Inner products of bytes, as vector code that the compiler makes.
 */
#include "math/codes.h"

#include "math/dispatch.h"

CN_INLINE void products_inlined(const int8_t *query, const int8_t *rows, size_t count, size_t dim, int32_t *out)
{
	for (size_t i = 0; i < count; i++) {
		int32_t sum = 0;
		for (size_t k = 0; k < dim; k++)
			sum += query[k] * rows[i * dim + k];
		out[i] = sum;
	}
}

CN_DEFINE_FORMS(products, products_inlined,
		(const int8_t *query, const int8_t *rows, size_t count, size_t dim, int32_t *out),
		(query, rows, count, dim, out))

void cn_code_products(const int8_t *query, const int8_t *rows, size_t count, size_t dim, int32_t *out)
{
	products(query, rows, count, dim, out);
}
