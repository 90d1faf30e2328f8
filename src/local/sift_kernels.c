/*
 * The inner loops of SIFT.
 *
 * Arithmetic is written once, on vectors of 16 floats that the compiler splits to what the target has, and is compiled
 * three times; since no form fuses or reorders, all give the same bytes. Only the search for extrema, which compares
 * and does not compute, differs from target to target.
 */
#include "local/sift.h"

#include <immintrin.h>
#include <math.h>

#include "math/dispatch.h"

#define AVX2   __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl")))
#define BODY   static inline __attribute__((always_inline))

#define LANES  CN_SIFT_LANES
typedef float vec __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t ivec __attribute__((vector_size(64), aligned(4), may_alias));

#define LOAD(pointer)         (*(const vec *)(pointer))
#define STORE(pointer, value) (*(vec *)(pointer) = (value))
#define SELECT(mask, yes, no) ((vec)(((mask) & (ivec)(yes)) | (~(mask) & (ivec)(no))))
#define ABS(x)                ((vec)((ivec)(x)&0x7fffffff))

/* Blur */

BODY void blur_columns_body(float *out, const float *const *rows, const float *kernel, size_t radius, size_t blocks)
{
	size_t x = 0, end = blocks * LANES;
	for (; x + 4 * LANES <= end; x += 4 * LANES) {
		const float *middle = rows[radius] + x;
		float k = kernel[0];
		vec a = k * LOAD(middle), b = k * LOAD(middle + LANES), c = k * LOAD(middle + 2 * LANES),
		    d = k * LOAD(middle + 3 * LANES);
		for (size_t i = 1; i <= radius; i++) {
			const float *above = rows[radius - i] + x, *below = rows[radius + i] + x;
			k = kernel[i];
			a += k * (LOAD(above) + LOAD(below));
			b += k * (LOAD(above + LANES) + LOAD(below + LANES));
			c += k * (LOAD(above + 2 * LANES) + LOAD(below + 2 * LANES));
			d += k * (LOAD(above + 3 * LANES) + LOAD(below + 3 * LANES));
		}
		STORE(out + x, a);
		STORE(out + x + LANES, b);
		STORE(out + x + 2 * LANES, c);
		STORE(out + x + 3 * LANES, d);
	}
	for (; x < end; x += LANES) {
		vec a = kernel[0] * LOAD(rows[radius] + x);
		for (size_t i = 1; i <= radius; i++)
			a += kernel[i] * (LOAD(rows[radius - i] + x) + LOAD(rows[radius + i] + x));
		STORE(out + x, a);
	}
}

BODY void blur_line_body(float *out, const float *line, const float *kernel, size_t radius, size_t blocks)
{
	size_t x = 0, end = blocks * LANES;
	for (; x + 4 * LANES <= end; x += 4 * LANES) {
		const float *middle = line + x;
		float k = kernel[0];
		vec a = k * LOAD(middle), b = k * LOAD(middle + LANES), c = k * LOAD(middle + 2 * LANES),
		    d = k * LOAD(middle + 3 * LANES);
		for (size_t i = 1; i <= radius; i++) {
			const float *left = middle - i, *right = middle + i;
			k = kernel[i];
			a += k * (LOAD(left) + LOAD(right));
			b += k * (LOAD(left + LANES) + LOAD(right + LANES));
			c += k * (LOAD(left + 2 * LANES) + LOAD(right + 2 * LANES));
			d += k * (LOAD(left + 3 * LANES) + LOAD(right + 3 * LANES));
		}
		STORE(out + x, a);
		STORE(out + x + LANES, b);
		STORE(out + x + 2 * LANES, c);
		STORE(out + x + 3 * LANES, d);
	}
	for (; x < end; x += LANES) {
		vec a = kernel[0] * LOAD(line + x);
		for (size_t i = 1; i <= radius; i++)
			a += kernel[i] * (LOAD(line + x - i) + LOAD(line + x + i));
		STORE(out + x, a);
	}
}

BODY void subtract_body(float *out, const float *a, const float *b, size_t blocks)
{
	for (size_t x = 0; x < blocks * LANES; x += LANES)
		STORE(out + x, LOAD(a + x) - LOAD(b + x));
}

/* Gradients */

#define ATAN_1 0.159133669f
#define ATAN_3 -0.0525696389f
#define ATAN_5 0.0286732406f
#define ATAN_7 -0.0135530515f
#define ATAN_9 0.0033176016f

/* Newton's method for 1 / sqrt(x) from the classic guess by the exponent; 0 gives 0 in the product. */
#define ROOT(root, x)                                                                                                  \
	do {                                                                                                           \
		vec y_ = (vec)(0x5f3759df - ((ivec)(x) >> 1));                                                         \
		y_ *= 1.5f - 0.5f * (x)*y_ * y_;                                                                       \
		y_ *= 1.5f - 0.5f * (x)*y_ * y_;                                                                       \
		(root) = (x)*y_;                                                                                       \
	} while (0)

BODY void polar_body(float *angle, float *size, const float *samples, float turn)
{
	for (size_t i = 0; i < CN_SIFT_PATCH; i++) {
		const float *row = samples + (i + 1) * CN_SIFT_PITCH;
		vec gx = LOAD(row + 2) - LOAD(row);
		vec gy = LOAD(row + 1 - CN_SIFT_PITCH) - LOAD(row + 1 + CN_SIFT_PITCH);
		vec ax = ABS(gx), ay = ABS(gy), square = gx * gx + gy * gy, root;
		ROOT(root, square);
		ivec steep = (ivec)(ay > ax);
		vec ratio = SELECT(steep, ax, ay) / (SELECT(steep, ay, ax) + 1e-30f), r2 = ratio * ratio;
		/* atan(ratio) / (2 pi), odd polynomial, error below 2e-6 turns on [0, 1] */
		vec t = ratio * (ATAN_1 + r2 * (ATAN_3 + r2 * (ATAN_5 + r2 * (ATAN_7 + r2 * ATAN_9))));
		t = SELECT(steep, 0.25f - t, t);
		t = SELECT((ivec)(gx < 0), 0.5f - t, t);
		t = SELECT((ivec)(gy < 0), 1.0f - t, t);
		STORE(angle + i * CN_SIFT_PATCH, t * turn);
		STORE(size + i * CN_SIFT_PATCH, root);
	}
}

/* Descriptor */

#define CELLS      4
#define DIRECTIONS 8
typedef float vec8 __attribute__((vector_size(32), aligned(4), may_alias));

/*
 * What sample i gives to cell c: linear interpolation between the centres of the cells, times the Gaussian window of
 * two cells. Samples stand 5/16 of a cell apart, so that the 16 of them reach as far as interpolation does.
 */
static const float share[CELLS][CN_SIFT_PATCH] = {
	{ 0.0786345974f, 0.279869258f, 0.540034235f, 0.707772553f, 0.511282444f, 0.260590434f, 0, 0, 0, 0, 0, 0, 0, 0,
	  0, 0 },
	{ 0, 0, 0, 0.0732178539f, 0.349824846f, 0.665953338f, 0.942504585f, 0.654250324f, 0.342702568f, 0.0304033738f,
	  0, 0, 0, 0, 0, 0 },
	{ 0, 0, 0, 0, 0, 0, 0.0304033738f, 0.342702568f, 0.654250324f, 0.942504585f, 0.665953338f, 0.349824846f,
	  0.0732178539f, 0, 0, 0 },
	{ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.260590434f, 0.511282444f, 0.707772553f, 0.540034235f, 0.279869258f,
	  0.0786345974f },
};

/*
 * A dense form of trilinear interpolation: every sample is offered to all eight directions, most of which take nothing.
 * That is more arithmetic than adding to the two nearest, but needs no scattered writes. Rows are summed first; columns
 * are reduced once at the end.
 */
BODY void spread_body(float *histogram, const float *angle, const float *size)
{
	float sums[CELLS][DIRECTIONS][LANES] = { 0 };
	for (size_t i = 0; i < CN_SIFT_PATCH; i++) {
		vec o = LOAD(angle + i * LANES), m = LOAD(size + i * LANES);
		for (size_t b = 0; b < DIRECTIONS; b++) {
			vec far = ABS(o - (float)b);
			if (b == 0)
				far = SELECT((ivec)(o > 4.0f), 8.0f - o, o);
			vec part = 1.0f - far;
			part = m * (vec)((ivec)part & (ivec)(part > 0.0f));
			for (size_t r = 0; r < CELLS; r++)
				if (share[r][i] != 0)
					STORE(sums[r][b], LOAD(sums[r][b]) + share[r][i] * part);
		}
	}
	for (size_t r = 0; r < CELLS; r++) {
		float columns[LANES][DIRECTIONS];
		for (size_t b = 0; b < DIRECTIONS; b++)
			for (size_t j = 0; j < LANES; j++)
				columns[j][b] = sums[r][b][j];
		for (size_t c = 0; c < CELLS; c++) {
			vec8 cell = { 0 };
			for (size_t j = 0; j < LANES; j++)
				cell += share[c][j] * *(const vec8 *)columns[j];
			*(vec8 *)(histogram + (r * CELLS + c) * DIRECTIONS) = cell;
		}
	}
}

BODY void root_body(float *values)
{
	for (size_t i = 0; i < CN_SIFT_DIM; i += LANES) {
		vec root;
		ROOT(root, LOAD(values + i));
		STORE(values + i, root);
	}
}

/* Extrema */

/* The neighbours in the order in which they are likely to say no. */
static const struct {
	int row, step;
} neighbours[] = {
	{ 4, -1 }, { 4, 1 },  { 3, 0 },  { 5, 0 },  { 1, 0 },  { 7, 0 }, { 3, -1 }, { 3, 1 }, { 5, -1 },
	{ 5, 1 },  { 1, -1 }, { 1, 1 },  { 7, -1 }, { 7, 1 },  { 0, 0 }, { 2, 0 },  { 6, 0 }, { 8, 0 },
	{ 0, -1 }, { 0, 1 },  { 2, -1 }, { 2, 1 },  { 6, -1 }, { 6, 1 }, { 8, -1 }, { 8, 1 },
};
#define NEIGHBOURS (sizeof(neighbours) / sizeof(neighbours[0]))

static int is_extremum(const float *const *rows, size_t x, float threshold)
{
	float value = rows[4][x], sign = value < 0 ? -1.0f : 1.0f;
	value *= sign;
	if (!(value > threshold))
		return 0;
	for (size_t n = 0; n < NEIGHBOURS; n++)
		if (!(value >= sign * rows[neighbours[n].row][(ptrdiff_t)x + neighbours[n].step]))
			return 0;
	return 1;
}

static size_t extrema_scalar(uint32_t *out, const float *const *rows, size_t begin, size_t end, float threshold)
{
	size_t count = 0;
	for (size_t x = begin; x < end; x++)
		if (is_extremum(rows, x, threshold))
			out[count++] = (uint32_t)x;
	return count;
}

AVX2 static size_t extrema_avx2(uint32_t *out, const float *const *rows, size_t begin, size_t end, float threshold)
{
	const __m256 sign_bit = _mm256_set1_ps(-0.0f), least = _mm256_set1_ps(threshold);
	size_t count = 0, x = begin;
	for (; x + 8 <= end; x += 8) {
		__m256 value = _mm256_loadu_ps(rows[4] + x), sign = _mm256_and_ps(value, sign_bit);
		value = _mm256_andnot_ps(sign_bit, value);
		__m256 alive = _mm256_cmp_ps(value, least, _CMP_GT_OQ);
		for (size_t n = 0; n < NEIGHBOURS && !_mm256_testz_ps(alive, alive); n += 2)
			for (size_t k = n; k < n + 2; k++) {
				__m256 other = _mm256_loadu_ps(rows[neighbours[k].row] + x + neighbours[k].step);
				other = _mm256_xor_ps(other, sign);
				alive = _mm256_and_ps(alive, _mm256_cmp_ps(value, other, _CMP_GE_OQ));
			}
		for (unsigned mask = (unsigned)_mm256_movemask_ps(alive); mask; mask &= mask - 1)
			out[count++] = (uint32_t)(x + (size_t)__builtin_ctz(mask));
	}
	return count + extrema_scalar(out + count, rows, x, end, threshold);
}

AVX512 static size_t extrema_avx512(uint32_t *out, const float *const *rows, size_t begin, size_t end, float threshold)
{
	const __m512 sign_bit = _mm512_set1_ps(-0.0f), least = _mm512_set1_ps(threshold);
	size_t count = 0, x = begin;
	for (; x + 16 <= end; x += 16) {
		__m512 value = _mm512_loadu_ps(rows[4] + x), sign = _mm512_and_ps(value, sign_bit);
		value = _mm512_andnot_ps(sign_bit, value);
		__mmask16 alive = _mm512_cmp_ps_mask(value, least, _CMP_GT_OQ);
		for (size_t n = 0; n < NEIGHBOURS && alive; n += 2)
			for (size_t k = n; k < n + 2; k++) {
				__m512 other = _mm512_loadu_ps(rows[neighbours[k].row] + x + neighbours[k].step);
				other = _mm512_xor_ps(other, sign);
				alive = _mm512_mask_cmp_ps_mask(alive, value, other, _CMP_GE_OQ);
			}
		for (unsigned mask = alive; mask; mask &= mask - 1)
			out[count++] = (uint32_t)(x + (size_t)__builtin_ctz(mask));
	}
	return count + extrema_scalar(out + count, rows, x, end, threshold);
}

/* Forms */

#define FORM(name, target)                                                                                             \
	target static void blur_columns_##name(float *out, const float *const *rows, const float *kernel,              \
					       size_t radius, size_t blocks)                                           \
	{                                                                                                              \
		blur_columns_body(out, rows, kernel, radius, blocks);                                                  \
	}                                                                                                              \
	target static void blur_line_##name(float *out, const float *line, const float *kernel, size_t radius,         \
					    size_t blocks)                                                             \
	{                                                                                                              \
		blur_line_body(out, line, kernel, radius, blocks);                                                     \
	}                                                                                                              \
	target static void subtract_##name(float *out, const float *a, const float *b, size_t blocks)                  \
	{                                                                                                              \
		subtract_body(out, a, b, blocks);                                                                      \
	}                                                                                                              \
	target static void polar_##name(float *angle, float *size, const float *samples, float turn)                   \
	{                                                                                                              \
		polar_body(angle, size, samples, turn);                                                                \
	}                                                                                                              \
	target static void spread_##name(float *histogram, const float *angle, const float *size)                      \
	{                                                                                                              \
		spread_body(histogram, angle, size);                                                                   \
	}                                                                                                              \
	target static void root_##name(float *values)                                                                  \
	{                                                                                                              \
		root_body(values);                                                                                     \
	}                                                                                                              \
	static const cn_sift_kernels form_##name = { blur_columns_##name, blur_line_##name, subtract_##name,           \
						     extrema_##name,      polar_##name,     spread_##name,             \
						     root_##name }

FORM(scalar, );
FORM(avx2, AVX2);
FORM(avx512, AVX512);

const cn_sift_kernels *cn_sift_kernels_get(void)
{
	switch (cn_kernels_level()) {
	case CN_KERNELS_AVX512:
		return &form_avx512;
	case CN_KERNELS_AVX2:
		return &form_avx2;
	default:
		return &form_scalar;
	}
}
