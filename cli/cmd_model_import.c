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

static int run(const struct arguments *arguments)
{
	const char *name = arguments->operands[0];
	int status = cairn_model_import(name, arguments->operands[1], arguments->operands[2], replace);
	if (status < 0)
		return say_failure(status);
	printf("imported %s\n", name);
	return output_end(EXIT_DONE);
}

static const struct operand operands[] = {
	{ "NAME", COMPLETE_NOTHING, 0, 0 },
	{ "MODEL.onnx", COMPLETE_FILE, 0, 0 },
	{ "MODEL.json", COMPLETE_FILE, 0, 0 },
	{ .name = NULL },
};

static const struct option options[] = {
	OPT_FLAG(0, "replace", &replace, "replace a model of that name"),
	OPT_END,
};

static const struct example example_list[] = {
	{ "cairn model import my-net resnet.onnx resnet.json", "then: cairn init DIR --model my-net" },
	{ NULL, NULL },
};

const struct command cmd_model_import = {
	.name = "model import",
	.summary = "make a model from your own ONNX file",
	.description = "Copies an ONNX file and a model.json, which says what goes in and what comes out, into a "
		       "bundle of that name, and "
		       "checks that the network runs and gives what is said. docs/format.md of the source lists the "
		       "members of "
		       "model.json.",
	.operands = operands,
	.options = options,
	.examples = example_list,
	.run = run,
};
