/*
 * search/selection.h - the images that a searcher may find: its filter, and what that selects of the collection today.
 */
#ifndef CN_SEARCH_SELECTION_H
#define CN_SEARCH_SELECTION_H

#include "cairn/collection.h"

/** Start zeroed, which selects every image. */
typedef struct {
	int is_filtered;
	cairn_filter filter; /* borrows from the three below */
	char **labels;
	int64_t *wanted;
	char **where;
	int64_t *ids;        /* selected, ascending; NULL: all images */
	size_t count;        /* >= 1 where ids are */
	uint64_t generation; /* of the collection, when the ids were read */
} cn_selection;

/** Copy a filter; nothing is selected yet. On failure the selection is to be freed as well. */
int cn_selection_init(cn_selection *selection, const cairn_filter *filter);

/** Select, unless that was done since the collection last changed. @return 0; CAIRN_ENOTFOUND where no image is
 * selected; errors of cairn_collection_select() */
int cn_selection_refresh(cn_selection *selection, cairn_collection *collection);

void cn_selection_free(cn_selection *selection); /**< harmless on a zeroed struct */

#endif
