/*
 * index/vectors.h - the rows of an index as the vectors of its images.
 */
#ifndef CN_INDEX_VECTORS_H
#define CN_INDEX_VECTORS_H

#include "cairn/index.h"
#include "data/vectors.h"

/**
 * The half-precision row of each image, as float32; of several rows the first, in the order of parts by their first
 * images. An image is found in O(1) where ids are spread evenly, and in O(log rows) otherwise; where images have rows
 * in several parts, in as many steps as there are parts.
 *
 * Asking for an image that was removed or never was there fails with CAIRN_ENOTFOUND.
 *
 * @param index borrowed: must outlive what is returned
 */
cn_vectors cn_vectors_of_index(const cairn_index *index);

#endif
