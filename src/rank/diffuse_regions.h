/*
 * rank/diffuse_regions.h - diffusion between regions of images, several rows an image.
 *
 * Iscen et al., CVPR 2017; pooling weights: Murray and Perronnin, "Generalized max pooling", CVPR 2014;
 * docs/methods.md, "Diffusion". Results do not depend on the number of threads.
 */
#ifndef CN_RANK_DIFFUSE_REGIONS_H
#define CN_RANK_DIFFUSE_REGIONS_H

#include "rank/diffuse.h"

#define CN_REGION_LAMBDA     1     /* of the pooling weights, as published */
#define CN_REGION_TRUNCATION 10000 /* images of a shortlist, as published */

/** Which rows each image has. Borrowed. */
typedef struct {
	size_t images;
	const size_t *starts; /**< images + 1, from 0: image i has rows starts[i] to starts[i + 1] - 1 */
	const float *weights; /**< a row each: of cn_region_weights() */
} cn_region_images;

/**
 * Weights that make the rows of an image count alike however many are similar to each other: b of
 * (V V^T + lambda I) b = 1, with the image's rows as V.
 *
 * @param[out] weights a row each
 * @param      rows    starts[images] x dim, finite
 * @param      lambda  > 0
 * @param      pool    NULL: in the calling thread alone
 */
int cn_region_weights(float *weights, const float *rows, size_t dim, const size_t *starts, size_t images, float lambda,
		      cn_workers *pool);

typedef struct {
	cn_neighbours regions;    /**< a line for each region of the query: the nearest rows */
	const int32_t *shortlist; /**< NULL: all images; else only rows of these take part, as if there were no others.
				     The same image twice counts once */
	size_t shortlist_count;
} cn_region_query;

/**
 * Rank images by the sum of b_r f_r over their rows r, with f of (I - alpha S) f = y. Of each of the query's regions
 * the kq nearest rows count; a row's similarities to them are added up, the kq rows with the largest sums are kept, and
 * y is max(0, sum)^gamma. With a shortlist, S is of the affinities between its rows alone, normalised anew.
 *
 * @param out    `count` queries
 * @param graph  of all rows
 * @param images the image of each place in `regions`, negative where it must not be found; NULL: the place itself
 * @return 0; CAIRN_EINVALID; CAIRN_ECANCELLED; CAIRN_ENOMEM
 */
int cn_diffuse_regions(cairn_ranking *out, const cn_diffusion_graph *graph, const cn_region_images *regions,
		       const cn_region_query *queries, size_t count, const cn_diffusion_options *options,
		       const int64_t *images, cn_workers *pool, cairn_progress_cb callback, void *payload);

#endif
