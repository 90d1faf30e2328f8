/*
 * local/sift.h - the phases of SIFT: scale space and extrema, orientations, descriptors; and the kernels they share.
 *
 * Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004; docs/methods.md, "RootSIFT". One
 * scratch serves one extraction at a time. All numbers are float and are computed in the same order by every form of a
 * kernel, without contraction, so the outcome is the same bytes on every processor.
 */
#ifndef CN_LOCAL_SIFT_H
#define CN_LOCAL_SIFT_H

#include <stddef.h>
#include <stdint.h>

#define CN_SIFT_DIM     128
#define CN_SIFT_SCALES  3                    /* scales of an octave in which keypoints are sought */
#define CN_SIFT_LEVELS  (CN_SIFT_SCALES + 3) /* blurred images of an octave */
#define CN_SIFT_SIGMA   1.6                  /* blur of an octave's first level, in its pixels */
#define CN_SIFT_OCTAVES 16

/** Samples of a patch on each side, and the gradients that its inner ones give. */
#define CN_SIFT_SAMPLES   32
#define CN_SIFT_GRADIENTS (CN_SIFT_SAMPLES - 2)

/** Floats that the kernels work on at a time; rows are padded to a multiple. */
#define CN_SIFT_LANES 16

/** Rows of one level: all of them, or the last few in a ring. */
typedef struct {
	float *data;
	size_t mask; /* row y lies at (y & mask) * stride */
} cn_sift_level;

typedef struct {
	size_t width, height, stride;
	double pixel; /* size of one of its pixels in pixels of the image; pixel (x, y) lies at (x * pixel, y * pixel)
		       */
	cn_sift_level levels[CN_SIFT_LEVELS];
} cn_sift_octave;

/** A refined extremum of the difference of Gaussians. */
typedef struct {
	float x, y;  /* pixels of the octave */
	float sigma; /* its scale in pixels of the octave */
	float score; /* absolute contrast, 0 to 1 */
	uint32_t octave, level;
	uint32_t cell_x, cell_y; /* the sample it was refined from */
} cn_sift_extremum;

/** The difference of Gaussians of the octave at work, DoG i = level i + 1 - level i: the last few rows. */
typedef struct {
	float *data;
	size_t mask;
} cn_sift_dog;

/** Memory that is used again from image to image; start zeroed. */
typedef struct {
	cn_sift_octave octaves[CN_SIFT_OCTAVES];
	size_t octave_count;
	cn_sift_dog dogs[CN_SIFT_LEVELS - 1];
	cn_sift_extremum *extrema;
	size_t count, capacity;
	uint32_t *found; /* columns of one row */
	float *memory;
	size_t memory_size; /* in floats */
} cn_sift_scratch;

/** A square grid of samples in one level: sample (i, j) lies at (x + u c + v s, y - u s + v c), u = j - 15.5, v = i
 * - 15.5. */
typedef struct {
	const float *data;
	size_t width, height, stride; /* width and height at least 2 */
	float x, y, c, s;
} cn_sift_grid;

/** What depends on the processor. All blocks are of CN_SIFT_LANES floats; nothing needs to be aligned. */
typedef struct {
	/** out = kernel[0] * rows[radius] + sum over i of kernel[i] * (rows[radius - i] + rows[radius + i]) */
	void (*blur_columns)(float *out, const float *const *rows, const float *kernel, size_t radius, size_t blocks);
	/** The same along a line, readable for `radius` floats on both sides. */
	void (*blur_line)(float *out, const float *line, const float *kernel, size_t radius, size_t blocks);
	/** out = a - b */
	void (*subtract)(float *out, const float *a, const float *b, size_t blocks);
	/**
	 * Positions x in [begin, end) where |rows[4][x]| > threshold and no neighbour among the 3 x 9 rows exceeds it
	 * in its sign. Rows: three of the level below, three of this, three of the level above.
	 * @return how many were written to out
	 */
	size_t (*extrema)(uint32_t *out, const float *const *rows, size_t begin, size_t end, float threshold);
	/**
	 * Bilinear samples; what lies outside of the level is what lies at its edge.
	 * @param[out] samples CN_SIFT_SAMPLES^2
	 */
	void (*sample)(float *samples, const cn_sift_grid *grid);
	/**
	 * Gradients of a patch in polar form, by central differences.
	 * @param samples    CN_SIFT_SAMPLES^2 and one float more that may be read
	 * @param turn       value of a full turn
	 * @param[out] angle CN_SIFT_GRADIENTS rows of CN_SIFT_SAMPLES, of which the last two columns mean nothing; in
	 *                   [0, turn], counter-clockwise with y downwards
	 * @param[out] size  as angle
	 */
	void (*polar)(float *angle, float *size, const float *samples, float turn);
	/** Spread weighted gradients over 4 x 4 cells of 8 directions. @param angle in [0, 8] */
	void (*spread)(float *histogram, const float *angle, const float *size);
	/** Elementwise square root of CN_SIFT_DIM floats >= 0, relative error below 5e-6. */
	void (*root)(float *values);
} cn_sift_kernels;

/** The kernels for cn_kernels_level(). */
const cn_sift_kernels *cn_sift_kernels_get(void);

/**
 * Build the scale space and find its extrema.
 *
 * @param         grey    height x width floats, C order
 * @param[in,out] scratch its octaves and extrema are set; they stay valid until the next call
 */
int cn_sift_detect(cn_sift_scratch *scratch, const float *grey, size_t width, size_t height);
void cn_sift_scratch_free(cn_sift_scratch *scratch);

/** Samples at the edge of an octave where no extremum is sought, and how far refinement may walk up or down. */
#define CN_SIFT_BORDER 4
#define CN_SIFT_WALK   2

/** Append the extrema of row y, whose DoG rows y - CN_SIFT_WALK - 1 to y + CN_SIFT_WALK + 1 are there. */
int cn_sift_find(cn_sift_scratch *scratch, size_t octave, size_t y);

/** Row y of a level. */
static inline float *cn_sift_row(const cn_sift_octave *octave, size_t level, size_t y)
{
	return octave->levels[level].data + (y & octave->levels[level].mask) * octave->stride;
}

/** Most orientations of a keypoint. */
#define CN_SIFT_ORIENTATIONS 4

/**
 * Dominant directions of the gradient around an extremum.
 *
 * @param[out] angles up to CN_SIFT_ORIENTATIONS radians in [0, 2 pi), the strongest first
 * @return how many
 */
size_t cn_sift_orient(float *angles, const cn_sift_octave *octave, const cn_sift_extremum *extremum);

/** RootSIFT descriptor of an extremum seen in one direction: CN_SIFT_DIM floats, L2 norm 1 (0 for a flat patch). */
void cn_sift_describe(float *out, const cn_sift_octave *octave, const cn_sift_extremum *extremum, float angle);

#endif
