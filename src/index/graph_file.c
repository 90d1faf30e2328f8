/*
 * The arrays of a graph, mapped.
 */
#include "cairn/graph.h"
#include "util/memory.h"
#include "util/npy.h"
#include "util/text.h"

struct cairn_graph {
	cn_npy images, ids, scores;
	cairn_neighbours neighbours;
};

/* Numbers are read where they lie, and files of others may put them anywhere. */
static int expect_aligned(const cn_npy *array, const char *path)
{
	if (!array->count || (uintptr_t)array->data % cn_npy_type_size(array->type) == 0)
		return 0;
	return cn_fail(CAIRN_EFORMAT, "%s: the numbers do not begin at a multiple of their size; write it anew", path);
}

/* @param shape 0 stands for any number */
static int open_array(cn_npy *out, const char *prefix, const char *kind, cn_npy_type type, size_t rank,
		      const size_t *shape)
{
	char *path = cn_textf("%s.%s.npy", prefix, kind);
	int status = path ? cn_npy_open(out, path) : CAIRN_ENOMEM;
	if (status == 0)
		status = cn_npy_expect(out, path, type, rank, shape);
	if (status == 0)
		status = expect_aligned(out, path);
	cn_free(path);
	return status;
}

/* Of a number of lines that is 0, cn_npy_expect() would take any. */
static int expect_shape(const cairn_graph *graph, const char *prefix)
{
	const size_t *ids = graph->ids.shape, *scores = graph->scores.shape;
	if (ids[0] == graph->images.shape[0] && scores[0] == ids[0] && scores[1] == ids[1] && ids[1] > 0)
		return 0;
	return cn_fail(CAIRN_EFORMAT, "'%s': %zu images, %zu x %zu ids and %zu x %zu scores are not of one graph",
		       prefix, graph->images.shape[0], ids[0], ids[1], scores[0], scores[1]);
}

int cairn_graph_open(cairn_graph **out, const char *prefix)
{
	static const size_t any[] = { 0, 0 };
	cairn_graph *graph;
	int status = 0;
	*out = NULL;
	CN_NEW(graph, 1, sizeof(*graph));
	CN_GOTO(status, open_array(&graph->images, prefix, "images", CN_NPY_I64, 1, any));
	CN_GOTO(status, open_array(&graph->ids, prefix, "ids", CN_NPY_I64, 2, any));
	CN_GOTO(status, open_array(&graph->scores, prefix, "scores", CN_NPY_F32, 2, any));
	CN_GOTO(status, expect_shape(graph, prefix));
	graph->neighbours = (cairn_neighbours){ graph->images.data, graph->ids.data, graph->scores.data,
						graph->images.count, graph->ids.shape[1] };
	*out = graph;
	return 0;
done:
	cairn_graph_free(graph);
	return status;
}

void cairn_graph_free(cairn_graph *graph)
{
	if (!graph)
		return;
	cn_npy_close(&graph->images);
	cn_npy_close(&graph->ids);
	cn_npy_close(&graph->scores);
	cn_free(graph);
}

const cairn_neighbours *cairn_graph_neighbours(const cairn_graph *graph)
{
	return &graph->neighbours;
}
