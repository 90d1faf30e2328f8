/*
 * A state of a kNN graph of arbitrary bytes: refused with a text, or read, and then its lists name images that there
 * are and go on taking others.
 *
 * The checksum would keep a fuzzer out, so it is put right before the bytes are tried again.
 */
#include <math.h>
#include <string.h>

#include "cairn/error.h"
#include "index/graph_state.h"
#include "target.h"
#include "util/crc.h"
#include "util/memory.h"

int fuzz_accepted;

enum { MOST_IMAGES = 256, MOST_KEPT = 256 };

static void check_list(const cn_shortlist *list, const cn_graph_key *key)
{
	FUZZ_CHECK(list->count <= key->keep && list->keep == key->keep);
	for (size_t i = 0; i < list->count; i++) {
		FUZZ_CHECK(list->items[i].row < key->among && !isnan(list->items[i].score));
		FUZZ_CHECK(list->count < list->keep || list->items[i].score >= list->threshold);
	}
}

/* As many images as a list has room for, so that it is cut. */
static void go_on(cn_shortlist *list, const cn_graph_key *key)
{
	for (size_t i = 0; i <= list->capacity; i++)
		cn_shortlist_push(list, (float)(i % 5) - 2, (uint32_t)(i % key->among));
	cn_shortlist_cut(list);
	check_list(list, key);
	for (size_t i = 0; i < list->count && list->distinct; i++)
		for (size_t j = 0; j < i; j++)
			FUZZ_CHECK(list->items[i].row != list->items[j].row);
}

static void take(const cn_graph_state_file *file, int distinct)
{
	cn_graph_state state;
	cn_graph_key other = file->key;
	other.fingerprint[CN_FINGERPRINT_SIZE - 1] ^= 1;
	FUZZ_CHECK(cn_graph_state_init(&state, file->count, file->key.keep, distinct) == 0);
	FUZZ_CHECK(cn_graph_state_take(&state, file, &other, file->block, file->count, "fuzz") == CAIRN_EDAMAGED);
	FUZZ_CHECK(cn_graph_state_take(&state, file, &file->key, file->block + 1, file->count, "fuzz") ==
		   CAIRN_EDAMAGED);
	FUZZ_CHECK(state.block == SIZE_MAX && cairn_last_error()[0]);
	FUZZ_CHECK(cn_graph_state_take(&state, file, &file->key, file->block, file->count, "fuzz") == 0);
	FUZZ_CHECK(state.block == file->block && state.count == file->count && state.mark.ranked <= state.count);
	for (size_t i = 0; i < state.count; i++) {
		check_list(&state.lists[i], &file->key);
		if (file->key.among)
			go_on(&state.lists[i], &file->key);
	}
	cn_graph_state_free(&state);
}

static void try_state(const uint8_t *bytes, size_t size)
{
	cn_graph_state_file file;
	if (cn_graph_state_parse(&file, bytes, size, "fuzz") < 0) {
		FUZZ_CHECK(cairn_last_error()[0]);
		return;
	}
	fuzz_accepted = 1;
	/* Images are divided by it into blocks. */
	FUZZ_CHECK(file.key.block_images > 0 && file.count <= file.key.block_images);
	FUZZ_CHECK(file.mark.ranked <= file.count);
	/* What is wanted of a run bounds what it takes; here it would be the file itself. */
	for (int distinct = 0; distinct < 2 && file.count <= MOST_IMAGES && file.key.keep <= MOST_KEPT; distinct++)
		take(&file, distinct);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t crc;
	fuzz_accepted = 0;
	try_state(data, size);
	if (size < sizeof(crc))
		return 0;
	uint8_t *bytes = cn_alloc(size, 1);
	FUZZ_CHECK(bytes);
	memcpy(bytes, data, size - sizeof(crc));
	crc = cn_crc32c(0, bytes, size - sizeof(crc));
	memcpy(bytes + size - sizeof(crc), &crc, sizeof(crc));
	try_state(bytes, size);
	cn_free(bytes);
	return 0;
}
