/*
 * Two photographs side by side with their matched points joined. All points are marked; lines join only so many of
 * them, spread as far apart as can be, that each line can be followed by eye.
 */
#include <math.h>
#include <stdlib.h>

#include "cairn/search.h"
#include "util/memory.h"

#define MOST_LINES  40
#define MOST_HEIGHT 8192
/* A photograph wider than this many times its height is squeezed. */
#define MOST_ASPECT 16

static const cairn_colour LINE_COLOURS[] = {
	{ 255, 105, 90 }, { 70, 160, 255 },  { 255, 205, 70 }, { 175, 120, 255 },
	{ 95, 215, 120 }, { 255, 120, 195 }, { 70, 215, 215 }, { 255, 160, 65 },
};
#define LINE_COLOUR_COUNT (sizeof(LINE_COLOURS) / sizeof(LINE_COLOURS[0]))

static const cairn_colour GAP_COLOUR = { 28, 31, 36 };
static const cairn_colour OUTLINE_COLOUR = { 20, 22, 26 };
static const cairn_colour POINT_COLOUR = { 245, 245, 240 };

/* A pair in pixels of the drawing. */
struct joined {
	double ax, ay, bx, by;
	double distance; /* squared, to the nearest pair chosen so far */
	int chosen;
};

/* Where one photograph lies in the drawing. */
struct pane {
	double left, scale_x, scale_y;
	uint32_t width;
};

static struct pane pane_for(const cairn_image *image, uint32_t height)
{
	double full_width = cairn_image_full_width(image), full_height = cairn_image_full_height(image);
	double width = fmin(round(full_width * height / full_height), (double)height * MOST_ASPECT);
	struct pane pane = { .width = width < 1 ? 1 : (uint32_t)width };

	pane.scale_x = pane.width / full_width;
	pane.scale_y = height / full_height;
	return pane;
}

/* Pixel centres are at whole coordinates in both. */
static void project(const struct pane *pane, float x, float y, double *out_x, double *out_y)
{
	*out_x = pane->left + (x + 0.5) * pane->scale_x - 0.5;
	*out_y = (y + 0.5) * pane->scale_y - 0.5;
}

static int by_height(const void *left, const void *right)
{
	const struct joined *a = left, *b = right;

	if (a->ay != b->ay)
		return a->ay < b->ay ? -1 : 1;
	return (a->ax > b->ax) - (a->ax < b->ax);
}

static size_t project_all(struct joined *joined, const cairn_point_pair *pairs, size_t count,
			  const struct pane panes[2])
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		struct joined *to = &joined[kept];

		project(&panes[0], pairs[i].ax, pairs[i].ay, &to->ax, &to->ay);
		project(&panes[1], pairs[i].bx, pairs[i].by, &to->bx, &to->by);
		to->distance = INFINITY;
		to->chosen = 0;
		kept += isfinite(to->ax) && isfinite(to->ay) && isfinite(to->bx) && isfinite(to->by);
	}
	if (kept > 1)
		qsort(joined, kept, sizeof(*joined), by_height);
	return kept;
}

/* Farthest-point sampling (Gonzalez, 1985): each time the pair farthest from all chosen ones, in both photographs. */
static void choose_lines(struct joined *joined, size_t count)
{
	size_t latest = 0;

	for (size_t chosen = 0; chosen < MOST_LINES && chosen < count; chosen++) {
		size_t farthest = 0;

		joined[latest].chosen = 1;
		for (size_t i = 0; i < count; i++) {
			double a = hypot(joined[i].ax - joined[latest].ax, joined[i].ay - joined[latest].ay);
			double b = hypot(joined[i].bx - joined[latest].bx, joined[i].by - joined[latest].by);

			joined[i].distance = joined[i].chosen ? -1 : fmin(joined[i].distance, a * a + b * b);
			if (joined[i].distance > joined[farthest].distance)
				farthest = i;
		}
		latest = farthest;
	}
}

static void draw_dot(cairn_image *image, double x, double y, double radius, cairn_colour colour)
{
	cairn_image_draw_circle(image, x, y, radius / 2, radius, colour);
	cairn_image_draw_circle(image, x, y, radius + 0.5, 1, OUTLINE_COLOUR);
}

static void draw_joined(cairn_image *image, const struct joined *joined, size_t count, uint32_t height)
{
	double thickness = fmax(1, height / 180.0), radius = fmax(1.5, height / 110.0);
	size_t line = 0;

	for (size_t i = 0; i < count; i++) {
		if (joined[i].chosen)
			continue;
		draw_dot(image, joined[i].ax, joined[i].ay, radius / 3, POINT_COLOUR);
		draw_dot(image, joined[i].bx, joined[i].by, radius / 3, POINT_COLOUR);
	}
	for (size_t i = 0; i < count; i++)
		if (joined[i].chosen)
			cairn_image_draw_line(image, joined[i].ax, joined[i].ay, joined[i].bx, joined[i].by, thickness,
					      LINE_COLOURS[line++ % LINE_COLOUR_COUNT]);
	line = 0;
	for (size_t i = 0; i < count; i++) {
		if (!joined[i].chosen)
			continue;

		cairn_colour colour = LINE_COLOURS[line++ % LINE_COLOUR_COUNT];

		draw_dot(image, joined[i].ax, joined[i].ay, radius, colour);
		draw_dot(image, joined[i].bx, joined[i].by, radius, colour);
	}
}

static int paste_resized(cairn_image *canvas, const cairn_image *image, const struct pane *pane)
{
	cairn_image *resized;

	CN_TRY(cairn_image_resize(&resized, image, pane->width, cairn_image_height(canvas)));
	cairn_image_paste(canvas, resized, (int64_t)pane->left, 0);
	cairn_image_free(resized);
	return 0;
}

static int make_canvas(cairn_image **out, const cairn_image *a, const cairn_image *b, struct pane panes[2],
		       uint32_t height)
{
	uint32_t gap = height / 60 + 2;

	panes[0] = pane_for(a, height);
	panes[1] = pane_for(b, height);
	panes[1].left = panes[0].width + gap;
	CN_TRY(cairn_image_new(out, panes[0].width + gap + panes[1].width, height, NULL));
	cairn_image_draw_line(*out, panes[0].width + (gap - 1) / 2.0, -(double)gap, panes[0].width + (gap - 1) / 2.0,
			      (double)height + gap, gap + 2, GAP_COLOUR);
	CN_TRY(paste_resized(*out, a, &panes[0]));
	return paste_resized(*out, b, &panes[1]);
}

int cairn_draw_matches(cairn_image **out, const cairn_image *a, const cairn_image *b, const cairn_point_pair *pairs,
		       size_t count, uint32_t height)
{
	struct pane panes[2];
	struct joined *joined = NULL;
	cairn_image *canvas = NULL;
	int status = 0;

	*out = NULL;
	if (height < 1 || height > MOST_HEIGHT)
		return cn_fail(CAIRN_EINVALID, "matches drawn %u pixels high: it must be 1 to %d", height, MOST_HEIGHT);
	CN_NEW(joined, count, sizeof(*joined));
	CN_GOTO(status, make_canvas(&canvas, a, b, panes, height));
	count = project_all(joined, pairs, count, panes);
	choose_lines(joined, count);
	draw_joined(canvas, joined, count, height);
	*out = canvas;
	canvas = NULL;
done:
	cairn_image_free(canvas);
	cn_free(joined);
	return status;
}
