/*
 * math/dispatch.h - which kernels this processor can run.
 *
 * Each kernel family has a scalar reference, always compiled, and faster forms compiled with function target
 * attributes. The choice is made once. The environment variable CAIRN_KERNELS=scalar|avx2|avx512|best caps it; tests
 * run the suite under each value.
 */
#ifndef CN_MATH_DISPATCH_H
#define CN_MATH_DISPATCH_H

typedef enum {
	CN_KERNELS_SCALAR,
	CN_KERNELS_AVX2,  /**< AVX2, FMA, F16C */
	CN_KERNELS_AVX512 /**< AVX-512 F, BW, DQ, VL, VNNI */
} cn_kernels;

/** The level in use. */
cn_kernels cn_kernels_level(void);

/** 1 where the processor multiplies bf16 (AVX512_BF16 or AMX-BF16). */
int cn_cpu_has_bf16(void);

/** 1 where networks run faster in bf16 than in f32. */
int cn_cpu_is_fast_in_bf16(void);

/** Tests only: use this level if the processor has it, and return the level now in use. */
cn_kernels cn_kernels_force(cn_kernels wanted);

#endif
