/*
 * Lists of the descriptors: a quantizer, and the lists of each segment.
 */
#include "collection/structures.h"
#include "util/log.h"
#include "util/memory.h"

/* Scanning fewer is over in no time. */
#define LEAST_ROWS 1024

/* ---- reading ---- */

static int open_quantizer(cairn_collection *collection, size_t local)
{
	cairn_ivf **out = &collection->now.quantizer;
	(void)local;
	if (*out)
		return 0;
	char *path = cn_collection_file(collection, collection->now.structures[CN_STRUCTURE_LISTS].file.name);
	cairn_ivf_info info;
	if (!path)
		return CAIRN_ENOMEM;
	int status = cn_structure_fault(collection, cairn_ivf_open(out, path));
	if (status == 0) {
		cairn_ivf_get_info(*out, &info);
		if (info.dim != collection->dim)
			status = cn_fail(CAIRN_EDAMAGED,
					 "'%s': centroids of %zu dimensions, the collection has %zu; 'cairn check' "
					 "tells what mends it",
					 path, info.dim, collection->dim);
	}
	if (status < 0) {
		cairn_ivf_free(*out);
		*out = NULL;
	}
	cn_free(path);
	return status;
}

static int open_lists(cairn_collection *collection)
{
	cn_snapshot *now = &collection->now;
	CN_TRY(open_quantizer(collection, 0));
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
		CN_TRY(cn_structure_fault(collection, status));
	}
	return 0;
}

int cn_structure_lists_index(cairn_collection *collection)
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

/* ---- training and writing ---- */

static int train_on_rows(const cn_building *building, cairn_ivf **out)
{
	const cairn_build_options *options = building->options;
	cairn_collection *collection = building->collection;
	cairn_ivf_options how = CAIRN_IVF_OPTIONS_INIT;
	how.threads = options->threads;
	how.lists = options->lists;
	how.seed = options->seed;
	CN_TRY(cn_snapshot_parts(collection));
	return cairn_ivf_train(out, collection->dim, collection->now.parts, collection->now.segment_count, &how,
			       options->progress, options->progress_payload);
}

static int train_quantizer(cn_building *building, size_t local)
{
	cairn_collection *collection = building->collection;
	uint64_t rows = collection->now.rows;
	cairn_ivf *quantizer;
	cairn_ivf_info info;
	(void)local;
	if (!building->options->lists && rows < LEAST_ROWS) {
		if (rows)
			cn_log(CAIRN_LOG_WARNING, "too few descriptors for lists: %llu, and they need %d; %s",
			       (unsigned long long)rows, LEAST_ROWS,
			       collection->now.structures[CN_STRUCTURE_LISTS].file.name ? "those of before stay"
											: "they wait for more");
		return cn_building_postpone(building, CN_STRUCTURE_LISTS);
	}
	if (building->options->lists > rows)
		return cn_fail(
			CAIRN_EINVALID, "'%s' has %llu descriptor%s, too few for %u lists; add more images first",
			collection->folder, (unsigned long long)rows, rows == 1 ? "" : "s", building->options->lists);
	CN_TRY(train_on_rows(building, &quantizer));
	cairn_ivf_get_info(quantizer, &info);
	int status = cn_building_take(building, CN_STRUCTURE_LISTS, quantizer, info.lists, rows);
	cairn_ivf_free(quantizer);
	return status;
}

static int write_lists(const cn_building *building, cn_segment *segment, size_t local, const char *path,
		       cn_progress *progress)
{
	cairn_index_part part;
	(void)local;
	CN_TRY(cn_segment_part(building->collection, segment, &part));
	CN_TRY(cairn_ivf_write_lists(building->collection->now.quantizer, &part, path, building->options->threads, NULL,
				     NULL));
	return cn_progress_add(progress, segment->record.images, 0);
}

/* ---- the type ---- */

static cn_asked asked(const cn_building *building, size_t local)
{
	(void)local;
	return building->options->ivf ? CN_ASKED : CN_NOT_ASKED;
}

static int save_quantizer(const void *shared, const char *path)
{
	return cairn_ivf_save(shared, path);
}

static int check_lists(const cairn_collection *collection, const cn_segment *segment, size_t local, const char *path)
{
	cairn_ivf_lists *lists;
	(void)local;
	CN_TRY(cairn_ivf_lists_open(&lists, path, collection->now.quantizer, segment->record.rows));
	cairn_ivf_lists_free(lists);
	return 0;
}

const cn_structure_type cn_structure_lists = {
	.first = CN_STRUCTURE_LISTS,
	.name = "lists",
	.shared_name = "quantizer.ivf",
	.writing = "writing lists",
	.asked = asked,
	.make = train_quantizer,
	.save = save_quantizer,
	.open = open_quantizer,
	.write = write_lists,
	.check = check_lists,
};
