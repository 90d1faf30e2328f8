/*
 * cairn/eval.h - scores by the rules of the public benchmarks.
 *
 * Thread-safety: pure functions of their arguments; a ground truth never changes after it is read.
 */
#ifndef CAIRN_EVAL_H
#define CAIRN_EVAL_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/error.h"
#include "cairn/export.h"
#include "cairn/image.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The protocols of revisited Oxford and Paris (Radenovic et al., CVPR 2018; docs/methods.md, "Evaluation"). */
typedef enum {
	CAIRN_ROXFORD_EASY,   /**< positives: easy; left out: junk and hard */
	CAIRN_ROXFORD_MEDIUM, /**< positives: easy and hard; left out: junk */
	CAIRN_ROXFORD_HARD    /**< positives: hard; left out: junk and easy */
} cairn_roxford_protocol;

typedef struct cairn_roxford cairn_roxford;

/**
 * Read a ground truth in JSON: {"database": [name...], "queries": [{"image": name, "box": [x0,y0,x1,y1], "easy":
 * [name...], "hard": [...], "junk": [...]}...]}. docs/format.md says how to make it from the official
 * gnd_roxford5k.pkl.
 *
 * @return 0; CAIRN_ENOTFOUND; CAIRN_EFORMAT with the place in the file, also where a name is unknown or listed twice
 */
CAIRN_API int cairn_roxford_open(cairn_roxford **out, const char *path);

/** Free a ground truth; NULL is allowed. */
CAIRN_API void cairn_roxford_free(cairn_roxford *truth);

CAIRN_API size_t cairn_roxford_queries(const cairn_roxford *truth);

/** Number of database images. */
CAIRN_API size_t cairn_roxford_images(const cairn_roxford *truth);

/** Borrowed names, without folder and extension. */
CAIRN_API const char *cairn_roxford_query_name(const cairn_roxford *truth, size_t query);
CAIRN_API const char *cairn_roxford_image_name(const cairn_roxford *truth, size_t image);
CAIRN_API cairn_box cairn_roxford_query_box(const cairn_roxford *truth, size_t query);

/** Position of a database image by name, or -1. */
CAIRN_API int64_t cairn_roxford_find(const cairn_roxford *truth, const char *name);

/** @return 1 where the image is left out of the query's list under the protocol, otherwise 0 */
CAIRN_API int cairn_roxford_is_junk(const cairn_roxford *truth, cairn_roxford_protocol protocol, size_t query,
				    size_t image);

/** Scores in per cent, means over the queries that have a positive. */
typedef struct {
	double map;
	double mp1, mp5, mp10; /**< mean precision at 1, 5, 10 */
	size_t queries;        /**< that had a positive */
} cairn_roxford_scores;

/**
 * Score rankings under one protocol: AP by the trapezoidal rule, precision at min(k, rank of the last positive). A list
 * may end early; a positive that is not in it counts as not found, and precision is then taken at k itself.
 *
 * @param      lists    for each query the positions of database images, best first; -1 for images that are not in the
 *                      database (they count as wrong); duplicates are CAIRN_EINVALID
 * @param      lengths  length of each list
 * @param[out] out      the scores; all 0 where no query has a positive
 * @return 0; CAIRN_EINVALID where a position is out of range or stands twice in a list; CAIRN_ENOMEM
 */
CAIRN_API int cairn_roxford_score(const cairn_roxford *truth, cairn_roxford_protocol protocol,
				  const int64_t *const *lists, const size_t *lengths, cairn_roxford_scores *out);

#ifdef __cplusplus
}
#endif
#endif
