/* Boxes of a detector: where they are, which are kept and in what order, and what is refused. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../collection/photos.h"
#include "cairn/descriptors.h"
#include "local/boxes.h"
#include "torture.h"

/* Working images are half as large. */
enum { WIDTH = 128, HEIGHT = 96 };

#define OUTPUTS "\"outputs\": {\"boxes\": \"boxes\", \"scores\": \"scores\"}"
#define TOLD    "\"outputs\": {\"boxes\": \"boxes\", \"scores\": \"scores\", \"classes\": \"classes\"}"
#define PIXELS  ", \"coordinates\": \"pixels\""
#define XYXY    OUTPUTS PIXELS ", \"format\": \"xyxy\""

static cairn_model *opened(const char *members, const detector_listing *listing)
{
	cairn_model_options how = CAIRN_MODEL_OPTIONS_INIT;
	cairn_model *model;
	how.threads = 1;
	const char *folder = keep(cn_test_path(cn_test_folder(), "boxes"));
	model_write_detector(folder, "boxes", members, listing);
	assert_ok(cairn_model_open(&model, folder, &how));
	return model;
}

static int detect(cn_boxes *out, const char *members, const detector_listing *listing)
{
	cairn_model *model = opened(members, listing);
	cairn_image *image;
	assert_ok(cairn_image_new(&image, WIDTH, HEIGHT, NULL));
	int status = cn_boxes_detect(out, model, image);
	cairn_image_free(image);
	cairn_model_free(model);
	return status;
}

static void assert_box(const cn_found_box *box, const double *place, double score)
{
	assert_float_equal(box->place.x0, place[0], 1e-4);
	assert_float_equal(box->place.y0, place[1], 1e-4);
	assert_float_equal(box->place.x1, place[2], 1e-4);
	assert_float_equal(box->place.y1, place[3], 1e-4);
	assert_float_equal(box->score, score, 1e-6);
}

static void all_formats_name_the_same_box(void **state)
{
	(void)state;
	static const struct {
		const char *members;
		float box[4];
	} cases[] = {
		{ XYXY, { 4, 6, 20, 30 } },
		{ OUTPUTS PIXELS ", \"format\": \"yxyx\"", { 6, 4, 30, 20 } },
		{ OUTPUTS PIXELS ", \"format\": \"cxcywh\"", { 12, 18, 16, 24 } },
		{ OUTPUTS ", \"coordinates\": \"normalised\", \"format\": \"xyxy\"",
		  { 0.0625f, 0.125f, 0.3125f, 0.625f } },
		{ OUTPUTS ", \"coordinates\": \"normalised\", \"format\": \"cxcywh\"",
		  { 0.1875f, 0.375f, 0.25f, 0.5f } },
	};
	const float score = 0.5f;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cn_boxes boxes;
		assert_ok(detect(&boxes, cases[i].members,
				 &(detector_listing){ .count = 1, .boxes = cases[i].box, .scores = &score }));
		assert_int_equal(boxes.count, 1);
		assert_box(&boxes.items[0], (const double[]){ 8, 12, 40, 60 }, 0.5);
		cn_boxes_free(&boxes);
	}
}

/* Partly outside, empty, turned round, outside, below the threshold, at it, equal scores. */
static const float mixed[][4] = { { -5, -5, 10, 10 }, { 3, 3, 3, 9 },   { 9, 9, 2, 2 }, { 70, 0, 90, 9 },
				  { 0, 0, 9, 9 },     { 1, 2, 64, 99 }, { 5, 5, 6, 6 }, { 7, 7, 8, 8 } };
static const float mixed_scores[] = { 0.3f, 0.9f, 0.9f, 0.9f, 0.0999f, 0.1f, 0.5f, 0.5f };
static const detector_listing mixed_listing = { .count = 8, .boxes = mixed[0], .scores = mixed_scores };

static void boxes_are_clipped_and_in_order(void **state)
{
	(void)state;
	static const struct {
		double place[4], score;
	} wanted[] = { { { 10, 10, 12, 12 }, 0.5 },
		       { { 14, 14, 16, 16 }, 0.5 },
		       { { 0, 0, 20, 20 }, 0.3 },
		       { { 2, 4, 128, 96 }, 0.1 } };
	for (size_t most = 1; most <= 5; most++) {
		char members[512];
		cn_boxes boxes;
		snprintf(members, sizeof(members), XYXY ", \"max_boxes\": %zu", most);
		assert_ok(detect(&boxes, members, &mixed_listing));
		assert_int_equal(boxes.count, most < 4 ? most : 4);
		for (size_t i = 0; i < boxes.count; i++)
			assert_box(&boxes.items[i], wanted[i].place, wanted[i].score);
		cn_boxes_free(&boxes);
	}
}

static void classes_that_count(void **state)
{
	(void)state;
	static const float places[] = { 0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10 };
	static const float single[] = { 0.5f, 0.6f, 0.7f };
	static const float columns[] = { 0.5f, 0.9f, 0.2f, 0.1f, 0.2f, 0.8f, 0.05f, 0.95f, 0.05f };
	static const int64_t classes[] = { 3, 0, 70000 };
	const detector_listing told = { .count = 3, .boxes = places, .scores = single, .classes = classes },
			       of_columns = { .count = 3, .columns = 3, .boxes = places, .scores = columns };
	const struct {
		const char *members;
		const detector_listing *listing;
		size_t count;
		double x[3], scores[3];
	} cases[] = {
		{ TOLD PIXELS ", \"format\": \"xyxy\"", &told, 3, { 16, 8, 0 }, { 0.7, 0.6, 0.5 } },
		{ TOLD PIXELS ", \"format\": \"xyxy\", \"class_ids\": [3, 7]", &told, 1, { 0 }, { 0.5 } },
		{ TOLD PIXELS ", \"format\": \"xyxy\", \"class_ids\": [0, 3]", &told, 2, { 8, 0 }, { 0.6, 0.5 } },
		{ XYXY, &of_columns, 3, { 16, 0, 8 }, { 0.95, 0.9, 0.8 } },
		{ XYXY ", \"class_ids\": [2, 0]", &of_columns, 2, { 8, 0 }, { 0.8, 0.5 } },
		{ XYXY ", \"class_ids\": [9]", &of_columns, 0, { 0 }, { 0 } },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cn_boxes boxes;
		assert_ok(detect(&boxes, cases[i].members, cases[i].listing));
		assert_int_equal(boxes.count, cases[i].count);
		for (size_t k = 0; k < boxes.count; k++) {
			assert_float_equal(boxes.items[k].place.x0, cases[i].x[k], 1e-4);
			assert_float_equal(boxes.items[k].score, cases[i].scores[k], 1e-6);
		}
		cn_boxes_free(&boxes);
	}
}

/* ---- overlap ---- */

enum { MANY = 60 };

static double overlap(const float *a, const float *b)
{
	double x = fmin((double)a[2], (double)b[2]) - fmax((double)a[0], (double)b[0]);
	double y = fmin((double)a[3], (double)b[3]) - fmax((double)a[1], (double)b[1]);
	double shared = x > 0 && y > 0 ? x * y : 0;
	double both = (double)((a[2] - a[0]) * (a[3] - a[1])) + (double)((b[2] - b[0]) * (b[3] - b[1]));
	return shared / (both - shared);
}

/* The best that is left, again and again, which takes away what overlaps it. @return how many there are */
static size_t choose_plainly(float places[][4], const float *scores, double iou, size_t *order)
{
	int left[MANY];
	size_t count = 0;
	for (size_t i = 0; i < MANY; i++)
		left[i] = scores[i] >= 0.1f;
	for (;;) {
		size_t best = MANY;
		for (size_t i = 0; i < MANY; i++)
			if (left[i] && (best == MANY || scores[i] > scores[best]))
				best = i;
		if (best == MANY)
			return count;
		order[count++] = best;
		for (size_t i = 0; i < MANY; i++)
			left[i] = left[i] && i != best && (iou >= 1 || overlap(places[i], places[best]) <= iou);
	}
}

static void better_boxes_take_the_place_of_those_they_overlap(void **state)
{
	(void)state;
	float places[MANY][4], scores[MANY];
	uint64_t seed = 3;
	for (size_t i = 0; i < MANY; i++) {
		places[i][0] = floorf(40 * cn_test_uniform(&seed));
		places[i][1] = floorf(30 * cn_test_uniform(&seed));
		places[i][2] = places[i][0] + 4 + floorf(16 * cn_test_uniform(&seed));
		places[i][3] = places[i][1] + 4 + floorf(12 * cn_test_uniform(&seed));
		scores[i] = floorf(20 * cn_test_uniform(&seed)) / 20;
	}
	const detector_listing listing = { .count = MANY, .boxes = places[0], .scores = scores };
	size_t fewest = MANY;
	for (int tenths = 10; tenths >= 0; tenths -= 2) {
		char members[512];
		size_t order[MANY], count = choose_plainly(places, scores, tenths / 10.0, order);
		cn_boxes boxes;
		snprintf(members, sizeof(members), XYXY ", \"iou\": %g", tenths / 10.0);
		assert_ok(detect(&boxes, members, &listing));
		assert_int_equal(boxes.count, count);
		for (size_t i = 0; i < count; i++) {
			const float *place = places[order[i]];
			const double wanted[] = { 2 * (double)place[0], 2 * (double)place[1], 2 * (double)place[2],
						  2 * (double)place[3] };
			assert_box(&boxes.items[i], wanted, (double)scores[order[i]]);
		}
		assert_true(count <= fewest);
		fewest = count;
		cn_boxes_free(&boxes);
	}
	assert_true(fewest > 1 && fewest < MANY / 2);
}

/* ---- what is refused ---- */

static void outputs_that_are_no_boxes(void **state)
{
	(void)state;
	static const float numbers[8] = { 0 }, broken[] = { 1, 1, NAN, 3 };
	static const float score = 0.5f, infinite = INFINITY;
	const detector_listing sound = { .count = 1, .boxes = numbers, .scores = &score },
			       of_columns = { .count = 1, .columns = 2, .boxes = numbers, .scores = numbers };
	const struct {
		const char *members;
		detector_listing listing;
		int code;
		const char *text;
	} cases[] = {
		{ XYXY, { .count = 1, .boxes = broken, .scores = &score }, CAIRN_EBACKEND, "not finite" },
		{ XYXY, { .count = 1, .boxes = numbers, .scores = &infinite }, CAIRN_EBACKEND, "not finite" },
		{ XYXY ", \"class_ids\": [1]", sound, CAIRN_EFORMAT, "\"class_ids\" needs an output" },
		{ "\"outputs\": {\"boxes\": \"scores\", \"scores\": \"scores\"}" PIXELS ", \"format\": \"xyxy\"", sound,
		  CAIRN_EFORMAT, "'scores' is not 1 x N x 4" },
		{ "\"outputs\": {\"boxes\": \"boxes\", \"scores\": \"scores\", \"classes\": \"scores\"}" PIXELS
		  ", \"format\": \"xyxy\"",
		  of_columns, CAIRN_EFORMAT, "'scores' is not 1 x N" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cn_boxes boxes;
		assert_fails(detect(&boxes, cases[i].members, &cases[i].listing), cases[i].code, cases[i].text);
		assert_int_equal(boxes.count, 0);
	}
}

static void networks_without_the_outputs(void **state)
{
	(void)state;
	static const float numbers[4] = { 0 };
	const detector_listing listing = { .count = 1, .boxes = numbers, .scores = numbers };
	cairn_model *model;
	const char *folder = keep(cn_test_path(cn_test_folder(), "boxes"));
	model_write_detector(folder, "boxes", TOLD PIXELS ", \"format\": \"xyxy\"", &listing);
	assert_fails(cairn_model_open(&model, folder, NULL), CAIRN_EFORMAT,
		     "no output 'classes' (\"classes\" in model.json)");
}

static void other_uses_refuse_a_detector(void **state)
{
	(void)state;
	const char *folder = keep(cn_test_path(cn_test_folder(), "boxes"));
	const cairn_describer_model described = { folder, 1 };
	cairn_describer *describer;
	cairn_extractor *extractor;
	cairn_model *model;
	cairn_model_info info;
	model_write_boxes(folder, "boxes");
	assert_fails(cairn_describer_new(&describer, &described, 1, NULL), CAIRN_EINVALID, "gives boxes, not a global");
	assert_fails(cairn_extractor_new(&extractor, folder, NULL), CAIRN_EINVALID, "gives boxes, not local features");
	assert_ok(cairn_model_inspect(&model, folder));
	cairn_model_get_info(model, &info);
	assert_string_equal(info.kind, "detector");
	assert_int_equal(info.dim, 0);
	cairn_model_free(model);
}

struct scene {
	cairn_model *model;
	cairn_image *image;
};

static int detect_once(void *context)
{
	struct scene *scene = context;
	cn_boxes boxes;
	int status = cn_boxes_detect(&boxes, scene->model, scene->image);
	cn_boxes_free(&boxes);
	return status;
}

static void short_memory_is_reported(void **state)
{
	(void)state;
	struct scene scene = { .model = opened(XYXY, &mixed_listing) };
	assert_ok(cairn_image_new(&scene.image, WIDTH, HEIGHT, NULL));
	assert_ok(detect_once(&scene));
	assert_true(cn_torture(detect_once, &scene) >= 2);
	cairn_image_free(scene.image);
	cairn_model_free(scene.model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_formats_name_the_same_box),
		cmocka_unit_test(boxes_are_clipped_and_in_order),
		cmocka_unit_test(classes_that_count),
		cmocka_unit_test(better_boxes_take_the_place_of_those_they_overlap),
		cmocka_unit_test(outputs_that_are_no_boxes),
		cmocka_unit_test(networks_without_the_outputs),
		cmocka_unit_test(other_uses_refuse_a_detector),
		cmocka_unit_test(short_memory_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
