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

static int print_as_json(const cairn_model_info *info)
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
	set_bytes(root, "network", info->network);
	set_member(root, "bf16_cosine", number_json(info->bf16_cosine));
	return print_json(root);
}

static int print(const cairn_model_info *info)
{
	char *folder = visible(info->folder), *network = visible(info->network);
	printf("model        %s\nkind         %s\ndimensions   %u\nlongest side %u\n", info->name, info->kind,
	       info->dim, info->longest);
	if (info->parameters)
		printf("parameters   %" PRIu64 "\n", info->parameters);
	printf("licence      %s\nfingerprint  %s\nfolder       %s\nnetwork      %s\n",
	       *info->licence ? info->licence : "unknown", info->fingerprint, folder, network);
	if (isnan(info->bf16_cosine))
		printf("bf16 check   none was made; runs in f32 unless asked otherwise\n");
	else
		printf("bf16 check   cosine to f32 at least %.5f\n", info->bf16_cosine);
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
	int code = is_json(format) ? print_as_json(&info) : print(&info);
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
	{ "json output", "One object: name, kind (global or local), dim, longest, parameters (null where the network "
			 "was not read), licence, "
			 "fingerprint, folder, network and bf16_cosine (null where no check was made)." },
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
