/*
 * util/bits.h - bitmaps: bit i is bit i % 64 of word i / 64.
 */
#ifndef CN_UTIL_BITS_H
#define CN_UTIL_BITS_H

#include <stddef.h>
#include <stdint.h>

#define CN_BITS_WORD 64

static inline int cn_bit(const uint64_t *bits, size_t i)
{
	return (int)(bits[i / CN_BITS_WORD] >> i % CN_BITS_WORD & 1);
}

static inline void cn_bit_set(uint64_t *bits, size_t i)
{
	bits[i / CN_BITS_WORD] |= (uint64_t)1 << i % CN_BITS_WORD;
}

static inline void cn_bit_clear(uint64_t *bits, size_t i)
{
	bits[i / CN_BITS_WORD] &= ~((uint64_t)1 << i % CN_BITS_WORD);
}

#endif
