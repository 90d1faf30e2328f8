/*
 * util/random.h - seeded random numbers, the same on every machine, and a random choice from a stream.
 */
#ifndef CN_UTIL_RANDOM_H
#define CN_UTIL_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/** splitmix64 (Steele, Lea and Flood, OOPSLA 2014); the state may begin with any seed. */
static inline uint64_t cn_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/** A number from 0 to below - 1; below >= 1. */
static inline uint64_t cn_random_below(uint64_t *state, uint64_t below)
{
	return (uint64_t)(((unsigned __int128)cn_random(state) * below) >> 64);
}

/** Keeps a uniform choice of `capacity` items of a stream whose length is not known (Vitter's algorithm R, 1985). The
 * choice depends on the seed and on the number of items alone. */
typedef struct {
	uint64_t random, seen;
	size_t capacity;
} cn_reservoir;

static inline cn_reservoir cn_reservoir_start(size_t capacity, uint64_t seed)
{
	return (cn_reservoir){ .random = seed, .seen = 0, .capacity = capacity };
}

/** Where the next item goes: a place below the capacity, whose item is dropped; or the capacity, if the item is. */
static inline size_t cn_reservoir_next(cn_reservoir *reservoir)
{
	uint64_t place = reservoir->seen++;
	if (place >= reservoir->capacity)
		place = cn_random_below(&reservoir->random, reservoir->seen);
	return place < reservoir->capacity ? (size_t)place : reservoir->capacity;
}

#endif
