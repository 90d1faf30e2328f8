/*
 * Ids in ascending order.
 */
#include "util/ids.h"

#include <stdlib.h>

int cn_ids_compare(const void *left, const void *right)
{
	int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
	return (a > b) - (a < b);
}

size_t cn_ids_sort(int64_t *ids, size_t count)
{
	size_t kept = 0;
	if (count > 1)
		qsort(ids, count, sizeof(*ids), cn_ids_compare);
	for (size_t i = 0; i < count; i++)
		if (!kept || ids[kept - 1] != ids[i])
			ids[kept++] = ids[i];
	return kept;
}

size_t cn_ids_find(const int64_t *ids, size_t count, int64_t id)
{
	size_t begin = 0, end = count;
	while (begin < end) {
		size_t middle = begin + (end - begin) / 2;
		if (ids[middle] < id)
			begin = middle + 1;
		else
			end = middle;
	}
	return begin;
}

int cn_ids_have(const int64_t *ids, size_t count, int64_t id)
{
	size_t at = cn_ids_find(ids, count, id);
	return at < count && ids[at] == id;
}

int cn_ids_ascend(const int64_t *ids, size_t count, const char *what)
{
	if (count && !ids)
		return cn_fail(CAIRN_EINVALID, "%zu %s ids at NULL", count, what);
	for (size_t i = 1; i < count; i++)
		if (ids[i] <= ids[i - 1])
			return cn_fail(CAIRN_EINVALID, "%s ids must ascend; %lld follows %lld", what, (long long)ids[i],
				       (long long)ids[i - 1]);
	return 0;
}
