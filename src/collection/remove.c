/*
 * Removing images: tombstones in one transaction. The rows stay where they are until cairn_collection_compact().
 */
#include "collection/handle.h"

static int remove_all(cn_catalogue *catalogue, const int64_t *ids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int found;
		CN_TRY(cn_catalogue_remove(catalogue, ids[i], &found));
		if (!found)
			return cn_fail(CAIRN_ENOTFOUND, "no image has the id %lld; nothing was removed",
				       (long long)ids[i]);
	}
	return cn_catalogue_commit(catalogue);
}

int cairn_collection_remove(cairn_collection *collection, const int64_t *ids, size_t count)
{
	CN_TRY(cn_collection_expect_writable(collection));
	CN_TRY(cn_catalogue_begin(collection->catalogue));
	int status = remove_all(collection->catalogue, ids, count);
	if (status < 0) {
		cn_catalogue_rollback(collection->catalogue);
		return status;
	}
	return cn_collection_reload(collection);
}
