/*
 * rank/augment.h - database-side augmentation with vectors from anywhere; cairn/rerank.h says what it does.
 *
 * docs/methods.md, "Database-side augmentation". Thread-safe as far as the vectors are.
 */
#ifndef CN_RANK_AUGMENT_H
#define CN_RANK_AUGMENT_H

#include "cairn/rerank.h"
#include "data/vectors.h"

/** cairn_augment(). @param options not NULL */
int cn_augment(const cn_vectors *vectors, const cairn_neighbours *neighbours, cairn_rows_cb take, void *payload,
	       const cairn_augmentation_options *options);

#endif
