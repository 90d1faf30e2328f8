/*
 * collection/keymap.h - a hash table from 16-byte keys to numbers: content hashes, hashes of paths, device and inode.
 */
#ifndef CN_COLLECTION_KEYMAP_H
#define CN_COLLECTION_KEYMAP_H

#include <stddef.h>
#include <stdint.h>

#include "util/status.h"

/** A key; two halves of an XXH128 hash, or any two numbers. */
typedef struct {
	uint64_t high, low;
} cn_key;

/** Open addressing with linear probing; start zeroed. */
typedef struct {
	struct cn_keymap_slot *slots;
	size_t count, capacity; /* capacity: 0 or a power of two */
} cn_keymap;

void cn_keymap_free(cn_keymap *map);

/** Borrowed pointer to the value, valid until the next put; NULL where the key is not there. */
uint64_t *cn_keymap_get(const cn_keymap *map, cn_key key);

/**
 * Put a value unless the key is there already.
 *
 * @param[out] value where the value of the key is now, valid until the next put; may be NULL
 * @return 1 if it was put, 0 if the key was there (its value stays), CAIRN_ENOMEM
 */
int cn_keymap_put(cn_keymap *map, cn_key key, uint64_t fresh, uint64_t **value);

/** XXH128 of some bytes. */
cn_key cn_key_of(const void *bytes, size_t length);

/** XXH128 of a file's content. @return 0; CAIRN_ENOTFOUND; CAIRN_EIO */
int cn_key_of_file(cn_key *out, const char *path);

int cn_key_equal(cn_key a, cn_key b);

#endif
