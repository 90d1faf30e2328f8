/*
 * util/ids.h - image ids in ascending order.
 */
#ifndef CN_UTIL_IDS_H
#define CN_UTIL_IDS_H

#include <stddef.h>
#include <stdint.h>

#include "util/status.h"

/** Smaller ids first; for qsort() and bsearch(). */
int cn_ids_compare(const void *left, const void *right);

/** Index of the first of the ascending ids that is not below `id`; `count` if there is none. */
size_t cn_ids_find(const int64_t *ids, size_t count, int64_t id);

/** Whether `id` is one of the ascending ids, which may be NULL where there are none. */
int cn_ids_have(const int64_t *ids, size_t count, int64_t id);

/** Put ids in ascending order, each once. @return how many are left */
size_t cn_ids_sort(int64_t *ids, size_t count);

/** CAIRN_EINVALID unless each id is above the one before. @param what they are called in the error */
int cn_ids_ascend(const int64_t *ids, size_t count, const char *what);

#endif
