/*
 * collection/catalogue.h - the SQLite file that says what a collection holds (SQL inside, nowhere else).
 *
 * docs/format.md, "Catalogue", gives the schema. Invariants that everything else rests on:
 *   - image ids ascend in order of arrival and are never reused, also not after a compaction;
 *   - a segment holds the images of one range of ids [first, last]; ranges of different segments do not overlap, so an
 *     id alone tells the segment;
 *   - of the images that are not removed no two have the same path.
 *
 * Thread-safety: none; callers lock.
 */
#ifndef CN_COLLECTION_CATALOGUE_H
#define CN_COLLECTION_CATALOGUE_H

#include <stddef.h>
#include <stdint.h>

#include "collection/keymap.h"
#include "data/label_table.h"
#include "index/row_segment.h"
#include "util/progress.h"

#define CN_CATALOGUE_VERSION          3
#define CN_CATALOGUE_VERSION_DETECTOR 4 /* of a collection with a detector, which older versions would misread */
#define CN_MAX_SOURCES                16

typedef struct cn_catalogue cn_catalogue;

/** A network, or RootSIFT, that describes each image; or finds boxes in it. */
typedef struct {
	char *name; /**< to open it with: name of a bundle or absolute path of its folder */
	char *kind; /**< what its features are called; for global models the bundle's name */
	char *fingerprint;
	float weight; /**< global models */
	uint32_t dim; /**< dimensions of its descriptor */
} cn_source;

/** Everything that describes an image. */
typedef struct {
	cn_source globals[CN_MAX_SOURCES], locals[CN_MAX_SOURCES];
	size_t global_count, local_count;
	cn_source detector; /**< without a name: none */
} cn_sources;

void cn_sources_free(cn_sources *sources);

/** A file of a segment. Its index says what is in it: one of the files of descriptors (index/row_segment.h),
 * CN_FILE_LOCAL
 * + index of the local kind, CN_FILE_BOXES, or CN_FILE_DERIVED + number of a structure. */
typedef struct {
	char *name; /**< in segments/; NULL where the segment has no such file */
	uint64_t size;
	uint32_t crc; /**< CRC-32C of the whole file */
} cn_segment_file;

/** Structures that make searching faster or better: ASMK of the local kind of that index, or lists of descriptors. Each
 * has one file for the whole collection, a codebook or a quantizer, and one for each segment, which is derived from the
 * segment's other files: a segment without it is whole, and it can be made again. What each does says its
 * cn_structure_type (structures.h). */
enum { CN_STRUCTURE_ASMK = 0, CN_STRUCTURE_LISTS = CN_MAX_SOURCES, CN_STRUCTURES };

enum {
	CN_FILE_LOCAL = CN_ROW_FILES,
	CN_FILE_BOXES = CN_FILE_LOCAL + CN_MAX_SOURCES,
	CN_FILE_DERIVED,
	CN_FILES = CN_FILE_DERIVED + CN_STRUCTURES
};

typedef struct {
	int wanted;           /**< as it is read: the collection is to have it, as each that the catalogue names */
	cn_segment_file file; /**< codebook or quantizer; no name: not made yet */
	uint64_t units;       /**< words of the codebook, lists of the quantizer */
	uint64_t trained;     /**< images, of lists rows, that it was trained on; 0: it was copied */
	char *regions;        /**< of ASMK: what parts of images are aggregated too; NULL: none */
} cn_structure_record;

typedef struct {
	int64_t id;
	int64_t first, last; /**< range of image ids */
	uint64_t images;     /**< images in it, those removed since included */
	uint64_t rows;       /**< descriptor rows */
	cn_segment_file files[CN_FILES];
} cn_segment_record;

void cn_segment_record_free(cn_segment_record *segment);

/** An image. Text is borrowed until the next call with the catalogue. */
typedef struct {
	int64_t id;               /**< 0: not found */
	const char *path, *label; /**< label: NULL if none */
	uint64_t size;
	int64_t mtime_ns;
	uint32_t width, height;
	cn_key hash;
} cn_image_entry;

/** Make the file; it must not exist. On failure nothing that matters is left under the name. */
int cn_catalogue_create(const char *path, const cn_sources *sources);

/**
 * Open the catalogue of a collection.
 *
 * @param writable 0: nothing can be changed
 * @return 0; CAIRN_EDAMAGED where the file is no catalogue; CAIRN_EUNSUPPORTED where an older or a newer cairn made it
 */
int cn_catalogue_open(cn_catalogue **out, const char *path, int writable);
void cn_catalogue_free(cn_catalogue *catalogue);

/** Hold on to the state that the next call reads, until cn_catalogue_release(). */
int cn_catalogue_hold(cn_catalogue *catalogue);
void cn_catalogue_release(cn_catalogue *catalogue);

int cn_catalogue_begin(cn_catalogue *catalogue);
int cn_catalogue_commit(cn_catalogue *catalogue);
void cn_catalogue_rollback(cn_catalogue *catalogue); /**< harmless outside a transaction; keeps the error text */

/** Move the write-ahead log into the file and empty it, as far as readers let it. */
void cn_catalogue_checkpoint(cn_catalogue *catalogue);

int cn_catalogue_sources(cn_catalogue *catalogue, cn_sources *out);

/** Ascending. @param[out] out caller frees each and the array */
int cn_catalogue_segments(cn_catalogue *catalogue, const cn_sources *sources, cn_segment_record **out, size_t *count);

typedef struct {
	uint64_t images, removed, labelled;
} cn_catalogue_counts;

int cn_catalogue_count(cn_catalogue *catalogue, cn_catalogue_counts *out);

/** Ids in [first, last], ascending. @param removed which ones: 0 or 1. @param[out] ids caller frees */
int cn_catalogue_ids(cn_catalogue *catalogue, int64_t first, int64_t last, int removed, int64_t **ids, size_t *count);

/** Ids of live images with a label (empty: without one), ascending. @param[out] ids caller frees */
int cn_catalogue_ids_of_label(cn_catalogue *catalogue, const char *label, int64_t **ids, size_t *count);

/**
 * Ids of live images for which a user's SQL expression is true, ascending.
 *
 * @param[out] ids caller frees
 * @return 0; CAIRN_EINVALID with SQLite's text; CAIRN_ECANCELLED where the progress was told to stop
 */
int cn_catalogue_ids_where(cn_catalogue *catalogue, const char *expression, cn_progress *progress, int64_t **ids,
			   size_t *count);

/** The labels of table->ids, which are those of all images that are not removed: fills in the rest of the table, also
 * in part where it fails. */
int cn_catalogue_labels(cn_catalogue *catalogue, cn_label_table *table);

/* Finding: id 0 where there is no such image; removed ones are never found. */
int cn_catalogue_find_id(cn_catalogue *catalogue, int64_t id, cn_image_entry *out);
int cn_catalogue_find_path(cn_catalogue *catalogue, const char *path, cn_image_entry *out);
int cn_catalogue_find_hash(cn_catalogue *catalogue, cn_key hash, cn_image_entry *out);

/* Changes; inside a transaction only. */
int cn_catalogue_add_image(cn_catalogue *catalogue, const cn_image_entry *image,
			   int64_t *id); /**< image->id is not used */
int cn_catalogue_set_path(cn_catalogue *catalogue, int64_t id, const char *path, uint64_t size, int64_t mtime_ns);
int cn_catalogue_set_label(cn_catalogue *catalogue, int64_t id, const char *label); /**< NULL or empty: none */
int cn_catalogue_remove(cn_catalogue *catalogue, int64_t id, int *found);           /**< leaves a tombstone */
/** Take a tombstone away again, under a path that no image has. */
int cn_catalogue_restore(cn_catalogue *catalogue, int64_t id, const char *path, uint64_t size, int64_t mtime_ns);
int cn_catalogue_forget_removed(cn_catalogue *catalogue); /**< deletes the tombstones */
int cn_catalogue_forget_range(cn_catalogue *catalogue, int64_t first, int64_t last);

/** Take the number for a new segment; it is registered, still without files. */
int cn_catalogue_new_segment(cn_catalogue *catalogue, int64_t *id);
int cn_catalogue_set_segment(cn_catalogue *catalogue, const cn_sources *sources, const cn_segment_record *segment);
/** Give a segment a file, or let it take the place of the one that it has. */
int cn_catalogue_set_file(cn_catalogue *catalogue, const cn_sources *sources, int64_t segment, int file,
			  const cn_segment_file *now);
int cn_catalogue_drop_segment(cn_catalogue *catalogue, int64_t id);
/** Take a number for the name of a file that is made after its segment; no segment gets it. */
int cn_catalogue_new_number(cn_catalogue *catalogue, int64_t *number);
int cn_catalogue_drop_file(cn_catalogue *catalogue, const cn_sources *sources, int64_t segment, int file);

/** @param[out] out CN_STRUCTURES, zeroed where there is none; the caller frees the names */
int cn_catalogue_structures(cn_catalogue *catalogue, const cn_sources *sources, cn_structure_record *out);
/** Let the collection have a structure, with this codebook or quantizer; segments lose their files of the one before.
 * @param record NULL: it has none yet, and is wanted */
int cn_catalogue_set_structure(cn_catalogue *catalogue, const cn_sources *sources, int structure,
			       const cn_structure_record *record);

/** SQLite's own check of the file. @param told called for each fault */
int cn_catalogue_verify(cn_catalogue *catalogue, void (*told)(const char *fault, void *payload), void *payload);

#endif
