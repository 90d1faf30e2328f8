/*
 * How fast cn_nearest_both() is, against what the processor's byte multiplier could do.
 *
 * Every kernel level this processor has is compared with the scalar reference first, then timed on one thread. A
 * multiplication and its addition count as two operations. The peak is that of a loop of VPDPBUSD instructions on
 * registers alone, measured beside the kernels; a fraction of it says what packing, loading and keeping the best cost.
 *
 * Usage: bench_nearest [RUNS]
 */
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "math/dispatch.h"
#include "math/nearest.h"

#define RUNS 51

static const struct {
	size_t a, b, dim;
	const char *what;
} cases[] = {
	{ 1000, 1000, 64, "XFeat" },           { 1000, 1000, 128, "RootSIFT, half" },
	{ 2000, 2000, 128, "RootSIFT" },       { 2000, 2000, 64, "XFeat, twice the points" },
	{ 100, 1000, 64, "few against many" },
};

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int compare_doubles(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;
	return (a > b) - (a < b);
}

static double median(double *times, size_t count)
{
	qsort(times, count, sizeof(*times), compare_doubles);
	return times[count / 2];
}

/* Sixteen independent sums, so that no multiplication waits for another. */
__attribute__((target("avx512f,avx512vnni"))) static double peak_operations(void)
{
	enum { SUMS = 16, STEPS = 100000, REPEATS = 15 };
	double times[REPEATS];
	__m512i x = _mm512_set1_epi8(3), sums[SUMS];
	for (size_t run = 0; run < REPEATS; run++) {
		double start = seconds();
		/* The compiler must not see that all sums are alike, nor that every step adds the same. */
		for (size_t s = 0; s < SUMS; s++) {
			sums[s] = _mm512_setzero_si512();
			__asm__ volatile("" : "+v"(sums[s]));
		}
		for (size_t step = 0; step < STEPS; step++) {
			__asm__ volatile("" : "+v"(x));
#pragma GCC unroll 16
			for (size_t s = 0; s < SUMS; s++)
				sums[s] = _mm512_dpbusd_epi32(sums[s], x, x);
		}
		for (size_t s = 0; s < SUMS; s++)
			__asm__ volatile("" : : "v"(sums[s]));
		times[run] = seconds() - start;
	}
	return 2.0 * 64 * SUMS * STEPS / median(times, REPEATS);
}

/* Codes about as descriptors have them: a normal distribution that rarely reaches the ends. */
static int8_t *random_codes(size_t count, uint64_t seed)
{
	int8_t *codes = malloc(count);
	for (size_t i = 0; codes && i < count; i++) {
		int sum = 0;
		for (int k = 0; k < 4; k++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			sum += (int)(seed >> 58) - 32;
		}
		codes[i] = (int8_t)(sum < -127 ? -127 : sum);
	}
	return codes;
}

struct sets {
	size_t na, nb, dim;
	int8_t *a, *b;
	cn_nearest *of_a, *of_b, *wanted_a, *wanted_b;
	cn_nearest_scratch scratch;
};

static int make_sets(struct sets *sets, size_t na, size_t nb, size_t dim)
{
	*sets = (struct sets){ .na = na, .nb = nb, .dim = dim };
	sets->a = random_codes(na * dim, 1);
	sets->b = random_codes(nb * dim, 2);
	sets->of_a = calloc(na, sizeof(cn_nearest));
	sets->of_b = calloc(nb, sizeof(cn_nearest));
	sets->wanted_a = calloc(na, sizeof(cn_nearest));
	sets->wanted_b = calloc(nb, sizeof(cn_nearest));
	return sets->a && sets->b && sets->of_a && sets->of_b && sets->wanted_a && sets->wanted_b;
}

static void free_sets(struct sets *sets)
{
	free(sets->a);
	free(sets->b);
	free(sets->of_a);
	free(sets->of_b);
	free(sets->wanted_a);
	free(sets->wanted_b);
	cn_nearest_scratch_free(&sets->scratch);
}

static int run(struct sets *sets, cn_nearest *of_a, cn_nearest *of_b)
{
	return cn_nearest_both(sets->a, sets->na, sets->b, sets->nb, sets->dim, of_a, of_b, &sets->scratch);
}

/* Seconds of the median run at this level; negative where the answer is wrong. */
static double measure(struct sets *sets, cn_kernels level, double *times, size_t runs)
{
	cn_kernels_force(level);
	for (size_t i = 0; i < runs; i++) {
		double start = seconds();
		if (run(sets, sets->of_a, sets->of_b) < 0)
			return -1;
		times[i] = seconds() - start;
	}
	if (memcmp(sets->of_a, sets->wanted_a, sets->na * sizeof(cn_nearest)) != 0 ||
	    memcmp(sets->of_b, sets->wanted_b, sets->nb * sizeof(cn_nearest)) != 0)
		return -1;
	return median(times, runs);
}

static int bench_case(size_t number, double peak, double *times, size_t runs)
{
	static const char *const names[] = { "scalar", "avx2", "avx512" };
	struct sets sets;
	int wrong = 1;
	if (make_sets(&sets, cases[number].a, cases[number].b, cases[number].dim)) {
		double work = 2.0 * (double)sets.na * (double)sets.nb * (double)sets.dim;
		cn_kernels_force(CN_KERNELS_SCALAR);
		wrong = run(&sets, sets.wanted_a, sets.wanted_b) < 0;
		for (int level = CN_KERNELS_SCALAR; level <= CN_KERNELS_AVX512 && !wrong; level++) {
			if (cn_kernels_force((cn_kernels)level) != (cn_kernels)level)
				break;
			double time = measure(&sets, (cn_kernels)level, times, level ? runs : 3);
			wrong = time < 0;
			printf("nearest %zu x %zu x %zu (%s), %s: %.3f ms, %.0f GOP/s", sets.na, sets.nb, sets.dim,
			       cases[number].what, names[level], time * 1e3, work / time * 1e-9);
			printf(level == CN_KERNELS_AVX512 ? ", %.0f%% of peak\n" : "\n", work / time / peak * 100);
		}
	}
	free_sets(&sets);
	return wrong;
}

int main(int argc, char **argv)
{
	size_t runs = argc > 1 ? strtoul(argv[1], NULL, 10) : RUNS;
	double *times = calloc(runs > 3 ? runs : 3, sizeof(*times)), peak = 0;
	int wrong = times == NULL || runs < 1;
	if (cn_kernels_force(CN_KERNELS_AVX512) == CN_KERNELS_AVX512) {
		peak = peak_operations();
		printf("peak of VPDPBUSD on one core: %.0f GOP/s\n", peak * 1e-9);
	}
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]) && !wrong; i++)
		wrong = bench_case(i, peak, times, runs);
	free(times);
	if (wrong)
		fprintf(stderr, "bench_nearest: a kernel differs from the scalar reference, or memory is short\n");
	return wrong;
}
