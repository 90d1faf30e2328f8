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

/** Number i of a tensor of float32, int32 or int64. */
double cn_local_number(const cn_tensor *tensor, size_t i);

/**
 * A list: an output of 1 x count x columns, or without the 1; with 0 columns of 1 x count, or count.
 *
 * @param integers not 0: int32 and int64 are allowed beside float32
 * @return 0; CAIRN_EFORMAT where it has another shape or type; CAIRN_EBACKEND where a number is not finite
 */
int cn_local_list(const cairn_model *model, cn_request *request, const char *name, size_t columns, int integers,
		  cn_tensor *out, size_t *count);

#endif
