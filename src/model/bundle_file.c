/*
 * Files of a bundle: only plain names inside its folder, and arrays of numbers in NumPy's format.
 */
#include "model/bundle_file.h"

#include <math.h>
#include <string.h>

#include "util/file.h"
#include "util/memory.h"
#include "util/npy.h"
#include "util/text.h"

int cn_bundle_get_file(const json_t *object, const char *where, const char *key, char **out)
{
	const char *text;
	CN_TRY(cn_json_get_text(object, where, key, &text));
	if (!text[0] || text[0] == '.' || strchr(text, '/'))
		return cn_fail(CAIRN_EFORMAT, "%s: \"%s\" is \"%s\", but must name a file in the bundle's folder",
			       where, key, text);
	*out = cn_strdup(text);
	return *out ? 0 : CAIRN_ENOMEM;
}

int cn_bundle_opt_file(const json_t *object, const char *where, const char *key, char **out)
{
	return json_object_get(object, key) ? cn_bundle_get_file(object, where, key, out) : 0;
}

static int copy_finite(const cn_npy *array, const char *path, float **out)
{
	const float *numbers = array->data;
	for (size_t i = 0; i < array->count; i++)
		if (!isfinite(numbers[i]))
			return cn_fail(CAIRN_EFORMAT, "%s: number %zu is not finite", path, i);
	*out = cn_memdup(numbers, array->count * sizeof(float));
	return *out ? 0 : CAIRN_ENOMEM;
}

int cn_bundle_read_array(const char *folder, const char *file, size_t rank, size_t *shape, float **out)
{
	cn_npy array;
	char *path = cn_path_join(folder, file);
	if (!path)
		return CAIRN_ENOMEM;
	int status = cn_npy_open(&array, path);
	if (status == 0) {
		status = cn_npy_expect(&array, path, CN_NPY_F32, rank, shape);
		if (status == 0)
			status = copy_finite(&array, path, out);
		for (size_t i = 0; status == 0 && i < rank; i++)
			shape[i] = array.shape[i];
		cn_npy_close(&array);
	}
	cn_free(path);
	return status;
}
