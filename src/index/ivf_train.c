/*
 * Training a quantizer. Centroids come from k-means on a sample. Then some rows are taken as queries: how far down the
 * order of lists those of their true neighbours stand tells how many must be probed, without searching once.
 */
#include <math.h>
#include <string.h>

#include "index/ivf.h"
#include "index/row_parts.h"
#include "math/assign.h"
#include "math/codes.h"
#include "math/dot.h"
#include "math/half.h"
#include "math/kmeans.h"
#include "util/memory.h"
#include "util/progress.h"
#include "util/random.h"

#define POINTS     128 /* rows a centroid that k-means works on */
#define ITERATIONS 10

#define DEPTH      1000 /* the largest of cn_ivf_depths */
#define FIRST      100  /* neighbours of a query that are all looked at */
#define STEP       9    /* of those behind them, each so-manieth, which counts for as many: all would take too long */
#define NEIGHBOURS (FIRST + (DEPTH - FIRST) / STEP)
#define ORDERS     2  /* of lists that are compared */
#define BATCH      32 /* queries whose neighbours are assigned at once */

struct training {
	cairn_ivf *ivf;
	cn_row_parts parts;
	const cairn_ivf_options *options;
	cn_workers *pool;
	cairn_progress_cb progress;
	void *payload;
};

/* Where row `at` of all is, counted without the gaps between parts. */
static const uint16_t *row_at(const cn_row_parts *parts, size_t at)
{
	for (size_t p = 0; p < parts->count; p++) {
		if (at < parts->items[p].data.count)
			return parts->items[p].data.rows + at * parts->dim;
		at -= parts->items[p].data.count;
	}
	return NULL;
}

/* Every row has the same chance, and the choice depends on the seed alone; ascending. */
static void choose(size_t *chosen, size_t count, size_t total, uint64_t seed)
{
	size_t kept = 0;
	for (size_t i = 0; i < total && kept < count; i++)
		if (cn_random_below(&seed, total - i) < count - kept)
			chosen[kept++] = i;
}

/* @param[out] numbers which rows; @param[out] rows the same as floats; the caller frees both */
static int sample_rows(const cn_row_parts *parts, size_t count, uint64_t seed, size_t **numbers, float **rows)
{
	size_t size;
	*rows = NULL;
	*numbers = cn_alloc(count, sizeof(**numbers));
	CN_TRY(cn_size_mul(count, parts->dim, &size));
	*rows = cn_alloc(size, sizeof(**rows));
	if (!*numbers || !*rows)
		return CAIRN_ENOMEM;
	choose(*numbers, count, parts->rows, seed);
	for (size_t i = 0; i < count; i++) {
		float *row = *rows + i * parts->dim;
		cn_halves_to_floats(row_at(parts, (*numbers)[i]), parts->dim, row);
		if (!cn_all_finite(row, parts->dim))
			return cn_fail(CAIRN_EINVALID, "row %zu holds a number that is not finite", (*numbers)[i]);
	}
	return 0;
}

static int train_centroids(struct training *training)
{
	cairn_ivf *ivf = training->ivf;
	size_t rows = training->parts.rows, wanted = ivf->list_count * POINTS, count = wanted < rows ? wanted : rows;
	const cn_kmeans_options options = { .clusters = ivf->list_count,
					    .iterations = ITERATIONS,
					    .seed = training->options->seed };
	cn_kmeans_result result;
	size_t *numbers;
	float *sample;
	int status = sample_rows(&training->parts, count, training->options->seed, &numbers, &sample);
	if (status == 0)
		status = cn_kmeans(training->pool, sample, count, ivf->dim, &options, training->progress,
				   training->payload, ivf->centroids, &result);
	cn_free(numbers);
	cn_free(sample);
	if (status == 0)
		ivf->error = result.error;
	return status;
}

/* ---- recall ---- */

/* Rows stand for images, so that the neighbours found are rows. */
static int number_as_images(const struct training *training, cairn_index_part *parts, int64_t **ids)
{
	*ids = cn_alloc(training->parts.rows, sizeof(**ids));
	if (!*ids)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < training->parts.rows; i++)
		(*ids)[i] = (int64_t)i;
	size_t first = 0;
	for (size_t p = 0; p < training->parts.count; p++) {
		parts[p] = training->parts.items[p].data;
		parts[p].images = *ids + first;
		first += parts[p].count;
	}
	return 0;
}

static int find_neighbours(const struct training *training, const float *queries, size_t count, cairn_ranking **out)
{
	cairn_index_options how = CAIRN_INDEX_OPTIONS_INIT;
	cairn_index *index = NULL;
	int64_t *ids = NULL;
	cairn_index_part *parts = cn_alloc(training->parts.count, sizeof(*parts));
	int status = parts ? number_as_images(training, parts, &ids) : CAIRN_ENOMEM;
	if (status == 0)
		status = cairn_index_new_flat(&index, training->parts.dim, parts, training->parts.count, NULL, 0);
	how.threads = training->options->threads;
	/* The row itself is found too. */
	if (status == 0)
		status = cairn_index_search(out, index, queries, count, DEPTH + 1, &how);
	cairn_index_free(index);
	cn_free(ids);
	cn_free(parts);
	return status;
}

/* How many lists have a larger product with the query than list `list`; of equal ones the first comes first. */
static size_t place_of(const float *products, size_t lists, size_t list)
{
	size_t place = 0;
	for (size_t i = 0; i < lists; i++)
		place += products[i] > products[list] || (products[i] == products[list] && i < list);
	return place;
}

/* What the loop over a batch of queries needs. */
struct measuring {
	const struct training *training;
	cn_centroids centroids;
	const size_t *numbers; /* of the queries among the rows */
	const float *queries;
	const cairn_ranking *ranking;
	uint32_t *places;  /* queries x NEIGHBOURS; CAIRN_IVF_MAX_LISTS where there is no neighbour */
	size_t first;      /* query of the batch */
	float *neighbours; /* BATCH x NEIGHBOURS x dim */
	uint32_t *lists;   /* of them */
	float *products;   /* for each worker, with all centroids */
	cn_progress progress;
};

/* Which of a query's neighbours, from 0, is the i-th that is looked at: of each STEP the one in the middle. */
static size_t rank_of(size_t i)
{
	return i < FIRST ? i : FIRST + (i - FIRST) * STEP + STEP / 2;
}

/* The query's neighbours, without itself. Places behind the last of them are zeros. */
static void gather_neighbours(const struct measuring *measuring, size_t query, float *out)
{
	size_t dim = measuring->training->ivf->dim, count = 0, rank = 0;
	size_t all = cairn_ranking_count(measuring->ranking, query);
	const int64_t *found = cairn_ranking_images(measuring->ranking, query);
	uint32_t *places = measuring->places + query * NEIGHBOURS;
	for (size_t i = 0; i < all && count < NEIGHBOURS; i++)
		if ((size_t)found[i] != measuring->numbers[query] && rank++ == rank_of(count))
			cn_halves_to_floats(row_at(&measuring->training->parts, (size_t)found[i]), dim,
					    out + count++ * dim);
	memset(out + count * dim, 0, (NEIGHBOURS - count) * dim * sizeof(*out));
	for (size_t i = 0; i < NEIGHBOURS; i++)
		places[i] = i < count ? 0 : CAIRN_IVF_MAX_LISTS;
}

/* cn_loop_body over the queries of the batch: where the lists of their neighbours stand in each one's order. */
static int find_places(void *context, size_t begin, size_t end, unsigned worker)
{
	const struct measuring *measuring = context;
	const cairn_ivf *ivf = measuring->training->ivf;
	float *products = measuring->products + worker * ivf->list_count;
	for (size_t q = begin; q < end; q++) {
		size_t query = measuring->first + q;
		uint32_t *places = measuring->places + query * NEIGHBOURS;
		cn_dot_rows(measuring->queries + query * ivf->dim, ivf->centroids, ivf->list_count, ivf->dim, products);
		for (size_t i = 0; i < ivf->list_count; i++)
			products[i] *= ivf->weights[i];
		for (size_t i = 0; i < NEIGHBOURS; i++)
			if (places[i] != CAIRN_IVF_MAX_LISTS)
				places[i] = (uint32_t)place_of(products, ivf->list_count,
							       measuring->lists[q * NEIGHBOURS + i]);
	}
	return 0;
}

static int find_all_places(struct measuring *measuring, size_t queries)
{
	const struct training *training = measuring->training;
	const cairn_ivf *ivf = training->ivf;
	for (measuring->first = 0; measuring->first < queries; measuring->first += BATCH) {
		size_t left = queries - measuring->first, count = left < BATCH ? left : BATCH;
		for (size_t q = 0; q < count; q++)
			gather_neighbours(measuring, measuring->first + q,
					  measuring->neighbours + q * NEIGHBOURS * ivf->dim);
		CN_TRY(cn_assign(training->pool, &measuring->centroids, measuring->neighbours, count * NEIGHBOURS, 1,
				 measuring->lists));
		CN_TRY(cn_parallel_for(training->pool, count, 1, find_places, measuring));
		CN_TRY(cn_progress_add(&measuring->progress, count, 0));
	}
	return 0;
}

/* Of the first `depth` neighbours of all queries, which share is in the first 1, 2, 3 ... lists. */
static void accumulate(const uint32_t *places, size_t queries, size_t depth, float *recall)
{
	size_t total = 0, sum = 0;
	uint32_t at[CN_IVF_MAX_PROBES] = { 0 };
	for (size_t q = 0; q < queries; q++)
		for (size_t i = 0; i < NEIGHBOURS && rank_of(i) < depth; i++) {
			uint32_t place = places[q * NEIGHBOURS + i], weight = i < FIRST ? 1 : STEP;
			total += place < CAIRN_IVF_MAX_LISTS ? weight : 0;
			if (place < CN_IVF_MAX_PROBES)
				at[place] += weight;
		}
	for (size_t i = 0; i < CN_IVF_MAX_PROBES; i++) {
		sum += at[i];
		recall[i] = total ? (float)((double)sum / (double)total) : 1;
	}
}

static int measure_order(struct measuring *measuring, cairn_ivf *ivf, size_t queries, cn_ivf_order order)
{
	ivf->order = order;
	cn_ivf_finish(ivf);
	CN_TRY(find_all_places(measuring, queries));
	for (size_t i = 0; i < CN_IVF_DEPTHS; i++)
		accumulate(measuring->places, queries, cn_ivf_depths[i], ivf->recall + i * CN_IVF_MAX_PROBES);
	return 0;
}

static size_t lists_needed(const cairn_ivf *ivf)
{
	return cairn_ivf_probes(ivf, 10, 0.9) + cairn_ivf_probes(ivf, 10, 0.95) + cairn_ivf_probes(ivf, 10, 0.99);
}

/* Rows of about the same norm are found in fewer lists by cosine; where norms differ, by product. */
static int choose_order(struct measuring *measuring, cairn_ivf *ivf, size_t queries)
{
	float by_product[CN_IVF_DEPTHS * CN_IVF_MAX_PROBES];
	CN_TRY(measure_order(measuring, ivf, queries, CN_IVF_BY_PRODUCT));
	size_t needed = lists_needed(ivf);
	memcpy(by_product, ivf->recall, sizeof(by_product));
	CN_TRY(measure_order(measuring, ivf, queries, CN_IVF_BY_COSINE));
	if (lists_needed(ivf) < needed)
		return 0;
	ivf->order = CN_IVF_BY_PRODUCT;
	cn_ivf_finish(ivf);
	memcpy(ivf->recall, by_product, sizeof(by_product));
	return 0;
}

static int measure_recall(struct training *training)
{
	cairn_ivf *ivf = training->ivf;
	size_t rows = training->parts.rows, count = CN_IVF_QUERIES < rows ? CN_IVF_QUERIES : rows, *numbers;
	size_t workers = cn_workers_threads(training->pool), batch = count < BATCH ? count : BATCH;
	float *queries;
	cairn_ranking *ranking = NULL;
	int status = sample_rows(&training->parts, count, training->options->seed + 1, &numbers, &queries);
	struct measuring measuring = { .training = training, .numbers = numbers, .queries = queries };
	measuring.places = cn_alloc(count * NEIGHBOURS, sizeof(*measuring.places));
	measuring.neighbours = cn_alloc(batch * NEIGHBOURS * ivf->dim, sizeof(*measuring.neighbours));
	measuring.lists = cn_alloc(batch * NEIGHBOURS, sizeof(*measuring.lists));
	measuring.products = cn_alloc(workers * ivf->list_count, sizeof(*measuring.products));
	if (status == 0 && (!measuring.places || !measuring.neighbours || !measuring.lists || !measuring.products))
		status = CAIRN_ENOMEM;
	if (status == 0)
		status = cn_centroids_init(&measuring.centroids, ivf->centroids, ivf->list_count, ivf->dim);
	if (status == 0)
		status = find_neighbours(training, queries, count, &ranking);
	measuring.ranking = ranking;
	cn_progress_start(&measuring.progress, training->progress, training->payload, "measuring recall",
			  ORDERS * count);
	if (status == 0)
		status = choose_order(&measuring, ivf, count);
	cn_progress_end(&measuring.progress);
	cairn_ranking_free(ranking);
	cn_centroids_free(&measuring.centroids);
	cn_free(measuring.places);
	cn_free(measuring.neighbours);
	cn_free(measuring.lists);
	cn_free(measuring.products);
	cn_free(numbers);
	cn_free(queries);
	return status;
}

/* ---- both ---- */

static int train(struct training *training)
{
	CN_TRY(train_centroids(training));
	return measure_recall(training);
}

int cairn_ivf_train(cairn_ivf **out, size_t dim, const cairn_index_part *parts, size_t n,
		    const cairn_ivf_options *options, cairn_progress_cb progress, void *payload)
{
	static const cairn_ivf_options defaults = CAIRN_IVF_OPTIONS_INIT;
	struct training training = { .options = options ? options : &defaults,
				     .progress = progress,
				     .payload = payload };
	int status;
	*out = NULL;
	if (training.options->version != CAIRN_IVF_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "quantizer options of version %u, this library knows version %d",
			       training.options->version, CAIRN_IVF_OPTIONS_VERSION);
	CN_TRY(cn_row_parts_init(&training.parts, dim, parts, n));
	size_t rows = training.parts.rows, lists = training.options->lists;
	if (lists == 0)
		lists = (size_t)fmax(1, fmin((double)rows, 2 * sqrt((double)rows)));
	if (dim < 1 || dim > CN_CODES_MAX_DIM || lists > rows || lists > CAIRN_IVF_MAX_LISTS)
		CN_GOTO(status, cn_fail(CAIRN_EINVALID,
					"%zu lists for %zu rows of %zu dimensions; there must be as many rows, at most "
					"%u lists and 1 to %d dimensions",
					lists, rows, dim, CAIRN_IVF_MAX_LISTS, CN_CODES_MAX_DIM));
	CN_GOTO(status, cn_workers_new(&training.pool, training.options->threads));
	CN_GOTO(status, cn_ivf_new(&training.ivf, dim, lists));
	CN_GOTO(status, train(&training));
	*out = training.ivf;
	training.ivf = NULL;
done:
	cairn_ivf_free(training.ivf);
	cn_workers_free(training.pool);
	cn_row_parts_free(&training.parts);
	return status;
}
