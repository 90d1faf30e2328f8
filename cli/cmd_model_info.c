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

static void print_bf16(double cosine)
{
	if (isnan(cosine))
		printf("bf16 check   none was made; runs in f32 unless asked otherwise\n");
	else
		printf("bf16 check   cosine to f32 at least %.5f\n", cosine);
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
		print_bf16(info->bf16_cosine);
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
	  "bf16_cosine (null where no check was made), whitening (none, centre, pca, pcaw or lw) and "
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
