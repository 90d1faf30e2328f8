/*
 * collection/intake.h - the ordered part of adding: decide what each image is, write the new ones, commit.
 */
#ifndef CN_COLLECTION_INTAKE_H
#define CN_COLLECTION_INTAKE_H

#include "collection/slot.h"

/**
 * Take in images that have been worked on, in their order, in one transaction.
 *
 * @param slots     none is pending; those that fail here become CN_SLOT_FAILED
 * @param displaced content hash: id of images whose place other content took; zeroed before the first call of a run,
 * and kept for the next, so that files that were renamed in a row keep their ids
 * @param report    counts are added to it once all is committed
 * @return 0; on failure nothing was taken in
 */
int cn_intake(cairn_collection *collection, const cn_describers *describers, cn_image_slot *slots, size_t count,
	      cn_keymap *displaced, cairn_add_report *report);

#endif
