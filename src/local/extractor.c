/*
 * Extractors: which kind, at which size, and the way back from the working image to full-size coordinates.
 *
 * A pixel's centre at i in an image of n pixels lies at (i + 0.5) / n of its width; that fraction is what is carried
 * from the working image through the part that was cut out to the full-size image.
 */
#include "cairn/features.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "data/features.h"
#include "local/network.h"
#include "local/rootsift.h"
#include "model/bundle.h"
#include "util/memory.h"
#include "util/parallel.h"

#define ROOTSIFT_POINTS 2000

struct cairn_extractor {
	char kind[64];
	cairn_model *model; /* NULL for rootsift */
	cn_rootsift *sift;  /* NULL for networks */
	uint32_t max_points, longest, shortest;
};

/* Where the working image lies in the full-size image. */
struct frame {
	double x0, y0;         /* of its left and top edges */
	double step_x, step_y; /* full-size pixels for one of its pixels */
};

static int open_model(cairn_extractor *extractor, const char *name, const cairn_extractor_options *options)
{
	cairn_model_options how = CAIRN_MODEL_OPTIONS_INIT;
	how.threads = options->threads;
	how.precision = options->precision;
	CN_TRY(cairn_model_open(&extractor->model, name, &how));
	if (!extractor->model->is_local)
		return cn_fail(CAIRN_EINVALID, "model '%s' gives %s, not local features", name,
			       cn_model_gives(extractor->model));
	if (strlen(extractor->model->name) >= sizeof(extractor->kind))
		return cn_fail(CAIRN_EINVALID, "model '%s': the name of a local model has at most 63 bytes", name);
	if (extractor->model->local.kept > CN_FEATURES_DIM_MAX)
		return cn_fail(
			CAIRN_EINVALID,
			"model '%s' gives descriptors of %u dimensions, but at most %d can be kept; learn fewer with "
			"'cairn model pca'",
			name, extractor->model->local.kept, CN_FEATURES_DIM_MAX);
	snprintf(extractor->kind, sizeof(extractor->kind), "%s", extractor->model->name);
	if (options->longest)
		extractor->model->input.longest = options->longest;
	extractor->longest = cn_model_longest(extractor->model);
	extractor->shortest = cn_model_shortest(extractor->model);
	extractor->max_points = options->max_points ? options->max_points : extractor->model->local.max_points;
	return 0;
}

static int open_sift(cairn_extractor *extractor, const cairn_extractor_options *options)
{
	snprintf(extractor->kind, sizeof(extractor->kind), "rootsift");
	extractor->longest = options->longest ? options->longest : CN_ROOTSIFT_LONGEST;
	extractor->max_points = options->max_points ? options->max_points : ROOTSIFT_POINTS;
	return cn_rootsift_new(&extractor->sift, options->threads ? options->threads : cn_cores());
}

int cn_check_extractor_options(const cairn_extractor_options *options)
{
	if (options->version != CAIRN_EXTRACTOR_OPTIONS_VERSION)
		return cn_fail(CAIRN_EINVALID, "extractor options have version %u; this library knows %d",
			       options->version, CAIRN_EXTRACTOR_OPTIONS_VERSION);
	if (options->longest > 16384 || options->max_points > 1000000)
		return cn_fail(CAIRN_EINVALID, "longest side %u and %u points: at most 16384 and 1000000 are possible",
			       options->longest, options->max_points);
	return 0;
}

int cairn_extractor_new(cairn_extractor **out, const char *name, const cairn_extractor_options *options)
{
	static const cairn_extractor_options defaults = CAIRN_EXTRACTOR_OPTIONS_INIT;
	*out = NULL;
	if (!options)
		options = &defaults;
	CN_TRY(cn_check_extractor_options(options));
	cairn_extractor *extractor;
	CN_NEW(extractor, 1, sizeof(*extractor));
	int status =
		strcmp(name, "rootsift") == 0 ? open_sift(extractor, options) : open_model(extractor, name, options);
	if (status < 0) {
		cairn_extractor_free(extractor);
		return status;
	}
	*out = extractor;
	return 0;
}

void cairn_extractor_free(cairn_extractor *extractor)
{
	if (!extractor)
		return;
	cairn_model_free(extractor->model);
	cn_rootsift_free(extractor->sift);
	cn_free(extractor);
}

const char *cairn_extractor_kind(const cairn_extractor *extractor)
{
	return extractor->kind;
}

uint32_t cairn_extractor_longest(const cairn_extractor *extractor)
{
	return extractor->longest;
}

uint32_t cairn_extractor_shortest(const cairn_extractor *extractor)
{
	return extractor->shortest;
}

/* Reduces to the longest side, never enlarges. */
static void sift_size(uint32_t longest, uint32_t width, uint32_t height, uint32_t *out_width, uint32_t *out_height)
{
	uint32_t side = width > height ? width : height;
	double scale = side > longest ? (double)longest / side : 1.0;
	*out_width = (uint32_t)fmax(1.0, round(width * scale));
	*out_height = (uint32_t)fmax(1.0, round(height * scale));
}

static int run_sift(cairn_extractor *extractor, const cairn_image *image, uint32_t *width, uint32_t *height,
		    cn_points *points)
{
	cairn_image *working;
	sift_size(extractor->longest, cairn_image_width(image), cairn_image_height(image), width, height);
	CN_TRY(cairn_image_resize(&working, image, *width, *height));
	float *grey = cn_alloc_aligned((size_t)*width * *height, sizeof(*grey));
	int status = grey ? 0 : CAIRN_ENOMEM;
	if (grey)
		cairn_image_grey(working, grey);
	cairn_image_free(working);
	if (status == 0)
		status = cn_rootsift_run(extractor->sift, grey, *width, *height, extractor->max_points, points);
	cn_free(grey);
	return status;
}

/* @param[out] width,height of the image that the points are in */
static int find_points(cairn_extractor *extractor, const cairn_image *image, int is_box, uint32_t *width,
		       uint32_t *height, cn_points *points)
{
	cairn_model *model = extractor->model;
	if (!model)
		return run_sift(extractor, image, width, height, points);
	CN_TRY(cn_local_points(model, image, is_box, extractor->max_points, width, height, points));
	return cn_points_project(&model->local, points);
}

static void to_full_size(cn_points *points, const struct frame *frame)
{
	for (size_t i = 0; i < points->count; i++) {
		cairn_keypoint *point = &points->keypoints[i];
		point->x = (float)(frame->x0 + ((double)point->x + 0.5) * frame->step_x - 0.5);
		point->y = (float)(frame->y0 + ((double)point->y + 0.5) * frame->step_y - 0.5);
		point->scale = (float)((double)point->scale * sqrt(frame->step_x * frame->step_y));
	}
}

/* Cuts out the box, if any, and says where the result begins in the full-size image. */
static int cut_out(const cairn_image *image, const cairn_box *box, cairn_image **part, struct frame *frame)
{
	*part = NULL;
	if (!box)
		return 0;
	CN_TRY(cairn_image_crop(part, image, *box));
	double scale_x = (double)cairn_image_width(image) / cairn_image_full_width(image);
	double scale_y = (double)cairn_image_height(image) / cairn_image_full_height(image);
	frame->x0 = floor(fmax(box->x0, 0.0) * scale_x) / scale_x;
	frame->y0 = floor(fmax(box->y0, 0.0) * scale_y) / scale_y;
	return 0;
}

int cairn_extractor_run(cairn_extractor *extractor, const cairn_image *image, const cairn_box *box,
			cairn_features **out)
{
	cairn_image *part = NULL;
	cn_points points = { 0 };
	struct frame frame = { 0 };
	int status = 0;
	uint32_t full_width = cairn_image_full_width(image), full_height = cairn_image_full_height(image);
	CN_GOTO(status, cut_out(image, box, &part, &frame));
	if (part)
		image = part;
	uint32_t width, height;
	CN_GOTO(status, find_points(extractor, image, part != NULL, &width, &height, &points));
	frame.step_x = (double)cairn_image_full_width(image) / width;
	frame.step_y = (double)cairn_image_full_height(image) / height;
	to_full_size(&points, &frame);
	status = cairn_features_new(out, extractor->kind, full_width, full_height, points.count, points.dim,
				    points.keypoints, points.descriptors);
done:
	cn_points_free(&points);
	cairn_image_free(part);
	return status;
}
