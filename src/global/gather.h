/*
 * global/gather.h - the pooled vectors of many images: what whitening is learned from.
 */
#ifndef CN_GLOBAL_GATHER_H
#define CN_GLOBAL_GATHER_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/error.h"
#include "model/bundle.h"

#define CN_NO_ROW UINT32_MAX

typedef struct {
	float *rows; /* count x dim */
	size_t count, dim;
	uint32_t *row_of; /* of each image that was asked for; CN_NO_ROW where it could not be read */
} cn_gathered;

/**
 * Describe images without whitening; those that cannot be read are passed over with a warning.
 *
 * @param[out] out     the caller frees it with cn_gathered_free()
 * @param      model   global model, opened for use
 * @param      paths   count of them, below CN_NO_ROW
 * @param      unit    vectors are brought to unit length
 * @param      threads 0: one for each core
 * @return 0; CAIRN_ECANCELLED; CAIRN_EBACKEND; CAIRN_ENOMEM
 */
int cn_gather(cn_gathered *out, cairn_model *model, const char *const *paths, size_t count, int unit, unsigned threads,
	      cairn_progress_cb progress, void *payload);
void cn_gathered_free(cn_gathered *gathered);

#endif
