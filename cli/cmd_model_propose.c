/*
 * cairn model propose: a model.json for a network of one's own, to begin with.
 */
#include <stdio.h>

#include "cairn/model.h"
#include "exit_code.h"
#include "output.h"
#include "say.h"
#include "shared.h"

/* The proposal is for a file, what it rests on for people. */
static int run(const struct arguments *arguments)
{
	cairn_model_proposal proposal;
	int status = cairn_model_propose(&proposal, arguments->operands[0]);
	if (status < 0)
		return say_failure(status);
	fputs(proposal.json, stdout);
	int code = output_end(EXIT_DONE);
	fputs(proposal.found, stderr);
	cairn_model_proposal_free(&proposal);
	return code;
}

static const struct operand operands[] = {
	{ "MODEL.onnx", COMPLETE_FILE, 0, 0 },
	{ .name = NULL },
};

static const struct option options[] = {
	OPT_END,
};

static const struct example example_list[] = {
	{ "cairn model propose resnet.onnx > resnet.json",
	  "then change it, and: cairn model import my-net resnet.onnx resnet.json" },
	{ NULL, NULL },
};

const struct command cmd_model_propose = {
	.name = "model propose",
	.summary = "look at an ONNX file and propose a model.json",
	.description =
		"Tells what an ONNX file takes and gives, runs it once on a generated image, and prints a model.json "
		"that describes images with it: a vector as it is, the class token of a transformer, a feature map "
		"pooled "
		"by GeM, or keypoints with descriptors where it detects them. Mean and standard "
		"deviation of pixels, the longest side and the multiple of sides stand in no ONNX file: what is "
		"proposed is what most networks have. docs/format.md of the source lists all members, docs/export.md "
		"tells how networks are exported.",
	.operands = operands,
	.options = options,
	.examples = example_list,
	.run = run,
};
