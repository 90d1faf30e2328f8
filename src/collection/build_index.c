/*
 * Building what makes searches faster or better: train what the segments share, then write each segment's file.
 *
 * Each file is a transaction: its number, the file, its entry. So an interruption loses one of them at most, and the
 * next run goes on with those that are missing. Training anew forgets the files of all segments in the transaction that
 * registers what was trained.
 */
#include <string.h>

#include "collection/structures.h"
#include "local/regions.h"
#include "util/memory.h"

/* ---- registering ---- */

/* Commit or roll back; a file that did not get in goes. */
static int end_transaction(cairn_collection *collection, int status, const char *name)
{
	if (status == 0)
		status = cn_catalogue_commit(collection->catalogue);
	if (status < 0) {
		cn_catalogue_rollback(collection->catalogue);
		cn_collection_delete(collection, name);
	}
	return status;
}

/* ---- what the segments share ---- */

static int save_shared(const cairn_collection *collection, int structure, const void *shared,
		       cn_structure_record *record)
{
	const cn_structure_type *type = cn_structure_type_of(structure);
	int64_t number;
	CN_TRY(cn_catalogue_new_number(collection->catalogue, &number));
	record->file.name = cn_structure_file_name(&collection->sources, number, structure, type->shared_name);
	char *path = record->file.name ? cn_collection_file(collection, record->file.name) : NULL;
	int status = path ? type->save(shared, path) : CAIRN_ENOMEM;
	if (status == 0)
		status = cn_file_checksum(path, &record->file.size, &record->file.crc);
	cn_free(path);
	return status;
}

int cn_building_take(cn_building *building, int structure, const void *shared, uint64_t units, uint64_t trained)
{
	cairn_collection *collection = building->collection;
	cn_catalogue *catalogue = collection->catalogue;
	const char *regions = cn_structure_regions(building, structure);
	cn_structure_record record = { .units = units,
				       .trained = trained,
				       .regions = regions ? cn_strdup(regions) : NULL };
	if (regions && !record.regions)
		return CAIRN_ENOMEM;
	CN_TRY(cn_catalogue_begin(catalogue));
	int status = save_shared(collection, structure, shared, &record);
	if (status == 0)
		status = cn_catalogue_set_structure(catalogue, &collection->sources, structure, &record);
	status = end_transaction(collection, status, record.file.name);
	cn_free(record.file.name);
	cn_free(record.regions);
	CN_TRY(status);
	building->report->trained++;
	cn_structure_delete_files(collection, structure);
	return cn_collection_reload(collection);
}

int cn_building_postpone(cn_building *building, int structure)
{
	cairn_collection *collection = building->collection;
	const cn_structure_record *before = &collection->now.structures[structure];
	/* The catalogue only reads it. */
	const cn_structure_record record = { .regions = (char *)(uintptr_t)cn_structure_regions(building, structure) };
	building->report->postponed++;
	if (before->file.name || (before->wanted && !cn_structure_regions_change(building, structure)))
		return 0;
	CN_TRY(cn_catalogue_begin(collection->catalogue));
	CN_TRY(end_transaction(
		collection, cn_catalogue_set_structure(collection->catalogue, &collection->sources, structure, &record),
		NULL));
	return cn_collection_reload(collection);
}

/* ---- the files of segments ---- */

/* Under a number of its own; the transaction is open. */
static int add_file(cn_building *building, size_t at, int structure, cn_progress *progress, cn_segment_file *out)
{
	cairn_collection *collection = building->collection;
	const cn_structure_type *type = cn_structure_type_of(structure);
	cn_segment *segment = &collection->now.segments[at];
	int64_t number;
	CN_TRY(cn_catalogue_new_number(collection->catalogue, &number));
	out->name = cn_segment_file_name(&collection->sources, number, CN_FILE_DERIVED + structure);
	char *path = out->name ? cn_collection_file(collection, out->name) : NULL;
	int status =
		path ? type->write(building, segment, cn_structure_local(structure), path, progress) : CAIRN_ENOMEM;
	if (status == 0)
		status = cn_file_checksum(path, &out->size, &out->crc);
	if (status == 0)
		status = cn_catalogue_set_file(collection->catalogue, &collection->sources, segment->record.id,
					       CN_FILE_DERIVED + structure, out);
	cn_free(path);
	return status;
}

static int write_segment(cn_building *building, size_t at, int structure, cn_progress *progress)
{
	cairn_collection *collection = building->collection;
	cn_segment_file file = { 0 };
	CN_TRY(cn_catalogue_begin(collection->catalogue));
	int status = add_file(building, at, structure, progress, &file);
	status = end_transaction(collection, status, file.name);
	cn_free(file.name);
	building->report->written += status == 0;
	return status;
}

static int write_missing(cn_building *building, int structure, uint64_t images)
{
	const cairn_build_options *options = building->options;
	const cn_snapshot *now = &building->collection->now;
	cn_progress progress;
	int status = 0;
	cn_progress_start(&progress, options->progress, options->progress_payload,
			  cn_structure_type_of(structure)->writing, images);
	for (size_t i = 0; i < now->segment_count && status == 0; i++)
		if (!now->segments[i].record.files[CN_FILE_DERIVED + structure].name)
			status = write_segment(building, i, structure, &progress);
	cn_progress_end(&progress);
	return status;
}

static int complete(cn_building *building, int structure)
{
	cairn_collection *collection = building->collection;
	uint64_t images = cn_structure_missing(&collection->now, structure);
	char error[CN_ERROR_SIZE];
	if (!images)
		return 0;
	CN_TRY(cn_structure_type_of(structure)->open(collection, cn_structure_local(structure)));
	int status = write_missing(building, structure, images);
	if (status < 0)
		cn_error_save(error, sizeof(error));
	int reloaded = cn_collection_reload(collection);
	if (status < 0)
		cn_error_restore(error);
	return status < 0 ? status : reloaded;
}

/* ---- the whole ---- */

static int build_structure(cn_building *building, int structure)
{
	const cairn_build_options *options = building->options;
	const cn_structure_type *type = cn_structure_type_of(structure);
	const cn_structure_record *record = &building->collection->now.structures[structure];
	size_t local = cn_structure_local(structure);
	cn_asked asked = type->asked(building, local);
	if (!record->wanted && asked == CN_NOT_ASKED)
		return 0;
	int again = options->retrain && (asked != CN_NOT_ASKED || (!options->asmk && !options->ivf));
	if (again || asked == CN_ASKED_ANEW || (!record->file.name && building->train))
		CN_TRY(type->make(building, local));
	return record->file.name ? complete(building, structure) : 0;
}

static int build(cn_building *building)
{
	const cairn_collection *collection = building->collection;
	CN_TRY(cn_workers_new(&building->pool, building->options->threads));
	int status = 0;
	for (int i = 0; i < CN_STRUCTURES && status == 0; i++)
		if (cn_structure_is_possible(&collection->sources, i))
			status = build_structure(building, i);
	cn_workers_free(building->pool);
	cn_catalogue_checkpoint(collection->catalogue);
	return status;
}

static int check_options(const cairn_collection *collection, const cairn_build_options *options)
{
	size_t local;
	if (options->version != CAIRN_BUILD_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "build options of version %u, this library knows %d", options->version,
			       CAIRN_BUILD_OPTIONS_VERSION);
	if (options->regions && strcmp(options->regions, "none") != 0)
		CN_TRY(cn_regions_check(options->regions));
	if (options->regions && strcmp(options->regions, "boxes") == 0 && !collection->sources.detector.name)
		return cn_fail(CAIRN_EINVALID,
			       "'%s' keeps no boxes; 'cairn init --detector' makes a collection that does, and regions "
			       "'grid' need none",
			       collection->folder);
	if (options->words > CAIRN_CODEBOOK_MAX_WORDS)
		return cn_fail(CAIRN_EINVALID, "a codebook of %u words, at most %u are possible", options->words,
			       CAIRN_CODEBOOK_MAX_WORDS);
	if (options->codebook && (!options->asmk || options->words || options->retrain))
		return cn_fail(CAIRN_EINVALID,
			       "a codebook that is copied ('%s') is for one kind of features, and is not trained",
			       options->codebook);
	if (options->lists > CAIRN_IVF_MAX_LISTS)
		return cn_fail(CAIRN_EINVALID, "%u lists, at most %u are possible", options->lists,
			       CAIRN_IVF_MAX_LISTS);
	if (options->ivf && !collection->sources.global_count)
		return cn_fail(CAIRN_EINVALID, "'%s' has no global descriptors to make lists of", collection->folder);
	if (options->asmk)
		CN_TRY(cn_collection_local(collection, options->asmk, &local));
	return cn_collection_expect_writable(collection);
}

int cairn_collection_build_index(cairn_collection *collection, const cairn_build_options *options,
				 cairn_build_report *report)
{
	static const cairn_build_options defaults = CAIRN_BUILD_OPTIONS_INIT;
	cairn_build_report own;
	cn_building building = { .collection = collection, .options = options ? options : &defaults, .train = 1 };
	building.report = report ? report : &own;
	*building.report = (cairn_build_report){ 0 };
	CN_TRY(check_options(collection, building.options));
	CN_TRY(cn_collection_expect_fresh(collection));
	return build(&building);
}

int cn_structures_complete(cairn_collection *collection, int train, uint32_t threads, cairn_progress_cb progress,
			   void *payload)
{
	cairn_build_options options = CAIRN_BUILD_OPTIONS_INIT;
	cairn_build_report report = { 0 };
	options.threads = threads;
	options.progress = progress;
	options.progress_payload = payload;
	cn_building building = { .collection = collection, .options = &options, .report = &report, .train = train };
	return build(&building);
}
