/*
 * model/onnx_read.h - looking at an ONNX file before anything else does: is it whole, within limits, and what does it
 * take and give?
 *
 * Files are checked so that hostile ones end here and not in the inference library: nesting and number of parts are
 * bounded before anything is allocated for them, names are defined before they are used, weights are as large as they
 * say, nothing outside the file is referred to. Control flow (If, Loop, Scan) and functions are not supported.
 */
#ifndef CN_MODEL_ONNX_READ_H
#define CN_MODEL_ONNX_READ_H

#include <stddef.h>
#include <stdint.h>

#include "model/infer.h"

#define CN_ONNX_MAX_BYTES ((uint64_t)INT32_MAX) /* what protocol buffers can hold */

struct Onnx__GraphProto; /* model/onnx.pb-c.h, made from the schema */

/** An input or output. */
typedef struct {
	char *name;
	cn_tensor_type type;
	int has_shape;
	size_t rank;
	int64_t shape[8]; /**< -1 where free */
} cn_onnx_port;

/** What a network takes and gives. */
typedef struct cn_onnx_info {
	cn_onnx_port input; /**< the only one */
	cn_onnx_port *outputs;
	size_t output_count;
	size_t nodes;
	uint64_t parameters; /**< numbers in all initializers */
	int is_quantised;    /**< it computes in integers of 8 bits in part: QuantizeLinear before DequantizeLinear, or
				operators that are integer themselves */
} cn_onnx_info;

/**
 * Check an ONNX file in memory.
 *
 * @param name what errors call it
 * @return 0; CAIRN_EFORMAT; CAIRN_ELIMIT; CAIRN_EUNSUPPORTED where weights lie in other files or the graph has control
 * flow
 */
int cn_onnx_parse(cn_onnx_info *out, const void *bytes, size_t length, const char *name);

/** Looks at a graph that was checked. @param file what errors call it */
typedef int cn_onnx_visitor(const struct Onnx__GraphProto *graph, const char *file, void *context);

/** The same, and let a visitor look at the graph, which is gone thereafter. @return also what the visitor returns */
int cn_onnx_visit(cn_onnx_info *out, const void *bytes, size_t length, const char *name, cn_onnx_visitor *visitor,
		  void *context);

/** Check an ONNX file. */
int cn_onnx_load(cn_onnx_info *out, const char *path);

void cn_onnx_info_free(cn_onnx_info *info); /**< harmless on a zeroed struct */

/** The output of that name, or NULL. */
const cn_onnx_port *cn_onnx_output(const cn_onnx_info *info, const char *name);

#endif
