/*
 * cairn/asmk.h - search by local features: codebooks of visual words, and ASMK files: inverted lists of aggregated
 * residuals.
 *
 * ASMK (Tolias, Avrithis and Jegou, "To aggregate or not to aggregate", ICCV 2013) assigns each local descriptor to the
 * nearest word of a codebook and keeps, for each word of an image, one vector: the sum of the descriptors' differences
 * from the word, of unit length. ASMK* keeps the signs of that vector only. The similarity of two images is a sum over
 * the words that both have. docs/methods.md, "ASMK", has the formulas, docs/format.md, "ASMK files", the
 * files.
 *
 * A typical run: train a codebook on features of other images; aggregate the features of each image and write them,
 * some thousand images a file; open all files together and search. Later images go to a further file. How images are
 * divided among files changes no score.
 *
 * Thread-safety: a codebook, an aggregate and an open index never change; any number of threads may use them. A trainer
 * and a writer belong to one thread at a time.
 */
#ifndef CAIRN_ASMK_H
#define CAIRN_ASMK_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/error.h"
#include "cairn/export.h"
#include "cairn/features.h"
#include "cairn/ranking.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- codebooks ---- */

typedef struct cairn_codebook cairn_codebook;
typedef struct cairn_codebook_trainer cairn_codebook_trainer;

#define CAIRN_CODEBOOK_MAX_WORDS (1u << 20)

/** How a codebook is trained. */
typedef struct {
	uint32_t version;    /**< CAIRN_CODEBOOK_OPTIONS_VERSION */
	uint32_t words;      /**< 1 to CAIRN_CODEBOOK_MAX_WORDS; 0: 65536 */
	uint32_t max_points; /**< descriptors that are kept for each word, a seeded choice of all; 0: 64 */
	uint32_t iterations; /**< of k-means, at most; 0: 50 */
	uint64_t seed;       /**< of the choice and of the first centroids */
	uint32_t threads;    /**< 0: one for each core */
} cairn_codebook_options;

#define CAIRN_CODEBOOK_OPTIONS_VERSION 1
#define CAIRN_CODEBOOK_OPTIONS_INIT                                                                                    \
	{                                                                                                              \
		CAIRN_CODEBOOK_OPTIONS_VERSION, 0, 0, 0, 0, 0                                                          \
	}

/**
 * Begin to collect descriptors. Needs words x max_points x dimensions bytes at most, and four times as much again in
 * cairn_codebook_trainer_run().
 *
 * @param[out] out     the trainer; the caller frees it with cairn_codebook_trainer_free()
 * @param      options NULL: all as they are by default
 * @return 0; CAIRN_EINVALID where an option is out of range; CAIRN_ENOMEM
 */
CAIRN_API int cairn_codebook_trainer_new(cairn_codebook_trainer **out, const cairn_codebook_options *options);

/** Free a trainer; NULL is allowed. */
CAIRN_API void cairn_codebook_trainer_free(cairn_codebook_trainer *trainer);

/**
 * Offer the descriptors of an image, which are copied as far as they are chosen. The order of images matters to the
 * choice.
 *
 * @return 0; CAIRN_EINVALID where kind or dimensions are not those of the images before; CAIRN_ENOMEM
 */
CAIRN_API int cairn_codebook_trainer_add(cairn_codebook_trainer *trainer, const cairn_features *features);

/**
 * Cluster what was collected by k-means. The trainer is empty afterwards unless it held too few. The result depends on
 * the images, their order and the options, not on the number of threads.
 *
 * @param[out] out      the codebook; the caller frees it with cairn_codebook_free()
 * @param      progress NULL, or told while it works; it can cancel
 * @return 0; CAIRN_EINVALID where there are fewer distinct descriptors than words; CAIRN_ECANCELLED; CAIRN_ENOMEM
 */
CAIRN_API int cairn_codebook_trainer_run(cairn_codebook **out, cairn_codebook_trainer *trainer,
					 cairn_progress_cb progress, void *payload);

/**
 * Make a codebook of an array, which is copied.
 *
 * @param[out] out     the codebook; the caller frees it with cairn_codebook_free()
 * @param      vectors words x dim float32 from -65504 to 65504, C order, no two rows alike
 * @param      words   1 to CAIRN_CODEBOOK_MAX_WORDS
 * @param      dim     1 to 1024
 * @return 0; CAIRN_EINVALID; CAIRN_ENOMEM
 */
CAIRN_API int cairn_codebook_new(cairn_codebook **out, const float *vectors, size_t words, size_t dim);

/**
 * Read a codebook: a NumPy file, `<f4`, words x dimensions.
 *
 * @param[out] out the codebook; the caller frees it with cairn_codebook_free()
 * @return 0; CAIRN_ENOTFOUND; CAIRN_EFORMAT naming the file and its fault: shape, type, a number out of range,
 *         equal words; CAIRN_ENOMEM
 */
CAIRN_API int cairn_codebook_open(cairn_codebook **out, const char *path);

/** Write a codebook as cairn_codebook_open() reads it, atomically. @return 0; CAIRN_EIO; CAIRN_ENOSPACE */
CAIRN_API int cairn_codebook_save(const cairn_codebook *codebook, const char *path);

/** Free a codebook; NULL is allowed. */
CAIRN_API void cairn_codebook_free(cairn_codebook *codebook);

CAIRN_API size_t cairn_codebook_words(const cairn_codebook *codebook);
CAIRN_API size_t cairn_codebook_dim(const cairn_codebook *codebook);

/** Borrowed: words x dim float32, C order. */
CAIRN_API const float *cairn_codebook_vectors(const cairn_codebook *codebook);

/* ---- ASMK files ---- */

typedef struct cairn_asmk_aggregate cairn_asmk_aggregate;
typedef struct cairn_asmk_writer cairn_asmk_writer;

/** What ASMK files hold. */
typedef struct {
	uint32_t version; /**< CAIRN_ASMK_OPTIONS_VERSION */
	/** 1: signs (ASMK*), dim / 8 bytes a word, rounded up to multiples of 8; 0: bytes (ASMK), dim + 4. */
	int binary;
	/** 1: images are sums over regions, and scores are divided by the query's number of words alone (R-ASMK,
	 * Teichmann, Araujo, Zhu and Sim, CVPR 2019); 0: each image is one set of features. */
	int regional;
} cairn_asmk_options;

#define CAIRN_ASMK_OPTIONS_VERSION 1
#define CAIRN_ASMK_OPTIONS_INIT                                                                                        \
	{                                                                                                              \
		CAIRN_ASMK_OPTIONS_VERSION, 1, 0                                                                       \
	}

/**
 * Aggregate the local features of an image, each descriptor in its nearest word.
 *
 * @param[out] out     the aggregate; the caller frees it with cairn_asmk_aggregate_free()
 * @param      regions count feature sets of one kind with the codebook's dimensions: the image alone, or with
 *                     options.regional the image and its regions, count >= 1
 * @param      options NULL: ASMK*, not regional
 * @return 0 (an image without features has no words); CAIRN_EINVALID; CAIRN_ENOMEM
 */
CAIRN_API int cairn_asmk_aggregate_new(cairn_asmk_aggregate **out, const cairn_codebook *codebook,
				       const cairn_features *const *regions, size_t count,
				       const cairn_asmk_options *options);

/** Free an aggregate; NULL is allowed. */
CAIRN_API void cairn_asmk_aggregate_free(cairn_asmk_aggregate *aggregate);

/** How many words it has. */
CAIRN_API size_t cairn_asmk_aggregate_words(const cairn_asmk_aggregate *aggregate);

/**
 * Begin an ASMK file. Nothing is at `path` before cairn_asmk_writer_commit(). Holds some 200 MB at most at a time,
 * however many images there are.
 *
 * @param[out] out      the writer; the caller frees it with cairn_asmk_writer_free()
 * @param      kind     of all features, 1 to 63 bytes
 * @param      codebook borrowed for the call
 * @param      options  as for all aggregates; NULL: ASMK*, not regional
 * @return 0; CAIRN_EINVALID; CAIRN_EIO; CAIRN_ENOSPACE; CAIRN_ENOMEM
 */
CAIRN_API int cairn_asmk_writer_new(cairn_asmk_writer **out, const char *path, const char *kind,
				    const cairn_codebook *codebook, const cairn_asmk_options *options);

/**
 * Append an image.
 *
 * @param image its id, >= 0, above the one before
 * @return 0; CAIRN_EINVALID where the id is not above, or the aggregate is of another kind, codebook or form;
 * CAIRN_EIO; CAIRN_ENOSPACE; CAIRN_ENOMEM
 */
CAIRN_API int cairn_asmk_writer_add(cairn_asmk_writer *writer, int64_t image, const cairn_asmk_aggregate *aggregate);

/** Write what is left, sync, rename. @return 0; CAIRN_EIO; CAIRN_ENOSPACE; CAIRN_ENOMEM; or what
 * cairn_asmk_writer_add() failed with before */
CAIRN_API int cairn_asmk_writer_commit(cairn_asmk_writer *writer);

/** Free; what was not committed is deleted. NULL is allowed. */
CAIRN_API void cairn_asmk_writer_free(cairn_asmk_writer *writer);

/**
 * Join ASMK files into one, without the features. The bytes are those of a writer that got all images of all files
 * in order.
 *
 * @param path    where it goes; may be one of `paths`
 * @param paths   count files, count >= 1, all of one kind, codebook and form
 * @param removed NULL, or removed_count ids to leave out, ascending
 * @return 0; CAIRN_EINVALID where files do not belong together or an image is in two of them; CAIRN_ENOTFOUND;
 *         CAIRN_EDAMAGED naming the file; CAIRN_EIO; CAIRN_ENOSPACE; CAIRN_ENOMEM
 */
CAIRN_API int cairn_asmk_merge(const char *path, const char *const *paths, size_t count, const int64_t *removed,
			       size_t removed_count);

/* ---- search ---- */

typedef struct cairn_asmk_index cairn_asmk_index;

/**
 * Open ASMK files as one index. Files are mapped; of their lists, each is checked against its checksum when it is
 * first read, everything else now.
 *
 * @param[out] out      the index; the caller frees it with cairn_asmk_index_free()
 * @param      codebook that the files were made with; must outlive the index
 * @param      paths    count files of one kind and form, count >= 1; the order does not matter
 * @param      removed  NULL, or removed_count ids to leave out, ascending; copied
 * @return 0; CAIRN_EINVALID where a file was made with another codebook or is of another kind or form than the first,
 *         or an image is in two of them; CAIRN_ENOTFOUND; CAIRN_EDAMAGED naming the file; CAIRN_EUNSUPPORTED where a
 *         newer cairn wrote it; CAIRN_ENOMEM
 */
CAIRN_API int cairn_asmk_index_open(cairn_asmk_index **out, const cairn_codebook *codebook, const char *const *paths,
				    size_t count, const int64_t *removed, size_t removed_count);

/** Free an index; NULL is allowed. */
CAIRN_API void cairn_asmk_index_free(cairn_asmk_index *index);

/** Number of images, removed ones included. */
CAIRN_API size_t cairn_asmk_index_images(const cairn_asmk_index *index);

/** Bytes of all files. */
CAIRN_API uint64_t cairn_asmk_index_bytes(const cairn_asmk_index *index);

/** How a search is made. */
typedef struct {
	uint32_t version;     /**< CAIRN_ASMK_SEARCH_OPTIONS_VERSION */
	uint32_t assignments; /**< nearest words of each descriptor of the query, 1 to 64; 0: 5 */
	float alpha;          /**< exponent of similarities, > 0 and at most 100 */
	float threshold;      /**< similarities below count as 0; 0 to 1 */
	uint32_t threads;     /**< 0: one for each core */
	const int64_t *only;  /**< NULL, or the ids that alone may be found, ascending */
	size_t only_count;
	/** NULL, or ids, ascending, whose similarities are wanted whether they are among the best or not; also of
	 * images that are removed or not among `only`. */
	const int64_t *also;
	size_t also_count;
	float *also_scores; /**< written: queries x also_count similarities, 0 where there is none */
} cairn_asmk_search_options;

#define CAIRN_ASMK_SEARCH_OPTIONS_VERSION 1
#define CAIRN_ASMK_SEARCH_OPTIONS_INIT                                                                                 \
	{                                                                                                              \
		CAIRN_ASMK_SEARCH_OPTIONS_VERSION, 0, 3.0f, 0.0f, 0, NULL, 0, NULL, 0, NULL                            \
	}

/**
 * The k most similar images for each query; equal scores are ordered by ascending id. Images of similarity 0, which
 * share no word with the query or none that is similar enough, are not found. Scores do not depend on `threads`, nor on
 * how images are divided among files. The similarity of an image with itself, with one assignment, is 1 unless the
 * index is regional.
 *
 * @param[out] out     a new ranking of `count` rows and depth k; the caller frees it
 * @param      queries count feature sets of the index's kind; one without features finds nothing
 * @param      k       >= 1
 * @param      options NULL: all as they are by default
 * @return 0; CAIRN_EINVALID where a size or an option is out of range, a query is of another kind or ids are out of
 *         order; CAIRN_EDAMAGED naming the file; CAIRN_ENOMEM
 */
CAIRN_API int cairn_asmk_index_search(cairn_ranking **out, const cairn_asmk_index *index,
				      const cairn_features *const *queries, size_t count, size_t k,
				      const cairn_asmk_search_options *options);

#ifdef __cplusplus
}
#endif
#endif
