/*
 * model/local_spec.h - the member "local" of a model.json: how outputs of a network become keypoints with descriptors.
 *
 * docs/format.md, "Model bundles", is the specification, docs/methods.md, "Local features", says what each method
 * computes.
 */
#ifndef CN_MODEL_LOCAL_SPEC_H
#define CN_MODEL_LOCAL_SPEC_H

#include <stddef.h>
#include <stdint.h>

#include "model/receptive_field.h"
#include "model/spec.h"

typedef enum { CN_LOCAL_XFEAT, CN_LOCAL_ATTENTIVE, CN_LOCAL_DENSE, CN_LOCAL_KEYPOINTS } cn_local_method;

typedef struct {
	cn_local_method method;
	char *descriptors; /* output: a map 1 x dim x H/s x W/s, tokens, or 1 x N x dim for CN_LOCAL_KEYPOINTS */
	char *keypoints;   /* output: a heat map, or 1 x N x 2 for CN_LOCAL_KEYPOINTS; NULL for CN_LOCAL_ATTENTIVE */
	char *reliability; /* output of CN_LOCAL_XFEAT: 1 x 1 x H/8 x W/8, 0 to 1 */
	char *scores;      /* output of CN_LOCAL_KEYPOINTS: 1 x N */
	char *attention;   /* output of CN_LOCAL_ATTENTIVE: 1 x 1 x H/s x W/s; NULL: the norm of the descriptor */
	uint32_t dim;      /* that the network gives */
	uint32_t max_points;
	float threshold; /* least probability, attention or score of a keypoint */

	/* CN_LOCAL_ATTENTIVE */
	cn_tokens tokens;
	uint32_t scale_count; /* 1 and the scale 1 with the other methods */
	float scales[CN_MOST_SCALES];
	float iou;                /* features whose boxes overlap more with a better one's are dropped; 1: none */
	cn_receptive_field field; /* that model.json gives; size 0: it is computed */

	uint32_t radius, border; /* CN_LOCAL_DENSE: of non-maximum suppression; pixels at the edge without keypoints */
	int unit_coordinates;    /* CN_LOCAL_KEYPOINTS: -1 to 1, not pixels */

	char *mean_file, *projection_file; /* of the PCA, inside the bundle's folder, or NULL */
	float *mean, *projection;          /* dim; kept x dim; or NULL */
	uint32_t kept;                     /* dimensions after the PCA; = dim without */
} cn_local_spec;

/** Read the member into a zeroed spec, but for what lies in other files. The caller frees it either way.
 * @param where what errors call it */
int cn_local_parse(cn_local_spec *spec, const json_t *local, const char *where);

/** Read the arrays that it names. */
int cn_local_load(cn_local_spec *spec, const char *folder);

void cn_local_free(cn_local_spec *spec); /**< harmless on a zeroed spec */

/** Add everything that changes the features. */
void cn_local_hash(XXH3_state_t *state, const cn_local_spec *spec);

/** CAIRN_EFORMAT unless the network has the outputs. Sides and channels that the file leaves free are checked when they
 * are known. @param where begins errors; @param file of the network */
int cn_local_check_outputs(const cn_local_spec *spec, const cn_onnx_info *info, const char *where, const char *file);

/** 1 where the receptive field must be computed from the network. */
int cn_local_needs_field(const cn_local_spec *spec);

#endif
