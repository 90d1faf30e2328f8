/* Graphs read back, and files that are none. */
#include "cairn/graph.h"
#include "rows.h"
#include "torture.h"
#include "util/npy.h"

enum { DIM = 8, COUNT = 40, K = 6 };

static void write_graph(const char *prefix)
{
	uint64_t seed = 4;
	struct rows rows;
	cairn_index *index;
	allocate_rows(&rows, COUNT, DIM);
	fill_normal(rows.numbers, COUNT * DIM, &seed);
	for (size_t i = 0; i < COUNT; i++)
		rows.images[i] = 100 + 2 * (int64_t)i;
	encode_rows(&rows);
	cairn_index_part part = part_of(&rows, 0, COUNT);
	assert_ok(cairn_index_new_flat(&index, DIM, &part, 1, NULL, 0));
	assert_ok(cairn_graph_write(index, NULL, K, prefix, NULL, NULL));
	cairn_index_free(index);
	free_rows(&rows);
}

static const char *array_path(const char *prefix, const char *kind)
{
	static char path[4][512];
	static size_t next;
	char *out = path[next++ % 4];
	snprintf(out, sizeof(path[0]), "%s.%s.npy", prefix, kind);
	return out;
}

static void what_was_written(void **state)
{
	const char *prefix = cn_test_path(cn_test_folder(), "graph");
	cairn_graph *graph;
	cn_npy array;
	(void)state;
	write_graph(prefix);
	assert_ok(cairn_graph_open(&graph, prefix));
	const cairn_neighbours *lines = cairn_graph_neighbours(graph);
	assert_int_equal(lines->count, COUNT);
	assert_int_equal(lines->k, K);
	const void *held[] = { lines->images, lines->ids, lines->scores };
	static const char *const kinds[] = { "images", "ids", "scores" };
	for (size_t i = 0; i < 3; i++) {
		assert_ok(cn_npy_open(&array, array_path(prefix, kinds[i])));
		assert_memory_equal(array.data, held[i], array.count * cn_npy_type_size(array.type));
		cn_npy_close(&array);
	}
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(lines->images[i], 100 + 2 * (int64_t)i);
	cairn_graph_free(graph);
	cairn_graph_free(NULL);
}

static void files_at_fault(void **state)
{
	static const struct {
		const char *kind;
		cn_npy_type type;
		size_t rank, shape[2];
		const char *part;
	} cases[] = {
		{ "images", CN_NPY_I32, 1, { 3 }, "graph.images.npy" },
		{ "images", CN_NPY_I64, 2, { 3, 1 }, "graph.images.npy" },
		{ "images", CN_NPY_I64, 1, { 2 }, "2 images, 3 x 2 ids and 3 x 2 scores" },
		{ "images", CN_NPY_I64, 1, { 0 }, "0 images, 3 x 2 ids" },
		{ "ids", CN_NPY_F64, 2, { 3, 2 }, "graph.ids.npy" },
		{ "ids", CN_NPY_I64, 2, { 3, 3 }, "3 x 3 ids and 3 x 2 scores" },
		{ "scores", CN_NPY_F32, 1, { 3 }, "graph.scores.npy" },
		{ "scores", CN_NPY_F32, 2, { 2, 2 }, "3 x 2 ids and 2 x 2 scores" },
	};
	static const int64_t zeros[16] = { 0 };
	const char *prefix = cn_test_path(cn_test_folder(), "graph");
	cairn_graph *graph;
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const size_t shape[] = { 3, 2 };
		assert_ok(cn_npy_write(array_path(prefix, "images"), CN_NPY_I64, 1, shape, zeros));
		assert_ok(cn_npy_write(array_path(prefix, "ids"), CN_NPY_I64, 2, shape, zeros));
		assert_ok(cn_npy_write(array_path(prefix, "scores"), CN_NPY_F32, 2, shape, zeros));
		assert_ok(cairn_graph_open(&graph, prefix));
		cairn_graph_free(graph);
		assert_ok(cn_npy_write(array_path(prefix, cases[i].kind), cases[i].type, cases[i].rank, cases[i].shape,
				       zeros));
		assert_fails(cairn_graph_open(&graph, prefix), CAIRN_EFORMAT, cases[i].part);
		assert_null(graph);
	}
	assert_ok(cn_npy_write(array_path(prefix, "ids"), CN_NPY_I64, 2, (const size_t[]){ 3, 0 }, zeros));
	assert_ok(cn_npy_write(array_path(prefix, "scores"), CN_NPY_F32, 2, (const size_t[]){ 3, 0 }, zeros));
	assert_fails(cairn_graph_open(&graph, prefix), CAIRN_EFORMAT, "3 x 0 ids and 3 x 0 scores");
	assert_fails(cairn_graph_open(&graph, cn_test_path(cn_test_folder(), "none")), CAIRN_ENOTFOUND,
		     "none.images.npy");
	assert_null(graph);
}

/* Cairn and NumPy begin the numbers at a multiple of 64 bytes, the format of 1.0 allows any. */
static void numbers_out_of_line(void **state)
{
	enum { HEADER = 61 };
	static const size_t shape[] = { 1, 1 };
	static const int64_t zero = 0;
	const char *prefix = cn_test_path(cn_test_folder(), "odd");
	char bytes[10 + HEADER + 8] = "\x93NUMPY\1";
	char header[HEADER + 1];
	cairn_graph *graph;
	(void)state;
	bytes[8] = HEADER;
	snprintf(header, sizeof(header), "%-60s\n", "{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }");
	memcpy(bytes + 10, header, HEADER);
	cn_test_write(array_path(prefix, "images"), bytes, sizeof(bytes));
	assert_ok(cn_npy_write(array_path(prefix, "ids"), CN_NPY_I64, 2, shape, &zero));
	assert_ok(cn_npy_write(array_path(prefix, "scores"), CN_NPY_F32, 2, shape, &zero));
	assert_fails(cairn_graph_open(&graph, prefix), CAIRN_EFORMAT, "multiple of their size");
}

static int open_once(void *context)
{
	cairn_graph *graph;
	CN_TRY(cairn_graph_open(&graph, context));
	cairn_graph_free(graph);
	return 0;
}

static void memory_may_run_out(void **state)
{
	char prefix[512];
	(void)state;
	snprintf(prefix, sizeof(prefix), "%s", cn_test_path(cn_test_folder(), "graph"));
	write_graph(prefix);
	assert_true(cn_torture(open_once, prefix) >= 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written),
		cmocka_unit_test(files_at_fault),
		cmocka_unit_test(numbers_out_of_line),
		cmocka_unit_test(memory_may_run_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
