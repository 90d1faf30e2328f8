/*
 * Queries: a photograph described once, by whatever the collection keeps.
 */
#include <string.h>
#include <time.h>

#include "collection/slot.h"
#include "math/dot.h"
#include "search/search.h"
#include "util/memory.h"

double cn_seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* What another network says cannot be compared with what the collection keeps. */
static int open_describer(cairn_searcher *searcher)
{
	const cairn_collection_info *info = &searcher->info;
	const cn_sources *sources = &searcher->collection->sources;
	cairn_describer_options how = CAIRN_DESCRIBER_OPTIONS_INIT;
	cairn_describer *describer;
	how.threads = 1;
	how.precision = searcher->precision;
	for (size_t i = 0; i < sources->global_count; i++)
		CN_TRY(cn_source_check(&sources->globals[i], info->folder));
	CN_TRY(cairn_describer_new(&describer, info->models, info->model_count, &how));
	size_t dim = cairn_describer_dim(describer);
	if (dim != info->dim) {
		cairn_describer_free(describer);
		return cn_fail(CAIRN_EDAMAGED, "'%s': its models give %zu dimensions, its catalogue says %zu",
			       info->folder, dim, info->dim);
	}
	searcher->describer = describer;
	return 0;
}

static int open_extractor(cairn_searcher *searcher)
{
	cairn_extractor_options how = CAIRN_EXTRACTOR_OPTIONS_INIT;
	how.threads = 1;
	how.precision = searcher->precision;
	CN_TRY(cn_source_check(searcher->local_source, searcher->info.folder));
	return cairn_extractor_new(&searcher->extractor, searcher->local_source->name, &how);
}

/* Networks are opened on the first query that needs them: a search by id needs none. */
static int need_networks(cairn_searcher *searcher)
{
	if (searcher->info.dim && !searcher->describer)
		CN_TRY(open_describer(searcher));
	if (searcher->local && !searcher->extractor)
		CN_TRY(open_extractor(searcher));
	return 0;
}

static int query_new(cairn_query **out, cairn_searcher *searcher, const char *path)
{
	cairn_query *query;
	CN_NEW(query, 1, sizeof(*query));
	query->searcher = searcher;
	query->path = cn_strdup(path);
	if (searcher->info.dim)
		query->descriptor = cn_alloc_aligned(searcher->info.dim, sizeof(*query->descriptor));
	if (!query->path || (searcher->info.dim && !query->descriptor)) {
		cairn_query_free(query);
		return CAIRN_ENOMEM;
	}
	*out = query;
	return 0;
}

static int decode(const cairn_searcher *searcher, const char *path, const cairn_box *box, cairn_image **image)
{
	cairn_image_options how = CAIRN_IMAGE_OPTIONS_INIT;
	/* A part is cut out of the full-size photograph, so that it is described at its best resolution. */
	if (!box) {
		uint32_t global = searcher->describer ? cairn_describer_longest(searcher->describer) : 0;
		uint32_t local = searcher->extractor ? cairn_extractor_longest(searcher->extractor) : 0;
		how.shrink_to = global > local ? global : local;
	}
	return cairn_image_open(image, path, &how);
}

static int describe(cairn_query *query, const cairn_box *box)
{
	cairn_searcher *searcher = query->searcher;
	cairn_image *image = NULL;
	int status = 0;
	double start = cn_seconds();
	CN_GOTO(status, decode(searcher, query->path, box, &image));
	double decoded = cn_seconds();
	query->times.decode = decoded - start;
	if (searcher->describer)
		CN_GOTO(status, cairn_describer_run(searcher->describer, image, box, query->descriptor));
	if (searcher->extractor)
		CN_GOTO(status, cairn_extractor_run(searcher->extractor, image, box, &query->features));
	query->times.describe = cn_seconds() - decoded;
done:
	cairn_image_free(image);
	return status;
}

int cairn_query_open(cairn_query **out, cairn_searcher *searcher, const char *path, const cairn_box *box)
{
	cairn_query *query;
	CN_TRY(need_networks(searcher));
	CN_TRY(query_new(&query, searcher, path));
	if (box)
		query->box = *box;
	int status = describe(query, box);
	if (status < 0) {
		cairn_query_free(query);
		return status;
	}
	*out = query;
	return 0;
}

static int kept_descriptor(const cairn_query *query, int64_t id)
{
	const cairn_searcher *searcher = query->searcher;
	CN_TRY(cairn_collection_descriptor(searcher->collection, id, query->descriptor));
	if (cn_all_finite(query->descriptor, searcher->info.dim))
		return 0;
	return cn_fail(CAIRN_EDAMAGED,
		       "'%s': the descriptor of image %lld holds a number that is not finite; 'cairn check "
		       "--repair' mends it",
		       searcher->info.folder, (long long)id);
}

int cairn_query_from_id(cairn_query **out, cairn_searcher *searcher, int64_t id)
{
	cairn_image_record record;
	cairn_query *query;
	CN_TRY(cairn_collection_find_id(searcher->collection, id, &record));
	CN_TRY(query_new(&query, searcher, record.path));
	query->id = id;
	int status = 0;
	if (query->descriptor)
		CN_GOTO(status, kept_descriptor(query, id));
	if (searcher->local)
		CN_GOTO(status, cairn_collection_features(searcher->collection, id, searcher->local, &query->features));
	*out = query;
	return 0;
done:
	cairn_query_free(query);
	return status;
}

void cairn_query_free(cairn_query *query)
{
	if (!query)
		return;
	cn_pair_cache_free(&query->pairs);
	cairn_features_free(query->features);
	cn_free(query->descriptor);
	cn_free(query->path);
	cn_free(query);
}
