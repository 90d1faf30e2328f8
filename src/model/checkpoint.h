/*
 * model/checkpoint.h - reading the weights of a network from a file.
 */
#ifndef CN_MODEL_CHECKPOINT_H
#define CN_MODEL_CHECKPOINT_H

#include "model/weights.h"

/** Read a checkpoint: PyTorch (zip or legacy pickle) or safetensors, told apart by their first bytes. */
int cn_checkpoint_load(cn_weights *out, const char *path);

/** The same from memory, which is borrowed for the call. @param name what errors call it */
int cn_checkpoint_parse(cn_weights *out, const void *bytes, size_t length, const char *name);

#endif
