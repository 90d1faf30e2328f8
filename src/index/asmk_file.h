/*
 * index/asmk_file.h - reading of ASMK files; docs/format.md, "ASMK files", has the layout.
 *
 * Images are divided into blocks of a limited number of images and postings. In a block, the postings of each word
 * stand together: the residuals' codes, then (of bytes) their factors, then the numbers of their images within the
 * block, 16 bits each.
 */
#ifndef CN_INDEX_ASMK_FILE_H
#define CN_INDEX_ASMK_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "data/features.h"
#include "index/asmk_aggregate.h"
#include "util/file.h"
#include "util/mapped.h"

#define CN_ASMK_BLOCK_IMAGES 65536

/* All numbers little endian, as the only machines that run cairn store them. */
typedef struct {
	char magic[8];
	uint32_t version;
	uint32_t dim;
	uint32_t words; /* of the codebook */
	uint32_t flags; /* 1: binary, 2: regional */
	uint32_t codebook_crc;
	uint32_t blocks;
	uint64_t images;
	uint64_t table;                      /* offset */
	uint64_t length;                     /* of the file */
	char kind[CN_FEATURES_KIND_MAX + 1]; /* padded with zeros */
	uint32_t table_crc;
	uint32_t header_crc; /* over all before it */
} cn_asmk_header;

/** An entry of the table. */
typedef struct {
	uint64_t offset;
	uint32_t images, lists, postings;
	uint32_t crc; /* of the block up to its postings */
} cn_asmk_entry;

/** An entry of a block's directory. */
typedef struct {
	uint32_t word;
	uint32_t end; /* postings of this word and of those before it */
	uint32_t crc; /* of this word's postings */
} cn_asmk_list;

_Static_assert(sizeof(cn_asmk_header) == 128, "the header has no holes");
_Static_assert(sizeof(cn_asmk_entry) == 24, "a table entry has no holes");
_Static_assert(sizeof(cn_asmk_list) == 12, "a directory entry has no holes");

/** A block of an open file. */
typedef struct {
	const int64_t *ids;        /* images, ascending, also from block to block */
	const uint32_t *counts;    /* images: how many words each has */
	const cn_asmk_list *lists; /* list_count, words ascending */
	const uint8_t *bytes;      /* postings */
	size_t images, list_count, postings;
	uint8_t *checked; /* list_count: 1 once the list passed its checks; set by any thread */
} cn_asmk_block;

typedef struct {
	cn_mapped file; /* zeroed where the bytes are borrowed */
	char *name;
	const uint8_t *bytes;
	const cn_asmk_header *header;
	cn_asmk_block *blocks; /* header->blocks */
	size_t code_size;
	int binary, regional;
} cn_asmk_file;

/** The postings of a word. Pointers need not be aligned. */
typedef struct {
	const uint8_t *codes;  /* count x code_size */
	const uint8_t *scales; /* count floats; NULL where binary */
	const uint8_t *images; /* count 16-bit numbers, ascending, below the block's images */
	size_t count;
} cn_asmk_postings;

/** Map a file and check everything but the lists. @return 0; CAIRN_ENOTFOUND; CAIRN_EDAMAGED naming the file;
 * CAIRN_EUNSUPPORTED where a newer cairn wrote it; CAIRN_ENOMEM */
int cn_asmk_file_open(cn_asmk_file *out, const char *path);

/** The same on bytes in memory, which are borrowed and aligned to 8. @param name what errors call it */
int cn_asmk_file_parse(cn_asmk_file *out, const void *bytes, size_t length, const char *name);
void cn_asmk_file_close(cn_asmk_file *file); /**< harmless on a zeroed struct */

/** The postings of list i of a block; checked when they are read first. @return 0 or CAIRN_EDAMAGED */
int cn_asmk_file_list(const cn_asmk_file *file, const cn_asmk_block *block, size_t i, cn_asmk_postings *out);

/** CAIRN_EINVALID unless both are of one kind, codebook and form, and so can be searched or merged together. */
int cn_asmk_file_fits(const cn_asmk_file *file, const cn_asmk_file *other);

/** CAIRN_EINVALID where an image is in two files. */
int cn_asmk_files_distinct(const cn_asmk_file *files, size_t count);

/**
 * Map files that are searched or merged together.
 *
 * @param[out] out      count files; the caller closes them with cn_asmk_files_close()
 * @param      codebook NULL, or what all must have been made with
 * @return as cn_asmk_file_open(); CAIRN_EINVALID where they do not fit the codebook or each other, or share an image
 */
int cn_asmk_files_open(cn_asmk_file **out, const char *const *paths, size_t count, const cairn_codebook *codebook);
void cn_asmk_files_close(cn_asmk_file *files, size_t count); /**< NULL is allowed */

/** Bytes of a posting. */
static inline size_t cn_asmk_posting_size(size_t dim, int binary)
{
	return cn_asmk_code_size(dim, binary) + (binary ? 0 : sizeof(float)) + sizeof(uint16_t);
}

/** Bytes of a block before its postings. */
static inline uint64_t cn_asmk_head_size(uint64_t images, uint64_t lists)
{
	return images * (sizeof(int64_t) + sizeof(uint32_t)) + lists * sizeof(cn_asmk_list);
}

/** Bytes of a whole block: it ends at a multiple of 8. */
static inline uint64_t cn_asmk_block_size(const cn_asmk_entry *entry, size_t posting_size)
{
	return (cn_asmk_head_size(entry->images, entry->lists) + (uint64_t)entry->postings * posting_size + 7) / 8 * 8;
}

#define CN_ASMK_MAGIC    "CAIRNASM"
#define CN_ASMK_VERSION  1
#define CN_ASMK_BINARY   1u
#define CN_ASMK_REGIONAL 2u

#endif
