/* ASMK files: every truncation and every flipped byte is found; merging gives what writing at once gives. */
#include <stdlib.h>
#include <string.h>

#include "asmk_world.h"
#include "index/asmk_file.h"
#include "torture.h"
#include "util/crc.h"
#include "util/file.h"

static const cairn_asmk_options forms[] = { { CAIRN_ASMK_OPTIONS_VERSION, 1, 0 },
					    { CAIRN_ASMK_OPTIONS_VERSION, 0, 1 } };

/* Offsets of the format's specification, written down once more: a change of layout must not pass unseen. */
enum {
	HEADER = 128,
	VERSION_AT = 8,
	DIM_AT = 12,
	WORDS_AT = 16,
	FLAGS_AT = 20,
	BLOCKS_AT = 28,
	IMAGES_AT = 32,
	TABLE_AT = 40,
	LENGTH_AT = 48,
	KIND_AT = 56,
	TABLE_CRC_AT = 120,
	HEADER_CRC_AT = 124,
	ENTRY = 24,
	ENTRY_IMAGES_AT = 8,
	ENTRY_LISTS_AT = 12,
	ENTRY_POSTINGS_AT = 16,
	ENTRY_CRC_AT = 20,
	LIST = 12
};

struct file {
	uint8_t *bytes; /* from malloc(), as aligned as that */
	size_t length;
	uint64_t table;
	uint32_t images, lists, postings;
};

static struct file load(const char *path)
{
	struct file file;
	char *bytes;
	assert_ok(cn_file_read(path, 1 << 24, &bytes, &file.length));
	file.bytes = (uint8_t *)bytes;
	memcpy(&file.table, file.bytes + TABLE_AT, sizeof(file.table));
	assert_int_equal(file.table + ENTRY, file.length);
	memcpy(&file.images, file.bytes + file.table + ENTRY_IMAGES_AT, 4);
	memcpy(&file.lists, file.bytes + file.table + ENTRY_LISTS_AT, 4);
	memcpy(&file.postings, file.bytes + file.table + ENTRY_POSTINGS_AT, 4);
	return file;
}

static struct file load_small(const cairn_asmk_options *options)
{
	world w;
	world_make(&w, 10, 6, 3);
	struct file file = load(world_write(&w, 0, 6, 1, options));
	world_free(&w);
	return file;
}

/* Open and read every list; the first failure. */
static int read_all(const uint8_t *bytes, size_t length)
{
	cn_asmk_file file;
	int status = cn_asmk_file_parse(&file, bytes, length, "memory");
	for (size_t b = 0; status == 0 && b < file.header->blocks; b++)
		for (size_t i = 0; status == 0 && i < file.blocks[b].list_count; i++) {
			cn_asmk_postings postings;
			status = cn_asmk_file_list(&file, &file.blocks[b], i, &postings);
		}
	cn_asmk_file_close(&file);
	return status;
}

static void what_is_written_is_as_the_format_says(void **state)
{
	(void)state;
	for (size_t form = 0; form < 2; form++) {
		struct file file = load_small(&forms[form]);
		cn_asmk_file open;
		uint32_t fields[5];
		/* 10 bits in 8 bytes, or 10 bytes and a factor; and the number of the image. */
		size_t posting = form == 0 ? 8 + 2 : 10 + 4 + 2;
		memcpy(fields, file.bytes + VERSION_AT, sizeof(fields));
		assert_memory_equal(file.bytes, "CAIRNASM", 8);
		assert_int_equal(fields[0], 1);
		assert_int_equal(fields[1], 10);
		assert_int_equal(fields[2], 6);
		assert_int_equal(fields[3], form == 0 ? 1 : 2);
		assert_string_equal((const char *)file.bytes + KIND_AT, WORLD_KIND);
		size_t block = file.images * 12 + file.lists * LIST + file.postings * posting;
		assert_int_equal(file.table, HEADER + (block + 7) / 8 * 8);
		assert_ok(cn_asmk_file_parse(&open, file.bytes, file.length, "memory"));
		assert_int_equal(open.blocks[0].images, 6);
		for (size_t i = 0; i < 6; i++)
			assert_int_equal(open.blocks[0].ids[i], 10 * i);
		/* Image 0 has no features; as a sum over regions it has those of images 1 and 2. */
		assert_true((open.blocks[0].counts[0] == 0) == (form == 0));
		cn_asmk_file_close(&open);
		cn_asmk_file_close(&open);
		free(file.bytes);
	}
}

static void every_truncation_is_found(void **state)
{
	struct file file = load_small(&forms[0]);
	const char *path = cn_test_path(cn_test_folder(), "cut.asmk");
	cn_asmk_file open;
	(void)state;
	for (size_t length = 0; length < file.length; length++) {
		uint8_t *bytes = malloc(length + !length);
		memcpy(bytes, file.bytes, length);
		assert_fails(read_all(bytes, length), CAIRN_EDAMAGED, "memory");
		free(bytes);
	}
	cn_test_write(path, NULL, 0);
	assert_fails(cn_asmk_file_open(&open, path), CAIRN_EDAMAGED, "cut.asmk");
	free(file.bytes);
}

static void every_flipped_byte_is_found(void **state)
{
	(void)state;
	for (size_t form = 0; form < 2; form++) {
		struct file file = load_small(&forms[form]);
		assert_ok(read_all(file.bytes, file.length));
		for (size_t i = 0; i < file.length; i++)
			for (unsigned flip = 1; flip < 256; flip *= 2) {
				file.bytes[i] ^= (uint8_t)flip;
				int status = read_all(file.bytes, file.length);
				assert_fails(status, status == CAIRN_EUNSUPPORTED ? status : CAIRN_EDAMAGED, "memory");
				file.bytes[i] ^= (uint8_t)flip;
			}
		free(file.bytes);
	}
}

/* A search meets the damage of a list that it reads, not that of another. */
static void a_search_finds_the_damage_it_meets(void **state)
{
	const char *path = cn_test_path(cn_test_folder(), "bad.asmk");
	struct file file = load_small(&forms[0]);
	cairn_asmk_index *index;
	cairn_ranking *ranking;
	world w;
	(void)state;
	world_make(&w, 10, 6, 3);
	const cairn_features *const full = w.images[5], *const empty = w.images[0];
	file.bytes[HEADER + file.images * 12 + file.lists * LIST] ^= 1;
	cn_test_write(path, file.bytes, file.length);
	assert_ok(cairn_asmk_index_open(&index, w.codebook, &path, 1, NULL, 0));
	assert_ok(cairn_asmk_index_search(&ranking, index, &empty, 1, 5, NULL));
	cairn_ranking_free(ranking);
	for (int again = 0; again < 2; again++)
		assert_fails(cairn_asmk_index_search(&ranking, index, &full, 1, 5, NULL), CAIRN_EDAMAGED, "bad.asmk");
	assert_null(ranking);
	cairn_asmk_index_free(index);
	world_free(&w);
	free(file.bytes);
}

/* ---- contradictions under valid checksums: what a faulty or hostile program could write ---- */

static void put_crc(uint8_t *place, const uint8_t *from, size_t length)
{
	uint32_t crc = cn_crc32c(0, from, length);
	memcpy(place, &crc, sizeof(crc));
}

/* Lists as the directory of the sound file has them. */
static void seal(struct file *file, size_t posting)
{
	uint8_t *lists = file->bytes + HEADER + file->images * 12, *postings = lists + file->lists * LIST;
	uint32_t begin = 0;
	for (size_t i = 0; i < file->lists; i++) {
		uint32_t end;
		memcpy(&end, lists + i * LIST + 4, sizeof(end));
		if (end > begin && end <= file->postings)
			put_crc(lists + i * LIST + 8, postings + begin * posting, (end - begin) * posting);
		begin = end;
	}
	put_crc(file->bytes + file->table + ENTRY_CRC_AT, file->bytes + HEADER,
		(size_t)(postings - file->bytes) - HEADER);
	put_crc(file->bytes + TABLE_CRC_AT, file->bytes + file->table, file->length - file->table);
	put_crc(file->bytes + HEADER_CRC_AT, file->bytes, HEADER_CRC_AT);
}

static void contradictions_are_found(void **state)
{
	enum { IN_HEADER, IN_TABLE, IN_IDS, IN_COUNTS, IN_LISTS, IN_LAST_IMAGE };
	static const struct {
		int where;
		size_t offset;
		uint64_t value;
		size_t size;
		int code;
		const char *part;
	} cases[] = {
		{ IN_HEADER, 0, 'X', 1, CAIRN_EDAMAGED, "no ASMK file" },
		{ IN_HEADER, VERSION_AT, 2, 4, CAIRN_EUNSUPPORTED,
		  "an ASMK file of version 2, this cairn knows version 1" },
		{ IN_HEADER, DIM_AT, 0, 4, CAIRN_EDAMAGED, "header" },
		{ IN_HEADER, DIM_AT, 1025, 4, CAIRN_EDAMAGED, "header" },
		{ IN_HEADER, DIM_AT, 1000, 4, CAIRN_EDAMAGED, "its entry in the table" },
		{ IN_HEADER, WORDS_AT, 0, 4, CAIRN_EDAMAGED, "header" },
		{ IN_HEADER, WORDS_AT, (1u << 20) + 1, 4, CAIRN_EDAMAGED, "header" },
		{ IN_HEADER, WORDS_AT, 1, 4, CAIRN_EDAMAGED, "directory" },
		{ IN_HEADER, FLAGS_AT, 4, 4, CAIRN_EDAMAGED, "header" },
		{ IN_HEADER, BLOCKS_AT, 2, 4, CAIRN_EDAMAGED, "header" },
		{ IN_HEADER, BLOCKS_AT, UINT32_MAX, 4, CAIRN_EDAMAGED, "header" },
		{ IN_HEADER, IMAGES_AT, 7, 8, CAIRN_EDAMAGED, "header and blocks" },
		{ IN_HEADER, TABLE_AT, 64, 8, CAIRN_EDAMAGED, "header" },
		{ IN_HEADER, TABLE_AT, UINT64_MAX - 7, 8, CAIRN_EDAMAGED, "header" },
		{ IN_HEADER, LENGTH_AT, 1, 8, CAIRN_EDAMAGED, "its header says 1" },
		{ IN_HEADER, KIND_AT, 0, 1, CAIRN_EDAMAGED, "header" },
		{ IN_HEADER, KIND_AT + 63, 'x', 1, CAIRN_EDAMAGED, "header" },
		{ IN_TABLE, 0, 120, 8, CAIRN_EDAMAGED, "its entry in the table" },
		{ IN_TABLE, ENTRY_IMAGES_AT, 0, 4, CAIRN_EDAMAGED, "its entry in the table" },
		{ IN_TABLE, ENTRY_IMAGES_AT, 65537, 4, CAIRN_EDAMAGED, "its entry in the table" },
		{ IN_TABLE, ENTRY_LISTS_AT, UINT32_MAX, 4, CAIRN_EDAMAGED, "its entry in the table" },
		{ IN_TABLE, ENTRY_POSTINGS_AT, UINT32_MAX, 4, CAIRN_EDAMAGED, "its entry in the table" },
		{ IN_TABLE, ENTRY_POSTINGS_AT, 1, 4, CAIRN_EDAMAGED, "numbers of postings" },
		{ IN_IDS, 0, UINT64_MAX, 8, CAIRN_EDAMAGED, "ids do not ascend" },
		{ IN_IDS, 8, 0, 8, CAIRN_EDAMAGED, "ids do not ascend" },
		{ IN_COUNTS, 4, 1000, 4, CAIRN_EDAMAGED, "numbers of postings" },
		{ IN_LISTS, 0, 6, 4, CAIRN_EDAMAGED, "directory" },
		{ IN_LISTS, LIST, 0, 4, CAIRN_EDAMAGED, "directory" },
		{ IN_LISTS, 4, 0, 4, CAIRN_EDAMAGED, "directory" },
		{ IN_LISTS, LIST + 4, 1, 4, CAIRN_EDAMAGED, "directory" },
		{ IN_LAST_IMAGE, 2, 1, 1, CAIRN_EDAMAGED, "end is not zero" },
		{ IN_LAST_IMAGE, 0, 6, 2, CAIRN_EDAMAGED, "list of word" },
		{ IN_LAST_IMAGE, 0, 0, 2, CAIRN_EDAMAGED, "list of word" },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct file file = load_small(&forms[0]);
		const size_t postings = HEADER + file.images * 12 + file.lists * LIST;
		const size_t bases[] = { 0,
					 file.table,
					 HEADER,
					 HEADER + file.images * 8,
					 HEADER + file.images * 12,
					 postings + file.postings * 10 - 2 };
		memcpy(file.bytes + bases[cases[i].where] + cases[i].offset, &cases[i].value, cases[i].size);
		seal(&file, 10);
		assert_fails(read_all(file.bytes, file.length), cases[i].code, cases[i].part);
		free(file.bytes);
	}
}

/* Ten dimensions take ten of the 64 bits of a code; with the others set, residuals differ in more bits than there are.
 */
static void bits_behind_the_last_dimension_do_no_harm(void **state)
{
	const char *path = cn_test_path(cn_test_folder(), "bits.asmk");
	struct file file = load_small(&forms[0]);
	uint8_t *postings = file.bytes + HEADER + file.images * 12 + file.lists * LIST;
	uint32_t begin = 0;
	cairn_asmk_index *index;
	cairn_ranking *ranking;
	world w;
	(void)state;
	world_make(&w, 10, 6, 3);
	const cairn_features *const full = w.images[5];
	for (size_t i = 0; i < file.lists; i++) {
		uint32_t end;
		memcpy(&end, file.bytes + HEADER + file.images * 12 + i * LIST + 4, sizeof(end));
		for (size_t p = begin; p < end; p++)
			memset(postings + begin * 10 + (p - begin) * 8 + 2, 0xff, 6);
		begin = end;
	}
	seal(&file, 10);
	cn_test_write(path, file.bytes, file.length);
	assert_ok(cairn_asmk_index_open(&index, w.codebook, &path, 1, NULL, 0));
	assert_ok(cairn_asmk_index_search(&ranking, index, &full, 1, 5, NULL));
	for (size_t i = 0; i < cairn_ranking_count(ranking, 0); i++)
		assert_true(cairn_ranking_scores(ranking, 0)[i] >= 0);
	cairn_ranking_free(ranking);
	cairn_asmk_index_free(index);
	world_free(&w);
	free(file.bytes);
}

/* ---- merging ---- */

static void merged_files_are_those_written_at_once(void **state)
{
	(void)state;
	for (size_t form = 0; form < 2; form++)
		for (int interleaved = 0; interleaved < 2; interleaved++)
			for (int removing = 0; removing < 2; removing++) {
				const char *merged = cn_test_path(cn_test_folder(), "merged.asmk");
				char parts[4][100];
				const char *pointers[4];
				/* Of the numbers 0 to 39 those that are odd. */
				int64_t removed[WORLD_IMAGES / 2];
				world w;
				world_make(&w, 70, 20, form);
				for (size_t f = 0; f < 4; f++) {
					strcpy(parts[f],
					       interleaved ? world_write(&w, f, WORLD_IMAGES, 4, &forms[form])
							   : world_write(&w, 10 * f, 10 * f + 10, 1, &forms[form]));
					pointers[3 - f] = parts[f];
				}
				for (size_t i = 0; i < WORLD_IMAGES / 2; i++)
					removed[i] = (int64_t)(2 * i + 1) * 10;
				assert_ok(cairn_asmk_merge(merged, pointers, 4, removed,
							   removing ? WORLD_IMAGES / 2 : 0));
				struct file found = load(merged),
					    wanted = load(
						    world_write(&w, 0, WORLD_IMAGES, removing ? 2 : 1, &forms[form]));
				assert_int_equal(found.length, wanted.length);
				assert_memory_equal(found.bytes, wanted.bytes, found.length);
				free(found.bytes);
				free(wanted.bytes);
				world_free(&w);
			}
}

/* More images than a block holds, in files whose blocks end elsewhere; and into one of them. */
static void merging_cuts_blocks_as_a_writer_does(void **state)
{
	enum { IMAGES = 150000 };
	static const int64_t cuts[][2] = { { 0, 50000 }, { 50000, IMAGES }, { 0, IMAGES } };
	const char *folder = cn_test_folder();
	char paths[3][100];
	world w;
	cairn_asmk_aggregate *aggregate;
	(void)state;
	world_make(&w, 10, 6, 3);
	const cairn_features *const region = w.images[2];
	assert_ok(cairn_asmk_aggregate_new(&aggregate, w.codebook, &region, 1, NULL));
	for (size_t f = 0; f < 3; f++) {
		cairn_asmk_writer *writer;
		snprintf(paths[f], sizeof(paths[f]), "%s/%zu.asmk", folder, f);
		assert_ok(cairn_asmk_writer_new(&writer, paths[f], WORLD_KIND, w.codebook, NULL));
		for (int64_t image = cuts[f][0]; image < cuts[f][1]; image++)
			assert_ok(cairn_asmk_writer_add(writer, image, aggregate));
		assert_ok(cairn_asmk_writer_commit(writer));
		cairn_asmk_writer_free(writer);
	}
	const char *parts[] = { paths[1], paths[0] };
	assert_ok(cairn_asmk_merge(paths[0], parts, 2, NULL, 0));
	char *found, *wanted;
	size_t found_length, wanted_length;
	assert_ok(cn_file_read(paths[0], 1 << 28, &found, &found_length));
	assert_ok(cn_file_read(paths[2], 1 << 28, &wanted, &wanted_length));
	assert_int_equal(found_length, wanted_length);
	assert_memory_equal(found, wanted, found_length);
	free(found);
	free(wanted);
	cairn_asmk_aggregate_free(aggregate);
	world_free(&w);
}

static void faults_of_merging_are_reported(void **state)
{
	static const int64_t disorder[] = { 2, 2 };
	const char *folder = cn_test_folder(), *merged = cn_test_path(folder, "merged.asmk");
	char first[100], second[100], bytes[100];
	world w;
	(void)state;
	world_make(&w, 10, 6, 3);
	strcpy(first, world_write(&w, 0, 6, 1, &forms[0]));
	strcpy(second, world_write(&w, 5, 9, 1, &forms[0]));
	strcpy(bytes, world_write(&w, 10, 12, 1, &forms[1]));
	const char *twice[] = { first, second }, *mixed[] = { first, bytes }, *none[] = { first, "/nowhere/b" };
	assert_fails(cairn_asmk_merge(merged, twice, 2, NULL, 0), CAIRN_EINVALID, "image 50 is in");
	assert_fails(cairn_asmk_merge(merged, mixed, 2, NULL, 0), CAIRN_EINVALID, "regional");
	assert_fails(cairn_asmk_merge(merged, none, 2, NULL, 0), CAIRN_ENOTFOUND, "/nowhere/b");
	assert_fails(cairn_asmk_merge(merged, twice, 0, NULL, 0), CAIRN_EINVALID, "no ASMK files");
	assert_fails(cairn_asmk_merge(merged, twice, 1, disorder, 2), CAIRN_EINVALID, "must ascend");
	struct file file = load(first);
	file.bytes[HEADER + file.images * 12 + file.lists * LIST] ^= 1;
	cn_test_write(first, file.bytes, file.length);
	assert_fails(cairn_asmk_merge(merged, twice, 1, NULL, 0), CAIRN_EDAMAGED, first);
	assert_false(cn_file_exists(merged));
	free(file.bytes);
	world_free(&w);
}

/* ---- writing ---- */

static void a_writer_refuses_what_does_not_belong(void **state)
{
	const char *folder = cn_test_folder(), *path = cn_test_path(folder, "a.asmk");
	char long_kind[65] = { 0 };
	char **names;
	size_t count;
	cairn_asmk_writer *writer;
	cairn_asmk_aggregate *good, *bytes, *foreign;
	cairn_asmk_options options = CAIRN_ASMK_OPTIONS_INIT;
	world w, other;
	(void)state;
	world_make(&w, 10, 6, 3);
	world_make(&other, 10, 6, 4);
	const cairn_features *const region = w.images[3];
	assert_ok(cairn_asmk_aggregate_new(&good, w.codebook, &region, 1, &forms[0]));
	assert_ok(cairn_asmk_aggregate_new(&bytes, w.codebook, &region, 1, &forms[1]));
	assert_ok(cairn_asmk_aggregate_new(&foreign, other.codebook, &region, 1, &forms[0]));
	memset(long_kind, 'k', 64);
	options.version = 2;
	assert_fails(cairn_asmk_writer_new(&writer, path, long_kind, w.codebook, NULL), CAIRN_EINVALID, "63");
	assert_fails(cairn_asmk_writer_new(&writer, path, "", w.codebook, NULL), CAIRN_EINVALID, "a.asmk");
	assert_fails(cairn_asmk_writer_new(&writer, path, "tiny", w.codebook, &options), CAIRN_EINVALID, "version 2");
	assert_fails(cairn_asmk_writer_new(&writer, cn_test_path(folder, "none/a"), "tiny", w.codebook, NULL),
		     CAIRN_ENOTFOUND, "none");
	assert_null(writer);
	assert_ok(cairn_asmk_writer_new(&writer, path, "other", w.codebook, NULL));
	assert_fails(cairn_asmk_writer_add(writer, 1, good), CAIRN_EINVALID, "wanted 'other'");
	cairn_asmk_writer_free(writer);
	assert_ok(cairn_asmk_writer_new(&writer, path, WORLD_KIND, w.codebook, NULL));
	assert_fails(cairn_asmk_writer_add(writer, 1, bytes), CAIRN_EINVALID, "form");
	assert_fails(cairn_asmk_writer_add(writer, 1, foreign), CAIRN_EINVALID, "codebook");
	assert_fails(cairn_asmk_writer_add(writer, -1, good), CAIRN_EINVALID, "image -1");
	assert_ok(cairn_asmk_writer_add(writer, 1, good));
	assert_fails(cairn_asmk_writer_add(writer, 1, good), CAIRN_EINVALID, "image 1 cannot");
	assert_false(cn_file_exists(path));
	cairn_asmk_writer_free(writer);
	cairn_asmk_writer_free(NULL);
	assert_ok(cn_folder_list(folder, &names, &count));
	assert_int_equal(count, 0);
	cn_names_free(names, count);
	cairn_asmk_aggregate_free(good);
	cairn_asmk_aggregate_free(bytes);
	cairn_asmk_aggregate_free(foreign);
	world_free(&w);
	world_free(&other);
}

static void a_file_without_images(void **state)
{
	const char *paths[] = { cn_test_path(cn_test_folder(), "none.asmk"), cn_test_path(cn_test_folder(), "m.asmk") };
	cairn_asmk_writer *writer;
	cairn_asmk_index *index;
	cairn_ranking *ranking;
	world w;
	(void)state;
	world_make(&w, 10, 6, 3);
	const cairn_features *const query = w.images[3];
	assert_ok(cairn_asmk_writer_new(&writer, paths[0], WORLD_KIND, w.codebook, NULL));
	assert_ok(cairn_asmk_writer_commit(writer));
	cairn_asmk_writer_free(writer);
	assert_ok(cairn_asmk_merge(paths[1], paths, 1, NULL, 0));
	assert_ok(cairn_asmk_index_open(&index, w.codebook, paths, 2, NULL, 0));
	assert_int_equal(cairn_asmk_index_images(index), 0);
	assert_int_equal(cairn_asmk_index_bytes(index), 2 * HEADER);
	assert_ok(cairn_asmk_index_search(&ranking, index, &query, 1, 5, NULL));
	assert_int_equal(cairn_ranking_count(ranking, 0), 0);
	cairn_ranking_free(ranking);
	cairn_asmk_index_free(index);
	world_free(&w);
}

/* Writing fails where the disk is full: /dev/full is one that always is. */
static void a_full_disk_is_reported(void **state)
{
	cairn_asmk_writer *writer;
	cairn_asmk_aggregate *aggregate;
	world w;
	(void)state;
	world_make(&w, 10, 6, 3);
	const cairn_features *const region = w.images[3];
	assert_ok(cairn_asmk_aggregate_new(&aggregate, w.codebook, &region, 1, NULL));
	assert_ok(cairn_asmk_writer_new(&writer, "/dev/full", WORLD_KIND, w.codebook, NULL));
	for (int64_t image = 0; image < 1000; image++)
		assert_ok(cairn_asmk_writer_add(writer, image, aggregate));
	assert_fails(cairn_asmk_writer_commit(writer), CAIRN_ENOSPACE, "/dev/full");
	assert_fails(cairn_asmk_writer_add(writer, 1000, aggregate), CAIRN_ENOSPACE, NULL);
	assert_fails(cairn_asmk_writer_commit(writer), CAIRN_ENOSPACE, "/dev/full");
	cairn_asmk_writer_free(writer);
	cairn_asmk_aggregate_free(aggregate);
	world_free(&w);
}

static int write_and_merge(void *context)
{
	const world *w = context;
	const char *folder = cn_test_folder(), *path = cn_test_path(folder, "a.asmk");
	const cairn_features *const region = w->images[3];
	cairn_asmk_writer *writer = NULL;
	cairn_asmk_aggregate *aggregate = NULL;
	int status = cairn_asmk_aggregate_new(&aggregate, w->codebook, &region, 1, &forms[1]);
	if (status == 0)
		status = cairn_asmk_writer_new(&writer, path, WORLD_KIND, w->codebook, &forms[1]);
	if (status == 0)
		status = cairn_asmk_writer_add(writer, 1, aggregate);
	if (status == 0)
		status = cairn_asmk_writer_commit(writer);
	if (status == 0)
		status = cairn_asmk_merge(cn_test_path(folder, "b.asmk"), &path, 1, NULL, 0);
	cairn_asmk_writer_free(writer);
	cairn_asmk_aggregate_free(aggregate);
	return status;
}

static void short_memory_is_reported(void **state)
{
	world w;
	(void)state;
	world_make(&w, 10, 6, 3);
	assert_true(cn_torture(write_and_merge, &w) >= 30);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_as_the_format_says),
		cmocka_unit_test(every_truncation_is_found),
		cmocka_unit_test(every_flipped_byte_is_found),
		cmocka_unit_test(a_search_finds_the_damage_it_meets),
		cmocka_unit_test(contradictions_are_found),
		cmocka_unit_test(bits_behind_the_last_dimension_do_no_harm),
		cmocka_unit_test(merged_files_are_those_written_at_once),
		cmocka_unit_test(merging_cuts_blocks_as_a_writer_does),
		cmocka_unit_test(faults_of_merging_are_reported),
		cmocka_unit_test(a_writer_refuses_what_does_not_belong),
		cmocka_unit_test(a_file_without_images),
		cmocka_unit_test(a_full_disk_is_reported),
		cmocka_unit_test(short_memory_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
