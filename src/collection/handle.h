/*
 * collection/handle.h - an open collection: the catalogue, and what it said when it was opened or refreshed.
 *
 *   folder/lock               see util/lock.h; taken by the one who writes
 *   folder/catalogue.sqlite   see catalogue.h
 *   folder/segments/NNNNNNNN.rows.npy, .codes.npy, .scales.npy, .images.npy, .KIND.features, .boxes.npy
 *   folder/segments/NNNNNNNN.KIND.codebook.npy, .KIND.asmk, .quantizer.ivf, .lists   see structures.h
 *
 * Segment files are mapped as soon as the catalogue is read, so that a compaction by another process, which deletes
 * files, takes nothing away from a handle.
 */
#ifndef CN_COLLECTION_HANDLE_H
#define CN_COLLECTION_HANDLE_H

#include <pthread.h>

#include "cairn/asmk.h"
#include "cairn/collection.h"
#include "cairn/ivf.h"
#include "collection/catalogue.h"
#include "index/box_segment.h"
#include "index/feature_segment.h"
#include "index/row_segment.h"
#include "util/text.h"

#define CN_CATALOGUE_NAME "catalogue.sqlite"
#define CN_SEGMENTS_NAME  "segments"

/** A segment and its mapped files. A file that could not be mapped is left zeroed; cn_segment_rows(),
 *  cn_segment_features() and cn_segment_boxes() then try again and say why. */
typedef struct {
	cn_segment_record record;
	cn_row_segment rows;
	cn_feature_segment *features[CN_MAX_SOURCES];
	cn_box_segment boxes;
	int rows_mapped;
} cn_segment;

/** What the catalogue said. */
typedef struct {
	cn_segment *segments; /* by ascending range of ids */
	size_t segment_count;
	int64_t *removed; /* ascending */
	size_t removed_count;
	cn_catalogue_counts counts;
	uint64_t rows, bytes;
	cairn_index_part *parts; /* these two are made on first use */
	cairn_index *index;
	cn_structure_record structures[CN_STRUCTURES];
	cairn_structure_info infos[CN_STRUCTURES]; /* of those that are wanted, one after the other */
	size_t info_count;
	cairn_codebook *codebooks[CN_MAX_SOURCES]; /* these are opened on first use */
	cairn_asmk_index *asmk[CN_MAX_SOURCES];
	cairn_ivf *quantizer;
	cairn_ivf_lists **lists; /* one a segment */
} cn_snapshot;

/** Text of cairn_image_record, one for each thread that asked. */
typedef struct cn_record_text {
	pthread_t thread;
	cn_text path, label;
	struct cn_record_text *next;
} cn_record_text;

struct cairn_collection {
	char *folder;   /* absolute */
	char *segments; /* folder/segments */
	int writable;
	int lock; /* file descriptor, -1 for readers */
	cn_catalogue *catalogue;
	cn_sources sources;
	size_t dim;
	cairn_describer_model models[CN_MAX_SOURCES]; /* borrow from sources */
	const char *locals[CN_MAX_SOURCES];
	pthread_mutex_t mutex; /* over all below, and the catalogue */
	cn_snapshot now;
	uint64_t generation; /* counts the snapshots */
	int stale;           /* `now` could not be read again after a change */
	cn_record_text *texts;
};

/** Read the catalogue again into collection->now; the writer calls it after each change. The mutex is not held. */
int cn_collection_reload(cairn_collection *collection);

/** Another number whenever it was read again. The mutex is not held. */
uint64_t cn_collection_generation(cairn_collection *collection);

/** Read it if that failed the last time. The mutex is held. */
int cn_collection_expect_fresh(cairn_collection *collection);

/** CAIRN_EINVALID unless the handle was opened for writing. */
int cn_collection_expect_writable(const cairn_collection *collection);

/** Path of a file in segments/; caller frees; NULL where memory is short. */
char *cn_collection_file(const cairn_collection *collection, const char *name);

/** Delete a file in segments/; the log is told where it cannot be. NULL is allowed. @return 1 if it is gone */
int cn_collection_delete(const cairn_collection *collection, const char *name);

/** Name of a file of a segment: "00000012.rows.npy". A derived file that is made after its segment has a number of its
 *  own. Caller frees; NULL where memory is short. */
char *cn_segment_file_name(const cn_sources *sources, int64_t segment, int file);

/** 1 if a name in segments/ is one that cairn gives, perhaps with the ending of a temporary file. */
int cn_segment_name_is_ours(const char *name);
/** The last error as damage of the collection, with what to do. @return CAIRN_EDAMAGED */
int cn_fail_damaged(void);

/** Index of the segment whose range holds the id; segment_count if there is none. */
size_t cn_snapshot_segment(const cn_snapshot *snapshot, int64_t id);

/** Map what can be mapped. @return 0; CAIRN_ENOTFOUND where a file is not there; other faults show again in the three
 * below */
int cn_segment_map(cairn_collection *collection, cn_segment *segment);

/** Number of a kind of local features in the sources. CAIRN_ENOTFOUND where the collection does not keep it. */
int cn_collection_local(const cairn_collection *collection, const char *kind, size_t *out);

/** Every byte of a file against its size and checksum. @return 0; CAIRN_EDAMAGED, CAIRN_ENOTFOUND; CAIRN_EIO where it
 * cannot be read */
int cn_segment_file_compare(const cairn_collection *collection, const cn_segment_file *expected);

/** The mapped files, with ids and shapes checked against the catalogue. CAIRN_EDAMAGED names the file. Mutex held, or
 * the only thread. */
int cn_segment_rows(cairn_collection *collection, cn_segment *segment, const cn_row_segment **out);
int cn_segment_features(cairn_collection *collection, cn_segment *segment, size_t local, cn_feature_segment **out);
/** Of a collection with a detector. */
int cn_segment_boxes(cairn_collection *collection, cn_segment *segment, const cn_box_segment **out);

/** Its rows as an index takes them. */
int cn_segment_part(cairn_collection *collection, cn_segment *segment, cairn_index_part *out);

/** Make now.parts: those of all segments. */
int cn_snapshot_parts(cairn_collection *collection);

/** Names in segments/ that the catalogue does not know. Free with cn_names_free(). */
int cn_collection_strays(const cairn_collection *collection, char ***names, size_t *count);

/** CAIRN_EINVALID where a filter has another version, or a label that is NULL. */
int cn_filter_check(const cairn_filter *filter);

/** cairn_collection_compact() with `images` images to a segment. */
int cn_collection_compact(cairn_collection *collection, size_t images, cairn_progress_cb progress, void *payload);

#endif
