/*
 * Codebooks: their files, and training on a sample that is kept while features pass by.
 */
#include "index/codebook.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/features.h"
#include "math/half.h"
#include "math/kmeans.h"
#include "util/crc.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/npy.h"
#include "util/random.h"

#define DEFAULT_WORDS      65536
#define DEFAULT_POINTS     64
#define DEFAULT_ITERATIONS 50

/* ---- codebooks ---- */

static int by_numbers(const void *left, const void *right, void *dim)
{
	return memcmp(*(const float *const *)left, *(const float *const *)right, *(const size_t *)dim * sizeof(float));
}

/* Of equal words the second would never have a descriptor. */
static int check_distinct(const float *vectors, size_t words, size_t dim, const char *name, int code)
{
	const float **sorted = cn_alloc(words, sizeof(*sorted));
	int status = 0;
	if (!sorted)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < words; i++)
		sorted[i] = vectors + i * dim;
	qsort_r(sorted, words, sizeof(*sorted), by_numbers, &dim);
	for (size_t i = 1; status == 0 && i < words; i++)
		if (by_numbers(&sorted[i - 1], &sorted[i], &dim) == 0)
			status = cn_fail(code, "%s: words %zu and %zu are equal", name,
					 (size_t)(sorted[i - 1] - vectors) / dim, (size_t)(sorted[i] - vectors) / dim);
	cn_free(sorted);
	return status;
}

static int check_size(size_t words, size_t dim, const char *name, int code)
{
	if (words < 1 || words > CAIRN_CODEBOOK_MAX_WORDS || dim < 1 || dim > CN_FEATURES_DIM_MAX)
		return cn_fail(code,
			       "%s: %zu words of %zu dimensions; 1 to %u words and 1 to %d dimensions are possible",
			       name, words, dim, CAIRN_CODEBOOK_MAX_WORDS, CN_FEATURES_DIM_MAX);
	return 0;
}

static int check_vectors(const float *vectors, size_t words, size_t dim, const char *name, int code)
{
	/* Beyond it, squared distances lose what tells words apart, and overflow in the end. */
	for (size_t i = 0; i < words * dim; i++)
		if (!(fabsf(vectors[i]) <= CN_HALF_LARGEST))
			return cn_fail(code, "%s: a number of word %zu is %g; they go from %g to %g", name, i / dim,
				       (double)vectors[i], (double)-CN_HALF_LARGEST, (double)CN_HALF_LARGEST);
	return check_distinct(vectors, words, dim, name, code);
}

/* Takes the vectors over, whatever the outcome. */
static int make_codebook(cairn_codebook **out, float *vectors, size_t words, size_t dim, const char *name, int code)
{
	cairn_codebook *codebook = NULL;
	int status = vectors ? check_vectors(vectors, words, dim, name, code) : CAIRN_ENOMEM;
	if (status == 0) {
		codebook = cn_alloc_zero(1, sizeof(*codebook));
		status = codebook ? 0 : CAIRN_ENOMEM;
	}
	if (status < 0) {
		cn_free(vectors);
		return status;
	}
	*codebook = (cairn_codebook){ .vectors = vectors, .words = words, .dim = dim };
	codebook->crc = cn_crc32c(0, vectors, words * dim * sizeof(*vectors));
	status = cn_centroids_init(&codebook->centroids, vectors, words, dim);
	if (status < 0)
		cairn_codebook_free(codebook);
	else
		*out = codebook;
	return status;
}

/* The copy is aligned; arrays in files of others may not be. */
static int copy_codebook(cairn_codebook **out, const void *vectors, size_t words, size_t dim, const char *name,
			 int code)
{
	CN_TRY(check_size(words, dim, name, code));
	float *copy = cn_alloc_aligned(words * dim, sizeof(*copy));
	if (copy)
		memcpy(copy, vectors, words * dim * sizeof(*copy));
	return make_codebook(out, copy, words, dim, name, code);
}

int cairn_codebook_new(cairn_codebook **out, const float *vectors, size_t words, size_t dim)
{
	*out = NULL;
	return copy_codebook(out, vectors, words, dim, "codebook", CAIRN_EINVALID);
}

int cairn_codebook_open(cairn_codebook **out, const char *path)
{
	static const size_t any[2];
	cn_npy array;
	*out = NULL;
	CN_TRY(cn_npy_open(&array, path));
	int status = cn_npy_expect(&array, path, CN_NPY_F32, 2, any);
	if (status == 0)
		status = copy_codebook(out, array.data, array.shape[0], array.shape[1], path, CAIRN_EFORMAT);
	cn_npy_close(&array);
	return status;
}

int cairn_codebook_save(const cairn_codebook *codebook, const char *path)
{
	const size_t shape[2] = { codebook->words, codebook->dim };
	return cn_npy_write(path, CN_NPY_F32, 2, shape, codebook->vectors);
}

void cairn_codebook_free(cairn_codebook *codebook)
{
	if (!codebook)
		return;
	cn_centroids_free(&codebook->centroids);
	cn_free(codebook->vectors);
	cn_free(codebook);
}

size_t cairn_codebook_words(const cairn_codebook *codebook)
{
	return codebook->words;
}

size_t cairn_codebook_dim(const cairn_codebook *codebook)
{
	return codebook->dim;
}

const float *cairn_codebook_vectors(const cairn_codebook *codebook)
{
	return codebook->vectors;
}

/* ---- training ---- */

struct cairn_codebook_trainer {
	cairn_codebook_options options; /* without zeros that stand for defaults */
	char kind[CN_FEATURES_KIND_MAX + 1];
	size_t dim; /* 0: no features yet */
	cn_reservoir reservoir;
	int8_t *codes; /* capacity x dim */
	float *scales; /* capacity: of each row of codes */
	size_t count, capacity;
};

static void empty_trainer(cairn_codebook_trainer *trainer)
{
	cn_free(trainer->codes);
	cn_free(trainer->scales);
	trainer->codes = NULL;
	trainer->scales = NULL;
	trainer->dim = trainer->count = trainer->capacity = 0;
	trainer->reservoir =
		cn_reservoir_start((size_t)trainer->options.words * trainer->options.max_points, trainer->options.seed);
}

int cairn_codebook_trainer_new(cairn_codebook_trainer **out, const cairn_codebook_options *options)
{
	cairn_codebook_options o = CAIRN_CODEBOOK_OPTIONS_INIT;
	cairn_codebook_trainer *trainer;
	*out = NULL;
	o = options ? *options : o;
	if (o.version != CAIRN_CODEBOOK_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "codebook options of version %u; this cairn knows version %d", o.version,
			       CAIRN_CODEBOOK_OPTIONS_VERSION);
	o.words = o.words ? o.words : DEFAULT_WORDS;
	o.max_points = o.max_points ? o.max_points : DEFAULT_POINTS;
	o.iterations = o.iterations ? o.iterations : DEFAULT_ITERATIONS;
	if (o.words > CAIRN_CODEBOOK_MAX_WORDS || o.max_points > UINT32_MAX / o.words)
		return cn_fail(CAIRN_EINVALID,
			       "a codebook of %u words trained on %u descriptors a word; at most %u words, and 2^32 "
			       "descriptors in all, are possible",
			       o.words, o.max_points, CAIRN_CODEBOOK_MAX_WORDS);
	CN_NEW(trainer, 1, sizeof(*trainer));
	trainer->options = o;
	empty_trainer(trainer);
	*out = trainer;
	return 0;
}

void cairn_codebook_trainer_free(cairn_codebook_trainer *trainer)
{
	if (!trainer)
		return;
	empty_trainer(trainer);
	cn_free(trainer);
}

static int reserve(cairn_codebook_trainer *trainer, size_t wanted)
{
	size_t capacity = trainer->capacity ? trainer->capacity : 4096;
	while (capacity < wanted)
		capacity *= 2;
	if (capacity > trainer->reservoir.capacity)
		capacity = trainer->reservoir.capacity;
	if (capacity <= trainer->capacity)
		return 0;
	int8_t *codes = cn_realloc(trainer->codes, capacity, trainer->dim);
	trainer->codes = codes ? codes : trainer->codes;
	float *scales = codes ? cn_realloc(trainer->scales, capacity, sizeof(*scales)) : NULL;
	if (!scales)
		return CAIRN_ENOMEM;
	trainer->scales = scales;
	trainer->capacity = capacity;
	return 0;
}

int cairn_codebook_trainer_add(cairn_codebook_trainer *trainer, const cairn_features *features)
{
	if (!trainer->dim) {
		trainer->dim = features->dim;
		memcpy(trainer->kind, features->kind, sizeof(trainer->kind));
	}
	if (features->dim != trainer->dim || strcmp(features->kind, trainer->kind) != 0)
		return cn_fail(CAIRN_EINVALID, "features of kind '%s' with %u dimensions among '%s' with %zu",
			       features->kind, features->dim, trainer->kind, trainer->dim);
	CN_TRY(reserve(trainer, trainer->count + features->count));
	for (size_t i = 0; i < features->count; i++) {
		size_t place = cn_reservoir_next(&trainer->reservoir);
		if (place == trainer->reservoir.capacity)
			continue;
		memcpy(trainer->codes + place * trainer->dim, features->codes + i * trainer->dim, trainer->dim);
		trainer->scales[place] = features->code_scale;
		trainer->count += place == trainer->count;
	}
	return 0;
}

static float *rows_of(const cairn_codebook_trainer *trainer)
{
	size_t dim = trainer->dim;
	float *rows = cn_alloc_aligned(trainer->count * dim, sizeof(*rows));
	for (size_t i = 0; rows && i < trainer->count; i++)
		for (size_t j = 0; j < dim; j++)
			rows[i * dim + j] = (float)trainer->codes[i * dim + j] * trainer->scales[i];
	return rows;
}

static int train(const cairn_codebook_trainer *trainer, const float *rows, cairn_progress_cb progress, void *payload,
		 float *vectors)
{
	const cn_kmeans_options options = { .clusters = trainer->options.words,
					    .iterations = trainer->options.iterations,
					    .seed = trainer->options.seed };
	cn_kmeans_result result;
	cn_workers *pool;
	CN_TRY(cn_workers_new(&pool, trainer->options.threads));
	int status = cn_kmeans(pool, rows, trainer->count, trainer->dim, &options, progress, payload, vectors, &result);
	cn_workers_free(pool);
	if (status == 0)
		cn_log(CAIRN_LOG_INFO, "codebook of %u words from %zu '%s' descriptors: %zu iterations, error %.4f",
		       trainer->options.words, trainer->count, trainer->kind, result.iterations, result.error);
	return status;
}

int cairn_codebook_trainer_run(cairn_codebook **out, cairn_codebook_trainer *trainer, cairn_progress_cb progress,
			       void *payload)
{
	size_t words = trainer->options.words, dim = trainer->dim;
	*out = NULL;
	if (trainer->count < words)
		return cn_fail(CAIRN_EINVALID, "too few descriptors for a codebook of %zu words: %zu", words,
			       trainer->count);
	float *rows = rows_of(trainer), *vectors = cn_alloc_aligned(words * dim, sizeof(*vectors));
	/* Floats are all that is needed from here on. */
	cn_free(trainer->codes);
	trainer->codes = NULL;
	int status = rows && vectors ? train(trainer, rows, progress, payload, vectors) : CAIRN_ENOMEM;
	cn_free(rows);
	empty_trainer(trainer);
	if (status < 0)
		cn_free(vectors);
	else
		status = make_codebook(out, vectors, words, dim, "codebook", CAIRN_EINVALID);
	return status;
}
