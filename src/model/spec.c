/*
 * What the parts of a model.json share.
 */
#include "model/spec.h"

#include <stdio.h>
#include <string.h>

#include "util/memory.h"

int cn_spec_get_name(const json_t *object, const char *where, const char *key, char **out)
{
	const char *text;
	CN_TRY(cn_json_get_text(object, where, key, &text));
	*out = cn_strdup(text);
	return *out ? 0 : CAIRN_ENOMEM;
}

int cn_spec_opt_scales(const json_t *object, const char *where, float *scales, uint32_t *count)
{
	const json_t *array = NULL;
	CN_TRY(cn_json_opt_array(object, where, "scales", &array));
	if (!array)
		return 0;
	size_t size = json_array_size(array);
	if (size < 1 || size > CN_MOST_SCALES)
		return cn_fail(CAIRN_EFORMAT, "%s: \"scales\" has %zu numbers, but must have 1 to %d", where, size,
			       CN_MOST_SCALES);
	*count = (uint32_t)size;
	for (size_t i = 0; i < size; i++) {
		double scale = json_number_value(json_array_get(array, i));
		if (!(scale >= 0.05 && scale <= 8))
			return cn_fail(CAIRN_EFORMAT, "%s: number %zu of \"scales\" is not a number from 0.05 to 8",
				       where, i);
		scales[i] = (float)scale;
	}
	return 0;
}

int cn_spec_opt_tokens(const json_t *object, const char *where, cn_tokens *tokens)
{
	static const char *const known[] = { "prefix", "patch", NULL };
	const json_t *member = NULL;
	char place[512];
	CN_TRY(cn_json_opt_object(object, where, "tokens", &member));
	if (!member)
		return 0;
	snprintf(place, sizeof(place), "%.450s.tokens", where);
	CN_TRY(cn_json_only(member, place, known));
	CN_TRY(cn_json_get_size(member, place, "prefix", 0, 1024, &tokens->prefix));
	return cn_json_get_size(member, place, "patch", 1, 1024, &tokens->patch);
}

int cn_spec_refuse(const json_t *object, const char *where, const char *const *keys, const char *with)
{
	for (size_t i = 0; keys[i]; i++)
		if (json_object_get(object, keys[i]))
			return cn_fail(CAIRN_EFORMAT, "%s: \"%s\" goes with %s only", where, keys[i], with);
	return 0;
}

int cn_spec_find_output(const cn_onnx_info *info, const char *where, const char *file, const char *name,
			const char *member, int integers, const cn_onnx_port **out)
{
	const cn_onnx_port *port = cn_onnx_output(info, name);
	if (!port)
		return cn_fail(CAIRN_EFORMAT, "%s: %s has no output '%s' (\"%s\" in model.json); its first is '%s'",
			       where, file, name, member, info->outputs[0].name);
	if (port->type == CN_TENSOR_U8 || (port->type != CN_TENSOR_F32 && !integers))
		return cn_fail(CAIRN_EFORMAT, "%s: the output '%s' of %s is not float32%s", where, name, file,
			       integers ? ", int32 or int64" : "");
	if (out)
		*out = port;
	return 0;
}

void cn_spec_hash_numbers(XXH3_state_t *state, const double *numbers, size_t count)
{
	XXH3_128bits_update(state, numbers, count * sizeof(*numbers));
}

void cn_spec_hash_floats(XXH3_state_t *state, const float *numbers, size_t count)
{
	if (numbers)
		XXH3_128bits_update(state, numbers, count * sizeof(*numbers));
}

void cn_spec_hash_text(XXH3_state_t *state, const char *text)
{
	XXH3_128bits_update(state, text ? text : "", text ? strlen(text) + 1 : 1);
}
