/*
 * networks.h - small networks that the model tests build, and where their fixtures are.
 */
#ifndef CN_TESTS_MODEL_NETWORKS_H
#define CN_TESTS_MODEL_NETWORKS_H

#include <stddef.h>
#include <stdint.h>

#include "model/infer.h"

/** "image" 1 x 2 x H x W -> "sum" 1 x 1 x H x W: a convolution with kernel 3 and padding whose weights are 1 for the
 * first channel and 10 for the second, bias 0.5; and "half" 1 x 2 x H/2 x W/2: averages of 2 x 2. */
void make_sums(const char *path);

/** "image" 1 x 3 x H x W -> "map" 1 x 4 x H x W: 1 x 1 convolution with weights that grow, then ReLU; all positive for
 *  positive pixels. */
void make_map(const char *path);

/** "image" uint8 1 x H x W x 3 -> "mean" 1 x 3: the mean of each channel. */
void make_means(const char *path);

/** "image" 1 x 3 x H x W -> "map" 1 x 8 x H/4 x W/4: a convolution of random weights with kernel 6, stride 4 and
 * padding 1, then ReLU; "attention" 1 x 1 x H/4 x W/4, positive; and "narrow" 1 x 1 x H/8 x W/8. */
void make_attentive(const char *path, uint64_t seed);

/** "image" 1 x 3 x H x W -> "heat" 1 x 1 x H x W, from 0 to 1, of random weights with kernel 5 and padding 2; "cells" 1
 * x 65 x H/8 x W/8; "coarse" 1 x 8 x H/4 x W/4. And as detectors list them, of the N pixels whose heat is above 0.8:
 * "places" int64 1 x N x 2 (x, y), "scores" 1 x N, "descriptors" 1 x N x 3: the input's three numbers there.
 * "all_scores" is 1 x H x W, which is not N. */
void make_detector(const char *path, uint64_t seed);

#define VIT_CHANNELS 12
#define VIT_PATCH    16

/** "image" 1 x 3 x H x W -> "tokens" 1 x (1 + H/16 * W/16) x 12: a transformer with one block (patch embedding, class
 * token, self-attention, perceptron, layer normalisation) of random weights, without position embeddings: tokens of
 * patches that change places change places. */
void make_vit(const char *path, uint64_t seed);

#define QUANTISED_CHANNELS 16

/** "image" 1 x 3 x H x W -> "map" 1 x 16 x H/2 x W/2: two convolutions with kernel 3 and padding 1, the first with
 * stride 2, each with ReLU behind, of random int8 weights that DequantizeLinear makes numbers of, with a scale a
 * channel.
 * @param is_quantised 1: QuantizeLinear and DequantizeLinear before each convolution; 0: the same weights, nothing is
 * rounded */
void make_quantised(const char *path, int is_quantised, uint64_t seed);

/** What make_sums() gives as "sum" at (y, x) for this input. */
float sum_at(const float *image, size_t height, size_t width, size_t y, size_t x);

/** A file of the fixtures' folder; borrowed from a ring of buffers. */
const char *fixture(const char *name);

/** Set CAIRN_HOME to a folder that is not there yet, and return it; borrowed until the next call. */
const char *new_home(void);

/** The folder of an unpacked package with this file in it, in CAIRN_PACKAGES (one sub-folder a package), or NULL after
 *  saying what is skipped. */
const char *package_folder(const char *file);

#endif
