/*
 * cairn model info: what a bundle says of itself.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cairn/model.h"
#include "exit_code.h"
#include "output.h"
#include "say.h"
#include "shared.h"
#include "text.h"

static const char *format;

static json_t *members_json(const cairn_model *model, size_t count)
{
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++) {
		cairn_model_member member;
		json_t *object = json_object();
		cairn_model_get_member(model, i, &member);
		set_bytes(object, "name", member.name);
		set_member(object, "weight", number_json((double)member.weight));
		set_member(object, "fingerprint", text_json(member.fingerprint));
		add_item(list, object);
	}
	return list;
}

static void add_cost(json_t *list, const cairn_model_cost *cost, const char *images)
{
	if (!cost->images)
		return;
	json_t *object = json_object();
	set_member(object, "precision", text_json("bf16"));
	set_member(object, "mean", number_json(cost->mean));
	set_member(object, "least", number_json(cost->least));
	set_member(object, "images", json_integer(cost->images));
	set_member(object, "of", text_json(images));
	add_item(list, object);
}

static json_t *precisions_json(const cairn_model_info *info)
{
	json_t *list = json_array(), *reference = json_object();
	set_member(reference, "precision", text_json(info->is_quantised ? "int8" : "f32"));
	set_member(reference, "mean", json_null());
	set_member(reference, "least", json_null());
	set_member(reference, "images", json_integer(0));
	set_member(reference, "of", json_null());
	if (info->member_count) {
		json_decref(reference);
		return list;
	}
	add_item(list, reference);
	add_cost(list, &info->generated, "generated");
	add_cost(list, &info->photographs, "photographs");
	return list;
}

static int print_as_json(const cairn_model *model, const cairn_model_info *info)
{
	json_t *root = json_object();
	set_member(root, "name", text_json(info->name));
	set_member(root, "kind", text_json(info->kind));
	set_member(root, "dim", json_integer(info->dim));
	set_member(root, "longest", json_integer(info->longest));
	set_member(root, "parameters", info->parameters ? json_integer((json_int_t)info->parameters) : json_null());
	set_member(root, "licence", text_json(info->licence));
	set_member(root, "fingerprint", text_json(info->fingerprint));
	set_bytes(root, "folder", info->folder);
	set_bytes(root, "network", *info->network ? info->network : NULL);
	set_member(root, "bf16_cosine", number_json(info->bf16_cosine));
	set_member(root, "precisions", precisions_json(info));
	set_member(root, "whitening", text_json(info->whitening));
	set_member(root, "members", members_json(model, info->member_count));
	return print_json(root);
}

static void print_members(const cairn_model *model, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		cairn_model_member member;
		cairn_model_get_member(model, i, &member);
		char *name = visible(member.name);
		printf("%-12s %s (weight %g)\n", i ? "" : "members", name, (double)member.weight);
		free(name);
	}
}

static void print_cost(const cairn_model_cost *cost, const char *images)
{
	if (!cost->images)
		return;
	printf("             bf16: cosine to that at least %.5f", cost->least);
	if (!isnan(cost->mean))
		printf(", %.5f in the mean", cost->mean);
	printf(" (%u %s)\n", cost->images, images);
}

static void print_precisions(const cairn_model_info *info)
{
	printf("precisions   %s\n", info->is_quantised ? "int8 (as the file is; the rest of it in f32)" : "f32");
	print_cost(&info->generated, "generated images");
	print_cost(&info->photographs, "photographs");
	if (!info->generated.images)
		printf("             bf16 was not checked; runs in f32 unless asked otherwise\n");
}

static int print(const cairn_model *model, const cairn_model_info *info)
{
	char *folder = visible(info->folder), *network = visible(info->network);
	printf("model        %s\nkind         %s\ndimensions   %u\nlongest side %u\nwhitening    %s\n", info->name,
	       info->kind, info->dim, info->longest, info->whitening);
	if (info->parameters)
		printf("parameters   %" PRIu64 "\n", info->parameters);
	printf("licence      %s\nfingerprint  %s\nfolder       %s\n", *info->licence ? info->licence : "unknown",
	       info->fingerprint, folder);
	if (*network)
		printf("network      %s\n", network);
	print_members(model, info->member_count);
	if (!info->member_count)
		print_precisions(info);
	free(folder);
	free(network);
	return output_end(EXIT_DONE);
}

static int run(const struct arguments *arguments)
{
	cairn_model *model;
	cairn_model_info info;
	int status = cairn_model_inspect(&model, arguments->operands[0]);
	if (status < 0)
		return say_failure(status);
	cairn_model_get_info(model, &info);
	int code = is_json(format) ? print_as_json(model, &info) : print(model, &info);
	cairn_model_free(model);
	return code;
}

static const struct operand operands[] = {
	{ "NAME", COMPLETE_MODEL, 0, 0 },
	{ .name = NULL },
};

static const struct option options[] = {
	OPT_FORMAT(&format),
	OPT_END,
};

static const struct section sections[] = {
	{ "json output",
	  "One object: name, kind (global, local, ensemble or detector), dim, longest, parameters (null where "
	  "the network was not read), licence, fingerprint, folder, network (null for an ensemble), "
	  "bf16_cosine (null where no check was made), precisions (a list: first what the file computes in, f32 "
	  "or int8, then bf16 with mean and least cosine to that, the number of images and what they "
	  "were, generated or photographs; empty for an ensemble), whitening (none, centre, pca, pcaw or lw) and "
	  "members, a list of objects with name, weight and fingerprint: those of an ensemble." },
	{ NULL, NULL },
};

const struct command cmd_model_info = {
	.name = "model info",
	.summary = "what a model is",
	.description =
		"Tells what a bundle says of itself. NAME is an installed model, or the path of a bundle's folder.",
	.operands = operands,
	.options = options,
	.sections = sections,
	.run = run,
};
