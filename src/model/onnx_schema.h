/*
 * model/onnx_schema.h - what reading and writing ONNX share.
 */
#ifndef CN_MODEL_ONNX_SCHEMA_H
#define CN_MODEL_ONNX_SCHEMA_H

#include <protobuf-c/protobuf-c.h>

/** Takes memory from util/memory.h. A copy whose allocator_data points to an int has that set to 1 when memory is
 * short. */
extern ProtobufCAllocator cn_onnx_allocator;

#endif
