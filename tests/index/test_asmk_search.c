/* ASMK and ASMK* against loops over their formula; one file or ten; removed and allowed images; threads. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "asmk_world.h"
#include "torture.h"

/* ---- the formula, for reading only ---- */

/* sums[word x dim]: residuals of a feature set, each descriptor in its n nearest words. */
static void add_vlad(const world *w, const cairn_features *features, size_t n, double *sums, int *has)
{
	double *distances = malloc(w->words * sizeof(*distances));
	for (size_t f = 0; f < cairn_features_count(features); f++) {
		const int8_t *codes = cairn_features_codes(features) + f * w->dim;
		float scale = cairn_features_code_scale(features);
		for (size_t c = 0; c < w->words; c++) {
			distances[c] = 0;
			for (size_t j = 0; j < w->dim; j++) {
				double d = (double)((float)codes[j] * scale) - (double)w->vectors[c * w->dim + j];
				distances[c] += d * d;
			}
		}
		for (size_t k = 0; k < n; k++) {
			size_t best = 0;
			for (size_t c = 1; c < w->words; c++)
				best = distances[c] < distances[best] ? c : best;
			distances[best] = INFINITY;
			has[best] = 1;
			for (size_t j = 0; j < w->dim; j++)
				sums[best * w->dim + j] +=
					(double)((float)codes[j] * scale) - (double)w->vectors[best * w->dim + j];
		}
	}
	free(distances);
}

/* What is kept of a word's sum: signs, or bytes of which the largest is 127, of unit length; in place. */
static void code(double *sum, size_t dim, int binary)
{
	double most = 0, squares = 0;
	for (size_t j = 0; j < dim; j++)
		most = fmax(most, fabs(sum[j]));
	for (size_t j = 0; j < dim; j++) {
		sum[j] = binary ? (sum[j] > 0 ? 1 : -1) : round(127 * sum[j] / most);
		squares += sum[j] * sum[j];
	}
	for (size_t j = 0; j < dim; j++)
		sum[j] /= sqrt(squares);
}

static void aggregate(const world *w, const cairn_features *const *regions, size_t count, size_t n, int binary,
		      double *sums, int *has)
{
	memset(sums, 0, w->words * w->dim * sizeof(*sums));
	memset(has, 0, w->words * sizeof(*has));
	for (size_t r = 0; r < count; r++)
		add_vlad(w, regions[r], n, sums, has);
	for (size_t c = 0; c < w->words; c++)
		if (has[c])
			code(sums + c * w->dim, w->dim, binary);
}

struct setting {
	size_t dim, words, assignments;
	int binary, regional;
	float alpha, threshold;
};

static double similarity(const world *w, const struct setting *s, const double *a, const int *has_a, const double *b,
			 const int *has_b)
{
	double sum = 0, words_a = 0, words_b = 0;
	for (size_t c = 0; c < w->words; c++) {
		double u = 0;
		words_a += has_a[c];
		words_b += has_b[c];
		for (size_t j = 0; j < w->dim; j++)
			u += a[c * w->dim + j] * b[c * w->dim + j];
		if (has_a[c] && has_b[c] && u >= (double)s->threshold)
			sum += pow(u, (double)s->alpha);
	}
	/* `a` is the query. */
	return words_a * words_b == 0 ? sum : sum / (s->regional ? words_a : sqrt(words_a * words_b));
}

/* Of an image as a query, or as it stands in the index. */
struct vlad {
	double *sums;
	int *has;
};

static struct vlad vlad_of(const world *w, const struct setting *s, size_t i, int is_query)
{
	struct vlad vlad = { malloc(w->words * w->dim * sizeof(double)), malloc(w->words * sizeof(int)) };
	const cairn_features *regions[3];
	size_t count = world_regions(w, i, s->regional && !is_query, regions);
	aggregate(w, regions, count, is_query ? s->assignments : 1, s->binary, vlad.sums, vlad.has);
	return vlad;
}

/* Of each image as a query with each image. */
static void all_similarities(const world *w, const struct setting *s, double wanted[][WORLD_IMAGES])
{
	struct vlad queries[WORLD_IMAGES], images[WORLD_IMAGES];
	for (size_t i = 0; i < WORLD_IMAGES; i++) {
		queries[i] = vlad_of(w, s, i, 1);
		images[i] = vlad_of(w, s, i, 0);
	}
	for (size_t q = 0; q < WORLD_IMAGES; q++)
		for (size_t i = 0; i < WORLD_IMAGES; i++)
			wanted[q][i] = similarity(w, s, queries[q].sums, queries[q].has, images[i].sums, images[i].has);
	for (size_t i = 0; i < WORLD_IMAGES; i++) {
		free(queries[i].sums);
		free(queries[i].has);
		free(images[i].sums);
		free(images[i].has);
	}
}

static void assert_ranked(const cairn_ranking *ranking, size_t row, const double *wanted)
{
	const int64_t *images = cairn_ranking_images(ranking, row);
	const float *scores = cairn_ranking_scores(ranking, row);
	double found[WORLD_IMAGES] = { 0 };
	for (size_t i = 0; i < cairn_ranking_count(ranking, row); i++) {
		assert_true(scores[i] > 0 && images[i] % 10 == 0 && images[i] / 10 < WORLD_IMAGES);
		assert_true(i == 0 || scores[i] < scores[i - 1] ||
			    (scores[i] == scores[i - 1] && images[i] > images[i - 1]));
		assert_true(found[images[i] / 10] == 0);
		found[images[i] / 10] = (double)scores[i];
	}
	for (size_t i = 0; i < WORLD_IMAGES; i++)
		assert_true(fabs(found[i] - wanted[i]) < 1e-5);
}

static const cairn_asmk_options *options_of(const struct setting *s)
{
	static cairn_asmk_options options;
	options = (cairn_asmk_options){ CAIRN_ASMK_OPTIONS_VERSION, s->binary, s->regional };
	return &options;
}

static cairn_asmk_search_options search_options_of(const struct setting *s, uint32_t threads)
{
	cairn_asmk_search_options options = CAIRN_ASMK_SEARCH_OPTIONS_INIT;
	options.assignments = (uint32_t)s->assignments;
	options.alpha = s->alpha;
	options.threshold = s->threshold;
	options.threads = threads;
	return options;
}

static cairn_asmk_index *open_one(const world *w, const char *path)
{
	cairn_asmk_index *index;
	assert_ok(cairn_asmk_index_open(&index, w->codebook, &path, 1, NULL, 0));
	return index;
}

static const cairn_features *const *queries_of(const world *w)
{
	return (const cairn_features *const *)w->images;
}

static void scores_are_those_of_the_formula(void **state)
{
	static const struct setting settings[] = {
		{ 64, 20, 5, 1, 0, 3, 0 },   { 64, 20, 5, 0, 0, 3, 0 },    { 10, 7, 1, 1, 0, 3, 0 },
		{ 10, 7, 1, 0, 0, 3, 0.2f }, { 70, 30, 3, 1, 0, 1, 0.1f }, { 128, 50, 5, 1, 1, 3, 0 },
		{ 128, 50, 5, 0, 1, 3, 0 },  { 3, 1, 1, 1, 0, 2.5f, 0 },   { 200, 12, 12, 1, 1, 0.5f, 0.055f },
		{ 1024, 6, 2, 1, 0, 3, 0 },  { 65, 40, 5, 0, 1, 7, 0 },
	};
	(void)state;
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		const struct setting *s = &settings[i];
		world w;
		/* A seed with which no two words are equally near as far as float32 can tell. */
		world_make(&w, s->dim, s->words, i + 60);
		cairn_asmk_index *index = open_one(&w, world_write(&w, 0, WORLD_IMAGES, 1, options_of(s)));
		double wanted[WORLD_IMAGES][WORLD_IMAGES];
		all_similarities(&w, s, wanted);
		assert_int_equal(cairn_asmk_index_images(index), WORLD_IMAGES);
		for (uint32_t threads = 1; threads <= 3; threads += 2) {
			cairn_asmk_search_options options = search_options_of(s, threads);
			cairn_ranking *ranking;
			assert_ok(cairn_asmk_index_search(&ranking, index, queries_of(&w), WORLD_IMAGES, WORLD_IMAGES,
							  &options));
			for (size_t q = 0; q < WORLD_IMAGES; q++)
				assert_ranked(ranking, q, wanted[q]);
			cairn_ranking_free(ranking);
		}
		cairn_asmk_index_free(index);
		world_free(&w);
	}
}

static float score_in(const cairn_ranking *ranking, size_t row, int64_t id)
{
	for (size_t i = 0; i < cairn_ranking_count(ranking, row); i++)
		if (cairn_ranking_images(ranking, row)[i] == id)
			return cairn_ranking_scores(ranking, row)[i];
	return 0;
}

/* Whether they are among the best or not, removed or forbidden; of ids that nobody has it is 0. */
static void scores_of_given_images_are_told(void **state)
{
	static const struct setting setting = { 64, 20, 5, 1, 0, 3, 0 };
	static const int64_t also[] = { -5, 0, 10, 15, 40, 1000 }, only[] = { 10, 20 }, removed[] = { 0, 40 };
	enum { ALSO = sizeof(also) / sizeof(also[0]) };
	world w;
	float scores[WORLD_IMAGES][ALSO];
	(void)state;
	world_make(&w, setting.dim, setting.words, 60);
	const char *path = world_write(&w, 0, WORLD_IMAGES, 1, options_of(&setting));
	cairn_asmk_index *all = open_one(&w, path), *some;
	cairn_ranking *wanted, *found;
	cairn_asmk_search_options how = search_options_of(&setting, 2);
	assert_ok(cairn_asmk_index_open(&some, w.codebook, &path, 1, removed, 2));
	assert_ok(cairn_asmk_index_search(&wanted, all, queries_of(&w), WORLD_IMAGES, WORLD_IMAGES, &how));
	how.only = only;
	how.only_count = 2;
	how.also = also;
	how.also_count = ALSO;
	how.also_scores = scores[0];
	memset(scores, 0x55, sizeof(scores));
	assert_ok(cairn_asmk_index_search(&found, some, queries_of(&w), WORLD_IMAGES, 1, &how));
	for (size_t q = 0; q < WORLD_IMAGES; q++)
		for (size_t i = 0; i < ALSO; i++)
			assert_true(scores[q][i] == score_in(wanted, q, also[i]));
	float most = 0;
	for (size_t q = 0; q < WORLD_IMAGES; q++)
		most = fmaxf(most, scores[q][4]);
	assert_true(most > 0);
	cairn_ranking_free(wanted);
	cairn_ranking_free(found);
	cairn_asmk_index_free(all);
	cairn_asmk_index_free(some);
	world_free(&w);
}

/* ---- by hand ---- */

static const struct {
	int64_t id;
	float descriptors[8];
	size_t count;
	double score;
} by_hand[] = {
	/* The query's own: the first word's residual is (.5, .5, .5, .5). */
	{ 1, { 1, 1, 1, 1 }, 1, 1 },
	/* One bit of four: u = 1/2, and its cube; the cosine is 1/2 as well. */
	{ 2, { 1, 1, 1, -1 }, 1, 0.125 },
	/* u = 0 and u < 0. */
	{ 3, { 1, 1, -1, -1 }, 1, 0 },
	{ 4, { -1, -1, 1, -1 }, 1, 0 },
	/* A second word that the query does not have: 1 / sqrt(2). */
	{ 5, { 1, 1, 1, 1, 1, 0, 0, 0 }, 2, 0.70710678 },
	/* Only that word, and nothing at all. */
	{ 6, { 1, 0, 0, 0 }, 1, 0 },
	{ 7, { 0 }, 0, 0 },
};

static const char *write_by_hand(const cairn_codebook *codebook, const cairn_asmk_options *options)
{
	const char *path = cn_test_path(cn_test_folder(), "a.asmk");
	cairn_asmk_writer *writer;
	assert_ok(cairn_asmk_writer_new(&writer, path, WORLD_KIND, codebook, options));
	for (size_t i = 0; i < sizeof(by_hand) / sizeof(by_hand[0]); i++) {
		cairn_features *features = world_features(by_hand[i].descriptors, by_hand[i].count, 4);
		const cairn_features *const region = features;
		cairn_asmk_aggregate *found;
		assert_ok(cairn_asmk_aggregate_new(&found, codebook, &region, 1, options));
		assert_int_equal(cairn_asmk_aggregate_words(found), by_hand[i].count);
		assert_ok(cairn_asmk_writer_add(writer, by_hand[i].id, found));
		cairn_asmk_aggregate_free(found);
		cairn_features_free(features);
	}
	assert_ok(cairn_asmk_writer_commit(writer));
	cairn_asmk_writer_free(writer);
	return path;
}

static void a_case_worked_out_by_hand(void **state)
{
	static const float vectors[] = { 0, 0, 0, 0, 1.9f, 0, 0, 0.1f };
	static const size_t order[] = { 0, 4, 1 };
	cairn_asmk_search_options how = CAIRN_ASMK_SEARCH_OPTIONS_INIT;
	cairn_codebook *codebook;
	cairn_features *features = world_features(by_hand[0].descriptors, 1, 4);
	const cairn_features *const query = features;
	(void)state;
	how.assignments = 1;
	assert_ok(cairn_codebook_new(&codebook, vectors, 2, 4));
	for (int binary = 0; binary < 2; binary++) {
		const cairn_asmk_options options = { CAIRN_ASMK_OPTIONS_VERSION, binary, 0 };
		const char *path = write_by_hand(codebook, &options);
		cairn_asmk_index *index;
		cairn_ranking *ranking;
		assert_ok(cairn_asmk_index_open(&index, codebook, &path, 1, NULL, 0));
		assert_ok(cairn_asmk_index_search(&ranking, index, &query, 1, 10, &how));
		assert_int_equal(cairn_ranking_count(ranking, 0), 3);
		for (size_t i = 0; i < 3; i++) {
			double score = (double)cairn_ranking_scores(ranking, 0)[i];
			assert_int_equal(cairn_ranking_images(ranking, 0)[i], by_hand[order[i]].id);
			assert_true(fabs(score - by_hand[order[i]].score) < 1e-6);
		}
		cairn_ranking_free(ranking);
		cairn_asmk_index_free(index);
	}
	cairn_features_free(features);
	cairn_codebook_free(codebook);
}

/* A descriptor on its word leaves no direction. */
static void residuals_of_no_length_are_left_out(void **state)
{
	static const float vectors[] = { 1, 0, 0, 1 }, descriptors[] = { 1, 0, 3, 4 };
	cairn_codebook *codebook;
	cairn_features *features = world_features(descriptors, 2, 2);
	const cairn_features *const region = features;
	cairn_asmk_aggregate *found;
	(void)state;
	assert_ok(cairn_codebook_new(&codebook, vectors, 2, 2));
	assert_ok(cairn_asmk_aggregate_new(&found, codebook, &region, 1, NULL));
	assert_int_equal(cairn_asmk_aggregate_words(found), 1);
	cairn_asmk_aggregate_free(found);
	cairn_asmk_aggregate_free(NULL);
	cairn_features_free(features);
	cairn_codebook_free(codebook);
}

/* ---- files ---- */

static const struct setting common[] = { { 64, 20, 5, 1, 0, 3, 0 },
					 { 30, 20, 5, 0, 0, 3, 0 },
					 { 128, 20, 5, 1, 1, 3, 0 } };
enum { COMMON = sizeof(common) / sizeof(common[0]) };

static cairn_ranking *search(const cairn_asmk_index *index, const world *w, size_t k,
			     const cairn_asmk_search_options *options)
{
	cairn_ranking *ranking;
	assert_ok(cairn_asmk_index_search(&ranking, index, queries_of(w), WORLD_IMAGES, k, options));
	return ranking;
}

static void assert_same(const cairn_ranking *found, const cairn_ranking *wanted)
{
	size_t depth = cairn_ranking_depth(wanted);
	assert_int_equal(cairn_ranking_depth(found), depth);
	for (size_t q = 0; q < WORLD_IMAGES; q++) {
		assert_int_equal(cairn_ranking_count(found, q), cairn_ranking_count(wanted, q));
		assert_memory_equal(cairn_ranking_images(found, q), cairn_ranking_images(wanted, q), depth * 8);
		assert_memory_equal(cairn_ranking_scores(found, q), cairn_ranking_scores(wanted, q), depth * 4);
	}
}

/* Ranges one after another, or ids that interleave; in order, or backwards. */
static void ten_files_are_as_good_as_one(void **state)
{
	(void)state;
	for (size_t i = 0; i < COMMON; i++) {
		world w;
		world_make(&w, common[i].dim, common[i].words, 5);
		const cairn_asmk_options *options = options_of(&common[i]);
		cairn_asmk_index *one = open_one(&w, world_write(&w, 0, WORLD_IMAGES, 1, options));
		for (int interleaved = 0; interleaved < 2; interleaved++)
			for (uint32_t threads = 1; threads <= 4; threads++) {
				cairn_asmk_search_options how = search_options_of(&common[i], threads);
				char paths[10][100];
				const char *pointers[10];
				cairn_asmk_index *ten;
				for (size_t f = 0; f < 10; f++) {
					strcpy(paths[f], interleaved ? world_write(&w, f, WORLD_IMAGES, 10, options)
								     : world_write(&w, 4 * f, 4 * f + 4, 1, options));
					pointers[interleaved ? 9 - f : f] = paths[f];
				}
				assert_ok(cairn_asmk_index_open(&ten, w.codebook, pointers, 10, NULL, 0));
				assert_int_equal(cairn_asmk_index_images(ten), WORLD_IMAGES);
				for (size_t k = 1; k <= WORLD_IMAGES; k += 13) {
					cairn_ranking *wanted = search(one, &w, k, &how),
						      *found = search(ten, &w, k, &how);
					assert_same(found, wanted);
					cairn_ranking_free(wanted);
					cairn_ranking_free(found);
				}
				cairn_asmk_index_free(ten);
			}
		cairn_asmk_index_free(one);
		world_free(&w);
	}
}

/* Of the ranking of everything, what is kept stays in its order. */
static void assert_filtered(const cairn_ranking *found, const cairn_ranking *all, int64_t divisor, int remainder_kept)
{
	for (size_t q = 0; q < WORLD_IMAGES; q++) {
		size_t rank = 0;
		for (size_t i = 0; i < cairn_ranking_count(all, q); i++) {
			int64_t id = cairn_ranking_images(all, q)[i];
			if ((id / 10 % divisor == 0) != remainder_kept)
				continue;
			assert_int_equal(cairn_ranking_images(found, q)[rank], id);
			assert_true(cairn_ranking_scores(found, q)[rank] == cairn_ranking_scores(all, q)[i]);
			rank++;
		}
		assert_int_equal(cairn_ranking_count(found, q), rank);
	}
}

static void removed_and_forbidden_images_never_appear(void **state)
{
	int64_t thirds[WORLD_IMAGES];
	size_t count = 0;
	world w;
	cairn_asmk_index *without;
	cairn_asmk_search_options how = CAIRN_ASMK_SEARCH_OPTIONS_INIT;
	(void)state;
	world_make(&w, 64, 20, 9);
	const char *path = world_write(&w, 0, WORLD_IMAGES, 1, options_of(&common[0]));
	for (size_t i = 0; i < WORLD_IMAGES; i += 3)
		thirds[count++] = (int64_t)i * 10;
	cairn_asmk_index *index = open_one(&w, path);
	cairn_ranking *all = search(index, &w, WORLD_IMAGES, &how);
	assert_ok(cairn_asmk_index_open(&without, w.codebook, &path, 1, thirds, count));
	cairn_ranking *found = search(without, &w, WORLD_IMAGES, &how);
	assert_filtered(found, all, 3, 0);
	cairn_ranking_free(found);
	how.only = thirds;
	how.only_count = count;
	found = search(index, &w, WORLD_IMAGES, &how);
	assert_filtered(found, all, 3, 1);
	cairn_ranking_free(found);
	/* Removed wins; and an empty list allows nothing. */
	found = search(without, &w, WORLD_IMAGES, &how);
	for (size_t q = 0; q < WORLD_IMAGES; q++)
		assert_int_equal(cairn_ranking_count(found, q), 0);
	cairn_ranking_free(found);
	how.only_count = 0;
	found = search(index, &w, WORLD_IMAGES, &how);
	for (size_t q = 0; q < WORLD_IMAGES; q++)
		assert_int_equal(cairn_ranking_count(found, q), 0);
	cairn_ranking_free(found);
	cairn_ranking_free(all);
	cairn_asmk_index_free(index);
	cairn_asmk_index_free(without);
	world_free(&w);
}

/* More images than a block holds; equal scores go by id. */
static void blocks_do_not_matter(void **state)
{
	enum { IMAGES = 70000, DEEP = 66000 };
	const char *path = cn_test_path(cn_test_folder(), "a.asmk");
	const cairn_asmk_options *options = options_of(&common[0]);
	cairn_asmk_search_options how = CAIRN_ASMK_SEARCH_OPTIONS_INIT;
	cairn_asmk_aggregate *few, *many;
	cairn_asmk_writer *writer;
	cairn_ranking *ranking;
	world w;
	(void)state;
	world_make(&w, 64, 20, 2);
	assert_ok(cairn_asmk_aggregate_new(&few, w.codebook, queries_of(&w) + 1, 1, options));
	assert_ok(cairn_asmk_aggregate_new(&many, w.codebook, queries_of(&w) + 2, 1, options));
	assert_ok(cairn_asmk_writer_new(&writer, path, WORLD_KIND, w.codebook, options));
	for (int64_t i = 0; i < IMAGES; i++)
		assert_ok(cairn_asmk_writer_add(writer, i, i % 100 == 99 ? many : few));
	assert_ok(cairn_asmk_writer_commit(writer));
	cairn_asmk_writer_free(writer);
	cairn_asmk_index *index = open_one(&w, path);
	assert_int_equal(cairn_asmk_index_images(index), IMAGES);
	how.assignments = 1;
	assert_ok(cairn_asmk_index_search(&ranking, index, queries_of(&w) + 2, 1, DEEP, &how));
	const int64_t *images = cairn_ranking_images(ranking, 0);
	for (int64_t i = 0; i < IMAGES / 100; i++)
		assert_int_equal(images[i], i * 100 + 99);
	for (size_t i = IMAGES / 100 + 1; i < cairn_ranking_count(ranking, 0); i++)
		assert_true(images[i] > images[i - 1] && images[i] % 100 != 99);
	cairn_ranking_free(ranking);
	cairn_asmk_index_free(index);
	cairn_asmk_aggregate_free(few);
	cairn_asmk_aggregate_free(many);
	world_free(&w);
}

/* ---- faults ---- */

static void faults_of_a_search_are_reported(void **state)
{
	static const struct {
		uint32_t version, assignments;
		float alpha, threshold;
		const char *part;
	} cases[] = {
		{ 7, 5, 3, 0, "version 7" },       { 1, 21, 3, 0, "21 assignments among 20 words" },
		{ 1, 65, 3, 0, "65 assignments" }, { 1, 5, 0, 0, "alpha 0" },
		{ 1, 5, NAN, 0, "alpha nan" },     { 1, 5, 101, 0, "alpha 101" },
		{ 1, 5, 3, -0.1f, "-0.1" },        { 1, 5, 3, NAN, "threshold nan" },
	};
	static const int64_t disorder[] = { 3, 3 };
	world w;
	cairn_ranking *ranking;
	(void)state;
	world_make(&w, 64, 20, 1);
	cairn_asmk_index *index = open_one(&w, world_write(&w, 0, 5, 1, options_of(&common[0])));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cairn_asmk_search_options how = CAIRN_ASMK_SEARCH_OPTIONS_INIT;
		how.version = cases[i].version;
		how.assignments = cases[i].assignments;
		how.alpha = cases[i].alpha;
		how.threshold = cases[i].threshold;
		assert_fails(cairn_asmk_index_search(&ranking, index, queries_of(&w), 1, 1, &how), CAIRN_EINVALID,
			     cases[i].part);
		assert_null(ranking);
	}
	cairn_asmk_search_options how = CAIRN_ASMK_SEARCH_OPTIONS_INIT;
	how.only = disorder;
	how.only_count = 2;
	assert_fails(cairn_asmk_index_search(&ranking, index, queries_of(&w), 1, 1, &how), CAIRN_EINVALID,
		     "image ids must ascend");
	assert_fails(cairn_asmk_index_search(&ranking, index, queries_of(&w), 0, 1, NULL), CAIRN_EINVALID, "0 queries");
	assert_fails(cairn_asmk_index_search(&ranking, index, queries_of(&w), 1, 0, NULL), CAIRN_EINVALID, "best 0");
	const float number = 1;
	cairn_features *flat = world_features(&number, 1, 1);
	const cairn_features *const query = flat;
	assert_fails(cairn_asmk_index_search(&ranking, index, &query, 1, 1, NULL), CAIRN_EINVALID, "1 dimensions");
	cairn_features_free(flat);
	cairn_asmk_index_free(index);
	cairn_asmk_index_free(NULL);
	world_free(&w);
}

static void files_that_do_not_belong_together_are_refused(void **state)
{
	static const int64_t disorder[] = { 3, 2 };
	world w, other, wider;
	cairn_asmk_index *index;
	char paths[4][100];
	(void)state;
	world_make(&w, 64, 20, 1);
	world_make(&other, 64, 20, 2);
	world_make(&wider, 70, 20, 2);
	strcpy(paths[0], world_write(&w, 0, 5, 1, options_of(&common[0])));
	strcpy(paths[1], world_write(&w, 4, 9, 1, options_of(&common[0])));
	strcpy(paths[2], world_write(&w, 10, 12, 1, options_of(&common[1])));
	strcpy(paths[3], world_write(&other, 10, 12, 1, options_of(&common[0])));
	const char *twice[] = { paths[0], paths[1] }, *forms[] = { paths[0], paths[2] },
		   *books[] = { paths[0], paths[3] };
	const char *one = paths[0];
	assert_fails(cairn_asmk_index_open(&index, w.codebook, twice, 2, NULL, 0), CAIRN_EINVALID, "image 40 is in");
	assert_fails(cairn_asmk_index_open(&index, w.codebook, forms, 2, NULL, 0), CAIRN_EINVALID, "bytes");
	assert_fails(cairn_asmk_index_open(&index, w.codebook, books, 2, NULL, 0), CAIRN_EINVALID, "another codebook");
	assert_fails(cairn_asmk_index_open(&index, wider.codebook, &one, 1, NULL, 0), CAIRN_EINVALID, "of 70");
	assert_fails(cairn_asmk_index_open(&index, w.codebook, &one, 0, NULL, 0), CAIRN_EINVALID, "no ASMK files");
	assert_fails(cairn_asmk_index_open(&index, w.codebook, &one, 1, disorder, 2), CAIRN_EINVALID,
		     "removed ids must ascend; 2 follows 3");
	one = "/nowhere/a.asmk";
	assert_fails(cairn_asmk_index_open(&index, w.codebook, &one, 1, NULL, 0), CAIRN_ENOTFOUND, "/nowhere/a.asmk");
	assert_null(index);
	world_free(&w);
	world_free(&other);
	world_free(&wider);
}

static void aggregates_check_what_they_get(void **state)
{
	world w, wider;
	cairn_asmk_aggregate *found;
	cairn_asmk_options options = CAIRN_ASMK_OPTIONS_INIT;
	(void)state;
	world_make(&w, 64, 20, 1);
	world_make(&wider, 70, 20, 1);
	assert_fails(cairn_asmk_aggregate_new(&found, w.codebook, queries_of(&w), 0, NULL), CAIRN_EINVALID,
		     "0 feature");
	assert_fails(cairn_asmk_aggregate_new(&found, w.codebook, queries_of(&w), 2, NULL), CAIRN_EINVALID, "regional");
	assert_fails(cairn_asmk_aggregate_new(&found, w.codebook, queries_of(&wider), 1, NULL), CAIRN_EINVALID,
		     "70 dimensions");
	options.version = 3;
	assert_fails(cairn_asmk_aggregate_new(&found, w.codebook, queries_of(&w), 1, &options), CAIRN_EINVALID,
		     "version 3");
	assert_null(found);
	world_free(&w);
	world_free(&wider);
}

static int search_once(void *context)
{
	const world *w = context;
	const char *path = NULL;
	cairn_asmk_index *index = NULL;
	cairn_ranking *ranking = NULL;
	cairn_asmk_search_options how = CAIRN_ASMK_SEARCH_OPTIONS_INIT;
	static char written[100];
	if (!written[0])
		strcpy(written, world_write(w, 0, 5, 1, options_of(&common[1])));
	path = written;
	how.threads = 1;
	int status = cairn_asmk_index_open(&index, w->codebook, &path, 1, NULL, 0);
	if (status == 0)
		status = cairn_asmk_index_search(&ranking, index, queries_of(w) + 3, 2, 3, &how);
	cairn_ranking_free(ranking);
	cairn_asmk_index_free(index);
	return status;
}

static void short_memory_is_reported(void **state)
{
	world w;
	(void)state;
	world_make(&w, 30, 20, 1);
	assert_ok(search_once(&w));
	assert_true(cn_torture(search_once, &w) >= 20);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scores_are_those_of_the_formula),
		cmocka_unit_test(scores_of_given_images_are_told),
		cmocka_unit_test(a_case_worked_out_by_hand),
		cmocka_unit_test(residuals_of_no_length_are_left_out),
		cmocka_unit_test(ten_files_are_as_good_as_one),
		cmocka_unit_test(removed_and_forbidden_images_never_appear),
		cmocka_unit_test(blocks_do_not_matter),
		cmocka_unit_test(faults_of_a_search_are_reported),
		cmocka_unit_test(files_that_do_not_belong_together_are_refused),
		cmocka_unit_test(aggregates_check_what_they_get),
		cmocka_unit_test(short_memory_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
