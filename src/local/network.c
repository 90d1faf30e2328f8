/*
 * Local models: one run for most methods, several for attentive features.
 */
#include "local/network.h"

#include "local/attentive.h"
#include "local/dense.h"
#include "local/detections.h"
#include "local/xfeat.h"
#include "math/dot.h"
#include "util/memory.h"

static int run_once(cairn_model *model, const cairn_image *image, uint32_t width, uint32_t height, uint32_t max_points,
		    cn_points *points)
{
	static int (*const decode[])(const cairn_model *, cn_request *, uint32_t, uint32_t, uint32_t, cn_points *) = {
		[CN_LOCAL_XFEAT] = cn_xfeat_points,
		[CN_LOCAL_DENSE] = cn_dense_points,
		[CN_LOCAL_KEYPOINTS] = cn_detections_points,
	};
	cairn_image *working;
	cn_request *request;
	CN_TRY(cairn_image_resize(&working, image, width, height));
	int status = cn_model_run(model, cairn_image_pixels(working), width, height, &request);
	cairn_image_free(working);
	CN_TRY(status);
	status = decode[model->local.method](model, request, width, height, max_points, points);
	cn_network_release(model->network, request);
	return status;
}

int cn_local_points(cairn_model *model, const cairn_image *image, int is_box, uint32_t max_points, uint32_t *width,
		    uint32_t *height, cn_points *points)
{
	cn_input_size(&model->input, cairn_image_width(image), cairn_image_height(image), is_box, 1, width, height);
	if (model->local.method == CN_LOCAL_ATTENTIVE)
		return cn_attentive_points(model, image, is_box, *width, *height, max_points, points);
	return run_once(model, image, *width, *height, max_points, points);
}

int cn_points_project(const cn_local_spec *spec, cn_points *points)
{
	cn_points projected;
	if (!spec->mean)
		return 0;
	CN_TRY(cn_points_new(&projected, points->count, spec->kept));
	for (size_t i = 0; i < points->count; i++) {
		float *from = points->descriptors + i * points->dim, *to = projected.descriptors + i * spec->kept;
		for (uint32_t k = 0; k < spec->dim; k++)
			from[k] -= spec->mean[k];
		cn_dot_rows(from, spec->projection, spec->kept, spec->dim, to);
		cn_normalise(to, spec->kept);
		projected.keypoints[i] = points->keypoints[i];
	}
	cn_points_free(points);
	*points = projected;
	return 0;
}
