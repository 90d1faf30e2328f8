/*
 * levels.h - tests of all kernel levels that the processor has:
 *
 *     for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++) {
 *             cn_kernels_force((cn_kernels)level);
 */
#ifndef CN_TESTS_LEVELS_H
#define CN_TESTS_LEVELS_H

#include "math/dispatch.h"

/** The best level there is, which is in use from then on. */
static inline int cn_test_best_level(void)
{
	return (int)cn_kernels_force(CN_KERNELS_AVX512);
}

#endif
