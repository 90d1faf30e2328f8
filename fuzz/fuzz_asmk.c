/*
 * ASMK files of arbitrary bytes: refused with a text, or opened, and then each list is refused with a text or lies
 * within the bytes, with images that ascend within their block.
 *
 * Checksums would keep a fuzzer out, so they are put right before the bytes are tried again.
 */
#include <string.h>

#include "cairn/error.h"
#include "index/asmk_file.h"
#include "target.h"
#include "util/crc.h"
#include "util/memory.h"

int fuzz_accepted;

static void check_postings(const cn_asmk_file *file, const cn_asmk_block *block, const cn_asmk_postings *postings)
{
	volatile uint8_t sum = 0;
	size_t length = postings->count * cn_asmk_posting_size(file->header->dim, file->binary);
	FUZZ_CHECK(postings->count > 0 && (postings->scales == NULL) == file->binary);
	for (size_t i = 0; i < length; i++)
		sum = (uint8_t)(sum + postings->codes[i]);
	FUZZ_CHECK(postings->images + postings->count * sizeof(uint16_t) == postings->codes + length);
	for (size_t i = 0; i < postings->count; i++) {
		uint16_t image;
		memcpy(&image, postings->images + i * sizeof(image), sizeof(image));
		FUZZ_CHECK(image < block->images);
	}
}

static void read_all(const uint8_t *bytes, size_t size)
{
	cn_asmk_file file;
	int64_t last = -1;
	if (cn_asmk_file_parse(&file, bytes, size, "fuzz") < 0) {
		FUZZ_CHECK(cairn_last_error()[0] && !file.blocks && !file.name);
		return;
	}
	fuzz_accepted = 1;
	for (size_t b = 0; b < file.header->blocks; b++) {
		const cn_asmk_block *block = &file.blocks[b];
		for (size_t i = 0; i < block->images; i++) {
			FUZZ_CHECK(block->ids[i] > last);
			last = block->ids[i];
		}
		for (size_t i = 0; i < block->list_count; i++) {
			cn_asmk_postings postings;
			int status = cn_asmk_file_list(&file, block, i, &postings);
			FUZZ_CHECK(block->lists[i].word < file.header->words);
			FUZZ_CHECK(status == 0 || cairn_last_error()[0]);
			fuzz_accepted &= status == 0;
			if (status == 0)
				check_postings(&file, block, &postings);
		}
	}
	FUZZ_CHECK(cn_asmk_files_distinct(&file, 1) == 0 && cn_asmk_file_fits(&file, &file) == 0);
	cn_asmk_file_close(&file);
}

static uint32_t crc_of(const uint8_t *bytes, size_t length)
{
	return cn_crc32c(0, bytes, length);
}

/* Checksums of the lists and the head of a block, as far as it lies within the bytes. */
static void seal_block(uint8_t *bytes, size_t size, const cn_asmk_header *header, cn_asmk_entry *entry)
{
	size_t posting = cn_asmk_posting_size(header->dim, header->flags & CN_ASMK_BINARY);
	uint64_t head = cn_asmk_head_size(entry->images, entry->lists), begin = 0;
	if (entry->offset > size || head > size - entry->offset)
		return;
	uint8_t *block = bytes + entry->offset, *postings = block + head;
	uint64_t room = (size - entry->offset - head) / posting;
	for (uint32_t i = 0; i < entry->lists; i++) {
		uint8_t *place = block + cn_asmk_head_size(entry->images, i);
		cn_asmk_list list;
		memcpy(&list, place, sizeof(list));
		if (list.end < begin || list.end > room)
			break;
		list.crc = crc_of(postings + begin * posting, (list.end - begin) * posting);
		memcpy(place, &list, sizeof(list));
		begin = list.end;
	}
	entry->crc = crc_of(block, head);
}

/* Length and checksums as a writer of these bytes would have put them. */
static void seal(uint8_t *bytes, size_t size)
{
	cn_asmk_header header;
	memcpy(&header, bytes, sizeof(header));
	header.length = size;
	if (header.table >= sizeof(header) && header.table <= size && header.dim >= 1 &&
	    header.dim <= CN_FEATURES_DIM_MAX) {
		for (size_t at = header.table; size - at >= sizeof(cn_asmk_entry); at += sizeof(cn_asmk_entry)) {
			cn_asmk_entry entry;
			memcpy(&entry, bytes + at, sizeof(entry));
			seal_block(bytes, size, &header, &entry);
			memcpy(bytes + at, &entry, sizeof(entry));
		}
		header.table_crc = crc_of(bytes + header.table, size - header.table);
	}
	memcpy(bytes, &header, sizeof(header));
	header.header_crc = crc_of(bytes, offsetof(cn_asmk_header, header_crc));
	memcpy(bytes, &header, sizeof(header));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Files are aligned as a mapped file is. */
	uint8_t *bytes = cn_alloc_aligned(size, 1);
	FUZZ_CHECK(bytes);
	fuzz_accepted = 0;
	if (size)
		memcpy(bytes, data, size);
	read_all(bytes, size);
	if (size >= sizeof(cn_asmk_header)) {
		seal(bytes, size);
		read_all(bytes, size);
	}
	cn_free(bytes);
	return 0;
}
