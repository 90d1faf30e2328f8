/*
 * k-reciprocal encoding of a query and its first images. Rows are numbered as in neighbourhood.h; encodings are sparse,
 * since a row is similar to some tens of others at most.
 */
#include "rank/reciprocal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/dot.h"
#include "rank/neighbourhood.h"
#include "util/memory.h"

#define ROUNDING 1e-6 /* of an inner product of unit vectors */

/* Rows that one row is encoded by, each with its weight. */
typedef struct {
	uint32_t row;
	float weight;
} entry;

typedef struct {
	cn_neighbourhood hood;
	size_t neighbours; /* that each row has in hood.near */
	uint32_t *mutual;  /* a row x (half + 1): mutual neighbours among the nearer half, and the row itself */
	uint32_t *mutuals; /* a row: how many */
	entry *entries;    /* a row x stride */
	size_t *counts;    /* a row: how many */
	uint32_t *current; /* k1 + 1: mutual neighbours of the row that is being encoded */
	uint8_t *marks;    /* a row: 1 mutual, 2 in the encoding */
	double *own;       /* a row: the query's encoding, averaged */
	double *other;     /* a row: an image's */
} scratch;

struct work {
	const cn_reciprocal_options *options;
	const cn_vectors *vectors;
	const float *queries;
	size_t k1, half;    /* neighbours that must be mutual; of a neighbour's own, half as many */
	size_t stride;      /* the most entries of a row */
	scratch *scratches; /* a worker each */
};

enum { MUTUAL = 1, ENCODED = 2 };

/* ---- neighbours ---- */

/* Whether b is one of a's k nearest. */
static int is_near(const scratch *s, size_t a, size_t b, size_t k)
{
	const cn_scored_row *near = s->hood.near + a * s->hood.nearest;
	for (size_t i = 0; i < k && i < s->neighbours; i++)
		if (near[i].row == b)
			return 1;
	return 0;
}

/* The row, and those of its k nearest that have it among theirs. @return how many */
static uint32_t find_mutual(const scratch *s, size_t row, size_t k, uint32_t *mutual)
{
	const cn_scored_row *near = s->hood.near + row * s->hood.nearest;
	uint32_t count = 0;
	mutual[count++] = (uint32_t)row;
	for (size_t i = 0; i < k && i < s->neighbours; i++)
		if (is_near(s, near[i].row, row, k))
			mutual[count++] = near[i].row;
	return count;
}

/* ---- encodings ---- */

/* Squared distance as a part of the largest that `row` has to any; 0 where all are equal but for roundings. */
static double distance(const scratch *s, size_t row, size_t other)
{
	const float *vectors = s->hood.vectors;
	size_t dim = s->hood.dim;
	double largest = 1.0 - (double)s->hood.least[row];
	double one = 1.0 - (double)cn_dot(vectors + row * dim, vectors + other * dim, dim);
	return largest > ROUNDING ? fmin(fmax(one, 0) / largest, 1) : 0;
}

static void encode_with(scratch *s, size_t row, uint32_t other, entry *entries)
{
	if (s->marks[other] & ENCODED)
		return;
	s->marks[other] |= ENCODED;
	entries[s->counts[row]++] = (entry){ other, (float)exp(-distance(s, row, other)) };
}

/* 1 where more than two thirds of a neighbour's mutual neighbours are the row's own. */
static int is_confirmed(const scratch *s, size_t neighbour, const uint32_t *mutual)
{
	size_t common = 0;
	for (size_t i = 0; i < s->mutuals[neighbour]; i++)
		common += s->marks[mutual[i]] & MUTUAL;
	return 3 * common > 2 * (size_t)s->mutuals[neighbour];
}

static void encode(const struct work *work, scratch *s, size_t row)
{
	entry *entries = s->entries + row * work->stride;
	uint32_t *own = s->current;
	double sum = 0;
	uint32_t count = find_mutual(s, row, work->k1, own);
	memset(s->marks, 0, s->hood.count + 1);
	s->counts[row] = 0;
	for (uint32_t i = 0; i < count; i++) {
		s->marks[own[i]] |= MUTUAL;
		encode_with(s, row, own[i], entries);
	}
	for (uint32_t i = 0; i < count; i++) {
		const uint32_t *mutual = s->mutual + own[i] * (work->half + 1);
		for (uint32_t m = 0; is_confirmed(s, own[i], mutual) && m < s->mutuals[own[i]]; m++)
			encode_with(s, row, mutual[m], entries);
	}
	for (size_t i = 0; i < s->counts[row]; i++)
		sum += (double)entries[i].weight;
	for (size_t i = 0; i < s->counts[row]; i++)
		entries[i].weight = (float)((double)entries[i].weight / sum);
}

static void add_encoding(const struct work *work, const scratch *s, size_t row, double share, double *out)
{
	const entry *entries = s->entries + row * work->stride;
	for (size_t i = 0; i < s->counts[row]; i++)
		out[entries[i].row] += share * (double)entries[i].weight;
}

/* The mean of the encodings of a row and of its k2 - 1 nearest, as a dense vector. */
static void average(const struct work *work, const scratch *s, size_t row, double *out)
{
	const cn_scored_row *near = s->hood.near + row * s->hood.nearest;
	size_t others = work->options->k2 - 1 < s->neighbours ? work->options->k2 - 1 : s->neighbours;
	double share = 1.0 / (double)(others + 1);
	memset(out, 0, (s->hood.count + 1) * sizeof(*out));
	add_encoding(work, s, row, share, out);
	for (size_t i = 0; i < others; i++)
		add_encoding(work, s, near[i].row, share, out);
}

/* ---- one list ---- */

/* Of the encodings of the query and of a row, which sum to 1 each: 1 - common / all. */
static double jaccard_distance(const scratch *s)
{
	double common = 0;
	for (size_t i = 0; i <= s->hood.count; i++)
		common += s->own[i] < s->other[i] ? s->own[i] : s->other[i];
	return 1.0 - common / (2.0 - common);
}

static int encode_all(const struct work *work, scratch *s)
{
	cn_neighbourhood *hood = &s->hood;
	for (size_t i = 0; i <= hood->count; i++)
		cn_normalise(hood->vectors + i * hood->dim, hood->dim);
	int neighbours = cn_neighbourhood_search(hood, 0);
	CN_TRY(neighbours);
	s->neighbours = (size_t)neighbours;
	for (size_t i = 0; i <= hood->count; i++)
		s->mutuals[i] = find_mutual(s, i, work->half, s->mutual + i * (work->half + 1));
	for (size_t i = 0; i <= hood->count; i++)
		encode(work, s, i);
	return 0;
}

/* cn_rank_body. */
static int rerank(void *context, cn_rank_list *list, size_t query, unsigned worker)
{
	const struct work *work = context;
	scratch *s = &work->scratches[worker];
	const cn_neighbourhood *hood = &s->hood;
	double lambda = (double)work->options->lambda;
	if (list->count == 0)
		return 0;
	CN_TRY(cn_neighbourhood_fill(&s->hood, list, query, work->queries + query * hood->dim, work->vectors));
	CN_TRY(encode_all(work, s));
	average(work, s, 0, s->own);
	for (size_t i = 1; i <= hood->count; i++) {
		average(work, s, i, s->other);
		double final = (1 - lambda) * jaccard_distance(s) + lambda * distance(s, 0, i);
		list->items[i - 1] = (cn_scored){ (float)(1 - final), hood->ids[i - 1] };
	}
	qsort(list->items, hood->count, sizeof(*list->items), cn_scored_compare);
	cn_scores_follow(list->items, list->count, hood->count);
	return 0;
}

static int check(const cn_reciprocal_options *options)
{
	if (options->most < 1 || options->k1 < 1 || options->k2 < 1 || !(options->lambda >= 0 && options->lambda <= 1))
		return cn_fail(CAIRN_EINVALID,
			       "reciprocal neighbours of %zu images with k1 %zu, k2 %zu and lambda %g; all are at "
			       "least 1, and lambda is 0 to 1",
			       options->most, options->k1, options->k2, (double)options->lambda);
	return 0;
}

/* Halves of k1 go to the even number, as in the published programs. */
static void set_sizes(struct work *work, size_t most)
{
	size_t k1 = work->options->k1, half = k1 / 2 + (k1 % 4 == 3), stride;
	work->k1 = k1 < most ? k1 : most;
	work->half = half < most ? half : most;
	if (__builtin_mul_overflow(work->k1 + 1, work->half + 2, &stride) || stride > most + 1)
		stride = most + 1;
	work->stride = stride;
}

static int init_scratch(scratch *s, const struct work *work, size_t most)
{
	size_t rows = most + 1, k2 = work->options->k2, mutual, entries;
	CN_TRY(cn_neighbourhood_init(&s->hood, most, work->vectors->dim, work->k1 < k2 - 1 ? k2 - 1 : work->k1));
	CN_TRY(cn_size_mul(rows, work->half + 1, &mutual));
	CN_TRY(cn_size_mul(rows, work->stride, &entries));
	s->mutual = cn_alloc(mutual, sizeof(*s->mutual));
	s->mutuals = cn_alloc(rows, sizeof(*s->mutuals));
	s->entries = cn_alloc(entries, sizeof(*s->entries));
	s->counts = cn_alloc(rows, sizeof(*s->counts));
	s->current = cn_alloc(work->k1 + 1, sizeof(*s->current));
	s->marks = cn_alloc(rows, sizeof(*s->marks));
	s->own = cn_alloc(rows, sizeof(*s->own));
	s->other = cn_alloc(rows, sizeof(*s->other));
	return s->mutual && s->mutuals && s->entries && s->counts && s->current && s->marks && s->own && s->other
		       ? 0
		       : CAIRN_ENOMEM;
}

static void free_scratch(scratch *s)
{
	cn_neighbourhood_free(&s->hood);
	cn_free(s->mutual);
	cn_free(s->mutuals);
	cn_free(s->entries);
	cn_free(s->counts);
	cn_free(s->current);
	cn_free(s->marks);
	cn_free(s->own);
	cn_free(s->other);
}

int cn_rank_reciprocal(cairn_ranking **out, const cn_rank_run *run, const cairn_ranking *ranking, const float *queries,
		       const cn_vectors *vectors, const cn_reciprocal_options *options)
{
	struct work work = { .options = options, .vectors = vectors, .queries = queries };
	unsigned threads = cn_rank_threads(run);
	size_t depth = cairn_ranking_depth(ranking), most = options->most < depth ? options->most : depth;
	int status;
	*out = NULL;
	CN_TRY(check(options));
	set_sizes(&work, most);
	CN_NEW(work.scratches, threads, sizeof(*work.scratches));
	for (unsigned i = 0; i < threads; i++)
		CN_GOTO(status, init_scratch(&work.scratches[i], &work, most));
	status = cn_rank_lists(out, &(cn_rank_job){ .run = run,
						    .ranking = ranking,
						    .take = depth,
						    .depth = depth,
						    .stage = "comparing neighbours",
						    .body = rerank,
						    .context = &work });
done:
	for (unsigned i = 0; i < threads; i++)
		free_scratch(&work.scratches[i]);
	cn_free(work.scratches);
	return status;
}
