/*
 * Mending a collection.
 *
 * Codes and scales that alone are damaged are made again from the rows. Damaged ASMK files and lists are dropped by
 * themselves, and so are codebooks and quantizers, with all that was made with them: the next add makes them again.
 * What is damaged otherwise is lost. Its segment is dropped whole, with its images, where this is asked for: they are
 * described again by the next add, which is the only way to get them back.
 */
#include "collection/mend.h"

#include "collection/structures.h"
#include "util/memory.h"

int cn_is_made_of_rows(int file)
{
	return file == CN_FILE_CODES || file == CN_FILE_SCALES;
}

/* Tells of the images first, so that the caller has their paths and labels whatever happens then. */
static int forget(cairn_collection *collection, const cairn_check_options *options, int64_t first, int64_t last)
{
	cairn_image_record image;
	int64_t *ids;
	size_t count;
	CN_TRY(cn_catalogue_ids(collection->catalogue, first, last, 0, &ids, &count));
	int status = 0;
	for (size_t i = 0; i < count && status == 0 && options->on_drop; i++) {
		status = cairn_collection_find_id(collection, ids[i], &image);
		if (status == 0 && options->on_drop(&image, options->drop_payload))
			status = cn_fail(CAIRN_ECANCELLED, "stopped before images were dropped");
	}
	cn_free(ids);
	CN_TRY(status);
	return cn_catalogue_forget_range(collection->catalogue, first, last);
}

static int drop_segment(cairn_collection *collection, const cairn_check_options *options, const cn_fault *fault)
{
	const cn_segment_record *record = &collection->now.segments[fault->target].record;
	CN_TRY(cn_catalogue_drop_segment(collection->catalogue, record->id));
	return forget(collection, options, record->first, record->last);
}

static int drop_derived(cairn_collection *collection, const cn_fault *fault)
{
	return cn_catalogue_drop_file(collection->catalogue, &collection->sources,
				      collection->now.segments[fault->target].record.id,
				      CN_FILE_DERIVED + fault->structure);
}

/* It stays wanted, so that it is trained again. */
static int drop_structure(cairn_collection *collection, const cn_fault *fault)
{
	return cn_catalogue_set_structure(collection->catalogue, &collection->sources, (int)fault->target, NULL);
}

/* Names of what is written under this number, and the paths that cn_row_codes_write() wants. */
static int name_codes(const cairn_collection *collection, const cn_segment_record *record, cn_segment_record *fresh,
		      char **paths)
{
	paths[CN_FILE_ROWS] = cn_collection_file(collection, record->files[CN_FILE_ROWS].name);
	if (!paths[CN_FILE_ROWS])
		return CAIRN_ENOMEM;
	for (int file = 0; file < CN_ROW_FILES; file++) {
		if (!cn_is_made_of_rows(file))
			continue;
		char *name = cn_segment_file_name(&collection->sources, fresh->id, file);
		fresh->files[file].name = name;
		paths[file] = name ? cn_collection_file(collection, name) : NULL;
		if (!paths[file])
			return CAIRN_ENOMEM;
	}
	return 0;
}

/* No file is changed in place: the new ones have a number that no segment gets. */
static int write_codes(cairn_collection *collection, const cn_fault *fault)
{
	cn_catalogue *catalogue = collection->catalogue;
	const cn_segment_record *record = &collection->now.segments[fault->target].record;
	cn_segment_record fresh = { 0 };
	char *paths[CN_ROW_FILES] = { NULL };
	int status;
	CN_GOTO(status, cn_catalogue_new_number(catalogue, &fresh.id));
	CN_GOTO(status, name_codes(collection, record, &fresh, paths));
	CN_GOTO(status, cn_row_codes_write((const char *const *)paths, record->rows, collection->dim));
	for (int i = 0; i < CN_ROW_FILES; i++) {
		cn_segment_file *file = &fresh.files[i];
		if (!cn_is_made_of_rows(i))
			continue;
		CN_GOTO(status, cn_file_checksum(paths[i], &file->size, &file->crc));
		CN_GOTO(status, cn_catalogue_set_file(catalogue, &collection->sources, record->id, i, file));
	}
done:
	for (int i = 0; i < CN_ROW_FILES; i++)
		cn_free(paths[i]);
	cn_segment_record_free(&fresh);
	return status;
}

static int is_of_segment(const cn_fault *fault)
{
	return fault->mending != CN_FORGET_IMAGE && fault->mending != CN_DROP_DERIVED &&
	       fault->mending != CN_DROP_STRUCTURE && fault->target != CN_NO_TARGET;
}

/* The faults of one segment, which are mended in one way: by its codes, if there is no other. */
static int mend_segment(cairn_collection *collection, const cairn_check_options *options, cn_fault *faults,
			size_t count)
{
	cn_mending mending = CN_WRITE_CODES;
	int status = 0;
	for (size_t i = 0; i < count; i++) {
		if (mending != CN_DROP_SEGMENT && faults[i].mending != CN_WRITE_CODES)
			mending = faults[i].mending;
	}
	if (mending == CN_WRITE_CODES) {
		status = write_codes(collection, faults);
		/* Rows that have the right checksum, and yet are none. */
		if (status == CAIRN_EDAMAGED) {
			mending = CN_DROP_SEGMENT;
			status = 0;
		}
	}
	if (mending == CN_DROP_SEGMENT && options->mode == CAIRN_CHECK_DROP)
		status = drop_segment(collection, options, faults);
	for (size_t i = 0; i < count; i++) {
		if (faults[i].mending == CN_WRITE_CODES)
			faults[i].mending = mending;
	}
	return status;
}

static int mend_other(cairn_collection *collection, const cairn_check_options *options, const cn_fault *fault)
{
	switch (fault->mending) {
	case CN_DROP_DERIVED:
		return drop_derived(collection, fault);
	case CN_DROP_STRUCTURE:
		return drop_structure(collection, fault);
	case CN_FORGET_IMAGE:
		return options->mode == CAIRN_CHECK_DROP ? forget(collection, options, fault->target, fault->target)
							 : 0;
	default:
		return 0;
	}
}

static int mend_catalogue(cairn_collection *collection, const cairn_check_options *options, cn_fault *faults,
			  size_t fault_count)
{
	size_t count;
	for (size_t i = 0; i < fault_count; i += count) {
		cn_fault *fault = &faults[i];
		count = 1;
		while (is_of_segment(fault) && i + count < fault_count && is_of_segment(fault + count) &&
		       fault[count].target == fault->target)
			count++;
		CN_TRY(is_of_segment(fault) ? mend_segment(collection, options, fault, count)
					    : mend_other(collection, options, fault));
	}
	return cn_catalogue_commit(collection->catalogue);
}

/* The files that the catalogue no longer knows. */
static void delete_files(cairn_collection *collection, const cn_fault *fault)
{
	if (fault->mending == CN_DROP_DERIVED)
		cn_collection_delete(collection, fault->file);
	if (fault->mending == CN_DROP_STRUCTURE)
		cn_structure_delete_files(collection, (int)fault->target);
	if (fault->mending != CN_DROP_SEGMENT && fault->mending != CN_WRITE_CODES)
		return;
	const cn_segment_record *record = &collection->now.segments[fault->target].record;
	for (int i = 0; i < CN_FILES; i++) {
		if (record->files[i].name && (fault->mending == CN_DROP_SEGMENT || cn_is_made_of_rows(i)))
			cn_collection_delete(collection, record->files[i].name);
	}
}

cairn_fault_state cn_fault_state(cn_mending mending)
{
	switch (mending) {
	case CN_LEAVE_FILE:
		return CAIRN_FAULT_NOTE;
	case CN_NO_MENDING:
		return CAIRN_FAULT_BEYOND;
	case CN_DROP_SEGMENT:
	case CN_FORGET_IMAGE:
		return CAIRN_FAULT_DROPPABLE;
	default:
		return CAIRN_FAULT_REPAIRABLE;
	}
}

static cairn_fault_state state_after(cn_mending mending, cairn_check_mode mode)
{
	cairn_fault_state state = cn_fault_state(mending);
	if (state == CAIRN_FAULT_REPAIRABLE)
		return CAIRN_FAULT_REPAIRED;
	if (state == CAIRN_FAULT_DROPPABLE && mode == CAIRN_CHECK_DROP)
		return CAIRN_FAULT_DROPPED;
	return state;
}

int cn_mend(cairn_collection *collection, const cairn_check_options *options, cn_fault *faults, size_t count)
{
	CN_TRY(cn_catalogue_begin(collection->catalogue));
	int status = mend_catalogue(collection, options, faults, count);
	if (status < 0) {
		cn_catalogue_rollback(collection->catalogue);
		return status;
	}
	for (size_t i = 0; i < count; i++) {
		faults[i].state = state_after(faults[i].mending, options->mode);
		if (faults[i].state == CAIRN_FAULT_REPAIRED || faults[i].state == CAIRN_FAULT_DROPPED)
			delete_files(collection, &faults[i]);
	}
	return cn_collection_reload(collection);
}
