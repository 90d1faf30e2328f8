/*
 * Blocks of rows are multiplied with tiles of centroids, and the products are read while they are in the cache. Of a
 * group of products most are seen to be too small by one comparison with the row's n-th best.
 */
#include "math/assign.h"

#include <math.h>
#include <string.h>

#include "math/dispatch.h"
#include "math/dot.h"
#include "math/matrix.h"
#include "util/memory.h"

#define ROWS  256 /* a block, and what a thread takes at once */
#define TILE  256 /* centroids at once */
#define GROUP 32  /* products that one comparison looks at */

struct work {
	const float *rows, *centroids;
	const float *half_norms; /* k: |c|^2 / 2 */
	size_t count, k, dim, n;
	uint32_t *nearest;
	float *scratch; /* for each worker: ROWS x TILE products, ROWS x n scores */
};

/* Which groups of a row's products hold a score above the threshold. */
CN_INLINE void find_groups_inlined(const float *products, const float *half_norms, size_t count, float threshold,
				   uint32_t *found)
{
	for (size_t begin = 0; begin < count; begin += GROUP) {
		size_t end = count - begin < GROUP ? count : begin + GROUP;
		uint32_t above = 0;
		for (size_t i = begin; i < end; i++)
			above |= (uint32_t)(products[i] - half_norms[i] > threshold);
		found[begin / GROUP] = above;
	}
}

CN_DEFINE_FORMS(find_groups, find_groups_inlined,
		(const float *products, const float *half_norms, size_t count, float threshold, uint32_t *found),
		(products, half_norms, count, threshold, found))

/* Centroids come in ascending order, so an equal score stays behind those before it. */
static void insert(float *scores, uint32_t *nearest, size_t n, float score, uint32_t centroid)
{
	size_t place = n - 1;
	for (; place > 0 && score > scores[place - 1]; place--) {
		scores[place] = scores[place - 1];
		nearest[place] = nearest[place - 1];
	}
	scores[place] = score;
	nearest[place] = centroid;
}

static void read_products(const struct work *work, const float *products, size_t first, size_t count, float *scores,
			  uint32_t *nearest)
{
	const float *half_norms = work->half_norms + first;
	uint32_t found[TILE / GROUP];
	find_groups(products, half_norms, count, scores[work->n - 1], found);
	for (size_t begin = 0; begin < count; begin += GROUP) {
		size_t end = count - begin < GROUP ? count : begin + GROUP;
		if (!found[begin / GROUP])
			continue;
		for (size_t i = begin; i < end; i++) {
			float score = products[i] - half_norms[i];
			if (score > scores[work->n - 1])
				insert(scores, nearest, work->n, score, (uint32_t)(first + i));
		}
	}
}

static int assign_block(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct work *work = context;
	size_t n = work->n, rows = end - begin;
	float *products = work->scratch + worker * ROWS * (TILE + n), *scores = products + (size_t)ROWS * TILE;
	uint32_t *nearest = work->nearest + begin * n;
	for (size_t i = 0; i < rows * n; i++) {
		scores[i] = -INFINITY;
		/* Indices of centroids even where no score is a number. */
		nearest[i] = (uint32_t)(i % n);
	}
	for (size_t first = 0; first < work->k; first += TILE) {
		size_t count = work->k - first < TILE ? work->k - first : TILE;
		cn_matrix_abt(rows, count, work->dim, work->rows + begin * work->dim,
			      work->centroids + first * work->dim, products);
		for (size_t i = 0; i < rows; i++)
			read_products(work, products + i * count, first, count, scores + i * n, nearest + i * n);
	}
	return 0;
}

int cn_assign(cn_workers *pool, const float *rows, size_t count, const float *centroids, size_t k, size_t dim, size_t n,
	      uint32_t *nearest)
{
	struct work work = { .rows = rows, .centroids = centroids, .count = count, .k = k, .dim = dim, .n = n };
	work.nearest = nearest;
	if (dim < 1 || dim > INT32_MAX || n < 1 || n > CN_ASSIGN_MAX || n > k || k > UINT32_MAX)
		return cn_fail(CAIRN_EINVALID, "the nearest %zu of %zu centroids of %zu dimensions: 1 to %d of them", n,
			       k, dim, CN_ASSIGN_MAX);
	float *half_norms = cn_alloc(k, sizeof(*half_norms));
	work.half_norms = half_norms;
	work.scratch = cn_alloc_aligned(cn_workers_threads(pool) * ROWS * (TILE + n), sizeof(*work.scratch));
	int status = half_norms && work.scratch ? 0 : CAIRN_ENOMEM;
	for (size_t c = 0; status == 0 && c < k; c++)
		half_norms[c] = 0.5f * cn_dot(centroids + c * dim, centroids + c * dim, dim);
	if (status == 0)
		status = cn_parallel_for(pool, count, ROWS, assign_block, &work);
	cn_free(half_norms);
	cn_free(work.scratch);
	return status;
}
