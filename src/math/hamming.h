/*
 * math/hamming.h - Hamming distances between bit vectors. Every kernel level gives the same numbers.
 */
#ifndef CN_MATH_HAMMING_H
#define CN_MATH_HAMMING_H

#include <stddef.h>
#include <stdint.h>

/** The longest vector, in words of 64 bits. */
#define CN_HAMMING_MAX_WORDS 16

/**
 * Distances of one vector to many: out[i] = number of bits in which query and row i differ.
 *
 * @param query words x 64 bits
 * @param rows  count x words x 64 bits, C order; need not be aligned
 * @param words 1 to CN_HAMMING_MAX_WORDS
 */
void cn_hamming(const uint64_t *query, const void *rows, size_t count, size_t words, uint16_t *out);

#endif
