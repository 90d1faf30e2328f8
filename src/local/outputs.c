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
