/*
 * Lists of a block of images, and their files:
 *
 *     header | count of each list | items of the lists | CRC-32C of all before it
 */
#include "index/graph_state.h"

#include <math.h>
#include <string.h>

#include "util/crc.h"
#include "util/file.h"
#include "util/mapped.h"
#include "util/memory.h"

#define MAGIC   "CAIRNKNN"
#define VERSION 1

/* All numbers little endian, as the only machines that run cairn store them. */
struct header {
	char magic[8];
	uint32_t version;
	uint32_t keep;
	uint64_t block;
	uint64_t count; /* images */
	uint64_t step, ranked;
	uint64_t block_images;
	uint64_t among;
	uint8_t fingerprint[CN_FINGERPRINT_SIZE];
};

_Static_assert(sizeof(struct header) == 80, "the header has no holes");
_Static_assert(sizeof(cn_scored_row) == 8, "an item has no holes");

/* ---- in memory ---- */

int cn_graph_state_init(cn_graph_state *out, size_t room, size_t keep, int distinct)
{
	size_t items = 0;
	*out = (cn_graph_state){ .room = room, .block = SIZE_MAX, .distinct = distinct };
	CN_TRY(cn_shortlist_capacity(keep, &out->capacity));
	CN_TRY(cn_size_mul(room, out->capacity, &items));
	out->items = cn_alloc(items, sizeof(*out->items));
	out->lists = cn_alloc(room, sizeof(*out->lists));
	if (out->items && out->lists)
		return 0;
	cn_graph_state_free(out);
	return CAIRN_ENOMEM;
}

void cn_graph_state_free(cn_graph_state *state)
{
	cn_free(state->items);
	cn_free(state->lists);
	*state = (cn_graph_state){ .block = SIZE_MAX };
}

void cn_graph_state_start(cn_graph_state *state, const cn_graph_key *key, size_t block, size_t count)
{
	state->block = block;
	state->count = count;
	state->mark = (cn_graph_mark){ 0, 0 };
	state->is_changed = 0;
	for (size_t i = 0; i < count; i++) {
		cn_shortlist_place(&state->lists[i], key->keep, state->items + i * state->capacity, state->capacity);
		state->lists[i].distinct = state->distinct;
	}
}

/* ---- writing ---- */

struct writer {
	cn_atomic_file file;
	uint32_t crc;
};

static int put(struct writer *writer, const void *bytes, size_t length)
{
	writer->crc = cn_crc32c(writer->crc, bytes, length);
	return cn_atomic_write(&writer->file, bytes, length);
}

static int put_all(struct writer *writer, const struct header *header, const cn_graph_state *state)
{
	CN_TRY(put(writer, header, sizeof(*header)));
	for (size_t i = 0; i < state->count; i++) {
		uint32_t count = (uint32_t)state->lists[i].count;
		CN_TRY(put(writer, &count, sizeof(count)));
	}
	for (size_t i = 0; i < state->count; i++)
		CN_TRY(put(writer, state->lists[i].items, state->lists[i].count * sizeof(cn_scored_row)));
	uint32_t crc = writer->crc;
	return put(writer, &crc, sizeof(crc));
}

int cn_graph_state_save(cn_graph_state *state, const cn_graph_key *key, const char *path)
{
	struct header header = { .version = VERSION,
				 .keep = key->keep,
				 .block = state->block,
				 .count = state->count,
				 .step = state->mark.step,
				 .ranked = state->mark.ranked,
				 .block_images = key->block_images,
				 .among = key->among };
	struct writer writer = { .crc = 0 };
	memcpy(header.magic, MAGIC, sizeof(header.magic));
	memcpy(header.fingerprint, key->fingerprint, sizeof(header.fingerprint));
	for (size_t i = state->mark.ranked; i < state->count; i++)
		cn_shortlist_cut(&state->lists[i]);
	CN_TRY(cn_atomic_open(&writer.file, path));
	int status = put_all(&writer, &header, state);
	if (status == 0)
		status = cn_atomic_commit(&writer.file);
	cn_atomic_abort(&writer.file);
	if (status == 0)
		state->is_changed = 0;
	return status;
}

/* ---- reading ---- */

static int damaged(const char *name, const char *what)
{
	return cn_fail(CAIRN_EDAMAGED, "'%s' is damaged: %s", name, what);
}

static uint32_t count_at(const cn_graph_state_file *file, uint64_t i)
{
	uint32_t count;
	memcpy(&count, file->counts + i * sizeof(count), sizeof(count));
	return count;
}

/* @param length bytes of counts and items */
static int check_lists(const cn_graph_state_file *file, uint64_t length, const char *name)
{
	uint64_t items = 0;
	for (uint64_t i = 0; i < file->count; i++) {
		if (count_at(file, i) > file->key.keep)
			return damaged(name, "a list is too long");
		items += count_at(file, i);
	}
	if (items > length / sizeof(cn_scored_row) ||
	    length - file->count * sizeof(uint32_t) != items * sizeof(cn_scored_row))
		return damaged(name, "its length is not what its lists need");
	for (uint64_t i = 0; i < items; i++) {
		cn_scored_row item;
		memcpy(&item, file->items + i * sizeof(item), sizeof(item));
		if (item.row >= file->key.among || isnan(item.score))
			return damaged(name, "a list names what is not there");
	}
	return 0;
}

static void read_header(cn_graph_state_file *out, const struct header *header, const uint8_t *bytes)
{
	*out = (cn_graph_state_file){
		.key = { .block_images = header->block_images, .among = header->among, .keep = header->keep },
		.block = header->block,
		.count = header->count,
		.mark = { header->step, header->ranked },
		.counts = bytes + sizeof(*header)
	};
	memcpy(out->key.fingerprint, header->fingerprint, sizeof(out->key.fingerprint));
}

int cn_graph_state_parse(cn_graph_state_file *out, const void *bytes, size_t length, const char *name)
{
	struct header header;
	uint32_t crc;
	if (length < sizeof(header) + sizeof(crc))
		return damaged(name, "it ends too early");
	memcpy(&header, bytes, sizeof(header));
	memcpy(&crc, (const uint8_t *)bytes + length - sizeof(crc), sizeof(crc));
	if (memcmp(header.magic, MAGIC, sizeof(header.magic)) != 0 || header.version != VERSION)
		return damaged(name, "it does not begin as version 1 does");
	if (cn_crc32c(0, bytes, length - sizeof(crc)) != crc)
		return damaged(name, "its checksum differs");
	uint64_t left = length - sizeof(header) - sizeof(crc);
	if (header.count > left / sizeof(uint32_t))
		return damaged(name, "it ends too early");
	/* block_images, by which images are divided, is above 0 where the count is. */
	if (header.count == 0 || header.ranked > header.count || header.keep == 0 || header.block_images < header.count)
		return damaged(name, "its numbers contradict each other");
	read_header(out, &header, bytes);
	out->items = out->counts + out->count * sizeof(uint32_t);
	return check_lists(out, left, name);
}

static void take_lists(cn_graph_state *state, const cn_graph_state_file *file)
{
	const uint8_t *at = file->items;
	for (size_t i = 0; i < state->count; i++) {
		cn_shortlist *list = &state->lists[i];
		list->count = count_at(file, i);
		if (list->count)
			memcpy(list->items, at, list->count * sizeof(*list->items));
		at += list->count * sizeof(*list->items);
		cn_shortlist_tighten(list);
	}
}

int cn_graph_state_take(cn_graph_state *state, const cn_graph_state_file *file, const cn_graph_key *key, size_t block,
			size_t count, const char *name)
{
	if (file->block != block || file->count != count || file->key.block_images != key->block_images ||
	    file->key.keep != key->keep || file->key.among != key->among ||
	    memcmp(file->key.fingerprint, key->fingerprint, sizeof(key->fingerprint)) != 0)
		return damaged(name, "it is not of this block");
	cn_graph_state_start(state, key, block, count);
	state->mark = file->mark;
	take_lists(state, file);
	return 0;
}

int cn_graph_state_load(cn_graph_state *state, const cn_graph_key *key, size_t block, size_t count, const char *path)
{
	cn_mapped mapped;
	cn_graph_state_file file;
	CN_TRY(cn_mapped_open(&mapped, path));
	int status = cn_graph_state_parse(&file, mapped.bytes, mapped.length, path);
	if (status == 0)
		status = cn_graph_state_take(state, &file, key, block, count, path);
	cn_mapped_close(&mapped);
	return status;
}

int cn_graph_state_inspect(const char *path, cn_graph_key *key, uint64_t *block, uint64_t *count, cn_graph_mark *mark)
{
	cn_mapped mapped;
	cn_graph_state_file file;
	CN_TRY(cn_mapped_open(&mapped, path));
	int status = cn_graph_state_parse(&file, mapped.bytes, mapped.length, path);
	cn_mapped_close(&mapped);
	CN_TRY(status);
	*key = file.key;
	*block = file.block;
	*count = file.count;
	*mark = file.mark;
	return 0;
}
