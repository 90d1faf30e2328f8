/*
 * Selecting images: each part of a filter gives ascending ids, and what all parts have in common is selected.
 */
#include <stdlib.h>

#include "collection/handle.h"
#include "util/ids.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/progress.h"

struct list {
	int64_t *ids;
	size_t count;
};

struct selection {
	cairn_collection *collection;
	const cairn_filter *filter;
	cn_progress progress;
	struct list list; /* selected so far; ids NULL: nothing was asked yet */
};

/* Both ascending; what they have in common stays in the first. */
static void intersect(struct list *list, const struct list *other)
{
	size_t kept = 0, at = 0;
	for (size_t i = 0; i < list->count; i++) {
		while (at < other->count && other->ids[at] < list->ids[i])
			at++;
		if (at < other->count && other->ids[at] == list->ids[i])
			list->ids[kept++] = list->ids[i];
	}
	list->count = kept;
}

/* Takes the ids of `part` over. */
static void narrow(struct selection *selection, struct list *part)
{
	if (!selection->list.ids) {
		selection->list = *part;
		return;
	}
	intersect(&selection->list, part);
	cn_free(part->ids);
}

/* ---- the parts ---- */

static void warn_of_label(const struct selection *selection, const char *label)
{
	if (*label)
		cn_log(CAIRN_LOG_WARNING, "'%s': no image has the label '%s'", selection->collection->folder, label);
	else
		cn_log(CAIRN_LOG_WARNING, "'%s': no image is without label", selection->collection->folder);
}

static int append(struct list *list, const struct list *more)
{
	size_t total;
	CN_TRY(cn_size_add(list->count, more->count, &total));
	int64_t *larger = cn_realloc(list->ids, total, sizeof(*larger));
	if (!larger)
		return CAIRN_ENOMEM;
	list->ids = larger;
	for (size_t i = 0; i < more->count; i++)
		list->ids[list->count++] = more->ids[i];
	return 0;
}

static int add_label(const struct selection *selection, const char *label, struct list *list)
{
	struct list more;
	CN_TRY(cn_catalogue_ids_of_label(selection->collection->catalogue, label, &more.ids, &more.count));
	if (!more.count)
		warn_of_label(selection, label);
	int status = append(list, &more);
	cn_free(more.ids);
	return status;
}

static int select_labels(struct selection *selection)
{
	const cairn_filter *filter = selection->filter;
	struct list list = { cn_alloc(0, sizeof(*list.ids)), 0 };
	int status = list.ids ? 0 : CAIRN_ENOMEM;
	for (size_t i = 0; i < filter->label_count && status == 0; i++)
		status = add_label(selection, filter->labels[i], &list);
	if (status < 0) {
		cn_free(list.ids);
		return status;
	}
	list.count = cn_ids_sort(list.ids, list.count);
	narrow(selection, &list);
	return 0;
}

static void warn_of_unknown(const struct selection *selection, size_t given, size_t known)
{
	if (known < given)
		cn_log(CAIRN_LOG_WARNING, "'%s': %zu of %zu ids are of no image", selection->collection->folder,
		       given - known, given);
}

static int select_ids(struct selection *selection)
{
	const cairn_filter *filter = selection->filter;
	struct list list = { cn_alloc(filter->id_count, sizeof(*list.ids)), filter->id_count }, live;
	if (!list.ids)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < list.count; i++)
		list.ids[i] = filter->ids[i];
	list.count = cn_ids_sort(list.ids, list.count);
	size_t given = list.count;
	int64_t first = given ? list.ids[0] : 0, last = given ? list.ids[given - 1] : 0;
	int status = cn_catalogue_ids(selection->collection->catalogue, first, last, 0, &live.ids, &live.count);
	if (status < 0) {
		cn_free(list.ids);
		return status;
	}
	intersect(&list, &live);
	cn_free(live.ids);
	warn_of_unknown(selection, given, list.count);
	narrow(selection, &list);
	return 0;
}

static int select_where(struct selection *selection, const char *expression)
{
	struct list list;
	CN_TRY(cn_catalogue_ids_where(selection->collection->catalogue, expression, &selection->progress, &list.ids,
				      &list.count));
	narrow(selection, &list);
	return 0;
}

static int select_all(struct selection *selection)
{
	return cn_catalogue_ids(selection->collection->catalogue, 1, INT64_MAX, 0, &selection->list.ids,
				&selection->list.count);
}

/* ---- the whole ---- */

int cn_filter_check(const cairn_filter *filter)
{
	if (filter->version != CAIRN_FILTER_VERSION)
		return cn_fail(CAIRN_EINVALID, "a filter of version %u, this library knows %d", filter->version,
			       CAIRN_FILTER_VERSION);
	for (size_t i = 0; i < filter->label_count && filter->labels; i++)
		if (!filter->labels[i])
			return cn_fail(CAIRN_EINVALID, "label %zu of the filter is NULL", i);
	for (size_t i = 0; i < filter->where_count; i++)
		if (!filter->where || !filter->where[i])
			return cn_fail(CAIRN_EINVALID, "condition %zu of the filter is NULL", i);
	return 0;
}

static int select_parts(struct selection *selection)
{
	const cairn_filter *filter = selection->filter;
	for (size_t i = 0; i < filter->where_count; i++)
		CN_TRY(select_where(selection, filter->where[i]));
	if (filter->labels)
		CN_TRY(select_labels(selection));
	if (filter->ids)
		CN_TRY(select_ids(selection));
	return selection->list.ids ? 0 : select_all(selection);
}

int cairn_collection_select(cairn_collection *collection, const cairn_filter *filter, int64_t **ids, size_t *count)
{
	static const cairn_filter everything = CAIRN_FILTER_INIT;
	struct selection selection = { .collection = collection, .filter = filter ? filter : &everything };
	*ids = NULL;
	*count = 0;
	CN_TRY(cn_filter_check(selection.filter));
	cn_progress_start(&selection.progress, selection.filter->progress, selection.filter->progress_payload,
			  "selecting images", 0);
	pthread_mutex_lock(&collection->mutex);
	int status = select_parts(&selection);
	pthread_mutex_unlock(&collection->mutex);
	cn_progress_end(&selection.progress);
	if (status < 0) {
		cn_free(selection.list.ids);
		return status;
	}
	*ids = selection.list.ids;
	*count = selection.list.count;
	return 0;
}
