/*
 * Bundles: model.json parsed strictly, whitening read, everything that changes the output hashed into a fingerprint.
 */
#include "model/bundle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "model/bundle_file.h"
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
	cn_field_graph_free(model->field);
	char *const texts[] = { model->name, model->folder, model->licence, model->network_name, model->onnx };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cn_free(texts[i]);
	cn_global_free(&model->global);
	cn_local_free(&model->local);
	cn_detector_free(&model->detector);
	cn_ensemble_free(&model->ensemble);
	cn_free(model);
}

const char *cn_model_gives(const cairn_model *model)
{
	return model->is_detector ? "boxes" : model->is_local ? "local features" : "a global descriptor";
}

/* ---- model.json ---- */

static int copy_text(char **out, const char *text)
{
	*out = cn_strdup(text);
	return *out ? 0 : CAIRN_ENOMEM;
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

static int read_size(const json_t *array, uint32_t *width, uint32_t *height)
{
	json_int_t w = json_integer_value(json_array_get(array, 0)), h = json_integer_value(json_array_get(array, 1));
	*width = (uint32_t)w;
	*height = (uint32_t)h;
	return json_array_size(array) == 2 && w >= 1 && h >= 1 && w <= 16384 && h <= 16384;
}

static int parse_bins(cn_input_spec *spec, const json_t *bins, const char *where)
{
	static const char *const known[] = { "ratios", "sizes", NULL };
	const json_t *ratios, *sizes;
	char place[512];
	snprintf(place, sizeof(place), "%.450s.bins", where);
	CN_TRY(cn_json_only(bins, place, known));
	CN_TRY(cn_json_get_array(bins, place, "ratios", &ratios));
	CN_TRY(cn_json_get_array(bins, place, "sizes", &sizes));
	size_t count = json_array_size(sizes);
	if (count < 1 || count > CN_MOST_BINS || json_array_size(ratios) != count - 1)
		return cn_fail(CAIRN_EFORMAT,
			       "%s: %zu \"sizes\" and %zu \"ratios\"; there must be 1 to %d sizes and one "
			       "ratio less",
			       place, count, json_array_size(ratios), CN_MOST_BINS);
	spec->bin_count = (uint32_t)count;
	for (size_t i = 0; i < count; i++)
		if (!read_size(json_array_get(sizes, i), &spec->bin_sizes[i][0], &spec->bin_sizes[i][1]))
			return cn_fail(CAIRN_EFORMAT, "%s: \"sizes\" must hold [width, height], each from 1 to 16384",
				       place);
	for (size_t i = 0; i + 1 < count; i++) {
		spec->bin_ratios[i] = (float)json_number_value(json_array_get(ratios, i));
		if (!(spec->bin_ratios[i] > (i ? spec->bin_ratios[i - 1] : 0)) || !isfinite(spec->bin_ratios[i]))
			return cn_fail(CAIRN_EFORMAT, "%s: \"ratios\" of height to width must be above 0 and ascend",
				       place);
	}
	return 0;
}

static int parse_sizes(cn_input_spec *spec, const json_t *input, const char *where)
{
	const json_t *fixed = NULL, *bins = NULL;
	CN_TRY(cn_json_opt_object(input, where, "bins", &bins));
	if (bins)
		CN_TRY(parse_bins(spec, bins, where));
	CN_TRY(cn_json_get_size(input, where, "longest", 8, 16384, &spec->longest));
	CN_TRY(cn_json_opt_size(input, where, "box_longest", 8, 16384, &spec->box_longest));
	CN_TRY(cn_json_get_size(input, where, "multiple", 1, 1024, &spec->multiple));
	CN_TRY(cn_json_opt_array(input, where, "fixed", &fixed));
	if (!fixed)
		return 0;
	if (bins)
		return cn_fail(CAIRN_EFORMAT, "%s: \"fixed\" and \"bins\" exclude each other", where);
	if (!read_size(fixed, &spec->fixed_width, &spec->fixed_height))
		return cn_fail(CAIRN_EFORMAT, "%s: \"fixed\" must be [width, height], each from 1 to 16384", where);
	return 0;
}

static int parse_input(cn_input_spec *spec, const json_t *input, const char *where)
{
	static const char *const known[] = { "type",        "layout",   "channels", "mean", "std", "longest",
					     "box_longest", "multiple", "fixed",    "bins", NULL };
	static const char *const types[] = { "f32", "u8", NULL };
	static const char *const layouts[] = { "NCHW", "NHWC", NULL };
	static const char *const channels[] = { "RGB", "BGR", "GREY", NULL };
	int choice = 0;
	CN_TRY(cn_json_only(input, where, known));
	CN_TRY(cn_json_get_choice(input, where, "type", types, &choice));
	spec->type = choice == 0 ? CN_TENSOR_F32 : CN_TENSOR_U8;
	CN_TRY(cn_json_get_choice(input, where, "layout", layouts, &choice));
	spec->layout = choice == 0 ? CN_LAYOUT_NCHW : CN_LAYOUT_NHWC;
	CN_TRY(cn_json_get_choice(input, where, "channels", channels, &choice));
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

static int get_cosine(const json_t *object, const char *where, const char *key, double *out)
{
	CN_TRY(cn_json_get_number(object, where, key, out));
	if (fabs(*out) <= 1.001)
		return 0;
	return cn_fail(CAIRN_EFORMAT, "%s: \"%s\" is %g, which is no cosine", where, key, *out);
}

/* Bundles of earlier versions have no mean. */
static int parse_cost(cairn_model_cost *cost, const json_t *object, const char *where)
{
	int64_t images;
	if (!json_object_get(object, "bf16_cosine") && !json_object_get(object, "inputs"))
		return 0;
	CN_TRY(get_cosine(object, where, "bf16_cosine", &cost->least));
	if (json_object_get(object, "bf16_mean"))
		CN_TRY(get_cosine(object, where, "bf16_mean", &cost->mean));
	CN_TRY(cn_json_get_integer(object, where, "inputs", 1, 1000000, &images));
	cost->images = (uint32_t)images;
	return 0;
}

static int parse_check(cairn_model *model, const json_t *root, const char *file)
{
	static const char *const known[] = { "bf16_cosine", "bf16_mean", "inputs", "photographs", "quantised", NULL };
	static const char *const of_photographs[] = { "bf16_cosine", "bf16_mean", "inputs", NULL };
	const json_t *check = NULL, *photographs = NULL;
	char where[512], place[512];
	CN_TRY(cn_json_opt_object(root, file, "check", &check));
	if (!check)
		return 0;
	snprintf(where, sizeof(where), "%.400s: check", file);
	CN_TRY(cn_json_only(check, where, known));
	CN_TRY(parse_cost(&model->generated, check, where));
	model->bf16_cosine = model->generated.least;
	CN_TRY(cn_json_opt_bool(check, where, "quantised", &model->is_quantised));
	CN_TRY(cn_json_opt_object(check, where, "photographs", &photographs));
	if (!photographs)
		return 0;
	snprintf(place, sizeof(place), "%.480s.photographs", where);
	CN_TRY(cn_json_only(photographs, place, of_photographs));
	return parse_cost(&model->photographs, photographs, place);
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

/* Before anything else, so that a member's misspelt name is what is told. */
static int check_members(const json_t *root, const char *file)
{
	static const char *const of_networks[] = { "format",  "name",   "kind",   "network", "cache",
						   "licence", "input",  "global", "local",   "detector",
						   "check",   "source", NULL };
	static const char *const of_ensembles[] = { "format",  "name",      "kind",   "licence",
						    "members", "whitening", "source", NULL };
	const char *kind = json_string_value(json_object_get(root, "kind"));
	int is_ensemble = kind && strcmp(kind, "ensemble") == 0;
	/* `import` gives every model a network. */
	if (is_ensemble && json_object_get(root, "network"))
		return cn_fail(CAIRN_EFORMAT,
			       "%s: a model of kind \"ensemble\" has no \"network\"; 'cairn model whiten' makes it of "
			       "installed models",
			       file);
	return cn_json_only(root, file, is_ensemble ? of_ensembles : of_networks);
}

static int parse_ensemble(cairn_model *model, const json_t *root, const char *file)
{
	char where[512];
	CN_TRY(cn_ensemble_parse(&model->ensemble, root, file));
	snprintf(where, sizeof(where), "%.400s: whitening", file);
	return cn_whitening_parse(&model->global, root, file, where);
}

static int parse_network(cairn_model *model, const json_t *root, const char *file)
{
	static const char *const kinds[] = { "global", "local", "detector" };
	const char *text = "";
	const json_t *part;
	char where[512];
	CN_TRY(cn_json_get_text(root, file, "network", &text));
	if (text[0] == '/')
		CN_TRY(copy_text(&model->network_name, text));
	else
		CN_TRY(cn_bundle_get_file(root, file, "network", &model->network_name));
	model->cache = 1;
	CN_TRY(cn_json_opt_bool(root, file, "cache", &model->cache));
	CN_TRY(cn_json_get_object(root, file, "input", &part));
	snprintf(where, sizeof(where), "%.400s: input", file);
	CN_TRY(parse_input(&model->input, part, where));
	const char *kind = kinds[model->is_detector ? 2 : model->is_local];
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i] != kind && json_object_get(root, kinds[i]))
			return cn_fail(CAIRN_EFORMAT, "%s: a model of kind \"%s\" has no member \"%s\"", file, kind,
				       kinds[i]);
	CN_TRY(cn_json_get_object(root, file, kind, &part));
	snprintf(where, sizeof(where), "%.400s: %s", file, kind);
	CN_TRY(model->is_detector ? cn_detector_parse(&model->detector, part, where)
	       : model->is_local  ? cn_local_parse(&model->local, part, where)
				  : cn_global_parse(&model->global, part, where));
	return parse_check(model, root, file);
}

static int parse_root(cairn_model *model, const json_t *root, const char *file)
{
	static const char *const kinds[] = { "global", "local", "ensemble", "detector", NULL };
	const char *text = "";
	int64_t format;
	int kind;
	model->bf16_cosine = NAN;
	model->generated = model->photographs = (cairn_model_cost){ NAN, NAN, 0 };
	CN_TRY(check_members(root, file));
	CN_TRY(cn_json_get_integer(root, file, "format", 1, 1, &format));
	CN_TRY(cn_json_get_text(root, file, "name", &text));
	CN_TRY(cn_bundle_check_name(text));
	CN_TRY(copy_text(&model->name, text));
	CN_TRY(cn_json_get_choice(root, file, "kind", kinds, &kind));
	model->is_local = kind == 1;
	model->is_detector = kind == 3;
	text = "";
	CN_TRY(cn_json_opt_text(root, file, "licence", &text));
	CN_TRY(copy_text(&model->licence, text));
	CN_TRY(kind == 2 ? parse_ensemble(model, root, file) : parse_network(model, root, file));
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

static void hash_spec(XXH3_state_t *state, const cairn_model *model)
{
	const cn_input_spec *in = &model->input;
	const double numbers[] = {
		2, /* of this list; a new one where its meaning changes */
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
		in->bin_count,
		model->is_local,
	};
	XXH3_128bits_update(state, numbers, sizeof(numbers));
	XXH3_128bits_update(state, in->bin_ratios, sizeof(in->bin_ratios));
	XXH3_128bits_update(state, in->bin_sizes, sizeof(in->bin_sizes));
	if (model->is_detector)
		cn_detector_hash(state, &model->detector);
	else if (model->is_local)
		cn_local_hash(state, &model->local);
	else
		cn_global_hash(state, &model->global);
}

/* The network's file goes in as it is; of an ensemble the members' fingerprints. */
static int hash_networks(XXH3_state_t *state, const cairn_model *model)
{
	cn_mapped file = { 0 };
	if (model->ensemble.count) {
		cn_ensemble_hash(state, &model->ensemble);
		return 0;
	}
	CN_TRY(cn_mapped_open(&file, model->onnx));
	XXH3_128bits_update(state, file.bytes, file.length);
	cn_mapped_close(&file);
	return 0;
}

static int make_fingerprint(cairn_model *model)
{
	XXH3_state_t *state = XXH3_createState();
	if (!state)
		return cn_fail(CAIRN_ENOMEM, "out of memory");
	XXH3_128bits_reset(state);
	hash_spec(state, model);
	int status = hash_networks(state, model);
	if (status == 0) {
		XXH128_hash_t hash = XXH3_128bits_digest(state);
		snprintf(model->fingerprint, sizeof(model->fingerprint), "%016llx%016llx",
			 (unsigned long long)hash.high64, (unsigned long long)hash.low64);
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

static int read_json(cairn_model *model)
{
	char *bytes = NULL;
	size_t length = 0;
	char *path = cn_path_join(model->folder, "model.json");
	int status = path ? cn_file_read(path, JSON_LIMIT, &bytes, &length) : CAIRN_ENOMEM;
	if (status >= 0)
		status = cn_bundle_parse(model, bytes, length, path);
	cn_free(bytes);
	cn_free(path);
	return status;
}

static int read_bundle(cairn_model *model, const char *folder, int is_member)
{
	model->folder = cn_strdup(folder);
	if (!model->folder)
		return CAIRN_ENOMEM;
	CN_TRY(read_json(model));
	if (!model->ensemble.count) {
		CN_TRY(find_network(model));
		CN_TRY(model->is_local ? cn_local_load(&model->local, model->folder)
				       : cn_global_load(&model->global, model->folder));
		return make_fingerprint(model);
	}
	if (is_member)
		return cn_fail(CAIRN_EINVALID, "model '%s' is an ensemble itself; name its members in its place",
			       model->name);
	CN_TRY(cn_ensemble_read(model));
	CN_TRY(cn_whitening_load(&model->global, model->folder));
	return make_fingerprint(model);
}

static int read_in(cairn_model **out, const char *folder, int is_member)
{
	cairn_model *model;
	CN_NEW(model, 1, sizeof(*model));
	int status = read_bundle(model, folder, is_member);
	if (status < 0) {
		cairn_model_free(model);
		return status;
	}
	*out = model;
	return 0;
}

int cn_bundle_read(cairn_model **out, const char *folder)
{
	return read_in(out, folder, 0);
}

static int not_installed(const char *name, const char *folder)
{
	for (const cairn_model_recipe *recipe = cairn_model_recipes(); recipe->name; recipe++)
		if (strcmp(recipe->name, name) == 0)
			return cn_fail(CAIRN_ENOTFOUND, "the model '%s' is not installed; run: cairn model install %s",
				       name, name);
	return cn_fail(CAIRN_ENOTFOUND, "there is no model '%s' (%s); 'cairn model list' shows those installed", name,
		       folder);
}

int cn_bundle_read_named(cairn_model **out, const char *name, int is_member)
{
	char *folder = NULL;
	if (strchr(name, '/'))
		CN_TRY(cn_path_absolute(&folder, name));
	else
		CN_TRY(cn_bundle_folder(&folder, name));
	char *json = cn_path_join(folder, "model.json");
	int status = json ? 0 : CAIRN_ENOMEM;
	if (json && !cn_file_exists(json))
		status = not_installed(name, folder);
	if (status >= 0)
		status = read_in(out, folder, is_member);
	cn_free(json);
	cn_free(folder);
	return status;
}

/* ---- the network ---- */

/* Channels that the file leaves free are checked when they are known. */
static int check_global_outputs(const cairn_model *model, const cn_onnx_info *info, const char *where)
{
	const cn_global_spec *spec = &model->global;
	const cn_onnx_port *port;
	CN_TRY(cn_spec_find_output(info, where, model->onnx, spec->output, "output", 0, &port));
	if (spec->filters.attention_output)
		CN_TRY(cn_spec_find_output(info, where, model->onnx, spec->filters.attention_output, "attention", 0,
					   NULL));
	size_t at = spec->tokens.patch ? 2 : 1;
	return port->has_shape && port->rank > at && port->shape[at] > 0
		       ? cn_global_check_channels(spec, (size_t)port->shape[at], where)
		       : 0;
}

static int check_outputs(const cairn_model *model, const cn_onnx_info *info)
{
	char where[128];
	snprintf(where, sizeof(where), "model '%.100s'", model->name);
	if (model->is_detector)
		return cn_detector_check_outputs(&model->detector, info, where, model->onnx);
	return model->is_local ? cn_local_check_outputs(&model->local, info, where, model->onnx)
			       : check_global_outputs(model, info, where);
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
	return check_outputs(model, info);
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
	if (status == 0 && model->is_local && cn_local_needs_field(&model->local) && !model->field)
		status = cn_field_graph_load(&model->field, model->onnx, model->local.descriptors,
					     model->input.layout == CN_LAYOUT_NCHW ? 2 : 1);
	if (status < 0) {
		cn_network_free(network);
		return status;
	}
	cn_network_free(model->network);
	model->network = network;
	model->parameters = cn_network_info(network)->parameters;
	model->is_quantised = cn_network_info(network)->is_quantised;
	model->threads = threads;
	model->bf16 = bf16;
	return 0;
}
