/*
 * model/infer.h - running an ONNX network (OpenVINO inside, nowhere else).
 *
 * A network hands out requests; each holds its own input and output tensors. A thread acquires a request, fills the
 * input, runs it and reads the outputs before it releases the request. Inference runs in `threads` threads of the
 * network's own, and twice as many requests are given out: a thread that waits for its request sleeps, so with two
 * callers a core, one prepares an image while the other's is in the network. start/wait instead of run lets one thread
 * keep several requests in flight.
 *
 * A network is compiled once, for every input shape that its free dimensions allow; what a new shape costs (some
 * milliseconds) is paid by the first request that has it. Results depend on the input alone, not on what ran before or
 * beside it.
 */
#ifndef CN_MODEL_INFER_H
#define CN_MODEL_INFER_H

#include <stddef.h>
#include <stdint.h>

#include "util/status.h"

typedef struct cn_network cn_network;
typedef struct cn_request cn_request;

typedef enum { CN_TENSOR_F32, CN_TENSOR_U8, CN_TENSOR_I32, CN_TENSOR_I64 } cn_tensor_type;

/** A tensor; data belong to the request. */
typedef struct {
	cn_tensor_type type;
	size_t rank;
	size_t shape[8];
	size_t count; /**< product of the shape */
	void *data;
} cn_tensor;

typedef struct {
	unsigned threads;  /**< inferences that run at once, >= 1 */
	int bf16;          /**< compute in bf16 */
	const char *cache; /**< folder for compiled networks, made if need be; NULL: none. Failing to use it is no
			      failure */
} cn_network_options;

/**
 * Check and compile an ONNX file.
 *
 * @return 0; the errors of cn_onnx_load(); CAIRN_EBACKEND where OpenVINO refuses it
 */
int cn_network_open(cn_network **out, const char *onnx, const cn_network_options *options);
void cn_network_free(cn_network *network);

/** What the file takes and gives; borrowed. */
const struct cn_onnx_info *cn_network_info(const cn_network *network);

/**
 * Take a request for inputs of this shape; waits while all are taken.
 *
 * @return 0; CAIRN_EINVALID where the network does not take such a shape; CAIRN_ELIMIT where it is larger than 2^28
 * elements
 */
int cn_network_acquire(cn_network *network, const size_t *shape, size_t rank, cn_request **out);
void cn_network_release(cn_network *network, cn_request *request);

/** The (single) input tensor, to be filled. */
int cn_request_input(cn_request *request, cn_tensor *out);

int cn_request_run(cn_request *request);
int cn_request_start(cn_request *request);
int cn_request_wait(cn_request *request);

/** An output by name; valid until the request is released or run again. Values may be NaN: check. */
int cn_request_output(cn_request *request, const char *name, cn_tensor *out);

#endif
