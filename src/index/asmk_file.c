/*
 * Reading of ASMK files: inverted lists of aggregated residuals.
 *
 *   +--------+---------+-----+---------+-------+
 *   | header | block 0 | ... | block n | table |
 *   +--------+---------+-----+---------+-------+
 *   block: ids (int64 an image), numbers of words (uint32 an image), directory (12 bytes a list), postings, zeros up to
 *          a multiple of 8
 *
 * Checksums: header over itself, header over table, table over what stands before a block's postings, directory over
 * each list. A search reads a small part of all lists, so that each is checked when it is needed first.
 */
#include "index/asmk_file.h"

#include <stdlib.h>
#include <string.h>

#include "util/crc.h"
#include "util/ids.h"
#include "util/memory.h"

static size_t posting_size(const cn_asmk_file *file)
{
	return cn_asmk_posting_size(file->header->dim, file->binary);
}

/* ---- opening ---- */

static int check_header(const cn_asmk_header *header, size_t length, const char *name)
{
	if (length < sizeof(*header) || memcmp(header->magic, CN_ASMK_MAGIC, sizeof(header->magic)) != 0)
		return cn_fail(CAIRN_EDAMAGED, "'%s' (%zu bytes) is no ASMK file", name, length);
	if (header->header_crc != cn_crc32c(0, header, offsetof(cn_asmk_header, header_crc)))
		return cn_fail(CAIRN_EDAMAGED, "'%s': the header fails its checksum", name);
	if (header->version != CN_ASMK_VERSION)
		return cn_fail(CAIRN_EUNSUPPORTED, "'%s' is an ASMK file of version %u, this cairn knows version %d",
			       name, header->version, CN_ASMK_VERSION);
	if (header->length != length)
		return cn_fail(CAIRN_EDAMAGED, "'%s' has %zu bytes, its header says %llu", name, length,
			       (unsigned long long)header->length);
	if (header->dim < 1 || header->dim > CN_FEATURES_DIM_MAX || header->words < 1 ||
	    header->words > CAIRN_CODEBOOK_MAX_WORDS || header->flags > (CN_ASMK_BINARY | CN_ASMK_REGIONAL) ||
	    !header->kind[0] || header->kind[sizeof(header->kind) - 1] || header->table < sizeof(*header) ||
	    header->table > length || header->table % 8 || (length - header->table) % sizeof(cn_asmk_entry) ||
	    (length - header->table) / sizeof(cn_asmk_entry) != header->blocks)
		return cn_fail(CAIRN_EDAMAGED, "'%s': the header contradicts itself", name);
	return 0;
}

static int bad_block(const cn_asmk_file *file, size_t number, const char *what)
{
	return cn_fail(CAIRN_EDAMAGED, "'%s': block %zu: %s", file->name, number, what);
}

static int check_block(const cn_asmk_file *file, size_t number, int64_t last)
{
	const cn_asmk_block *block = &file->blocks[number];
	uint64_t sum = 0, before = 0;
	for (size_t i = 0; i < block->images; i++) {
		if (block->ids[i] <= last)
			return bad_block(file, number, "image ids do not ascend");
		last = block->ids[i];
		sum += block->counts[i];
	}
	for (size_t i = 0; i < block->list_count; i++) {
		if (block->lists[i].word >= file->header->words || block->lists[i].end <= before ||
		    (i && block->lists[i].word <= block->lists[i - 1].word))
			return bad_block(file, number, "the directory contradicts itself");
		before = block->lists[i].end;
	}
	if (sum != block->postings || before != block->postings)
		return bad_block(file, number, "the numbers of postings contradict each other");
	return 0;
}

static int open_block(cn_asmk_file *file, size_t number, const cn_asmk_entry *entry, uint64_t room)
{
	cn_asmk_block *block = &file->blocks[number];
	const uint8_t *bytes = file->bytes + entry->offset;
	uint64_t head = cn_asmk_head_size(entry->images, entry->lists),
		 size = cn_asmk_block_size(entry, posting_size(file));
	int64_t last = number ? block[-1].ids[block[-1].images - 1] : -1;
	if (entry->images < 1 || entry->images > CN_ASMK_BLOCK_IMAGES || size > room)
		return bad_block(file, number, "its entry in the table contradicts the others");
	if (cn_crc32c(0, bytes, head) != entry->crc)
		return bad_block(file, number, "it fails its checksum");
	for (uint64_t i = head + (uint64_t)entry->postings * posting_size(file); i < size; i++)
		if (bytes[i])
			return bad_block(file, number, "its end is not zero");
	*block = (cn_asmk_block){
		.ids = (const void *)bytes,
		.counts = (const void *)(bytes + entry->images * sizeof(int64_t)),
		.lists = (const void *)(bytes + entry->images * (sizeof(int64_t) + sizeof(uint32_t))),
		.bytes = bytes + head,
		.images = entry->images,
		.list_count = entry->lists,
		.postings = entry->postings,
		.checked = cn_alloc_zero(entry->lists, 1),
	};
	return block->checked ? check_block(file, number, last) : CAIRN_ENOMEM;
}

static int open_blocks(cn_asmk_file *file)
{
	const cn_asmk_header *header = file->header;
	const cn_asmk_entry *table = (const void *)(file->bytes + header->table);
	uint64_t offset = sizeof(*header), images = 0;
	if (cn_crc32c(0, table, header->blocks * sizeof(*table)) != header->table_crc)
		return cn_fail(CAIRN_EDAMAGED, "'%s': the table fails its checksum", file->name);
	CN_NEW(file->blocks, header->blocks, sizeof(*file->blocks));
	for (size_t i = 0; i < header->blocks; i++) {
		if (table[i].offset != offset)
			return bad_block(file, i, "its entry in the table contradicts the others");
		CN_TRY(open_block(file, i, &table[i], header->table - offset));
		offset += cn_asmk_block_size(&table[i], posting_size(file));
		images += table[i].images;
	}
	if (offset != header->table || images != header->images)
		return cn_fail(CAIRN_EDAMAGED, "'%s': header and blocks contradict each other", file->name);
	return 0;
}

int cn_asmk_file_parse(cn_asmk_file *out, const void *bytes, size_t length, const char *name)
{
	memset(out, 0, sizeof(*out));
	CN_TRY(check_header(bytes, length, name));
	out->bytes = bytes;
	out->header = bytes;
	out->binary = (out->header->flags & CN_ASMK_BINARY) != 0;
	out->regional = (out->header->flags & CN_ASMK_REGIONAL) != 0;
	out->code_size = cn_asmk_code_size(out->header->dim, out->binary);
	out->name = cn_strdup(name);
	int status = out->name ? open_blocks(out) : CAIRN_ENOMEM;
	if (status < 0)
		cn_asmk_file_close(out);
	return status;
}

int cn_asmk_file_open(cn_asmk_file *out, const char *path)
{
	cn_mapped file;
	memset(out, 0, sizeof(*out));
	CN_TRY(cn_mapped_open(&file, path));
	int status = cn_asmk_file_parse(out, file.bytes, file.length, path);
	if (status < 0)
		cn_mapped_close(&file);
	else
		out->file = file;
	return status;
}

void cn_asmk_file_close(cn_asmk_file *file)
{
	for (size_t i = 0; file->blocks && i < file->header->blocks; i++)
		cn_free(file->blocks[i].checked);
	cn_free(file->blocks);
	cn_free(file->name);
	cn_mapped_close(&file->file);
	memset(file, 0, sizeof(*file));
}

/* ---- lists ---- */

static int check_list(const cn_asmk_file *file, const cn_asmk_block *block, size_t i, const cn_asmk_postings *postings)
{
	const cn_asmk_list *list = &block->lists[i];
	uint16_t image = 0, before = 0;
	int ascending = 1;
	for (size_t p = 0; p < postings->count; p++) {
		memcpy(&image, postings->images + p * sizeof(image), sizeof(image));
		ascending &= p == 0 || image > before;
		before = image;
	}
	if (cn_crc32c(0, postings->codes, postings->count * posting_size(file)) != list->crc)
		return cn_fail(CAIRN_EDAMAGED, "'%s': the list of word %u in block %zu fails its checksum", file->name,
			       list->word, (size_t)(block - file->blocks));
	if (!ascending || image >= block->images)
		return cn_fail(CAIRN_EDAMAGED, "'%s': the list of word %u in block %zu contradicts itself", file->name,
			       list->word, (size_t)(block - file->blocks));
	return 0;
}

int cn_asmk_file_list(const cn_asmk_file *file, const cn_asmk_block *block, size_t i, cn_asmk_postings *out)
{
	size_t begin = i ? block->lists[i - 1].end : 0, count = block->lists[i].end - begin;
	out->codes = block->bytes + begin * posting_size(file);
	out->scales = file->binary ? NULL : out->codes + count * file->code_size;
	out->images = out->codes + count * (posting_size(file) - sizeof(uint16_t));
	out->count = count;
	if (__atomic_load_n(&block->checked[i], __ATOMIC_RELAXED))
		return 0;
	CN_TRY(check_list(file, block, i, out));
	__atomic_store_n(&block->checked[i], 1, __ATOMIC_RELAXED);
	return 0;
}

/* ---- files together ---- */

int cn_asmk_file_fits(const cn_asmk_file *file, const cn_asmk_file *other)
{
	const cn_asmk_header *a = file->header, *b = other->header;
	if (strcmp(a->kind, b->kind) != 0 || a->dim != b->dim || a->flags != b->flags)
		return cn_fail(CAIRN_EINVALID, "'%s' holds '%s' features of %u dimensions, %s%s, '%s' others",
			       file->name, a->kind, a->dim, file->binary ? "binary" : "bytes",
			       file->regional ? " and regional" : "", other->name);
	if (a->words != b->words || a->codebook_crc != b->codebook_crc)
		return cn_fail(CAIRN_EINVALID, "'%s' and '%s' were made with different codebooks", file->name,
			       other->name);
	return 0;
}

struct range {
	const cn_asmk_file *file;
	const cn_asmk_block *block;
};

static int by_first_id(const void *left, const void *right)
{
	int64_t a = ((const struct range *)left)->block->ids[0], b = ((const struct range *)right)->block->ids[0];
	return (a > b) - (a < b);
}

/* Blocks of files that were written one after another do not overlap, so mostly nothing is compared. */
static int check_overlap(const struct range *ranges, size_t count)
{
	for (size_t a = 0; a < count; a++) {
		const cn_asmk_block *block = ranges[a].block;
		int64_t last = block->ids[block->images - 1];
		for (size_t b = a + 1; b < count && ranges[b].block->ids[0] <= last; b++)
			for (size_t i = 0; i < ranges[b].block->images && ranges[b].block->ids[i] <= last; i++)
				if (cn_ids_have(block->ids, block->images, ranges[b].block->ids[i]))
					return cn_fail(CAIRN_EINVALID, "image %lld is in '%s' and in '%s'",
						       (long long)ranges[b].block->ids[i], ranges[a].file->name,
						       ranges[b].file->name);
	}
	return 0;
}

int cn_asmk_files_distinct(const cn_asmk_file *files, size_t count)
{
	size_t blocks = 0, n = 0;
	for (size_t f = 0; f < count; f++)
		blocks += files[f].header->blocks;
	struct range *ranges = cn_alloc(blocks, sizeof(*ranges));
	if (!ranges)
		return CAIRN_ENOMEM;
	for (size_t f = 0; f < count; f++)
		for (size_t b = 0; b < files[f].header->blocks; b++)
			ranges[n++] = (struct range){ &files[f], &files[f].blocks[b] };
	if (n > 1)
		qsort(ranges, n, sizeof(*ranges), by_first_id);
	int status = check_overlap(ranges, n);
	cn_free(ranges);
	return status;
}

static int check_codebook(const cairn_codebook *codebook, const cn_asmk_file *file)
{
	const cn_asmk_header *header = file->header;
	if (header->words != codebook->words || header->dim != codebook->dim || header->codebook_crc != codebook->crc)
		return cn_fail(CAIRN_EINVALID,
			       "'%s' was made with another codebook, of %u words of %u dimensions; this one has %zu of "
			       "%zu",
			       file->name, header->words, header->dim, codebook->words, codebook->dim);
	return 0;
}

static int open_files(cn_asmk_file *files, const char *const *paths, size_t count, const cairn_codebook *codebook)
{
	for (size_t f = 0; f < count; f++) {
		CN_TRY(cn_asmk_file_open(&files[f], paths[f]));
		if (codebook)
			CN_TRY(check_codebook(codebook, &files[f]));
		CN_TRY(cn_asmk_file_fits(&files[f], &files[0]));
	}
	return cn_asmk_files_distinct(files, count);
}

int cn_asmk_files_open(cn_asmk_file **out, const char *const *paths, size_t count, const cairn_codebook *codebook)
{
	cn_asmk_file *files;
	*out = NULL;
	CN_NEW(files, count, sizeof(*files));
	int status = open_files(files, paths, count, codebook);
	if (status < 0)
		cn_asmk_files_close(files, count);
	else
		*out = files;
	return status;
}

void cn_asmk_files_close(cn_asmk_file *files, size_t count)
{
	for (size_t f = 0; files && f < count; f++)
		cn_asmk_file_close(&files[f]);
	cn_free(files);
}
