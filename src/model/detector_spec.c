/*
 * "detector" of model.json, parsed strictly.
 */
#include "model/detector_spec.h"

#include <stdio.h>
#include <string.h>

#include "util/memory.h"

#define DEFAULT_THRESHOLD 0.1f /* of Detect-to-Retrieve */
#define DEFAULT_BOXES     100
#define MOST_BOXES        1000
#define MOST_CLASS        65535
#define MOST_NUMBER       1e6

static int parse_outputs(cn_detector_spec *spec, const json_t *detector, const char *where)
{
	static const char *const known[] = { "boxes", "scores", "classes", NULL };
	const json_t *outputs;
	char place[512];
	CN_TRY(cn_json_get_object(detector, where, "outputs", &outputs));
	snprintf(place, sizeof(place), "%.450s.outputs", where);
	CN_TRY(cn_json_only(outputs, place, known));
	CN_TRY(cn_spec_get_name(outputs, place, "boxes", &spec->boxes));
	CN_TRY(cn_spec_get_name(outputs, place, "scores", &spec->scores));
	return json_object_get(outputs, "classes") ? cn_spec_get_name(outputs, place, "classes", &spec->classes) : 0;
}

static int parse_class_ids(cn_detector_spec *spec, const json_t *detector, const char *where)
{
	const json_t *array = NULL;
	CN_TRY(cn_json_opt_array(detector, where, "class_ids", &array));
	if (!array)
		return 0;
	size_t count = json_array_size(array);
	if (count < 1 || count > CN_MOST_CLASSES)
		return cn_fail(CAIRN_EFORMAT, "%s: \"class_ids\" has %zu numbers, but must have 1 to %d", where, count,
			       CN_MOST_CLASSES);
	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_array_get(array, i);
		json_int_t id = json_integer_value(item);
		if (!json_is_integer(item) || id < 0 || id > MOST_CLASS)
			return cn_fail(CAIRN_EFORMAT,
				       "%s: number %zu of \"class_ids\" is not a whole number from 0 to %d", where, i,
				       MOST_CLASS);
		spec->class_ids[i] = (uint32_t)id;
	}
	spec->class_count = (uint32_t)count;
	return 0;
}

int cn_detector_parse(cn_detector_spec *spec, const json_t *detector, const char *where)
{
	static const char *const known[] = { "outputs",   "format",    "coordinates", "threshold",
					     "class_ids", "max_boxes", "iou",         NULL };
	static const char *const formats[] = { "xyxy", "yxyx", "cxcywh", NULL };
	static const char *const coordinates[] = { "pixels", "normalised", NULL };
	int format;
	CN_TRY(cn_json_only(detector, where, known));
	CN_TRY(parse_outputs(spec, detector, where));
	CN_TRY(cn_json_get_choice(detector, where, "format", formats, &format));
	spec->format = (cn_box_format)format;
	CN_TRY(cn_json_get_choice(detector, where, "coordinates", coordinates, &spec->normalised));
	spec->threshold = DEFAULT_THRESHOLD;
	CN_TRY(cn_json_opt_real(detector, where, "threshold", -MOST_NUMBER, MOST_NUMBER, &spec->threshold));
	spec->iou = 1;
	CN_TRY(cn_json_opt_real(detector, where, "iou", 0, 1, &spec->iou));
	spec->max_boxes = DEFAULT_BOXES;
	CN_TRY(cn_json_opt_size(detector, where, "max_boxes", 1, MOST_BOXES, &spec->max_boxes));
	return parse_class_ids(spec, detector, where);
}

void cn_detector_free(cn_detector_spec *spec)
{
	cn_free(spec->boxes);
	cn_free(spec->scores);
	cn_free(spec->classes);
	memset(spec, 0, sizeof(*spec));
}

void cn_detector_hash(XXH3_state_t *state, const cn_detector_spec *spec)
{
	const double numbers[] = {
		spec->format,      spec->normalised, (double)spec->threshold,
		(double)spec->iou, spec->max_boxes,  spec->class_count,
	};
	cn_spec_hash_text(state, "detector");
	cn_spec_hash_numbers(state, numbers, sizeof(numbers) / sizeof(*numbers));
	XXH3_128bits_update(state, spec->class_ids, spec->class_count * sizeof(*spec->class_ids));
	cn_spec_hash_text(state, spec->boxes);
	cn_spec_hash_text(state, spec->scores);
	cn_spec_hash_text(state, spec->classes);
}

int cn_detector_check_outputs(const cn_detector_spec *spec, const cn_onnx_info *info, const char *where,
			      const char *file)
{
	CN_TRY(cn_spec_find_output(info, where, file, spec->boxes, "boxes", 1, NULL));
	CN_TRY(cn_spec_find_output(info, where, file, spec->scores, "scores", 0, NULL));
	return spec->classes ? cn_spec_find_output(info, where, file, spec->classes, "classes", 1, NULL) : 0;
}
