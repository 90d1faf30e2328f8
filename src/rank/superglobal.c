/*
 * SuperGlobal's re-ranking. Only vectors of images that are in memory anyway are multiplied, so a list costs most^2
 * inner products.
 */
#include "rank/superglobal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/dispatch.h"
#include "math/dot.h"
#include "rank/neighbourhood.h"
#include "util/memory.h"

typedef struct {
	cn_neighbourhood hood;
	float *refined;    /* most x dim */
	float *query;      /* dim: the refined one */
	float *similarity; /* most: with the query as it was given */
	cn_scored *order;  /* most: numbers of images; best first by that */
} scratch;

struct work {
	const cn_superglobal_options *options;
	const cn_vectors *vectors;
	const float *queries;
	scratch *scratches; /* a worker each */
};

CN_INLINE void add_scaled_inlined(float *restrict sum, const float *restrict vector, size_t dim, float weight)
{
	for (size_t k = 0; k < dim; k++)
		sum[k] += weight * vector[k];
}

CN_INLINE void scale_inlined(float *vector, size_t dim, float factor)
{
	for (size_t k = 0; k < dim; k++)
		vector[k] *= factor;
}

CN_INLINE void raise_inlined(float *restrict most, const float *restrict vector, size_t dim)
{
	for (size_t k = 0; k < dim; k++)
		most[k] = vector[k] > most[k] ? vector[k] : most[k];
}

CN_DEFINE_FORMS(add_scaled, add_scaled_inlined, (float *sum, const float *vector, size_t dim, float weight),
		(sum, vector, dim, weight))
CN_DEFINE_FORMS(scale, scale_inlined, (float *vector, size_t dim, float factor), (vector, dim, factor))
CN_DEFINE_FORMS(raise_to, raise_inlined, (float *most, const float *vector, size_t dim), (most, vector, dim))

/* The mean of an image's vector and of its neighbours', each by its weight. */
static void refine(const struct work *work, scratch *s, size_t image, size_t neighbours)
{
	const cn_neighbourhood *hood = &s->hood;
	const cn_scored_row *near = hood->near + (image + 1) * hood->nearest;
	float *refined = s->refined + image * hood->dim, weights = 1;
	memcpy(refined, hood->vectors + (image + 1) * hood->dim, hood->dim * sizeof(*refined));
	for (size_t i = 0; i < neighbours; i++) {
		/* What points away is no neighbour; the weights' sum could become zero. */
		float weight = near[i].score > 0 ? work->options->weight * near[i].score : 0;
		add_scaled(refined, hood->vectors + near[i].row * hood->dim, hood->dim, weight);
		weights += weight;
	}
	scale(refined, hood->dim, 1 / weights);
}

/* The largest of each number in the best images' refined vectors. */
static void refine_query(const struct work *work, scratch *s)
{
	size_t dim = s->hood.dim, count = s->hood.count;
	for (size_t i = 0; i < count; i++)
		s->order[i] = (cn_scored){ s->similarity[i], (int64_t)i };
	qsort(s->order, count, sizeof(*s->order), cn_scored_compare);
	memcpy(s->query, s->refined + (size_t)s->order[0].id * dim, dim * sizeof(*s->query));
	for (size_t i = 1; i < count && i <= work->options->neighbours; i++)
		raise_to(s->query, s->refined + (size_t)s->order[i].id * dim, dim);
}

/* cn_rank_body. */
static int rerank(void *context, cn_rank_list *list, size_t query, unsigned worker)
{
	const struct work *work = context;
	scratch *s = &work->scratches[worker];
	const cn_neighbourhood *hood = &s->hood;
	size_t dim = hood->dim;
	if (list->count == 0)
		return 0;
	CN_TRY(cn_neighbourhood_fill(&s->hood, list, query, work->queries + query * dim, work->vectors));
	int neighbours = cn_neighbourhood_search(&s->hood, 1);
	CN_TRY(neighbours);
	for (size_t i = 0; i < hood->count; i++)
		refine(work, s, i, (size_t)neighbours);
	cn_dot_rows(hood->vectors, s->refined, hood->count, dim, s->similarity);
	refine_query(work, s);
	for (size_t i = 0; i < hood->count; i++) {
		float again = cn_dot(s->query, s->refined + i * dim, dim);
		list->items[i] = (cn_scored){ (s->similarity[i] + again) / 2, hood->ids[i] };
	}
	qsort(list->items, hood->count, sizeof(*list->items), cn_scored_compare);
	cn_scores_follow(list->items, list->count, hood->count);
	return 0;
}

static int check(const cn_superglobal_options *options)
{
	if (options->most < 1 || !(options->weight >= 0) || isinf(options->weight))
		return cn_fail(
			CAIRN_EINVALID,
			"refined descriptors of %zu images with weight %g; at least 1 image, and a finite weight "
			"that is not negative",
			options->most, (double)options->weight);
	return 0;
}

static int init_scratch(scratch *s, size_t most, size_t dim, size_t neighbours)
{
	size_t numbers;
	CN_TRY(cn_neighbourhood_init(&s->hood, most, dim, neighbours));
	CN_TRY(cn_size_mul(most, dim, &numbers));
	s->refined = cn_alloc(numbers, sizeof(*s->refined));
	s->query = cn_alloc(dim, sizeof(*s->query));
	s->similarity = cn_alloc(most, sizeof(*s->similarity));
	s->order = cn_alloc(most, sizeof(*s->order));
	return s->refined && s->query && s->similarity && s->order ? 0 : CAIRN_ENOMEM;
}

static void free_scratch(scratch *s)
{
	cn_neighbourhood_free(&s->hood);
	cn_free(s->refined);
	cn_free(s->query);
	cn_free(s->similarity);
	cn_free(s->order);
}

int cn_rank_superglobal(cairn_ranking **out, const cn_rank_run *run, const cairn_ranking *ranking, const float *queries,
			const cn_vectors *vectors, const cn_superglobal_options *options)
{
	struct work work = { .options = options, .vectors = vectors, .queries = queries };
	unsigned threads = cn_rank_threads(run);
	size_t depth = cairn_ranking_depth(ranking), most = options->most < depth ? options->most : depth;
	int status;
	*out = NULL;
	CN_TRY(check(options));
	CN_NEW(work.scratches, threads, sizeof(*work.scratches));
	for (unsigned i = 0; i < threads; i++)
		CN_GOTO(status, init_scratch(&work.scratches[i], most, vectors->dim, options->neighbours));
	status = cn_rank_lists(out, &(cn_rank_job){ .run = run,
						    .ranking = ranking,
						    .take = depth,
						    .depth = depth,
						    .stage = "refining descriptors",
						    .body = rerank,
						    .context = &work });
done:
	for (unsigned i = 0; i < threads; i++)
		free_scratch(&work.scratches[i]);
	cn_free(work.scratches);
	return status;
}
