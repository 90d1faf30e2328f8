/*
 * Writing of ASMK files. The postings of a block are collected, sorted by word and image, and written with the
 * block's head; the table and then the header follow at the end, so that a file without a valid header was never
 * finished.
 */
#include "index/asmk_writer.h"

#include <stdlib.h>
#include <string.h>

#include "util/crc.h"
#include "util/memory.h"

#define MOST_POSTINGS ((size_t)1 << 22) /* of a block, unless one image has more */

/* word << 16 | image, and where code and scale are. */
struct key {
	uint64_t place;
	uint32_t index;
};

struct cairn_asmk_writer {
	cn_atomic_file file;
	cn_asmk_header header;
	cn_asmk_entry *table;
	size_t table_capacity;
	size_t code_size;
	int binary, open;
	int broken; /* a block was written in part, or not at all */
	int64_t last;
	/* the block */
	int64_t *ids;     /* CN_ASMK_BLOCK_IMAGES */
	uint32_t *counts; /* CN_ASMK_BLOCK_IMAGES */
	size_t images;
	struct key *keys; /* capacity, as the next two */
	uint8_t *codes;
	float *scales; /* NULL where binary */
	size_t postings, capacity;
	size_t announced; /* postings of the images appended */
};

int cn_asmk_writer_begin(cairn_asmk_writer **out, const char *path, const cn_asmk_header *header)
{
	static const cn_asmk_header empty;
	cairn_asmk_writer *writer;
	CN_NEW(writer, 1, sizeof(*writer));
	writer->header = *header;
	memcpy(writer->header.magic, CN_ASMK_MAGIC, sizeof(writer->header.magic));
	writer->header.version = CN_ASMK_VERSION;
	writer->header.blocks = 0;
	writer->header.images = 0;
	writer->header.length = sizeof(*header);
	writer->binary = (header->flags & CN_ASMK_BINARY) != 0;
	writer->code_size = cn_asmk_code_size(header->dim, writer->binary);
	writer->last = -1;
	writer->ids = cn_alloc(CN_ASMK_BLOCK_IMAGES, sizeof(*writer->ids));
	writer->counts = cn_alloc(CN_ASMK_BLOCK_IMAGES, sizeof(*writer->counts));
	int status = writer->ids && writer->counts ? cn_atomic_open(&writer->file, path) : CAIRN_ENOMEM;
	writer->open = status == 0;
	if (status == 0)
		status = cn_atomic_write(&writer->file, &empty, sizeof(empty));
	if (status < 0) {
		cairn_asmk_writer_free(writer);
		return status;
	}
	*out = writer;
	return 0;
}

int cairn_asmk_writer_new(cairn_asmk_writer **out, const char *path, const char *kind, const cairn_codebook *codebook,
			  const cairn_asmk_options *options)
{
	cairn_asmk_options known;
	cn_asmk_header header;
	size_t length = strlen(kind);
	*out = NULL;
	CN_TRY(cn_asmk_options_read(&known, options));
	if (length < 1 || length > CN_FEATURES_KIND_MAX)
		return cn_fail(CAIRN_EINVALID, "'%s': features of kind '%s'; 1 to %d bytes are possible", path, kind,
			       CN_FEATURES_KIND_MAX);
	memset(&header, 0, sizeof(header));
	header.dim = (uint32_t)codebook->dim;
	header.words = (uint32_t)codebook->words;
	header.flags = (known.binary ? CN_ASMK_BINARY : 0) | (known.regional ? CN_ASMK_REGIONAL : 0);
	header.codebook_crc = codebook->crc;
	memcpy(header.kind, kind, length);
	return cn_asmk_writer_begin(out, path, &header);
}

void cairn_asmk_writer_free(cairn_asmk_writer *writer)
{
	if (!writer)
		return;
	if (writer->open)
		cn_atomic_abort(&writer->file);
	cn_free(writer->table);
	cn_free(writer->ids);
	cn_free(writer->counts);
	cn_free(writer->keys);
	cn_free(writer->codes);
	cn_free(writer->scales);
	cn_free(writer);
}

/* ---- collecting a block ---- */

int cn_asmk_writer_is_full(const cairn_asmk_writer *writer, size_t words)
{
	return writer->images == CN_ASMK_BLOCK_IMAGES || (writer->images && writer->announced + words > MOST_POSTINGS);
}

int cn_asmk_writer_image(cairn_asmk_writer *writer, int64_t image, size_t words)
{
	if (image <= writer->last)
		return cn_fail(CAIRN_EINVALID, "'%s': image %lld cannot be appended after %lld", writer->file.path,
			       (long long)image, (long long)writer->last);
	writer->ids[writer->images] = image;
	writer->counts[writer->images++] = (uint32_t)words;
	writer->announced += words;
	writer->last = image;
	return 0;
}

static int reserve(cairn_asmk_writer *writer)
{
	if (writer->postings < writer->capacity)
		return 0;
	size_t capacity = writer->capacity ? 2 * writer->capacity : 4096;
	struct key *keys = cn_realloc(writer->keys, capacity, sizeof(*keys));
	writer->keys = keys ? keys : writer->keys;
	uint8_t *codes = keys ? cn_realloc(writer->codes, capacity, writer->code_size) : NULL;
	writer->codes = codes ? codes : writer->codes;
	float *scales = codes && !writer->binary ? cn_realloc(writer->scales, capacity, sizeof(*scales)) : NULL;
	writer->scales = scales ? scales : writer->scales;
	if (!codes || (!writer->binary && !scales))
		return CAIRN_ENOMEM;
	writer->capacity = capacity;
	return 0;
}

int cn_asmk_writer_posting(cairn_asmk_writer *writer, uint32_t word, size_t image, const uint8_t *code, float scale)
{
	size_t n = writer->postings;
	CN_TRY(reserve(writer));
	writer->keys[n] = (struct key){ (uint64_t)word << 16 | image, (uint32_t)n };
	memcpy(writer->codes + n * writer->code_size, code, writer->code_size);
	if (!writer->binary)
		writer->scales[n] = scale;
	writer->postings++;
	return 0;
}

static int add_aggregate(cairn_asmk_writer *writer, int64_t image, const cairn_asmk_aggregate *aggregate)
{
	if (cn_asmk_writer_is_full(writer, aggregate->count))
		CN_TRY(cn_asmk_writer_flush(writer));
	CN_TRY(cn_asmk_writer_image(writer, image, aggregate->count));
	for (size_t i = 0; i < aggregate->count; i++)
		CN_TRY(cn_asmk_writer_posting(writer, aggregate->words[i], writer->images - 1,
					      aggregate->codes + i * aggregate->code_size,
					      aggregate->binary ? 0 : aggregate->scales[i]));
	return 0;
}

int cairn_asmk_writer_add(cairn_asmk_writer *writer, int64_t image, const cairn_asmk_aggregate *aggregate)
{
	const cn_asmk_header *header = &writer->header;
	uint32_t flags = (aggregate->binary ? CN_ASMK_BINARY : 0) | (aggregate->regional ? CN_ASMK_REGIONAL : 0);
	if (strcmp(aggregate->kind, header->kind) != 0 || flags != header->flags ||
	    aggregate->codebook_crc != header->codebook_crc)
		return cn_fail(CAIRN_EINVALID,
			       "'%s': the aggregate of image %lld is of kind '%s', wanted '%s', or of another codebook "
			       "or form",
			       writer->file.path, (long long)image, aggregate->kind, header->kind);
	if (image <= writer->last)
		return cn_asmk_writer_image(writer, image, aggregate->count);
	/* What fails from here on leaves an image in part. */
	int status = writer->broken ? writer->broken : add_aggregate(writer, image, aggregate);
	writer->broken = status;
	return status;
}

/* ---- writing a block ---- */

static int by_place(const void *left, const void *right)
{
	uint64_t a = ((const struct key *)left)->place, b = ((const struct key *)right)->place;
	return a < b ? -1 : a > b;
}

/* The postings of one word, as they stand in the file. */
static void fill_list(const cairn_asmk_writer *writer, const struct key *keys, size_t count, uint8_t *to)
{
	for (size_t i = 0; i < count; i++, to += writer->code_size)
		memcpy(to, writer->codes + keys[i].index * writer->code_size, writer->code_size);
	for (size_t i = 0; !writer->binary && i < count; i++, to += sizeof(float))
		memcpy(to, &writer->scales[keys[i].index], sizeof(float));
	for (size_t i = 0; i < count; i++, to += sizeof(uint16_t)) {
		uint16_t image = (uint16_t)keys[i].place;
		memcpy(to, &image, sizeof(image));
	}
}

static size_t count_lists(const cairn_asmk_writer *writer)
{
	size_t lists = 0;
	for (size_t i = 0; i < writer->postings; i++)
		lists += i == 0 || writer->keys[i].place >> 16 != writer->keys[i - 1].place >> 16;
	return lists;
}

static void fill_block(const cairn_asmk_writer *writer, size_t posting_size, uint8_t *block, const cn_asmk_entry *entry)
{
	uint8_t *counts = block + writer->images * sizeof(*writer->ids);
	uint8_t *lists = counts + writer->images * sizeof(*writer->counts);
	uint8_t *postings = block + cn_asmk_head_size(entry->images, entry->lists);
	memcpy(block, writer->ids, writer->images * sizeof(*writer->ids));
	memcpy(counts, writer->counts, writer->images * sizeof(*writer->counts));
	for (size_t begin = 0, end; begin < writer->postings; begin = end) {
		const struct key *keys = writer->keys + begin;
		for (end = begin + 1; end < writer->postings && writer->keys[end].place >> 16 == keys->place >> 16;
		     end++)
			;
		uint8_t *to = postings + begin * posting_size;
		fill_list(writer, keys, end - begin, to);
		const cn_asmk_list list = { .word = (uint32_t)(keys->place >> 16),
					    .end = (uint32_t)end,
					    .crc = cn_crc32c(0, to, (end - begin) * posting_size) };
		memcpy(lists, &list, sizeof(list));
		lists += sizeof(list);
	}
}

static int grow_table(cairn_asmk_writer *writer)
{
	if (writer->header.blocks < writer->table_capacity)
		return 0;
	size_t capacity = writer->table_capacity ? 2 * writer->table_capacity : 16;
	cn_asmk_entry *larger = cn_realloc(writer->table, capacity, sizeof(*larger));
	if (!larger)
		return CAIRN_ENOMEM;
	writer->table = larger;
	writer->table_capacity = capacity;
	return 0;
}

int cn_asmk_writer_flush(cairn_asmk_writer *writer)
{
	cn_asmk_header *header = &writer->header;
	size_t posting_size = cn_asmk_posting_size(header->dim, writer->binary);
	if (!writer->images)
		return 0;
	CN_TRY(grow_table(writer));
	if (writer->postings)
		qsort(writer->keys, writer->postings, sizeof(*writer->keys), by_place);
	cn_asmk_entry *entry = &writer->table[header->blocks];
	*entry = (cn_asmk_entry){ .offset = header->length,
				  .images = (uint32_t)writer->images,
				  .lists = (uint32_t)count_lists(writer),
				  .postings = (uint32_t)writer->postings };
	size_t length = cn_asmk_block_size(entry, posting_size);
	uint8_t *block = cn_alloc_zero(length, 1);
	if (!block)
		return CAIRN_ENOMEM;
	fill_block(writer, posting_size, block, entry);
	entry->crc = cn_crc32c(0, block, cn_asmk_head_size(entry->images, entry->lists));
	int status = cn_atomic_write(&writer->file, block, length);
	cn_free(block);
	CN_TRY(status);
	header->blocks++;
	header->images += writer->images;
	header->length += length;
	writer->images = writer->postings = writer->announced = 0;
	return 0;
}

static int finish(cairn_asmk_writer *writer)
{
	cn_asmk_header *header = &writer->header;
	CN_TRY(cn_asmk_writer_flush(writer));
	size_t length = header->blocks * sizeof(*writer->table);
	header->table = header->length;
	header->length += length;
	header->table_crc = cn_crc32c(0, writer->table, length);
	header->header_crc = cn_crc32c(0, header, offsetof(cn_asmk_header, header_crc));
	CN_TRY(cn_atomic_write(&writer->file, writer->table, length));
	if (fseek(writer->file.stream, 0, SEEK_SET) != 0)
		return cn_fail_errno("cannot go back to the beginning of '%s'", writer->file.path);
	return cn_atomic_write(&writer->file, header, sizeof(*header));
}

int cairn_asmk_writer_commit(cairn_asmk_writer *writer)
{
	if (writer->broken)
		return cn_fail(writer->broken, "'%s': an image before was not written", writer->file.path);
	writer->broken = finish(writer);
	CN_TRY(writer->broken);
	writer->open = 0;
	return cn_atomic_commit(&writer->file);
}
