/*
 * The structures of an open collection, as its snapshot sees them.
 */
#include "collection/structures.h"

#include "util/memory.h"

static uint64_t covered_images(const cn_snapshot *snapshot, int structure, uint64_t *bytes)
{
	uint64_t images = 0;
	for (size_t i = 0; i < snapshot->segment_count; i++) {
		const cn_segment_record *record = &snapshot->segments[i].record;
		const cn_segment_file *file = &record->files[CN_FILE_DERIVED + structure];
		images += file->name ? record->images : 0;
		*bytes += file->size;
	}
	return images;
}

static void describe(const cairn_collection *collection, cn_snapshot *snapshot, int structure)
{
	const cn_structure_record *record = &snapshot->structures[structure];
	cairn_structure_info *info = &snapshot->infos[snapshot->info_count++];
	*info = (cairn_structure_info){
		.kind = structure == CN_STRUCTURE_LISTS ? NULL : collection->locals[structure],
		.units = record->file.name ? record->units : 0,
		.trained = record->trained,
		.bytes = record->file.size,
	};
	for (size_t i = 0; i < snapshot->segment_count; i++)
		info->total += snapshot->segments[i].record.images;
	info->covered = covered_images(snapshot, structure, &info->bytes);
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
	for (size_t i = 0; i < CN_STRUCTURES; i++)
		cn_free(snapshot->structures[i].file.name);
}

int cn_structure_is_complete(const cn_snapshot *snapshot, int structure)
{
	if (!snapshot->structures[structure].file.name || !snapshot->segment_count)
		return 0;
	for (size_t i = 0; i < snapshot->segment_count; i++)
		if (!snapshot->segments[i].record.files[CN_FILE_DERIVED + structure].name)
			return 0;
	return 1;
}

/* ---- ASMK ---- */

static int fail_with_remedy(int code, const char *remedy)
{
	char text[CN_ERROR_SIZE];
	cn_error_save(text, sizeof(text));
	return cn_fail(code, "%s; %s", text, remedy);
}

/* What cairn wrote and cannot be read as that is damage. Files that a reader misses were replaced; nobody replaces the
 * writer's. */
static int explain(const cairn_collection *collection, int status)
{
	if (status == CAIRN_ENOTFOUND && !collection->writable)
		return fail_with_remedy(status, "if another process is writing, refresh the collection, else 'cairn "
						"check' tells what is missing");
	if (status == CAIRN_ENOTFOUND || status == CAIRN_EFORMAT || status == CAIRN_EINVALID ||
	    status == CAIRN_EDAMAGED)
		return fail_with_remedy(CAIRN_EDAMAGED, "'cairn check --repair' mends it");
	return status;
}

int cn_structure_codebook(const cairn_collection *collection, size_t local, cairn_codebook **out)
{
	const cn_structure_record *record = &collection->now.structures[CN_STRUCTURE_ASMK + local];
	char *path = cn_collection_file(collection, record->file.name);
	*out = NULL;
	if (!path)
		return CAIRN_ENOMEM;
	int status = explain(collection, cairn_codebook_open(out, path));
	if (status == 0 && cairn_codebook_dim(*out) != collection->sources.locals[local].dim) {
		status = cn_fail(CAIRN_EDAMAGED,
				 "'%s': words of %zu dimensions, '%s' has %u; 'cairn check --repair' mends it", path,
				 cairn_codebook_dim(*out), collection->locals[local],
				 collection->sources.locals[local].dim);
		cairn_codebook_free(*out);
		*out = NULL;
	}
	cn_free(path);
	return status;
}

static int open_files(cairn_collection *collection, size_t local, const char **paths)
{
	cn_snapshot *now = &collection->now;
	for (size_t i = 0; i < now->segment_count; i++) {
		paths[i] = cn_collection_file(collection, now->segments[i].record.files[CN_FILE_DERIVED + local].name);
		if (!paths[i])
			return CAIRN_ENOMEM;
	}
	if (!now->codebooks[local])
		CN_TRY(cn_structure_codebook(collection, local, &now->codebooks[local]));
	return explain(collection, cairn_asmk_index_open(&now->asmk[local], now->codebooks[local], paths,
							 now->segment_count, now->removed, now->removed_count));
}

static int open_asmk(cairn_collection *collection, size_t local)
{
	cn_snapshot *now = &collection->now;
	const cn_structure_record *record = &now->structures[CN_STRUCTURE_ASMK + local];
	if (!record->file.name)
		return cn_fail(CAIRN_ENOTFOUND, "'%s' has no ASMK of '%s'%s; 'cairn index --asmk' makes it",
			       collection->folder, collection->locals[local],
			       record->wanted ? " yet: too few images to train a codebook on" : "");
	if (!cn_structure_is_complete(now, CN_STRUCTURE_ASMK + (int)local))
		return cn_fail(CAIRN_ENOTFOUND,
			       "'%s': the ASMK of '%s' lacks some segments; 'cairn index' completes it",
			       collection->folder, collection->locals[local]);
	const char **paths = cn_alloc_zero(now->segment_count, sizeof(*paths));
	int status = paths ? open_files(collection, local, paths) : CAIRN_ENOMEM;
	for (size_t i = 0; paths && i < now->segment_count; i++)
		cn_free((char *)(uintptr_t)paths[i]);
	cn_free(paths);
	return status;
}

int cairn_collection_asmk(const cairn_asmk_index **out, cairn_collection *collection, const char *kind)
{
	size_t local;
	*out = NULL;
	pthread_mutex_lock(&collection->mutex);
	int status = cn_collection_expect_fresh(collection);
	if (status == 0)
		status = cn_collection_local(collection, kind, &local);
	if (status == 0 && !collection->now.asmk[local])
		status = open_asmk(collection, local);
	if (status == 0)
		*out = collection->now.asmk[local];
	pthread_mutex_unlock(&collection->mutex);
	return status;
}

/* ---- lists ---- */

static int open_quantizer(const cairn_collection *collection, cairn_ivf **out)
{
	char *path = cn_collection_file(collection, collection->now.structures[CN_STRUCTURE_LISTS].file.name);
	cairn_ivf_info info;
	*out = NULL;
	if (!path)
		return CAIRN_ENOMEM;
	int status = explain(collection, cairn_ivf_open(out, path));
	if (status == 0) {
		cairn_ivf_get_info(*out, &info);
		if (info.dim != collection->dim)
			status = cn_fail(CAIRN_EDAMAGED,
					 "'%s': centroids of %zu dimensions, the collection has %zu; 'cairn check "
					 "--repair' mends it",
					 path, info.dim, collection->dim);
	}
	if (status < 0) {
		cairn_ivf_free(*out);
		*out = NULL;
	}
	cn_free(path);
	return status;
}

int cn_structure_open_shared(const cairn_collection *collection, int structure, cn_shared *out)
{
	*out = (cn_shared){ 0 };
	if (structure == CN_STRUCTURE_LISTS)
		return open_quantizer(collection, &out->quantizer);
	return cn_structure_codebook(collection, (size_t)structure, &out->codebook);
}

void cn_shared_free(cn_shared *shared)
{
	cairn_codebook_free(shared->codebook);
	cairn_ivf_free(shared->quantizer);
}

static int open_lists(cairn_collection *collection)
{
	cn_snapshot *now = &collection->now;
	if (!now->quantizer)
		CN_TRY(open_quantizer(collection, &now->quantizer));
	if (!now->lists)
		CN_NEW(now->lists, now->segment_count, sizeof(*now->lists));
	for (size_t i = 0; i < now->segment_count; i++) {
		const cn_segment_record *record = &now->segments[i].record;
		if (now->lists[i])
			continue;
		char *path = cn_collection_file(collection, record->files[CN_FILE_DERIVED + CN_STRUCTURE_LISTS].name);
		int status =
			path ? cairn_ivf_lists_open(&now->lists[i], path, now->quantizer, record->rows) : CAIRN_ENOMEM;
		cn_free(path);
		CN_TRY(explain(collection, status));
	}
	return 0;
}

int cn_structure_make_index(cairn_collection *collection)
{
	cn_snapshot *now = &collection->now;
	CN_TRY(open_lists(collection));
	return cairn_index_new_ivf(&now->index, now->quantizer, now->parts, (const cairn_ivf_lists *const *)now->lists,
				   now->segment_count, now->removed, now->removed_count);
}

static int measure_drift(cairn_collection *collection, double *out)
{
	const cn_snapshot *now = &collection->now;
	cairn_ivf_info info;
	double sum = 0;
	if (!cn_structure_is_complete(now, CN_STRUCTURE_LISTS))
		return cn_fail(CAIRN_ENOTFOUND, "'%s' has no lists of all segments; 'cairn index --ivf' makes them",
			       collection->folder);
	CN_TRY(open_lists(collection));
	for (size_t i = 0; i < now->segment_count; i++)
		sum += cairn_ivf_lists_error(now->lists[i]) * (double)now->segments[i].record.rows;
	cairn_ivf_get_info(now->quantizer, &info);
	*out = info.error > 0 ? sum / (double)now->rows / info.error : 1;
	return 0;
}

int cairn_collection_drift(cairn_collection *collection, double *out)
{
	pthread_mutex_lock(&collection->mutex);
	int status = cn_collection_expect_fresh(collection);
	if (status == 0)
		status = measure_drift(collection, out);
	pthread_mutex_unlock(&collection->mutex);
	return status;
}
