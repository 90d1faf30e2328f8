/*
 * global/views.h - several views of one image and what is made of their vectors (docs/methods.md, "Views").
 */
#ifndef CN_GLOBAL_VIEWS_H
#define CN_GLOBAL_VIEWS_H

#include <stddef.h>

#include "model/global_spec.h"

/** A part of an image at a scale. */
typedef struct {
	double x, y, side; /**< corner and side, as parts of the image's width and height; side 1: the whole */
	float scale;       /**< of the size at which an image is described otherwise */
	int flipped;       /**< left and right exchanged */
} cn_view;

/** How many views there are, >= 1. */
size_t cn_views_count(const cn_views *views);

/** The i-th: crop by crop, within a crop scale by scale, each as it is and then flipped. */
cn_view cn_views_get(const cn_views *views, size_t i);

/**
 * Add a view's vector to what is gathered of those before.
 *
 * @param         vector   dim floats; may be changed
 * @param[in,out] gathered dim doubles, zeros before the first
 * @param         i        which view it is
 */
void cn_views_gather(const cn_views *views, size_t i, float *vector, size_t dim, double *gathered);

/** The vector of all views together. */
void cn_views_finish(const cn_views *views, const double *gathered, size_t dim, float *out);

#endif
