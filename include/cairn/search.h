/*
 * cairn/search.h - one question answered: which images of a collection show the place of this photograph?
 *
 * Describe the query, take the k nearest by global descriptor, by aggregated local features or by both, verify the best
 * of them by matching local features, order.
 *
 * Thread-safety: one searcher serves one thread at a time; it uses several threads inside. The collection may be
 * shared.
 */
#ifndef CAIRN_SEARCH_H
#define CAIRN_SEARCH_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/collection.h"
#include "cairn/error.h"
#include "cairn/export.h"
#include "cairn/image.h"
#include "cairn/ranking.h"
#include "cairn/verify.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cairn_searcher cairn_searcher;
typedef struct cairn_answer cairn_answer;

/** What the images that are verified, and those that are not, are chosen by. */
typedef enum {
	CAIRN_BY_AUTO,   /**< both where the collection has both; otherwise by what it has; a collection that has
			  *   neither global descriptors nor ASMK has no best: all its images are verified */
	CAIRN_BY_GLOBAL, /**< cosine of the global descriptors */
	CAIRN_BY_ASMK,   /**< similarity of aggregated local features (cairn/asmk.h) */
	CAIRN_BY_FUSED   /**< cosine + asmk_weight * ASMK similarity, of the best by either (docs/methods.md, "Search by
			  *   both") */
} cairn_search_by;

/** How a search runs. */
typedef struct {
	uint32_t version;      /**< CAIRN_SEARCH_OPTIONS_VERSION */
	uint32_t k;            /**< images wanted; default 100 */
	int32_t verify;        /**< verify this many of the best; 0: none; -1 (default): 100 if the collection has local
				  features */
	cairn_search_by by;    /**< default CAIRN_BY_AUTO */
	double recall;         /**< of searching by global descriptor: the share of the true best that is to be found
				  where the collection has lists (cairn/ivf.h), above 0; 1: exact, all rows are compared
				  as they are kept; 0 (default): 0.95 */
	float asmk_weight;     /**< of CAIRN_BY_FUSED; NAN (default): the kind's calibrated value */
	const char *local;     /**< kind of local features to verify with and to search by; NULL: the collection's first
				*/
	cairn_order order;     /**< default CAIRN_ORDER_FUSED */
	int32_t trust_inliers; /**< inliers below this count as none when ordering; -1 (default): the kind's calibrated
				  minimum */
	float boost;           /**< of CAIRN_ORDER_FUSED; NAN (default): the kind's calibrated value */
	float min_score;       /**< leave out images whose final score is below; -INFINITY (default): none */
	int32_t min_inliers;   /**< leave out images with fewer inliers (unverified ones too); 0 (default): none */
	uint32_t threads;      /**< 0: one for each core */
	const char *precision; /**< "auto", "f32" or "bf16"; NULL: auto */
	const cairn_filter *filter; /**< NULL (default): all images; otherwise only those that it selects are found */
	cairn_verify_options verification;
	cairn_progress_cb progress; /**< NULL, or told of the pairs that a search verifies; may cancel it
				     * (CAIRN_ECANCELLED), and those verified until then are remembered */
	void *progress_payload;
} cairn_search_options;

#define CAIRN_SEARCH_OPTIONS_VERSION 1

/** Fill in the defaults. */
CAIRN_API void cairn_search_options_init(cairn_search_options *options);

/**
 * Make a searcher. Models are loaded when the first query needs them.
 *
 * @param collection borrowed; must outlive the searcher
 * @param options    NULL for the defaults; copied, text and filter included (but not what the filter's
 *                   progress_payload points to)
 * @return 0; CAIRN_EINVALID for an option out of range, search by what the collection does not keep, verification
 * without local features, or a faulty condition of the filter; CAIRN_ENOTFOUND where the collection does not keep that
 * kind of local features, its ASMK is missing or incomplete, or the filter selects no image; CAIRN_ECANCELLED by the
 * filter's progress; CAIRN_ENOMEM
 */
CAIRN_API int cairn_searcher_new(cairn_searcher **out, cairn_collection *collection,
				 const cairn_search_options *options);

/** Free a searcher; NULL is allowed. */
CAIRN_API void cairn_searcher_free(cairn_searcher *searcher);

/** What is searched for: a photograph, described. Pairs verified for it are remembered, so asking again costs little.
 */
typedef struct cairn_query cairn_query;

/**
 * Describe a photograph to search with.
 *
 * @param[out] out  a new query; the caller frees it with cairn_query_free(), before the searcher
 * @param      path the photograph
 * @param      box  NULL, or the part to search with, in pixels of the upright full-size photograph
 * @return 0; errors of cairn_image_open(); CAIRN_EINVALID where the box is outside; CAIRN_ENOTFOUND where a model is
 * not installed, or no longer the one that the collection was made with
 */
CAIRN_API int cairn_query_open(cairn_query **out, cairn_searcher *searcher, const char *path, const cairn_box *box);

/**
 * The same with a photograph in memory.
 *
 * @param image borrowed for this call. At full size or little reduced, since it is
 *              reduced for each network
 * @param name  what the answer calls it; a report shows it if it is also the path of a photograph
 */
CAIRN_API int cairn_query_from_image(cairn_query **out, cairn_searcher *searcher, const cairn_image *image,
				     const char *name, const cairn_box *box);

/** An image of the collection as a query; it is left out of its own answers. Nothing is described anew, and no model is
 * needed. @return 0; CAIRN_ENOTFOUND; CAIRN_EDAMAGED */
CAIRN_API int cairn_query_from_id(cairn_query **out, cairn_searcher *searcher, int64_t id);

/**
 * An image of another collection as a query, by what that one keeps of it. Nothing is described anew.
 *
 * @param from must keep what the searcher needs, made by the same models; borrowed for the call
 * @return 0; CAIRN_EINVALID naming what differs between the two collections; CAIRN_ENOTFOUND; CAIRN_EDAMAGED
 */
CAIRN_API int cairn_query_from_collection(cairn_query **out, cairn_searcher *searcher, cairn_collection *from,
					  int64_t id);

/** Free a query; NULL is allowed. */
CAIRN_API void cairn_query_free(cairn_query *query);

/**
 * Search with a query, under the searcher's options. What the filter selects is found out anew after the collection was
 * refreshed or written to.
 *
 * @param[out] out     a new answer; the caller frees it with cairn_answer_free()
 * @param      exclude NULL, or ids to leave out before the best are verified, ascending, none twice: benchmarks leave
 * out a query's junk
 * @return 0; CAIRN_EINVALID where they do not ascend, or the query is another searcher's; CAIRN_ENOTFOUND where the
 * filter selects no image any more; CAIRN_EDAMAGED naming the file at fault; CAIRN_ECANCELLED; CAIRN_ENOMEM
 */
CAIRN_API int cairn_search(cairn_answer **out, cairn_searcher *searcher, cairn_query *query, const int64_t *exclude,
			   size_t exclude_count);

/** Describe and search in one call: cairn_query_open(), cairn_search(), cairn_query_free(), whose errors it has. */
CAIRN_API int cairn_search_path(cairn_answer **out, cairn_searcher *searcher, const char *path, const cairn_box *box);

/** The same for an image of the collection. @return the errors of cairn_query_from_id() and cairn_search() */
CAIRN_API int cairn_search_id(cairn_answer **out, cairn_searcher *searcher, int64_t id);

/** Free an answer; NULL is allowed. */
CAIRN_API void cairn_answer_free(cairn_answer *answer);

/** One image found. Text and matches are borrowed from the answer. */
typedef struct {
	int64_t id;
	const char *path;
	const char *label;          /**< NULL if none */
	float score;                /**< what the order is by */
	float similarity;           /**< cosine of the global descriptors; NAN where not searched by them */
	float asmk;                 /**< ASMK similarity, 0 to about 1; NAN where not searched by it */
	int32_t inliers;            /**< CAIRN_NO_INLIERS where not verified */
	int trusted;                /**< 1 where the inliers reach the minimum of the order: fewer happen by chance */
	uint32_t width, height;     /**< of the full-size image */
	const cairn_match *matches; /**< `inliers` matches: a in the query, b in the image; NULL where not verified, and
				     *   where cairn_run_answer() was asked for none */
} cairn_hit;

CAIRN_API size_t cairn_answer_count(const cairn_answer *answer);

/** @return 0; CAIRN_EINVALID where rank (from 0) is not below cairn_answer_count() */
CAIRN_API int cairn_answer_get(const cairn_answer *answer, size_t rank, cairn_hit *hit);

/** The query's path; borrowed. */
CAIRN_API const char *cairn_answer_query(const cairn_answer *answer);

/** What it was searched by; CAIRN_BY_AUTO where there was no best to choose, and all images were verified. Where
 * nothing was asked for, the log has a warning if the collection's ASMK could not be used (cairn_collection_asmk()). */
CAIRN_API cairn_search_by cairn_answer_by(const cairn_answer *answer);

/** The box that was searched with; all zero for the whole photograph. */
CAIRN_API cairn_box cairn_answer_box(const cairn_answer *answer);

/** Seconds that the stages took. */
typedef struct {
	double decode, describe, search, verify;
} cairn_answer_times;

CAIRN_API cairn_answer_times cairn_answer_get_times(const cairn_answer *answer);

/** One match as two points, in pixels of the two full-size images. */
typedef struct {
	float ax, ay, bx, by;
} cairn_point_pair;

/** The inlier points of one hit. @param[out] pairs caller frees with cairn_bytes_free() */
CAIRN_API int cairn_answer_points(const cairn_answer *answer, size_t rank, cairn_point_pair **pairs, size_t *count);

/**
 * Draw two photographs side by side with the matched points joined.
 *
 * @param[out] out    a new image, each photograph `height` pixels high; the caller frees it
 * @param      pairs  points in pixels of the full-size photographs
 */
CAIRN_API int cairn_draw_matches(cairn_image **out, const cairn_image *a, const cairn_image *b,
				 const cairn_point_pair *pairs, size_t count, uint32_t height);

/** What a report shows. */
typedef struct {
	uint32_t version;  /**< CAIRN_REPORT_OPTIONS_VERSION */
	uint32_t results;  /**< thumbnails a query; default 24 */
	uint32_t drawings; /**< of the best results of each query, drawn with their matched points; default 5 */
	const char *title; /**< NULL: "cairn search" */
	cairn_progress_cb progress; /**< NULL, or told of the results that are shown; may cancel the page
				     * (CAIRN_ECANCELLED), and a file that was there before stays */
	void *progress_payload;
} cairn_report_options;

#define CAIRN_REPORT_OPTIONS_VERSION 1
#define CAIRN_REPORT_OPTIONS_INIT                                                                                      \
	{                                                                                                              \
		CAIRN_REPORT_OPTIONS_VERSION, 24, 5, NULL, NULL, NULL                                                  \
	}

/**
 * Write answers as one self-contained HTML page: queries, thumbnails, scores, inliers and matched points.
 *
 * @param path written under a temporary name and renamed
 * @return 0; CAIRN_EINVALID; CAIRN_ENOTFOUND where there is no such folder; CAIRN_EIO; CAIRN_ENOSPACE;
 * CAIRN_ECANCELLED; CAIRN_ENOMEM. Photographs that cannot be read are no failure: the page says so in their place
 */
CAIRN_API int cairn_report_write(const char *path, const cairn_answer *const *answers, size_t count,
				 const cairn_report_options *options);

#ifdef __cplusplus
}
#endif
#endif
