/*
 * Queries: a photograph described once, by whatever the collection keeps.
 */
#include <string.h>

#include "collection/identity.h"
#include "math/dot.h"
#include "search/search.h"
#include "util/memory.h"
#include "util/progress.h"

/* Networks are opened on the first query that needs them: a search by id needs none. */
static int need_networks(cairn_searcher *searcher)
{
	if (searcher->needs_global)
		CN_TRY(cn_describers_need_global(&searcher->describers));
	return searcher->local ? cn_describers_need_local(&searcher->describers, searcher->local_index) : 0;
}

static int query_new(cairn_query **out, cairn_searcher *searcher, const char *path)
{
	cairn_query *query;
	CN_NEW(query, 1, sizeof(*query));
	query->searcher = searcher;
	query->path = cn_strdup(path);
	if (searcher->needs_global)
		query->descriptor = cn_alloc_aligned(searcher->info.dim, sizeof(*query->descriptor));
	if (!query->path || (searcher->needs_global && !query->descriptor)) {
		cairn_query_free(query);
		return CAIRN_ENOMEM;
	}
	*out = query;
	return 0;
}

static int decode(const cairn_searcher *searcher, const char *path, const cairn_box *box, cairn_image **image)
{
	cairn_image_options how = searcher->describers.decoding;
	/* A part is cut out of the full-size photograph, so that it is described at its best resolution. */
	if (box)
		how.shrink_to = 0;
	return cairn_image_open(image, path, &how);
}

static int describe(cairn_query *query, const cairn_image *image, const cairn_box *box)
{
	cairn_searcher *searcher = query->searcher;
	cairn_describer *describer = searcher->describers.describer;
	cairn_extractor *extractor = searcher->local ? searcher->describers.extractors[searcher->local_index] : NULL;
	double start = cn_seconds();
	if (box)
		query->box = *box;
	if (describer)
		CN_TRY(cairn_describer_run(describer, image, box, query->descriptor));
	if (extractor)
		CN_TRY(cairn_extractor_run(extractor, image, box, &query->features));
	query->times.describe = cn_seconds() - start;
	return 0;
}

int cairn_query_from_image(cairn_query **out, cairn_searcher *searcher, const cairn_image *image, const char *name,
			   const cairn_box *box)
{
	cairn_query *query;
	*out = NULL;
	CN_TRY(need_networks(searcher));
	CN_TRY(query_new(&query, searcher, name));
	int status = describe(query, image, box);
	if (status < 0) {
		cairn_query_free(query);
		return status;
	}
	*out = query;
	return 0;
}

int cairn_query_open(cairn_query **out, cairn_searcher *searcher, const char *path, const cairn_box *box)
{
	cairn_image *image;
	*out = NULL;
	double start = cn_seconds();
	CN_TRY(decode(searcher, path, box, &image));
	double decoding = cn_seconds() - start;
	int status = cairn_query_from_image(out, searcher, image, path, box);
	cairn_image_free(image);
	if (box && status == CAIRN_EINVALID)
		return cn_fail_context(status, "%s", path);
	if (status == 0)
		(*out)->times.decode = decoding;
	return status;
}

static int kept_descriptor(const cairn_query *query, cairn_collection *from, int64_t id)
{
	CN_TRY(cairn_collection_descriptor(from, id, query->descriptor));
	if (cn_all_finite(query->descriptor, query->searcher->info.dim))
		return 0;
	return cn_fail(CAIRN_EDAMAGED,
		       "'%s': the descriptor of image %lld holds a number that is not finite; 'cairn check' tells what "
		       "mends it",
		       from->folder, (long long)id);
}

/* What a collection keeps of an image, as a query. */
static int query_from(cairn_query **out, cairn_searcher *searcher, cairn_collection *from, int64_t id)
{
	cairn_image_record record;
	cairn_query *query;
	CN_TRY(cairn_collection_find_id(from, id, &record));
	CN_TRY(query_new(&query, searcher, record.path));
	int status = 0;
	if (query->descriptor)
		CN_GOTO(status, kept_descriptor(query, from, id));
	if (searcher->local)
		CN_GOTO(status, cairn_collection_features(from, id, searcher->local, &query->features));
	*out = query;
	return 0;
done:
	cairn_query_free(query);
	return status;
}

int cairn_query_from_id(cairn_query **out, cairn_searcher *searcher, int64_t id)
{
	*out = NULL;
	CN_TRY(query_from(out, searcher, searcher->collection, id));
	(*out)->id = id;
	return 0;
}

int cairn_query_from_collection(cairn_query **out, cairn_searcher *searcher, cairn_collection *from, int64_t id)
{
	*out = NULL;
	CN_TRY(cn_collection_expect_alike(searcher->collection, from, searcher->needs_global, searcher->local));
	return query_from(out, searcher, from, id);
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
