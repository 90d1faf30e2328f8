/*
 * collection/store.h - writing one segment: descriptors, their image ids, the features of each local kind,
 * boxes.
 */
#ifndef CN_COLLECTION_STORE_H
#define CN_COLLECTION_STORE_H

#include "collection/handle.h"

typedef struct cn_store cn_store;

/**
 * Begin a segment.
 *
 * @param segment number from cn_catalogue_new_segment()
 * @param rows    how many descriptor rows its images have together; not looked at without global model
 */
int cn_store_new(cn_store **out, const cairn_collection *collection, int64_t segment, uint64_t rows);

/**
 * Add an image; ids ascend.
 *
 * @param rows     row_count x dim float16, C order, finite; not looked at without global model
 * @param features one set for each local kind
 * @param boxes    not looked at without a detector
 */
int cn_store_add(cn_store *store, int64_t id, const uint16_t *rows, size_t row_count,
		 const cairn_features *const *features, const cn_boxes *boxes);

/**
 * Join a structure's files of the segments that the images come from. A fault in one of them is told to the log, and
 * leaves the segment without: it can be made of the features.
 *
 * @param structure whose type can merge
 * @param removed   ids that are in those segments and not in this one, ascending
 */
int cn_store_merge(cn_store *store, int structure, const char *const *paths, size_t count, const int64_t *removed,
		   size_t removed_count);

/** Sync the files and give them their names. @param[out] record what to register; the caller frees what is in it */
int cn_store_finish(cn_store *store, cn_segment_record *record);

/** Free; files that were finished stay. NULL is allowed. */
void cn_store_free(cn_store *store);

/** Free and delete all that was written; keeps the error text. NULL is allowed. */
void cn_store_discard(cn_store *store);

#endif
