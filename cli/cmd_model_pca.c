/*
 * cairn model pca: learn to shorten the descriptors of a local model.
 */
#include <stdio.h>
#include <string.h>

#include "cairn/collection.h"
#include "cairn/features.h"
#include "exit_code.h"
#include "interrupt.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "say.h"
#include "shared.h"

static const char *output, *precision;
static uint64_t dim = 128, threads;
static int replace;

static int learn(const char *model, const char *target, char *const *paths, size_t count)
{
	cairn_extractor_options options = CAIRN_EXTRACTOR_OPTIONS_INIT;
	struct progress progress;
	options.threads = (uint32_t)threads;
	options.precision = precision;
	interrupt_watch();
	progress_start(&progress, NULL);
	int status = cairn_features_learn_pca(model, target, (uint32_t)dim, replace, (const char *const *)paths, count,
					      &options, progress_show, &progress);
	progress_end(&progress);
	if (status == CAIRN_ECANCELLED) {
		say("interrupted: nothing was learned");
		return EXIT_INTERRUPTED;
	}
	if (status < 0)
		return say_failure(status);
	printf("learned %u dimensions from %zu images: %s\n", (unsigned)dim, count, target);
	return output_end(EXIT_DONE);
}

static int run(const struct arguments *arguments)
{
	const char *model = arguments->operands[0], *target = output ? output : model;
	char **paths;
	size_t count;
	if (!output && strchr(model, '/'))
		return usage_error(arguments->command, "%s is the path of a bundle; name the new model with --output",
				   model);
	int status = cairn_find_images(arguments->operands + 1, arguments->count - 1, &paths, &count);
	if (status < 0)
		return say_failure(status);
	int code = EXIT_INPUT;
	if (count)
		code = learn(model, target, paths, count);
	else
		say_error("no image was found to learn from");
	cairn_paths_free(paths, count);
	return code;
}

static const struct operand operands[] = {
	{ "NAME", COMPLETE_MODEL, 0, 0 },
	{ "PATH", COMPLETE_FILE, 0, 1 },
	{ .name = NULL },
};

static const struct option options[] = {
	OPT_WHOLE(0, "dim", "N", &dim, 1, 1024, "keep the first N axes (default: 128)"),
	OPT_TEXT('o', "output", "NAME", &output, COMPLETE_NOTHING,
		 "write a new model of that name (default: NAME itself; collections made with it then no longer fit "
		 "and say so)"),
	OPT_FLAG(0, "replace", &replace, "overwrite another model of the name given with --output"),
	OPT_PRECISION(&precision),
	OPT_THREADS(&threads),
	OPT_END,
};

static const struct example example_list[] = {
	{ "cairn model pca delf other-city/ --dim 40 -o delf-40", "descriptors for matching" },
	{ NULL, NULL },
};

const struct command cmd_model_pca = {
	.name = "model pca",
	.summary = "shorten local descriptors by what images teach",
	.description =
		"Extracts the local features of images (files, folders with all below them, or @list.txt), finds "
		"the principal axes of a sample of their descriptors and keeps the first of them in the bundle: "
		"features then have shorter descriptors, which are matched faster and take less room. Learn from "
		"images like those to be searched in, but not from those that results are reported on.",
	.operands = operands,
	.options = options,
	.examples = example_list,
	.run = run,
};
