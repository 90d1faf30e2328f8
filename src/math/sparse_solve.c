/*
 * Products, and conjugate gradients for I - alpha S. Rows are taken in chunks of a fixed size: the sums over a chunk
 * are made in float32 lanes, those over all chunks in double in the order of the chunks, whatever thread has made
 * which.
 *
 * Several right-hand sides lie side by side, number w of row i at i * width + w. A vector of one is that of width 1, so
 * the same loops serve both and give the same bits. Within a row, entries k, k + 4, k + 8 ... have a sum of their own,
 * so that additions need not wait for each other.
 */
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "math/dispatch.h"
#include "math/sparse.h"
#include "util/memory.h"

#define WIDTH CN_SOLVER_WIDTH
#define CHUNK 1024
#define LANES 16

/* ---- kernels ---- */

/* Halves on each other until one sum is left. */
CN_INLINE void fold_lanes(float (*lanes)[WIDTH], size_t width, float *restrict y)
{
	for (size_t half = LANES / 2; half > 0; half /= 2)
		for (size_t lane = 0; lane < half; lane++)
			for (size_t w = 0; w < width; w++)
				lanes[lane][w] += lanes[lane + half][w];
	for (size_t w = 0; w < width; w++)
		y[w] = lanes[0][w];
}

CN_INLINE void multiply_rows(const cn_sparse *matrix, size_t begin, size_t end, const float *restrict x, size_t width,
			     float *restrict y)
{
	const uint32_t *column = matrix->column;
	const float *values = matrix->values;
	for (size_t i = begin; i < end; i++) {
		float lanes[LANES][WIDTH] = { { 0 } };
		uint64_t k = matrix->starts[i], stop = matrix->starts[i + 1];
		for (; k + LANES <= stop; k += LANES)
			for (size_t lane = 0; lane < LANES; lane++)
				for (size_t w = 0; w < width; w++)
					lanes[lane][w] += values[k + lane] * x[column[k + lane] * width + w];
		for (size_t lane = 0; k < stop; k++, lane++)
			for (size_t w = 0; w < width; w++)
				lanes[lane][w] += values[k] * x[column[k] * width + w];
		fold_lanes(lanes, width, y + i * width);
	}
}

/* One vector: the processor gathers what belongs to 16 entries. */
__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw"))) static void
multiply_gathering(const cn_sparse *matrix, size_t begin, size_t end, const float *x, float *y)
{
	const uint32_t *column = matrix->column;
	const float *values = matrix->values;
	for (size_t i = begin; i < end; i++) {
		__m512 lanes = _mm512_setzero_ps();
		for (uint64_t k = matrix->starts[i], stop = matrix->starts[i + 1]; k < stop; k += LANES) {
			__mmask16 some = stop - k < LANES ? (__mmask16)((1u << (stop - k)) - 1) : (__mmask16)0xffff;
			__m512i places = _mm512_maskz_loadu_epi32(some, column + k);
			__m512 numbers = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), some, places, x, sizeof(*x));
			lanes = _mm512_add_ps(lanes, _mm512_mul_ps(_mm512_maskz_loadu_ps(some, values + k), numbers));
		}
		__m256 eight = _mm256_add_ps(_mm512_castps512_ps256(lanes), _mm512_extractf32x8_ps(lanes, 1));
		__m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
		__m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
		y[i] = _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
	}
}

CN_INLINE void add_products(const float *restrict a, const float *restrict b, size_t rows, size_t width,
			    double *restrict sums)
{
	float lanes[LANES * WIDTH] = { 0 };
	size_t step = LANES * width, all = rows * width, i = 0;
	for (; i + step <= all; i += step)
		for (size_t k = 0; k < step; k++)
			lanes[k] += a[i + k] * b[i + k];
	for (size_t k = 0; i < all; i++, k++)
		lanes[k] += a[i] * b[i];
	for (size_t w = 0; w < width; w++) {
		sums[w] = 0;
		for (size_t lane = 0; lane < LANES; lane++)
			sums[w] += (double)lanes[lane * width + w];
	}
}

/* image := direction - alpha image; sums of direction . image */
CN_INLINE void finish_image(float alpha, const float *restrict direction, float *restrict image, size_t rows,
			    size_t width, double *restrict sums)
{
	for (size_t i = 0; i < rows * width; i++)
		image[i] = direction[i] - alpha * image[i];
	add_products(direction, image, rows, width, sums);
}

/* x += step direction, residual -= step image; sums of residual . residual */
CN_INLINE void take_step(const float *restrict step, const float *restrict direction, const float *restrict image,
			 float *restrict x, float *restrict residual, size_t rows, size_t width, double *restrict sums)
{
	float by[WIDTH];
	memcpy(by, step, sizeof(by));
	for (size_t i = 0; i < rows; i++)
		for (size_t w = 0; w < width; w++) {
			x[i * width + w] += by[w] * direction[i * width + w];
			residual[i * width + w] -= by[w] * image[i * width + w];
		}
	add_products(residual, residual, rows, width, sums);
}

/* direction := residual + ratio direction */
CN_INLINE void turn(const float *restrict ratio, const float *restrict residual, float *restrict direction, size_t rows,
		    size_t width)
{
	float by[WIDTH];
	memcpy(by, ratio, sizeof(by));
	for (size_t i = 0; i < rows; i++)
		for (size_t w = 0; w < width; w++)
			direction[i * width + w] = residual[i * width + w] + by[w] * direction[i * width + w];
}

/* The width is a constant in each. */

CN_INLINE void multiply_inlined(const cn_sparse *matrix, size_t begin, size_t end, const float *x, size_t width,
				float *y)
{
	if (width == 1)
		multiply_rows(matrix, begin, end, x, 1, y);
	else
		multiply_rows(matrix, begin, end, x, WIDTH, y);
}

CN_INLINE void finish_inlined(float alpha, const float *direction, float *image, size_t rows, size_t width,
			      double *sums)
{
	if (width == 1)
		finish_image(alpha, direction, image, rows, 1, sums);
	else
		finish_image(alpha, direction, image, rows, WIDTH, sums);
}

CN_INLINE void step_inlined(const float *step, const float *direction, const float *image, float *x, float *residual,
			    size_t rows, size_t width, double *sums)
{
	if (width == 1)
		take_step(step, direction, image, x, residual, rows, 1, sums);
	else
		take_step(step, direction, image, x, residual, rows, WIDTH, sums);
}

CN_INLINE void turn_inlined(const float *ratio, const float *residual, float *direction, size_t rows, size_t width)
{
	if (width == 1)
		turn(ratio, residual, direction, rows, 1);
	else
		turn(ratio, residual, direction, rows, WIDTH);
}

CN_DEFINE_FORMS(multiply_by_level, multiply_inlined,
		(const cn_sparse *matrix, size_t begin, size_t end, const float *x, size_t width, float *y),
		(matrix, begin, end, x, width, y))
CN_DEFINE_FORMS(finish, finish_inlined,
		(float alpha, const float *direction, float *image, size_t rows, size_t width, double *sums),
		(alpha, direction, image, rows, width, sums))
CN_DEFINE_FORMS(step_on, step_inlined,
		(const float *step, const float *direction, const float *image, float *x, float *residual, size_t rows,
		 size_t width, double *sums),
		(step, direction, image, x, residual, rows, width, sums))
CN_DEFINE_FORMS(turn_to, turn_inlined,
		(const float *ratio, const float *residual, float *direction, size_t rows, size_t width),
		(ratio, residual, direction, rows, width))

static void multiply(const cn_sparse *matrix, size_t begin, size_t end, const float *x, size_t width, float *y)
{
	/* A gather takes places as signed numbers. */
	if (width == 1 && cn_kernels_level() == CN_KERNELS_AVX512 && matrix->columns <= INT32_MAX)
		multiply_gathering(matrix, begin, end, x, y);
	else
		multiply_by_level(matrix, begin, end, x, width, y);
}

struct product {
	const cn_sparse *matrix;
	const float *x;
	float *y;
};

static int multiply_some(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct product *product = context;
	(void)worker;
	multiply(product->matrix, begin, end, product->x, 1, product->y);
	return 0;
}

int cn_sparse_multiply(const cn_sparse *matrix, const float *x, float *y, cn_workers *pool)
{
	struct product product = { matrix, x, y };
	return cn_parallel_for(pool, matrix->rows, CHUNK, multiply_some, &product);
}

/* ---- one block of systems ---- */

struct block {
	const cn_sparse *matrix;
	cn_solver *memory;
	float alpha;
	size_t width;
	float *x;
	float step[WIDTH], ratio[WIDTH];
};

static size_t chunk_rows(const struct block *block, size_t chunk)
{
	size_t left = block->matrix->rows - chunk * CHUNK;
	return left < CHUNK ? left : CHUNK;
}

static int make_images(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct block *block = context;
	const cn_solver *memory = block->memory;
	(void)worker;
	for (size_t chunk = begin; chunk < end; chunk++) {
		size_t first = chunk * CHUNK, rows = chunk_rows(block, chunk), at = first * block->width;
		double *sums = memory->sums + chunk * block->width;
		multiply(block->matrix, first, first + rows, memory->direction, block->width, memory->image);
		finish(block->alpha, memory->direction + at, memory->image + at, rows, block->width, sums);
	}
	return 0;
}

static int take_steps(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct block *block = context;
	const cn_solver *memory = block->memory;
	(void)worker;
	for (size_t chunk = begin; chunk < end; chunk++) {
		size_t at = chunk * CHUNK * block->width;
		step_on(block->step, memory->direction + at, memory->image + at, block->x + at, memory->residual + at,
			chunk_rows(block, chunk), block->width, memory->sums + chunk * block->width);
	}
	return 0;
}

static int turn_directions(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct block *block = context;
	const cn_solver *memory = block->memory;
	(void)worker;
	for (size_t chunk = begin; chunk < end; chunk++) {
		size_t at = chunk * CHUNK * block->width;
		turn_to(block->ratio, memory->residual + at, memory->direction + at, chunk_rows(block, chunk),
			block->width);
	}
	return 0;
}

static void add_chunks(const struct block *block, size_t chunks, double *sums)
{
	for (size_t w = 0; w < block->width; w++) {
		sums[w] = 0;
		for (size_t chunk = 0; chunk < chunks; chunk++)
			sums[w] += block->memory->sums[chunk * block->width + w];
	}
}

/* How far each system goes. One that is solved stands still from then on while others go on. @return 0: all do */
static int choose_steps(struct block *block, const double *squares, const double *products, double *limits)
{
	int going = 0;
	for (size_t w = 0; w < block->width; w++) {
		int moves = squares[w] > limits[w] && products[w] > 0;
		block->step[w] = moves ? (float)(squares[w] / products[w]) : 0;
		limits[w] = moves ? limits[w] : INFINITY;
		going |= moves;
	}
	return going;
}

/* The memory's residual and direction hold y; its image, x and the steps are 0, so that the first step only finds the
 * squares. */
static int iterate(struct block *block, const cn_solver_options *options, cn_workers *pool)
{
	size_t chunks = (block->matrix->rows + CHUNK - 1) / CHUNK;
	double squares[WIDTH] = { 0 }, limits[WIDTH] = { 0 }, sums[WIDTH] = { 0 };
	CN_TRY(cn_parallel_for(pool, chunks, 1, take_steps, block));
	add_chunks(block, chunks, squares);
	for (size_t w = 0; w < block->width; w++)
		limits[w] = squares[w] * (double)options->tolerance * (double)options->tolerance;
	for (size_t iteration = 0; iteration < options->iterations; iteration++) {
		CN_TRY(cn_parallel_for(pool, chunks, 1, make_images, block));
		add_chunks(block, chunks, sums);
		if (!choose_steps(block, squares, sums, limits))
			break;
		CN_TRY(cn_parallel_for(pool, chunks, 1, take_steps, block));
		add_chunks(block, chunks, sums);
		for (size_t w = 0; w < block->width; w++) {
			block->ratio[w] = squares[w] > 0 ? (float)(sums[w] / squares[w]) : 0;
			squares[w] = sums[w];
		}
		CN_TRY(cn_parallel_for(pool, chunks, 1, turn_directions, block));
	}
	return 0;
}

static int solve_one(cn_solver *memory, const cn_sparse *matrix, const cn_solver_options *options, const float *y,
		     float *x, cn_workers *pool)
{
	struct block block = { .matrix = matrix, .memory = memory, .alpha = options->alpha, .width = 1, .x = x };
	size_t bytes = matrix->rows * sizeof(*x);
	memcpy(memory->residual, y, bytes);
	memcpy(memory->direction, y, bytes);
	memset(memory->image, 0, bytes);
	memset(x, 0, bytes);
	return iterate(&block, options, pool);
}

/* @param count 2 to WIDTH; the places of others hold 0, which is their solution */
static int solve_some(cn_solver *memory, const cn_sparse *matrix, const cn_solver_options *options, const float *y,
		      size_t count, float *x, cn_workers *pool)
{
	struct block block = {
		.matrix = matrix, .memory = memory, .alpha = options->alpha, .width = WIDTH, .x = memory->both
	};
	size_t rows = matrix->rows, bytes = rows * WIDTH * sizeof(*x);
	memset(memory->residual, 0, bytes);
	for (size_t w = 0; w < count; w++)
		for (size_t i = 0; i < rows; i++)
			memory->residual[i * WIDTH + w] = y[w * rows + i];
	memcpy(memory->direction, memory->residual, bytes);
	memset(memory->image, 0, bytes);
	memset(memory->both, 0, bytes);
	CN_TRY(iterate(&block, options, pool));
	for (size_t w = 0; w < count; w++)
		for (size_t i = 0; i < rows; i++)
			x[w * rows + i] = memory->both[i * WIDTH + w];
	return 0;
}

/* ---- the whole ---- */

int cn_solver_check(const cn_solver_options *options)
{
	if (!(options->alpha >= 0) || !(options->alpha < 1))
		return cn_fail(CAIRN_EINVALID, "diffusion: alpha is %g; it must be at least 0 and below 1",
			       (double)options->alpha);
	if (options->iterations < 1)
		return cn_fail(CAIRN_EINVALID, "diffusion: 0 iterations; at least 1 is needed");
	if (!(options->tolerance >= 0) || !isfinite(options->tolerance))
		return cn_fail(CAIRN_EINVALID, "diffusion: tolerance %g; it must be 0 or above",
			       (double)options->tolerance);
	return 0;
}

int cn_solver_init(cn_solver *solver, size_t rows, int several)
{
	size_t width = several ? WIDTH : 1, numbers;
	memset(solver, 0, sizeof(*solver));
	CN_TRY(cn_size_mul(rows, width, &numbers));
	solver->rows = rows;
	solver->width = width;
	solver->residual = cn_alloc_aligned(numbers, sizeof(float));
	solver->direction = cn_alloc_aligned(numbers, sizeof(float));
	solver->image = cn_alloc_aligned(numbers, sizeof(float));
	solver->both = several ? cn_alloc_aligned(numbers, sizeof(float)) : NULL;
	solver->sums = cn_alloc((rows / CHUNK + 1) * width, sizeof(double));
	if (solver->residual && solver->direction && solver->image && (solver->both || !several) && solver->sums)
		return 0;
	cn_solver_free(solver);
	return CAIRN_ENOMEM;
}

void cn_solver_free(cn_solver *solver)
{
	cn_free(solver->residual);
	cn_free(solver->direction);
	cn_free(solver->image);
	cn_free(solver->both);
	cn_free(solver->sums);
	memset(solver, 0, sizeof(*solver));
}

int cn_solver_run(cn_solver *solver, const cn_sparse *matrix, const cn_solver_options *options, const float *y,
		  size_t count, float *x, cn_workers *pool)
{
	CN_TRY(cn_solver_check(options));
	if (matrix->rows != matrix->columns || matrix->rows > solver->rows)
		return cn_fail(CAIRN_EINVALID, "a system of a %zu x %zu matrix, with memory for %zu rows", matrix->rows,
			       matrix->columns, solver->rows);
	for (size_t first = 0; first < count;) {
		size_t left = count - first, several = solver->width == 1 ? 1 : left < WIDTH ? left : WIDTH;
		const float *from = y + first * matrix->rows;
		float *to = x + first * matrix->rows;
		if (several == 1)
			CN_TRY(solve_one(solver, matrix, options, from, to, pool));
		else
			CN_TRY(solve_some(solver, matrix, options, from, several, to, pool));
		first += several;
	}
	return 0;
}
