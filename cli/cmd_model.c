/*
 * cairn model: the networks that describe images.
 */
#include "command.h"

static const struct command *const children[] = { &cmd_model_list,    &cmd_model_install, &cmd_model_import,
						  &cmd_model_propose, &cmd_model_info,    &cmd_model_whiten,
						  &cmd_model_pca,     &cmd_model_bench,   NULL };

const struct command cmd_model = {
	.name = "model",
	.summary = "install, look at and adapt networks",
	.description = "Networks live as bundles in the model home: model.json and model.onnx in a folder each. "
		       "docs/format.md of the "
		       "source describes them.",
	.children = children,
};
