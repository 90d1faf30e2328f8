/*
 * collection/identity.h - what makes two collections alike, and one another than it was.
 */
#ifndef CN_COLLECTION_IDENTITY_H
#define CN_COLLECTION_IDENTITY_H

#include "cairn/collection.h"
#include "collection/keymap.h"
#include "data/label_table.h"

/**
 * That descriptors and features of two collections can be compared.
 *
 * @param global not 0: their global descriptors
 * @param local  NULL, or their local features of this kind
 * @return 0; CAIRN_EINVALID naming what differs; CAIRN_ENOTFOUND where one does not keep that kind
 */
int cn_collection_expect_alike(cairn_collection *a, cairn_collection *b, int global, const char *local);

/**
 * A key of what a collection holds as this handle sees it: models, files of its segments, removed images, labels.
 * Whoever keeps what was computed from a collection sees by it whether that still holds. Paths do not count; compacting
 * makes another key.
 */
int cn_collection_key(cairn_collection *collection, cn_key *out);

/** The labels of all images that are not removed. @param[out] out caller frees; zeroed after a failure */
int cn_collection_labels(cairn_collection *collection, cn_label_table *out);

#endif
