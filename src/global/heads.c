/*
 * Heads: a way of pooling, and fully connected layers behind it (CGD: Jun et al., "Combination of Multiple Global
 * Descriptors for Image Retrieval", 2019).
 */
#include "global/heads.h"

#include <string.h>

#include "global/pool.h"
#include "math/dot.h"
#include "util/memory.h"

static void apply_layer(const cn_layer *layer, const float *in, float *out)
{
	cn_dot_rows(in, layer->weight, layer->outputs, layer->inputs, out);
	for (size_t i = 0; layer->bias && i < layer->outputs; i++)
		out[i] += layer->bias[i];
}

/* The region's vector normalised, whitened where the head does so, and added. @param scratch as many floats as come out
 */
static void add_region(const cn_head *head, float *vector, size_t channels, float *scratch, float *sum)
{
	size_t dim = head->regional.outputs ? head->regional.outputs : channels;
	cn_normalise(vector, channels);
	if (head->regional.outputs) {
		apply_layer(&head->regional, vector, scratch);
		cn_normalise(scratch, dim);
		vector = scratch;
	}
	for (size_t i = 0; i < dim; i++)
		sum[i] += vector[i];
}

/* R-MAC: the sum of the unit vectors of regions. */
static int pool_regions(const cn_head *head, const cn_map *map, float *out)
{
	size_t dim = head->regional.outputs ? head->regional.outputs : map->channels;
	cn_region *regions = cn_alloc(cn_regions_most(head->levels), sizeof(*regions));
	float *vector = cn_alloc(map->channels + dim, sizeof(*vector));
	int status = regions && vector ? 0 : CAIRN_ENOMEM;
	if (status == 0) {
		size_t count = cn_regions(map->width, map->height, head->levels, (double)head->overlap, regions);
		memset(out, 0, dim * sizeof(*out));
		if (head->whole) {
			cn_pool_mac(map, vector);
			add_region(head, vector, map->channels, vector + map->channels, out);
		}
		for (size_t i = 0; i < count; i++) {
			cn_pool_region(map, &regions[i], vector);
			add_region(head, vector, map->channels, vector + map->channels, out);
		}
	}
	cn_free(regions);
	cn_free(vector);
	return status;
}

static int pool(const cn_head *head, const cn_map *map, float *out)
{
	switch (head->pool) {
	case CN_POOL_GEM:
		cn_pool_gem(map, head->p, head->channel_p, out);
		return 0;
	case CN_POOL_MAC:
		cn_pool_mac(map, out);
		return 0;
	case CN_POOL_SPOC:
		cn_pool_spoc(map, out);
		return 0;
	case CN_POOL_RMAC:
		return pool_regions(head, map, out);
	default:
		memcpy(out, map->data, map->channels * sizeof(*out));
		return 0;
	}
}

static int run_head(const cn_head *head, const cn_map *map, float *out)
{
	size_t dim = cn_head_dim(head, map->channels);
	if (!head->layer.outputs) {
		CN_TRY(pool(head, map, out));
	} else {
		float *pooled = cn_alloc(head->layer.inputs, sizeof(*pooled));
		int status = pooled ? pool(head, map, pooled) : CAIRN_ENOMEM;
		if (status == 0)
			apply_layer(&head->layer, pooled, out);
		cn_free(pooled);
		CN_TRY(status);
	}
	if (head->normalise)
		cn_normalise(out, dim);
	return 0;
}

int cn_heads_run(const cn_global_spec *spec, const cn_map *map, float *out)
{
	for (size_t i = 0; i < spec->head_count; i++) {
		CN_TRY(run_head(&spec->heads[i], map, out));
		out += cn_head_dim(&spec->heads[i], map->channels);
	}
	return 0;
}
