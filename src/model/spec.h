/*
 * model/spec.h - what the parts of a model.json share: members of one form, outputs that they name, hashing.
 */
#ifndef CN_MODEL_SPEC_H
#define CN_MODEL_SPEC_H

#include <stddef.h>
#include <stdint.h>
#include <xxhash.h>

#include "model/map.h"
#include "model/onnx_read.h"
#include "util/json.h"

#define CN_MOST_SCALES 16

/** A text. @param[out] out caller frees */
int cn_spec_get_name(const json_t *object, const char *where, const char *key, char **out);

/** "scales": 1 to CN_MOST_SCALES numbers from 0.05 to 8; left as they are where it is missing. */
int cn_spec_opt_scales(const json_t *object, const char *where, float *scales, uint32_t *count);

/** "tokens": {"prefix": P, "patch": p}; left as they are where it is missing. */
int cn_spec_opt_tokens(const json_t *object, const char *where, cn_tokens *tokens);

/** CAIRN_EFORMAT where one of the keys (ended by NULL) is there. @param with what they go with, as the error says */
int cn_spec_refuse(const json_t *object, const char *where, const char *const *keys, const char *with);

/**
 * Look for an output of a network.
 *
 * @param where  begins errors; @param file of the network; @param member of model.json that names the output
 * @param[out] out NULL, or borrowed from info
 * @return 0; CAIRN_EFORMAT where it is not there, or not float32 unless `integers` allows int32 and int64 too
 */
int cn_spec_find_output(const cn_onnx_info *info, const char *where, const char *file, const char *name,
			const char *member, int integers, const cn_onnx_port **out);

void cn_spec_hash_numbers(XXH3_state_t *state, const double *numbers, size_t count);
void cn_spec_hash_floats(XXH3_state_t *state, const float *numbers, size_t count); /**< NULL: none */
void cn_spec_hash_text(XXH3_state_t *state, const char *text);                     /**< NULL: empty */

#endif
