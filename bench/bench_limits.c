/*
 * What this machine can do at most, on all cores: bytes read from memory a second, and operations on bytes (a
 * multiplication and its addition count as two) of a loop of VPDPBUSD instructions on registers, and of one of TDPBSSD
 * instructions on tiles. Prints the three; 0 where the processor has not the instruction.
 *
 * Usage: bench_limits
 */
#include <immintrin.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "math/dispatch.h"
#include "math/panel.h"
#include "util/parallel.h"
#include "util/progress.h"

#define BYTES ((size_t)512 << 20)
#define GRAIN ((size_t)1 << 20)
#define SUMS  16
#define TILE  (16 * 16 * 64) /* products of an instruction on tiles */
#define STEPS 100000
#define RUNS  7

static int compare_doubles(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;
	return (a > b) - (a < b);
}

/* cn_loop_body over bytes. */
__attribute__((target("avx2"))) static int read_bytes(void *context, size_t begin, size_t end, unsigned worker)
{
	const uint8_t *bytes = context;
	__m256i sums[4] = { _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
			    _mm256_setzero_si256() };
	(void)worker;
	for (size_t i = begin; i < end; i += 128)
#pragma GCC unroll 4
		for (size_t k = 0; k < 4; k++)
			sums[k] = _mm256_xor_si256(sums[k], _mm256_load_si256((const void *)(bytes + i + 32 * k)));
	for (size_t k = 0; k < 4; k++)
		__asm__ volatile("" : : "x"(sums[k]));
	return 0;
}

/* cn_loop_body over steps. Independent sums, so that no multiplication waits for another. */
__attribute__((target("avx512f,avx512vnni"))) static int multiply(void *context, size_t begin, size_t end,
								  unsigned worker)
{
	__m512i x = _mm512_set1_epi8(3), sums[SUMS];
	(void)context;
	(void)worker;
	for (size_t s = 0; s < SUMS; s++) {
		sums[s] = _mm512_setzero_si512();
		__asm__ volatile("" : "+v"(sums[s]));
	}
	for (size_t step = 0; step < (end - begin) * STEPS; step++) {
		__asm__ volatile("" : "+v"(x));
#pragma GCC unroll 16
		for (size_t s = 0; s < SUMS; s++)
			sums[s] = _mm512_dpbusd_epi32(sums[s], x, x);
	}
	for (size_t s = 0; s < SUMS; s++)
		__asm__ volatile("" : : "v"(sums[s]));
	return 0;
}

/* cn_loop_body over steps. Tiles hold zeros; what they hold does not matter. */
__attribute__((target("amx-tile,amx-int8"))) static int multiply_tiles(void *context, size_t begin, size_t end,
								       unsigned worker)
{
	(void)context;
	(void)worker;
	cn_panel_form_amx.begin();
	for (size_t step = 0; step < (end - begin) * STEPS; step++) {
		_tile_dpbssd(0, 4, 6);
		_tile_dpbssd(1, 4, 7);
		_tile_dpbssd(2, 5, 6);
		_tile_dpbssd(3, 5, 7);
	}
	cn_panel_form_amx.end();
	return 0;
}

static double median_rate(cn_workers *pool, size_t count, size_t grain, cn_loop_body body, void *context, double amount)
{
	double rates[RUNS];
	for (int run = 0; run < RUNS; run++) {
		double start = cn_seconds();
		cn_parallel_for(pool, count, grain, body, context);
		rates[run] = amount / (cn_seconds() - start);
	}
	qsort(rates, RUNS, sizeof(*rates), compare_doubles);
	return rates[RUNS / 2];
}

int main(void)
{
	cn_workers *pool;
	uint8_t *bytes = aligned_alloc(64, BYTES);
	size_t steps = 20 * cn_cores();
	if (!bytes || cn_workers_new(&pool, 0) < 0)
		return 1;
	memset(bytes, 1, BYTES);
	printf("%.4g", median_rate(pool, BYTES, GRAIN, read_bytes, bytes, (double)BYTES));
	double vectors = 2.0 * 64 * SUMS * STEPS * (double)steps, tiles = 2.0 * 4 * TILE * STEPS * (double)steps;
	cn_kernels level = cn_kernels_level();
	printf(" %.4g", level < CN_KERNELS_AVX512 ? 0 : median_rate(pool, steps, 1, multiply, NULL, vectors));
	printf(" %.4g\n", level < CN_KERNELS_AMX ? 0 : median_rate(pool, steps, 1, multiply_tiles, NULL, tiles));
	cn_workers_free(pool);
	free(bytes);
	return 0;
}
