/*
 * Deciding what each image is: new, moved, changed, there already.
 *
 * The decisions are made one after the other in the order of the paths, each on what the ones before it left in the
 * catalogue. What the describing threads found out about an image's content beforehand only saves work: whoever was not
 * described but turns out to be new is described here. So the outcome depends on the order of the paths alone, not on
 * batches, threads or interruptions, and ids are taken only for images that come in.
 */
#include "collection/intake.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "collection/store.h"
#include "util/memory.h"
#include "util/text.h"

struct intake {
	cairn_collection *collection;
	cn_catalogue *catalogue;
	const cn_describers *describers;
	cn_keymap *displaced;
	cairn_add_report done;
};

/* What is needed of a row after the next call with the catalogue. */
struct known {
	int64_t id;
	cn_key hash;
	uint64_t size;
	int64_t mtime_ns;
	cn_text path, label; /* label: length 0 if none */
};

static int keep(struct known *out, const cn_image_entry *row)
{
	out->id = row->id;
	out->hash = row->hash;
	out->size = row->size;
	out->mtime_ns = row->mtime_ns;
	out->path.length = out->label.length = 0;
	CN_TRY(cn_text_add(&out->path, row->path ? row->path : ""));
	return cn_text_add(&out->label, row->label ? row->label : "");
}

/* Is the file that the catalogue names still there, with that content? Where one may not look, it is taken to be. */
static int is_still_there(const struct known *known)
{
	struct stat info;
	uint64_t size;
	int64_t mtime_ns;
	cn_key hash;
	if (stat(known->path.data, &info) != 0)
		return errno != ENOENT && errno != ENOTDIR;
	if (cn_slot_stat(known->path.data, &size, &mtime_ns) < 0 || size != known->size)
		return 0;
	if (mtime_ns == known->mtime_ns || cn_key_of_file(&hash, known->path.data) < 0)
		return 1;
	return cn_key_equal(hash, known->hash);
}

static int relabel(struct intake *intake, int64_t id, const char *current, const char *given)
{
	if (!given || strcmp(given, current ? current : "") == 0)
		return 0;
	intake->done.relabelled++;
	return cn_catalogue_set_label(intake->catalogue, id, given);
}

/* Other content has taken the place. The old may turn up under another name yet. */
static int displace(struct intake *intake, const struct known *old)
{
	int found;
	if (!old->id)
		return 0;
	int noted = cn_keymap_put(intake->displaced, old->hash, (uint64_t)old->id, NULL);
	return noted < 0 ? noted : cn_catalogue_remove(intake->catalogue, old->id, &found);
}

/* Same path, same content. */
static int take_unchanged(struct intake *intake, const cn_image_slot *slot, const struct known *old)
{
	if (old->size != slot->size || old->mtime_ns != slot->mtime_ns)
		CN_TRY(cn_catalogue_set_path(intake->catalogue, old->id, slot->path, slot->size, slot->mtime_ns));
	intake->done.unchanged++;
	return relabel(intake, old->id, old->label.data, slot->label);
}

/* Content that an image of another path has. */
static int take_copy(struct intake *intake, const cn_image_slot *slot, const struct known *old,
		     const struct known *same)
{
	CN_TRY(displace(intake, old));
	if (is_still_there(same)) {
		intake->done.duplicate++;
		return 0;
	}
	intake->done.moved++;
	CN_TRY(cn_catalogue_set_path(intake->catalogue, same->id, slot->path, slot->size, slot->mtime_ns));
	return relabel(intake, same->id, same->label.data, slot->label);
}

/* Content of an image whose place was taken in this run. */
static int take_displaced(struct intake *intake, const cn_image_slot *slot, const struct known *old, int64_t id)
{
	cn_image_entry row;
	CN_TRY(displace(intake, old));
	CN_TRY(cn_catalogue_restore(intake->catalogue, id, slot->path, slot->size, slot->mtime_ns));
	CN_TRY(cn_catalogue_find_id(intake->catalogue, id, &row));
	intake->done.moved++;
	return relabel(intake, id, row.label, slot->label);
}

static int take_new(struct intake *intake, cn_image_slot *slot, const struct known *old)
{
	if (slot->state != CN_SLOT_DESCRIBED) {
		int status = cn_slot_describe(slot, intake->describers);
		if (status < 0) {
			intake->done.failed++;
			return cn_slot_fail(slot, status);
		}
	}
	CN_TRY(displace(intake, old));
	cn_image_entry row = { 0 };
	row.path = slot->path;
	row.label = slot->label ? slot->label : old->id ? old->label.data : NULL;
	row.size = slot->size;
	row.mtime_ns = slot->mtime_ns;
	row.width = slot->width;
	row.height = slot->height;
	row.hash = slot->hash;
	if (old->id)
		intake->done.updated++;
	else
		intake->done.added++;
	return cn_catalogue_add_image(intake->catalogue, &row, &slot->id);
}

static int take(struct intake *intake, cn_image_slot *slot, struct known *old, struct known *same)
{
	cn_image_entry row;
	if (slot->state == CN_SLOT_FAILED) {
		intake->done.failed++;
		return 0;
	}
	CN_TRY(cn_catalogue_find_path(intake->catalogue, slot->path, &row));
	CN_TRY(keep(old, &row));
	if (slot->state == CN_SLOT_LABELLED) {
		intake->done.unchanged++;
		return old->id ? relabel(intake, old->id, old->label.data, slot->label) : 0;
	}
	if (old->id && cn_key_equal(old->hash, slot->hash))
		return take_unchanged(intake, slot, old);
	CN_TRY(cn_catalogue_find_hash(intake->catalogue, slot->hash, &row));
	CN_TRY(keep(same, &row));
	if (same->id)
		return take_copy(intake, slot, old, same);
	const uint64_t *displaced = cn_keymap_get(intake->displaced, slot->hash);
	return displaced ? take_displaced(intake, slot, old, (int64_t)*displaced) : take_new(intake, slot, old);
}

/* The new images of the batch as a segment. */
static int write_segment(struct intake *intake, cn_store *store, const cn_image_slot *slots, size_t count)
{
	cn_segment_record record;
	for (size_t i = 0; i < count; i++) {
		const cairn_features *const *features = (const cairn_features *const *)slots[i].features;
		if (slots[i].id)
			CN_TRY(cn_store_add(store, slots[i].id, slots[i].row, 1, features, &slots[i].boxes));
	}
	CN_TRY(cn_store_finish(store, &record));
	int status = cn_catalogue_set_segment(intake->catalogue, &intake->collection->sources, &record);
	cn_segment_record_free(&record);
	return status;
}

static int take_all(struct intake *intake, cn_image_slot *slots, size_t count, cn_store **store)
{
	struct known old = { 0 }, same = { 0 };
	int status = 0;
	int64_t segment;
	uint64_t fresh = 0;
	for (size_t i = 0; i < count && status == 0; i++) {
		slots[i].id = 0;
		status = take(intake, &slots[i], &old, &same);
		fresh += slots[i].id != 0;
	}
	cn_text_free(&old.path);
	cn_text_free(&old.label);
	cn_text_free(&same.path);
	cn_text_free(&same.label);
	if (status < 0 || fresh == 0)
		return status;
	CN_TRY(cn_catalogue_new_segment(intake->catalogue, &segment));
	CN_TRY(cn_store_new(store, intake->collection, segment, fresh));
	return write_segment(intake, *store, slots, count);
}

int cn_intake(cairn_collection *collection, const cn_describers *describers, cn_image_slot *slots, size_t count,
	      cn_keymap *displaced, cairn_add_report *report)
{
	struct intake intake = { collection, collection->catalogue, describers, displaced, { 0 } };
	cn_store *store = NULL;
	CN_TRY(cn_catalogue_begin(intake.catalogue));
	int status = take_all(&intake, slots, count, &store);
	if (status < 0) {
		cn_store_discard(store);
		cn_catalogue_rollback(intake.catalogue);
		return status == CAIRN_ENOSPACE
			       ? cn_fail_context(status, "the disk is full; what was committed before is safe")
			       : status;
	}
	/* Should the commit fail halfway, only the next writer can tell whether it counts: the files stay until then.
	 */
	cn_store_free(store);
	status = cn_catalogue_commit(intake.catalogue);
	if (status < 0) {
		cn_catalogue_rollback(intake.catalogue);
		return status;
	}
	report->added += intake.done.added;
	report->unchanged += intake.done.unchanged;
	report->moved += intake.done.moved;
	report->updated += intake.done.updated;
	report->duplicate += intake.done.duplicate;
	report->relabelled += intake.done.relabelled;
	report->failed += intake.done.failed;
	return 0;
}
