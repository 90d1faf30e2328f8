/*
 * PyTorch checkpoints: find the pickle, run it, give each storage its bytes, collect the tensors.
 */
#include "model/torch_checkpoint.h"

#include <string.h>
#include <zip.h>

#include "model/pickle.h"
#include "util/memory.h"
#include "util/text.h"

#define MAX_ENTRIES 100000
#define MAX_PICKLE  ((uint64_t)64 << 20)
#define MAX_KEY     100
#define PROTOCOL    1001

/* ---- legacy ---- */

struct cursor {
	const uint8_t *at, *end;
};

static int next_pickle(cn_pickle *pickle, struct cursor *cursor, const cn_pickle_value **out, uint32_t *index)
{
	size_t used;
	CN_TRY(cn_pickle_read(pickle, cursor->at, (size_t)(cursor->end - cursor->at), &used, index));
	cursor->at += used;
	*out = &pickle->values[*index];
	return 0;
}

/* Magic number, protocol, and the system it was written on, of which only the byte order matters. */
static int read_legacy_head(cn_pickle *pickle, struct cursor *cursor)
{
	static const uint8_t magic[] = { 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19 };
	const cn_pickle_value *value;
	uint32_t index;
	CN_TRY(next_pickle(pickle, cursor, &value, &index));
	if (value->kind != CN_PICKLE_LONG || value->count != sizeof(magic) ||
	    memcmp(value->text, magic, sizeof(magic)) != 0)
		return cn_fail(CAIRN_EFORMAT, "%s: this is not a checkpoint (PyTorch or safetensors)", pickle->file);
	CN_TRY(next_pickle(pickle, cursor, &value, &index));
	if (value->kind != CN_PICKLE_INTEGER || value->integer != PROTOCOL)
		return cn_fail(CAIRN_EUNSUPPORTED, "%s: the checkpoint's protocol is not %d", pickle->file, PROTOCOL);
	CN_TRY(next_pickle(pickle, cursor, &value, &index));
	for (uint32_t i = 0; value->kind == CN_PICKLE_DICT && i + 1 < value->count; i += 2) {
		const cn_pickle_value *item = &pickle->values[value->items[i + 1]];
		if (cn_pickle_is_text(&pickle->values[value->items[i]], "little_endian") &&
		    item->kind == CN_PICKLE_BOOL && item->integer)
			return 0;
	}
	return cn_fail(CAIRN_EUNSUPPORTED, "%s: the checkpoint was not written in little-endian byte order",
		       pickle->file);
}

static cn_pickle_storage *find_storage(const cn_pickle *pickle, const cn_pickle_value *key)
{
	for (size_t i = 0; i < pickle->storage_count && key->kind == CN_PICKLE_TEXT; i++)
		if (pickle->storages[i].key_length == key->count &&
		    memcmp(pickle->storages[i].key, key->text, key->count) == 0)
			return &pickle->storages[i];
	return NULL;
}

static int read_legacy_storages(cn_pickle *pickle, struct cursor *cursor, const cn_pickle_value *keys)
{
	if (keys->kind != CN_PICKLE_LIST || keys->count > pickle->storage_count)
		return cn_fail(CAIRN_EFORMAT, "%s: the list of storages does not fit the tensors", pickle->file);
	for (uint32_t i = 0; i < keys->count; i++) {
		cn_pickle_storage *storage = find_storage(pickle, &pickle->values[keys->items[i]]);
		if (!storage || storage->bytes)
			return cn_fail(CAIRN_EFORMAT, "%s: the list of storages does not fit the tensors",
				       pickle->file);
		size_t left = (size_t)(cursor->end - cursor->at), size = cn_stored_size(storage->type);
		int64_t elements = -1;
		if (left >= sizeof(elements))
			memcpy(&elements, cursor->at, sizeof(elements));
		if (elements < 0 || (uint64_t)elements != storage->elements || storage->elements > (left - 8) / size)
			return cn_fail(CAIRN_EFORMAT,
				       "%s: storage %u is cut short or has another size than its tensors say",
				       pickle->file, i);
		storage->bytes = cursor->at + 8;
		cursor->at += 8 + storage->elements * size;
	}
	return 0;
}

static int parse_legacy(cn_pickle *pickle, struct cursor cursor, cn_weights *out)
{
	const cn_pickle_value *value;
	uint32_t root, keys;
	CN_TRY(read_legacy_head(pickle, &cursor));
	CN_TRY(next_pickle(pickle, &cursor, &value, &root));
	CN_TRY(next_pickle(pickle, &cursor, &value, &keys));
	CN_TRY(read_legacy_storages(pickle, &cursor, value));
	return cn_pickle_collect(pickle, root, out);
}

int cn_torch_legacy_parse(cn_weights *out, const void *bytes, size_t length)
{
	cn_pickle pickle = { .file = out->file };
	const uint8_t *start = bytes;
	if (length == 0)
		return cn_fail(CAIRN_EFORMAT, "%s: the file is empty", out->file);
	int status = parse_legacy(&pickle, (struct cursor){ start, start + length }, out);
	cn_pickle_free(&pickle);
	return status;
}

/* ---- zip ---- */

struct archive {
	const char *file;
	zip_t *zip;
	uint64_t limit;   /* bytes that entries may still take: what is stored cannot be more than the file */
	char prefix[512]; /* of every entry, with the slash */
};

/* Reads a whole entry that was stored without compression. */
static int read_entry(struct archive *archive, zip_uint64_t index, const char *name, uint8_t **out, size_t *length)
{
	zip_stat_t stat;
	uint8_t extra;
	zip_stat_init(&stat);
	if (zip_stat_index(archive->zip, index, 0, &stat) != 0 || !(stat.valid & ZIP_STAT_SIZE) ||
	    !(stat.valid & ZIP_STAT_COMP_METHOD))
		return cn_fail(CAIRN_EFORMAT, "%s: the entry '%s' is damaged", archive->file, name);
	if (stat.comp_method != ZIP_CM_STORE)
		return cn_fail(CAIRN_EFORMAT, "%s: the entry '%s' is compressed; torch.save() never does that",
			       archive->file, name);
	if (stat.size > archive->limit)
		return cn_fail(CAIRN_EFORMAT, "%s: the entry '%s' is larger than the file can hold", archive->file,
			       name);
	archive->limit -= stat.size;
	*out = cn_alloc((size_t)stat.size, 1);
	if (!*out)
		return CAIRN_ENOMEM;
	zip_file_t *entry = zip_fopen_index(archive->zip, index, 0);
	/* Reading past the end makes libzip compare the checksum. */
	int whole = entry && zip_fread(entry, *out, stat.size) == (zip_int64_t)stat.size &&
		    zip_fread(entry, &extra, 1) == 0;
	if (entry)
		zip_fclose(entry);
	if (whole) {
		*length = (size_t)stat.size;
		return 0;
	}
	cn_free(*out);
	*out = NULL;
	return cn_fail(CAIRN_EFORMAT, "%s: the entry '%s' is damaged", archive->file, name);
}

/* The pickle is NAME/data.pkl; NAME is what the archive was called when it was written. */
static int find_pickle(struct archive *archive, zip_uint64_t *index)
{
	static const char tail[] = "data.pkl";
	zip_int64_t count = zip_get_num_entries(archive->zip, 0);
	if (count > MAX_ENTRIES)
		return cn_fail(CAIRN_ELIMIT, "%s: more than %d entries", archive->file, MAX_ENTRIES);
	for (zip_int64_t i = 0; i < count; i++) {
		const char *name = zip_get_name(archive->zip, (zip_uint64_t)i, ZIP_FL_ENC_RAW);
		size_t length = name ? strlen(name) : 0, head = length - (sizeof(tail) - 1);
		if (length <= sizeof(tail) - 1 || strcmp(name + head, tail) != 0 || name[head - 1] != '/')
			continue;
		if (head >= sizeof(archive->prefix))
			return cn_fail(CAIRN_EFORMAT, "%s: the entries' names are too long", archive->file);
		memcpy(archive->prefix, name, head);
		archive->prefix[head] = '\0';
		*index = (zip_uint64_t)i;
		return 0;
	}
	return cn_fail(CAIRN_EFORMAT, "%s: a zip file, but not a PyTorch checkpoint (it has no data.pkl)",
		       archive->file);
}

static int check_byte_order(struct archive *archive)
{
	char name[600];
	uint8_t *order;
	size_t length;
	snprintf(name, sizeof(name), "%sbyteorder", archive->prefix);
	zip_int64_t index = zip_name_locate(archive->zip, name, ZIP_FL_ENC_RAW);
	if (index < 0)
		return 0;
	CN_TRY(read_entry(archive, (zip_uint64_t)index, name, &order, &length));
	int little = length == 6 && memcmp(order, "little", 6) == 0;
	cn_free(order);
	return little ? 0
		      : cn_fail(CAIRN_EUNSUPPORTED, "%s: the checkpoint was not written in little-endian byte order",
				archive->file);
}

static int read_storage(struct archive *archive, cn_pickle_storage *storage, uint8_t **memory)
{
	char name[700];
	size_t length, size = cn_stored_size(storage->type);
	if (storage->key_length > MAX_KEY)
		return cn_fail(CAIRN_EFORMAT, "%s: a storage's key has %zu bytes", archive->file, storage->key_length);
	snprintf(name, sizeof(name), "%sdata/%.*s", archive->prefix, (int)storage->key_length, storage->key);
	zip_int64_t index = zip_name_locate(archive->zip, name, ZIP_FL_ENC_RAW);
	if (index < 0)
		return cn_fail(CAIRN_EFORMAT, "%s: there is no entry '%s'", archive->file, name);
	CN_TRY(read_entry(archive, (zip_uint64_t)index, name, memory, &length));
	if (storage->elements > length / size)
		return cn_fail(CAIRN_EFORMAT, "%s: the entry '%s' has %zu bytes, too few for %zu elements",
			       archive->file, name, length, storage->elements);
	storage->bytes = *memory;
	return 0;
}

static int parse_archive(struct archive *archive, cn_weights *out)
{
	cn_pickle pickle = { .file = out->file };
	zip_uint64_t index = 0;
	uint8_t *program = NULL, **memory = NULL;
	size_t length = 0, used;
	uint32_t root;
	int status = 0;
	CN_GOTO(status, find_pickle(archive, &index));
	CN_GOTO(status, check_byte_order(archive));
	CN_GOTO(status, read_entry(archive, index, "data.pkl", &program, &length));
	if (length > MAX_PICKLE)
		CN_GOTO(status, cn_fail(CAIRN_ELIMIT, "%s: a pickle of %zu bytes", out->file, length));
	CN_GOTO(status, cn_pickle_read(&pickle, program, length, &used, &root));
	memory = cn_alloc_zero(pickle.storage_count, sizeof(*memory));
	if (!memory)
		CN_GOTO(status, CAIRN_ENOMEM);
	for (size_t i = 0; i < pickle.storage_count; i++)
		CN_GOTO(status, read_storage(archive, &pickle.storages[i], &memory[i]));
	status = cn_pickle_collect(&pickle, root, out);
done:
	for (size_t i = 0; memory && i < pickle.storage_count; i++)
		cn_free(memory[i]);
	cn_free(memory);
	cn_pickle_free(&pickle);
	cn_free(program);
	return status;
}

int cn_torch_zip_parse(cn_weights *out, const void *bytes, size_t length)
{
	zip_error_t error;
	zip_error_init(&error);
	zip_source_t *source = zip_source_buffer_create(bytes, length, 0, &error);
	struct archive archive = { .file = out->file, .limit = length };
	archive.zip = source ? zip_open_from_source(source, ZIP_RDONLY, &error) : NULL;
	int status;
	if (archive.zip) {
		status = parse_archive(&archive, out);
		zip_discard(archive.zip);
	} else {
		status = cn_fail(CAIRN_EFORMAT, "%s: the zip file is damaged: %s", out->file,
				 zip_error_strerror(&error));
		if (source)
			zip_source_free(source);
	}
	zip_error_fini(&error);
	return status;
}
