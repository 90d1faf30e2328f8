/*
 * A filter costs a scan of the catalogue, so it is asked once for all queries, and again only when the collection is
 * seen in another state.
 */
#include "search/selection.h"

#include "collection/handle.h"
#include "util/memory.h"

static int copy_labels(cn_selection *selection, const cairn_filter *filter)
{
	CN_NEW(selection->labels, filter->label_count, sizeof(*selection->labels));
	selection->filter.labels = (const char *const *)selection->labels;
	for (size_t i = 0; i < filter->label_count; i++) {
		selection->labels[i] = cn_strdup(filter->labels[i]);
		if (!selection->labels[i])
			return CAIRN_ENOMEM;
	}
	return 0;
}

static int copy_ids(cn_selection *selection, const cairn_filter *filter)
{
	CN_NEW(selection->wanted, filter->id_count, sizeof(*selection->wanted));
	selection->filter.ids = selection->wanted;
	for (size_t i = 0; i < filter->id_count; i++)
		selection->wanted[i] = filter->ids[i];
	return 0;
}

int cn_selection_init(cn_selection *selection, const cairn_filter *filter)
{
	CN_TRY(cn_filter_check(filter));
	selection->is_filtered = 1;
	selection->filter = *filter;
	if (filter->labels)
		CN_TRY(copy_labels(selection, filter));
	if (filter->ids)
		CN_TRY(copy_ids(selection, filter));
	if (filter->where) {
		selection->where = cn_strdup(filter->where);
		selection->filter.where = selection->where;
	}
	return filter->where && !selection->where ? CAIRN_ENOMEM : 0;
}

int cn_selection_refresh(cn_selection *selection, cairn_collection *collection)
{
	uint64_t generation = cn_collection_generation(collection);
	if (!selection->is_filtered || (selection->ids && selection->generation == generation))
		return 0;
	cn_free(selection->ids);
	selection->ids = NULL;
	CN_TRY(cairn_collection_select(collection, &selection->filter, &selection->ids, &selection->count));
	selection->generation = generation;
	if (selection->count)
		return 0;
	cn_free(selection->ids);
	selection->ids = NULL;
	return cn_fail(CAIRN_ENOTFOUND, "'%s': the filter selects no image", collection->folder);
}

void cn_selection_free(cn_selection *selection)
{
	for (size_t i = 0; selection->labels && i < selection->filter.label_count; i++)
		cn_free(selection->labels[i]);
	cn_free(selection->labels);
	cn_free(selection->wanted);
	cn_free(selection->where);
	cn_free(selection->ids);
	*selection = (cn_selection){ 0 };
}
