/*
 * Merging of ASMK files. Images are put in order and cut into blocks as a writer would; then the lists of each old
 * block are read once for each new block that has images of it, which is one or two where files follow one another.
 */
#include <stdlib.h>
#include <string.h>

#include "index/asmk_writer.h"
#include "util/ids.h"
#include "util/memory.h"

#define NOWHERE UINT64_MAX

/* An image that is kept, and where it stands among those of all files. */
struct image {
	int64_t id;
	uint32_t words;
	size_t old; /* number among all images of all files, in the order of files and blocks */
};

struct merge {
	cn_asmk_file *files;
	size_t count;
	const int64_t *removed;
	size_t removed_count;
	struct image *images; /* kept_count, by id */
	size_t kept_count;
	uint64_t *places; /* of each image of all files: its index in `images`, or NOWHERE */
	cairn_asmk_writer *writer;
};

static int by_image(const void *left, const void *right)
{
	return cn_ids_compare(&((const struct image *)left)->id, &((const struct image *)right)->id);
}

static void close_merge(struct merge *merge)
{
	cn_asmk_files_close(merge->files, merge->count);
	cn_free(merge->images);
	cn_free(merge->places);
	cairn_asmk_writer_free(merge->writer);
}

static void list_block(struct merge *merge, const cn_asmk_block *block, size_t first)
{
	for (size_t i = 0; i < block->images; i++)
		if (!cn_ids_have(merge->removed, merge->removed_count, block->ids[i]))
			merge->images[merge->kept_count++] =
				(struct image){ block->ids[i], block->counts[i], first + i };
}

static int list_images(struct merge *merge)
{
	size_t total = 0, first = 0;
	for (size_t f = 0; f < merge->count; f++)
		total += merge->files[f].header->images;
	merge->images = cn_alloc(total, sizeof(*merge->images));
	merge->places = cn_alloc(total, sizeof(*merge->places));
	if (!merge->images || !merge->places)
		return CAIRN_ENOMEM;
	for (size_t f = 0; f < merge->count; f++)
		for (size_t b = 0; b < merge->files[f].header->blocks; b++) {
			list_block(merge, &merge->files[f].blocks[b], first);
			first += merge->files[f].blocks[b].images;
		}
	if (merge->kept_count)
		qsort(merge->images, merge->kept_count, sizeof(*merge->images), by_image);
	for (size_t i = 0; i < total; i++)
		merge->places[i] = NOWHERE;
	for (size_t i = 0; i < merge->kept_count; i++)
		merge->places[merge->images[i].old] = i;
	return 0;
}

/* ---- one new block: images [begin, end) ---- */

static int has_images(const uint64_t *places, size_t count, size_t begin, size_t end)
{
	for (size_t i = 0; i < count; i++)
		if (places[i] >= begin && places[i] < end)
			return 1;
	return 0;
}

static int copy_list(cairn_asmk_writer *writer, const cn_asmk_file *file, uint32_t word,
		     const cn_asmk_postings *postings, const uint64_t *places, size_t begin, size_t end)
{
	for (size_t p = 0; p < postings->count; p++) {
		uint16_t image;
		float scale = 0;
		memcpy(&image, postings->images + p * sizeof(image), sizeof(image));
		if (postings->scales)
			memcpy(&scale, postings->scales + p * sizeof(scale), sizeof(scale));
		if (places[image] >= begin && places[image] < end)
			CN_TRY(cn_asmk_writer_posting(writer, word, places[image] - begin,
						      postings->codes + p * file->code_size, scale));
	}
	return 0;
}

static int copy_postings(const struct merge *merge, size_t begin, size_t end)
{
	const uint64_t *places = merge->places;
	for (size_t f = 0; f < merge->count; f++) {
		const cn_asmk_file *file = &merge->files[f];
		for (size_t b = 0; b < file->header->blocks; b++) {
			const cn_asmk_block *block = &file->blocks[b];
			size_t lists = has_images(places, block->images, begin, end) ? block->list_count : 0;
			for (size_t i = 0; i < lists; i++) {
				cn_asmk_postings postings;
				CN_TRY(cn_asmk_file_list(file, block, i, &postings));
				CN_TRY(copy_list(merge->writer, file, block->lists[i].word, &postings, places, begin,
						 end));
			}
			places += block->images;
		}
	}
	return 0;
}

static int write_merged(struct merge *merge, const char *path)
{
	CN_TRY(cn_asmk_writer_begin(&merge->writer, path, merge->files[0].header));
	for (size_t begin = 0, end; begin < merge->kept_count; begin = end) {
		for (end = begin;
		     end < merge->kept_count && !cn_asmk_writer_is_full(merge->writer, merge->images[end].words); end++)
			CN_TRY(cn_asmk_writer_image(merge->writer, merge->images[end].id, merge->images[end].words));
		CN_TRY(copy_postings(merge, begin, end));
		CN_TRY(cn_asmk_writer_flush(merge->writer));
	}
	return cairn_asmk_writer_commit(merge->writer);
}

int cairn_asmk_merge(const char *path, const char *const *paths, size_t count, const int64_t *removed,
		     size_t removed_count)
{
	struct merge merge = { .count = count, .removed = removed, .removed_count = removed_count };
	int status;
	if (count < 1)
		return cn_fail(CAIRN_EINVALID, "'%s': no ASMK files to merge", path);
	CN_TRY(cn_ids_ascend(removed, removed_count, "removed"));
	CN_GOTO(status, cn_asmk_files_open(&merge.files, paths, count, NULL));
	CN_GOTO(status, list_images(&merge));
	status = write_merged(&merge, path);
done:
	close_merge(&merge);
	return status;
}
