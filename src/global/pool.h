/*
 * global/pool.h - from a feature map to one vector: GeM, MAC, SPoC and R-MAC (docs/methods.md, "Pooling").
 *
 * A map is channels x height x width floats in C order. Vectors are not normalised. NaN in a channel gives NaN.
 */
#ifndef CN_GLOBAL_POOL_H
#define CN_GLOBAL_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "math/regions.h"
#include "model/map.h"

/**
 * Generalized mean (Radenovic et al., TPAMI 2018): for each channel (mean of max(x, 1e-6)^p)^(1/p).
 *
 * @param      p        > 0; 1 is the mean, large values approach the maximum
 * @param      powers   NULL, or a power for each channel instead of p
 * @param[out] vector   map->channels floats
 */
void cn_pool_gem(const cn_map *map, float p, const float *powers, float *vector);

/** The maximum of each channel. */
void cn_pool_mac(const cn_map *map, float *vector);

/** The mean of each channel. */
void cn_pool_spoc(const cn_map *map, float *vector);

/** The maximum of each channel in a region. */
void cn_pool_region(const cn_map *map, const cn_region *region, float *vector);

#endif
