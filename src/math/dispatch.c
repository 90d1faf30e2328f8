/*
 * The kernel level, found out once.
 */
#include "math/dispatch.h"

#include <cpuid.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define AMX_BF16 (1U << 22) /* of CPUID 7, EDX */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static cn_kernels best, level;

static cn_kernels processor_level(void)
{
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
	    __builtin_cpu_supports("avx512vnni"))
		return CN_KERNELS_AVX512;
	/* F16C came with every processor that has AVX2; clang 14 cannot ask for it. */
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		return CN_KERNELS_AVX2;
	return CN_KERNELS_SCALAR;
}

static void find_out(void)
{
	static const struct {
		const char *name;
		cn_kernels level;
	} names[] = { { "scalar", CN_KERNELS_SCALAR }, { "avx2", CN_KERNELS_AVX2 }, { "avx512", CN_KERNELS_AVX512 } };
	best = level = processor_level();
	const char *wanted = getenv("CAIRN_KERNELS");
	for (size_t i = 0; wanted && i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(wanted, names[i].name) == 0 && names[i].level < best)
			level = names[i].level;
}

cn_kernels cn_kernels_level(void)
{
	pthread_once(&once, find_out);
	return level;
}

cn_kernels cn_kernels_force(cn_kernels wanted)
{
	pthread_once(&once, find_out);
	level = wanted < best ? wanted : best;
	return level;
}

int cn_cpu_has_bf16(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx512bf16") != 0;
}

int cn_cpu_is_fast_in_bf16(void)
{
	unsigned a, b, c, d;
	if (!cn_cpu_has_bf16())
		return 0;
	/* Intel's cores without tiles take longer for a network in bf16 than in f32; AMD's take less. */
	return __builtin_cpu_is("amd") || (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & AMX_BF16));
}

int cn_cpu_has_vpopcnt(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx512vpopcntdq") != 0;
}
