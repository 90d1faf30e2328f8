/*
 * Describing many images. Each has the place of its number first, and rows are moved together at the end, so that they
 * do not depend on threads.
 */
#include "global/gather.h"

#include <string.h>

#include "global/describe.h"
#include "image/image.h"
#include "math/dot.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/parallel.h"
#include "util/progress.h"

struct work {
	cairn_model *model;
	const char *const *paths;
	cn_gathered *out;
	cn_progress progress;
};

static int describe_one(struct work *work, size_t i)
{
	cairn_image_options how = CAIRN_IMAGE_OPTIONS_INIT;
	how.shrink_to = cn_model_longest(work->model);
	how.shrink_shortest = cn_model_shortest(work->model);
	cairn_image *image;
	int status = cairn_image_open(&image, work->paths[i], &how);
	if (status == CAIRN_ENOMEM)
		return status;
	if (status < 0) {
		cn_log(CAIRN_LOG_WARNING, "passed over: %s", cairn_last_error());
		return 0;
	}
	status = cn_describe_pooled(work->model, image, NULL, work->out->rows + i * work->out->dim);
	cairn_image_free(image);
	if (status == 0)
		work->out->row_of[i] = (uint32_t)i;
	return status;
}

static int describe_range(void *context, size_t begin, size_t end, unsigned worker)
{
	struct work *work = context;
	(void)worker;
	for (size_t i = begin; i < end; i++) {
		CN_TRY(describe_one(work, i));
		CN_TRY(cn_progress_add(&work->progress, 1, work->out->row_of[i] == CN_NO_ROW));
	}
	return 0;
}

/* Moves the rows of images that could be read together. */
static void close_gaps(cn_gathered *out, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (out->row_of[i] == CN_NO_ROW)
			continue;
		out->row_of[i] = (uint32_t)out->count;
		memmove(out->rows + out->count++ * out->dim, out->rows + i * out->dim, out->dim * sizeof(float));
	}
}

static int run(struct work *work, size_t count, unsigned threads, cairn_progress_cb progress, void *payload)
{
	cn_workers *pool;
	CN_TRY(cn_workers_new(&pool, threads));
	cn_progress_start(&work->progress, progress, payload, "describing images", count);
	int status = cn_parallel_for(pool, count, 1, describe_range, work);
	cn_progress_end(&work->progress);
	cn_workers_free(pool);
	return status;
}

int cn_gather(cn_gathered *out, cairn_model *model, const char *const *paths, size_t count, int unit, unsigned threads,
	      cairn_progress_cb progress, void *payload)
{
	struct work work = { .model = model, .paths = paths, .out = out };
	size_t cells;
	*out = (cn_gathered){ .dim = model->global.dim };
	CN_TRY(cn_size_mul(count, out->dim, &cells));
	out->rows = cn_alloc_aligned(cells, sizeof(*out->rows));
	out->row_of = cn_alloc(count, sizeof(*out->row_of));
	int status = out->rows && out->row_of ? 0 : CAIRN_ENOMEM;
	if (status == 0) {
		memset(out->row_of, 0xff, count * sizeof(*out->row_of));
		status = run(&work, count, threads, progress, payload);
	}
	if (status < 0) {
		cn_gathered_free(out);
		return status;
	}
	close_gaps(out, count);
	for (size_t i = 0; unit && i < out->count; i++)
		cn_normalise(out->rows + i * out->dim, out->dim);
	return 0;
}

void cn_gathered_free(cn_gathered *gathered)
{
	cn_free(gathered->rows);
	cn_free(gathered->row_of);
	*gathered = (cn_gathered){ 0 };
}
