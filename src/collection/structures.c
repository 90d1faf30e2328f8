/*
 * The structures of an open collection, as its snapshot sees them.
 */
#include "collection/structures.h"

#include "util/memory.h"

/* ---- types ---- */

_Static_assert(CN_STRUCTURES == CN_STRUCTURE_LISTS + 1, "a structure has no type below");

const cn_structure_type *cn_structure_type_of(int structure)
{
	return structure < CN_STRUCTURE_LISTS ? &cn_structure_asmk : &cn_structure_lists;
}

size_t cn_structure_local(int structure)
{
	return (size_t)(structure - cn_structure_type_of(structure)->first);
}

int cn_structure_is_possible(const cn_sources *sources, int structure)
{
	return !cn_structure_type_of(structure)->of_locals || cn_structure_local(structure) < sources->local_count;
}

/* NULL where it is of descriptors. */
static const char *kind_of(const cn_sources *sources, int structure)
{
	return cn_structure_type_of(structure)->of_locals ? sources->locals[cn_structure_local(structure)].kind : NULL;
}

char *cn_structure_role(const cn_sources *sources, int structure)
{
	const char *kind = kind_of(sources, structure), *name = cn_structure_type_of(structure)->name;
	return kind ? cn_textf("%s:%s", name, kind) : cn_strdup(name);
}

char *cn_structure_file_name(const cn_sources *sources, int64_t number, int structure, const char *ending)
{
	const char *kind = kind_of(sources, structure);
	return kind ? cn_textf("%08lld.%s.%s", (long long)number, kind, ending)
		    : cn_textf("%08lld.%s", (long long)number, ending);
}

/* ---- a snapshot's ---- */

uint64_t cn_structure_missing(const cn_snapshot *snapshot, int structure)
{
	uint64_t images = 0;
	for (size_t i = 0; i < snapshot->segment_count; i++)
		if (!snapshot->segments[i].record.files[CN_FILE_DERIVED + structure].name)
			images += snapshot->segments[i].record.images;
	return images;
}

static void describe(const cairn_collection *collection, cn_snapshot *snapshot, int structure)
{
	const cn_structure_record *record = &snapshot->structures[structure];
	cairn_structure_info *info = &snapshot->infos[snapshot->info_count++];
	*info = (cairn_structure_info){
		.kind = kind_of(&collection->sources, structure),
		.units = record->file.name ? record->units : 0,
		.trained = record->trained,
		.regions = record->regions,
		.bytes = record->file.size,
	};
	for (size_t i = 0; i < snapshot->segment_count; i++) {
		info->total += snapshot->segments[i].record.images;
		info->bytes += snapshot->segments[i].record.files[CN_FILE_DERIVED + structure].size;
	}
	info->covered = info->total - cn_structure_missing(snapshot, structure);
}

int cn_structures_read(cairn_collection *collection, cn_snapshot *snapshot)
{
	CN_TRY(cn_catalogue_structures(collection->catalogue, &collection->sources, snapshot->structures));
	snapshot->info_count = 0;
	for (int i = 0; i < CN_STRUCTURES; i++) {
		if (snapshot->structures[i].wanted)
			describe(collection, snapshot, i);
		/* Those of the segments are counted with them. */
		snapshot->bytes += snapshot->structures[i].file.size;
	}
	return 0;
}

void cn_structures_close(cn_snapshot *snapshot)
{
	for (size_t i = 0; i < CN_MAX_SOURCES; i++) {
		cairn_asmk_index_free(snapshot->asmk[i]);
		cairn_codebook_free(snapshot->codebooks[i]);
	}
	for (size_t i = 0; snapshot->lists && i < snapshot->segment_count; i++)
		cairn_ivf_lists_free(snapshot->lists[i]);
	cn_free(snapshot->lists);
	cairn_ivf_free(snapshot->quantizer);
	for (size_t i = 0; i < CN_STRUCTURES; i++) {
		cn_free(snapshot->structures[i].file.name);
		cn_free(snapshot->structures[i].regions);
	}
}

int cn_structure_is_complete(const cn_snapshot *snapshot, int structure)
{
	return snapshot->structures[structure].file.name && snapshot->segment_count &&
	       !cn_structure_missing(snapshot, structure);
}

void cn_structure_delete_files(const cairn_collection *collection, int structure)
{
	const cn_snapshot *now = &collection->now;
	cn_collection_delete(collection, now->structures[structure].file.name);
	for (size_t i = 0; i < now->segment_count; i++)
		cn_collection_delete(collection, now->segments[i].record.files[CN_FILE_DERIVED + structure].name);
}

/* ---- faults ---- */

/* What cairn wrote and cannot be read as that is damage. Files that a reader misses were replaced; nobody replaces the
 * writer's. */
int cn_structure_fault(const cairn_collection *collection, int status)
{
	char text[CN_ERROR_SIZE];
	if (status == CAIRN_ENOTFOUND && !collection->writable) {
		cn_error_save(text, sizeof(text));
		return cn_fail(status,
			       "%s; where another process is writing, try again, otherwise 'cairn check' tells "
			       "what mends it",
			       text);
	}
	if (status == CAIRN_ENOTFOUND || status == CAIRN_EFORMAT || status == CAIRN_EINVALID ||
	    status == CAIRN_EDAMAGED)
		return cn_fail_damaged();
	return status;
}
