/*
 * model/detector_spec.h - the member "detector" of a model.json: how outputs of a network become boxes.
 *
 * docs/format.md, "Model bundles", is the specification, docs/methods.md, "Regions", says what is done with them.
 */
#ifndef CN_MODEL_DETECTOR_SPEC_H
#define CN_MODEL_DETECTOR_SPEC_H

#include <stddef.h>
#include <stdint.h>

#include "model/spec.h"

#define CN_MOST_CLASSES 256

typedef enum { CN_BOX_XYXY, CN_BOX_YXYX, CN_BOX_CXCYWH } cn_box_format;

typedef struct {
	char *boxes;   /* output: 1 x N x 4 */
	char *scores;  /* output: 1 x N, or 1 x N x classes */
	char *classes; /* output: 1 x N, ids; NULL: none */
	cn_box_format format;
	int normalised;     /* coordinates from 0 to 1, not pixels of the input */
	float threshold;    /* least score */
	float iou;          /* boxes that overlap more with a better one are dropped; 1: none */
	uint32_t max_boxes; /* the best are kept */
	uint32_t class_count, class_ids[CN_MOST_CLASSES]; /* those that count; none: all */
} cn_detector_spec;

/** Read the member into a zeroed spec. The caller frees it either way. @param where what errors call it */
int cn_detector_parse(cn_detector_spec *spec, const json_t *detector, const char *where);

void cn_detector_free(cn_detector_spec *spec); /**< harmless on a zeroed spec */

/** Add everything that changes the boxes. */
void cn_detector_hash(XXH3_state_t *state, const cn_detector_spec *spec);

/** CAIRN_EFORMAT unless the network has the outputs. Shapes are checked when they are known. @param where begins
 * errors;
 * @param file of the network */
int cn_detector_check_outputs(const cn_detector_spec *spec, const cn_onnx_info *info, const char *where,
			      const char *file);

#endif
