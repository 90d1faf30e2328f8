/*
 * levels.h - tests of all kernel levels that the processor has:
 *
 *     for (int level = CN_KERNELS_SCALAR; level <= cn_test_best_level(); level++) {
 *             cn_kernels_force((cn_kernels)level);
 */
#ifndef CN_TESTS_LEVELS_H
#define CN_TESTS_LEVELS_H

#include "math/dispatch.h"
#include "support.h"

/** The best level there is, which is in use from then on. Says once where the processor has not all that there are. */
static inline int cn_test_best_level(void)
{
	static int is_said;
	cn_kernels best = cn_kernels_force(CN_KERNELS_BEST);
	if (best < CN_KERNELS_BEST && !is_said++)
		print_message("skipped: kernel levels %d to %d, which this processor has not\n", (int)best + 1,
			      (int)CN_KERNELS_BEST);
	return (int)best;
}

#endif
