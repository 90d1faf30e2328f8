/*
 * Names in an open-addressing hash table that is at most half full.
 */
#include "model/name_set.h"

#include <string.h>
#include <xxhash.h>

#include "util/memory.h"

static size_t find_slot(const cn_name_slot *slots, size_t capacity, const char *name)
{
	size_t at = (size_t)XXH3_64bits(name, strlen(name)) & (capacity - 1);
	while (slots[at].name && strcmp(slots[at].name, name) != 0)
		at = (at + 1) & (capacity - 1);
	return at;
}

static int grow(cn_name_set *set)
{
	size_t capacity = set->capacity ? set->capacity * 2 : 64;
	cn_name_slot *slots = cn_alloc_zero(capacity, sizeof(*slots));
	if (!slots)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < set->capacity; i++)
		if (set->slots[i].name)
			slots[find_slot(slots, capacity, set->slots[i].name)] = set->slots[i];
	cn_free(set->slots);
	set->slots = slots;
	set->capacity = capacity;
	return 0;
}

int cn_name_set_add(cn_name_set *set, const char *name)
{
	if (set->count * 2 >= set->capacity)
		CN_TRY(grow(set));
	size_t at = find_slot(set->slots, set->capacity, name);
	if (set->slots[at].name)
		return 0;
	set->slots[at] = (cn_name_slot){ name, set->count++ };
	return 1;
}

int cn_name_set_has(const cn_name_set *set, const char *name)
{
	return cn_name_set_number(set, name) < set->count;
}

size_t cn_name_set_number(const cn_name_set *set, const char *name)
{
	if (!set->capacity)
		return set->count;
	const cn_name_slot *slot = &set->slots[find_slot(set->slots, set->capacity, name)];
	return slot->name ? slot->number : set->count;
}

void cn_name_set_free(cn_name_set *set)
{
	cn_free(set->slots);
	memset(set, 0, sizeof(*set));
}
