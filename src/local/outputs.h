/*
 * local/outputs.h - what all methods ask of a network's outputs.
 */
#ifndef CN_LOCAL_OUTPUTS_H
#define CN_LOCAL_OUTPUTS_H

#include "model/bundle.h"

/** CAIRN_EBACKEND unless all numbers are finite. */
int cn_local_check(const cairn_model *model, const float *numbers, size_t count);

/**
 * A map of finite numbers.
 *
 * @param      channels     that it must have; 0: any
 * @param      width,height of the network's input
 * @param[out] buffer       as of cn_model_map()
 */
int cn_local_map(const cairn_model *model, cn_request *request, const char *name, size_t channels, uint32_t width,
		 uint32_t height, cn_map *out, float **buffer);

#endif
