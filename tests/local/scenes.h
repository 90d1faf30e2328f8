/*
 * scenes.h - grey images of the tests of local features.
 */
#ifndef CN_TESTS_LOCAL_SCENES_H
#define CN_TESTS_LOCAL_SCENES_H

#include <stddef.h>
#include <stdint.h>

/** Patches of random grey at several scales, 0 to 255; the caller frees. */
float *scene_texture(size_t width, size_t height, uint64_t seed);

/** A part of an image; the caller frees. */
float *scene_part(const float *grey, size_t stride, size_t x, size_t y, size_t width, size_t height);

/** A quarter turn counter-clockwise: what was right is at the top. height x width becomes width x height. */
float *scene_turned(const float *grey, size_t width, size_t height);

#endif
