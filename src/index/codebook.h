/*
 * index/codebook.h - the codebook behind cairn/asmk.h.
 */
#ifndef CN_INDEX_CODEBOOK_H
#define CN_INDEX_CODEBOOK_H

#include "cairn/asmk.h"
#include "math/assign.h"

struct cairn_codebook {
	float *vectors; /* words x dim */
	size_t words, dim;
	cn_centroids centroids; /* the same, ready for descriptors to be assigned to them */
	uint32_t crc;           /* CRC-32C of the vectors: files know their codebook by it */
};

#endif
