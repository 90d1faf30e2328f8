/*
 * Products of panels of codes with AMX: 2 x 2 tiles of sums, two of rows and two of queries. Each step loads four tiles
 * for four multiplications, so that loads, also of queries from the second-level cache, keep up.
 *
 * Tiles multiply signed bytes, so there is no excess. Sums leave a tile row by row, with a query in each lane. Most
 * queries are reached by none of the rows: the others are found in one pass, and their sums gathered.
 */
#include <immintrin.h>
#include <math.h>

#include "math/panel.h"

#define ROWS   32
#define LANES  16
#define PIECE  16
#define AMX    __attribute__((target("amx-tile,amx-int8")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define INLINE static inline __attribute__((always_inline))

/* ---- tiles ---- */

/* As LDTILECFG reads it: eight tiles of 16 rows of 64 bytes. */
static const struct {
	uint8_t palette, start, reserved[14];
	uint16_t row_bytes[16];
	uint8_t rows[16];
} whole_tiles __attribute__((
	aligned(64))) = { 1, 0, { 0 }, { 64, 64, 64, 64, 64, 64, 64, 64 }, { 16, 16, 16, 16, 16, 16, 16, 16 } };

AMX static void begin(void)
{
	_tile_loadconfig(&whole_tiles);
}

AMX static void end(void)
{
	_tile_release();
}

AMX static void multiply_16(const uint32_t *queries, const uint32_t *rows, size_t words, cn_tile *sums)
{
	const size_t stride = LANES * sizeof(*sums->whole);
	_tile_zero(0);
	_tile_zero(2);
	for (size_t w = 0; w < words; w += PIECE) {
		_tile_loadd(6, queries + w * LANES, stride);
		_tile_loadd(4, rows + w * ROWS, PIECE * sizeof(*rows));
		_tile_loadd(5, rows + w * ROWS + LANES * PIECE, PIECE * sizeof(*rows));
		_tile_dpbssd(0, 4, 6);
		_tile_dpbssd(2, 5, 6);
	}
	_tile_stored(0, sums->whole, stride);
	_tile_stored(2, sums->whole + LANES * LANES, stride);
}

AMX static void multiply_32(const uint32_t *queries, const uint32_t *rows, size_t words, cn_tile *sums)
{
	const size_t stride = 2 * LANES * sizeof(*sums->whole);
	_tile_zero(0);
	_tile_zero(1);
	_tile_zero(2);
	_tile_zero(3);
	for (size_t w = 0; w < words; w += PIECE) {
		_tile_loadd(4, rows + w * ROWS, PIECE * sizeof(*rows));
		_tile_loadd(6, queries + w * 2 * LANES, stride);
		_tile_loadd(7, queries + w * 2 * LANES + LANES, stride);
		_tile_loadd(5, rows + w * ROWS + LANES * PIECE, PIECE * sizeof(*rows));
		_tile_dpbssd(0, 4, 6);
		_tile_dpbssd(1, 4, 7);
		_tile_dpbssd(2, 5, 6);
		_tile_dpbssd(3, 5, 7);
	}
	_tile_stored(0, sums->whole, stride);
	_tile_stored(1, sums->whole + LANES, stride);
	_tile_stored(2, sums->whole + LANES * 2 * LANES, stride);
	_tile_stored(3, sums->whole + LANES * 2 * LANES + LANES, stride);
}

/* ---- packing ---- */

/* A row after the other, as they come from memory. */
AVX512 static void pack(const void *words, size_t count, size_t words_a_row, uint32_t *panel)
{
	for (size_t r = 0; r < ROWS; r++)
		for (size_t w = 0; w < words_a_row; w += PIECE) {
			size_t left = words_a_row - w;
			__mmask16 mask = (__mmask16)(r >= count     ? 0
						     : left < PIECE ? 0xffffu >> (PIECE - left)
								    : 0xffffu);
			const void *from = (const uint32_t *)words + r * words_a_row + w;
			_mm512_store_si512(panel + w * ROWS + r * PIECE, _mm512_maskz_loadu_epi32(mask, from));
		}
}

/* ---- scores ---- */

/* Scores of a row with 16 queries. */
AVX512 INLINE __m512 scores_of_row(const int32_t *sums, const cn_finish *how, size_t r)
{
	__m512 scores = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_load_si512(sums)), _mm512_set1_ps(how->scales[r]));
	return how->offsets ? _mm512_add_ps(scores, _mm512_set1_ps(how->offsets[r])) : scores;
}

/* Which of 16 queries any row reaches, or reach any row; of those whose limit is -INFINITY also others. The largest
 * score takes an instruction a row less than comparing all; of NaN and a number, the maximum is the second operand. */
AVX512 INLINE __mmask16 may_be_reached(const int32_t *sums, size_t queries, const cn_finish *how, size_t first)
{
	__m512 largest = _mm512_set1_ps(-INFINITY);
	__mmask16 reached = 0;
	if (!how->row_limits) {
		for (size_t r = 0; r < ROWS; r++)
			largest = _mm512_max_ps(scores_of_row(sums + r * queries, how, r), largest);
	} else {
		const __m512 query_scales = _mm512_loadu_ps(how->query_scales + first);
		for (size_t r = 0; r < ROWS; r++) {
			__m512 scores = scores_of_row(sums + r * queries, how, r);
			largest = _mm512_max_ps(scores, largest);
			reached = _kor_mask16(reached,
					      _mm512_cmp_ps_mask(_mm512_mul_ps(scores, query_scales),
								 _mm512_set1_ps(how->row_limits[r]), _CMP_GE_OQ));
		}
	}
	return reached | _mm512_cmp_ps_mask(largest, _mm512_loadu_ps(how->limits + first), _CMP_GE_OQ);
}

/* Half of the rows with one query. @return which rows reach its limit */
AVX512 INLINE uint32_t finish_half(const int32_t *sums, size_t queries, const cn_finish *how, size_t q, size_t row,
				   float *scores, uint32_t *rows_reached)
{
	const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
	__m512i places = _mm512_mullo_epi32(lanes, _mm512_set1_epi32((int32_t)queries));
	__m512 of_q = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_i32gather_epi32(places, sums + row * queries + q, 4)),
				    _mm512_loadu_ps(how->scales + row));
	if (how->offsets)
		of_q = _mm512_add_ps(of_q, _mm512_loadu_ps(how->offsets + row));
	_mm512_store_ps(scores + row, of_q);
	if (how->row_limits)
		*rows_reached |= (uint32_t)_mm512_cmp_ps_mask(_mm512_mul_ps(of_q, _mm512_set1_ps(how->query_scales[q])),
							      _mm512_loadu_ps(how->row_limits + row), _CMP_GE_OQ)
				 << row;
	return (uint32_t)_mm512_cmp_ps_mask(of_q, _mm512_set1_ps(how->limits[q]), _CMP_GE_OQ) << row;
}

AVX512 static uint32_t finish(const cn_tile *sums, size_t queries, const cn_finish *how, cn_tile *scores,
			      uint32_t *reached)
{
	uint32_t found = 0;
	for (size_t first = 0; first < queries; first += LANES)
		found |= (uint32_t)may_be_reached(sums->whole + first, queries, how, first) << first;
	for (uint32_t left = found; left; left &= left - 1) {
		size_t q = (size_t)__builtin_ctz(left);
		float *of_q = scores->real + q * ROWS;
		uint32_t rows_reached = 0;
		reached[q] = finish_half(sums->whole, queries, how, q, 0, of_q, &rows_reached);
		reached[q] |= finish_half(sums->whole, queries, how, q, LANES, of_q, &rows_reached);
		if (how->row_limits)
			how->rows_reached[q] = rows_reached;
		if (!cn_panel_reached(how, reached, q))
			found &= ~(1u << q);
	}
	return found;
}

const cn_panel_form cn_panel_form_amx = { .rows = ROWS,
					  .numbers = 4,
					  .multiply = { multiply_16, multiply_32 },
					  .pack = pack,
					  .finish = finish,
					  .piece = PIECE,
					  .step = LANES,
					  .most = 2 * LANES,
					  .begin = begin,
					  .end = end };
