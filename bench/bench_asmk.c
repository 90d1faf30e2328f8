/*
 * Steps of search by local features, for bench/asmk.py.
 *
 * Usage: bench_asmk features KIND OUT.features < LIST     a line of the list is PATH, or PATH<tab>x0 y0 x1 y1 for a
 * part bench_asmk dump IN.features PREFIX               PREFIX.descriptors.npy (floats), PREFIX.images.npy (1, 2, ...)
 *        bench_asmk codebook IN.features WORDS OUT.npy
 *        bench_asmk write IN.features CODEBOOK.npy binary|bytes OUT.asmk
 *        bench_asmk search QUERIES.features CODEBOOK.npy IN.asmk K THREADS OUT.npy
 *
 * Images are numbered from 1. `search` takes one query after another and prints the seconds of all together, without
 * opening files; OUT.npy gets the ranked images, queries x K, -1 where there are fewer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/asmk.h"
#include "index/feature_segment.h"
#include "util/npy.h"
#include "util/progress.h"

static int extract(char **arguments)
{
	char line[8192], path[4096];
	cairn_extractor *extractor = NULL;
	cn_feature_writer *writer = NULL;
	int64_t image = 0;
	int status = cairn_extractor_new(&extractor, arguments[0], NULL);
	while (status == 0 && fgets(line, sizeof(line), stdin)) {
		cairn_features *features = NULL;
		cairn_image *pixels = NULL;
		cairn_box box;
		int read = sscanf(line, "%4095[^\t\n]\t%lf %lf %lf %lf", path, &box.x0, &box.y0, &box.x1, &box.y1);
		status = cairn_image_open(&pixels, path, NULL);
		if (status == 0)
			status = cairn_extractor_run(extractor, pixels, read == 5 ? &box : NULL, &features);
		if (status == 0 && !writer)
			status = cn_feature_writer_new(&writer, arguments[1], cairn_features_kind(features),
						       cairn_features_dim(features));
		if (status == 0)
			status = cn_feature_writer_add(writer, ++image, features);
		cairn_features_free(features);
		cairn_image_free(pixels);
	}
	if (status == 0 && writer)
		status = cn_feature_writer_commit(writer);
	cn_feature_writer_free(writer);
	cairn_extractor_free(extractor);
	return status;
}

/* All feature sets of a file. */
struct sets {
	cairn_features **items;
	size_t count;
};

static int load(struct sets *sets, const char *path)
{
	cn_feature_segment *segment = NULL;
	int status = cn_feature_segment_open(&segment, path);
	sets->count = 0;
	sets->items = status == 0 ? calloc(cn_feature_segment_count(segment), sizeof(*sets->items)) : NULL;
	for (size_t i = 0; status == 0 && i < cn_feature_segment_count(segment); i++) {
		status = cn_feature_segment_read(segment, cn_feature_segment_image(segment, i), &sets->items[i]);
		sets->count += status == 0;
	}
	cn_feature_segment_free(segment);
	return status;
}

static void free_sets(struct sets *sets)
{
	for (size_t i = 0; i < sets->count; i++)
		cairn_features_free(sets->items[i]);
	free(sets->items);
}

static int write_array(const char *prefix, const char *what, cn_npy_type type, size_t rank, const size_t *shape,
		       const void *data)
{
	char path[4096];
	if ((size_t)snprintf(path, sizeof(path), "%s.%s.npy", prefix, what) >= sizeof(path))
		return CAIRN_EINVALID;
	return cn_npy_write(path, type, rank, shape, data);
}

static int dump(char **arguments)
{
	struct sets sets;
	size_t shape[2] = { 0, 1 }, row = 0;
	int status = load(&sets, arguments[0]);
	for (size_t i = 0; status == 0 && i < sets.count; i++) {
		shape[0] += cairn_features_count(sets.items[i]);
		shape[1] = cairn_features_dim(sets.items[i]);
	}
	float *rows = calloc(shape[0] + 1, shape[1] * sizeof(*rows));
	int64_t *images = calloc(shape[0] + 1, sizeof(*images));
	for (size_t i = 0; status == 0 && i < sets.count; i++)
		for (size_t k = 0; k < cairn_features_count(sets.items[i]); k++, row++) {
			images[row] = (int64_t)i + 1;
			for (size_t j = 0; j < shape[1]; j++)
				rows[row * shape[1] + j] =
					(float)cairn_features_codes(sets.items[i])[k * shape[1] + j] *
					cairn_features_code_scale(sets.items[i]);
		}
	if (status == 0)
		status = write_array(arguments[1], "descriptors", CN_NPY_F32, 2, shape, rows);
	if (status == 0)
		status = write_array(arguments[1], "images", CN_NPY_I64, 1, shape, images);
	free(rows);
	free(images);
	free_sets(&sets);
	return status;
}

static int train(char **arguments)
{
	struct sets sets;
	cairn_codebook_options options = CAIRN_CODEBOOK_OPTIONS_INIT;
	cairn_codebook_trainer *trainer = NULL;
	cairn_codebook *codebook = NULL;
	options.words = (uint32_t)strtoul(arguments[1], NULL, 10);
	/* As many as the package makes; fewer points, which costs little. */
	options.iterations = 10;
	options.max_points = 20;
	int status = load(&sets, arguments[0]);
	if (status == 0)
		status = cairn_codebook_trainer_new(&trainer, &options);
	for (size_t i = 0; status == 0 && i < sets.count; i++)
		status = cairn_codebook_trainer_add(trainer, sets.items[i]);
	if (status == 0)
		status = cairn_codebook_trainer_run(&codebook, trainer, NULL, NULL);
	if (status == 0)
		status = cairn_codebook_save(codebook, arguments[2]);
	cairn_codebook_free(codebook);
	cairn_codebook_trainer_free(trainer);
	free_sets(&sets);
	return status;
}

static int write_file(char **arguments)
{
	struct sets sets;
	cairn_codebook *codebook = NULL;
	cairn_asmk_writer *writer = NULL;
	cairn_asmk_options options = CAIRN_ASMK_OPTIONS_INIT;
	options.binary = strcmp(arguments[2], "binary") == 0;
	int status = load(&sets, arguments[0]);
	if (status == 0)
		status = cairn_codebook_open(&codebook, arguments[1]);
	if (status == 0)
		status = cairn_asmk_writer_new(&writer, arguments[3], cairn_features_kind(sets.items[0]), codebook,
					       &options);
	for (size_t i = 0; status == 0 && i < sets.count; i++) {
		const cairn_features *const image = sets.items[i];
		cairn_asmk_aggregate *aggregate = NULL;
		status = cairn_asmk_aggregate_new(&aggregate, codebook, &image, 1, &options);
		if (status == 0)
			status = cairn_asmk_writer_add(writer, (int64_t)i + 1, aggregate);
		cairn_asmk_aggregate_free(aggregate);
	}
	if (status == 0)
		status = cairn_asmk_writer_commit(writer);
	cairn_asmk_writer_free(writer);
	cairn_codebook_free(codebook);
	free_sets(&sets);
	return status;
}

/* One query after another, as they come to a service; the first images of each go to `ranked`. */
static int search_all(const cairn_asmk_index *index, const struct sets *queries, size_t k,
		      const cairn_asmk_search_options *options, int64_t *ranked)
{
	double start = cn_seconds();
	int status = 0;
	for (size_t i = 0; status == 0 && i < queries->count; i++) {
		const cairn_features *const query = queries->items[i];
		cairn_ranking *ranking = NULL;
		status = cairn_asmk_index_search(&ranking, index, &query, 1, k, options);
		if (status == 0)
			memcpy(ranked + i * k, cairn_ranking_images(ranking, 0), k * sizeof(*ranked));
		cairn_ranking_free(ranking);
	}
	printf("%.6f\n", cn_seconds() - start);
	return status;
}

static int search(char **arguments)
{
	struct sets queries;
	cairn_codebook *codebook = NULL;
	cairn_asmk_index *index = NULL;
	const char *path = arguments[2];
	cairn_asmk_search_options options = CAIRN_ASMK_SEARCH_OPTIONS_INIT;
	size_t k = strtoul(arguments[3], NULL, 10);
	options.threads = (uint32_t)strtoul(arguments[4], NULL, 10);
	int status = load(&queries, arguments[0]);
	const size_t shape[2] = { queries.count, k };
	int64_t *ranked = calloc(queries.count * k + 1, sizeof(*ranked));
	if (status == 0)
		status = cairn_codebook_open(&codebook, arguments[1]);
	if (status == 0)
		status = cairn_asmk_index_open(&index, codebook, &path, 1, NULL, 0);
	if (status == 0)
		status = search_all(index, &queries, k, &options, ranked);
	if (status == 0)
		status = cn_npy_write(arguments[5], CN_NPY_I64, 2, shape, ranked);
	cairn_asmk_index_free(index);
	cairn_codebook_free(codebook);
	free_sets(&queries);
	free(ranked);
	return status;
}

static const struct {
	const char *name;
	int arguments;
	int (*run)(char **arguments);
} steps[] = { { "features", 2, extract },
	      { "dump", 2, dump },
	      { "codebook", 3, train },
	      { "write", 4, write_file },
	      { "search", 6, search } };

int main(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(steps) / sizeof(steps[0]); i++)
		if (strcmp(argv[1], steps[i].name) == 0 && argc == steps[i].arguments + 2) {
			int status = steps[i].run(argv + 2);
			if (status < 0)
				fprintf(stderr, "bench_asmk: %s\n", cairn_last_error());
			return status < 0;
		}
	fprintf(stderr, "usage: bench_asmk features|dump|codebook|write|search ...; its source says how\n");
	return 2;
}
