/*
 * collection/intake.h - the ordered part of adding: decide what each image is, write the new ones, commit.
 */
#ifndef CN_COLLECTION_INTAKE_H
#define CN_COLLECTION_INTAKE_H

#include "collection/slot.h"

/**
 * Take in images that have been worked on, in their order, in one transaction.
 *
 * @param slots  none is pending; those that fail here become CN_SLOT_FAILED
 * @param report counts are added to it once all is committed
 * @return 0; on failure nothing was taken in
 */
int cn_intake(cairn_collection *collection, const cn_describers *describers, cn_image_slot *slots, size_t count,
	      cairn_add_report *report);

#endif
