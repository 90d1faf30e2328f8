/*
 * local/rootsift.h - a RootSIFT extractor that several threads may call at once.
 *
 * Lowe, IJCV 2004; Arandjelovic and Zisserman, CVPR 2012; docs/methods.md, "RootSIFT".
 */
#ifndef CN_LOCAL_ROOTSIFT_H
#define CN_LOCAL_ROOTSIFT_H

#include "local/points.h"

/** Longest side of the images it works on unless told otherwise. */
#define CN_ROOTSIFT_LONGEST 1024

/** Changes whenever the same pixels give other features: collections made with another one must be made anew. */
#define CN_ROOTSIFT_FINGERPRINT "rootsift-2"

typedef struct cn_rootsift cn_rootsift;

/** @param threads how many threads may call at once; each gets its own scratch memory when it first needs it */
int cn_rootsift_new(cn_rootsift **out, unsigned threads);
void cn_rootsift_free(cn_rootsift *sift);

/**
 * Extract the max_points best keypoints.
 *
 * @param      grey   height x width floats, 0 to 255, C order
 * @param[out] points dim 128, best response first; the caller frees it with cn_points_free()
 */
int cn_rootsift_run(cn_rootsift *sift, const float *grey, uint32_t width, uint32_t height, uint32_t max_points,
		    cn_points *points);

#endif
