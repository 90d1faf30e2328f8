/*
 * Inference on OpenVINO's C API.
 *
 * One compiled network serves all input shapes: kernels for a new shape are made when it first comes and kept, which
 * measured as fast as a network compiled for each shape, at a third of the memory and without its seconds of compiling.
 * There is one stream of one thread for each core; requests are started and waited for, never run in the caller's
 * thread, because callers that outlive none of their requests may then meet in one stream and halve the speed. There
 * are two requests a stream, so that it finds the next input at hand when it has done with one.
 */
#include "model/infer.h"

#include <openvino/c/openvino.h>
#include <pthread.h>
#include <string.h>

#include "model/onnx_read.h"
#include "util/file.h"
#include "util/log.h"
#include "util/memory.h"
#include "util/parallel.h"

#define MAX_INPUT  ((size_t)1 << 28)
#define MAX_OUTPUT MAX_INPUT
#define MAX_HELD   8

struct cn_request {
	cn_network *network;
	ov_infer_request_t *handle;
	ov_tensor_t *input;
	void *memory; /* of the input */
	size_t capacity;
	size_t rank, shape[8], count;
	ov_tensor_t *held[MAX_HELD]; /* outputs looked at */
	size_t held_count;
	int taken, started;
};

struct cn_network {
	char *path;
	cn_onnx_info info;
	ov_core_t *core;
	ov_compiled_model_t *compiled;
	cn_request *requests;
	unsigned count;
	pthread_mutex_t mutex;
	pthread_cond_t released;
};

/* OpenVINO's last message, as one line. */
static const char *reason(char *line, size_t size)
{
	const char *text = ov_get_last_err_msg();
	snprintf(line, size, "%s", text ? text : "no reason given");
	ov_free(text);
	for (char *c = line; *c; c++)
		if (*c == '\n' || *c == '\r')
			*c = ' ';
	return line;
}

static int fail(const cn_network *network, const char *what)
{
	char line[400];
	return cn_fail(CAIRN_EBACKEND, "%s: OpenVINO could not %s: %s", network->path, what,
		       reason(line, sizeof(line)));
}

#define OV(network, call, what)                                                                                        \
	do {                                                                                                           \
		if ((call) != OK)                                                                                      \
			return fail((network), (what));                                                                \
	} while (0)

static size_t element_size(cn_tensor_type type)
{
	static const size_t sizes[] = {
		[CN_TENSOR_F32] = 4, [CN_TENSOR_U8] = 1, [CN_TENSOR_I32] = 4, [CN_TENSOR_I64] = 8
	};
	return sizes[type];
}

static ov_element_type_e element_type(cn_tensor_type type)
{
	static const ov_element_type_e types[] = {
		[CN_TENSOR_F32] = F32, [CN_TENSOR_U8] = U8, [CN_TENSOR_I32] = I32, [CN_TENSOR_I64] = I64
	};
	return types[type];
}

static ov_status_e compile(cn_network *network, const ov_model_t *model, const cn_network_options *options,
			   const char *cache)
{
	unsigned streams = options->threads < cn_cores() ? options->threads : cn_cores();
	char number[16];
	snprintf(number, sizeof(number), "%u", streams);
	const ov_property_t properties[] = {
		{ ov_property_key_num_streams, number },
		{ ov_property_key_inference_num_threads, number },
		{ ov_property_key_hint_inference_precision, options->bf16 ? "bf16" : "f32" },
		/* Others decode and verify on the same cores. */
		{ ov_property_key_hint_enable_cpu_pinning, "NO" },
		{ ov_property_key_cache_dir, cache },
	};
	size_t count = sizeof(properties) / sizeof(properties[0]) - (cache ? 0 : 1);
	return ov_core_compile_model_props(network->core, model, "CPU", count, properties, &network->compiled);
}

/* A cache that cannot be written or holds nonsense costs time, never the work. */
static int compile_with_cache(cn_network *network, const ov_model_t *model, const cn_network_options *options)
{
	char line[200];
	if (options->cache && cn_folder_make(options->cache) == 0) {
		if (compile(network, model, options, options->cache) == OK)
			return 0;
		cn_log(CAIRN_LOG_WARNING, "%s: the cache of compiled networks could not be used, going on without: %s",
		       options->cache, reason(line, sizeof(line)));
		network->compiled = NULL;
	}
	OV(network, compile(network, model, options, NULL), "compile it");
	return 0;
}

static int make_requests(cn_network *network, unsigned count)
{
	network->requests = cn_alloc_zero(count, sizeof(*network->requests));
	if (!network->requests)
		return CAIRN_ENOMEM;
	for (; network->count < count; network->count++) {
		cn_request *request = &network->requests[network->count];
		request->network = network;
		OV(network, ov_compiled_model_create_infer_request(network->compiled, &request->handle),
		   "make a request");
	}
	return 0;
}

/* Free dimensions count as one. */
static int check_output(const cn_network *network, const ov_model_t *model, size_t i)
{
	ov_output_const_port_t *port = NULL;
	ov_partial_shape_t shape;
	OV(network, ov_model_const_output_by_index(model, i, &port), "tell an output");
	ov_status_e told = ov_port_get_partial_shape(port, &shape);
	ov_output_const_port_free(port);
	OV(network, told, "tell an output's shape");
	size_t count = 1;
	int is_fine = 1;
	for (int64_t k = 0; k < shape.rank.max && shape.dims && is_fine; k++) {
		size_t least = shape.dims[k].min > 1 ? (size_t)shape.dims[k].min : 1;
		is_fine = least <= MAX_OUTPUT / count;
		count *= is_fine ? least : 1;
	}
	ov_partial_shape_free(&shape);
	if (is_fine)
		return 0;
	return cn_fail(CAIRN_ELIMIT, "%s: output %zu would have more than 2^28 numbers for one image", network->path,
		       i);
}

/* Before constants are worked out, which may need as much memory. */
static int check_outputs(const cn_network *network, const ov_model_t *model)
{
	size_t count = 0;
	OV(network, ov_model_outputs_size(model, &count), "count its outputs");
	for (size_t i = 0; i < count; i++)
		CN_TRY(check_output(network, model, i));
	return 0;
}

static int open_network(cn_network *network, const cn_network_options *options)
{
	ov_model_t *model = NULL;
	CN_TRY(cn_onnx_load(&network->info, network->path));
	OV(network, ov_core_create(&network->core), "start");
	OV(network, ov_core_read_model(network->core, network->path, NULL, &model), "read it");
	int status = check_outputs(network, model);
	if (status == 0)
		status = compile_with_cache(network, model, options);
	ov_model_free(model);
	return status < 0 ? status : make_requests(network, 2 * options->threads);
}

int cn_network_open(cn_network **out, const char *onnx, const cn_network_options *options)
{
	if (options->threads < 1 || options->threads > 1024)
		return cn_fail(CAIRN_EINVALID, "%u threads: 1 to 1024 are possible", options->threads);
	cn_network *network;
	CN_NEW(network, 1, sizeof(*network));
	pthread_mutex_init(&network->mutex, NULL);
	pthread_cond_init(&network->released, NULL);
	network->path = cn_strdup(onnx);
	int status = network->path ? open_network(network, options) : CAIRN_ENOMEM;
	if (status < 0) {
		cn_network_free(network);
		return status;
	}
	*out = network;
	return 0;
}

static void let_go(cn_request *request)
{
	for (size_t i = 0; i < request->held_count; i++)
		ov_tensor_free(request->held[i]);
	request->held_count = 0;
}

static void free_request(cn_request *request)
{
	let_go(request);
	if (request->handle)
		ov_infer_request_free(request->handle);
	if (request->input)
		ov_tensor_free(request->input);
	cn_free(request->memory);
}

void cn_network_free(cn_network *network)
{
	if (!network)
		return;
	for (unsigned i = 0; i < network->count; i++)
		free_request(&network->requests[i]);
	cn_free(network->requests);
	if (network->compiled)
		ov_compiled_model_free(network->compiled);
	if (network->core)
		ov_core_free(network->core);
	cn_onnx_info_free(&network->info);
	pthread_cond_destroy(&network->released);
	pthread_mutex_destroy(&network->mutex);
	cn_free(network->path);
	cn_free(network);
}

const cn_onnx_info *cn_network_info(const cn_network *network)
{
	return &network->info;
}

static int check_shape(const cn_network *network, const size_t *shape, size_t rank, size_t *count)
{
	const cn_onnx_port *input = &network->info.input;
	if (rank < 1 || rank > 8 || (input->has_shape && rank != input->rank))
		return cn_fail(CAIRN_EINVALID, "%s: the input '%s' has %zu dimensions, not %zu", network->path,
			       input->name, input->rank, rank);
	*count = 1;
	for (size_t i = 0; i < rank; i++) {
		int fits = shape[i] > 0 &&
			   (!input->has_shape || input->shape[i] < 0 || shape[i] == (size_t)input->shape[i]);
		if (!fits)
			return cn_fail(CAIRN_EINVALID, "%s: dimension %zu of the input '%s' cannot be %zu",
				       network->path, i, input->name, shape[i]);
		if (shape[i] > MAX_INPUT / *count)
			return cn_fail(CAIRN_ELIMIT, "%s: an input of more than 2^28 numbers", network->path);
		*count *= shape[i];
	}
	return 0;
}

static int has_shape(const cn_request *request, const size_t *shape, size_t rank)
{
	return request->input && request->rank == rank && memcmp(request->shape, shape, rank * sizeof(*shape)) == 0;
}

/* An idle request, if there is one that has this shape already. The mutex is held. */
static cn_request *find_idle(cn_network *network, const size_t *shape, size_t rank)
{
	cn_request *idle = NULL;
	for (unsigned i = 0; i < network->count; i++) {
		cn_request *request = &network->requests[i];
		if (request->taken)
			continue;
		if (has_shape(request, shape, rank))
			return request;
		if (!idle)
			idle = request;
	}
	return idle;
}

static int set_shape(cn_request *request, const size_t *shape, size_t rank, size_t count)
{
	const cn_network *network = request->network;
	cn_tensor_type type = network->info.input.type;
	int64_t dims[8];
	ov_shape_t wanted = { (int64_t)rank, dims };
	if (request->input)
		ov_tensor_free(request->input);
	request->input = NULL;
	if (request->capacity < count) {
		cn_free(request->memory);
		request->capacity = 0;
		request->memory = cn_alloc_aligned(count, element_size(type));
		if (!request->memory)
			return CAIRN_ENOMEM;
		request->capacity = count;
	}
	for (size_t i = 0; i < rank; i++)
		dims[i] = (int64_t)shape[i];
	OV(network, ov_tensor_create_from_host_ptr(element_type(type), wanted, request->memory, &request->input),
	   "make an input");
	OV(network, ov_infer_request_set_input_tensor(request->handle, request->input), "take this input shape");
	memcpy(request->shape, shape, rank * sizeof(*shape));
	request->rank = rank;
	request->count = count;
	return 0;
}

int cn_network_acquire(cn_network *network, const size_t *shape, size_t rank, cn_request **out)
{
	size_t count = 0;
	cn_request *request;
	CN_TRY(check_shape(network, shape, rank, &count));
	pthread_mutex_lock(&network->mutex);
	while (!(request = find_idle(network, shape, rank)))
		pthread_cond_wait(&network->released, &network->mutex);
	request->taken = 1;
	pthread_mutex_unlock(&network->mutex);
	int status = has_shape(request, shape, rank) ? 0 : set_shape(request, shape, rank, count);
	if (status < 0) {
		if (request->input)
			ov_tensor_free(request->input);
		request->input = NULL;
		cn_network_release(network, request);
		return status;
	}
	*out = request;
	return 0;
}

void cn_network_release(cn_network *network, cn_request *request)
{
	if (request->started)
		ov_infer_request_wait(request->handle);
	request->started = 0;
	let_go(request);
	pthread_mutex_lock(&network->mutex);
	request->taken = 0;
	pthread_cond_signal(&network->released);
	pthread_mutex_unlock(&network->mutex);
}

int cn_request_input(cn_request *request, cn_tensor *out)
{
	out->type = request->network->info.input.type;
	out->rank = request->rank;
	memcpy(out->shape, request->shape, sizeof(out->shape));
	out->count = request->count;
	out->data = request->memory;
	return 0;
}

int cn_request_start(cn_request *request)
{
	let_go(request);
	OV(request->network, ov_infer_request_start_async(request->handle), "run it");
	request->started = 1;
	return 0;
}

int cn_request_wait(cn_request *request)
{
	request->started = 0;
	OV(request->network, ov_infer_request_wait(request->handle), "run it");
	return 0;
}

int cn_request_run(cn_request *request)
{
	CN_TRY(cn_request_start(request));
	return cn_request_wait(request);
}

static int describe(const cn_network *network, const ov_tensor_t *tensor, cn_tensor *out)
{
	ov_element_type_e type;
	ov_shape_t shape = { 0, NULL };
	OV(network, ov_tensor_get_element_type(tensor, &type), "tell an output's type");
	int found = 0;
	for (int i = CN_TENSOR_F32; i <= CN_TENSOR_I64 && !found; i++) {
		out->type = (cn_tensor_type)i;
		found = element_type(out->type) == type;
	}
	if (!found)
		return cn_fail(CAIRN_EUNSUPPORTED, "%s: an output has OpenVINO's element type %d", network->path,
			       (int)type);
	OV(network, ov_tensor_get_shape(tensor, &shape), "tell an output's shape");
	out->rank = (size_t)shape.rank;
	out->count = 1;
	for (size_t i = 0; i < out->rank && i < 8; i++) {
		out->shape[i] = (size_t)shape.dims[i];
		out->count *= out->shape[i];
	}
	ov_shape_free(&shape);
	if (out->rank > 8)
		return cn_fail(CAIRN_EUNSUPPORTED, "%s: an output has %zu dimensions", network->path, out->rank);
	OV(network, ov_tensor_data(tensor, &out->data), "give an output");
	return 0;
}

int cn_request_output(cn_request *request, const char *name, cn_tensor *out)
{
	ov_tensor_t *tensor = NULL;
	if (request->held_count == MAX_HELD)
		return cn_fail(CAIRN_EINVALID, "%s: more than %d outputs read of one run", request->network->path,
			       MAX_HELD);
	if (!cn_onnx_output(&request->network->info, name))
		return cn_fail(CAIRN_EFORMAT, "%s: there is no output '%s'", request->network->path, name);
	OV(request->network, ov_infer_request_get_tensor(request->handle, name, &tensor), "give an output");
	request->held[request->held_count++] = tensor;
	return describe(request->network, tensor, out);
}
