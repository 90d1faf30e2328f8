/*
 * model/onnx_write.h - building a network and writing it as ONNX.
 *
 * A graph is built value by value. Every function that makes a value returns its name, which the next ones take:
 *
 *     const char *x = cn_onnx_graph_input(graph, "image", CN_TENSOR_F32, 4, (int64_t[]){ 1, 3, -1, -1 });
 *     x = cn_onnx_conv(graph, x, &(cn_onnx_conv_spec){ .weight = w, .bias = b, .stride = 2, .same = 1 });
 *     x = cn_onnx_op(graph, "Relu", x, NULL);
 *     cn_onnx_graph_output(graph, x, "features", 4, (int64_t[]){ 1, 32, -1, -1 });
 *
 * Failures are remembered: from the first one on every function does nothing and returns NULL, NULL is accepted as a
 * value, and cn_onnx_graph_write() returns the status. So a builder need not check each line.
 */
#ifndef CN_MODEL_ONNX_WRITE_H
#define CN_MODEL_ONNX_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "model/infer.h"

typedef struct cn_onnx_graph cn_onnx_graph;

int cn_onnx_graph_new(cn_onnx_graph **out, const char *name);
void cn_onnx_graph_free(cn_onnx_graph *graph);

/** Remember a failure that the caller found. */
void cn_onnx_graph_fail(cn_onnx_graph *graph, int status);

/** 0, or the first failure; its text is cairn_last_error() right after it happened. */
int cn_onnx_graph_status(const cn_onnx_graph *graph);

/** The input. @param shape -1 where free */
const char *cn_onnx_graph_input(cn_onnx_graph *graph, const char *name, cn_tensor_type type, size_t rank,
				const int64_t *shape);

/** Call a value `name` and make it an output. */
void cn_onnx_graph_output(cn_onnx_graph *graph, const char *value, const char *name, size_t rank, const int64_t *shape);

/** Write the file atomically. */
int cn_onnx_graph_write(cn_onnx_graph *graph, const char *path);

/** Constants; data are copied. rank 0: one number. */
const char *cn_onnx_floats(cn_onnx_graph *graph, size_t rank, const size_t *shape, const float *data);
const char *cn_onnx_float(cn_onnx_graph *graph, float value);
const char *cn_onnx_integers(cn_onnx_graph *graph, size_t count, const int64_t *data);
const char *cn_onnx_int8s(cn_onnx_graph *graph, size_t rank, const size_t *shape, const int8_t *data);

/** An operator of one output with up to two inputs (b may be NULL); attributes are added to it by the functions below.
 */
const char *cn_onnx_op(cn_onnx_graph *graph, const char *type, const char *a, const char *b);

/** The same with `count` inputs; "" leaves an optional one out. */
const char *cn_onnx_op_n(cn_onnx_graph *graph, const char *type, const char *const *inputs, size_t count);

/** Attributes of the operator made last. */
void cn_onnx_set_int(cn_onnx_graph *graph, const char *name, int64_t value);
void cn_onnx_set_ints(cn_onnx_graph *graph, const char *name, size_t count, const int64_t *values);
void cn_onnx_set_text(cn_onnx_graph *graph, const char *name, const char *value);

/** A two-dimensional convolution. */
typedef struct {
	const float *weight; /**< outputs x inputs / groups x kernel x kernel */
	const float *bias;   /**< outputs, or NULL */
	size_t outputs, inputs, kernel;
	size_t stride; /**< 0: 1 */
	size_t groups; /**< 0: 1 */
	int same;      /**< pad as TensorFlow's SAME does (more at the end); otherwise by `pad` on every side */
	size_t pad;
} cn_onnx_conv_spec;

const char *cn_onnx_conv(cn_onnx_graph *graph, const char *x, const cn_onnx_conv_spec *spec);

/** Keep values between two numbers: ReLU6 is (0, 6). */
const char *cn_onnx_clip(cn_onnx_graph *graph, const char *x, float least, float most);

/** Divide by the L2 norm along an axis; norms below 1e-12 count as that. */
const char *cn_onnx_l2(cn_onnx_graph *graph, const char *x, int64_t axis);

/** Subtract the mean and divide by the standard deviation, both over height and width of each channel (Ulyanov et al.,
 *  2016, without scale and offset). */
const char *cn_onnx_instance_norm(cn_onnx_graph *graph, const char *x, float epsilon);

/** Resize height and width bilinearly to those of `like`; pixel centres at half. */
const char *cn_onnx_resize_like(cn_onnx_graph *graph, const char *x, const char *like);

#endif
