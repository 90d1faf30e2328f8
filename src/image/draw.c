/*
 * Drawing. A shape is the set of points within half the thickness of a curve; a pixel is covered by how deep its centre
 * lies in that set, which smooths the edges over one pixel. Pixel centres are at whole coordinates, as keypoints have
 * it.
 */
#include <math.h>

#include "image/image.h"

/* Beyond this, doubles no longer tell pixels apart. */
#define FARTHEST 1e15

static int is_drawable(double a, double b, double c, double d, double thickness)
{
	return fabs(a) <= FARTHEST && fabs(b) <= FARTHEST && fabs(c) <= FARTHEST && fabs(d) <= FARTHEST &&
	       thickness >= 0 && thickness <= FARTHEST;
}

static void cover(cairn_image *image, int64_t x, int64_t y, double coverage, cairn_colour colour)
{
	uint8_t *pixel = image->pixels + ((size_t)y * image->width + (size_t)x) * 3;
	const uint8_t to[3] = { colour.r, colour.g, colour.b };

	if (coverage <= 0)
		return;
	if (coverage > 1)
		coverage = 1;
	for (int i = 0; i < 3; i++)
		pixel[i] = (uint8_t)(pixel[i] + coverage * (to[i] - pixel[i]) + 0.5);
}

/* Whole numbers within [from, to] and [0, size), as [*begin, *end). */
static void clip_range(double from, double to, uint32_t size, int64_t *begin, int64_t *end)
{
	*begin = from > 0 ? (int64_t)fmin(ceil(from), size) : 0;
	*end = to < size ? (int64_t)fmax(floor(to) + 1, 0) : (int64_t)size;
}

/* Shortens one end of a segment to lie within [-margin, size + margin] on one axis. @return 0 if nothing is left */
static int clip_segment(double from, double delta, double low, double high, double *t0, double *t1)
{
	if (delta == 0)
		return from >= low && from <= high;

	double a = (low - from) / delta, b = (high - from) / delta;

	*t0 = fmax(*t0, fmin(a, b));
	*t1 = fmin(*t1, fmax(a, b));
	return *t0 <= *t1;
}

static void draw_segment(cairn_image *image, double x0, double y0, double x1, double y1, double reach,
			 cairn_colour colour)
{
	double dx = x1 - x0, dy = y1 - y0, length = hypot(dx, dy);
	double ux = length > 0 ? dx / length : 1, uy = length > 0 ? dy / length : 0;
	int64_t top, bottom, left, right;

	clip_range(fmin(y0, y1) - reach, fmax(y0, y1) + reach, image->height, &top, &bottom);
	for (int64_t y = top; y < bottom; y++) {
		double from = fmin(x0, x1) - reach, to = fmax(x0, x1) + reach, ey = (double)y - y0;

		/* Only where the row is near the line: |uy * ex - ux * ey| <= reach. */
		if (fabs(uy) > 1e-6) {
			double a = x0 + (ux * ey - reach) / uy, b = x0 + (ux * ey + reach) / uy;

			from = fmax(from, fmin(a, b));
			to = fmin(to, fmax(a, b));
		}
		clip_range(from, to, image->width, &left, &right);
		for (int64_t x = left; x < right; x++) {
			double ex = (double)x - x0, along = fmin(fmax(ex * ux + ey * uy, 0), length);

			cover(image, x, y, reach - hypot(ex - along * ux, ey - along * uy), colour);
		}
	}
}

void cairn_image_draw_line(cairn_image *image, double x0, double y0, double x1, double y1, double thickness,
			   cairn_colour colour)
{
	double reach = fmax(thickness, 1) / 2 + 0.5, t0 = 0, t1 = 1, dx = x1 - x0, dy = y1 - y0;

	if (!is_drawable(x0, y0, x1, y1, thickness))
		return;
	/* The ends are cut far enough outside that their round caps stay unseen. */
	if (!clip_segment(x0, dx, -2 * reach, image->width + 2 * reach, &t0, &t1) ||
	    !clip_segment(y0, dy, -2 * reach, image->height + 2 * reach, &t0, &t1))
		return;
	draw_segment(image, x0 + t0 * dx, y0 + t0 * dy, x0 + t1 * dx, y0 + t1 * dy, reach, colour);
}

void cairn_image_draw_circle(cairn_image *image, double x, double y, double radius, double thickness,
			     cairn_colour colour)
{
	double half = fmax(thickness, 1) / 2 + 0.5, outer = radius + half;
	int64_t top, bottom, left, right;

	if (!is_drawable(x, y, radius, 0, thickness) || radius < 0)
		return;
	clip_range(y - outer, y + outer, image->height, &top, &bottom);
	for (int64_t row = top; row < bottom; row++) {
		double ey = (double)row - y, reach = sqrt(fmax(outer * outer - ey * ey, 0));

		clip_range(x - reach, x + reach, image->width, &left, &right);
		for (int64_t column = left; column < right; column++)
			cover(image, column, row, half - fabs(hypot((double)column - x, ey) - radius), colour);
	}
}

void cairn_image_draw_box(cairn_image *image, cairn_box box, double thickness, cairn_colour colour)
{
	double inset = fmax(thickness, 1) / 2 - 0.5;
	double x0 = box.x0 + inset, y0 = box.y0 + inset, x1 = box.x1 - 1 - inset, y1 = box.y1 - 1 - inset;

	if (!(x0 <= x1) || !(y0 <= y1))
		return;
	cairn_image_draw_line(image, x0, y0, x1, y0, thickness, colour);
	cairn_image_draw_line(image, x1, y0, x1, y1, thickness, colour);
	cairn_image_draw_line(image, x1, y1, x0, y1, thickness, colour);
	cairn_image_draw_line(image, x0, y1, x0, y0, thickness, colour);
}
