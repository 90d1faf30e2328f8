/*
 * A filter costs a scan of the catalogue, so it is asked once for all queries, and again only when the collection is
 * seen in another state.
 */
#include "search/selection.h"

#include "collection/handle.h"
#include "util/memory.h"

/* @param[out] copy count texts, as far as they were copied also after a failure */
static int copy_texts(const char *const *texts, size_t count, char ***copy)
{
	CN_NEW(*copy, count, sizeof(**copy));
	for (size_t i = 0; i < count; i++) {
		(*copy)[i] = cn_strdup(texts[i]);
		if (!(*copy)[i])
			return CAIRN_ENOMEM;
	}
	return 0;
}

static void free_texts(char **texts, size_t count)
{
	for (size_t i = 0; texts && i < count; i++)
		cn_free(texts[i]);
	cn_free(texts);
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
		CN_TRY(copy_texts(filter->labels, filter->label_count, &selection->labels));
	selection->filter.labels = (const char *const *)selection->labels;
	if (filter->ids)
		CN_TRY(copy_ids(selection, filter));
	CN_TRY(copy_texts(filter->where, filter->where_count, &selection->where));
	selection->filter.where = (const char *const *)selection->where;
	return 0;
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
	free_texts(selection->labels, selection->filter.label_count);
	free_texts(selection->where, selection->filter.where_count);
	cn_free(selection->wanted);
	cn_free(selection->ids);
	*selection = (cn_selection){ 0 };
}
