/*
 * Diffusion from every image and searches with it, for bench/diffusion.py.
 *
 * Usage: bench_diffusion FOLDER KD N THREADS RUNS SAMPLE.npy
 *
 * Reads FOLDER/graph.ids.npy and graph.scores.npy (images x k: int32, float32), and queries.ids.npy and
 * queries.scores.npy (queries x kq). Prints the median seconds of making the graph, of the diffusion of all images, and
 * of one query when they come one after the other on one thread; then the mean entries of a row. Writes
 * FOLDER/ranked.npy (queries x N, int32, -1 where there are fewer), and of the images listed in SAMPLE.npy the rows,
 * sample.ids.npy and sample.values.npy.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rank/diffuse_offline.h"
#include "util/progress.h"

struct lists {
	cn_npy ids, scores;
	cn_neighbours items;
};

static int open_lists(struct lists *lists, const char *folder, const char *name)
{
	const size_t any[] = { 0, 0 };
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s.ids.npy", folder, name);
	CN_TRY(cn_npy_open(&lists->ids, path));
	CN_TRY(cn_npy_expect(&lists->ids, path, CN_NPY_I32, 2, any));
	snprintf(path, sizeof(path), "%s/%s.scores.npy", folder, name);
	CN_TRY(cn_npy_open(&lists->scores, path));
	CN_TRY(cn_npy_expect(&lists->scores, path, CN_NPY_F32, 2, lists->ids.shape));
	lists->items = (cn_neighbours){ lists->ids.shape[0], lists->ids.shape[1], lists->ids.data, lists->scores.data };
	return 0;
}

struct bench {
	const char *folder;
	struct lists graph, queries;
	cn_npy sample;
	cn_diffusion_options options;
	cn_offline_options offline;
	size_t runs;
	cn_workers *pool;
	cn_diffusion_graph matrix;
	cn_offline_rows rows;
	cn_offline_searcher alone, together;
	int32_t *ids;
	float *values;
};

static int keep_rows(void *context, size_t first, size_t count, const int32_t *ids, const float *values)
{
	struct bench *bench = context;
	size_t width = bench->rows.width;
	memcpy(bench->ids + first * width, ids, count * width * sizeof(*ids));
	memcpy(bench->values + first * width, values, count * width * sizeof(*values));
	return 0;
}

static int compare_doubles(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;
	return (a > b) - (a < b);
}

static int make_graph(struct bench *bench)
{
	cn_diffusion_graph_free(&bench->matrix);
	return cn_diffusion_graph_new(&bench->matrix, &bench->graph.items, &bench->options, bench->pool);
}

static int diffuse(struct bench *bench)
{
	return cn_diffuse_offline(&bench->matrix, &bench->graph.items, 0, bench->rows.count, &bench->offline, keep_rows,
				  bench, bench->pool, NULL, NULL);
}

static int search(struct bench *bench)
{
	const cn_neighbours *all = &bench->queries.items;
	int status = 0;
	for (size_t q = 0; status == 0 && q < all->lines; q++) {
		cn_neighbours query = { 1, all->k, all->ids + q * all->k, all->scores + q * all->k };
		cairn_ranking *ranking;
		CN_TRY(cairn_ranking_new(&ranking, 1, bench->rows.width));
		status = cn_offline_search(ranking, &bench->alone, &query, &bench->options, NULL);
		cairn_ranking_free(ranking);
	}
	return status;
}

static int measure(struct bench *bench, int (*work)(struct bench *), double *seconds)
{
	double times[101];
	for (size_t run = 0; run < bench->runs; run++) {
		double start = cn_seconds();
		CN_TRY(work(bench));
		times[run] = cn_seconds() - start;
	}
	qsort(times, bench->runs, sizeof(*times), compare_doubles);
	*seconds = times[bench->runs / 2];
	return 0;
}

static int write_array(const struct bench *bench, const char *name, cn_npy_type type, size_t rows, const void *data)
{
	const size_t shape[] = { rows, bench->rows.width };
	char path[4096];
	snprintf(path, sizeof(path), "%s/%s.npy", bench->folder, name);
	return cn_npy_write(path, type, 2, shape, data);
}

static int write_ranking(struct bench *bench)
{
	size_t queries = bench->queries.items.lines, width = bench->rows.width;
	int32_t *places = calloc(queries * width, sizeof(*places));
	cairn_ranking *ranking;
	int status = cairn_ranking_new(&ranking, queries, width);
	if (status == 0)
		status = cn_offline_search(ranking, &bench->together, &bench->queries.items, &bench->options, NULL);
	for (size_t q = 0; status == 0 && q < queries; q++)
		for (size_t i = 0; i < width; i++)
			places[q * width + i] = (int32_t)cairn_ranking_images(ranking, q)[i];
	if (status == 0)
		status = write_array(bench, "ranked", CN_NPY_I32, queries, places);
	cairn_ranking_free(ranking);
	free(places);
	return status;
}

static int write_sample(struct bench *bench)
{
	size_t count = bench->sample.count, width = bench->rows.width;
	const int32_t *images = bench->sample.data;
	int32_t *ids = calloc(count * width, sizeof(*ids));
	float *values = calloc(count * width, sizeof(*values));
	for (size_t i = 0; i < count; i++) {
		memcpy(ids + i * width, bench->ids + (size_t)images[i] * width, width * sizeof(*ids));
		memcpy(values + i * width, bench->values + (size_t)images[i] * width, width * sizeof(*values));
	}
	int status = write_array(bench, "sample.ids", CN_NPY_I32, count, ids);
	if (status == 0)
		status = write_array(bench, "sample.values", CN_NPY_F32, count, values);
	free(ids);
	free(values);
	return status;
}

static double mean_entries(const struct bench *bench)
{
	size_t all = bench->rows.count * bench->rows.width, used = 0;
	for (size_t i = 0; i < all; i++)
		used += bench->ids[i] >= 0;
	return (double)used / (double)bench->rows.count;
}

static int run(struct bench *bench, char **arguments)
{
	const size_t any[] = { 0 };
	double graph, rows, query;
	CN_TRY(open_lists(&bench->graph, bench->folder, "graph"));
	CN_TRY(open_lists(&bench->queries, bench->folder, "queries"));
	CN_TRY(cn_npy_open(&bench->sample, arguments[5]));
	CN_TRY(cn_npy_expect(&bench->sample, arguments[5], CN_NPY_I32, 1, any));
	CN_TRY(cn_workers_new(&bench->pool, (unsigned)strtoul(arguments[3], NULL, 10)));
	CN_TRY(measure(bench, make_graph, &graph));
	bench->rows.count = bench->graph.items.lines;
	bench->rows.width = cn_offline_width(&bench->matrix, &bench->offline);
	bench->rows.ids = bench->ids = calloc(bench->rows.count * bench->rows.width, sizeof(*bench->ids));
	bench->rows.values = bench->values = calloc(bench->rows.count * bench->rows.width, sizeof(*bench->values));
	if (!bench->ids || !bench->values)
		return CAIRN_ENOMEM;
	CN_TRY(measure(bench, diffuse, &rows));
	CN_TRY(cn_offline_searcher_init(&bench->alone, &bench->rows, NULL));
	CN_TRY(cn_offline_searcher_init(&bench->together, &bench->rows, bench->pool));
	CN_TRY(measure(bench, search, &query));
	printf("%.6f %.6f %.9f %.1f %.1f\n", graph, rows, query / (double)bench->queries.items.lines,
	       mean_entries(bench), (double)bench->matrix.matrix.starts[bench->rows.count] / (double)bench->rows.count);
	CN_TRY(write_ranking(bench));
	return write_sample(bench);
}

int main(int argc, char **argv)
{
	struct bench bench = { .folder = argv[1], .options = CN_DIFFUSION_GLOBAL, .offline = CN_OFFLINE_OPTIONS_INIT };
	if (argc != 7) {
		fprintf(stderr, "usage: bench_diffusion FOLDER KD N THREADS RUNS SAMPLE.npy\n");
		return 2;
	}
	bench.options.neighbours = strtoul(argv[2], NULL, 10);
	bench.offline.truncation = strtoul(argv[3], NULL, 10);
	bench.runs = strtoul(argv[5], NULL, 10);
	bench.runs = bench.runs < 1 ? 1 : bench.runs > 101 ? 101 : bench.runs;
	int status = run(&bench, argv + 1);
	if (status < 0)
		fprintf(stderr, "bench_diffusion: %s\n", cairn_last_error());
	cn_npy_close(&bench.graph.ids);
	cn_npy_close(&bench.graph.scores);
	cn_npy_close(&bench.queries.ids);
	cn_npy_close(&bench.queries.scores);
	cn_npy_close(&bench.sample);
	cn_offline_searcher_free(&bench.alone);
	cn_offline_searcher_free(&bench.together);
	cn_diffusion_graph_free(&bench.matrix);
	cn_workers_free(bench.pool);
	free(bench.ids);
	free(bench.values);
	return status < 0;
}
