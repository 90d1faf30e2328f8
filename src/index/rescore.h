/*
 * index/rescore.h - from the best by 8-bit codes to the best by half-precision rows.
 */
#ifndef CN_INDEX_RESCORE_H
#define CN_INDEX_RESCORE_H

#include "index/row_parts.h"
#include "util/shortlist.h"

/**
 * How many images must be kept by codes so that the best k are among them.
 *
 * @param depth 0: a rule that finds 0.999 of them (docs/benchmarks.md)
 * @param exact 1: they are kept by half-precision rows, and only the last bits of sums differ
 */
size_t cn_rescore_depth(size_t k, size_t depth, int exact);

/**
 * Score anew. A hit's row stands for all rows of its image in its part; its score becomes the largest inner product of
 * one of these with one of the vectors.
 *
 * @param         vectors count x parts->dim
 * @param[in,out] hits    come back by ascending row, each image of a part once, without those whose score is no number
 * @return how many are left
 */
size_t cn_rescore(const cn_row_parts *parts, const float *vectors, size_t count, cn_hit *hits, size_t hit_count);

#endif
