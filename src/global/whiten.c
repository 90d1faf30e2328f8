/*
 * Learning centring and whitening for a model from a set of images.
 *
 * Learned on pooled outputs as they are; what is applied later is L2((x - mean) * projection^T).
 */
#include <math.h>
#include <string.h>

#include "cairn/descriptors.h"
#include "global/describe.h"
#include "math/pca.h"
#include "util/file.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/parallel.h"
#include "util/progress.h"

/* Least variance of an axis, as a part of the largest. */
#define FLAT 1e-5f

struct learning {
	cairn_model *model;
	const char *const *paths;
	size_t dim;
	float *rows;       /* count x dim */
	uint8_t *readable; /* count */
	cn_progress progress;
};

static int describe_one(struct learning *learning, size_t i)
{
	cairn_image_options how = CAIRN_IMAGE_OPTIONS_INIT;
	how.shrink_to = cn_input_longest(&learning->model->input);
	cairn_image *image;
	int status = cairn_image_open(&image, learning->paths[i], &how);
	if (status == CAIRN_ENOMEM)
		return status;
	if (status < 0) {
		cn_log(CAIRN_LOG_WARNING, "passed over: %s", cairn_last_error());
		return 0;
	}
	status = cn_describe_pooled(learning->model, image, NULL, learning->rows + i * learning->dim);
	cairn_image_free(image);
	learning->readable[i] = status == 0;
	return status;
}

static int describe_range(void *context, size_t begin, size_t end, unsigned worker)
{
	struct learning *learning = context;
	(void)worker;
	for (size_t i = begin; i < end; i++) {
		CN_TRY(describe_one(learning, i));
		CN_TRY(cn_progress_add(&learning->progress, 1, !learning->readable[i]));
	}
	return 0;
}

/* Moves the rows of readable images together; returns how many there are. */
static size_t close_gaps(struct learning *learning, size_t count)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++)
		if (learning->readable[i])
			memmove(learning->rows + kept++ * learning->dim, learning->rows + i * learning->dim,
				learning->dim * sizeof(float));
	return kept;
}

/* Along them the images are alike but for rounding and noise. */
static void drop_flat_axes(cn_pca *pca)
{
	size_t all = pca->kept;
	while (pca->kept > 1 && pca->variance[pca->kept - 1] < FLAT * pca->variance[0])
		pca->kept--;
	if (pca->kept < all)
		cn_log(CAIRN_LOG_WARNING, "only %zu of %zu axes are kept: along the others the images hardly differ",
		       pca->kept, all);
}

static int learn_and_write(const struct learning *learning, size_t count, const char *target, cairn_whitening_kind kind,
			   uint32_t keep)
{
	static const char *const names[] = { "centre", "pca", "pcaw" };
	size_t dim = learning->dim;
	cn_pca pca;
	CN_TRY(cn_pca_learn(&pca, learning->rows, count, dim, kind == CAIRN_WHITEN_CENTRE ? 1 : keep));
	if (kind != CAIRN_WHITEN_CENTRE)
		drop_flat_axes(&pca);
	if (kind == CAIRN_WHITEN_PCAW) {
		for (size_t i = 0; i < pca.kept; i++) {
			double scale = 1.0 / sqrt(fmax((double)pca.variance[i], 1e-30));
			for (size_t k = 0; k < dim; k++)
				pca.axes[i * dim + k] = (float)((double)pca.axes[i * dim + k] * scale);
		}
	}
	int status = cn_bundle_set_whitening(learning->model, target, names[kind], pca.mean,
					     kind == CAIRN_WHITEN_CENTRE ? NULL : pca.axes,
					     kind == CAIRN_WHITEN_CENTRE ? (uint32_t)dim : (uint32_t)pca.kept);
	cn_pca_free(&pca);
	return status;
}

static int describe_all(struct learning *learning, size_t count, unsigned threads, cairn_progress_cb progress,
			void *payload)
{
	cn_workers *pool;
	CN_TRY(cn_workers_new(&pool, threads));
	cn_progress_start(&learning->progress, progress, payload, "describing images", count);
	int status = cn_parallel_for(pool, count, 1, describe_range, learning);
	cn_progress_end(&learning->progress);
	cn_workers_free(pool);
	return status;
}

static int expect_free(const char *target)
{
	char *folder;
	CN_TRY(cn_bundle_folder(&folder, target));
	int exists = cn_file_exists(folder);
	cn_free(folder);
	if (!exists)
		return 0;
	return cn_fail(CAIRN_EEXISTS, "the model '%s' is there already; --replace puts another in its place", target);
}

int cairn_whitening_learn(const char *model, const char *target, cairn_whitening_kind kind, uint32_t dim, int replace,
			  const char *const *paths, size_t count, const cairn_describer_options *options,
			  cairn_progress_cb progress, void *payload)
{
	cairn_model_options how = CAIRN_MODEL_OPTIONS_INIT;
	CN_TRY(cn_describe_check_options(options));
	if (kind != CAIRN_WHITEN_CENTRE && kind != CAIRN_WHITEN_PCA && kind != CAIRN_WHITEN_PCAW)
		return cn_fail(CAIRN_EINVALID, "whitening of kind %d is not known", (int)kind);
	if (!replace && strcmp(model, target) != 0)
		CN_TRY(expect_free(target));
	if (options) {
		how.threads = options->threads;
		how.precision = options->precision;
	}
	if (kind == CAIRN_WHITEN_CENTRE && dim != 0)
		return cn_fail(CAIRN_EINVALID, "centring keeps all dimensions; %u were asked for", dim);
	struct learning learning = { .paths = paths };
	CN_TRY(cairn_model_open(&learning.model, model, &how));
	int status = 0;
	learning.dim = learning.model->global.dim;
	if (learning.model->is_local)
		CN_GOTO(status, cn_fail(CAIRN_EINVALID,
					"model '%s' gives local features; only global models are whitened", model));
	if (dim > learning.dim)
		CN_GOTO(status, cn_fail(CAIRN_EINVALID, "model '%s' has %zu dimensions; %u cannot be kept", model,
					learning.dim, dim));
	size_t cells;
	CN_GOTO(status, cn_size_mul(count, learning.dim, &cells));
	learning.rows = cn_alloc_aligned(cells, sizeof(float));
	learning.readable = cn_alloc_zero(count, 1);
	if (!learning.rows || !learning.readable)
		CN_GOTO(status, CAIRN_ENOMEM);
	CN_GOTO(status, describe_all(&learning, count, how.threads, progress, payload));
	size_t readable = close_gaps(&learning, count);
	if (readable < 2)
		CN_GOTO(status,
			cn_fail(count < 2 ? CAIRN_EINVALID : CAIRN_EFORMAT,
				"whitening needs at least 2 readable images; %zu of %zu were", readable, count));
	/* n images span at most n - 1 axes around their mean; further ones would be noise, blown up by whitening. */
	size_t axes = readable - 1 < learning.dim ? readable - 1 : learning.dim;
	if (dim > axes)
		CN_GOTO(status, cn_fail(CAIRN_EINVALID, "%u dimensions need at least %u readable images; %zu were", dim,
					dim + 1, readable));
	status = learn_and_write(&learning, readable, target, kind, dim ? dim : (uint32_t)axes);
done:
	cn_free(learning.rows);
	cn_free(learning.readable);
	cairn_model_free(learning.model);
	return status;
}
