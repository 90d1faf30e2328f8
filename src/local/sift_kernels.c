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
	for (size_t k = 0; k < CN_SIFT_GRADIENTS * CN_SIFT_SAMPLES; k += LANES) {
		const float *row = samples + CN_SIFT_SAMPLES + k;
		vec gx = LOAD(row + 2) - LOAD(row);
		vec gy = LOAD(row + 1 - CN_SIFT_SAMPLES) - LOAD(row + 1 + CN_SIFT_SAMPLES);
		vec ax = ABS(gx), ay = ABS(gy), square = gx * gx + gy * gy, root;
		ROOT(root, square);
		ivec steep = (ivec)(ay > ax);
		vec ratio = SELECT(steep, ax, ay) / (SELECT(steep, ay, ax) + 1e-30f), r2 = ratio * ratio;
		/* atan(ratio) / (2 pi), odd polynomial, error below 2e-6 turns on [0, 1] */
		vec t = ratio * (ATAN_1 + r2 * (ATAN_3 + r2 * (ATAN_5 + r2 * (ATAN_7 + r2 * ATAN_9))));
		t = SELECT(steep, 0.25f - t, t);
		t = SELECT((ivec)(gx < 0), 0.5f - t, t);
		t = SELECT((ivec)(gy < 0), 1.0f - t, t);
		STORE(angle + k, t * turn);
		STORE(size + k, root);
	}
}

BODY void sample_body(float *samples, const cn_sift_grid *grid)
{
	const vec ramp = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	const float middle = 0.5f * (CN_SIFT_SAMPLES - 1);
	const float high_x = (float)(grid->width - 1), high_y = (float)(grid->height - 1);
	const int32_t last_x = (int32_t)grid->width - 2, last_y = (int32_t)grid->height - 2;
	const int32_t stride = (int32_t)grid->stride;
	for (size_t i = 0; i < CN_SIFT_SAMPLES; i++)
		for (size_t j = 0; j < CN_SIFT_SAMPLES; j += LANES) {
			vec u = ramp + ((float)j - middle);
			float v = (float)i - middle;
			vec x = grid->x + u * grid->c + v * grid->s, y = grid->y - u * grid->s + v * grid->c;
			x = SELECT((ivec)(x < 0), (vec){ 0 }, x);
			y = SELECT((ivec)(y < 0), (vec){ 0 }, y);
			x = SELECT((ivec)(x > high_x), high_x + (vec){ 0 }, x);
			y = SELECT((ivec)(y > high_y), high_y + (vec){ 0 }, y);
			ivec x0 = __builtin_convertvector(x, ivec), y0 = __builtin_convertvector(y, ivec);
			x0 += (x0 > last_x);
			y0 += (y0 > last_y);
			vec fx = x - __builtin_convertvector(x0, vec), fy = y - __builtin_convertvector(y0, vec);
			ivec at = y0 * stride + x0;
			vec a, b, c, d;
			for (size_t l = 0; l < LANES; l++) {
				const float *p = grid->data + at[l], *q = p + stride;
				a[l] = p[0];
				b[l] = p[1];
				c[l] = q[0];
				d[l] = q[1];
			}
			vec above = a + fx * (b - a), below = c + fx * (d - c);
			STORE(samples + i * CN_SIFT_SAMPLES + j, above + fy * (below - above));
		}
}

/* Descriptor */

#define CELLS      4
#define DIRECTIONS 8
typedef float vec8 __attribute__((vector_size(32), aligned(4), may_alias));

/*
 * What sample i gives to cell c: linear interpolation between the centres of the cells, times the Gaussian window of
 * two cells. Samples stand a sixth of a cell apart, so that the 30 gradients reach as far as interpolation does.
 */
static const float share[CELLS][CN_SIFT_SAMPLES] = {
	{ 0.0401576881f,
	  0.132773998f,
	  0.242197091f,
	  0.368542998f,
	  0.511455563f,
	  0.670065753f,
	  0.713281281f,
	  0.616933172f,
	  0.503738553f,
	  0.375122192f,
	  0.233025623f,
	  0.0798630991f,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0 },
	{ 0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0.0648437528f,
	  0.205644391f,
	  0.359813252f,
	  0.525171069f,
	  0.699076869f,
	  0.87849409f,
	  0.896988026f,
	  0.744163454f,
	  0.582827187f,
	  0.416305134f,
	  0.248054485f,
	  0.081544366f,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0 },
	{ 0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0.081544366f,
	  0.248054485f,
	  0.416305134f,
	  0.582827187f,
	  0.744163454f,
	  0.896988026f,
	  0.87849409f,
	  0.699076869f,
	  0.525171069f,
	  0.359813252f,
	  0.205644391f,
	  0.0648437528f,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0 },
	{ 0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0,
	  0.0798630991f,
	  0.233025623f,
	  0.375122192f,
	  0.503738553f,
	  0.616933172f,
	  0.713281281f,
	  0.670065753f,
	  0.511455563f,
	  0.368542998f,
	  0.242197091f,
	  0.132773998f,
	  0.0401576881f,
	  0,
	  0 },
};

/*
 * A dense form of trilinear interpolation: every sample is offered to all eight directions, most of which take nothing.
 * That is more arithmetic than adding to the two nearest, but needs no scattered writes. Rows are summed first; columns
 * are reduced once at the end.
 */
BODY void spread_body(float *histogram, const float *angle, const float *size)
{
	float sums[CELLS][DIRECTIONS][CN_SIFT_SAMPLES] = { 0 };
	for (size_t i = 0; i < CN_SIFT_GRADIENTS; i++)
		for (size_t j = 0; j < CN_SIFT_SAMPLES; j += LANES) {
			vec o = LOAD(angle + i * CN_SIFT_SAMPLES + j), m = LOAD(size + i * CN_SIFT_SAMPLES + j);
			for (size_t b = 0; b < DIRECTIONS; b++) {
				vec far = ABS(o - (float)b);
				if (b == 0)
					far = SELECT((ivec)(o > 4.0f), 8.0f - o, o);
				vec part = 1.0f - far;
				part = m * (vec)((ivec)part & (ivec)(part > 0.0f));
				for (size_t r = 0; r < CELLS; r++)
					if (share[r][i] != 0) {
						float *sum = sums[r][b] + j;
						STORE(sum, LOAD(sum) + share[r][i] * part);
					}
			}
		}
	for (size_t r = 0; r < CELLS; r++) {
		float columns[CN_SIFT_SAMPLES][DIRECTIONS];
		for (size_t b = 0; b < DIRECTIONS; b++)
			for (size_t j = 0; j < CN_SIFT_SAMPLES; j++)
				columns[j][b] = sums[r][b][j];
		for (size_t c = 0; c < CELLS; c++) {
			vec8 cell = { 0 };
			for (size_t j = 0; j < CN_SIFT_GRADIENTS; j++)
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
	target static void sample_##name(float *samples, const cn_sift_grid *grid)                                     \
	{                                                                                                              \
		sample_body(samples, grid);                                                                            \
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
						     extrema_##name,      sample_##name,    polar_##name,              \
						     spread_##name,       root_##name }

FORM(scalar, );
FORM(avx2, AVX2);
FORM(avx512, AVX512);

const cn_sift_kernels *cn_sift_kernels_get(void)
{
	switch (cn_kernels_level()) {
	case CN_KERNELS_AMX:
	case CN_KERNELS_AVX512:
		return &form_avx512;
	case CN_KERNELS_AVX2:
		return &form_avx2;
	default:
		return &form_scalar;
	}
}
