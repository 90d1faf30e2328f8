#include "photos.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "collection/handle.h"
#include "collection/store.h"
#include "math/half.h"
#include "model/onnx_write.h"
#include "util/crc.h"
#include "util/text.h"

enum { WIDTH = 120, HEIGHT = 90 };

const char *keep(const char *text)
{
	static char kept[256][512];
	static int next;
	char *copy = kept[next++ % 256];
	snprintf(copy, sizeof(kept[0]), "%s", text);
	return copy;
}

void photo_save_moved(const char *path, uint64_t seed, int right, int down)
{
	static uint8_t pixels[HEIGHT][WIDTH][3];
	cairn_image *image;
	uint64_t state = seed * 7919 + 1;
	memset(pixels, 90, sizeof(pixels));
	for (int blob = 0; blob < 40; blob++) {
		int x = (int)(cn_test_random(&state) % WIDTH), y = (int)(cn_test_random(&state) % HEIGHT);
		int radius = 2 + (int)(cn_test_random(&state) % 7);
		uint64_t colour = cn_test_random(&state);
		x += right;
		y += down;
		for (int v = y - radius; v <= y + radius; v++) {
			for (int u = x - radius; u <= x + radius; u++) {
				int inside = u >= 0 && v >= 0 && u < WIDTH && v < HEIGHT &&
					     (u - x) * (u - x) + (v - y) * (v - y) <= radius * radius;
				for (int c = 0; c < 3 && inside; c++)
					pixels[v][u][c] = (uint8_t)(colour >> (8 * c));
			}
		}
	}
	assert_ok(cairn_image_new(&image, WIDTH, HEIGHT, &pixels[0][0][0]));
	assert_ok(cairn_image_save(image, path));
	cairn_image_free(image);
}

void photo_save(const char *path, uint64_t seed)
{
	photo_save_moved(path, seed, 0, 0);
}

void photo_save_plain(const char *path)
{
	cairn_image *image;
	assert_ok(cairn_image_new(&image, WIDTH, HEIGHT, NULL));
	assert_ok(cairn_image_save(image, path));
	cairn_image_free(image);
}

const char *photo_views(size_t places, size_t views, uint64_t seed)
{
	const char *folder = keep(cn_test_folder());
	for (size_t i = 0; i < places * views; i++) {
		char name[64];
		int view = (int)(i % views);
		snprintf(name, sizeof(name), "place-%02zu-view-%d.png", i / views, view);
		photo_save_moved(cn_test_path(folder, name), seed + i / views, 5 * view, -3 * view);
	}
	return folder;
}

const char *photo_folder(size_t count, uint64_t seed)
{
	const char *folder = keep(cn_test_folder());
	for (size_t i = 0; i < count; i++) {
		char name[32];
		snprintf(name, sizeof(name), "%03zu.png", i);
		photo_save(cn_test_path(folder, name), seed + i);
	}
	return folder;
}

/* A convolution with random weights whose windows do not overlap, then `op`; an output of that name. */
static void add_output(cn_onnx_graph *graph, const char *x, const char *name, size_t outputs, size_t kernel,
		       const char *op, uint64_t seed)
{
	size_t count = outputs * 3 * kernel * kernel;
	float *weight = calloc(count, sizeof(*weight));
	for (size_t i = 0; i < count; i++)
		weight[i] = cn_test_normal(&seed);
	cn_onnx_conv_spec conv = {
		.weight = weight, .outputs = outputs, .inputs = 3, .kernel = kernel, .stride = kernel
	};
	x = cn_onnx_op(graph, op, cn_onnx_conv(graph, x, &conv), NULL);
	cn_onnx_graph_output(graph, x, name, 4, (const int64_t[]){ 1, (int64_t)outputs, -1, -1 });
	free(weight);
}

static void write_network(const char *path, int is_local, uint64_t seed)
{
	cn_onnx_graph *graph;
	assert_ok(cn_onnx_graph_new(&graph, "tiny"));
	const char *x = cn_onnx_graph_input(graph, "image", CN_TENSOR_F32, 4, (const int64_t[]){ 1, 3, -1, -1 });
	if (is_local) {
		add_output(graph, x, "descriptors", 16, 8, "Relu", seed);
		add_output(graph, x, "keypoints", 65, 8, "Tanh", seed + 1);
		add_output(graph, x, "reliability", 1, 8, "Sigmoid", seed + 2);
	} else {
		add_output(graph, x, "map", 16, 4, "Relu", seed);
		add_output(graph, x, "attention", 1, 4, "Sigmoid", seed + 1);
	}
	assert_ok(cn_onnx_graph_write(graph, path));
	cn_onnx_graph_free(graph);
}

static void write_json(const char *folder, const char *name, const char *kind, const char *part)
{
	static const char form[] =
		"{\"format\": 1, \"name\": \"%s\", \"kind\": \"%s\", \"network\": \"model.onnx\", \"cache\": false,"
		" \"input\": {\"type\": \"f32\", \"layout\": \"NCHW\", \"channels\": \"RGB\", \"mean\": [127, 127, "
		"127],"
		" \"std\": [64, 64, 64], \"longest\": 64, \"multiple\": 16}, %s}";
	char json[2048];
	int length = snprintf(json, sizeof(json), form, name, kind, part);
	if (mkdir(folder, 0700) != 0)
		abort();
	cn_test_write(cn_test_path(folder, "model.json"), json, (size_t)length);
}

static void write_bundle(const char *folder, const char *name, int is_local, uint64_t seed)
{
	static const char global[] = "\"global\": {\"output\": \"map\", \"pool\": \"gem\", \"p\": 3, \"dim\": 16}";
	static const char local[] = "\"local\": {\"descriptors\": \"descriptors\", \"keypoints\": \"keypoints\", "
				    "\"reliability\": \"reliability\","
				    " \"dim\": 16, \"max_points\": 200, \"threshold\": 0.01}";
	write_json(folder, name, is_local ? "local" : "global", is_local ? local : global);
	write_network(cn_test_path(folder, "model.onnx"), is_local, seed);
}

static void write_detector(const char *path, const detector_listing *listing)
{
	cn_onnx_graph *graph;
	size_t count = listing->count, columns = listing->columns;
	const int64_t n = (int64_t)count;
	assert_ok(cn_onnx_graph_new(&graph, "detector"));
	const char *x = cn_onnx_graph_input(graph, "image", CN_TENSOR_F32, 4, (const int64_t[]){ 1, 3, -1, -1 });
	const char *mean = cn_onnx_op(graph, "ReduceMean", x, NULL);
	cn_onnx_set_int(graph, "keepdims", 0);
	const char *zero = cn_onnx_op(graph, "Mul", mean, cn_onnx_float(graph, 0));
	const char *boxes =
		cn_onnx_op(graph, "Add", cn_onnx_floats(graph, 3, (const size_t[]){ 1, count, 4 }, listing->boxes),
			   cn_onnx_op(graph, "Mul", mean, cn_onnx_float(graph, listing->drift)));
	cn_onnx_graph_output(graph, boxes, "boxes", 3, (const int64_t[]){ 1, n, 4 });
	const char *scores =
		cn_onnx_floats(graph, columns ? 3 : 2, (const size_t[]){ 1, count, columns }, listing->scores);
	cn_onnx_graph_output(graph, cn_onnx_op(graph, "Add", scores, zero), "scores", columns ? 3 : 2,
			     (const int64_t[]){ 1, n, (int64_t)columns });
	if (listing->classes) {
		const char *none = cn_onnx_op(graph, "Cast", zero, NULL);
		cn_onnx_set_int(graph, "to", 7);
		cn_onnx_graph_output(graph,
				     cn_onnx_op(graph, "Add", cn_onnx_integers(graph, count, listing->classes), none),
				     "classes", 1, &n);
	}
	assert_ok(cn_onnx_graph_write(graph, path));
	cn_onnx_graph_free(graph);
}

void model_write_detector(const char *folder, const char *name, const char *members, const detector_listing *listing)
{
	char part[1024];
	snprintf(part, sizeof(part), "\"detector\": {%s}", members);
	write_json(folder, name, "detector", part);
	write_detector(cn_test_path(folder, "model.onnx"), listing);
}

void model_write_boxes(const char *folder, const char *name)
{
	static const float boxes[] = { 0.05f, 0.1f, 0.5f, 0.6f, 0.4f, 0.3f, 0.9f, 0.95f, 0.2f, 0.2f, 0.8f, 0.7f };
	static const float scores[] = { 0.5f, 0.9f, 0.05f };
	const detector_listing listing = { .count = 3, .boxes = boxes, .scores = scores, .drift = 0.05f };
	model_write_detector(folder, name,
			     "\"outputs\": {\"boxes\": \"boxes\", \"scores\": \"scores\"}, \"format\": \"yxyx\", "
			     "\"coordinates\": \"normalised\"",
			     &listing);
}

void model_write_local(const char *folder, const char *name, uint64_t seed)
{
	write_bundle(folder, name, 1, seed);
}

const char *model_home_new(void)
{
	const char *home = cn_test_folder(), *models = keep(cn_test_path(home, "models"));
	if (setenv("CAIRN_HOME", home, 1) != 0 || mkdir(models, 0700) != 0)
		abort();
	return models;
}

void model_write(const char *folder, const char *name, uint64_t seed)
{
	write_bundle(folder, name, 0, seed);
}

const char *model_new(const char *name, uint64_t seed)
{
	const char *folder = keep(cn_test_path(cn_test_folder(), name));
	model_write(folder, name, seed);
	return folder;
}

const char *collection_new(void)
{
	static const char *const locals[] = { "rootsift" };
	cairn_collection_options options = { CAIRN_COLLECTION_OPTIONS_VERSION, NULL, 0, locals, 1, NULL };
	const char *folder = keep(cn_test_path(cn_test_folder(), "collection"));
	assert_ok(cairn_collection_create(folder, &options));
	return folder;
}

cairn_collection *collection_new_open(void)
{
	cairn_collection *collection;
	assert_ok(cairn_collection_open(&collection, collection_new(), 1));
	return collection;
}

cairn_add_report collection_add(cairn_collection *collection, const char *path, const cairn_add_options *options)
{
	cairn_add_report report;
	assert_ok(cairn_collection_add(collection, &path, 1, options, &report));
	return report;
}

const char *collection_made(const char *model, const char *second, const char *photos, uint32_t batch)
{
	static const char *const locals[] = { "rootsift" };
	const cairn_describer_model models[] = { { model, 2 }, { second, 1 } };
	const cairn_collection_options options = {
		CAIRN_COLLECTION_OPTIONS_VERSION, models, model ? (second ? 2 : 1) : 0, locals, 1, NULL
	};
	const char *folder = keep(cn_test_path(cn_test_folder(), "collection"));
	cairn_collection *collection;
	cairn_add_options how = CAIRN_ADD_OPTIONS_INIT;
	how.batch = batch;
	how.precision = "f32";
	assert_ok(cairn_collection_create(folder, &options));
	assert_ok(cairn_collection_open(&collection, folder, 1));
	collection_add(collection, photos, &how);
	cairn_collection_free(collection);
	return folder;
}

int64_t collection_add_rows(cairn_collection *collection, const float *rows, size_t count)
{
	cn_store *store;
	cn_segment_record record;
	cairn_features *features;
	int64_t segment, id;
	size_t numbers = count * collection->dim;
	uint16_t *halves = calloc(numbers, sizeof(*halves));
	const cn_image_entry image = { .path = "/three/rows.jpg", .width = 10, .height = 10, .hash = { 3, 3 } };
	const cairn_keypoint point = { .x = 5, .y = 5 };
	const float descriptor[128] = { 1 };
	assert_ok(cairn_features_new(&features, "rootsift", 10, 10, 1, 128, &point, descriptor));
	const cairn_features *const set[] = { features };
	assert_ok(cn_catalogue_begin(collection->catalogue));
	assert_ok(cn_catalogue_add_image(collection->catalogue, &image, &id));
	assert_ok(cn_catalogue_new_segment(collection->catalogue, &segment));
	assert_ok(cn_store_new(&store, collection, segment, count));
	cn_halves_from_floats(rows, numbers, halves);
	assert_ok(cn_store_add(store, id, halves, count, set, NULL));
	free(halves);
	assert_ok(cn_store_finish(store, &record));
	assert_ok(cn_catalogue_set_segment(collection->catalogue, &collection->sources, &record));
	assert_ok(cn_catalogue_commit(collection->catalogue));
	cn_segment_record_free(&record);
	cn_store_free(store);
	cairn_features_free(features);
	assert_ok(cn_collection_reload(collection));
	return id;
}

static void print_fault(const char *file, const char *fault, cairn_fault_state state, void *payload)
{
	(void)payload;
	print_message("# fault of state %d: %s: %s\n", (int)state, file, fault);
}

int collection_faults(cairn_collection *collection, cairn_check_mode mode)
{
	cairn_check_options options = CAIRN_CHECK_OPTIONS_INIT;
	options.mode = mode;
	options.on_fault = print_fault;
	int faults = cairn_collection_check(collection, &options);
	assert_ok(faults);
	return faults;
}

static void add_features(cn_text *text, cairn_collection *collection, int64_t id, const char *kind)
{
	cairn_features *features;
	assert_ok(cairn_collection_features(collection, id, kind, &features));
	size_t count = cairn_features_count(features);
	uint32_t crc = cn_crc32c(0, cairn_features_keypoints(features), count * sizeof(cairn_keypoint));
	crc = cn_crc32c(crc, cairn_features_codes(features), count * cairn_features_dim(features));
	assert_ok(cn_text_addf(text, " %s:%zu:%08x", kind, count, crc));
	cairn_features_free(features);
}

static void add_boxes(cn_text *text, cairn_collection *collection, int64_t id)
{
	const cn_box_segment *file;
	cn_boxes boxes;
	cn_segment *segment = &collection->now.segments[cn_snapshot_segment(&collection->now, id)];
	assert_ok(cn_segment_boxes(collection, segment, &file));
	assert_ok(cn_box_segment_read(file, id, &boxes));
	assert_ok(cn_text_addf(text, " boxes:%zu:%08x", boxes.count,
			       cn_crc32c(0, boxes.items, boxes.count * sizeof(*boxes.items))));
	cn_boxes_free(&boxes);
}

char *collection_text(cairn_collection *collection)
{
	cn_text text = CN_TEXT_INIT;
	cairn_collection_info info;
	int64_t *ids;
	size_t count;
	assert_ok(cairn_collection_get_info(collection, &info));
	float *row = calloc(info.dim + 1, sizeof(*row));
	assert_ok(cairn_collection_ids(collection, &ids, &count));
	assert_int_equal(count, info.images);
	assert_ok(cn_text_add(&text, ""));
	for (size_t i = 0; i < count; i++) {
		cairn_image_record record;
		assert_ok(cairn_collection_find_id(collection, ids[i], &record));
		assert_ok(cn_text_addf(&text, "%lld %s %s %ux%u", (long long)record.id, record.path,
				       record.label ? record.label : "-", record.width, record.height));
		if (info.dim)
			assert_ok(cairn_collection_descriptor(collection, ids[i], row));
		assert_ok(cn_text_addf(&text, " row:%08x", cn_crc32c(0, row, info.dim * sizeof(*row))));
		for (size_t k = 0; k < info.local_count; k++)
			add_features(&text, collection, ids[i], info.locals[k]);
		if (info.detector)
			add_boxes(&text, collection, ids[i]);
		assert_ok(cn_text_add(&text, "\n"));
	}
	cairn_bytes_free(ids);
	free(row);
	char *copy = strdup(text.data);
	cn_text_free(&text);
	return copy;
}

void file_overwrite(const char *path, size_t at, const void *bytes, size_t length)
{
	FILE *file = fopen(path, "r+b");
	assert_non_null(file);
	assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

long file_size(const char *path)
{
	struct stat info;
	return stat(path, &info) == 0 ? (long)info.st_size : -1;
}
