/*
 * Checking a collection: every byte of every file against its checksum, and the segments against the catalogue.
 *
 * Faults are gathered first and told afterwards, when it is known which of them could be mended (mend.c).
 */
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "collection/mend.h"
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

struct check {
	cairn_collection *collection;
	cn_progress progress;
	cn_fault *faults;
	size_t count, capacity;
	int status; /* of a callback that could not return it */
};

/* ---- noting faults ---- */

/* Takes `text` over. */
static int note(struct check *check, const char *file, char *text, cn_mending mending, int64_t target)
{
	if (check->count == check->capacity) {
		size_t capacity = check->capacity ? 2 * check->capacity : 16;
		cn_fault *larger = cn_realloc(check->faults, capacity, sizeof(*larger));
		if (!larger) {
			cn_free(text);
			return CAIRN_ENOMEM;
		}
		check->faults = larger;
		check->capacity = capacity;
	}
	cn_fault *fault = &check->faults[check->count];
	*fault = (cn_fault){ .file = cn_strdup(file),
			     .text = text,
			     .mending = mending,
			     .target = target,
			     .state = cn_fault_state(mending) };
	check->count++;
	return fault->file && text ? 0 : CAIRN_ENOMEM;
}

/* Not the fault of a file: what only a newer cairn can read must not be dropped. */
static int is_fatal(int status)
{
	return status == CAIRN_ENOMEM || status == CAIRN_ECANCELLED || status == CAIRN_EUNSUPPORTED;
}

/* Notes the last error as a fault. What cannot be read today must not be dropped: the permission or the disk may be at
 * fault. */
static int note_error(struct check *check, int64_t segment, int file, int status)
{
	if (is_fatal(status))
		return status;
	return note(check, check->collection->now.segments[segment].record.files[file].name,
		    cn_strdup(cairn_last_error()),
		    status == CAIRN_EIO        ? CN_NO_MENDING
		    : cn_is_made_of_rows(file) ? CN_WRITE_CODES
					       : CN_DROP_SEGMENT,
		    segment);
}

static void note_catalogue(const char *text, void *payload)
{
	struct check *check = payload;
	int status = note(check, CN_CATALOGUE_NAME, cn_strdup(text), CN_NO_MENDING, CN_NO_TARGET);
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

static int is_known(const struct known_ids *known, int64_t id)
{
	return cn_ids_have(known->live, known->live_count, id) || cn_ids_have(known->removed, known->removed_count, id);
}

static int check_row(const cn_row_segment *rows, size_t row, float *values, const struct known_ids *known)
{
	int64_t id = rows->images[row];
	if (!is_known(known, id))
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
	for (int i = 0; i < CN_ROW_FILES; i++) {
		status = cn_is_made_of_rows(i) ? cn_row_segment_compare(rows, i) : 0;
		if (status < 0)
			CN_TRY(note_error(check, at, i, status));
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

static int check_boxes(struct check *check, cn_segment *segment, const struct known_ids *known)
{
	const cn_box_segment *boxes;
	CN_TRY(cn_segment_boxes(check->collection, segment, &boxes));
	for (size_t i = 0; i < boxes->count; i++) {
		int64_t id;
		CN_TRY(cn_box_segment_line(boxes, i, &id));
		if (!is_known(known, id))
			return cn_fail(CAIRN_EDAMAGED, "line %zu is of image %lld, which the catalogue does not know",
				       i, (long long)id);
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
		CN_TRY(note(check, CN_CATALOGUE_NAME, text, CN_DROP_SEGMENT, at));
	}
	if (collection->sources.global_count)
		CN_TRY(check_descriptors(check, at, known));
	for (size_t i = 0; i < collection->sources.local_count; i++) {
		int status = check_features(check, segment, i, known);
		if (status < 0)
			CN_TRY(note_error(check, at, CN_FILE_LOCAL + (int)i, status));
	}
	int status = collection->sources.detector.name ? check_boxes(check, segment, known) : 0;
	return status < 0 ? note_error(check, at, CN_FILE_BOXES, status) : 0;
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

static int note_derived(struct check *check, int64_t segment, int structure, int status)
{
	const cn_segment_record *record = &check->collection->now.segments[segment].record;
	if (is_fatal(status))
		return status;
	CN_TRY(note(check, record->files[CN_FILE_DERIVED + structure].name, cn_strdup(cairn_last_error()),
		    status == CAIRN_EIO ? CN_NO_MENDING : CN_DROP_DERIVED, segment));
	check->faults[check->count - 1].structure = structure;
	return 0;
}

static int check_derived(struct check *check, int64_t at, int structure)
{
	const cn_structure_type *type = cn_structure_type_of(structure);
	const cairn_collection *collection = check->collection;
	const cn_segment *segment = &collection->now.segments[at];
	const cn_segment_file *file = &segment->record.files[CN_FILE_DERIVED + structure];
	if (!file->name)
		return 0;
	int status = cn_segment_file_compare(collection, file);
	if (status == 0) {
		char *path = cn_collection_file(collection, file->name);
		status = path ? type->check(collection, segment, cn_structure_local(structure), path) : CAIRN_ENOMEM;
		cn_free(path);
	}
	return status < 0 ? note_derived(check, at, structure, status) : 0;
}

/* @return 1 where it is damaged, and nothing made with it is of use */
static int check_shared(struct check *check, int structure)
{
	cairn_collection *collection = check->collection;
	const cn_segment_file *file = &collection->now.structures[structure].file;
	int status = cn_segment_file_compare(collection, file);
	if (status == 0)
		status = cn_structure_type_of(structure)->open(collection, cn_structure_local(structure));
	if (status == 0 || is_fatal(status))
		return status;
	CN_TRY(note(check, file->name, cn_strdup(cairn_last_error()),
		    status == CAIRN_EIO ? CN_NO_MENDING : CN_DROP_STRUCTURE, structure));
	return 1;
}

static int check_structure(struct check *check, int structure)
{
	const cn_snapshot *now = &check->collection->now;
	int status = now->structures[structure].file.name ? check_shared(check, structure) : 1;
	for (size_t i = 0; i < now->segment_count && status == 0; i++)
		status = check_derived(check, (int64_t)i, structure);
	return status < 0 ? status : 0;
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
		status = note(check, CN_CATALOGUE_NAME, text, CN_FORGET_IMAGE, ids[i]);
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
		status = note(check, names[i],
			      cn_strdup(cn_segment_name_is_ours(names[i])
						? "an interrupted run left it; the next one that writes deletes it"
						: "no file of the collection, which leaves it alone"),
			      CN_LEAVE_FILE, CN_NO_TARGET);
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

/* Is any file of a segment there, or are there none to be there? */
static int has_files(const cairn_collection *collection)
{
	for (size_t i = 0; i < collection->now.segment_count; i++) {
		for (int file = 0; file < CN_FILE_DERIVED; file++) {
			const char *name = collection->now.segments[i].record.files[file].name;
			char *path = name ? cn_collection_file(collection, name) : NULL;
			int is_there = path && access(path, F_OK) == 0;
			cn_free(path);
			if (is_there)
				return 1;
		}
	}
	return collection->now.segment_count == 0;
}

static int expect_allowed(cairn_collection *collection, cairn_check_mode mode)
{
	if (mode != CAIRN_CHECK_ONLY)
		CN_TRY(cn_collection_expect_writable(collection));
	CN_TRY(cn_collection_expect_fresh(collection));
	if (mode == CAIRN_CHECK_DROP && !has_files(collection))
		return cn_fail(CAIRN_ENOTFOUND,
			       "'%s' holds not one file of the collection, and nothing was dropped: if they lie on "
			       "another disk, mount it; if they are lost, make a new collection",
			       collection->segments);
	return 0;
}

static int tell(const struct check *check, const cairn_check_options *options)
{
	int remaining = 0;
	for (size_t i = 0; i < check->count; i++) {
		const cn_fault *fault = &check->faults[i];
		remaining += fault->state == CAIRN_FAULT_REPAIRABLE || fault->state == CAIRN_FAULT_DROPPABLE ||
			     fault->state == CAIRN_FAULT_BEYOND;
		if (options->on_fault)
			options->on_fault(fault->file, fault->text, fault->state, options->fault_payload);
	}
	return remaining;
}

int cairn_collection_check(cairn_collection *collection, const cairn_check_options *options)
{
	static const cairn_check_options defaults = CAIRN_CHECK_OPTIONS_INIT;
	struct check check = { .collection = collection };
	if (!options)
		options = &defaults;
	if (options->version != CAIRN_CHECK_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "cairn_check_options of version %u, this library knows %d",
			       options->version, CAIRN_CHECK_OPTIONS_VERSION);
	CN_TRY(expect_allowed(collection, options->mode));
	cn_progress_start(&check.progress, options->progress, options->progress_payload, "checking",
			  collection->now.segment_count);
	int status = look(&check);
	cn_progress_end(&check.progress);
	if (status == 0 && options->mode != CAIRN_CHECK_ONLY && check.count)
		status = cn_mend(collection, options, check.faults, check.count);
	if (status == 0)
		status = tell(&check, options);
	free_faults(&check);
	return status;
}
