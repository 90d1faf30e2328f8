/*
 * cairn model import: a network of one's own.
 */
#include <stdio.h>

#include "cairn/model.h"
#include "exit_code.h"
#include "output.h"
#include "say.h"
#include "shared.h"

static int replace;

/* Without a model.json the user learns what was assumed. */
static int import_proposed(const char *name, const char *onnx)
{
	cairn_model_proposal proposal;
	int status = cairn_model_propose(&proposal, onnx);
	if (status < 0)
		return status;
	fputs(proposal.found, stdout);
	status = cairn_model_import_proposed(name, onnx, &proposal, replace);
	cairn_model_proposal_free(&proposal);
	return status;
}

static int run(const struct arguments *arguments)
{
	const char *name = arguments->operands[0], *onnx = arguments->operands[1];
	const char *json = arguments->count > 2 ? arguments->operands[2] : NULL;
	int status = json ? cairn_model_import(name, onnx, json, replace) : import_proposed(name, onnx);
	if (status < 0)
		return say_failure(status);
	printf("imported %s\n", name);
	if (!json)
		printf("'cairn model propose MODEL.onnx > MODEL.json' writes down what was assumed, to be "
		       "changed\n");
	return output_end(EXIT_DONE);
}

static const struct operand operands[] = {
	{ "NAME", COMPLETE_NOTHING, 0, 0 },
	{ "MODEL.onnx", COMPLETE_FILE, 0, 0 },
	{ "MODEL.json", COMPLETE_FILE, 1, 0 },
	{ .name = NULL },
};

static const struct option options[] = {
	OPT_FLAG(0, "replace", &replace, "replace a model of that name"),
	OPT_END,
};

static const struct example example_list[] = {
	{ "cairn model import my-net resnet.onnx", "look at the file, and assume the rest" },
	{ "cairn model import my-net resnet.onnx resnet.json", "then: cairn init DIR --model my-net" },
	{ NULL, NULL },
};

const struct command cmd_model_import = {
	.name = "model import",
	.summary = "make a model from your own ONNX file",
	.description =
		"Copies an ONNX file and a model.json, which says what goes in and what comes out, into a "
		"bundle of that name, and checks that the network runs and gives what is said. Without a "
		"model.json the file is looked at and run once on a generated image: a network that detects keypoints "
		"becomes a local model; of others a vector is taken as it is, tokens of patches are recognised, and a "
		"feature map is pooled by GeM. docs/format.md of the source lists the members of model.json, "
		"docs/export.md tells how networks are exported.",
	.operands = operands,
	.options = options,
	.examples = example_list,
	.run = run,
};
