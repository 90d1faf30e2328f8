/*
 * cairn/collection.h - a folder that remembers images: catalogue, descriptors and local features.
 *
 * On disk (docs/format.md): catalogue.sqlite and segments/, immutable files of descriptors and features. Image ids are
 * positive, given in order of arrival and never reused. Writing goes batch by batch: segment files are written under
 * temporary names, synced, renamed and then registered in one transaction, so a kill at any instant loses at most the
 * batch that was not committed.
 *
 * Thread-safety: a collection handle may be shared by threads that read. While one of them refreshes or checks it, no
 * other may use it, nor search in it. One process writes at a time (CAIRN_EBUSY
 * otherwise) while any number reads; a handle sees the images that were committed when it was opened or refreshed.
 */
#ifndef CAIRN_COLLECTION_H
#define CAIRN_COLLECTION_H

#include <stddef.h>
#include <stdint.h>

#include "cairn/asmk.h"
#include "cairn/descriptors.h"
#include "cairn/error.h"
#include "cairn/export.h"
#include "cairn/features.h"
#include "cairn/index.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cairn_collection cairn_collection;

/** What a new collection keeps of each image. */
typedef struct {
	uint32_t version;                    /**< CAIRN_COLLECTION_OPTIONS_VERSION */
	const cairn_describer_model *models; /**< global models; order matters; may be NULL with model_count 0 */
	size_t model_count;
	const char *const *locals; /**< local feature kinds: "rootsift", "xfeat", a bundle's name; may be NULL */
	size_t local_count;
	const char *detector; /**< a model whose boxes of each image are kept as regions for ASMK; NULL: none */
} cairn_collection_options;

#define CAIRN_COLLECTION_OPTIONS_VERSION 1

/**
 * Make a collection in a new or empty folder.
 *
 * @return 0; CAIRN_EEXISTS where the folder holds anything; CAIRN_EINVALID where neither a model nor a local kind is
 * given, or a detector without a local kind; CAIRN_ENOTFOUND where a model is not installed; CAIRN_EIO; CAIRN_ENOSPACE
 */
CAIRN_API int cairn_collection_create(const char *folder, const cairn_collection_options *options);

/**
 * Open a collection.
 *
 * @param[out] out      the handle; the caller frees it with cairn_collection_free()
 * @param      writable not 0: take the writer's lock, and clear what a killed writer left behind
 * @return 0; CAIRN_ENOTFOUND where there is no collection; CAIRN_EBUSY naming the process that writes; CAIRN_EDAMAGED;
 *         CAIRN_EUNSUPPORTED where an older or a newer cairn made it; CAIRN_EIO; CAIRN_ENOMEM
 */
CAIRN_API int cairn_collection_open(cairn_collection **out, const char *folder, int writable);

/** Close a collection; NULL is allowed. */
CAIRN_API void cairn_collection_free(cairn_collection *collection);

/**
 * See what other processes committed since. Borrowed pointers obtained before become invalid.
 *
 * Until then the catalogue's log cannot be emptied past what this handle sees, so a reader that stays open for long
 * beside a writer should refresh now and then.
 */
CAIRN_API int cairn_collection_refresh(cairn_collection *collection);

/** A structure of a collection that makes searching faster or better (cairn_collection_build_index()). */
typedef struct {
	const char *kind;    /**< of the local features whose ASMK it is; NULL: lists of the global descriptors */
	uint64_t units;      /**< words of the codebook, lists of the quantizer; 0: it waits to be trained */
	uint64_t trained;    /**< images, of lists rows, that it was trained on; 0: it was copied from elsewhere */
	uint64_t covered;    /**< images of the segments that have it, removed ones included */
	uint64_t total;      /**< images of all segments: where fewer are covered, it is not used */
	const char *regions; /**< of ASMK, what is aggregated besides whole images: "grid" or "boxes"; NULL: none */
	uint64_t bytes;      /**< size of its files */
} cairn_structure_info;

/** What cairn_collection_get_info() tells. Text is borrowed from the collection. */
typedef struct {
	const char *folder;
	uint64_t images;   /**< not counting removed ones */
	uint64_t removed;  /**< tombstones that compact would clear */
	uint64_t rows;     /**< descriptor rows, those of removed images included */
	uint64_t labelled; /**< images with a label */
	uint64_t segments;
	uint64_t bytes; /**< size of all files */
	size_t dim;     /**< dimensions of a descriptor; 0 without global model */
	const cairn_describer_model *models;
	size_t model_count;
	const char *const *locals;
	size_t local_count;
	const char *detector;                   /**< the bundle whose boxes are kept; NULL: none */
	const cairn_structure_info *structures; /**< borrowed until the collection is refreshed or written to */
	size_t structure_count;
} cairn_collection_info;

/** @return 0; CAIRN_EIO; CAIRN_EDAMAGED; CAIRN_ENOMEM */
CAIRN_API int cairn_collection_get_info(cairn_collection *collection, cairn_collection_info *info);

/** One image of the catalogue. Text is borrowed and valid until the next call with this collection from the same
 * thread. */
typedef struct {
	int64_t id;
	const char *path;       /**< absolute path of the file when it was added or last found */
	const char *label;      /**< NULL if it has none */
	uint32_t width, height; /**< of the upright full-size image */
	uint64_t size;          /**< bytes of the file */
	int64_t mtime_ns;       /**< its modification time, nanoseconds since 1970 */
} cairn_image_record;

/** @return 0; CAIRN_ENOTFOUND where the id is unknown or removed */
CAIRN_API int cairn_collection_find_id(cairn_collection *collection, int64_t id, cairn_image_record *out);

/** Find by path (made absolute first). @return 0; CAIRN_ENOTFOUND */
CAIRN_API int cairn_collection_find_path(cairn_collection *collection, const char *path, cairn_image_record *out);

/** All ids in ascending order, removed ones left out. @param[out] ids caller frees with cairn_bytes_free()
 * @return 0; CAIRN_EIO; CAIRN_EDAMAGED; CAIRN_ENOMEM */
CAIRN_API int cairn_collection_ids(cairn_collection *collection, int64_t **ids, size_t *count);

/**
 * Which images are wanted. An image must satisfy all that is given; nothing given selects every image.
 *
 * A condition is one SQL expression of SQLite over the columns id, path, label (text, NULL without one), size (bytes),
 * mtime_ns, width and height, such as "width > 1000 AND label LIKE 'tower%'". It may call functions that depend on
 * nothing but their arguments (docs/format.md, "Filters", lists them). Sub-selects, other tables, parameters and
 * whatever would change something are refused.
 */
typedef struct {
	uint32_t version;          /**< CAIRN_FILTER_VERSION */
	const char *const *labels; /**< images with one of these labels; an empty one stands for images without label;
				    *   NULL: whatever their label */
	size_t label_count;
	const int64_t *ids; /**< images out of these, in any order; NULL: any */
	size_t id_count;
	const char *const *where; /**< conditions that must all hold; each is looked at by itself */
	size_t where_count;
	cairn_progress_cb progress; /**< NULL, or asked now and then while `where` is looked at, and may cancel. Must
				     *   not use the collection */
	void *progress_payload;
} cairn_filter;

#define CAIRN_FILTER_VERSION 1
#define CAIRN_FILTER_INIT                                                                                              \
	{                                                                                                              \
		CAIRN_FILTER_VERSION, NULL, 0, NULL, 0, NULL, 0, NULL, NULL                                            \
	}

/**
 * The ids of the images that satisfy a filter, ascending, removed ones left out. That there are none is no failure.
 * Labels that no image has, and ids of no image, are told as warnings to the log.
 *
 * @param      filter NULL for all images
 * @param[out] ids    caller frees with cairn_bytes_free()
 * @return 0; CAIRN_EINVALID with SQLite's text where `where` is no such expression; CAIRN_ECANCELLED; CAIRN_ENOMEM
 */
CAIRN_API int cairn_collection_select(cairn_collection *collection, const cairn_filter *filter, int64_t **ids,
				      size_t *count);

/** Told of each image that could not be added. Never called from two threads at once. */
typedef void (*cairn_add_error_cb)(const char *path, int status, const char *message, void *payload);

/** How images are added. */
typedef struct {
	uint32_t version;      /**< CAIRN_ADD_OPTIONS_VERSION */
	uint32_t threads;      /**< 0: one for each core */
	uint32_t batch;        /**< images a commit, at most CAIRN_ADD_MAX_BATCH; 0: 256, or what 20 seconds bring */
	const char *precision; /**< "auto", "f32", "bf16"; NULL: auto */
	const char
		*labels; /**< CSV file with columns path,label (or image,label), relative to its folder where the image
			  *   is there, otherwise to the working directory; an empty label takes one away; NULL: none */
	int label_from_parent; /**< not 0: without one from the CSV, the label is the name of the folder that holds the
				  file */
	int lenient;           /**< not 0: use what could be read of truncated files */
	uint64_t max_pixels;   /**< 0: the default of cairn_image_options */
	uint64_t max_bytes;    /**< 0: the default of cairn_image_options */
	cairn_progress_cb progress; /**< NULL: none */
	void *progress_payload;
	cairn_add_error_cb on_error; /**< NULL: none */
	void *error_payload;
} cairn_add_options;

#define CAIRN_ADD_MAX_BATCH       65536
#define CAIRN_ADD_OPTIONS_VERSION 1
#define CAIRN_ADD_OPTIONS_INIT                                                                                         \
	{                                                                                                              \
		CAIRN_ADD_OPTIONS_VERSION, 0, 0, NULL, NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL                        \
	}

/** What an add did. */
typedef struct {
	uint64_t added;      /**< new images */
	uint64_t unchanged;  /**< in already: same path, size and modification time */
	uint64_t moved;      /**< content of an image whose path is gone or taken by other content: it got this path */
	uint64_t updated;    /**< same path, new content: described anew under a new id, the old one removed */
	uint64_t duplicate;  /**< same content as another image that is still there: not added again */
	uint64_t relabelled; /**< in already, label changed; counted as unchanged or moved as well */
	uint64_t failed;     /**< could not be read; told to on_error, tried again by the next add */
} cairn_add_report;

/**
 * Add images. Paths may be files, folders (searched recursively, in byte order of the paths, for file names with an
 * image extension; symbolic links are followed, a folder reached twice is searched once) or "@list.txt" (one path a
 * line, relative to the list's folder where it is there, otherwise to the working directory). Resumes after an
 * interruption simply by being called again.
 *
 * Ids, rows and descriptors do not depend on the number of threads nor on where an earlier run was interrupted.
 *
 * @param[out] report what was done, also on failure; may be NULL
 * @return 0 even if single images failed; CAIRN_ECANCELLED; CAIRN_ENOSPACE; CAIRN_EINVALID where the handle is not
 * writable; CAIRN_ENOTFOUND where a model is not installed, or no longer the one that the collection was made with;
 * CAIRN_EFORMAT for a faulty CSV; CAIRN_EIO
 */
CAIRN_API int cairn_collection_add(cairn_collection *collection, const char *const *paths, size_t count,
				   const cairn_add_options *options, cairn_add_report *report);

/**
 * Find image files as cairn_collection_add() does: files, folders, "@list.txt"; absolute paths, each once. What cannot
 * be read is passed over with a warning.
 *
 * @param[out] out caller frees with cairn_paths_free()
 * @return 0; CAIRN_ENOMEM
 */
CAIRN_API int cairn_find_images(const char *const *paths, size_t count, char ***out, size_t *found);
CAIRN_API void cairn_paths_free(char **paths, size_t count);

/**
 * How an index is built: structures beside descriptors and features that make searching faster or better. What a
 * collection once was asked to have it keeps, and later adds extend it.
 */
typedef struct {
	uint32_t version; /**< CAIRN_BUILD_OPTIONS_VERSION */
	const char *asmk; /**< kind of local features that ASMK is wanted of (cairn/asmk.h); NULL: nothing new */
	const char
		*codebook; /**< for asmk: a .npy file, or the folder of another collection that keeps this kind,
				whose codebook is copied; NULL: one is trained on the collection, unless it has one */
	/** For asmk: "grid" aggregates parts of images too, which favours images that show a place among other things,
	 * "boxes" those that a detector found (docs/methods.md, "Regions"); "none": whole images alone; NULL: as
	 * before, "none" at first. A codebook that there is stays. */
	const char *regions;
	uint32_t words;   /**< of a codebook that is trained, at most CAIRN_CODEBOOK_MAX_WORDS; 0: the largest power
			       of two up to 65536 with at least 20 descriptors a word, and none below 256 */
	int ivf;          /**< not 0: lists of the global descriptors as well (cairn/ivf.h) */
	uint32_t lists;   /**< for ivf, where a quantizer is trained, at most CAIRN_IVF_MAX_LISTS; 0: 2 * the root of
				  the number of descriptors, of at least 1024 */
	int retrain;      /**< not 0: train again what is asked for; where nothing is asked for, all that there is */
	uint64_t seed;    /**< of training; default 1 */
	uint32_t threads; /**< 0: one for each core */
	cairn_progress_cb progress; /**< NULL: none */
	void *progress_payload;
} cairn_build_options;

#define CAIRN_BUILD_OPTIONS_VERSION 1
#define CAIRN_BUILD_OPTIONS_INIT                                                                                       \
	{                                                                                                              \
		CAIRN_BUILD_OPTIONS_VERSION, NULL, NULL, NULL, 0, 0, 0, 0, 1, 0, NULL, NULL                            \
	}

/** What building did. */
typedef struct {
	uint64_t trained;   /**< codebooks and quantizers that were trained or copied */
	uint64_t written;   /**< segments that got a file */
	uint64_t postponed; /**< structures that wait for more images: too few to train on; the log has a warning */
} cairn_build_report;

/**
 * Train what is missing, then write the files of all segments that have none, each committed by itself: after an
 * interruption, calling it again goes on where it stopped. While a segment has none, searches do without. The outcome
 * depends on the images, their order and the options, not on threads.
 *
 * @param      options NULL: nothing new, what the collection was asked to have is completed
 * @param[out] report  what was done, also on failure; may be NULL
 * @return 0, also where something is postponed; CAIRN_EINVALID for an option out of range, a codebook of other
 *         dimensions or another model, a handle that is not writable, or fewer distinct descriptors than words or
 * lists; CAIRN_ENOTFOUND where the collection does not keep that kind, or what is to be copied is not there;
 * CAIRN_EFORMAT for a faulty codebook; CAIRN_EDAMAGED; CAIRN_ECANCELLED; CAIRN_EIO; CAIRN_ENOSPACE
 */
CAIRN_API int cairn_collection_build_index(cairn_collection *collection, const cairn_build_options *options,
					   cairn_build_report *report);

/** Remove images by id: each becomes a tombstone until cairn_collection_compact(). Borrowed pointers obtained before
 * become invalid. @return 0; CAIRN_ENOTFOUND where an id is unknown, and nothing is removed; CAIRN_EINVALID for a
 * handle that may only read; CAIRN_EIO; CAIRN_ENOSPACE; CAIRN_ENOMEM */
CAIRN_API int cairn_collection_remove(cairn_collection *collection, const int64_t *ids, size_t count);

/** Rewrite the segments without removed images, into few large ones. Ids stay. Borrowed pointers obtained before become
 * invalid. @return 0, also where it is cancelled when nothing but structures is left to be made, which the next
 * cairn_collection_build_index() makes; CAIRN_EINVALID for a handle that may only read; CAIRN_ECANCELLED, and nothing
 * has changed; CAIRN_EDAMAGED naming the file; CAIRN_EIO; CAIRN_ENOSPACE; CAIRN_ENOMEM */
CAIRN_API int cairn_collection_compact(cairn_collection *collection, cairn_progress_cb progress, void *payload);

/** What cairn_collection_check() may change. */
typedef enum {
	CAIRN_CHECK_ONLY,
	CAIRN_CHECK_REPAIR, /**< makes codes and scales again from their rows, and takes away damaged files that
			     * searches can do without, which the next add or cairn_collection_build_index() makes
			     * again: no image is lost */
	CAIRN_CHECK_DROP    /**< repairs, and forgets the images of segments that are damaged otherwise; the next add of
			     *   their files describes them again, under new ids */
} cairn_check_mode;

/** What stands in a collection and should not, and what becomes of it. */
typedef enum {
	CAIRN_FAULT_NOTE,       /**< no fault: a file in `segments` that belongs to no segment, and does no harm */
	CAIRN_FAULT_REPAIRABLE, /**< CAIRN_CHECK_REPAIR mends it */
	CAIRN_FAULT_DROPPABLE,  /**< only CAIRN_CHECK_DROP mends it */
	CAIRN_FAULT_BEYOND,     /**< a file that cannot be read today, or the catalogue: nothing here mends it */
	CAIRN_FAULT_REPAIRED,
	CAIRN_FAULT_DROPPED /**< with its images */
} cairn_fault_state;

/** Told of each fault and note, after the mending. Must not use the collection. */
typedef void (*cairn_fault_cb)(const char *file, const char *fault, cairn_fault_state state, void *payload);

/** Told of each image before it is forgotten. Must not use the collection. @return not 0 to stop: nothing is changed
 * then, and the check gives CAIRN_ECANCELLED */
typedef int (*cairn_drop_cb)(const cairn_image_record *image, void *payload);

typedef struct {
	uint32_t version;        /**< CAIRN_CHECK_OPTIONS_VERSION */
	cairn_check_mode mode;   /**< other than CAIRN_CHECK_ONLY needs a writable handle */
	cairn_fault_cb on_fault; /**< NULL: none */
	void *fault_payload;
	cairn_drop_cb on_drop; /**< NULL: none */
	void *drop_payload;
	cairn_progress_cb progress; /**< NULL: none */
	void *progress_payload;
} cairn_check_options;

#define CAIRN_CHECK_OPTIONS_VERSION 1
#define CAIRN_CHECK_OPTIONS_INIT                                                                                       \
	{                                                                                                              \
		CAIRN_CHECK_OPTIONS_VERSION, CAIRN_CHECK_ONLY, NULL, NULL, NULL, NULL, NULL, NULL                      \
	}

/**
 * Read every byte and compare with the checksums and the catalogue (which SQLite tests by itself). A reader's handle is
 * refreshed by it.
 *
 * @param options NULL: those of CAIRN_CHECK_OPTIONS_INIT
 * @return the number of faults that remain; CAIRN_EINVALID for a handle that may only read, asked to mend;
 * CAIRN_ENOTFOUND where images are to be dropped and not one file of all segments is there: a disk may be missing,
 * and nothing is changed; CAIRN_ECANCELLED; CAIRN_EIO; CAIRN_ENOMEM
 */
CAIRN_API int cairn_collection_check(cairn_collection *collection, const cairn_check_options *options);

/**
 * An index over the collection's descriptors as this handle sees them: one that probes lists where all segments have
 * lists (cairn_collection_build_index()), otherwise one that scans all rows.
 *
 * @param[out] out borrowed, made on first use; valid until the collection is refreshed, written to or freed
 * @return 0; CAIRN_ENOTFOUND where the collection has no global model; CAIRN_EDAMAGED; CAIRN_ENOMEM
 */
CAIRN_API int cairn_collection_index(const cairn_index **out, cairn_collection *collection);

/**
 * How far the descriptors have moved away from those that the lists were trained on: the mean squared distance of all
 * rows from their centroids, over that in training. Well above 1 (1.1), training again makes searches faster.
 *
 * @return 0; CAIRN_ENOTFOUND where there are no lists of all segments; CAIRN_EDAMAGED; CAIRN_ENOMEM
 */
CAIRN_API int cairn_collection_drift(cairn_collection *collection, double *out);

/**
 * The ASMK index over the local features of a kind, removed images left out.
 *
 * @param[out] out borrowed, opened on first use; valid until the collection is refreshed, written to or freed
 * @return 0; CAIRN_ENOTFOUND where there is none of this kind, or some segments lack it (cairn_collection_build_index()
 *         completes it), or another process has replaced its files meanwhile (refresh then); CAIRN_EDAMAGED naming the
 *         file; CAIRN_ENOMEM
 */
CAIRN_API int cairn_collection_asmk(const cairn_asmk_index **out, cairn_collection *collection, const char *kind);

/** The descriptor of an image (its first row), as half-precision numbers keep it. @param[out] out info.dim floats
 * @return 0; CAIRN_ENOTFOUND where the id is unknown or the collection has no global model; CAIRN_EDAMAGED naming the
 * file; CAIRN_EIO; CAIRN_ENOMEM */
CAIRN_API int cairn_collection_descriptor(cairn_collection *collection, int64_t id, float *out);

/**
 * The local features of an image.
 *
 * @param      kind one of info.locals
 * @param[out] out  a new set; the caller frees it with cairn_features_free()
 * @return 0; CAIRN_ENOTFOUND where the id is unknown or that kind is not kept; CAIRN_EDAMAGED naming the file;
 * CAIRN_EIO; CAIRN_ENOMEM
 */
CAIRN_API int cairn_collection_features(cairn_collection *collection, int64_t id, const char *kind,
					cairn_features **out);

#ifdef __cplusplus
}
#endif
#endif
