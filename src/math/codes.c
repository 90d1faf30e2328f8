/*
 * To signed bytes. Of one scale a vector, one a dimension and one for all, the first kept the order of neighbours best
 * (docs/benchmarks.md, "Codes"): the query is encoded likewise, and one scale a dimension makes its numbers uneven.
 */
#include "math/codes.h"

#include <math.h>

#include "math/dispatch.h"

#define LARGEST 127.0f

/* Adding and taking away 1.5 * 2^23 rounds to the nearest number, in a way that compilers make vector code of. */
CN_INLINE void encode_inlined(const float *restrict row, size_t dim, int8_t *restrict codes, float *scale)
{
	const float rounding = 12582912.0f;
	float largest = 0;
	for (size_t i = 0; i < dim; i++) {
		float size = fabsf(row[i]);
		largest = largest > size ? largest : size;
	}
	/* Below it, the factor would not be a finite number. */
	float factor = largest > 1e-36f ? LARGEST / largest : 0;
	*scale = factor > 0 ? largest / LARGEST : 0;
	for (size_t i = 0; i < dim; i++)
		codes[i] = (int8_t)(int32_t)((row[i] * factor + rounding) - rounding);
}

CN_DEFINE_FORMS(encode, encode_inlined, (const float *row, size_t dim, int8_t *codes, float *scale),
		(row, dim, codes, scale))

void cn_codes_encode(const float *rows, size_t count, size_t dim, int8_t *codes, float *scales)
{
	for (size_t i = 0; i < count; i++)
		encode(rows + i * dim, dim, codes + i * dim, &scales[i]);
}
