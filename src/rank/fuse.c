/*
 * Fusion of rankings: for each query the places of all images in all rankings, sorted by image; then image by image.
 */
#include <math.h>
#include <stdlib.h>

#include "cairn/rerank.h"
#include "util/heap.h"
#include "util/memory.h"
#include "util/parallel.h"

#define LEAST_FACTOR 1e-6 /* of a product: one 0 would make all others mean nothing */
#define GRAIN        8    /* queries that a thread takes at once */

/* An image in a ranking. */
typedef struct {
	int64_t image;
	size_t list; /* number of the ranking */
	size_t rank; /* from 1 */
	double score;
} place;

/* The scores that a ranking has for a query. */
typedef struct {
	size_t count;
	double least, most, mean, deviation;
	double missing; /* the score of images that it does not have */
} list_scores;

typedef struct {
	place *places;
	size_t count;
	list_scores *lists;
	cn_scored *fused;
} fusion_worker;

/* What goes through the loop over queries. */
typedef struct {
	const cairn_ranking *const *rankings;
	size_t n;
	const cairn_fusion_options *options;
	fusion_worker *workers;
	unsigned worker_count;
	cairn_ranking *out;
} fusion;

/* ---- places ---- */

static int add_places(const fusion *work, size_t list, size_t query, fusion_worker *worker)
{
	const cairn_ranking *ranking = work->rankings[list];
	const int64_t *images = cairn_ranking_images(ranking, query);
	const float *scores = cairn_ranking_scores(ranking, query);
	size_t rank = 0;
	for (size_t i = 0; i < cairn_ranking_count(ranking, query); i++) {
		if (images[i] < 0)
			continue;
		if (!isfinite(scores[i]) && work->options->rule != CAIRN_FUSE_RECIPROCAL_RANKS)
			return cn_fail(CAIRN_EINVALID,
				       "ranking %zu, query %zu: the score of image %lld is infinite; only reciprocal "
				       "ranks do without scores",
				       list, query, (long long)images[i]);
		worker->places[worker->count++] = (place){ images[i], list, ++rank, (double)scores[i] };
	}
	return 0;
}

static int by_image(const void *left, const void *right)
{
	const place *a = left, *b = right;
	if (a->image != b->image)
		return a->image < b->image ? -1 : 1;
	if (a->list != b->list)
		return a->list < b->list ? -1 : 1;
	return (a->rank > b->rank) - (a->rank < b->rank);
}

static void drop_repeats(fusion_worker *worker)
{
	place *places = worker->places;
	size_t kept = 0;
	if (worker->count > 1)
		qsort(places, worker->count, sizeof(*places), by_image);
	for (size_t i = 0; i < worker->count; i++)
		if (!kept || places[kept - 1].image != places[i].image || places[kept - 1].list != places[i].list)
			places[kept++] = places[i];
	worker->count = kept;
}

/* ---- scores ---- */

static void measure_lists(fusion_worker *worker, size_t n)
{
	for (size_t list = 0; list < n; list++)
		worker->lists[list] = (list_scores){ .least = INFINITY, .most = -INFINITY };
	for (size_t i = 0; i < worker->count; i++) {
		list_scores *scores = &worker->lists[worker->places[i].list];
		scores->count++;
		scores->mean += worker->places[i].score;
		scores->least = fmin(scores->least, worker->places[i].score);
		scores->most = fmax(scores->most, worker->places[i].score);
	}
	for (size_t list = 0; list < n; list++)
		if (worker->lists[list].count)
			worker->lists[list].mean /= (double)worker->lists[list].count;
	for (size_t i = 0; i < worker->count; i++) {
		list_scores *scores = &worker->lists[worker->places[i].list];
		double difference = worker->places[i].score - scores->mean;
		scores->deviation += difference * difference / (double)scores->count;
	}
	for (size_t list = 0; list < n; list++)
		worker->lists[list].deviation = sqrt(worker->lists[list].deviation);
}

static double normalise(double score, const list_scores *scores, cairn_normalisation normalisation)
{
	int is_even = scores->least == scores->most;
	double largest = fmax(fabs(scores->least), fabs(scores->most));
	switch (normalisation) {
	case CAIRN_NORMALISE_MIN_MAX:
		return is_even ? 1 : (score - scores->least) / (scores->most - scores->least);
	case CAIRN_NORMALISE_Z_SCORE:
		return is_even ? 0 : (score - scores->mean) / scores->deviation;
	case CAIRN_NORMALISE_BEST:
		return largest > 0 ? score / largest : 0;
	default:
		return score;
	}
}

static void normalise_lists(fusion_worker *worker, size_t n, const cairn_fusion_options *options)
{
	int is_zero = options->missing == CAIRN_MISSING_ZERO || options->normalisation == CAIRN_NORMALISE_MIN_MAX;
	measure_lists(worker, n);
	for (size_t list = 0; list < n; list++) {
		list_scores *scores = &worker->lists[list];
		scores->missing = is_zero ? 0 : normalise(scores->least, scores, options->normalisation);
	}
	for (size_t i = 0; i < worker->count; i++) {
		place *at = &worker->places[i];
		at->score = normalise(at->score, &worker->lists[at->list], options->normalisation);
	}
}

/* @param at NULL: the list does not have the image */
static double contribution(const cairn_fusion_options *options, const place *at, const list_scores *scores)
{
	double score = at ? at->score : scores->missing;
	if (options->rule == CAIRN_FUSE_RECIPROCAL_RANKS)
		return at ? 1 / (options->rank_constant + (double)at->rank) : 0;
	return options->rule == CAIRN_FUSE_PRODUCT ? log(fmax(score, LEAST_FACTOR)) : score;
}

/* Fuse the places of one image. @return how many they are */
static size_t fuse_image(const fusion *work, const fusion_worker *worker, size_t begin, cn_scored *out)
{
	const cairn_fusion_options *options = work->options;
	const place *first = &worker->places[begin];
	size_t taken = 0;
	double sum = 0;
	for (size_t list = 0; list < work->n; list++) {
		const place *at = first + taken;
		int is_here = begin + taken < worker->count && at->image == first->image && at->list == list;
		double weight = options->weights ? options->weights[list] : 1;
		if (worker->lists[list].count)
			sum += weight * contribution(options, is_here ? at : NULL, &worker->lists[list]);
		taken += (size_t)is_here;
	}
	*out = (cn_scored){ (float)(options->rule == CAIRN_FUSE_PRODUCT ? exp(sum) : sum), first->image };
	return taken;
}

/* ---- queries ---- */

static int fuse_query(const fusion *work, size_t query, fusion_worker *worker)
{
	size_t images = 0;
	worker->count = 0;
	for (size_t list = 0; list < work->n; list++)
		CN_TRY(add_places(work, list, query, worker));
	drop_repeats(worker);
	normalise_lists(worker, work->n, work->options);
	for (size_t i = 0; i < worker->count; images++)
		i += fuse_image(work, worker, i, &worker->fused[images]);
	if (images > 1)
		qsort(worker->fused, images, sizeof(*worker->fused), cn_scored_compare);
	for (size_t i = 0; i < images && i < cairn_ranking_depth(work->out); i++)
		CN_TRY(cairn_ranking_set(work->out, query, i, worker->fused[i].id, worker->fused[i].score));
	return 0;
}

/* cn_loop_body over the queries. */
static int fuse_range(void *context, size_t begin, size_t end, unsigned worker)
{
	const fusion *work = context;
	for (size_t query = begin; query < end; query++)
		CN_TRY(fuse_query(work, query, &work->workers[worker]));
	return 0;
}

static int make_workers(fusion *work, unsigned threads)
{
	size_t most = 0;
	for (size_t list = 0; list < work->n; list++)
		CN_TRY(cn_size_add(most, cairn_ranking_depth(work->rankings[list]), &most));
	CN_NEW(work->workers, threads, sizeof(*work->workers));
	work->worker_count = threads;
	for (unsigned w = 0; w < threads; w++) {
		CN_NEW(work->workers[w].places, most, sizeof(*work->workers[w].places));
		CN_NEW(work->workers[w].fused, most, sizeof(*work->workers[w].fused));
		CN_NEW(work->workers[w].lists, work->n, sizeof(*work->workers[w].lists));
	}
	return 0;
}

static void free_workers(fusion *work)
{
	for (unsigned w = 0; w < work->worker_count; w++) {
		cn_free(work->workers[w].places);
		cn_free(work->workers[w].fused);
		cn_free(work->workers[w].lists);
	}
	cn_free(work->workers);
}

/* ---- checks ---- */

static int check_weights(const double *weights, size_t n)
{
	double sum = 0;
	for (size_t i = 0; weights && i < n; i++) {
		if (!(weights[i] >= 0 && isfinite(weights[i])))
			return cn_fail(CAIRN_EINVALID, "the weight of ranking %zu is %g; weights are not negative", i,
				       weights[i]);
		sum += weights[i];
	}
	return !weights || sum > 0 ? 0 : cn_fail(CAIRN_EINVALID, "the weights of all %zu rankings are 0", n);
}

static int check_options(const cairn_fusion_options *options, size_t n)
{
	if (options->version != CAIRN_FUSION_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "fusion options of version %u, this library knows version %d",
			       options->version, CAIRN_FUSION_OPTIONS_VERSION);
	if ((unsigned)options->rule > CAIRN_FUSE_RECIPROCAL_RANKS ||
	    (unsigned)options->normalisation > CAIRN_NORMALISE_BEST || (unsigned)options->missing > CAIRN_MISSING_ZERO)
		return cn_fail(CAIRN_EINVALID, "fusion rule %d, normalisation %d, missing score %d: one is unknown",
			       (int)options->rule, (int)options->normalisation, (int)options->missing);
	if (options->rule == CAIRN_FUSE_PRODUCT && options->normalisation == CAIRN_NORMALISE_Z_SCORE)
		return cn_fail(CAIRN_EINVALID, "z-scores, half of which are negative, have no product; normalise by "
					       "min-max or best");
	if (!(options->rank_constant >= 0 && isfinite(options->rank_constant)))
		return cn_fail(CAIRN_EINVALID, "a rank constant of %g; it is not negative", options->rank_constant);
	return check_weights(options->weights, n);
}

static int check_rankings(const cairn_ranking *const *rankings, size_t n)
{
	if (n < 1)
		return cn_fail(CAIRN_EINVALID, "no rankings to fuse");
	for (size_t i = 1; i < n; i++)
		if (cairn_ranking_queries(rankings[i]) != cairn_ranking_queries(rankings[0]))
			return cn_fail(CAIRN_EINVALID, "ranking %zu is of %zu queries, the first of %zu", i,
				       cairn_ranking_queries(rankings[i]), cairn_ranking_queries(rankings[0]));
	return 0;
}

int cairn_fuse(cairn_ranking **out, const cairn_ranking *const *rankings, size_t n, size_t k,
	       const cairn_fusion_options *options)
{
	static const cairn_fusion_options defaults = CAIRN_FUSION_OPTIONS_INIT;
	fusion work = { .rankings = rankings, .n = n, .options = options ? options : &defaults };
	cn_workers *pool = NULL;
	int status;
	*out = NULL;
	CN_TRY(check_rankings(rankings, n));
	CN_TRY(check_options(work.options, n));
	CN_TRY(cairn_ranking_new(&work.out, cairn_ranking_queries(rankings[0]), k));
	CN_GOTO(status, cn_workers_new(&pool, work.options->threads));
	CN_GOTO(status, make_workers(&work, cn_workers_threads(pool)));
	status = cn_parallel_for(pool, cairn_ranking_queries(rankings[0]), GRAIN, fuse_range, &work);
done:
	free_workers(&work);
	cn_workers_free(pool);
	if (status < 0)
		cairn_ranking_free(work.out);
	else
		*out = work.out;
	return status;
}
