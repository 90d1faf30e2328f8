/*
 * Bundles: model.json parsed strictly, whitening read, everything that changes the output hashed into a fingerprint.
 */
#include "model/bundle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "model/onnx_read.h"
#include "util/file.h"
#include "util/json.h"
#include "util/mapped.h"
#include "util/memory.h"
#include "util/npy.h"
#include "util/text.h"

#define JSON_LIMIT (1u << 20)

/* ---- where bundles are ---- */

int cn_home(char **out)
{
	const char *given = getenv("CAIRN_HOME"), *data = getenv("XDG_DATA_HOME"), *user = getenv("HOME");
	if (given && given[0])
		return cn_path_absolute(out, given);
	if (data && data[0] == '/')
		*out = cn_path_join(data, "cairn");
	else if (user && user[0])
		*out = cn_path_join(user, ".local/share/cairn");
	else
		return cn_fail(CAIRN_ENOTFOUND,
			       "neither CAIRN_HOME nor HOME is set; set CAIRN_HOME to a folder for models");
	return *out ? 0 : CAIRN_ENOMEM;
}

int cairn_model_home(char **out)
{
	char *home = NULL;
	*out = NULL;
	CN_TRY(cn_home(&home));
	*out = cn_path_join(home, "models");
	cn_free(home);
	return *out ? 0 : CAIRN_ENOMEM;
}

int cn_bundle_check_name(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t length = strlen(name);
	if (length < 1 || length > 63 || name[0] == '.' || strspn(name, allowed) != length)
		return cn_fail(
			CAIRN_EINVALID,
			"'%.100s' cannot name a model: use 1 to 63 letters, digits, '.', '_' and '-', no '.' first",
			name);
	return 0;
}

int cn_bundle_folder(char **out, const char *name)
{
	char *home;
	CN_TRY(cn_bundle_check_name(name));
	CN_TRY(cairn_model_home(&home));
	*out = cn_path_join(home, name);
	cn_free(home);
	return *out ? 0 : CAIRN_ENOMEM;
}

void cairn_model_free(cairn_model *model)
{
	if (!model)
		return;
	cn_network_free(model->network);
	char *const texts[] = { model->name,
				model->folder,
				model->licence,
				model->network_name,
				model->onnx,
				model->global.output,
				model->global.mean_file,
				model->global.projection_file,
				model->local.descriptors,
				model->local.keypoints,
				model->local.reliability };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cn_free(texts[i]);
	cn_free(model->global.mean);
	cn_free(model->global.projection);
	cn_free(model);
}

/* ---- model.json ---- */

static int copy_text(char **out, const char *text)
{
	*out = cn_strdup(text);
	return *out ? 0 : CAIRN_ENOMEM;
}

/* One of a few words. `words` is ended by NULL; *out is its index. */
static int get_choice(const json_t *object, const char *where, const char *key, const char *const *words, int *out)
{
	const char *text;
	CN_TRY(cn_json_get_text(object, where, key, &text));
	cn_text list = CN_TEXT_INIT;
	for (int i = 0; words[i]; i++) {
		if (strcmp(words[i], text) == 0) {
			cn_text_free(&list);
			*out = i;
			return 0;
		}
		CN_TRY(cn_text_addf(&list, "%s\"%s\"", i ? ", " : "", words[i]));
	}
	int status = cn_fail(CAIRN_EFORMAT, "%s: \"%s\" is \"%s\"; known are %s", where, key, text, list.data);
	cn_text_free(&list);
	return status;
}

static int get_u32(const json_t *object, const char *where, const char *key, uint32_t min, uint32_t max, uint32_t *out)
{
	int64_t value;
	CN_TRY(cn_json_get_integer(object, where, key, min, max, &value));
	*out = (uint32_t)value;
	return 0;
}

/* A number for each channel. */
static int get_channels(const json_t *object, const char *where, const char *key, size_t count, int positive,
			float *out)
{
	const json_t *array;
	CN_TRY(cn_json_get_array(object, where, key, &array));
	if (json_array_size(array) != count)
		return cn_fail(CAIRN_EFORMAT, "%s: \"%s\" has %zu numbers, but there are %zu channels", where, key,
			       json_array_size(array), count);
	for (size_t i = 0; i < count; i++) {
		const json_t *item = json_array_get(array, i);
		double value = json_number_value(item);
		if (!json_is_number(item) || !(fabs(value) <= 1e6) || (positive && !(value >= 1e-6)))
			return cn_fail(CAIRN_EFORMAT, "%s: \"%s\" must hold %snumbers up to a million", where, key,
				       positive ? "positive " : "");
		out[i] = (float)value;
	}
	return 0;
}

static int parse_sizes(cn_input_spec *spec, const json_t *input, const char *where)
{
	const json_t *fixed = NULL;
	CN_TRY(get_u32(input, where, "longest", 8, 16384, &spec->longest));
	int64_t box = 0;
	CN_TRY(cn_json_opt_integer(input, where, "box_longest", 8, 16384, &box));
	spec->box_longest = (uint32_t)box;
	CN_TRY(get_u32(input, where, "multiple", 1, 1024, &spec->multiple));
	CN_TRY(cn_json_opt_array(input, where, "fixed", &fixed));
	if (!fixed)
		return 0;
	json_int_t width = json_integer_value(json_array_get(fixed, 0));
	json_int_t height = json_integer_value(json_array_get(fixed, 1));
	if (json_array_size(fixed) != 2 || width < 1 || height < 1 || width > 16384 || height > 16384)
		return cn_fail(CAIRN_EFORMAT, "%s: \"fixed\" must be [width, height], each from 1 to 16384", where);
	spec->fixed_width = (uint32_t)width;
	spec->fixed_height = (uint32_t)height;
	return 0;
}

static int parse_input(cn_input_spec *spec, const json_t *input, const char *where)
{
	static const char *const known[] = { "type",    "layout",      "channels", "mean",  "std",
					     "longest", "box_longest", "multiple", "fixed", NULL };
	static const char *const types[] = { "f32", "u8", NULL };
	static const char *const layouts[] = { "NCHW", "NHWC", NULL };
	static const char *const channels[] = { "RGB", "BGR", "GREY", NULL };
	int choice = 0;
	CN_TRY(cn_json_only(input, where, known));
	CN_TRY(get_choice(input, where, "type", types, &choice));
	spec->type = choice == 0 ? CN_TENSOR_F32 : CN_TENSOR_U8;
	CN_TRY(get_choice(input, where, "layout", layouts, &choice));
	spec->layout = choice == 0 ? CN_LAYOUT_NCHW : CN_LAYOUT_NHWC;
	CN_TRY(get_choice(input, where, "channels", channels, &choice));
	spec->channels = choice == 0 ? CN_CHANNELS_RGB : choice == 1 ? CN_CHANNELS_BGR : CN_CHANNELS_GREY;
	size_t count = spec->channels == CN_CHANNELS_GREY ? 1 : 3;
	if (spec->type == CN_TENSOR_F32) {
		CN_TRY(get_channels(input, where, "mean", count, 0, spec->mean));
		CN_TRY(get_channels(input, where, "std", count, 1, spec->std));
	} else if (json_object_get(input, "mean") || json_object_get(input, "std")) {
		return cn_fail(CAIRN_EFORMAT, "%s: \"mean\" and \"std\" go with type \"f32\" only", where);
	}
	return parse_sizes(spec, input, where);
}

/* The name of a file in the bundle's folder. */
static int get_file(const json_t *object, const char *where, const char *key, char **out)
{
	const char *text;
	CN_TRY(cn_json_get_text(object, where, key, &text));
	if (!text[0] || text[0] == '.' || strchr(text, '/'))
		return cn_fail(CAIRN_EFORMAT, "%s: \"%s\" is \"%s\", but must name a file in the bundle's folder",
			       where, key, text);
	return copy_text(out, text);
}

static int parse_whitening(cn_global_spec *spec, const json_t *whitening, const char *where)
{
	static const char *const known[] = { "kind", "mean", "projection", NULL };
	static const char *const kinds[] = { "centre", "pca", "pcaw", NULL };
	int kind = 0;
	CN_TRY(cn_json_only(whitening, where, known));
	CN_TRY(get_choice(whitening, where, "kind", kinds, &kind));
	CN_TRY(get_file(whitening, where, "mean", &spec->mean_file));
	if (kind > 0)
		return get_file(whitening, where, "projection", &spec->projection_file);
	if (json_object_get(whitening, "projection"))
		return cn_fail(CAIRN_EFORMAT, "%s: kind \"centre\" has no \"projection\"", where);
	return 0;
}

static int parse_global(cn_global_spec *spec, const json_t *global, const char *file, const char *where)
{
	static const char *const known[] = { "output", "pool", "p", "dim", "whitening", NULL };
	static const char *const pools[] = { "none", "gem", NULL };
	const char *text;
	const json_t *whitening = NULL;
	int choice = 0;
	CN_TRY(cn_json_only(global, where, known));
	CN_TRY(cn_json_get_text(global, where, "output", &text));
	CN_TRY(copy_text(&spec->output, text));
	CN_TRY(get_choice(global, where, "pool", pools, &choice));
	spec->pool = choice == 0 ? CN_POOL_NONE : CN_POOL_GEM;
	if (spec->pool == CN_POOL_GEM) {
		double p = 0;
		CN_TRY(cn_json_get_number(global, where, "p", &p));
		if (!(p >= 0.1 && p <= 100))
			return cn_fail(CAIRN_EFORMAT, "%s: \"p\" is %g, but must be from 0.1 to 100", where, p);
		spec->p = (float)p;
	} else if (json_object_get(global, "p")) {
		return cn_fail(CAIRN_EFORMAT, "%s: \"p\" goes with pool \"gem\" only", where);
	}
	CN_TRY(get_u32(global, where, "dim", 1, 65536, &spec->dim));
	spec->kept = spec->dim;
	CN_TRY(cn_json_opt_object(global, where, "whitening", &whitening));
	if (!whitening)
		return 0;
	char place[512];
	snprintf(place, sizeof(place), "%.400s: global.whitening", file);
	return parse_whitening(spec, whitening, place);
}

static int parse_local(cn_local_spec *spec, const json_t *local, const char *where)
{
	static const char *const known[] = { "descriptors", "keypoints", "reliability", "dim",
					     "max_points",  "threshold", NULL };
	const char *text;
	double threshold = 0;
	CN_TRY(cn_json_only(local, where, known));
	CN_TRY(cn_json_get_text(local, where, "descriptors", &text));
	CN_TRY(copy_text(&spec->descriptors, text));
	CN_TRY(cn_json_get_text(local, where, "keypoints", &text));
	CN_TRY(copy_text(&spec->keypoints, text));
	CN_TRY(cn_json_get_text(local, where, "reliability", &text));
	CN_TRY(copy_text(&spec->reliability, text));
	CN_TRY(get_u32(local, where, "dim", 1, 4096, &spec->dim));
	CN_TRY(get_u32(local, where, "max_points", 1, 1000000, &spec->max_points));
	CN_TRY(cn_json_get_number(local, where, "threshold", &threshold));
	if (!(threshold >= 0 && threshold <= 1))
		return cn_fail(CAIRN_EFORMAT, "%s: \"threshold\" is %g, but must be from 0 to 1", where, threshold);
	spec->threshold = (float)threshold;
	return 0;
}

static int parse_check(cairn_model *model, const json_t *root, const char *file)
{
	static const char *const known[] = { "bf16_cosine", "inputs", NULL };
	const json_t *check = NULL;
	char where[512];
	int64_t inputs;
	model->bf16_cosine = NAN;
	CN_TRY(cn_json_opt_object(root, file, "check", &check));
	if (!check)
		return 0;
	snprintf(where, sizeof(where), "%.400s: check", file);
	CN_TRY(cn_json_only(check, where, known));
	CN_TRY(cn_json_get_number(check, where, "bf16_cosine", &model->bf16_cosine));
	if (!(fabs(model->bf16_cosine) <= 1.001))
		return cn_fail(CAIRN_EFORMAT, "%s: \"bf16_cosine\" is %g, which is no cosine", where,
			       model->bf16_cosine);
	return cn_json_get_integer(check, where, "inputs", 1, 1000000, &inputs);
}

static int parse_source(const json_t *root, const char *file)
{
	const json_t *source = NULL;
	CN_TRY(cn_json_opt_object(root, file, "source", &source));
	const char *key;
	const json_t *value;
	for (void *at = json_object_iter((json_t *)(uintptr_t)source); at;
	     at = json_object_iter_next((json_t *)(uintptr_t)source, at)) {
		key = json_object_iter_key(at);
		value = json_object_iter_value(at);
		if (!json_is_string(value))
			return cn_fail(CAIRN_EFORMAT, "%s: source: \"%s\" must be a text", file, key);
	}
	return 0;
}

static int parse_root(cairn_model *model, const json_t *root, const char *file)
{
	static const char *const known[] = { "format", "name",   "kind",  "network", "cache",  "licence",
					     "input",  "global", "local", "check",   "source", NULL };
	static const char *const kinds[] = { "global", "local", NULL };
	const char *text = "";
	const json_t *part;
	int64_t format;
	char where[512];
	CN_TRY(cn_json_only(root, file, known));
	CN_TRY(cn_json_get_integer(root, file, "format", 1, 1, &format));
	CN_TRY(cn_json_get_text(root, file, "name", &text));
	CN_TRY(cn_bundle_check_name(text));
	CN_TRY(copy_text(&model->name, text));
	CN_TRY(get_choice(root, file, "kind", kinds, &model->is_local));
	CN_TRY(cn_json_get_text(root, file, "network", &text));
	if (text[0] == '/')
		CN_TRY(copy_text(&model->network_name, text));
	else
		CN_TRY(get_file(root, file, "network", &model->network_name));
	model->cache = 1;
	CN_TRY(cn_json_opt_bool(root, file, "cache", &model->cache));
	text = "";
	CN_TRY(cn_json_opt_text(root, file, "licence", &text));
	CN_TRY(copy_text(&model->licence, text));
	CN_TRY(cn_json_get_object(root, file, "input", &part));
	snprintf(where, sizeof(where), "%.400s: input", file);
	CN_TRY(parse_input(&model->input, part, where));
	const char *kind = kinds[model->is_local];
	if (json_object_get(root, kinds[!model->is_local]))
		return cn_fail(CAIRN_EFORMAT, "%s: a model of kind \"%s\" has no member \"%s\"", file, kind,
			       kinds[!model->is_local]);
	CN_TRY(cn_json_get_object(root, file, kind, &part));
	snprintf(where, sizeof(where), "%.400s: %s", file, kind);
	CN_TRY(model->is_local ? parse_local(&model->local, part, where)
			       : parse_global(&model->global, part, file, where));
	CN_TRY(parse_check(model, root, file));
	return parse_source(root, file);
}

int cn_bundle_parse(cairn_model *model, const char *bytes, size_t length, const char *where)
{
	json_t *root;
	CN_TRY(cn_json_parse(&root, bytes, length, where));
	int status = parse_root(model, root, where);
	json_decref(root);
	return status;
}

/* ---- what lies beside it ---- */

static int read_array(const cairn_model *model, const char *file, size_t rank, const size_t *shape, float **out,
		      size_t *rows)
{
	cn_npy array;
	char *path = cn_path_join(model->folder, file);
	if (!path)
		return CAIRN_ENOMEM;
	int status = cn_npy_open(&array, path);
	if (status == 0) {
		status = cn_npy_expect(&array, path, CN_NPY_F32, rank, shape);
		if (status == 0) {
			*rows = array.shape[0];
			*out = cn_memdup(array.data, array.count * sizeof(float));
			status = *out ? 0 : CAIRN_ENOMEM;
		}
		for (size_t i = 0; status == 0 && i < array.count; i++)
			if (!isfinite((*out)[i]))
				status = cn_fail(CAIRN_EFORMAT, "%s: number %zu is not finite", path, i);
		cn_npy_close(&array);
	}
	cn_free(path);
	return status;
}

static int read_whitening(cairn_model *model)
{
	cn_global_spec *spec = &model->global;
	size_t rows = 0;
	if (spec->mean_file)
		CN_TRY(read_array(model, spec->mean_file, 1, (const size_t[]){ spec->dim }, &spec->mean, &rows));
	if (!spec->projection_file)
		return 0;
	CN_TRY(read_array(model, spec->projection_file, 2, (const size_t[]){ 0, spec->dim }, &spec->projection, &rows));
	if (rows < 1 || rows > spec->dim)
		return cn_fail(CAIRN_EFORMAT, "%s/%s: %zu rows for %u dimensions", model->folder, spec->projection_file,
			       rows, spec->dim);
	spec->kept = (uint32_t)rows;
	return 0;
}

static void hash_text(XXH3_state_t *state, const char *text)
{
	XXH3_128bits_update(state, text ? text : "", text ? strlen(text) + 1 : 1);
}

static void hash_numbers(XXH3_state_t *state, const double *numbers, size_t count)
{
	XXH3_128bits_update(state, numbers, count * sizeof(*numbers));
}

static void hash_spec(XXH3_state_t *state, const cairn_model *model)
{
	const cn_input_spec *in = &model->input;
	const cn_global_spec *global = &model->global;
	const cn_local_spec *local = &model->local;
	const double numbers[] = {
		1, /* of this list; a new one where its meaning changes */
		in->type,
		in->layout,
		in->channels,
		(double)in->mean[0],
		(double)in->mean[1],
		(double)in->mean[2],
		(double)in->std[0],
		(double)in->std[1],
		(double)in->std[2],
		in->longest,
		in->box_longest,
		in->multiple,
		in->fixed_width,
		in->fixed_height,
		model->is_local,
		global->pool,
		(double)global->p,
		global->dim,
		global->kept,
		global->mean != NULL,
		global->projection != NULL,
		local->dim,
		local->max_points,
		(double)local->threshold,
	};
	hash_numbers(state, numbers, sizeof(numbers) / sizeof(numbers[0]));
	hash_text(state, global->output);
	hash_text(state, local->descriptors);
	hash_text(state, local->keypoints);
	hash_text(state, local->reliability);
	if (global->mean)
		XXH3_128bits_update(state, global->mean, global->dim * sizeof(float));
	if (global->projection)
		XXH3_128bits_update(state, global->projection, (size_t)global->kept * global->dim * sizeof(float));
}

static int make_fingerprint(cairn_model *model)
{
	cn_mapped file = { 0 };
	XXH3_state_t *state = XXH3_createState();
	if (!state)
		return cn_fail(CAIRN_ENOMEM, "out of memory");
	int status = cn_mapped_open(&file, model->onnx);
	if (status == 0) {
		XXH3_128bits_reset(state);
		hash_spec(state, model);
		XXH3_128bits_update(state, file.bytes, file.length);
		XXH128_hash_t hash = XXH3_128bits_digest(state);
		snprintf(model->fingerprint, sizeof(model->fingerprint), "%016llx%016llx",
			 (unsigned long long)hash.high64, (unsigned long long)hash.low64);
		cn_mapped_close(&file);
	}
	XXH3_freeState(state);
	return status;
}

static int find_network(cairn_model *model)
{
	int own = model->network_name[0] != '/';
	model->onnx = own ? cn_path_join(model->folder, model->network_name) : cn_strdup(model->network_name);
	if (!model->onnx)
		return CAIRN_ENOMEM;
	if (cn_file_exists(model->onnx))
		return 0;
	if (own)
		return cn_fail(CAIRN_ENOTFOUND, "model '%s': %s is missing; install the model again", model->name,
			       model->onnx);
	return cn_fail(CAIRN_ENOTFOUND,
		       "model '%s' runs the network in %s, which is not there any more; put it back or install the "
		       "model again",
		       model->name, model->onnx);
}

static int read_bundle(cairn_model *model, const char *folder)
{
	char *bytes = NULL;
	size_t length = 0;
	model->folder = cn_strdup(folder);
	char *path = cn_path_join(folder, "model.json");
	int status = model->folder && path ? cn_file_read(path, JSON_LIMIT, &bytes, &length) : CAIRN_ENOMEM;
	if (status >= 0)
		status = cn_bundle_parse(model, bytes, length, path);
	cn_free(bytes);
	cn_free(path);
	CN_TRY(status);
	CN_TRY(find_network(model));
	CN_TRY(read_whitening(model));
	return make_fingerprint(model);
}

int cn_bundle_read(cairn_model **out, const char *folder)
{
	cairn_model *model;
	CN_NEW(model, 1, sizeof(*model));
	int status = read_bundle(model, folder);
	if (status < 0) {
		cairn_model_free(model);
		return status;
	}
	*out = model;
	return 0;
}

/* ---- the network ---- */

static int check_output(const cairn_model *model, const cn_onnx_info *info, const char *name, const char *member)
{
	const cn_onnx_port *port = cn_onnx_output(info, name);
	if (!port)
		return cn_fail(CAIRN_EFORMAT,
			       "model '%s': %s has no output '%s' (\"%s\" in model.json); its first is '%s'",
			       model->name, model->onnx, name, member, info->outputs[0].name);
	if (port->type != CN_TENSOR_F32)
		return cn_fail(CAIRN_EFORMAT, "model '%s': the output '%s' of %s is not float32", model->name, name,
			       model->onnx);
	return 0;
}

static int check_network(const cairn_model *model, const cn_onnx_info *info)
{
	const cn_input_spec *spec = &model->input;
	const cn_onnx_port *input = &info->input;
	if (input->type != spec->type)
		return cn_fail(CAIRN_EFORMAT, "model '%s': %s takes %s, but model.json says \"%s\"", model->name,
			       model->onnx,
			       input->type == CN_TENSOR_U8    ? "u8"
			       : input->type == CN_TENSOR_F32 ? "f32"
							      : "integers",
			       spec->type == CN_TENSOR_U8 ? "u8" : "f32");
	size_t shape[4];
	cn_input_shape(spec, 0, 0, shape);
	int channels_at = spec->layout == CN_LAYOUT_NCHW ? 1 : 3;
	int fits = !input->has_shape || (input->rank == 4 && (input->shape[channels_at] < 0 ||
							      (size_t)input->shape[channels_at] == shape[channels_at]));
	if (!fits)
		return cn_fail(CAIRN_EFORMAT,
			       "model '%s': the input of %s has not the layout and channels that model.json says",
			       model->name, model->onnx);
	if (!model->is_local)
		return check_output(model, info, model->global.output, "output");
	CN_TRY(check_output(model, info, model->local.descriptors, "descriptors"));
	CN_TRY(check_output(model, info, model->local.keypoints, "keypoints"));
	return check_output(model, info, model->local.reliability, "reliability");
}

int cn_bundle_load(cairn_model *model, unsigned threads, int bf16)
{
	char *home = NULL, *cache = NULL;
	if (model->cache) {
		CN_TRY(cn_home(&home));
		cache = cn_path_join(home, "cache");
		cn_free(home);
		if (!cache)
			return CAIRN_ENOMEM;
	}
	cn_network_options options = { .threads = threads, .bf16 = bf16, .cache = cache };
	cn_network *network = NULL;
	int status = cn_network_open(&network, model->onnx, &options);
	cn_free(cache);
	CN_TRY(status);
	status = check_network(model, cn_network_info(network));
	if (status < 0) {
		cn_network_free(network);
		return status;
	}
	cn_network_free(model->network);
	model->network = network;
	model->parameters = cn_network_info(network)->parameters;
	model->threads = threads;
	model->bf16 = bf16;
	return 0;
}
