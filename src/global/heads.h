/*
 * global/heads.h - from a feature map to a bundle's vector: its heads, each pooled, laid out one behind the other.
 */
#ifndef CN_GLOBAL_HEADS_H
#define CN_GLOBAL_HEADS_H

#include "model/global_spec.h"
#include "model/map.h"

/**
 * Run all heads. That they fit the map, cn_global_check_channels() has said.
 *
 * @param[out] out spec->dim floats
 * @return 0; CAIRN_ENOMEM
 */
int cn_heads_run(const cn_global_spec *spec, const cn_map *map, float *out);

#endif
