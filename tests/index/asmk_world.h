/*
 * asmk_world.h - a small codebook, images near its words, and files of them, for the tests of ASMK.
 */
#ifndef CN_TESTS_INDEX_ASMK_WORLD_H
#define CN_TESTS_INDEX_ASMK_WORLD_H

#include "cairn/asmk.h"
#include "support.h"

#define WORLD_KIND   "tiny"
#define WORLD_IMAGES 40

typedef struct {
	size_t dim, words;
	float *vectors; /* words x dim */
	cairn_codebook *codebook;
	cairn_features *images[WORLD_IMAGES]; /* of 0 to 30 features; regions of image i are i, i + 1 and i + 2 */
} world;

void world_make(world *w, size_t dim, size_t words, uint64_t seed);
void world_free(world *w);

/** The feature sets that image `i` is aggregated from. @return how many: 1, or 3 if regional */
size_t world_regions(const world *w, size_t i, int regional, const cairn_features *regions[3]);

/** Write images begin, begin + step, ... below end into a file, with the id 10 x number. @return path, borrowed */
const char *world_write(const world *w, size_t begin, size_t end, size_t step, const cairn_asmk_options *options);

/** One set of `count` descriptors, each of a norm that is not 0. */
cairn_features *world_features(const float *descriptors, size_t count, size_t dim);

#endif
