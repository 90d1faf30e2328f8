/*
 * What bf16 costs on photographs: decoded and resized as for a descriptor, through the network in both precisions.
 * Local models are measured here as well, by the maps of their descriptors.
 */
#include <math.h>
#include <string.h>

#include "cairn/model.h"
#include "image/image.h"
#include "math/dispatch.h"
#include "model/bundle.h"
#include "model/precision.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/parallel.h"
#include "util/progress.h"

struct work {
	cairn_model *wide, *narrow;
	const char *const *paths;
	double *cosines; /* of each path; NAN: could not be read */
	cn_progress progress;
};

static int measure_one(struct work *work, size_t i)
{
	const cairn_model *model = work->wide;
	cairn_image_options how = CAIRN_IMAGE_OPTIONS_INIT;
	cairn_image *image, *resized;
	uint32_t width, height;
	how.shrink_to = cn_model_longest(model);
	how.shrink_shortest = cn_model_shortest(model);
	work->cosines[i] = NAN;
	int status = cairn_image_open(&image, work->paths[i], &how);
	if (status == CAIRN_ENOMEM)
		return status;
	if (status < 0) {
		cn_log(CAIRN_LOG_WARNING, "passed over: %s", cairn_last_error());
		return 0;
	}
	cn_input_size(&model->input, cairn_image_width(image), cairn_image_height(image), 0, 1, &width, &height);
	status = cairn_image_resize(&resized, image, width, height);
	cairn_image_free(image);
	CN_TRY(status);
	status = cn_precision_compare(work->wide, work->narrow, cairn_image_pixels(resized), width, height,
				      &work->cosines[i]);
	cairn_image_free(resized);
	return status;
}

static int measure_range(void *context, size_t begin, size_t end, unsigned worker)
{
	struct work *work = context;
	(void)worker;
	for (size_t i = begin; i < end; i++) {
		CN_TRY(measure_one(work, i));
		CN_TRY(cn_progress_add(&work->progress, 1, isnan(work->cosines[i]) != 0));
	}
	return 0;
}

static int run(struct work *work, size_t count, unsigned threads, cairn_progress_cb progress, void *payload)
{
	cn_workers *pool;
	CN_TRY(cn_workers_new(&pool, threads));
	cn_progress_start(&work->progress, progress, payload, "measuring precision", count);
	int status = cn_parallel_for(pool, count, 1, measure_range, work);
	cn_progress_end(&work->progress);
	cn_workers_free(pool);
	return status;
}

static int conclude(const struct work *work, size_t count, cairn_model_cost *out)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++)
		if (!isnan(work->cosines[i]))
			work->cosines[kept++] = work->cosines[i];
	if (kept == 0)
		return cn_fail(CAIRN_EINVALID, "model '%s': none of %zu images could be read to measure it by",
			       work->wide->name, count);
	*out = cn_precision_cost(work->cosines, kept);
	return cn_bundle_note_cost(work->wide, out);
}

static int check(const cairn_model *model)
{
	if (model->ensemble.count)
		return cn_fail(CAIRN_EINVALID, "model '%s' is an ensemble and has no network; measure its members",
			       model->name);
	if (!cn_precision_is_comparable(model))
		return cn_fail(
			CAIRN_EINVALID,
			"model '%s': its network lists keypoints, which are not the same ones in bf16 and cannot be "
			"compared",
			model->name);
	if (!cn_cpu_has_bf16())
		return cn_fail(CAIRN_EUNSUPPORTED,
			       "this processor does not compute in bf16: there is only f32 to run model '%s' in",
			       model->name);
	return 0;
}

static int load(struct work *work, const char *name, unsigned threads)
{
	CN_TRY(cn_bundle_read_named(&work->wide, name, 0));
	CN_TRY(check(work->wide));
	CN_TRY(cn_bundle_read_named(&work->narrow, name, 0));
	CN_TRY(cn_bundle_load(work->wide, threads, 0));
	return cn_bundle_load(work->narrow, threads, 1);
}

int cairn_model_measure(const char *name, const char *const *paths, size_t count, uint32_t threads,
			cairn_progress_cb progress, void *payload, cairn_model_cost *out)
{
	struct work work = { .paths = paths };
	unsigned workers = threads ? threads : cn_cores();
	*out = (cairn_model_cost){ NAN, NAN, 0 };
	int status = load(&work, name, workers);
	if (status == 0) {
		work.cosines = cn_alloc(count + 1, sizeof(*work.cosines));
		status = work.cosines ? run(&work, count, workers, progress, payload) : CAIRN_ENOMEM;
	}
	if (status == 0)
		status = conclude(&work, count, out);
	cn_free(work.cosines);
	cairn_model_free(work.wide);
	cairn_model_free(work.narrow);
	return status;
}
