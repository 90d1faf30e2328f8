/*
 * Search: candidates by global descriptor, the best of them verified in parallel, then the order.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rank/inliers.h"
#include "search/search.h"
#include "util/memory.h"
#include "util/progress.h"
#include "verify/kinds.h"

#define VERIFY_DEFAULT 100

/* Unit vectors as they are kept give no more. */
#define MOST_SIMILARITY 1.01f

void cairn_search_options_init(cairn_search_options *options)
{
	*options = (cairn_search_options){
		.version = CAIRN_SEARCH_OPTIONS_VERSION,
		.k = 100,
		.verify = -1,
		.order = CAIRN_ORDER_FUSED,
		.trust_inliers = -1,
		.boost = NAN,
		.min_score = -INFINITY,
	};
	cairn_verify_options_init(&options->verification);
}

static int check_options(const cairn_search_options *options)
{
	if (options->version != CAIRN_SEARCH_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "search options have version %u; this library knows %d",
			       options->version, CAIRN_SEARCH_OPTIONS_VERSION);
	if (options->k < 1)
		return cn_fail(CAIRN_EINVALID, "k is 0; at least one image must be wanted");
	if (isnan(options->min_score))
		return cn_fail(CAIRN_EINVALID, "min_score is not a number");
	if (options->verify < -1 || options->trust_inliers < -1 || options->min_inliers < 0)
		return cn_fail(CAIRN_EINVALID,
			       "verify %d, trust_inliers %d, min_inliers %d: the least are -1, -1 and 0",
			       (int)options->verify, (int)options->trust_inliers, (int)options->min_inliers);
	if (options->order != CAIRN_ORDER_FUSED && options->order != CAIRN_ORDER_INLIERS)
		return cn_fail(CAIRN_EINVALID, "order %d is unknown", (int)options->order);
	if (isinf(options->boost))
		return cn_fail(CAIRN_EINVALID, "boost is infinite; NAN stands for the default");
	return 0;
}

/* Text is copied where it is needed later. */
static int copy_options(cairn_searcher *searcher, const cairn_search_options *options)
{
	if (options)
		searcher->options = *options;
	else
		cairn_search_options_init(&searcher->options);
	CN_TRY(check_options(&searcher->options));
	if (searcher->options.precision) {
		searcher->precision = cn_strdup(searcher->options.precision);
		if (!searcher->precision)
			return CAIRN_ENOMEM;
	}
	searcher->options.precision = NULL;
	if (searcher->options.filter)
		CN_TRY(cn_selection_init(&searcher->selection, searcher->options.filter));
	searcher->options.filter = NULL;
	return 0;
}

/* Chooses the kind to verify with; NULL where nothing is verified. */
static int choose_local(cairn_searcher *searcher)
{
	const cairn_collection_info *info = &searcher->info;
	const char *wanted = searcher->options.local;
	searcher->options.local = NULL;
	if (searcher->options.verify == 0 && info->dim)
		return 0;
	for (size_t i = 0; i < info->local_count; i++)
		if (!wanted || strcmp(info->locals[i], wanted) == 0) {
			searcher->local = info->locals[i];
			searcher->local_index = i;
			return 0;
		}
	if (wanted)
		return cn_fail(CAIRN_ENOTFOUND,
			       "%s keeps no local features of kind '%s'; 'cairn info' lists those it keeps",
			       info->folder, wanted);
	if (searcher->options.verify > 0)
		return cn_fail(CAIRN_EINVALID, "%s keeps no local features to verify with; make it with --local",
			       info->folder);
	return 0;
}

static int make_verifiers(cairn_searcher *searcher)
{
	CN_TRY(cn_workers_new(&searcher->pool, searcher->options.threads));
	unsigned threads = cn_workers_threads(searcher->pool);
	CN_NEW(searcher->verifiers, threads, sizeof(*searcher->verifiers));
	for (unsigned i = 0; i < threads; i++)
		CN_TRY(cairn_verifier_new(&searcher->verifiers[i], &searcher->options.verification));
	return 0;
}

int cairn_searcher_new(cairn_searcher **out, cairn_collection *collection, const cairn_search_options *options)
{
	cairn_searcher *searcher;
	*out = NULL;
	CN_NEW(searcher, 1, sizeof(*searcher));
	searcher->collection = collection;
	int status = 0;
	CN_GOTO(status, copy_options(searcher, options));
	CN_GOTO(status, cairn_collection_get_info(collection, &searcher->info));
	CN_GOTO(status, choose_local(searcher));
	CN_GOTO(status, cn_selection_refresh(&searcher->selection, collection));
	CN_GOTO(status, make_verifiers(searcher));
	CN_GOTO(status, cn_describers_start(&searcher->describers, collection, searcher->precision, 1));
	*out = searcher;
	return 0;
done:
	cairn_searcher_free(searcher);
	return status;
}

void cairn_searcher_free(cairn_searcher *searcher)
{
	if (!searcher)
		return;
	if (searcher->verifiers)
		for (unsigned i = 0; i < cn_workers_threads(searcher->pool); i++)
			cairn_verifier_free(searcher->verifiers[i]);
	cn_free(searcher->verifiers);
	cn_workers_free(searcher->pool);
	cn_describers_free(&searcher->describers);
	cn_selection_free(&searcher->selection);
	cn_free(searcher->precision);
	cn_free(searcher);
}

static int by_id(const void *left, const void *right)
{
	int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
	return a < b ? -1 : a > b;
}

static void keep_candidate(cn_candidates *candidates, const cairn_query *query, int64_t id, float similarity,
			   const int64_t *exclude, size_t exclude_count)
{
	if (id == query->id || (exclude_count && bsearch(&id, exclude, exclude_count, sizeof(*exclude), by_id)))
		return;
	candidates->items[candidates->count++] =
		(cn_candidate){ .id = id, .similarity = similarity, .score = isnan(similarity) ? 0 : similarity };
}

/* How many of the best are verified. Without a global order to choose by, all are. */
static size_t verify_depth(const cairn_searcher *searcher, size_t candidates)
{
	if (!searcher->local)
		return 0;
	if (!searcher->info.dim)
		return candidates;
	size_t depth = searcher->options.verify < 0 ? VERIFY_DEFAULT : (size_t)searcher->options.verify;
	return depth < candidates ? depth : candidates;
}

static int check_similarities(const cairn_searcher *searcher, const cairn_ranking *ranking)
{
	size_t count = cairn_ranking_count(ranking, 0);
	for (size_t i = 0; i < count; i++) {
		float similarity = cairn_ranking_scores(ranking, 0)[i];
		if (!(fabsf(similarity) <= MOST_SIMILARITY))
			return cn_fail(CAIRN_EDAMAGED,
				       "'%s': the descriptor of image %lld is damaged (similarity %g); 'cairn check "
				       "--repair' mends it",
				       searcher->info.folder, (long long)cairn_ranking_images(ranking, 0)[i],
				       (double)similarity);
	}
	return 0;
}

static int nearest(cairn_query *query, const int64_t *exclude, size_t exclude_count, cn_candidates *out)
{
	const cairn_searcher *searcher = query->searcher;
	const cn_selection *selection = &searcher->selection;
	const cairn_index *index;
	cairn_ranking *ranking;
	size_t verified = verify_depth(searcher, SIZE_MAX);
	size_t depth = (searcher->options.k > verified ? searcher->options.k : verified) + exclude_count + 1;
	CN_TRY(cairn_collection_index(searcher->collection, &index));
	/* There are no more images than rows; of rows the index knows what it has today. */
	size_t most = selection->ids ? selection->count : cairn_index_rows(index);
	if (depth > most)
		depth = most ? most : 1;
	cairn_index_options how = CAIRN_INDEX_OPTIONS_INIT;
	how.threads = searcher->options.threads;
	how.only = selection->ids;
	how.only_count = selection->count;
	CN_TRY(cairn_index_search(index, query->descriptor, 1, depth, &how, &ranking));
	size_t count = cairn_ranking_count(ranking, 0);
	int status = check_similarities(searcher, ranking);
	out->items = status == 0 ? cn_alloc(count, sizeof(*out->items)) : NULL;
	for (size_t i = 0; out->items && i < count; i++)
		keep_candidate(out, query, cairn_ranking_images(ranking, 0)[i], cairn_ranking_scores(ranking, 0)[i],
			       exclude, exclude_count);
	cairn_ranking_free(ranking);
	return out->items || status < 0 ? status : CAIRN_ENOMEM;
}

static int keep_all(cairn_query *query, const int64_t *ids, size_t count, const int64_t *exclude, size_t exclude_count,
		    cn_candidates *out)
{
	out->items = cn_alloc(count, sizeof(*out->items));
	for (size_t i = 0; out->items && i < count; i++)
		keep_candidate(out, query, ids[i], NAN, exclude, exclude_count);
	return out->items ? 0 : CAIRN_ENOMEM;
}

static int everything(cairn_query *query, const int64_t *exclude, size_t exclude_count, cn_candidates *out)
{
	const cn_selection *selection = &query->searcher->selection;
	int64_t *ids;
	size_t count;
	if (selection->ids)
		return keep_all(query, selection->ids, selection->count, exclude, exclude_count, out);
	CN_TRY(cairn_collection_ids(query->searcher->collection, &ids, &count));
	int status = keep_all(query, ids, count, exclude, exclude_count, out);
	cairn_bytes_free(ids);
	return status;
}

static void order_candidates(const cairn_searcher *searcher, const cn_candidates *candidates, cn_inlier_item *items,
			     cn_candidate *ordered)
{
	const cairn_search_options *options = &searcher->options;
	const cn_kind *kind = cn_kind_find(searcher->local);
	const cn_inlier_options how = {
		.order = options->order,
		.trust = options->trust_inliers < 0 ? kind->trust : options->trust_inliers,
		.boost = isnan(options->boost) ? kind->boost : options->boost,
	};
	for (size_t i = 0; i < candidates->count; i++) {
		const cn_candidate *candidate = &candidates->items[i];
		items[i] = (cn_inlier_item){
			.id = candidate->id,
			.score = candidate->score,
			.inliers = candidate->pair ? (int32_t)candidate->pair->result.inliers : CAIRN_NO_INLIERS,
		};
	}
	cn_order_by_inliers(items, candidates->count, &how);
	for (size_t i = 0; i < candidates->count; i++) {
		ordered[i] = candidates->items[items[i].place];
		ordered[i].score = items[i].score;
		ordered[i].trusted = items[i].trusted;
	}
}

static int order_by_inliers(const cairn_searcher *searcher, cn_candidates *candidates)
{
	cn_inlier_item *items = cn_alloc(candidates->count, sizeof(*items));
	cn_candidate *ordered = cn_alloc(candidates->count, sizeof(*ordered));
	if (!items || !ordered) {
		cn_free(items);
		cn_free(ordered);
		return CAIRN_ENOMEM;
	}
	order_candidates(searcher, candidates, items, ordered);
	cn_free(items);
	cn_free(candidates->items);
	candidates->items = ordered;
	return 0;
}

/* Out of order, some would be missed when they are looked for. */
static int check_exclude(const int64_t *exclude, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (exclude[i] < exclude[i - 1])
			return cn_fail(CAIRN_EINVALID, "ids to leave out must ascend; %lld follows %lld",
				       (long long)exclude[i], (long long)exclude[i - 1]);
	return 0;
}

int cairn_search(cairn_answer **out, cairn_searcher *searcher, cairn_query *query, const int64_t *exclude,
		 size_t exclude_count)
{
	cn_candidates candidates = { 0 };
	int status = 0;
	*out = NULL;
	if (query->searcher != searcher)
		return cn_fail(CAIRN_EINVALID, "the query was made for another searcher");
	CN_TRY(check_exclude(exclude, exclude_count));
	CN_TRY(cn_selection_refresh(&searcher->selection, searcher->collection));
	double start = cn_seconds();
	CN_GOTO(status, query->descriptor ? nearest(query, exclude, exclude_count, &candidates)
					  : everything(query, exclude, exclude_count, &candidates));
	double searched = cn_seconds();
	size_t depth = verify_depth(searcher, candidates.count);
	if (depth) {
		CN_GOTO(status, cn_verify_best(query, &candidates, depth));
		CN_GOTO(status, order_by_inliers(searcher, &candidates));
	}
	query->times.search = searched - start;
	query->times.verify = cn_seconds() - searched;
	status = cn_answer_new(out, query, candidates.items, candidates.count);
done:
	cn_free(candidates.items);
	return status;
}

static int search_and_free(cairn_answer **out, cairn_searcher *searcher, cairn_query *query)
{
	int status = cairn_search(out, searcher, query, NULL, 0);
	cairn_query_free(query);
	return status;
}

int cairn_search_path(cairn_answer **out, cairn_searcher *searcher, const char *path, const cairn_box *box)
{
	cairn_query *query;
	*out = NULL;
	CN_TRY(cairn_query_open(&query, searcher, path, box));
	return search_and_free(out, searcher, query);
}

int cairn_search_id(cairn_answer **out, cairn_searcher *searcher, int64_t id)
{
	cairn_query *query;
	*out = NULL;
	CN_TRY(cairn_query_from_id(&query, searcher, id));
	return search_and_free(out, searcher, query);
}
