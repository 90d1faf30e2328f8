/* Inference: right numbers for every shape, from several threads, whatever ran before; failures that say why. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "math/dispatch.h"
#include "model/infer.h"
#include "model/onnx_read.h"
#include "model/onnx_write.h"
#include "networks.h"
#include "support.h"
#include "util/file.h"

static cn_network *open_sums(unsigned threads, int bf16)
{
	cn_network *network;
	const char *path = cn_test_path(cn_test_folder(), "sums.onnx");
	make_sums(path);
	assert_ok(cn_network_open(&network, path, &(cn_network_options){ .threads = threads, .bf16 = bf16 }));
	return network;
}

static void fill(float *data, size_t count, uint64_t seed)
{
	for (size_t i = 0; i < count; i++)
		data[i] = cn_test_uniform(&seed);
}

/* Runs one shape and compares with the reference. @return 1 if all is right */
static int run_sums(cn_network *network, size_t height, size_t width, uint64_t seed, float tolerance)
{
	const size_t shape[] = { 1, 2, height, width };
	cn_request *request;
	cn_tensor input, sum, half;
	assert_ok(cn_network_acquire(network, shape, 4, &request));
	assert_ok(cn_request_input(request, &input));
	assert_int_equal(input.count, 2 * height * width);
	fill(input.data, input.count, seed);
	assert_ok(cn_request_run(request));
	assert_ok(cn_request_output(request, "sum", &sum));
	assert_ok(cn_request_output(request, "half", &half));
	int right = sum.rank == 4 && sum.shape[2] == height && sum.shape[3] == width && half.shape[1] == 2 &&
		    half.shape[2] == height / 2 && half.shape[3] == width / 2;
	const float *image = input.data, *sums = sum.data, *halves = half.data;
	for (size_t y = 0; y < height && right; y++)
		for (size_t x = 0; x < width && right; x++)
			right = fabsf(sums[y * width + x] - sum_at(image, height, width, y, x)) <= tolerance;
	const float *corner = image + height * width;
	float average = (corner[0] + corner[1] + corner[width] + corner[width + 1]) / 4;
	right = right && fabsf(halves[(height / 2) * (width / 2)] - average) <= tolerance;
	cn_network_release(network, request);
	return right;
}

static void numbers_are_those_worked_out_by_hand(void **state)
{
	(void)state;
	cn_network *network = open_sums(1, 0);
	const size_t shape[] = { 1, 2, 2, 3 };
	static const float pixels[] = { 1, 2, 3, 4, 5, 6, 1, 0, 0, 0, 0, 1 };
	static const float sums[] = { 22.5f, 41.5f, 26.5f, 22.5f, 41.5f, 26.5f };
	cn_request *request;
	cn_tensor input, sum;
	assert_ok(cn_network_acquire(network, shape, 4, &request));
	assert_ok(cn_request_input(request, &input));
	memcpy(input.data, pixels, sizeof(pixels));
	assert_ok(cn_request_run(request));
	assert_ok(cn_request_output(request, "sum", &sum));
	for (size_t i = 0; i < 6; i++)
		assert_float_equal(((const float *)sum.data)[i], sums[i], 1e-5);
	cn_network_release(network, request);
	cn_network_free(network);
}

static void many_shapes_one_network(void **state)
{
	(void)state;
	cn_network *network = open_sums(2, 0);
	for (size_t round = 0; round < 2; round++)
		for (size_t i = 0; i < 40; i++)
			assert_true(run_sums(network, 2 + i % 7 * 5, 2 + i * 3, round * 100 + i, 1e-4f));
	cn_network_free(network);
}

static void bf16_is_near(void **state)
{
	(void)state;
	if (!cn_cpu_has_bf16()) {
		print_message("# skipped: this processor has no bf16\n");
		return;
	}
	cn_network *network = open_sums(1, 1);
	/* Up to 100 in magnitude; eight bits of fraction. */
	assert_true(run_sums(network, 16, 24, 5, 1.0f));
	cn_network_free(network);
}

struct worker {
	cn_network *network;
	uint64_t seed;
	int right;
};

static void *work(void *argument)
{
	struct worker *worker = argument;
	worker->right = 1;
	for (size_t i = 0; i < 60 && worker->right; i++)
		worker->right = run_sums(worker->network, 4 + (i * 7 + worker->seed) % 29, 6 + i % 13,
					 worker->seed * 1000 + i, 1e-4f);
	return NULL;
}

/* More threads than requests: the others wait their turn. */
static void threads_at_once(void **state)
{
	(void)state;
	cn_network *network = open_sums(2, 0);
	struct worker workers[5];
	pthread_t threads[5];
	for (size_t i = 0; i < 5; i++) {
		workers[i] = (struct worker){ network, i + 1, 0 };
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (size_t i = 0; i < 5; i++) {
		pthread_join(threads[i], NULL);
		assert_true(workers[i].right);
	}
	cn_network_free(network);
}

static void several_in_flight_from_one_thread(void **state)
{
	(void)state;
	cn_network *network = open_sums(3, 0);
	cn_request *requests[3];
	cn_tensor input, sum;
	for (size_t i = 0; i < 3; i++) {
		const size_t shape[] = { 1, 2, 8 + i, 8 };
		assert_ok(cn_network_acquire(network, shape, 4, &requests[i]));
		assert_ok(cn_request_input(requests[i], &input));
		fill(input.data, input.count, i);
		assert_ok(cn_request_start(requests[i]));
	}
	for (size_t i = 0; i < 3; i++) {
		assert_ok(cn_request_wait(requests[i]));
		assert_ok(cn_request_input(requests[i], &input));
		assert_ok(cn_request_output(requests[i], "sum", &sum));
		assert_float_equal(((const float *)sum.data)[9], sum_at(input.data, 8 + i, 8, 1, 1), 1e-4);
		cn_network_release(network, requests[i]);
	}
	/* One that is released while it runs is waited for. */
	const size_t shape[] = { 1, 2, 64, 64 };
	assert_ok(cn_network_acquire(network, shape, 4, &requests[0]));
	assert_ok(cn_request_start(requests[0]));
	cn_network_release(network, requests[0]);
	cn_network_free(network);
}

static void same_bytes_whatever_ran_before(void **state)
{
	(void)state;
	float first[12 * 18], again[12 * 18];
	const size_t shape[] = { 1, 2, 12, 18 };
	for (int run = 0; run < 2; run++) {
		cn_network *network = open_sums(run ? 2 : 1, 0);
		cn_request *request;
		cn_tensor input, sum;
		for (size_t i = 0; run && i < 5; i++)
			assert_true(run_sums(network, 10 + i, 20, i, 1e-4f));
		assert_ok(cn_network_acquire(network, shape, 4, &request));
		assert_ok(cn_request_input(request, &input));
		fill(input.data, input.count, 77);
		assert_ok(cn_request_run(request));
		assert_ok(cn_request_output(request, "sum", &sum));
		memcpy(run ? again : first, sum.data, sizeof(first));
		cn_network_release(network, request);
		cn_network_free(network);
	}
	assert_memory_equal(first, again, sizeof(first));
}

static void bytes_in(void **state)
{
	(void)state;
	const char *path = cn_test_path(cn_test_folder(), "means.onnx");
	const size_t shape[] = { 1, 3, 5, 3 };
	cn_network *network;
	cn_request *request;
	cn_tensor input, mean;
	make_means(path);
	assert_ok(cn_network_open(&network, path, &(cn_network_options){ .threads = 1 }));
	assert_ok(cn_network_acquire(network, shape, 4, &request));
	assert_ok(cn_request_input(request, &input));
	assert_int_equal(input.type, CN_TENSOR_U8);
	for (size_t i = 0; i < input.count; i++)
		((uint8_t *)input.data)[i] = (uint8_t)(i % 3 * 100 + 55);
	assert_ok(cn_request_run(request));
	assert_ok(cn_request_output(request, "mean", &mean));
	assert_int_equal(mean.count, 3);
	for (size_t c = 0; c < 3; c++)
		assert_float_equal(((const float *)mean.data)[c], (float)(c * 100 + 55), 1e-3);
	cn_network_release(network, request);
	cn_network_free(network);
}

static void shapes_that_do_not_fit(void **state)
{
	(void)state;
	static const struct {
		size_t shape[4], rank;
		int code;
		const char *part;
	} cases[] = {
		{ { 1, 3, 8, 8 }, 4, CAIRN_EINVALID, "dimension 1" },
		{ { 2, 2, 8, 8 }, 4, CAIRN_EINVALID, "dimension 0" },
		{ { 1, 2, 0, 8 }, 4, CAIRN_EINVALID, "dimension 2" },
		{ { 1, 2, 8 }, 3, CAIRN_EINVALID, "4 dimensions, not 3" },
		{ { 1, 2, 1 << 14, 1 << 14 }, 4, CAIRN_ELIMIT, "2^28" },
		{ { 1, 2, SIZE_MAX, SIZE_MAX }, 4, CAIRN_ELIMIT, "2^28" },
	};
	cn_network *network = open_sums(1, 0);
	cn_request *request;
	cn_tensor output;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_fails(cn_network_acquire(network, cases[i].shape, cases[i].rank, &request), cases[i].code,
			     cases[i].part);
	/* None of them took the only request. */
	assert_true(run_sums(network, 4, 4, 1, 1e-4f));
	assert_ok(cn_network_acquire(network, (const size_t[]){ 1, 2, 4, 4 }, 4, &request));
	assert_fails(cn_request_output(request, "none", &output), CAIRN_EFORMAT, "no output 'none'");
	cn_network_release(network, request);
	cn_network_free(network);
	assert_fails(cn_network_open(&network, "x.onnx", &(cn_network_options){ .threads = 0 }), CAIRN_EINVALID,
		     "0 threads");
	assert_fails(cn_network_open(&network, "/none/x.onnx", &(cn_network_options){ .threads = 1 }), CAIRN_ENOTFOUND,
		     "/none/x.onnx");
}

static double cosine_of(const float *a, const float *b, size_t count)
{
	double product = 0, of_a = 0, of_b = 0;
	for (size_t i = 0; i < count; i++) {
		product += (double)a[i] * (double)b[i];
		of_a += (double)a[i] * (double)a[i];
		of_b += (double)b[i] * (double)b[i];
	}
	return product / sqrt(of_a * of_b);
}

/* Weights of int8 give what they stand for; numbers that are rounded between come near, and are not the same. */
static void quantised_networks_run(void **state)
{
	(void)state;
	static const size_t shape[] = { 1, 3, 40, 56 };
	enum { COUNT = QUANTISED_CHANNELS * 20 * 28 };
	static float found[2][COUNT];
	for (int is_quantised = 0; is_quantised < 2; is_quantised++) {
		const char *path = cn_test_path(cn_test_folder(), "quantised.onnx");
		cn_network *network;
		cn_request *request;
		cn_tensor tensor;
		make_quantised(path, is_quantised, 3);
		assert_ok(cn_network_open(&network, path, &(cn_network_options){ .threads = 1 }));
		assert_int_equal(cn_network_info(network)->is_quantised, is_quantised);
		assert_ok(cn_network_acquire(network, shape, 4, &request));
		assert_ok(cn_request_input(request, &tensor));
		fill(tensor.data, tensor.count, 8);
		assert_ok(cn_request_run(request));
		assert_ok(cn_request_output(request, "map", &tensor));
		assert_int_equal(tensor.count, COUNT);
		memcpy(found[is_quantised], tensor.data, sizeof(found[0]));
		cn_network_release(network, request);
		cn_network_free(network);
	}
	double cosine = cosine_of(found[0], found[1], COUNT);
	assert_true(cosine > 0.999 && cosine < 0.9999999);
}

/* The inference library's exceptions end at its wrapper. */
static void networks_that_openvino_refuses(void **state)
{
	(void)state;
	const char *path = cn_test_path(cn_test_folder(), "bad.onnx");
	static const char *const types[] = { "NoSuchOperator", "Conv" };
	for (size_t i = 0; i < 2; i++) {
		cn_onnx_graph *graph;
		cn_network *network;
		assert_ok(cn_onnx_graph_new(&graph, "bad"));
		const char *x = cn_onnx_graph_input(graph, "image", CN_TENSOR_F32, 4, (const int64_t[]){ 1, 3, 8, 8 });
		x = cn_onnx_op(graph, types[i], x,
			       i ? cn_onnx_floats(graph, 1, (const size_t[]){ 2 }, (const float[]){ 1, 2 }) : NULL);
		cn_onnx_graph_output(graph, x, "y", 4, (const int64_t[]){ 1, 3, -1, -1 });
		assert_ok(cn_onnx_graph_write(graph, path));
		cn_onnx_graph_free(graph);
		assert_fails(cn_network_open(&network, path, &(cn_network_options){ .threads = 1 }), CAIRN_EBACKEND,
			     path);
	}
}

static void run_with_cache(const char *onnx, const char *cache)
{
	cn_network *network;
	assert_ok(cn_network_open(&network, onnx, &(cn_network_options){ .threads = 1, .cache = cache }));
	assert_true(run_sums(network, 6, 9, 3, 1e-4f));
	cn_network_free(network);
}

static int overwrite(const char *folder, const char *name, size_t keep)
{
	char path[4096];
	struct stat info;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
		return 0;
	chmod(path, 0600);
	char *bytes = malloc((size_t)info.st_size);
	FILE *file = fopen(path, "rb");
	assert_int_equal(fread(bytes, 1, (size_t)info.st_size, file), (size_t)info.st_size);
	fclose(file);
	cn_test_write(path, bytes, keep < (size_t)info.st_size ? keep : (size_t)info.st_size);
	free(bytes);
	return 1;
}

static void cache_of_compiled_networks(void **state)
{
	(void)state;
	const char *folder = cn_test_folder(), *onnx = cn_test_path(folder, "sums.onnx");
	const char *cache = cn_test_path(folder, "a/b/cache");
	char **names;
	size_t count;
	make_sums(onnx);
	run_with_cache(onnx, cache);
	assert_ok(cn_folder_list(cache, &names, &count));
	assert_true(count > 0);
	run_with_cache(onnx, cache);
	/* Cut short, or emptied: compiled anew. */
	static const size_t keeps[] = { 0, 10, 200, 1000 };
	for (size_t i = 0; i < 4; i++) {
		assert_true(overwrite(cache, names[0], keeps[i]));
		run_with_cache(onnx, cache);
	}
	cn_names_free(names, count);
	/* A file where the folder should be, and a folder that cannot be made. */
	cn_test_write(cn_test_path(folder, "file"), "x", 1);
	run_with_cache(onnx, cn_test_path(folder, "file"));
	run_with_cache(onnx, cn_test_path(folder, "file/cache"));
	run_with_cache(onnx, "/proc/none/cache");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_those_worked_out_by_hand),
		cmocka_unit_test(many_shapes_one_network),
		cmocka_unit_test(bf16_is_near),
		cmocka_unit_test(threads_at_once),
		cmocka_unit_test(several_in_flight_from_one_thread),
		cmocka_unit_test(same_bytes_whatever_ran_before),
		cmocka_unit_test(bytes_in),
		cmocka_unit_test(shapes_that_do_not_fit),
		cmocka_unit_test(quantised_networks_run),
		cmocka_unit_test(networks_that_openvino_refuses),
		cmocka_unit_test(cache_of_compiled_networks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
