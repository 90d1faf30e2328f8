/*
 * index/asmk_aggregate.h - the aggregated residuals of one image; docs/methods.md, "ASMK".
 */
#ifndef CN_INDEX_ASMK_AGGREGATE_H
#define CN_INDEX_ASMK_AGGREGATE_H

#include "cairn/asmk.h"
#include "data/features.h"
#include "index/codebook.h"
#include "util/parallel.h"

struct cairn_asmk_aggregate {
	char kind[CN_FEATURES_KIND_MAX + 1];
	uint32_t codebook_crc;
	int binary, regional;
	size_t dim, code_size; /* code_size: cn_asmk_code_size() */
	size_t count;          /* words */
	uint32_t *words;       /* count, ascending */
	uint8_t *codes;        /* count x code_size */
	float *scales;         /* count: code x scale is a unit vector; NULL where binary */
};

/** Bytes of a residual: bits in whole words of 64, or a signed byte a dimension. */
static inline size_t cn_asmk_code_size(size_t dim, int binary)
{
	return binary ? (dim + 63) / 64 * 8 : dim;
}

/** CAIRN_EINVALID unless the version of the options is known. NULL gives the defaults. */
int cn_asmk_options_read(cairn_asmk_options *out, const cairn_asmk_options *options);

/**
 * As cairn_asmk_aggregate_new(), with each descriptor in its `assignments` nearest words.
 *
 * @param pool NULL: the calling thread alone
 */
int cn_asmk_aggregate(cairn_asmk_aggregate **out, const cairn_codebook *codebook, const cairn_features *const *regions,
		      size_t count, size_t assignments, const cairn_asmk_options *options, cn_workers *pool);

#endif
