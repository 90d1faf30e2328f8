/*
 * The scale space of SIFT, one octave after the other, each in one pass over its rows.
 *
 * Every level is a blur of the one before it, so a row of level i + 1 can be made as soon as the rows around it in
 * level i are there. All levels advance together: a row that comes in at the top runs through blurs, differences and
 * the search for extrema while its neighbourhood is still in the cache. Only the three levels that keypoints are
 * described from are kept whole; the rest live in rings of a few rows.
 */
#include "local/sift.h"

#include <math.h>
#include <string.h>

#include "util/memory.h"

#define INPUT_BLUR                                                                                                     \
	0.3             /* what an image is taken to have; photographs are reduced by averaging before they come here  \
			 */
#define REACH       3.0 /* sigmas at which a kernel is cut off */
#define MAX_RADIUS  16
#define SMALLEST    12        /* shorter side of the last octave */
#define MOST_DOUBLE (1 << 22) /* pixels of an image that is still doubled */

struct blur {
	size_t radius;
	float kernel[MAX_RADIUS + 1];
};

/* One octave while it is made. */
struct pass {
	cn_sift_scratch *scratch;
	const cn_sift_kernels *kernels;
	cn_sift_octave *octave;
	struct blur blurs[CN_SIFT_LEVELS]; /* [0] is used by the first octave alone */
	size_t done[CN_SIFT_LEVELS];       /* rows made so far */
	float *line;                       /* a row with room for a radius on both sides */
};

static void set_blur(struct blur *blur, double sigma)
{
	double sum = 1;
	blur->radius = (size_t)ceil(REACH * sigma);
	double kernel[MAX_RADIUS + 1] = { 1 };
	for (size_t i = 1; i <= blur->radius; i++) {
		kernel[i] = exp(-(double)(i * i) / (2 * sigma * sigma));
		sum += 2 * kernel[i];
	}
	for (size_t i = 0; i <= blur->radius; i++)
		blur->kernel[i] = (float)(kernel[i] / sum);
}

static void set_blurs(struct blur blurs[CN_SIFT_LEVELS], double pixel)
{
	double blurred = INPUT_BLUR / pixel;
	set_blur(&blurs[0], sqrt(CN_SIFT_SIGMA * CN_SIFT_SIGMA - blurred * blurred));
	for (size_t i = 1; i < CN_SIFT_LEVELS; i++) {
		double before = CN_SIFT_SIGMA * pow(2, (double)(i - 1) / CN_SIFT_SCALES);
		set_blur(&blurs[i], before * sqrt(pow(2, 2.0 / CN_SIFT_SCALES) - 1));
	}
}

/* Mirrors i at the first and the last of n samples, which are not repeated. */
static size_t mirror(ptrdiff_t i, size_t n)
{
	if (n == 1)
		return 0;
	ptrdiff_t period = 2 * ((ptrdiff_t)n - 1);
	i %= period;
	if (i < 0)
		i += period;
	return (size_t)(i < (ptrdiff_t)n ? i : period - i);
}

/* A row of blurred samples from the rows around it: down the columns, then along the line. */
static void blur_row(const struct pass *pass, float *out, const struct blur *blur, const cn_sift_level *from, size_t y)
{
	const cn_sift_octave *octave = pass->octave;
	const float *rows[2 * MAX_RADIUS + 1];
	size_t radius = blur->radius, width = octave->width;
	for (size_t i = 0; i <= 2 * radius; i++) {
		size_t row = mirror((ptrdiff_t)(y + i) - (ptrdiff_t)radius, octave->height);
		rows[i] = from->data + (row & from->mask) * octave->stride;
	}
	float *line = pass->line + MAX_RADIUS;
	pass->kernels->blur_columns(line, rows, blur->kernel, radius, octave->stride / CN_SIFT_LANES);
	for (size_t i = 1; i <= radius; i++) {
		line[-(ptrdiff_t)i] = line[mirror(-(ptrdiff_t)i, width)];
		line[width - 1 + i] = line[mirror((ptrdiff_t)(width - 1 + i), width)];
	}
	pass->kernels->blur_line(out, line, blur->kernel, radius, octave->stride / CN_SIFT_LANES);
}

static float *dog_row(const struct pass *pass, size_t i, size_t y)
{
	const cn_sift_dog *dog = &pass->scratch->dogs[i];
	return dog->data + (y & dog->mask) * pass->octave->stride;
}

/*
 * Every level takes one step if the rows it needs are there. More than one would overtake the levels above it, and the
 * rings hold no more rows than those are behind.
 */
static int advance(struct pass *pass)
{
	cn_sift_octave *octave = pass->octave;
	size_t height = octave->height, blocks = octave->stride / CN_SIFT_LANES;
	size_t before = pass->done[CN_SIFT_LEVELS - 1];
	for (size_t i = 1; i < CN_SIFT_LEVELS; i++) {
		const struct blur *blur = &pass->blurs[i];
		size_t y = pass->done[i];
		if (y == height || (pass->done[i - 1] <= y + blur->radius && pass->done[i - 1] < height))
			continue;
		float *row = cn_sift_row(octave, i, y);
		blur_row(pass, row, blur, &octave->levels[i - 1], y);
		pass->kernels->subtract(dog_row(pass, i - 1, y), row, cn_sift_row(octave, i - 1, y), blocks);
		pass->done[i]++;
	}
	/* The row that the newest one completes; none where the last level has not moved. */
	size_t done = pass->done[CN_SIFT_LEVELS - 1], y = done - CN_SIFT_WALK - 2;
	if (done == before || done < CN_SIFT_BORDER + CN_SIFT_WALK + 2 || y + CN_SIFT_BORDER >= height)
		return 0;
	return cn_sift_find(pass->scratch, (size_t)(octave - pass->scratch->octaves), y);
}

/* What is still to do when level 0 is complete. */
static int finish(struct pass *pass)
{
	while (pass->done[CN_SIFT_LEVELS - 1] < pass->octave->height)
		CN_TRY(advance(pass));
	return 0;
}

/* A row of the image, or of the doubled image whose odd samples lie halfway between those of the image. */
static void double_row(float *out, const float *above, const float *below, size_t width)
{
	for (size_t x = 0; x + 1 < width; x++) {
		float here = 0.5f * (above[x] + below[x]), next = 0.5f * (above[x + 1] + below[x + 1]);
		out[2 * x] = here;
		out[2 * x + 1] = 0.5f * (here + next);
	}
	out[2 * width - 2] = 0.5f * (above[width - 1] + below[width - 1]);
}

static int first_octave(struct pass *pass, const cn_sift_level *input, const float *grey, size_t width)
{
	cn_sift_octave *octave = pass->octave;
	size_t made = 0;
	int doubled = octave->pixel < 1;
	for (size_t y = 0; y < octave->height; y++) {
		for (; made < octave->height && made <= y + pass->blurs[0].radius; made++) {
			float *row = input->data + (made & input->mask) * octave->stride;
			if (doubled)
				double_row(row, grey + made / 2 * width, grey + (made + 1) / 2 * width, width);
			else
				memcpy(row, grey + made * width, width * sizeof(*row));
		}
		blur_row(pass, cn_sift_row(octave, 0, y), &pass->blurs[0], input, y);
		pass->done[0] = y + 1;
		CN_TRY(advance(pass));
	}
	return finish(pass);
}

/* Level 0 is every second sample of the level of the previous octave that has twice its blur. */
static int next_octave(struct pass *pass, const cn_sift_octave *before)
{
	cn_sift_octave *octave = pass->octave;
	for (size_t y = 0; y < octave->height; y++) {
		const float *from = cn_sift_row(before, CN_SIFT_SCALES, 2 * y);
		float *row = cn_sift_row(octave, 0, y);
		for (size_t x = 0; x < octave->width; x++)
			row[x] = from[2 * x];
		pass->done[0] = y + 1;
		CN_TRY(advance(pass));
	}
	return finish(pass);
}

/* Rows of a ring that holds at least `least`, or all of them. */
static size_t ring_mask(size_t least, size_t height)
{
	size_t rows = 1;
	while (rows < least && rows < height)
		rows *= 2;
	return rows - 1;
}

/* Cuts floats from memory, or only counts where there is none. */
static float *cut(float *memory, size_t *used, size_t count)
{
	float *at = memory ? memory + *used : NULL;
	*used += (count + CN_SIFT_LANES - 1) / CN_SIFT_LANES * CN_SIFT_LANES;
	return at;
}

/* Gives every level its place. */
static size_t lay_out(struct pass *pass, cn_sift_level *input, float *memory)
{
	cn_sift_scratch *scratch = pass->scratch;
	const struct blur *blurs = pass->blurs;
	const cn_sift_octave *first = &scratch->octaves[0];
	size_t used = 0, behind = 2 * CN_SIFT_WALK + 4;
	for (size_t o = 0; o < scratch->octave_count; o++) {
		cn_sift_octave *octave = &scratch->octaves[o];
		for (size_t i = 1; i <= CN_SIFT_SCALES; i++) {
			octave->levels[i].mask = SIZE_MAX;
			octave->levels[i].data = cut(memory, &used, octave->height * octave->stride);
		}
	}
	/* Rings are shared by the octaves, since only one is at work; the first is the largest. */
	for (size_t i = 0; i < CN_SIFT_LEVELS; i = i ? i + 1 : CN_SIFT_SCALES + 1) {
		size_t least = i + 1 < CN_SIFT_LEVELS ? 2 * blurs[i + 1].radius + 2 : 1;
		size_t mask = ring_mask(least, first->height);
		float *data = cut(memory, &used, (mask + 1) * first->stride);
		for (size_t o = 0; o < scratch->octave_count; o++)
			scratch->octaves[o].levels[i] = (cn_sift_level){ data, mask };
	}
	for (size_t i = CN_SIFT_LEVELS - 1; i-- > 0;) {
		scratch->dogs[i].mask = ring_mask(behind, first->height);
		scratch->dogs[i].data = cut(memory, &used, (scratch->dogs[i].mask + 1) * first->stride);
		behind += blurs[i + 1].radius;
	}
	input->mask = ring_mask(2 * blurs[0].radius + 2, first->height);
	input->data = cut(memory, &used, (input->mask + 1) * first->stride);
	pass->line = cut(memory, &used, first->stride + 2 * MAX_RADIUS + CN_SIFT_LANES);
	scratch->found = (uint32_t *)(void *)cut(memory, &used, first->stride);
	return used;
}

static void set_octaves(cn_sift_scratch *scratch, size_t width, size_t height)
{
	double pixel = 1;
	scratch->octave_count = 0;
	if (width * height <= MOST_DOUBLE) {
		width = 2 * width - 1;
		height = 2 * height - 1;
		pixel = 0.5;
	}
	while ((width < height ? width : height) >= SMALLEST && scratch->octave_count < CN_SIFT_OCTAVES) {
		cn_sift_octave *octave = &scratch->octaves[scratch->octave_count++];
		octave->width = width;
		octave->height = height;
		octave->stride = (width + CN_SIFT_LANES - 1) / CN_SIFT_LANES * CN_SIFT_LANES + CN_SIFT_LANES;
		octave->pixel = pixel;
		width = (width + 1) / 2;
		height = (height + 1) / 2;
		pixel *= 2;
	}
}

/* Grows the memory; it starts zeroed, because what pads the rows is read as well. */
static int reserve(cn_sift_scratch *scratch, size_t size)
{
	if (size <= scratch->memory_size)
		return 0;
	cn_free(scratch->memory);
	scratch->memory_size = 0;
	scratch->memory = cn_alloc_aligned(size, sizeof(float));
	if (!scratch->memory)
		return CAIRN_ENOMEM;
	memset(scratch->memory, 0, size * sizeof(float));
	scratch->memory_size = size;
	return 0;
}

int cn_sift_detect(cn_sift_scratch *scratch, const float *grey, size_t width, size_t height)
{
	struct pass pass = { .scratch = scratch, .kernels = cn_sift_kernels_get() };
	cn_sift_level input;
	scratch->count = 0;
	set_octaves(scratch, width, height);
	if (!scratch->octave_count)
		return 0;
	if (scratch->octaves[0].stride * scratch->octaves[0].height > INT32_MAX)
		return cn_fail(CAIRN_ELIMIT, "an image of %zu x %zu pixels is too large for SIFT; reduce it first",
			       width, height);
	set_blurs(pass.blurs, scratch->octaves[0].pixel);
	CN_TRY(reserve(scratch, lay_out(&pass, &input, NULL)));
	lay_out(&pass, &input, scratch->memory);
	for (size_t o = 0; o < scratch->octave_count; o++) {
		pass.octave = &scratch->octaves[o];
		memset(pass.done, 0, sizeof(pass.done));
		CN_TRY(o ? next_octave(&pass, pass.octave - 1) : first_octave(&pass, &input, grey, width));
	}
	return 0;
}

void cn_sift_scratch_free(cn_sift_scratch *scratch)
{
	cn_free(scratch->extrema);
	cn_free(scratch->memory);
	memset(scratch, 0, sizeof(*scratch));
}
