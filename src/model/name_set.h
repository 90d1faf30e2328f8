/*
 * model/name_set.h - a set of names, borrowed.
 */
#ifndef CN_MODEL_NAME_SET_H
#define CN_MODEL_NAME_SET_H

#include <stddef.h>

#include "util/status.h"

/** Start zeroed. The names must outlive the set. */
typedef struct {
	const char **slots; /* open addressing, NULL where empty */
	size_t capacity, count;
} cn_name_set;

/** @return 1 if it was added, 0 if it was there, CAIRN_ENOMEM */
int cn_name_set_add(cn_name_set *set, const char *name);
int cn_name_set_has(const cn_name_set *set, const char *name);
void cn_name_set_free(cn_name_set *set);

#endif
