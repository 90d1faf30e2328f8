/*
 * verify/match.h - putative matches between two feature sets.
 */
#ifndef CN_VERIFY_MATCH_H
#define CN_VERIFY_MATCH_H

#include "cairn/verify.h"
#include "math/nearest.h"

/** Scratch memory, grown as needed. Start zeroed. */
typedef struct {
	cn_nearest_scratch nearest;
	cn_nearest *of_a, *of_b;
	size_t capacity_a, capacity_b;
} cn_match_scratch;

void cn_match_scratch_free(cn_match_scratch *scratch);

/**
 * Mutual nearest neighbours.
 *
 * @param      ratio          keep if distance1 < ratio * distance2 among b; 1 and above: no such test
 * @param      min_similarity keep if the cosine is above; -1: no such test
 * @param[out] matches        room for cairn_features_count(a); ascending in a
 * @return the number of matches; CAIRN_ENOMEM
 */
int cn_match_mutual(const cairn_features *a, const cairn_features *b, float ratio, float min_similarity,
		    cn_match_scratch *scratch, cairn_match *matches);

/** Nearest neighbours of a in b, several to one allowed, nearer than max_distance. As cn_match_mutual() otherwise. */
int cn_match_one_way(const cairn_features *a, const cairn_features *b, float ratio, float max_distance,
		     cn_match_scratch *scratch, cairn_match *matches);

#endif
