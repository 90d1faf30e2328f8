/*
 * What database-side augmentation and query expansion of all images cost beside finding their neighbours.
 *
 * Rows are random unit vectors, whose neighbours lie anywhere: no two images of a sum are near each other in memory, as
 * they may be where photographs of a place were added together. The graph is written first, then every image augmented
 * over its K neighbours and encoded, then every image's augmented vector expanded as a query by the same neighbours.
 *
 * Usage: bench_augment [IMAGES [DIM [K]]]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cairn/cairn.h"

typedef struct {
	size_t count, dim, k;
	float *rows;
	uint16_t *halves;
	int8_t *codes;
	float *scales;
	int64_t *images;
	cairn_index *index;
	size_t taken;
} world;

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void must(int status)
{
	if (status >= 0)
		return;
	fprintf(stderr, "bench_augment: %s\n", cairn_last_error());
	exit(1);
}

static void *room(size_t count, size_t size)
{
	void *memory = calloc(count, size);
	if (!memory) {
		fprintf(stderr, "bench_augment: out of memory\n");
		exit(1);
	}
	return memory;
}

static void make_index(world *all)
{
	uint64_t state = 1;
	all->rows = room(all->count * all->dim, sizeof(float));
	all->halves = room(all->count * all->dim, sizeof(uint16_t));
	all->codes = room(all->count * all->dim, 1);
	all->scales = room(all->count, sizeof(float));
	all->images = room(all->count, sizeof(int64_t));
	for (size_t i = 0; i < all->count; i++) {
		float *row = all->rows + i * all->dim, squares = 0;
		all->images[i] = (int64_t)i;
		for (size_t d = 0; d < all->dim; d++) {
			state = state * 6364136223846793005u + 1442695040888963407u;
			row[d] = (float)(state >> 40) / (float)(1 << 24) - 0.5f;
			squares += row[d] * row[d];
		}
		for (size_t d = 0; d < all->dim; d++)
			row[d] /= sqrtf(squares);
	}
	must(cairn_index_encode(all->rows, all->count, all->dim, all->halves, all->codes, all->scales));
	const cairn_index_part part = { all->halves, all->codes, all->scales, all->images, all->count };
	must(cairn_index_new_flat(&all->index, all->dim, &part, 1, NULL, 0));
}

/* Keeps and encodes what is augmented, as one does who will search in it. */
static int take(const int64_t *images, const float *rows, size_t count, void *payload)
{
	world *all = payload;
	static uint16_t *halves;
	static int8_t *codes;
	static float *scales;
	(void)images;
	if (!halves) {
		halves = room(count * all->dim, sizeof(*halves));
		codes = room(count * all->dim, 1);
		scales = room(count, sizeof(*scales));
	}
	memcpy(all->rows + all->taken * all->dim, rows, count * all->dim * sizeof(*rows));
	all->taken += count;
	return cairn_index_encode(rows, count, all->dim, halves, codes, scales);
}

static cairn_ranking *ranking_of(const cairn_neighbours *lines)
{
	cairn_ranking *ranking;
	must(cairn_ranking_new(&ranking, lines->count, lines->k));
	for (size_t i = 0; i < lines->count; i++)
		for (size_t j = 0; j < lines->k && lines->ids[i * lines->k + j] >= 0; j++)
			must(cairn_ranking_set(ranking, i, j, lines->ids[i * lines->k + j],
					       lines->scores[i * lines->k + j]));
	return ranking;
}

static void measure(world *all, const char *prefix)
{
	cairn_augmentation_options augmentation = CAIRN_AUGMENTATION_OPTIONS_INIT;
	cairn_expansion_options expansion = CAIRN_EXPANSION_OPTIONS_INIT;
	cairn_graph *graph;
	augmentation.neighbours = expansion.neighbours = all->k;
	double start = seconds();
	must(cairn_graph_write(all->index, NULL, all->k, prefix, NULL, NULL));
	double graph_time = seconds() - start;
	must(cairn_graph_open(&graph, prefix));
	const cairn_neighbours *lines = cairn_graph_neighbours(graph);
	start = seconds();
	must(cairn_augment(all->index, lines, take, all, &augmentation));
	double augment_time = seconds() - start;
	cairn_ranking *ranking = ranking_of(lines);
	start = seconds();
	must(cairn_expand_queries(all->rows, all->index, all->rows, all->count, ranking, NULL, &expansion));
	double expand_time = seconds() - start;
	printf("%zu x %zu, %zu neighbours\n", all->count, all->dim, all->k);
	printf("graph       %8.2f s\n", graph_time);
	printf("augment     %8.2f s  %.3f of the graph\n", augment_time, augment_time / graph_time);
	printf("expand      %8.2f s  %.3f of the graph\n", expand_time, expand_time / graph_time);
	cairn_ranking_free(ranking);
	cairn_graph_free(graph);
}

int main(int argc, char **argv)
{
	static const char *const kinds[] = { "images", "ids", "scores" };
	world all = { .count = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000,
		      .dim = argc > 2 ? strtoul(argv[2], NULL, 10) : 512,
		      .k = argc > 3 ? strtoul(argv[3], NULL, 10) : 20 };
	char prefix[64], path[96];
	snprintf(prefix, sizeof(prefix), "/tmp/bench_augment-%d", (int)getpid());
	make_index(&all);
	measure(&all, prefix);
	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s.%s.npy", prefix, kinds[i]);
		remove(path);
	}
	cairn_index_free(all.index);
	free(all.rows);
	free(all.halves);
	free(all.codes);
	free(all.scales);
	free(all.images);
	return 0;
}
