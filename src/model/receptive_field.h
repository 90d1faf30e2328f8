/*
 * model/receptive_field.h - which pixels of the input a number of an output depends on.
 *
 * Computed from the network's graph, as in Araujo, Norris and Sim, "Computing receptive fields of convolutional neural
 * networks" (Distill, 2019). docs/methods.md, "Attentive features", has the formulas.
 */
#ifndef CN_MODEL_RECEPTIVE_FIELD_H
#define CN_MODEL_RECEPTIVE_FIELD_H

#include <stddef.h>
#include <stdint.h>

#include "util/status.h"

/** For each axis (0: y, 1: x): the number at i depends on the pixels from stride * i - pad to
 * stride * i - pad + size - 1, of which some may lie outside of the image. */
typedef struct {
	int64_t size[2], stride[2], pad[2];
} cn_receptive_field;

/** What is between the input and one output; never changes after it is made. */
typedef struct cn_field_graph cn_field_graph;

/**
 * Read the graph of an ONNX file.
 *
 * @param[out] out       the caller frees it with cn_field_graph_free()
 * @param      output    name of a map
 * @param      height_at where the input has its height, 2 for NCHW, 1 for NHWC; the width follows
 * @return 0; CAIRN_EUNSUPPORTED naming an operator that looks further than a window, that changes the layout in ways
 *         not known, or that joins maps of different strides; the errors of cn_onnx_load(); CAIRN_ENOMEM
 */
int cn_field_graph_load(cn_field_graph **out, const char *path, const char *output, int height_at);

/** The same from memory. @param name what errors call it */
int cn_field_graph_parse(cn_field_graph **out, const void *bytes, size_t length, const char *name, const char *output,
			 int height_at);
void cn_field_graph_free(cn_field_graph *graph); /**< NULL is allowed */

/**
 * The receptive field for an input of this size, on which padding of the kind SAME depends.
 *
 * @param height,width from 1 to 2^20
 * @return 0; CAIRN_EUNSUPPORTED naming the operator from which on it is above 2^31 pixels
 */
int cn_field_graph_at(const cn_field_graph *graph, uint32_t height, uint32_t width, cn_receptive_field *out);

#endif
