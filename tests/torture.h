/*
 * torture.h - let each allocation of a piece of work fail in turn.
 */
#ifndef CN_TESTS_TORTURE_H
#define CN_TESTS_TORTURE_H

#include "support.h"
#include "util/memory.h"

/** Runs of success in a row after which no allocation is left to fail (a run may survive the loss of an optional one).
 */
#define CN_TORTURE_CALM 8

/**
 * Run `work` with its first, second, ... allocation failing, until it meets no failure any more. Each run must succeed
 * or return CAIRN_ENOMEM with a text; leaks are for the address sanitizer to find.
 *
 * @return how many runs failed; assert that it is at least the number of allocations that the work cannot do without
 */
static inline long cn_torture(int (*work)(void *context), void *context)
{
	long failures = 0;

	for (long n = 0, calm = 0; calm < CN_TORTURE_CALM; n++) {
		int status;

		cn_memory_fail_at(n);
		status = work(context);
		cn_memory_fail_at(-1);
		calm = status >= 0 ? calm + 1 : 0;
		if (status >= 0)
			continue;
		failures++;
		assert_fails(status, CAIRN_ENOMEM, NULL);
	}
	return failures;
}

#endif
