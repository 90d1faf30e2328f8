/*
 * cairn/ivf.h - an inverted file: rows in lists by the nearest of many centroids, of which a search probes a few.
 *
 * Worth its while from some tens of thousands of rows on. A quantizer is trained once; then the lists of each part are
 * written into a file of their own, so that adding rows is writing one more file, and none is ever changed. Within a
 * list, a row is kept as 8-bit codes of its difference from the centroid (Jegou, Douze and Schmid, "Product
 * Quantization for Nearest Neighbor Search", PAMI 2011, without the product; docs/methods.md, "Inverted file").
 *
 * Thread-safety: a quantizer and opened lists never change; any number of threads may use them.
 */
#ifndef CAIRN_IVF_H
#define CAIRN_IVF_H

#include "cairn/error.h"
#include "cairn/export.h"
#include "cairn/index.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cairn_ivf cairn_ivf;
typedef struct cairn_ivf_lists cairn_ivf_lists;

#define CAIRN_IVF_MAX_LISTS (1u << 20)

/** How a quantizer is trained. */
typedef struct {
	uint32_t version; /**< CAIRN_IVF_OPTIONS_VERSION */
	uint32_t threads; /**< 0: one for each core */
	size_t lists;     /**< at most CAIRN_IVF_MAX_LISTS; 0: 2 * the root of the number of rows */
	uint64_t seed;
} cairn_ivf_options;

#define CAIRN_IVF_OPTIONS_VERSION 1
#define CAIRN_IVF_OPTIONS_INIT                                                                                         \
	{                                                                                                              \
		CAIRN_IVF_OPTIONS_VERSION, 0, 0, 1                                                                     \
	}

typedef struct {
	size_t dim, lists;
	double error; /**< mean squared distance of the training rows from their centroids */
} cairn_ivf_info;

/**
 * Train a quantizer: k-means on a seeded sample of the rows, then how many lists must be probed for which recall is
 * measured on 1000 of the rows. The sample takes 512 bytes a list and dimension.
 *
 * @param[out] out      the caller frees it with cairn_ivf_free()
 * @param      dim      dimensions of a row
 * @param      parts    n parts, which may be freed afterwards; codes are used where they are
 * @param      options  NULL for the defaults
 * @param      progress NULL, or told; it can cancel
 * @return 0; CAIRN_EINVALID where the options are of another version, a size is out of range, image ids descend, a
 *         number is not finite or there are fewer distinct rows than lists; CAIRN_ELIMIT beyond 2^32 rows;
 *         CAIRN_ECANCELLED; CAIRN_ENOMEM
 */
CAIRN_API int cairn_ivf_train(cairn_ivf **out, size_t dim, const cairn_index_part *parts, size_t n,
			      const cairn_ivf_options *options, cairn_progress_cb progress, void *payload);

/** Write to a file, or read it (docs/format.md, "Quantizers"). @return 0; CAIRN_EIO; CAIRN_ENOTFOUND; CAIRN_EDAMAGED
 * naming the file; CAIRN_EUNSUPPORTED where it is of another version;
 * CAIRN_ENOSPACE; CAIRN_ENOMEM */
CAIRN_API int cairn_ivf_save(const cairn_ivf *ivf, const char *path);
CAIRN_API int cairn_ivf_open(cairn_ivf **out, const char *path);
CAIRN_API void cairn_ivf_free(cairn_ivf *ivf); /**< NULL is allowed */

CAIRN_API void cairn_ivf_get_info(const cairn_ivf *ivf, cairn_ivf_info *out);

/** How many lists must be probed for this share of the k best to be found, as measured in training for k of 1, 10, 100
 * and 1000, and reckoned from these between them, with a margin for queries that are harder than those of the
 * measurement (docs/methods.md, "Inverted file"). For a larger k it is the number for 1000, with which less is found.
 * @param recall above 0 to 1 */
CAIRN_API size_t cairn_ivf_probes(const cairn_ivf *ivf, size_t k, double recall);

/**
 * Write the lists of a part (docs/format.md, "Lists of a quantizer").
 *
 * @param part    its codes are not read
 * @param threads 0: one for each core
 * @return 0; CAIRN_EINVALID naming the row that holds a number that is not finite; CAIRN_ELIMIT beyond 2^32 rows;
 * CAIRN_EIO; CAIRN_ENOSPACE; CAIRN_ECANCELLED; CAIRN_ENOMEM. What failed leaves no file
 */
CAIRN_API int cairn_ivf_write_lists(const cairn_ivf *ivf, const cairn_index_part *part, const char *path,
				    uint32_t threads, cairn_progress_cb progress, void *payload);

/**
 * Map the lists of a part. They do not need the quantizer any more afterwards.
 *
 * @param rows of the part that they were written for
 * @return 0; CAIRN_ENOTFOUND; CAIRN_EDAMAGED naming the file and the fault, also where it was written with another
 * quantizer or for a part of another size (of the same size, it is not noticed); CAIRN_EUNSUPPORTED where it is of
 * another version; CAIRN_ENOSPACE; CAIRN_ENOMEM
 */
CAIRN_API int cairn_ivf_lists_open(cairn_ivf_lists **out, const char *path, const cairn_ivf *ivf, size_t rows);
CAIRN_API void cairn_ivf_lists_free(cairn_ivf_lists *lists); /**< NULL is allowed */

/** Compare every byte with its checksum; opening reads only those that lists are found by. @return 0 or CAIRN_EDAMAGED
 */
CAIRN_API int cairn_ivf_lists_check(const cairn_ivf_lists *lists);

/** Mean squared distance of the rows from their centroids. Where that of new rows is well above the quantizer's,
 * another one should be trained. */
CAIRN_API double cairn_ivf_lists_error(const cairn_ivf_lists *lists);

/**
 * Make an index that probes lists. What cairn_index_options asks to be exact, and searches among few images, still scan
 * rows. Where images are removed or left out, lists are probed until as many rows are met as otherwise; lists in which
 * no row counts are passed over.
 *
 * @param lists one a part
 * @param ivf   what they were written with; all that is given must outlive the index
 * @return as cairn_index_new_flat(); CAIRN_EINVALID also where lists are of another quantizer, or of a part of another
 * size
 */
CAIRN_API int cairn_index_new_ivf(cairn_index **out, const cairn_ivf *ivf, const cairn_index_part *parts,
				  const cairn_ivf_lists *const *lists, size_t n, const int64_t *removed,
				  size_t removed_count);

#ifdef __cplusplus
}
#endif
#endif
