/*
 * model/safetensors.h - the safetensors format: a JSON header, then the bytes.
 */
#ifndef CN_MODEL_SAFETENSORS_H
#define CN_MODEL_SAFETENSORS_H

#include "model/weights.h"

int cn_safetensors_parse(cn_weights *out, const void *bytes, size_t length);

#endif
