/*
 * Search: candidates, the best of them verified in parallel, then the order.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rank/inliers.h"
#include "search/search.h"
#include "util/ids.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/progress.h"
#include "verify/kinds.h"

#define VERIFY_DEFAULT 100

void cairn_search_options_init(cairn_search_options *options)
{
	*options = (cairn_search_options){
		.version = CAIRN_SEARCH_OPTIONS_VERSION,
		.k = 100,
		.verify = -1,
		.order = CAIRN_ORDER_FUSED,
		.trust_inliers = -1,
		.boost = NAN,
		.asmk_weight = NAN,
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
	if (options->by < CAIRN_BY_AUTO || options->by > CAIRN_BY_FUSED)
		return cn_fail(CAIRN_EINVALID, "by %d is unknown", (int)options->by);
	if (!(options->recall >= 0 && options->recall <= 1))
		return cn_fail(CAIRN_EINVALID, "recall %g: it is above 0 and at most 1, and 0 stands for the default",
			       options->recall);
	if (isinf(options->asmk_weight))
		return cn_fail(CAIRN_EINVALID, "asmk_weight is infinite; NAN stands for the default");
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

/* The kind to verify with and to search by; NULL where the collection keeps none. */
static int find_local(cairn_searcher *searcher)
{
	const cairn_collection_info *info = &searcher->info;
	const char *wanted = searcher->options.local;
	searcher->options.local = NULL;
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

static int expect_possible(const cairn_searcher *searcher)
{
	cairn_search_by by = searcher->options.by;
	if (!searcher->info.dim && (by == CAIRN_BY_GLOBAL || by == CAIRN_BY_FUSED))
		return cn_fail(CAIRN_EINVALID, "%s has no global descriptors to search by; make it with --model",
			       searcher->info.folder);
	if (!searcher->local && (by == CAIRN_BY_ASMK || by == CAIRN_BY_FUSED))
		return cn_fail(CAIRN_EINVALID, "%s keeps no local features to search by; make it with --local",
			       searcher->info.folder);
	return 0;
}

/* The ASMK that searches go by, as the catalogue knows it; all zero where its words are still to be trained. */
static cairn_structure_info known_asmk(const cairn_searcher *searcher)
{
	cairn_collection_info info;
	if (cairn_collection_get_info(searcher->collection, &info) == 0)
		for (size_t i = 0; i < info.structure_count; i++) {
			const cairn_structure_info *asmk = &info.structures[i];
			if (asmk->kind && asmk->units && strcmp(asmk->kind, searcher->local) == 0)
				return *asmk;
		}
	return (cairn_structure_info){ 0 };
}

/* Other results than yesterday's should not come without a word. The reason is in the error text. */
static void warn_of_missing_asmk(cairn_searcher *searcher)
{
	char reason[CN_ERROR_SIZE];
	cn_error_save(reason, sizeof(reason));
	if (!searcher->warned && known_asmk(searcher).total)
		cn_log(CAIRN_LOG_WARNING, "%s; searching without it", reason);
	searcher->warned = 1;
}

/* Among no images nothing is missing. */
static int is_empty_asmk(const cairn_searcher *searcher)
{
	cairn_structure_info asmk = known_asmk(searcher);
	return asmk.units && !asmk.total;
}

/* What candidates are chosen by, of a collection as it is now; CAIRN_BY_AUTO where there is no best to choose. */
static int find_by(cairn_searcher *searcher, cairn_search_by *out)
{
	const cairn_asmk_index *index;
	int has_global = searcher->info.dim > 0;
	*out = searcher->options.by;
	if (*out == CAIRN_BY_GLOBAL || !searcher->local) {
		*out = has_global ? CAIRN_BY_GLOBAL : CAIRN_BY_AUTO;
		return 0;
	}
	int status = cairn_collection_asmk(&index, searcher->collection, searcher->local);
	if (*out != CAIRN_BY_AUTO)
		return status == CAIRN_ENOTFOUND && is_empty_asmk(searcher) ? 0 : status;
	if (status == 0)
		*out = has_global ? CAIRN_BY_FUSED : CAIRN_BY_ASMK;
	if (status != CAIRN_ENOTFOUND)
		return status;
	*out = has_global ? CAIRN_BY_GLOBAL : CAIRN_BY_AUTO;
	warn_of_missing_asmk(searcher);
	return 0;
}

/* What queries are described by follows from it. */
static int choose_by(cairn_searcher *searcher)
{
	CN_TRY(find_local(searcher));
	CN_TRY(expect_possible(searcher));
	CN_TRY(find_by(searcher, &searcher->by));
	searcher->needs_global = searcher->by == CAIRN_BY_GLOBAL || searcher->by == CAIRN_BY_FUSED;
	if (searcher->by == CAIRN_BY_GLOBAL && searcher->options.verify == 0)
		searcher->local = NULL;
	return 0;
}

/* The collection may have got or lost its ASMK since the searcher was made. Its queries are described for what it had
 * then; what needs no more than that is possible. */
static int find_by_now(cairn_searcher *searcher, cairn_search_by *out)
{
	*out = searcher->by;
	if (searcher->options.by == CAIRN_BY_AUTO && (*out == CAIRN_BY_FUSED || *out == CAIRN_BY_ASMK))
		return find_by(searcher, out);
	return 0;
}

static void free_verifiers(cairn_verifier **verifiers, unsigned count)
{
	for (unsigned i = 0; verifiers && i < count; i++)
		cairn_verifier_free(verifiers[i]);
	cn_free(verifiers);
}

int cn_searcher_set_verification(cairn_searcher *searcher, const cairn_verify_options *options)
{
	unsigned threads = cn_workers_threads(searcher->pool);
	cairn_verifier **verifiers;
	int status = 0;
	CN_NEW(verifiers, threads, sizeof(*verifiers));
	for (unsigned i = 0; i < threads && status == 0; i++)
		status = cairn_verifier_new(&verifiers[i], options);
	if (status < 0) {
		free_verifiers(verifiers, threads);
		return status;
	}
	free_verifiers(searcher->verifiers, threads);
	searcher->verifiers = verifiers;
	searcher->options.verification = *options;
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
	CN_GOTO(status, choose_by(searcher));
	CN_GOTO(status, cn_selection_refresh(&searcher->selection, collection));
	CN_GOTO(status, cn_workers_new(&searcher->pool, searcher->options.threads));
	CN_GOTO(status, cn_searcher_set_verification(searcher, &searcher->options.verification));
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
		free_verifiers(searcher->verifiers, cn_workers_threads(searcher->pool));
	cn_workers_free(searcher->pool);
	cn_describers_free(&searcher->describers);
	cn_selection_free(&searcher->selection);
	cn_free(searcher->precision);
	cn_free(searcher);
}

/* How many of the best are verified. Without an order to choose by, all are. */
static size_t verify_depth(const cairn_searcher *searcher, cairn_search_by by, size_t candidates)
{
	if (by == CAIRN_BY_AUTO)
		return candidates;
	if (!searcher->local)
		return 0;
	size_t depth = searcher->options.verify < 0 ? VERIFY_DEFAULT : (size_t)searcher->options.verify;
	return depth < candidates ? depth : candidates;
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
			.inliers = candidate->inliers,
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

static int find_candidates(const cairn_query *query, cairn_search_by by, const cn_exclusion *exclude,
			   cn_candidates *out)
{
	size_t verified = verify_depth(query->searcher, by, SIZE_MAX), k = query->searcher->options.k;
	return cn_candidates_find(query, by, exclude, by == CAIRN_BY_AUTO ? 0 : k > verified ? k : verified, out);
}

int cairn_search(cairn_answer **out, cairn_searcher *searcher, cairn_query *query, const int64_t *exclude,
		 size_t exclude_count)
{
	const cn_exclusion exclusion = { exclude, exclude_count };
	cn_candidates candidates = { 0 };
	cairn_search_by by;
	int status = 0;
	*out = NULL;
	if (query->searcher != searcher)
		return cn_fail(CAIRN_EINVALID, "the query was made for another searcher");
	CN_TRY(cn_ids_ascend(exclude, exclude_count, "left out"));
	CN_TRY(cn_selection_refresh(&searcher->selection, searcher->collection));
	CN_TRY(find_by_now(searcher, &by));
	double start = cn_seconds();
	CN_GOTO(status, find_candidates(query, by, &exclusion, &candidates));
	double searched = cn_seconds();
	size_t depth = verify_depth(searcher, by, candidates.count);
	if (depth) {
		CN_GOTO(status, cn_verify_best(query, &candidates, depth));
		CN_GOTO(status, order_by_inliers(searcher, &candidates));
	}
	query->times.search = searched - start;
	query->times.verify = cn_seconds() - searched;
	status = cn_answer_new(out, query, by, candidates.items, candidates.count);
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
