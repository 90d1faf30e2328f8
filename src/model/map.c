/*
 * Outputs as maps.
 */
#include "model/map.h"

#include "util/memory.h"

int cn_map_of(cn_map *out, const cn_tensor *tensor, const char *where, const char *name)
{
	int is_map = tensor->rank == 4, is_vector = tensor->rank == 2;
	if (tensor->type != CN_TENSOR_F32 || (!is_map && !is_vector) || tensor->shape[0] != 1 || tensor->count == 0)
		return cn_fail(
			CAIRN_EFORMAT,
			"%s: output '%s' is neither a vector (1 x dimensions) nor a map (1 x channels x height x "
			"width) of float32",
			where, name);
	*out = (cn_map){ tensor->data, tensor->shape[1], is_map ? tensor->shape[2] : 1, is_map ? tensor->shape[3] : 1 };
	return 0;
}

static int check_tokens(const cn_tensor *tensor, const char *where, const char *name)
{
	if (tensor->type == CN_TENSOR_F32 && tensor->rank == 3 && tensor->shape[0] == 1 && tensor->count > 0)
		return 0;
	return cn_fail(CAIRN_EFORMAT, "%s: output '%s' is not tokens (1 x number x channels) of float32", where, name);
}

int cn_map_of_patches(cn_map *out, const cn_tensor *tensor, const cn_tokens *tokens, uint32_t width, uint32_t height,
		      const char *where, const char *name, float **buffer)
{
	CN_TRY(check_tokens(tensor, where, name));
	size_t across = width / tokens->patch, down = height / tokens->patch, positions = across * down;
	size_t count = tensor->shape[1], channels = tensor->shape[2];
	if (positions == 0 || count != tokens->prefix + positions)
		return cn_fail(CAIRN_EFORMAT,
			       "%s: output '%s' has %zu tokens, but %u and %zu x %zu patches of %u pixels are expected "
			       "of an input of %u x %u",
			       where, name, count, tokens->prefix, across, down, tokens->patch, width, height);
	const float *data = (const float *)tensor->data + tokens->prefix * channels;
	float *planes = cn_alloc_aligned(positions * channels, sizeof(*planes));
	if (!planes)
		return CAIRN_ENOMEM;
	for (size_t i = 0; i < positions; i++)
		for (size_t c = 0; c < channels; c++)
			planes[c * positions + i] = data[i * channels + c];
	*out = (cn_map){ planes, channels, down, across };
	*buffer = planes;
	return 0;
}

int cn_map_of_class(cn_map *out, const cn_tensor *tensor, const char *where, const char *name)
{
	CN_TRY(check_tokens(tensor, where, name));
	*out = (cn_map){ tensor->data, tensor->shape[2], 1, 1 };
	return 0;
}
