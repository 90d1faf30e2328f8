/*
 * collection/describers.h - the networks that a collection was made with, opened when they are needed.
 */
#ifndef CN_COLLECTION_DESCRIBERS_H
#define CN_COLLECTION_DESCRIBERS_H

#include "cairn/model.h"
#include "collection/handle.h"

/** Once opened, it may be used by several threads at once. */
typedef struct {
	const cairn_collection *collection;
	const char *precision; /* borrowed */
	unsigned threads;
	cairn_describer *describer;                  /* NULL until needed */
	cairn_extractor *extractors[CN_MAX_SOURCES]; /* likewise */
	cairn_model *detector;                       /* likewise */
	/** Images are reduced as far as the most demanding of all the collection's networks allows, whichever are
	 * opened: a query is then decoded as the images were. */
	cairn_image_options decoding;
} cn_describers;

/** Nothing is opened yet. @param threads how many will call at once. @return 0 or CAIRN_ENOMEM */
int cn_describers_start(cn_describers *describers, const cairn_collection *collection, const char *precision,
			unsigned threads);
void cn_describers_free(cn_describers *describers);

/**
 * Open the global models, if the collection has any and they are not open; the local features numbered `local`; the
 * detector, if there is one.
 *
 * @return 0; CAIRN_ENOTFOUND where a model is missing or no longer the one that the collection was made with
 */
int cn_describers_need_global(cn_describers *describers);
int cn_describers_need_local(cn_describers *describers, size_t local);
int cn_describers_need_detector(cn_describers *describers);

#endif
