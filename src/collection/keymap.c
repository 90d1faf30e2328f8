/*
 * Hash table with 16-byte keys. Keys are hashes or inode numbers; they are mixed once more, so that inode numbers that
 * lie close together do not fill neighbouring slots.
 */
#include "collection/keymap.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include "util/memory.h"

#define READ_BLOCK ((size_t)1 << 18)

struct cn_keymap_slot {
	cn_key key;
	uint64_t value;
	int used;
};

void cn_keymap_free(cn_keymap *map)
{
	cn_free(map->slots);
	*map = (cn_keymap){ 0 };
}

int cn_key_equal(cn_key a, cn_key b)
{
	return a.high == b.high && a.low == b.low;
}

static struct cn_keymap_slot *find(const cn_keymap *map, cn_key key)
{
	size_t mask = map->capacity - 1;
	size_t at = (size_t)((key.low ^ (key.high * 0x9e3779b97f4a7c15u)) * 0xbf58476d1ce4e5b9u >> 20) & mask;
	while (map->slots[at].used && !cn_key_equal(map->slots[at].key, key))
		at = (at + 1) & mask;
	return &map->slots[at];
}

uint64_t *cn_keymap_get(const cn_keymap *map, cn_key key)
{
	if (map->count == 0)
		return NULL;
	struct cn_keymap_slot *slot = find(map, key);
	return slot->used ? &slot->value : NULL;
}

static int grow(cn_keymap *map)
{
	cn_keymap larger = { NULL, map->count, map->capacity ? 2 * map->capacity : 64 };
	CN_NEW(larger.slots, larger.capacity, sizeof(*larger.slots));
	for (size_t i = 0; i < map->capacity; i++) {
		if (map->slots[i].used)
			*find(&larger, map->slots[i].key) = map->slots[i];
	}
	cn_free(map->slots);
	*map = larger;
	return 0;
}

int cn_keymap_put(cn_keymap *map, cn_key key, uint64_t fresh, uint64_t **value)
{
	if (2 * (map->count + 1) > map->capacity)
		CN_TRY(grow(map));
	struct cn_keymap_slot *slot = find(map, key);
	if (value)
		*value = &slot->value;
	if (slot->used)
		return 0;
	*slot = (struct cn_keymap_slot){ key, fresh, 1 };
	map->count++;
	return 1;
}

static cn_key from_hash(XXH128_hash_t hash)
{
	return (cn_key){ hash.high64, hash.low64 };
}

cn_key cn_key_of(const void *bytes, size_t length)
{
	return from_hash(XXH3_128bits(bytes, length));
}

static int hash_stream(int file, const char *path, XXH3_state_t *state, void *block)
{
	for (;;) {
		ssize_t got = read(file, block, READ_BLOCK);
		if (got == 0)
			return 0;
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return cn_fail_errno("cannot read '%s'", path);
		XXH3_128bits_update(state, block, (size_t)got);
	}
}

int cn_key_of_file(cn_key *out, const char *path)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return cn_fail_errno("cannot open '%s'", path);
	int status = 0;
	XXH3_state_t *state = XXH3_createState();
	void *block = cn_alloc(READ_BLOCK, 1);
	if (!state || !block) {
		status = cn_fail(CAIRN_ENOMEM, "no memory to hash '%s'", path);
	} else {
		XXH3_128bits_reset(state);
		status = hash_stream(file, path, state, block);
		*out = from_hash(XXH3_128bits_digest(state));
	}
	cn_free(block);
	XXH3_freeState(state);
	close(file);
	return status;
}
