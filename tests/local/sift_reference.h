/*
 * sift_reference.h - SIFT as docs/methods.md, "RootSIFT", has it: plain loops in double precision over whole images.
 */
#ifndef CN_TESTS_LOCAL_SIFT_REFERENCE_H
#define CN_TESTS_LOCAL_SIFT_REFERENCE_H

#include <stddef.h>

#define REFERENCE_LEVELS  6
#define REFERENCE_OCTAVES 10

struct reference_octave {
	size_t width, height;
	double pixel;
	double *levels[REFERENCE_LEVELS]; /* height x width */
};

/** An extremum, in pixels of its octave. */
struct reference_extremum {
	size_t octave, level;
	double x, y, sigma, score;
};

struct reference {
	size_t octave_count, count;
	struct reference_octave octaves[REFERENCE_OCTAVES];
	struct reference_extremum *extrema; /* octave by octave, row by row; two samples may lead to the same one */
};

void reference_new(struct reference *reference, const float *grey, size_t width, size_t height);
void reference_free(struct reference *reference);

/** The descriptor of a patch around (x, y) in a level of an octave: 128 values. */
void reference_describe(double *out, const struct reference_octave *octave, size_t level, double x, double y,
			double sigma, double angle);

#endif
