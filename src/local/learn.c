/*
 * Learning a PCA of local descriptors.
 *
 * Images are described some at a time, and what they give is offered to a reservoir in the images' order, so that the
 * sample does not depend on the number of threads.
 */
#include <string.h>

#include "cairn/features.h"
#include "local/network.h"
#include "math/pca.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/parallel.h"
#include "util/progress.h"
#include "util/random.h"

#define SAMPLE      65536
#define SAMPLE_SEED 1
#define AT_A_TIME   4 /* images a thread */

struct learning {
	cairn_model *model;
	uint32_t max_points;
	const char *const *paths; /* of the images at hand */
	cn_points *points;        /* of each */
	float *rows;              /* SAMPLE x dim */
	cn_reservoir reservoir;
	cn_progress progress;
};

static int describe_one(struct learning *learning, size_t i, int *readable)
{
	cairn_image_options how = CAIRN_IMAGE_OPTIONS_INIT;
	cairn_image *image;
	uint32_t width, height;
	how.shrink_to = cn_model_longest(learning->model);
	how.shrink_shortest = cn_model_shortest(learning->model);
	int status = cairn_image_open(&image, learning->paths[i], &how);
	*readable = status >= 0;
	if (status == CAIRN_ENOMEM)
		return status;
	if (status < 0) {
		cn_log(CAIRN_LOG_WARNING, "passed over: %s", cairn_last_error());
		return 0;
	}
	status =
		cn_local_points(learning->model, image, 0, learning->max_points, &width, &height, &learning->points[i]);
	cairn_image_free(image);
	return status;
}

static int describe_range(void *context, size_t begin, size_t end, unsigned worker)
{
	struct learning *learning = context;
	(void)worker;
	for (size_t i = begin; i < end; i++) {
		int readable;
		CN_TRY(describe_one(learning, i, &readable));
		CN_TRY(cn_progress_add(&learning->progress, 1, !readable));
	}
	return 0;
}

static void offer(struct learning *learning, const cn_points *points)
{
	for (size_t i = 0; i < points->count; i++) {
		size_t place = cn_reservoir_next(&learning->reservoir);
		if (place < SAMPLE)
			memcpy(learning->rows + place * points->dim, points->descriptors + i * points->dim,
			       points->dim * sizeof(float));
	}
}

static int describe_all(struct learning *learning, cn_workers *pool, const char *const *paths, size_t count)
{
	size_t step = (size_t)AT_A_TIME * cn_workers_threads(pool);
	int status = 0;
	CN_NEW(learning->points, step, sizeof(*learning->points));
	for (size_t begin = 0; status == 0 && begin < count; begin += step) {
		size_t some = count - begin < step ? count - begin : step;
		learning->paths = paths + begin;
		status = cn_parallel_for(pool, some, 1, describe_range, learning);
		for (size_t i = 0; i < some; i++) {
			if (status == 0)
				offer(learning, &learning->points[i]);
			cn_points_free(&learning->points[i]);
		}
	}
	cn_free(learning->points);
	return status;
}

static int take_sample(struct learning *learning, const char *const *paths, size_t count, unsigned threads,
		       cairn_progress_cb progress, void *payload)
{
	cn_workers *pool;
	learning->rows = cn_alloc_aligned(SAMPLE, learning->model->local.dim * sizeof(float));
	if (!learning->rows)
		return CAIRN_ENOMEM;
	learning->reservoir = cn_reservoir_start(SAMPLE, SAMPLE_SEED);
	CN_TRY(cn_workers_new(&pool, threads));
	cn_progress_start(&learning->progress, progress, payload, "describing images", count);
	int status = describe_all(learning, pool, paths, count);
	cn_progress_end(&learning->progress);
	cn_workers_free(pool);
	return status;
}

static int learn_and_write(const struct learning *learning, const char *target, uint32_t dim)
{
	uint64_t seen = learning->reservoir.seen;
	size_t count = seen < SAMPLE ? (size_t)seen : SAMPLE;
	cn_pca pca;
	/* n descriptors span at most n - 1 axes around their mean. */
	if (count < (size_t)dim + 1)
		return cn_fail(CAIRN_EINVALID, "%u dimensions need at least %u descriptors; the images gave %zu", dim,
			       dim + 1, count);
	CN_TRY(cn_pca_learn(&pca, learning->rows, count, learning->model->local.dim, dim));
	int status = cn_bundle_set_pca(learning->model, target, pca.mean, pca.axes, dim);
	cn_pca_free(&pca);
	return status;
}

static int open_local(struct learning *learning, const char *name, uint32_t dim, const cairn_extractor_options *options)
{
	cairn_model_options how = CAIRN_MODEL_OPTIONS_INIT;
	how.threads = options->threads;
	how.precision = options->precision;
	CN_TRY(cairn_model_open(&learning->model, name, &how));
	cairn_model *model = learning->model;
	if (model->is_detector)
		return cn_fail(CAIRN_EINVALID, "model '%s' gives boxes, not local features", name);
	if (!model->is_local)
		return cn_fail(CAIRN_EINVALID,
			       "model '%s' gives a global descriptor; 'cairn model whiten' learns for those", name);
	if (dim < 1 || dim > model->local.dim)
		return cn_fail(CAIRN_EINVALID, "model '%s' has descriptors of %u dimensions; %u cannot be kept", name,
			       model->local.dim, dim);
	if (options->longest)
		model->input.longest = options->longest;
	learning->max_points = options->max_points ? options->max_points : model->local.max_points;
	return 0;
}

int cairn_features_learn_pca(const char *model, const char *target, uint32_t dim, int replace, const char *const *paths,
			     size_t count, const cairn_extractor_options *options, cairn_progress_cb progress,
			     void *payload)
{
	static const cairn_extractor_options defaults = CAIRN_EXTRACTOR_OPTIONS_INIT;
	struct learning learning = { 0 };
	if (!options)
		options = &defaults;
	CN_TRY(cn_check_extractor_options(options));
	if (!replace && strcmp(model, target) != 0)
		CN_TRY(cn_bundle_expect_free(target));
	int status = open_local(&learning, model, dim, options);
	if (status == 0)
		status = take_sample(&learning, paths, count, options->threads, progress, payload);
	if (status == 0)
		status = learn_and_write(&learning, target, dim);
	cn_free(learning.rows);
	cairn_model_free(learning.model);
	return status;
}
