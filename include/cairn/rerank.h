/*
 * cairn/rerank.h - better rankings from those that were found: query expansion, database-side augmentation, fusion.
 *
 * docs/methods.md, "Query expansion", "Database-side augmentation" and "Fusion of rankings", has the formulas. Vectors
 * are float32 in C order, of unit length.
 *
 * Thread-safety: all functions may be called from any number of threads, each of which has threads of its own in the
 * call. Results do not depend on their number.
 */
#ifndef CAIRN_RERANK_H
#define CAIRN_RERANK_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/error.h"
#include "cairn/export.h"
#include "cairn/graph.h"
#include "cairn/index.h"
#include "cairn/ranking.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What a neighbour counts for in a weighted sum, beside the vector itself, whose weight is 1. */
typedef enum {
	CAIRN_WEIGHTS_AVERAGE, /**< 1: average query expansion, AQE (Chum, Philbin, Sivic, Isard and Zisserman, ICCV
				  2007) */
	CAIRN_WEIGHTS_DECAY,   /**< (n - r) / n at rank r = 1 to n, AQE with decay: nothing for the last (Gordo,
				  Almazan, Revaud and Larlus, IJCV 2017) */
	CAIRN_WEIGHTS_ALPHA    /**< max(0, s)^alpha of its similarity s: alpha-QE, 0 where s is not above 0 (Radenovic,
				  Tolias and Chum, TPAMI 2018) */
} cairn_neighbour_weights;

#define CAIRN_MOST_NEIGHBOURS 65536

/* ---- query expansion ---- */

/**
 * Searches with some vectors.
 *
 * @param[out] out     a new ranking of `count` rows; who called it frees it
 * @param      vectors count x dim
 * @param      k       the depth wanted
 * @return 0, or a negative status, with which the work ends
 */
typedef int (*cairn_search_cb)(cairn_ranking **out, const float *vectors, size_t count, size_t k, void *payload);

/** How queries are expanded. */
typedef struct {
	uint32_t version; /**< CAIRN_EXPANSION_OPTIONS_VERSION */
	cairn_neighbour_weights weights;
	/** n: how many of the first images of a ranking count, at most CAIRN_MOST_NEIGHBOURS; fewer where it holds
	 * fewer, which does not change the decay. 0: 10 for the average, 20 for decay (both of Gordo et al.), 50 for
	 * alpha (Radenovic et al.) */
	size_t neighbours;
	double alpha;     /**< >= 0; 3 is of Radenovic et al. */
	float inliers;    /**< verified images count if their inliers are above; 40 */
	uint32_t times;   /**< of cairn_search_expanded(): how often to expand, 0: 1 */
	uint32_t threads; /**< 0: one for each core */
	/** NULL: cairn_search_expanded() searches in the index; else by this. The index then only has the
	 * images' vectors. */
	cairn_search_cb search;
	void *search_payload;
} cairn_expansion_options;

#define CAIRN_EXPANSION_OPTIONS_VERSION 1
#define CAIRN_EXPANSION_OPTIONS_INIT                                                                                   \
	{                                                                                                              \
		CAIRN_EXPANSION_OPTIONS_VERSION, CAIRN_WEIGHTS_ALPHA, 0, 3, 40, 0, 0, NULL, NULL                       \
	}

/**
 * Expand queries by their neighbours: L2(q + sum of w x) over the first n images x of each row of a ranking, by their
 * (first) rows in the index. An image that comes again counts once, as at its first place.
 *
 * Verified images join the n: those that are not among them, and those that are, count as below.
 *
 * | weights | a verified image's |
 * |---|---|
 * | average | 1 |
 * | decay | 1, at whatever rank it is |
 * | alpha | max(0, s)^alpha, with s made from the vectors where it is not among the n |
 *
 * Where the sum vanishes, to less than a thousandth of the weights together, the query itself is the result.
 *
 * @param[out] out        count x dim; may be `queries`
 * @param      index      where the images' vectors are
 * @param      queries    count x dim, unit, finite
 * @param      neighbours count rows, scores are similarities
 * @param      verified   NULL, or count rows: images that were verified, with the number of inliers as score; their
 *                        order does not matter
 * @param      options    NULL for the defaults
 * @return 0; CAIRN_EINVALID where sizes do not fit, a number is not finite or an option is out of range;
 * CAIRN_ENOTFOUND naming an image with a weight that the index does not have; CAIRN_ENOMEM
 */
CAIRN_API int cairn_expand_queries(float *out, const cairn_index *index, const float *queries, size_t count,
				   const cairn_ranking *neighbours, const cairn_ranking *verified,
				   const cairn_expansion_options *options);

/**
 * Search, expand, and search again with the expanded queries, `times` times; each time the queries are those of the
 * time before, and the verified images the same.
 *
 * @param[out] out      a new ranking of depth k, of the last search; the caller frees it
 * @param[out] expanded NULL, or count x dim: the queries of the last search; may be `queries`
 * @param      k        1 to 2^31 - 1
 * @param      verified as above
 * @param      search   NULL for the defaults; how the index is searched
 * @param      options  NULL for the defaults
 * @return 0, or as above; errors of the searches
 */
CAIRN_API int cairn_search_expanded(cairn_ranking **out, float *expanded, const cairn_index *index,
				    const float *queries, size_t count, size_t k, const cairn_ranking *verified,
				    const cairn_index_options *search, const cairn_expansion_options *options);

/* ---- database-side augmentation ---- */

/**
 * Takes augmented vectors, in the order of the lines they are of, from the thread that called cairn_augment().
 *
 * @param images count ids
 * @param rows   count x dim, unit; borrowed for the call
 * @return 0, or a negative status, with which the work ends
 */
typedef int (*cairn_rows_cb)(const int64_t *images, const float *rows, size_t count, void *payload);

/** How images are augmented. */
typedef struct {
	uint32_t version; /**< CAIRN_AUGMENTATION_OPTIONS_VERSION */
	cairn_neighbour_weights weights;
	size_t neighbours;          /**< as in cairn_expansion_options; at most those that the lines hold count */
	double alpha;               /**< as there */
	const uint8_t *only;        /**< NULL, or a flag a line: those with 0 are passed over */
	uint32_t threads;           /**< 0: one for each core */
	cairn_progress_cb progress; /**< NULL: none. Told of images */
	void *progress_payload;
} cairn_augmentation_options;

#define CAIRN_AUGMENTATION_OPTIONS_VERSION 1
#define CAIRN_AUGMENTATION_OPTIONS_INIT                                                                                \
	{                                                                                                              \
		CAIRN_AUGMENTATION_OPTIONS_VERSION, CAIRN_WEIGHTS_ALPHA, 0, 3, NULL, 0, NULL, NULL                     \
	}

/**
 * Database-side augmentation: x' = L2(x + sum of w x_j) for every image, over its n nearest neighbours x_j
 * (Arandjelovic and Zisserman, CVPR 2012; weights as in Gordo et al., IJCV 2017). An image that is its own neighbour is
 * passed over, and takes no rank. Where the sum vanishes L2(x) is the result.
 *
 * Needs some 16 MB and what the lines are, however many there are. To search the result, encode it
 * (cairn_index_encode()) and make an index of it, and expand and search in that.
 *
 * @param index      where the vectors are: those before augmentation, for all images
 * @param neighbours lines, as of cairn_graph_neighbours()
 * @param take       told of all lines, or those of `only`
 * @param options    NULL for the defaults
 * @return 0; CAIRN_EINVALID where an option is out of range or a weight is not finite; CAIRN_ENOTFOUND naming an image
 *         with a weight that the index does not have; CAIRN_ECANCELLED; CAIRN_ENOMEM; what `take` returned
 */
CAIRN_API int cairn_augment(const cairn_index *index, const cairn_neighbours *neighbours, cairn_rows_cb take,
			    void *payload, const cairn_augmentation_options *options);

/**
 * Which augmented vectors are others than before: those of new images, and those whose neighbours, or weights of them,
 * are. An image's own vector is taken to be the same as long as its id is. Images that are no more are not told of.
 *
 * @param[out] changed now->count flags, for cairn_augmentation_options.only
 * @param      before  lines in ascending order of images
 * @param      now     likewise
 * @param      options NULL for the defaults; those that the vectors were and will be augmented with
 * @return 0; CAIRN_EINVALID where images do not ascend, an option is out of range or a weight is not finite;
 *         CAIRN_ENOMEM
 */
CAIRN_API int cairn_augmentation_changes(uint8_t *changed, const cairn_neighbours *before, const cairn_neighbours *now,
					 const cairn_augmentation_options *options);

/* ---- fusion ---- */

/** How the places of an image in several rankings become one score. */
typedef enum {
	CAIRN_FUSE_SUM,             /**< sum of w s (Fox and Shaw, TREC-2, 1994: CombSUM) */
	CAIRN_FUSE_PRODUCT,         /**< product of max(s, 1e-6)^w */
	CAIRN_FUSE_RECIPROCAL_RANKS /**< sum of w / (c + rank), ranks from 1 (Cormack, Clarke and Buettcher, SIGIR
				       2009); scores are not read */
} cairn_fusion_rule;

/** What is done before to the scores that one ranking has for one query. */
typedef enum {
	CAIRN_NORMALISE_NONE,
	CAIRN_NORMALISE_MIN_MAX, /**< (s - min) / (max - min); 1 where all are equal */
	CAIRN_NORMALISE_Z_SCORE, /**< (s - mean) / standard deviation; 0 where all are equal. Not for products */
	CAIRN_NORMALISE_BEST     /**< s / max |s|; 0 where all are 0 */
} cairn_normalisation;

/** The score of an image in a ranking that does not have it, for a query for which that has others. */
typedef enum {
	CAIRN_MISSING_LEAST, /**< the least that the ranking has after normalisation, 0 for min-max: right where
				rankings were cut off, since what is beyond their end would not have more */
	CAIRN_MISSING_ZERO   /**< 0 after normalisation */
} cairn_missing_score;

/** How rankings are fused. */
typedef struct {
	uint32_t version; /**< CAIRN_FUSION_OPTIONS_VERSION */
	cairn_fusion_rule rule;
	cairn_normalisation normalisation;
	cairn_missing_score missing;
	double rank_constant;  /**< c of reciprocal ranks, >= 0; 60 */
	const double *weights; /**< NULL: 1 each; else one a ranking, >= 0 and not all 0 */
	uint32_t threads;      /**< 0: one for each core */
} cairn_fusion_options;

#define CAIRN_FUSION_OPTIONS_VERSION 1
#define CAIRN_FUSION_OPTIONS_INIT                                                                                      \
	{                                                                                                              \
		CAIRN_FUSION_OPTIONS_VERSION, CAIRN_FUSE_SUM, CAIRN_NORMALISE_NONE, CAIRN_MISSING_LEAST, 60, NULL, 0   \
	}

/**
 * Fuse several rankings of the same queries: for each query the k best of all images that any of them has. An image
 * that a ranking has twice counts once, as at its first place. Equal scores are ordered by ascending id.
 *
 * A missing image adds nothing to reciprocal ranks. A ranking that has no image for a query says nothing about it.
 *
 * @param[out] out      a new ranking of depth k; the caller frees it. Its scores are the fused ones
 * @param      rankings n of them, n >= 1, with equal numbers of queries; depths may differ
 * @param      options  NULL for the defaults
 * @return 0; CAIRN_EINVALID where sizes do not fit, an option is out of range, or a score is infinite that is needed;
 *         CAIRN_ENOMEM
 */
CAIRN_API int cairn_fuse(cairn_ranking **out, const cairn_ranking *const *rankings, size_t n, size_t k,
			 const cairn_fusion_options *options);

#ifdef __cplusplus
}
#endif
#endif
