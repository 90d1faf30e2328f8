/*
 * Checking a collection: every byte of every file against its checksum, and the segments against the catalogue.
 *
 * Faults are gathered first and told afterwards, when it is known which of them could be mended. Codes and scales that
 * alone are damaged are made again from the rows. Damaged inverted files and lists are dropped by themselves, and so
 * are codebooks and quantizers, with all that was made with them: the next add makes them again. Otherwise mending
 * drops a damaged segment whole, with its images: they are described again by the next add, which is the only way to
 * get them back.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collection/structures.h"
#include "math/dot.h"
#include "math/half.h"
#include "util/file.h"
#include "util/ids.h"
#include "util/lock.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/progress.h"

#define NORM_TOLERANCE 1e-3f

enum mending { NO_MENDING, DROP_SEGMENT, WRITE_CODES, DROP_DERIVED, DROP_STRUCTURE, FORGET_IMAGE, DELETE_FILE };

#define NO_TARGET (-1)

/* The files that are made from the rows. */
static const int derived[] = { CN_FILE_CODES, CN_FILE_SCALES };
#define DERIVED (sizeof(derived) / sizeof(*derived))

struct fault {
	char *file, *text;
	enum mending mending;
	int64_t target; /* index of the segment, number of the structure, id of the image, or NO_TARGET */
	int structure;  /* of DROP_DERIVED */
	int mended;
};

struct check {
	cairn_collection *collection;
	cn_progress progress;
	struct fault *faults;
	size_t count, capacity;
	int status; /* of a callback that could not return it */
};

/* ---- noting faults ---- */

/* Takes `text` over. */
static int note(struct check *check, const char *file, char *text, enum mending mending, int64_t target)
{
	if (check->count == check->capacity) {
		size_t capacity = check->capacity ? 2 * check->capacity : 16;
		struct fault *larger = cn_realloc(check->faults, capacity, sizeof(*larger));
		if (!larger) {
			cn_free(text);
			return CAIRN_ENOMEM;
		}
		check->faults = larger;
		check->capacity = capacity;
	}
	struct fault *fault = &check->faults[check->count];
	*fault = (struct fault){ .file = cn_strdup(file), .text = text, .mending = mending, .target = target };
	check->count++;
	return fault->file && text ? 0 : CAIRN_ENOMEM;
}

/* How a fault of one of a segment's files is mended. */
static enum mending mending_of_file(int file)
{
	return file == CN_FILE_CODES || file == CN_FILE_SCALES ? WRITE_CODES : DROP_SEGMENT;
}

/* Notes the last error as a fault, unless it is not the file's: what only a newer cairn can read must not be dropped.
 * Nor must what cannot be read today: the permission or the disk may be at fault. */
static int note_error(struct check *check, int64_t segment, int file, int status)
{
	if (status == CAIRN_ENOMEM || status == CAIRN_ECANCELLED || status == CAIRN_EUNSUPPORTED)
		return status;
	return note(check, check->collection->now.segments[segment].record.files[file].name,
		    cn_strdup(cairn_last_error()), status == CAIRN_EIO ? NO_MENDING : mending_of_file(file), segment);
}

static void note_catalogue(const char *text, void *payload)
{
	struct check *check = payload;
	int status = note(check, CN_CATALOGUE_NAME, cn_strdup(text), NO_MENDING, NO_TARGET);
	if (check->status == 0)
		check->status = status;
}

/* ---- files ---- */

static int check_file(struct check *check, int64_t segment, int file)
{
	const cairn_collection *collection = check->collection;
	const cn_segment_file *expected = &collection->now.segments[segment].record.files[file];
	int status = expected->name ? cn_segment_file_compare(collection, expected) : 0;
	return status < 0 ? note_error(check, segment, file, status) : 0;
}

/* ---- contents ---- */

/* The ids of a segment that the catalogue knows: live ones, and all. */
struct known_ids {
	int64_t *live, *removed;
	size_t live_count, removed_count;
};

static int check_row(const cn_row_segment *rows, size_t row, float *values, const struct known_ids *known)
{
	int64_t id = rows->images[row];
	if (!cn_ids_have(known->live, known->live_count, id) && !cn_ids_have(known->removed, known->removed_count, id))
		return cn_fail(CAIRN_EDAMAGED, "row %zu is of image %lld, which the catalogue does not know", row,
			       (long long)id);
	cn_halves_to_floats(rows->rows + row * rows->dim, rows->dim, values);
	if (!cn_all_finite(values, rows->dim))
		return cn_fail(CAIRN_EDAMAGED, "row %zu has a number that is not finite", row);
	float norm = cn_norm(values, rows->dim);
	/* A network's output may be all zero, and has no direction then. */
	if (norm > 0 && fabsf(norm - 1) > NORM_TOLERANCE)
		return cn_fail(CAIRN_EDAMAGED, "row %zu has the norm %g instead of 1", row, (double)norm);
	return 0;
}

static int check_each_row(const cn_row_segment *rows, float *values, const struct known_ids *known)
{
	size_t live = 0;
	for (size_t i = 0; i < rows->count; i++) {
		CN_TRY(check_row(rows, i, values, known));
		if (live < known->live_count && known->live[live] < rows->images[i])
			break;
		live += live < known->live_count && known->live[live] == rows->images[i];
	}
	if (live < known->live_count)
		return cn_fail(CAIRN_EDAMAGED, "image %lld has no row", (long long)known->live[live]);
	return 0;
}

static int check_rows(const cn_row_segment *rows, const struct known_ids *known)
{
	float *values = cn_alloc(rows->dim, sizeof(*values));
	int status = values ? check_each_row(rows, values, known) : CAIRN_ENOMEM;
	cn_free(values);
	return status;
}

/* Where a row is no descriptor, its codes say nothing more. */
static int check_descriptors(struct check *check, int64_t at, const struct known_ids *known)
{
	const cn_row_segment *rows;
	int status = cn_segment_rows(check->collection, &check->collection->now.segments[at], &rows);
	if (status == 0)
		status = check_rows(rows, known);
	if (status < 0)
		return note_error(check, at, CN_FILE_ROWS, status);
	for (size_t i = 0; i < DERIVED; i++) {
		status = cn_row_segment_compare(rows, derived[i]);
		if (status < 0)
			CN_TRY(note_error(check, at, derived[i], status));
	}
	return 0;
}

static int check_features(struct check *check, cn_segment *segment, size_t local, const struct known_ids *known)
{
	cairn_collection *collection = check->collection;
	cn_feature_segment *features;
	CN_TRY(cn_segment_features(collection, segment, local, &features));
	for (size_t i = 0; i < known->live_count; i++) {
		cairn_features *set;
		CN_TRY(cn_feature_segment_read(features, known->live[i], &set));
		cairn_features_free(set);
	}
	return 0;
}

static int check_contents(struct check *check, int64_t at, const struct known_ids *known)
{
	cairn_collection *collection = check->collection;
	cn_segment *segment = &collection->now.segments[at];
	const cn_segment_record *record = &segment->record;
	if (known->live_count + known->removed_count != record->images) {
		char *text =
			cn_textf("segment %lld has %llu images, the catalogue knows %zu of them", (long long)record->id,
				 (unsigned long long)record->images, known->live_count + known->removed_count);
		CN_TRY(note(check, CN_CATALOGUE_NAME, text, DROP_SEGMENT, at));
	}
	if (collection->sources.global_count)
		CN_TRY(check_descriptors(check, at, known));
	for (size_t i = 0; i < collection->sources.local_count; i++) {
		int status = check_features(check, segment, i, known);
		if (status < 0)
			CN_TRY(note_error(check, at, CN_FILE_LOCAL + (int)i, status));
	}
	return 0;
}

static int check_segment(struct check *check, int64_t at)
{
	cairn_collection *collection = check->collection;
	const cn_segment *segment = &collection->now.segments[at];
	struct known_ids known = { 0 };
	size_t before = check->count;
	int status = 0;
	for (int i = 0; i < CN_FILE_DERIVED; i++)
		CN_TRY(check_file(check, at, i));
	/* What stands in a damaged file says nothing more. */
	if (check->count == before) {
		int64_t first = segment->record.first, last = segment->record.last;
		CN_GOTO(status,
			cn_catalogue_ids(collection->catalogue, first, last, 0, &known.live, &known.live_count));
		CN_GOTO(status,
			cn_catalogue_ids(collection->catalogue, first, last, 1, &known.removed, &known.removed_count));
		CN_GOTO(status, check_contents(check, at, &known));
	}
	status = cn_progress_add(&check->progress, 1, check->count > before);
done:
	cn_free(known.live);
	cn_free(known.removed);
	return status;
}

/* ---- structures ---- */

static int is_fatal(int status)
{
	return status == CAIRN_ENOMEM || status == CAIRN_ECANCELLED || status == CAIRN_EUNSUPPORTED;
}

static int note_derived(struct check *check, int64_t segment, int structure, int status)
{
	const cn_segment_record *record = &check->collection->now.segments[segment].record;
	if (is_fatal(status))
		return status;
	CN_TRY(note(check, record->files[CN_FILE_DERIVED + structure].name, cn_strdup(cairn_last_error()),
		    status == CAIRN_EIO ? NO_MENDING : DROP_DERIVED, segment));
	check->faults[check->count - 1].structure = structure;
	return 0;
}

/* Its bytes are what was written; is it also of this codebook or quantizer, and of this segment? */
static int check_belonging(const cn_segment *segment, const char *path, const cn_shared *shared)
{
	cairn_asmk_index *index;
	cairn_ivf_lists *lists;
	if (shared->quantizer) {
		CN_TRY(cairn_ivf_lists_open(&lists, path, shared->quantizer, segment->record.rows));
		cairn_ivf_lists_free(lists);
		return 0;
	}
	CN_TRY(cairn_asmk_index_open(&index, shared->codebook, &path, 1, NULL, 0));
	size_t images = cairn_asmk_index_images(index);
	cairn_asmk_index_free(index);
	if (images != segment->record.images)
		return cn_fail(CAIRN_EDAMAGED, "holds %zu images, its segment %llu", images,
			       (unsigned long long)segment->record.images);
	return 0;
}

static int check_derived(struct check *check, int64_t at, int structure, const cn_shared *shared)
{
	const cairn_collection *collection = check->collection;
	const cn_segment *segment = &collection->now.segments[at];
	const cn_segment_file *file = &segment->record.files[CN_FILE_DERIVED + structure];
	if (!file->name)
		return 0;
	int status = cn_segment_file_compare(collection, file);
	if (status == 0) {
		char *path = cn_collection_file(collection, file->name);
		status = path ? check_belonging(segment, path, shared) : CAIRN_ENOMEM;
		cn_free(path);
	}
	return status < 0 ? note_derived(check, at, structure, status) : 0;
}

/* @param[out] shared zeroed where it is damaged, and nothing made with it is of use; the caller frees it */
static int check_shared(struct check *check, int structure, cn_shared *shared)
{
	const cairn_collection *collection = check->collection;
	const cn_segment_file *file = &collection->now.structures[structure].file;
	*shared = (cn_shared){ 0 };
	int status = cn_segment_file_compare(collection, file);
	if (status == 0)
		status = cn_structure_open_shared(collection, structure, shared);
	if (status == 0 || is_fatal(status))
		return status;
	return note(check, file->name, cn_strdup(cairn_last_error()), status == CAIRN_EIO ? NO_MENDING : DROP_STRUCTURE,
		    structure);
}

static int check_structure(struct check *check, int structure)
{
	const cn_snapshot *now = &check->collection->now;
	cn_shared shared;
	if (!now->structures[structure].file.name)
		return 0;
	int status = check_shared(check, structure, &shared);
	int is_good = shared.codebook || shared.quantizer;
	for (size_t i = 0; i < now->segment_count && status == 0 && is_good; i++)
		status = check_derived(check, (int64_t)i, structure, &shared);
	cn_shared_free(&shared);
	return status;
}

/* ---- what has no place ---- */

static int check_homeless(struct check *check)
{
	cairn_collection *collection = check->collection;
	int64_t *ids;
	size_t count;
	int status = 0;
	CN_TRY(cn_catalogue_ids(collection->catalogue, INT64_MIN, INT64_MAX, 0, &ids, &count));
	for (size_t i = 0; i < count && status == 0; i++) {
		if (cn_snapshot_segment(&collection->now, ids[i]) < collection->now.segment_count)
			continue;
		char *text = cn_textf("image %lld is in no segment", (long long)ids[i]);
		status = note(check, CN_CATALOGUE_NAME, text, FORGET_IMAGE, ids[i]);
	}
	cn_free(ids);
	return status;
}

static int check_strays(struct check *check)
{
	char **names;
	size_t count;
	int status = 0;
	CN_TRY(cn_collection_strays(check->collection, &names, &count));
	for (size_t i = 0; i < count && status == 0; i++)
		status = note(check, names[i], cn_strdup("no segment that the catalogue knows has this file"),
			      DELETE_FILE, NO_TARGET);
	cn_names_free(names, count);
	return status;
}

/* A reader looks for stray files only while nobody writes, since the files of a batch are there before it is committed.
 */
static int check_strays_of_reader(struct check *check)
{
	char *path = cn_path_join(check->collection->folder, CN_LOCK_NAME);
	if (!path)
		return CAIRN_ENOMEM;
	int lock = open(path, O_RDONLY | O_CLOEXEC), status = 0;
	cn_free(path);
	if (lock >= 0 && flock(lock, LOCK_SH | LOCK_NB) != 0) {
		cn_log(CAIRN_LOG_INFO, "'%s' is being written to: not looked for stray files",
		       check->collection->folder);
	} else {
		status = cn_collection_reload(check->collection);
		if (status == 0)
			status = check_strays(check);
	}
	if (lock >= 0)
		close(lock);
	return status;
}

/* ---- mending ---- */

static int drop_segment(struct check *check, const struct fault *fault)
{
	cairn_collection *collection = check->collection;
	const cn_segment_record *record = &collection->now.segments[fault->target].record;
	CN_TRY(cn_catalogue_drop_segment(collection->catalogue, record->id));
	return cn_catalogue_forget_range(collection->catalogue, record->first, record->last);
}

static int forget_image(struct check *check, const struct fault *fault)
{
	return cn_catalogue_forget_range(check->collection->catalogue, fault->target, fault->target);
}

static int drop_derived(struct check *check, const struct fault *fault)
{
	cairn_collection *collection = check->collection;
	return cn_catalogue_drop_file(collection->catalogue, &collection->sources,
				      collection->now.segments[fault->target].record.id,
				      CN_FILE_DERIVED + fault->structure);
}

/* It stays wanted, so that it is trained again. */
static int drop_structure(struct check *check, const struct fault *fault)
{
	cairn_collection *collection = check->collection;
	const cn_structure_record none = { .wanted = 1 };
	return cn_catalogue_set_structure(collection->catalogue, &collection->sources, (int)fault->target, &none);
}

/* Names of what is written under this number, and the paths that cn_row_codes_write() wants. */
static int name_codes(const cairn_collection *collection, const cn_segment_record *record, cn_segment_record *fresh,
		      char **paths)
{
	paths[CN_FILE_ROWS] = cn_collection_file(collection, record->files[CN_FILE_ROWS].name);
	if (!paths[CN_FILE_ROWS])
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < DERIVED; i++) {
		int file = derived[i];
		char *name = cn_segment_file_name(&collection->sources, fresh->id, file);
		fresh->files[file].name = name;
		paths[file] = name ? cn_collection_file(collection, name) : NULL;
		if (!paths[file])
			return CAIRN_ENOMEM;
	}
	return 0;
}

/* No file is changed in place: the new ones have a number that no segment gets. */
static int write_codes(struct check *check, const struct fault *fault)
{
	cairn_collection *collection = check->collection;
	cn_catalogue *catalogue = collection->catalogue;
	const cn_segment_record *record = &collection->now.segments[fault->target].record;
	cn_segment_record fresh = { 0 };
	char *paths[CN_ROW_FILES] = { NULL };
	int status;
	CN_GOTO(status, cn_catalogue_new_number(catalogue, &fresh.id));
	CN_GOTO(status, name_codes(collection, record, &fresh, paths));
	CN_GOTO(status, cn_row_codes_write((const char *const *)paths, record->rows, collection->dim));
	for (size_t i = 0; i < DERIVED; i++) {
		cn_segment_file *file = &fresh.files[derived[i]];
		CN_GOTO(status, cn_file_checksum(paths[derived[i]], &file->size, &file->crc));
		CN_GOTO(status, cn_catalogue_set_file(catalogue, &collection->sources, record->id, derived[i], file));
	}
done:
	for (int i = 0; i < CN_ROW_FILES; i++)
		cn_free(paths[i]);
	cn_segment_record_free(&fresh);
	return status;
}

static int is_of_segment(const struct fault *fault)
{
	return fault->mending != FORGET_IMAGE && fault->mending != DROP_DERIVED && fault->mending != DROP_STRUCTURE &&
	       fault->target != NO_TARGET;
}

/* The faults of one segment, which are mended in one way: by its codes, if there is no other. */
static int mend_segment(struct check *check, struct fault *faults, size_t count)
{
	enum mending mending = WRITE_CODES;
	int status = 0;
	for (size_t i = 0; i < count; i++) {
		if (mending != DROP_SEGMENT && faults[i].mending != WRITE_CODES)
			mending = faults[i].mending;
	}
	if (mending == WRITE_CODES) {
		status = write_codes(check, faults);
		/* Rows that have the right checksum, and yet are none. */
		if (status == CAIRN_EDAMAGED)
			mending = DROP_SEGMENT;
	}
	if (mending == DROP_SEGMENT)
		status = drop_segment(check, faults);
	for (size_t i = 0; i < count; i++) {
		if (faults[i].mending == WRITE_CODES)
			faults[i].mending = mending;
	}
	return status;
}

static int mend_catalogue(struct check *check)
{
	size_t count;
	for (size_t i = 0; i < check->count; i += count) {
		struct fault *fault = &check->faults[i];
		count = 1;
		while (is_of_segment(fault) && i + count < check->count && is_of_segment(fault + count) &&
		       fault[count].target == fault->target)
			count++;
		if (is_of_segment(fault))
			CN_TRY(mend_segment(check, fault, count));
		else if (fault->mending == FORGET_IMAGE)
			CN_TRY(forget_image(check, fault));
		else if (fault->mending == DROP_DERIVED)
			CN_TRY(drop_derived(check, fault));
		else if (fault->mending == DROP_STRUCTURE)
			CN_TRY(drop_structure(check, fault));
	}
	return cn_catalogue_commit(check->collection->catalogue);
}

/* @return 1 if it is gone */
static int delete_file(struct check *check, const char *name)
{
	char *path = cn_collection_file(check->collection, name);
	int gone = path && (unlink(path) == 0 || errno == ENOENT);
	if (path && !gone)
		cn_log(CAIRN_LOG_WARNING, "cannot delete '%s': %s", path, strerror(errno));
	cn_free(path);
	return gone;
}

static void delete_structure(struct check *check, int structure)
{
	const cn_snapshot *now = &check->collection->now;
	delete_file(check, now->structures[structure].file.name);
	for (size_t i = 0; i < now->segment_count; i++)
		if (now->segments[i].record.files[CN_FILE_DERIVED + structure].name)
			delete_file(check, now->segments[i].record.files[CN_FILE_DERIVED + structure].name);
}

/* The files that the catalogue no longer knows. */
static void delete_files(struct check *check, const struct fault *fault)
{
	if (fault->mending == DROP_DERIVED)
		delete_file(check, fault->file);
	if (fault->mending == DROP_STRUCTURE)
		delete_structure(check, (int)fault->target);
	if (fault->mending != DROP_SEGMENT && fault->mending != WRITE_CODES)
		return;
	const cn_segment_record *record = &check->collection->now.segments[fault->target].record;
	for (int i = 0; i < CN_FILES; i++) {
		if (record->files[i].name && (fault->mending == DROP_SEGMENT || mending_of_file(i) == WRITE_CODES))
			delete_file(check, record->files[i].name);
	}
}

static int mend(struct check *check)
{
	cairn_collection *collection = check->collection;
	CN_TRY(cn_catalogue_begin(collection->catalogue));
	int status = mend_catalogue(check);
	if (status < 0) {
		cn_catalogue_rollback(collection->catalogue);
		return status;
	}
	for (size_t i = 0; i < check->count; i++) {
		struct fault *fault = &check->faults[i];
		delete_files(check, fault);
		fault->mended =
			fault->mending == DELETE_FILE ? delete_file(check, fault->file) : fault->mending != NO_MENDING;
	}
	return cn_collection_reload(collection);
}

/* ---- the whole ---- */

static int look(struct check *check)
{
	cairn_collection *collection = check->collection;
	CN_TRY(cn_catalogue_verify(collection->catalogue, note_catalogue, check));
	CN_TRY(check->status);
	/* Strays first: a reader begins with a fresh view for it, and segments are numbered in that view. */
	CN_TRY(collection->writable ? check_strays(check) : check_strays_of_reader(check));
	for (size_t i = 0; i < collection->now.segment_count; i++)
		CN_TRY(check_segment(check, (int64_t)i));
	for (int i = 0; i < CN_STRUCTURES; i++)
		CN_TRY(check_structure(check, i));
	return check_homeless(check);
}

static void free_faults(struct check *check)
{
	for (size_t i = 0; i < check->count; i++) {
		cn_free(check->faults[i].file);
		cn_free(check->faults[i].text);
	}
	cn_free(check->faults);
}

int cairn_collection_check(cairn_collection *collection, int repair, cairn_check_cb callback, void *payload,
			   cairn_progress_cb progress, void *progress_payload)
{
	struct check check = { .collection = collection };
	int remaining = 0;
	if (repair)
		CN_TRY(cn_collection_expect_writable(collection));
	CN_TRY(cn_collection_expect_fresh(collection));
	cn_progress_start(&check.progress, progress, progress_payload, "checking", collection->now.segment_count);
	int status = look(&check);
	cn_progress_end(&check.progress);
	if (status == 0 && repair && check.count)
		status = mend(&check);
	for (size_t i = 0; i < check.count && status == 0; i++) {
		const struct fault *fault = &check.faults[i];
		remaining += !fault->mended;
		if (callback)
			callback(fault->file, fault->text, fault->mended, payload);
	}
	free_faults(&check);
	return status < 0 ? status : remaining;
}
