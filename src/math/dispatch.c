/*
 * The kernel level, found out once.
 */
#include "math/dispatch.h"

#include <cpuid.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OSXSAVE  (1U << 27) /* of CPUID 1, ECX */
#define AMX_BF16 (1U << 22) /* of CPUID 7, EDX */
#define AMX_TILE (1U << 24) /* likewise */
#define AMX_INT8 (1U << 25) /* likewise */

/* Numbers of the registers' states, and the request to the kernel, which older headers do not have. */
#define STATE_TILE_CONFIG  17
#define STATE_TILE_DATA    18
#define REQUEST_OF_A_STATE 0x1023 /* ARCH_REQ_XCOMP_PERM */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static cn_kernels best, level;

/* States that the operating system keeps for each thread. */
static unsigned kept_states(void)
{
	unsigned a, b, c, d, low, high;
	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & OSXSAVE))
		return 0;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low;
}

/* Tiles are large, so the kernel keeps them only for processes that ask; the answer holds for all threads. */
static int may_use_tiles(void)
{
	const unsigned instructions = AMX_TILE | AMX_INT8, states = 1U << STATE_TILE_CONFIG | 1U << STATE_TILE_DATA;
	unsigned a, b, c, d;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & instructions) == instructions &&
	       (kept_states() & states) == states && syscall(SYS_arch_prctl, REQUEST_OF_A_STATE, STATE_TILE_DATA) == 0;
}

static cn_kernels processor_level(void)
{
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
	    __builtin_cpu_supports("avx512vnni"))
		return may_use_tiles() ? CN_KERNELS_AMX : CN_KERNELS_AVX512;
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
	} names[] = { { "scalar", CN_KERNELS_SCALAR },
		      { "avx2", CN_KERNELS_AVX2 },
		      { "avx512", CN_KERNELS_AVX512 },
		      { "amx", CN_KERNELS_AMX } };
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
