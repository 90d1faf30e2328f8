/*
 * ASMK of a local kind: a codebook, and an ASMK file a segment.
 */
#include <string.h>

#include "collection/structures.h"
#include "local/regions.h"
#include "util/memory.h"

/* Images that are aggregated before they are written in order. */
#define CHUNK 64

/* ---- reading ---- */

int cn_structure_codebook(const cairn_collection *collection, size_t local, cairn_codebook **out)
{
	const cn_structure_record *record = &collection->now.structures[CN_STRUCTURE_ASMK + local];
	char *path = cn_collection_file(collection, record->file.name);
	*out = NULL;
	if (!path)
		return CAIRN_ENOMEM;
	int status = cn_structure_fault(collection, cairn_codebook_open(out, path));
	if (status == 0 && cairn_codebook_dim(*out) != collection->sources.locals[local].dim) {
		status = cn_fail(CAIRN_EDAMAGED,
				 "'%s': words of %zu dimensions, '%s' has %u; 'cairn check' tells what mends it", path,
				 cairn_codebook_dim(*out), collection->locals[local],
				 collection->sources.locals[local].dim);
		cairn_codebook_free(*out);
		*out = NULL;
	}
	cn_free(path);
	return status;
}

static int open_codebook(cairn_collection *collection, size_t local)
{
	cairn_codebook **codebook = &collection->now.codebooks[local];
	return *codebook ? 0 : cn_structure_codebook(collection, local, codebook);
}

static int open_files(cairn_collection *collection, size_t local, const char **paths)
{
	cn_snapshot *now = &collection->now;
	size_t file = CN_FILE_DERIVED + CN_STRUCTURE_ASMK + local;
	for (size_t i = 0; i < now->segment_count; i++) {
		paths[i] = cn_collection_file(collection, now->segments[i].record.files[file].name);
		if (!paths[i])
			return CAIRN_ENOMEM;
	}
	CN_TRY(open_codebook(collection, local));
	return cn_structure_fault(collection,
				  cairn_asmk_index_open(&now->asmk[local], now->codebooks[local], paths,
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

/* ---- writing ---- */

struct aggregation {
	const cn_feature_segment *features;
	const cairn_codebook *codebook;
	const cairn_asmk_options *options;
	const cn_box_segment *boxes; /* NULL where regions are others */
	size_t first;                /* image in the segment */
	cairn_asmk_aggregate *aggregates[CHUNK];
};

static int aggregate(const struct aggregation *work, int64_t id, const cairn_features *features,
		     cairn_asmk_aggregate **out)
{
	cn_region_sets regions = { 0 };
	cn_boxes boxes = { 0 };
	if (!work->options->regional)
		return cairn_asmk_aggregate_new(out, work->codebook, &features, 1, work->options);
	if (work->boxes)
		CN_TRY(cn_box_segment_read(work->boxes, id, &boxes));
	int status = cn_region_sets_make(&regions, features, work->boxes ? &boxes : NULL);
	if (status == 0)
		status = cairn_asmk_aggregate_new(out, work->codebook, regions.sets, regions.count, work->options);
	cn_region_sets_free(&regions);
	cn_boxes_free(&boxes);
	return status;
}

static int aggregate_range(void *context, size_t begin, size_t end, unsigned worker)
{
	struct aggregation *work = context;
	(void)worker;
	for (size_t i = begin; i < end; i++) {
		int64_t id = cn_feature_segment_image(work->features, work->first + i);
		cairn_features *features;
		CN_TRY(cn_feature_segment_read(work->features, id, &features));
		int status = aggregate(work, id, features, &work->aggregates[i]);
		cairn_features_free(features);
		CN_TRY(status);
	}
	return 0;
}

static int write_chunk(const cn_building *building, struct aggregation *work, size_t count, cairn_asmk_writer *writer,
		       cn_progress *progress)
{
	int status = cn_parallel_for(building->pool, count, 1, aggregate_range, work);
	for (size_t i = 0; i < count; i++) {
		if (status == 0)
			status = cairn_asmk_writer_add(
				writer, cn_feature_segment_image(work->features, work->first + i), work->aggregates[i]);
		cairn_asmk_aggregate_free(work->aggregates[i]);
		work->aggregates[i] = NULL;
	}
	return status < 0 ? status : cn_progress_add(progress, count, 0);
}

/* Images removed since are written too: what a file holds depends on its segment alone. */
static int write_inverted(const cn_building *building, cn_segment *segment, size_t local, const char *path,
			  cn_progress *progress)
{
	cairn_collection *collection = building->collection;
	cn_feature_segment *features;
	CN_TRY(cn_segment_features(collection, segment, local, &features));
	cairn_asmk_options options = CAIRN_ASMK_OPTIONS_INIT;
	const char *regions = collection->now.structures[CN_STRUCTURE_ASMK + local].regions;
	options.regional = regions != NULL;
	struct aggregation work = { .features = features,
				    .codebook = collection->now.codebooks[local],
				    .options = &options };
	size_t images = cn_feature_segment_count(features);
	cairn_asmk_writer *writer;
	int status = 0;
	if (regions && strcmp(regions, "boxes") == 0)
		CN_TRY(cn_segment_boxes(collection, segment, &work.boxes));
	CN_TRY(cairn_asmk_writer_new(&writer, path, collection->locals[local], work.codebook, &options));
	for (; work.first < images && status == 0; work.first += CHUNK) {
		size_t rest = images - work.first;
		status = write_chunk(building, &work, rest < CHUNK ? rest : CHUNK, writer, progress);
	}
	if (status == 0)
		status = cairn_asmk_writer_commit(writer);
	cairn_asmk_writer_free(writer);
	return status;
}

/* ---- the type ---- */

static int is_asked(const cn_building *building, size_t local)
{
	const char *kind = building->options->asmk;
	return kind && strcmp(kind, building->collection->locals[local]) == 0;
}

const char *cn_structure_regions(const cn_building *building, int structure)
{
	const char *wanted = building->options->regions,
		   *before = building->collection->now.structures[structure].regions;
	if (cn_structure_type_of(structure) != &cn_structure_asmk || !wanted ||
	    !is_asked(building, cn_structure_local(structure)))
		return before;
	return strcmp(wanted, "none") == 0 ? NULL : wanted;
}

int cn_structure_regions_change(const cn_building *building, int structure)
{
	const char *before = building->collection->now.structures[structure].regions;
	const char *wanted = cn_structure_regions(building, structure);
	return before && wanted ? strcmp(before, wanted) != 0 : before != wanted;
}

static cn_asked asked(const cn_building *building, size_t local)
{
	if (!is_asked(building, local))
		return CN_NOT_ASKED;
	return building->options->codebook || cn_structure_regions_change(building, CN_STRUCTURE_ASMK + (int)local)
		       ? CN_ASKED_ANEW
		       : CN_ASKED;
}

static int save_codebook(const void *shared, const char *path)
{
	return cairn_codebook_save(shared, path);
}

static int check_inverted(const cairn_collection *collection, const cn_segment *segment, size_t local, const char *path)
{
	cairn_asmk_index *index;
	CN_TRY(cairn_asmk_index_open(&index, collection->now.codebooks[local], &path, 1, NULL, 0));
	size_t images = cairn_asmk_index_images(index);
	cairn_asmk_index_free(index);
	if (images != segment->record.images)
		return cn_fail(CAIRN_EDAMAGED, "holds %zu images, its segment %llu", images,
			       (unsigned long long)segment->record.images);
	return 0;
}

const cn_structure_type cn_structure_asmk = {
	.first = CN_STRUCTURE_ASMK,
	.of_locals = 1,
	.name = "asmk",
	.shared_name = "codebook.npy",
	.writing = "writing ASMK files",
	.asked = asked,
	.make = cn_codebook_make,
	.save = save_codebook,
	.open = open_codebook,
	.write = write_inverted,
	.check = check_inverted,
	.merge = cairn_asmk_merge,
};
