/*
 * Rows as an index keeps them.
 */
#include "index/encode.h"

#include <math.h>

#include "cairn/index.h"
#include "math/codes.h"
#include "math/dot.h"
#include "math/half.h"
#include "util/memory.h"

int cn_encode_half_row(const uint16_t *row, size_t dim, float *values, int8_t *codes, float *scale)
{
	cn_halves_to_floats(row, dim, values);
	if (!cn_all_finite(values, dim))
		return 0;
	cn_codes_encode(values, 1, dim, codes, scale);
	return 1;
}

static int check_row(const float *row, size_t dim, size_t number)
{
	for (size_t k = 0; k < dim; k++)
		if (!(fabsf(row[k]) <= CN_HALF_LARGEST))
			return cn_fail(CAIRN_EINVALID,
				       "row %zu holds %g, which is no half-precision number (up to 65504)", number,
				       (double)row[k]);
	return 0;
}

/* Codes are made of what the half-precision row says, so that they can be checked against it. */
int cairn_index_encode(const float *rows, size_t count, size_t dim, uint16_t *halves, int8_t *codes, float *scales)
{
	float *rounded = cn_alloc(dim, sizeof(*rounded));
	int status = rounded ? 0 : CAIRN_ENOMEM;
	for (size_t i = 0; status == 0 && i < count; i++) {
		status = check_row(rows + i * dim, dim, i);
		if (status < 0)
			break;
		cn_halves_from_floats(rows + i * dim, dim, halves + i * dim);
		cn_encode_half_row(halves + i * dim, dim, rounded, codes + i * dim, &scales[i]);
	}
	cn_free(rounded);
	return status;
}
