/*
 * model/torch_checkpoint.h - checkpoints written by torch.save(): the zip form (PyTorch 1.6 and later) and the one
 * before.
 *
 * Zip: ARCHIVE/data.pkl describes the tensors, ARCHIVE/data/KEY holds each storage, uncompressed.
 * Legacy: three pickles (magic number, protocol, system), the pickle that describes the tensors, a pickled list of
 * storage keys, then for each key the number of elements (int64) and the elements.
 */
#ifndef CN_MODEL_TORCH_CHECKPOINT_H
#define CN_MODEL_TORCH_CHECKPOINT_H

#include "model/weights.h"

int cn_torch_zip_parse(cn_weights *out, const void *bytes, size_t length);
int cn_torch_legacy_parse(cn_weights *out, const void *bytes, size_t length);

#endif
