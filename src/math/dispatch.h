/*
 * math/dispatch.h - which kernels this processor can run.
 *
 * Each kernel family has a scalar reference, always compiled, and faster forms compiled with function target
 * attributes. The choice is made once. The environment variable CAIRN_KERNELS=scalar|avx2|avx512|amx caps it;
 * tests force each level.
 */
#ifndef CN_MATH_DISPATCH_H
#define CN_MATH_DISPATCH_H

typedef enum {
	CN_KERNELS_SCALAR,
	CN_KERNELS_AVX2,   /**< AVX2, FMA, F16C */
	CN_KERNELS_AVX512, /**< AVX-512 F, BW, DQ, VL, VNNI */
	CN_KERNELS_AMX,    /**< the same, and tiles of bytes; what has no form for tiles takes that for AVX-512 */
	CN_KERNELS_BEST = CN_KERNELS_AMX
} cn_kernels;

/** The level in use. */
cn_kernels cn_kernels_level(void);

/** 1 where the processor multiplies bf16 (AVX512_BF16; processors with AMX-BF16 have it too). */
int cn_cpu_has_bf16(void);

/** 1 where networks run faster in bf16 than in f32. */
int cn_cpu_is_fast_in_bf16(void);

/** 1 where the processor counts the bits of 64-bit numbers eight at once (AVX512_VPOPCNTDQ), which not all have that
 * have AVX-512. */
int cn_cpu_has_vpopcnt(void);

/**
 * Define a static function `name` that runs `inlined`, an always-inlined function of the same parameters, compiled for
 * each level. For loops that the compiler makes vector code of; no multiplication is fused with an addition, so all
 * levels give the same bits as long as each number's operations have one order.
 */
#define CN_DEFINE_FORMS(name, inlined, parameters, arguments)                                                          \
	static void name##_scalar parameters                                                                           \
	{                                                                                                              \
		inlined arguments;                                                                                     \
	}                                                                                                              \
	__attribute__((target("avx2"))) static void name##_avx2 parameters                                             \
	{                                                                                                              \
		inlined arguments;                                                                                     \
	}                                                                                                              \
	__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw"))) static void name##_avx512 parameters             \
	{                                                                                                              \
		inlined arguments;                                                                                     \
	}                                                                                                              \
	static void name parameters                                                                                    \
	{                                                                                                              \
		switch (cn_kernels_level()) {                                                                          \
		case CN_KERNELS_AMX:                                                                                   \
		case CN_KERNELS_AVX512:                                                                                \
			name##_avx512 arguments;                                                                       \
			break;                                                                                         \
		case CN_KERNELS_AVX2:                                                                                  \
			name##_avx2 arguments;                                                                         \
			break;                                                                                         \
		default:                                                                                               \
			name##_scalar arguments;                                                                       \
		}                                                                                                      \
	}

/** What CN_DEFINE_FORMS() needs of the inlined function. */
#define CN_INLINE __attribute__((always_inline)) static inline

/** Tests only: use this level if the processor has it, and return the level now in use. */
cn_kernels cn_kernels_force(cn_kernels wanted);

#endif
