/*
 * Outputs of local models, checked.
 */
#include "local/outputs.h"

#include "math/dot.h"
#include "util/memory.h"

int cn_local_check(const cairn_model *model, const float *numbers, size_t count)
{
	if (cn_all_finite(numbers, count))
		return 0;
	return cn_fail(CAIRN_EBACKEND, "model '%s' gave numbers that are not finite; its weights may be damaged",
		       model->name);
}

int cn_local_map(const cairn_model *model, cn_request *request, const char *name, size_t channels, uint32_t width,
		 uint32_t height, cn_map *out, float **buffer)
{
	CN_TRY(cn_model_map(model, request, name, &model->local.tokens, width, height, out, buffer));
	int status = 0;
	if (channels && out->channels != channels)
		status = cn_fail(CAIRN_EFORMAT, "model '%s': output '%s' has %zu channels, but must have %zu",
				 model->name, name, out->channels, channels);
	if (status == 0)
		status = cn_local_check(model, out->data, out->channels * cn_map_positions(out));
	if (status < 0) {
		cn_free(*buffer);
		*buffer = NULL;
	}
	return status;
}

double cn_local_number(const cn_tensor *tensor, size_t i)
{
	switch (tensor->type) {
	case CN_TENSOR_I64:
		return (double)((const int64_t *)tensor->data)[i];
	case CN_TENSOR_I32:
		return ((const int32_t *)tensor->data)[i];
	default:
		return (double)((const float *)tensor->data)[i];
	}
}

int cn_local_list(const cairn_model *model, cn_request *request, const char *name, size_t columns, int integers,
		  cn_tensor *out, size_t *count)
{
	CN_TRY(cn_request_output(request, name, out));
	size_t rank = columns ? 2 : 1, first = out->rank > rank ? 1 : 0;
	int fits = out->rank == rank + first && (!first || out->shape[0] == 1) &&
		   (!columns || out->shape[first + 1] == columns);
	if (!fits && columns)
		return cn_fail(CAIRN_EFORMAT, "model '%s': output '%s' is not 1 x N x %zu", model->name, name, columns);
	if (!fits)
		return cn_fail(CAIRN_EFORMAT, "model '%s': output '%s' is not 1 x N", model->name, name);
	if (out->type != CN_TENSOR_F32 && !(integers && out->type != CN_TENSOR_U8))
		return cn_fail(CAIRN_EFORMAT, "model '%s': output '%s' is not float32%s", model->name, name,
			       integers ? ", int32 or int64" : "");
	*count = out->shape[first];
	return out->type == CN_TENSOR_F32 ? cn_local_check(model, out->data, out->count) : 0;
}
