/*
 * rank/expand.h - query expansion with vectors from anywhere; cairn/rerank.h says what it does.
 *
 * docs/methods.md, "Query expansion". Thread-safe as far as the vectors are.
 */
#ifndef CN_RANK_EXPAND_H
#define CN_RANK_EXPAND_H

#include "cairn/rerank.h"
#include "data/vectors.h"

/** cairn_expand_queries(). */
int cn_expand_queries(float *out, const cn_vectors *vectors, const float *queries, size_t count,
		      const cairn_ranking *neighbours, const cairn_ranking *verified,
		      const cairn_expansion_options *options);

/** cairn_search_expanded(), searching by options->search, which must be there. */
int cn_search_expanded(cairn_ranking **out, float *expanded, const cn_vectors *vectors, const float *queries,
		       size_t count, size_t k, const cairn_ranking *verified, const cairn_expansion_options *options);

#endif
