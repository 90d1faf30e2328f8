/*
 * collection/mend.h - what check found, and what is done about it.
 */
#ifndef CN_COLLECTION_MEND_H
#define CN_COLLECTION_MEND_H

#include "collection/handle.h"

typedef enum {
	CN_NO_MENDING,
	CN_DROP_SEGMENT,
	CN_WRITE_CODES,
	CN_DROP_DERIVED,
	CN_DROP_STRUCTURE,
	CN_FORGET_IMAGE,
	CN_LEAVE_FILE /**< nothing to mend: no file of a segment */
} cn_mending;

#define CN_NO_TARGET (-1)

typedef struct {
	char *file, *text;
	cn_mending mending;
	int64_t target; /**< index of the segment, number of the structure, id of the image, or CN_NO_TARGET */
	int structure;  /**< of CN_DROP_DERIVED */
	cairn_fault_state state;
} cn_fault;

/** Is this file of a segment, codes or scales, made from its rows alone? */
int cn_is_made_of_rows(int file);

/** What a fault is that would be mended so, before anything is mended. */
cairn_fault_state cn_fault_state(cn_mending mending);

/** Mend what options->mode allows, in one transaction. @param faults those of a segment follow each other; `state` is
 * filled in */
int cn_mend(cairn_collection *collection, const cairn_check_options *options, cn_fault *faults, size_t count);

#endif
