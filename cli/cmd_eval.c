/*
 * cairn eval: the scores of public benchmarks.
 */
#include "command.h"

static const struct command *const children[] = { &cmd_eval_roxford, NULL };

const struct command cmd_eval = {
	.name = "eval",
	.summary = "measure on public benchmarks",
	.description = "Measures how well a collection answers the queries of a benchmark, by its rules.",
	.children = children,
};
