#include "asmk_world.h"

#include <stdlib.h>

cairn_features *world_features(const float *descriptors, size_t count, size_t dim)
{
	cairn_features *features;
	cairn_keypoint *points = calloc(count + 1, sizeof(*points));
	assert_ok(cairn_features_new(&features, WORLD_KIND, 10, 10, count, (uint32_t)dim, points, descriptors));
	free(points);
	return features;
}

void world_make(world *w, size_t dim, size_t words, uint64_t seed)
{
	float *descriptors = malloc(30 * dim * sizeof(*descriptors)), centre = 1 / (float)dim;
	w->dim = dim;
	w->words = words;
	w->vectors = malloc(words * dim * sizeof(*w->vectors));
	for (size_t i = 0; i < words * dim; i++)
		w->vectors[i] = cn_test_normal(&seed) * centre;
	assert_ok(cairn_codebook_new(&w->codebook, w->vectors, words, dim));
	for (size_t i = 0; i < WORLD_IMAGES; i++) {
		size_t count = i % 31;
		/* Features of neighbours are alike, so that similarities are not those of chance alone. */
		uint64_t shared = seed + i / 4;
		for (size_t j = 0; j < count * dim; j++)
			descriptors[j] = cn_test_normal(&shared) + 0.7f * cn_test_normal(&seed);
		w->images[i] = world_features(descriptors, count, dim);
	}
	free(descriptors);
}

void world_free(world *w)
{
	for (size_t i = 0; i < WORLD_IMAGES; i++)
		cairn_features_free(w->images[i]);
	cairn_codebook_free(w->codebook);
	free(w->vectors);
}

size_t world_regions(const world *w, size_t i, int regional, const cairn_features *regions[3])
{
	for (size_t r = 0; r < 3; r++)
		regions[r] = w->images[(i + r) % WORLD_IMAGES];
	return regional ? 3 : 1;
}

const char *world_write(const world *w, size_t begin, size_t end, size_t step, const cairn_asmk_options *options)
{
	const char *path = cn_test_path(cn_test_folder(), "a.asmk");
	cairn_asmk_writer *writer;
	assert_ok(cairn_asmk_writer_new(&writer, path, WORLD_KIND, w->codebook, options));
	for (size_t i = begin; i < end; i += step) {
		const cairn_features *regions[3];
		cairn_asmk_aggregate *aggregate;
		size_t count = world_regions(w, i, options->regional, regions);
		assert_ok(cairn_asmk_aggregate_new(&aggregate, w->codebook, regions, count, options));
		assert_ok(cairn_asmk_writer_add(writer, (int64_t)i * 10, aggregate));
		cairn_asmk_aggregate_free(aggregate);
	}
	assert_ok(cairn_asmk_writer_commit(writer));
	cairn_asmk_writer_free(writer);
	return path;
}
