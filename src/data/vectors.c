/*
 * Vectors from a matrix.
 */
#include "data/vectors.h"

#include <string.h>

#include "util/status.h"

static int get_from_matrix(const cn_vectors *self, const int64_t *images, size_t count, float *out)
{
	const float *rows = self->source;
	for (size_t i = 0; i < count; i++, out += self->dim) {
		if (images[i] < 0 || (uint64_t)images[i] >= self->count)
			return cn_fail(CAIRN_ENOTFOUND, "there is no vector of image %lld; there are %zu",
				       (long long)images[i], self->count);
		memcpy(out, rows + (size_t)images[i] * self->dim, self->dim * sizeof(*out));
	}
	return 0;
}

cn_vectors cn_vectors_of_matrix(const float *rows, size_t count, size_t dim)
{
	return (cn_vectors){ .dim = dim, .get = get_from_matrix, .source = rows, .count = count };
}
