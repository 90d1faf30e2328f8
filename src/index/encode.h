/*
 * index/encode.h - codes of rows in half precision, as all parts of an index and all segments have them.
 */
#ifndef CN_INDEX_ENCODE_H
#define CN_INDEX_ENCODE_H

#include <stddef.h>
#include <stdint.h>

/**
 * Encode one row.
 *
 * @param      row    dim float16
 * @param[out] values dim: the same as floats
 * @param[out] codes  dim
 * @return 1; 0 where a number is not finite, and has no code
 */
int cn_encode_half_row(const uint16_t *row, size_t dim, float *values, int8_t *codes, float *scale);

#endif
