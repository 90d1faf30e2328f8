/*
 * target.h - what every fuzz target defines.
 */
#ifndef CN_FUZZ_TARGET_H
#define CN_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

/** libFuzzer's entry. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Set to 1 for an input that was read to its end, to 0 for one that was refused. */
extern int fuzz_accepted;

/** Stop unless it holds. Not assert(), which may be compiled away. */
#define FUZZ_CHECK(condition)                                                                                          \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			__builtin_trap();                                                                              \
	} while (0)

#endif
