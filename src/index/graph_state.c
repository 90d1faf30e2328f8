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
_Static_assert(sizeof(cn_hit) == 8, "an item has no holes");

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
		CN_TRY(put(writer, state->lists[i].items, state->lists[i].count * sizeof(cn_hit)));
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

/* A mapped file whose every byte was checked. */
struct reader {
	cn_mapped file;
	struct header header;
	const uint8_t *counts, *items;
};

static int damaged(const char *path, const char *what)
{
	return cn_fail(CAIRN_EDAMAGED, "'%s' is damaged: %s", path, what);
}

static uint32_t count_at(const struct reader *reader, uint64_t i)
{
	uint32_t count;
	memcpy(&count, reader->counts + i * sizeof(count), sizeof(count));
	return count;
}

static int check_sizes(struct reader *reader, const char *path)
{
	const struct header *header = &reader->header;
	uint64_t left = reader->file.length - sizeof(*header) - sizeof(uint32_t), items = 0;
	if (header->count > left / sizeof(uint32_t))
		return damaged(path, "it ends too early");
	if (header->ranked > header->count || header->keep == 0 || header->block_images < header->count)
		return damaged(path, "its numbers contradict each other");
	reader->counts = reader->file.bytes + sizeof(*header);
	reader->items = reader->counts + header->count * sizeof(uint32_t);
	for (uint64_t i = 0; i < header->count; i++) {
		if (count_at(reader, i) > header->keep)
			return damaged(path, "a list is too long");
		items += count_at(reader, i);
	}
	if (left - header->count * sizeof(uint32_t) != items * sizeof(cn_hit))
		return damaged(path, "its length is not what its lists need");
	for (uint64_t i = 0; i < items; i++) {
		cn_hit item;
		memcpy(&item, reader->items + i * sizeof(item), sizeof(item));
		if (item.row >= header->among || isnan(item.score))
			return damaged(path, "a list names what is not there");
	}
	return 0;
}

static int check(struct reader *reader, const char *path)
{
	const cn_mapped *file = &reader->file;
	uint32_t crc;
	if (file->length < sizeof(reader->header) + sizeof(crc))
		return damaged(path, "it ends too early");
	memcpy(&reader->header, file->bytes, sizeof(reader->header));
	memcpy(&crc, file->bytes + file->length - sizeof(crc), sizeof(crc));
	if (memcmp(reader->header.magic, MAGIC, sizeof(reader->header.magic)) != 0 || reader->header.version != VERSION)
		return damaged(path, "it does not begin as version 1 does");
	if (cn_crc32c(0, file->bytes, file->length - sizeof(crc)) != crc)
		return damaged(path, "its checksum differs");
	return check_sizes(reader, path);
}

static int open_state(struct reader *reader, const char *path)
{
	CN_TRY(cn_mapped_open(&reader->file, path));
	int status = check(reader, path);
	if (status < 0)
		cn_mapped_close(&reader->file);
	return status;
}

static void take_lists(cn_graph_state *state, const struct reader *reader)
{
	const uint8_t *at = reader->items;
	for (size_t i = 0; i < state->count; i++) {
		cn_shortlist *list = &state->lists[i];
		list->count = count_at(reader, i);
		if (list->count)
			memcpy(list->items, at, list->count * sizeof(*list->items));
		at += list->count * sizeof(*list->items);
		cn_shortlist_tighten(list);
	}
}

int cn_graph_state_load(cn_graph_state *state, const cn_graph_key *key, size_t block, size_t count, const char *path)
{
	struct reader reader = { .counts = NULL };
	CN_TRY(open_state(&reader, path));
	const struct header *header = &reader.header;
	int status = 0;
	if (header->block != block || header->count != count || header->block_images != key->block_images ||
	    header->keep != key->keep || header->among != key->among ||
	    memcmp(header->fingerprint, key->fingerprint, sizeof(header->fingerprint)) != 0)
		status = damaged(path, "it is not of this block");
	if (status == 0) {
		cn_graph_state_start(state, key, block, count);
		state->mark = (cn_graph_mark){ header->step, header->ranked };
		take_lists(state, &reader);
	}
	cn_mapped_close(&reader.file);
	return status;
}

int cn_graph_state_inspect(const char *path, cn_graph_key *key, uint64_t *block, uint64_t *count, cn_graph_mark *mark)
{
	struct reader reader = { .counts = NULL };
	CN_TRY(open_state(&reader, path));
	const struct header *header = &reader.header;
	*key = (cn_graph_key){ .block_images = header->block_images, .among = header->among, .keep = header->keep };
	memcpy(key->fingerprint, header->fingerprint, sizeof(key->fingerprint));
	*block = header->block;
	*count = header->count;
	*mark = (cn_graph_mark){ header->step, header->ranked };
	cn_mapped_close(&reader.file);
	return 0;
}
