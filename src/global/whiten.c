/*
 * Learning centring and whitening for a model from a set of images. What is applied later is
 * L2((x - mean) projection^T), of vectors that are brought to unit length first where they were here.
 */
#include "cairn/whitening.h"

#include <math.h>
#include <string.h>

#include "global/gather.h"
#include "global/pairs.h"
#include "math/discriminant.h"
#include "math/pca.h"
#include "util/log.h"
#include "util/memory.h"

/* Least variance of an axis, as a part of the largest. */
#define FLAT 1e-5f
/* Least variance of the first axis, as a part of the square of the mean's length: rounding gives less than that. */
#define ALIKE 1e-13

struct learning {
	const cairn_whitening_options *options;
	const char *target;
	cairn_model *model;
	int unit;
	cn_gathered images;
};

static int write(const struct learning *learning, cn_whitening_kind kind, const float *mean, const float *projection,
		 size_t kept)
{
	const cn_whitening whitening = {
		.kind = kind,
		.unit = learning->unit,
		.power = learning->options->power,
		.mean = mean,
		.projection = projection,
		.kept = (uint32_t)kept,
	};
	return cn_bundle_set_whitening(learning->model, learning->target, &whitening);
}

/* ---- without labels ---- */

static int expect_variance(const cn_pca *pca, size_t count)
{
	double square = 0;
	for (size_t k = 0; k < pca->dim; k++)
		square += (double)pca->mean[k] * (double)pca->mean[k];
	if ((double)pca->variance[0] > ALIKE * square)
		return 0;
	return cn_fail(CAIRN_EINVALID,
		       "the model gives the same descriptor for all of the %zu images: there is "
		       "nothing to learn from them",
		       count);
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

static void scale_axes(cn_pca *pca, double power)
{
	for (size_t i = 0; i < pca->kept; i++) {
		double scale = pow((double)pca->variance[i], -power / 2);
		for (size_t k = 0; k < pca->dim; k++)
			pca->axes[i * pca->dim + k] = (float)((double)pca->axes[i * pca->dim + k] * scale);
	}
}

static int learn_axes(const struct learning *learning, size_t keep)
{
	const cn_gathered *images = &learning->images;
	int scales = learning->options->kind == CAIRN_WHITEN_PCAW;
	cn_pca pca;
	CN_TRY(cn_pca_learn(&pca, images->rows, images->count, images->dim, keep));
	int status = expect_variance(&pca, images->count);
	if (status == 0) {
		drop_flat_axes(&pca);
		if (scales)
			scale_axes(&pca, learning->options->power);
		status = write(learning, scales ? CN_WHITENING_PCAW : CN_WHITENING_PCA, pca.mean, pca.axes, pca.kept);
	}
	cn_pca_free(&pca);
	return status;
}

static int learn_centre(const struct learning *learning)
{
	const cn_gathered *images = &learning->images;
	cn_pca pca;
	CN_TRY(cn_pca_learn(&pca, images->rows, images->count, images->dim, 1));
	int status = write(learning, CN_WHITENING_CENTRE, pca.mean, NULL, images->dim);
	cn_pca_free(&pca);
	return status;
}

/* ---- from pairs ---- */

/* Pairs of rows, of the pairs both images of which could be read. @param[out] out caller frees */
static int pair_rows(const struct learning *learning, uint32_t **out, size_t *count)
{
	const cairn_pairs *pairs = learning->options->pairs;
	const uint32_t *row_of = learning->images.row_of;
	*count = 0;
	CN_NEW(*out, 2 * pairs->count, sizeof(**out));
	for (size_t i = 0; i < pairs->count; i++) {
		uint32_t query = row_of[pairs->pairs[2 * i]], positive = row_of[pairs->pairs[2 * i + 1]];
		if (query == CN_NO_ROW || positive == CN_NO_ROW)
			continue;
		(*out)[2 * *count] = query;
		(*out)[2 * *count + 1] = positive;
		++*count;
	}
	return 0;
}

static int learn_from_rows(const struct learning *learning, const uint32_t *pairs, size_t count, size_t keep)
{
	const cn_gathered *images = &learning->images;
	cn_discriminant found;
	if (count == 0)
		return cn_fail(CAIRN_EFORMAT, "of none of the %zu pairs both images can be read",
			       learning->options->pairs->count);
	if (count < images->dim)
		cn_log(CAIRN_LOG_WARNING,
		       "%zu pairs for %zu dimensions: where no pair differs, whitening is a guess; learn from more "
		       "pairs",
		       count, images->dim);
	CN_TRY(cn_discriminant_learn(&found, images->rows, images->count, images->dim, pairs, count, keep));
	int status = write(learning, CN_WHITENING_LW, found.mean, found.projection, found.kept);
	cn_discriminant_free(&found);
	return status;
}

static int learn_from_pairs(const struct learning *learning, size_t keep)
{
	uint32_t *pairs;
	size_t count;
	CN_TRY(pair_rows(learning, &pairs, &count));
	int status = learn_from_rows(learning, pairs, count, keep);
	cn_free(pairs);
	return status;
}

/* ---- both ---- */

static int learn(struct learning *learning, size_t asked)
{
	const cairn_whitening_options *options = learning->options;
	size_t readable = learning->images.count, dim = learning->images.dim;
	if (readable < 2)
		return cn_fail(asked < 2 ? CAIRN_EINVALID : CAIRN_EFORMAT,
			       "whitening needs at least 2 readable images; %zu of %zu were", readable, asked);
	if (options->kind == CAIRN_WHITEN_CENTRE)
		return learn_centre(learning);
	/* n images span at most n - 1 axes around their mean; further ones would be noise, blown up by whitening. */
	size_t axes = readable - 1 < dim ? readable - 1 : dim;
	if (options->dim > axes)
		return cn_fail(CAIRN_EINVALID, "%u dimensions need at least %u readable images; %zu were", options->dim,
			       options->dim + 1, readable);
	size_t keep = options->dim ? options->dim : axes;
	return options->kind == CAIRN_WHITEN_LW ? learn_from_pairs(learning, keep) : learn_axes(learning, keep);
}

static int check_options(const cairn_whitening_options *options, size_t count)
{
	if (options->version != CAIRN_WHITENING_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "whitening options have version %u; this library knows %d",
			       options->version, CAIRN_WHITENING_OPTIONS_VERSION);
	if ((unsigned)options->kind > CAIRN_WHITEN_LW)
		return cn_fail(CAIRN_EINVALID, "whitening of kind %d is not known", (int)options->kind);
	if (options->kind == CAIRN_WHITEN_CENTRE && options->dim != 0)
		return cn_fail(CAIRN_EINVALID, "centring keeps all dimensions; %u were asked for", options->dim);
	if (!(options->power >= 0 && options->power <= 1))
		return cn_fail(CAIRN_EINVALID, "the power of whitening is %g, but must be from 0 to 1", options->power);
	if ((options->kind == CAIRN_WHITEN_LW) != (options->pairs != NULL) || (options->pairs && count))
		return cn_fail(CAIRN_EINVALID, "whitening of kind lw, and no other, is learned from pairs, and their "
					       "images alone");
	if (count >= CN_NO_ROW)
		return cn_fail(CAIRN_ELIMIT, "whitening from %zu images; at most %u are possible", count,
			       CN_NO_ROW - 1);
	return 0;
}

static int check_model(const cairn_model *model, const char *name, uint32_t dim)
{
	if (model->is_local || model->is_detector)
		return cn_fail(CAIRN_EINVALID, "model '%s' gives %s; only global models are whitened", name,
			       cn_model_gives(model));
	if (dim > model->global.dim)
		return cn_fail(CAIRN_EINVALID, "model '%s' has %u dimensions; %u cannot be kept", name,
			       model->global.dim, dim);
	return 0;
}

/* The target must be a new bundle unless it may be replaced, and never one that the ensemble needs. */
static int check_target(const cairn_model *model, const char *target, int replace)
{
	char *folder;
	int status = 0;
	CN_TRY(cn_bundle_folder(&folder, target));
	for (size_t i = 0; status == 0 && i < model->ensemble.count; i++)
		if (strcmp(model->ensemble.members[i].model->folder, folder) == 0)
			status = cn_fail(CAIRN_EINVALID,
					 "an ensemble needs its member '%s' and cannot be put in its place; give it a "
					 "name of its own",
					 target);
	int is_same = model->folder && strcmp(model->folder, folder) == 0;
	cn_free(folder);
	if (status == 0 && !replace && !is_same)
		status = cn_bundle_expect_free(target);
	return status;
}

/* An ensemble that no bundle holds yet. */
static int join(cairn_model **out, const cairn_describer_model *models, size_t n)
{
	cairn_model *model;
	CN_NEW(model, 1, sizeof(*model));
	int status = 0;
	for (size_t i = 0; status == 0 && i < n; i++)
		status = cn_ensemble_add(&model->ensemble, models[i].name, (double)models[i].weight, NULL);
	if (status == 0)
		status = cn_ensemble_read(model);
	if (status < 0) {
		cairn_model_free(model);
		return status;
	}
	*out = model;
	return 0;
}

static int open_models(struct learning *learning, const cairn_describer_model *models, size_t n)
{
	const cairn_whitening_options *options = learning->options;
	cairn_model_options how = CAIRN_MODEL_OPTIONS_INIT;
	how.threads = options->threads;
	how.precision = options->precision;
	if (n < 1)
		return cn_fail(CAIRN_EINVALID, "whitening needs a model to learn for");
	CN_TRY(n == 1 ? cairn_model_inspect(&learning->model, models[0].name) : join(&learning->model, models, n));
	CN_TRY(check_model(learning->model, n == 1 ? models[0].name : learning->target, options->dim));
	CN_TRY(check_target(learning->model, learning->target, options->replace));
	return cn_model_load(learning->model, &how);
}

int cairn_whitening_learn(const char *target, const cairn_describer_model *models, size_t n, const char *const *paths,
			  size_t count, const cairn_whitening_options *options)
{
	static const cairn_whitening_options defaults = CAIRN_WHITENING_OPTIONS_INIT;
	options = options ? options : &defaults;
	CN_TRY(check_options(options, count));
	if (options->pairs) {
		paths = (const char *const *)options->pairs->paths;
		count = options->pairs->image_count;
	}
	struct learning learning = { .options = options, .target = target };
	learning.unit = options->unit >= 0 ? options->unit != 0 : options->kind != CAIRN_WHITEN_CENTRE;
	int status = open_models(&learning, models, n);
	if (status == 0)
		status = cn_gather(&learning.images, learning.model, paths, count, learning.unit, options->threads,
				   options->progress, options->progress_payload);
	if (status == 0)
		status = learn(&learning, count);
	cn_gathered_free(&learning.images);
	cairn_model_free(learning.model);
	return status;
}
