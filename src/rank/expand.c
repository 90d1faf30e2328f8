/*
 * Query expansion: each query by itself, in threads.
 */
#include "rank/expand.h"

#include <math.h>

#include "index/vectors.h"
#include "math/dot.h"
#include "rank/combine.h"
#include "util/memory.h"
#include "util/parallel.h"

#define SMALL 1e6 /* numbers added, which take less time than waking threads */

/* What goes through the loop over queries. */
typedef struct {
	const cn_vectors *vectors;
	const float *queries;
	const cairn_ranking *neighbours, *verified;
	float inliers;
	cn_weighting weighting;
	cn_combination *workers; /* one a thread */
	float *out;
} expansion;

/* ---- one expansion ---- */

static int expand_query(const expansion *work, size_t query, cn_combination *combination)
{
	const cairn_ranking *verified = work->verified;
	size_t at = query * work->vectors->dim;
	cn_combination_start(combination, &work->weighting, cairn_ranking_images(work->neighbours, query),
			     cairn_ranking_scores(work->neighbours, query),
			     cairn_ranking_count(work->neighbours, query), CAIRN_NO_IMAGE);
	if (verified)
		cn_combination_add_verified(combination, cairn_ranking_images(verified, query),
					    cairn_ranking_scores(verified, query), cairn_ranking_count(verified, query),
					    work->inliers);
	CN_TRY(cn_combination_weigh(combination, &work->weighting));
	return cn_combination_sum(combination, &work->weighting, work->vectors, work->queries + at, work->out + at);
}

/* cn_loop_body over the queries. */
static int expand_range(void *context, size_t begin, size_t end, unsigned worker)
{
	const expansion *work = context;
	for (size_t query = begin; query < end; query++) {
		int status = expand_query(work, query, &work->workers[worker]);
		if (status < 0)
			return cn_fail_context(status, "query %zu", query);
	}
	return 0;
}

static size_t most_neighbours(const expansion *work)
{
	size_t depth = cairn_ranking_depth(work->neighbours), n = work->weighting.neighbours;
	return (depth < n ? depth : n) + (work->verified ? cairn_ranking_depth(work->verified) : 0);
}

static int expand_all(expansion *work, size_t count, unsigned threads)
{
	cn_workers *pool = NULL;
	size_t most = most_neighbours(work);
	unsigned started = 0;
	int status;
	if ((double)count * (double)most * (double)work->vectors->dim < SMALL)
		threads = 1;
	CN_GOTO(status, cn_workers_new(&pool, threads));
	threads = cn_workers_threads(pool);
	work->workers = cn_alloc(threads, sizeof(*work->workers));
	status = work->workers ? 0 : CAIRN_ENOMEM;
	for (; status == 0 && started < threads; started++)
		CN_GOTO(status, cn_combination_init(&work->workers[started], most, work->vectors->dim));
	if (status == 0)
		status = cn_parallel_for(pool, count, 1, expand_range, work);
done:
	while (started > 0)
		cn_combination_free(&work->workers[--started]);
	cn_free(work->workers);
	cn_workers_free(pool);
	return status;
}

/* ---- checks ---- */

static int check_options(const cairn_expansion_options *options, cn_weighting *weighting)
{
	if (options->version != CAIRN_EXPANSION_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "expansion options of version %u, this library knows version %d",
			       options->version, CAIRN_EXPANSION_OPTIONS_VERSION);
	if (isnan(options->inliers))
		return cn_fail(CAIRN_EINVALID, "the inliers that verified images must have are not a number");
	return cn_weighting_init(weighting, options->weights, options->neighbours, options->alpha);
}

static int check_rows(const cairn_ranking *ranking, size_t count, const char *what)
{
	if (ranking && cairn_ranking_queries(ranking) == count)
		return 0;
	return cn_fail(CAIRN_EINVALID, "%zu queries with %s of %zu", count, what,
		       ranking ? cairn_ranking_queries(ranking) : 0);
}

int cn_expand_queries(float *out, const cn_vectors *vectors, const float *queries, size_t count,
		      const cairn_ranking *neighbours, const cairn_ranking *verified,
		      const cairn_expansion_options *options)
{
	expansion work = { .vectors = vectors,
			   .queries = queries,
			   .neighbours = neighbours,
			   .verified = verified,
			   .inliers = options->inliers,
			   .out = out };
	CN_TRY(check_options(options, &work.weighting));
	CN_TRY(check_rows(neighbours, count, "neighbours"));
	if (verified)
		CN_TRY(check_rows(verified, count, "verified images"));
	for (size_t i = 0; i < count; i++)
		if (!cn_all_finite(queries + i * vectors->dim, vectors->dim))
			return cn_fail(CAIRN_EINVALID, "query %zu holds a number that is not finite", i);
	return expand_all(&work, count, options->threads);
}

/* ---- searching ---- */

static int search_again(cairn_ranking **out, const float *vectors, size_t count, size_t k,
			const cairn_expansion_options *options)
{
	int status;
	*out = NULL;
	status = options->search(out, vectors, count, k, options->search_payload);
	if (status >= 0)
		status = check_rows(*out, count, "a search's ranking");
	if (status < 0) {
		cairn_ranking_free(*out);
		*out = NULL;
	}
	return status;
}

int cn_search_expanded(cairn_ranking **out, float *expanded, const cn_vectors *vectors, const float *queries,
		       size_t count, size_t k, const cairn_ranking *verified, const cairn_expansion_options *options)
{
	cn_weighting weighting;
	size_t numbers;
	*out = NULL;
	CN_TRY(check_options(options, &weighting));
	CN_TRY(cn_size_mul(count, vectors->dim, &numbers));
	float *room = expanded ? expanded : cn_alloc(numbers, sizeof(*room));
	const float *now = queries;
	int status = room ? 0 : CAIRN_ENOMEM;
	for (uint32_t i = 0; status == 0 && (i == 0 || i < options->times); i++) {
		cairn_ranking *neighbours;
		status = search_again(&neighbours, now, count, weighting.neighbours, options);
		if (status == 0)
			status = cn_expand_queries(room, vectors, now, count, neighbours, verified, options);
		cairn_ranking_free(neighbours);
		now = room;
	}
	if (status == 0)
		status = search_again(out, room, count, k, options);
	if (!expanded)
		cn_free(room);
	return status;
}

/* ---- in an index ---- */

static const cairn_expansion_options defaults = CAIRN_EXPANSION_OPTIONS_INIT;

typedef struct {
	const cairn_index *index;
	const cairn_index_options *options;
} index_search;

/* cairn_search_cb. */
static int search_index(cairn_ranking **out, const float *vectors, size_t count, size_t k, void *payload)
{
	const index_search *search = payload;
	return cairn_index_search(out, search->index, vectors, count, k, search->options);
}

int cairn_expand_queries(float *out, const cairn_index *index, const float *queries, size_t count,
			 const cairn_ranking *neighbours, const cairn_ranking *verified,
			 const cairn_expansion_options *options)
{
	cn_vectors vectors = cn_vectors_of_index(index);
	return cn_expand_queries(out, &vectors, queries, count, neighbours, verified, options ? options : &defaults);
}

int cairn_search_expanded(cairn_ranking **out, float *expanded, const cairn_index *index, const float *queries,
			  size_t count, size_t k, const cairn_ranking *verified, const cairn_index_options *search,
			  const cairn_expansion_options *options)
{
	cn_vectors vectors = cn_vectors_of_index(index);
	index_search in_index = { index, search };
	cairn_expansion_options chosen = options ? *options : defaults;
	if (!chosen.search) {
		chosen.search = search_index;
		chosen.search_payload = &in_index;
	}
	return cn_search_expanded(out, expanded, &vectors, queries, count, k, verified, &chosen);
}
