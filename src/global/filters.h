/*
 * global/filters.h - what is done to a feature map before it is pooled (docs/methods.md, "Pooling").
 */
#ifndef CN_GLOBAL_FILTERS_H
#define CN_GLOBAL_FILTERS_H

#include "model/global_spec.h"
#include "model/map.h"

/**
 * Weigh by attention, raise to the floor, add regional GeM, as far as the spec asks for it.
 *
 * @param[in,out] map       its data are replaced by those of `buffer` where anything is done
 * @param         attention 1 x height x width of the map; read only where the spec has attention
 * @param[out]    buffer    the caller frees it with cn_free(); NULL where nothing is done
 * @return 0; CAIRN_EFORMAT where attention is of another size than the map; CAIRN_ENOMEM
 */
int cn_filter_map(const cn_filters *filters, cn_map *map, const cn_map *attention, const char *where, float **buffer);

#endif
