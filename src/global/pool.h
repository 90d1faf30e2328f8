/*
 * global/pool.h - from a feature map to one vector.
 */
#ifndef CN_GLOBAL_POOL_H
#define CN_GLOBAL_POOL_H

#include <stddef.h>

/**
 * Generalized-mean pooling (Radenovic et al., TPAMI 2018; docs/methods.md, "Pooling"): for each channel
 * (mean of max(x, 1e-6)^p)^(1/p). NaN in the map gives NaN in the vector.
 *
 * @param      map      channels x positions, C order
 * @param      p        > 0; 1 is the mean, large values approach the maximum
 * @param[out] vector   channels floats, not normalised
 */
void cn_pool_gem(const float *map, size_t channels, size_t positions, float p, float *vector);

#endif
