/*
 * Views. A sum of unit vectors is divided by their number, which normalisation takes away again, so that whitening
 * meets numbers of one size however many views there are.
 */
#include "global/views.h"

#include <math.h>

#include "math/dot.h"
#include "util/random.h"

#define FLOOR 1e-6 /* of magnitudes in generalised means */

static size_t crop_count(const cn_views *views)
{
	return views->crops == CN_CROPS_FIVE ? 5 : views->crops == CN_CROPS_RANDOM ? views->crop_count : 1;
}

static size_t views_a_crop(const cn_views *views)
{
	return views->scale_count * (views->flip ? 2 : 1);
}

size_t cn_views_count(const cn_views *views)
{
	return crop_count(views) * views_a_crop(views);
}

/* The corners and the middle. */
static void place_five(cn_view *view, size_t crop, double side)
{
	static const double places[5][2] = { { 0, 0 }, { 1, 0 }, { 0, 1 }, { 1, 1 }, { 0.5, 0.5 } };
	view->side = side;
	view->x = places[crop][0] * (1 - side);
	view->y = places[crop][1] * (1 - side);
}

static double uniform(uint64_t *random)
{
	return (double)(cn_random(random) >> 11) * 0x1p-53;
}

/* The same for every image, so that the descriptor depends on the pixels alone. */
static void place_random(cn_view *view, const cn_views *views, size_t crop)
{
	uint64_t random = views->seed;
	for (size_t i = 0; i <= crop; i++) {
		view->side = (double)views->crop + (1 - (double)views->crop) * uniform(&random);
		view->x = uniform(&random) * (1 - view->side);
		view->y = uniform(&random) * (1 - view->side);
	}
}

cn_view cn_views_get(const cn_views *views, size_t i)
{
	size_t crop = i / views_a_crop(views), within = i % views_a_crop(views);
	cn_view view = { 0, 0, 1, views->scales[views->flip ? within / 2 : within], views->flip && within % 2 };
	if (views->crops == CN_CROPS_FIVE)
		place_five(&view, crop, (double)views->crop);
	else if (views->crops == CN_CROPS_RANDOM)
		place_random(&view, views, crop);
	return view;
}

static double signed_power(double x, double p)
{
	return copysign(pow(fmax(fabs(x), FLOOR), p), x);
}

void cn_views_gather(const cn_views *views, size_t i, float *vector, size_t dim, double *gathered)
{
	if (views->combine != CN_COMBINE_MEAN)
		cn_normalise(vector, dim);
	for (size_t k = 0; k < dim; k++) {
		double x = (double)vector[k];
		if (views->combine == CN_COMBINE_MAX)
			gathered[k] = i == 0 || x > gathered[k] ? x : gathered[k];
		else
			gathered[k] += views->combine == CN_COMBINE_GEM ? signed_power(x, (double)views->p) : x;
	}
}

void cn_views_finish(const cn_views *views, const double *gathered, size_t dim, float *out)
{
	double count = (double)cn_views_count(views);
	for (size_t k = 0; k < dim; k++) {
		double x = views->combine == CN_COMBINE_MAX ? gathered[k] : gathered[k] / count;
		if (views->combine == CN_COMBINE_GEM)
			x = copysign(pow(fabs(x), 1 / (double)views->p), x);
		out[k] = (float)x;
	}
}
