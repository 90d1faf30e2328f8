/*
 * model/propose_outputs.h - what the outputs of an unknown network are good for.
 */
#ifndef CN_MODEL_PROPOSE_OUTPUTS_H
#define CN_MODEL_PROPOSE_OUTPUTS_H

#include <stddef.h>
#include <stdint.h>

#include "model/infer.h"
#include "util/json.h"
#include "util/text.h"

#define CN_MOST_SEEN 8

/** An output as it came out of a run. */
typedef struct {
	const char *name; /**< borrowed */
	cn_tensor_type type;
	size_t rank, shape[8], count;
	double least, most; /**< of its numbers; 0 where it has none */
} cn_seen_output;

/** A part of a model.json. */
typedef struct {
	const char *kind;  /**< "global" or "local": also the name of the member */
	json_t *member;    /**< owned; NULL: nothing is of use */
	uint32_t multiple; /**< that sides must have; 0: any */
} cn_outputs_plan;

/**
 * Choose outputs and say what is made of them.
 *
 * Keypoints come first: three lists of one length, or a map of 65 channels or a heat map beside descriptors. Otherwise
 * one output becomes one vector: one that is called a descriptor, tokens of patches, the deepest map, any other vector.
 *
 * @param         width,height of the network's input
 * @param[in,out] found        lines for people are added
 * @return 0; CAIRN_ENOMEM
 */
int cn_outputs_propose(cn_outputs_plan *out, const cn_seen_output *outputs, size_t count, uint32_t width,
		       uint32_t height, cn_text *found);

#endif
