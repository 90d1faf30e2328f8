/*
 * local/cells.h - heat maps that come as logits of cells of 8 x 8 pixels (SuperPoint, XFeat).
 *
 * A cell has 65 logits: of its pixels in reading order, and of "no keypoint". Their softmax is the probability of a
 * keypoint at each pixel.
 */
#ifndef CN_LOCAL_CELLS_H
#define CN_LOCAL_CELLS_H

#include <stddef.h>

#define CN_CELL        8
#define CN_CELL_LOGITS 65

/**
 * Probabilities of a row of cells.
 *
 * @param      logits  of the row's first cell; the next logit of a cell is `plane` further
 * @param      width   of the row, in cells
 * @param[out] p       64 x width: one plane a pixel of the cells; zero where they are not above the threshold
 * @param      scratch 2 x width
 */
void cn_cells_probabilities(const float *logits, size_t plane, size_t width, float threshold, float *p, float *scratch);

/** CN_CELL planes of `width` become one row of pixels. */
void cn_cells_interleave(const float *p, size_t width, float *row);

#endif
