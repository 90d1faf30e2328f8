/*
 * model/name_set.h - a set of names, borrowed, numbered in the order in which they came.
 */
#ifndef CN_MODEL_NAME_SET_H
#define CN_MODEL_NAME_SET_H

#include <stddef.h>

#include "util/status.h"

typedef struct {
	const char *name; /* NULL: empty */
	size_t number;
} cn_name_slot;

/** Start zeroed. The names must outlive the set. */
typedef struct {
	cn_name_slot *slots; /* open addressing */
	size_t capacity, count;
} cn_name_set;

/** @return 1 if it was added, 0 if it was there, CAIRN_ENOMEM */
int cn_name_set_add(cn_name_set *set, const char *name);
int cn_name_set_has(const cn_name_set *set, const char *name);

/** How many were there before it; set->count where it is not there. */
size_t cn_name_set_number(const cn_name_set *set, const char *name);
void cn_name_set_free(cn_name_set *set);

#endif
