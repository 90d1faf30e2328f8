/*
 * cairn model whiten: learn centring or whitening for a global model.
 */
#include <stdio.h>
#include <string.h>

#include "cairn/collection.h"
#include "cairn/descriptors.h"
#include "exit_code.h"
#include "interrupt.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "say.h"
#include "shared.h"

static const char *output, *kind, *precision;
static uint64_t dim, threads;
static int replace;

static const char *const kinds[] = { "centre", "pca", "pcaw", NULL };

static cairn_whitening_kind chosen_kind(void)
{
	if (!kind || strcmp(kind, "pcaw") == 0)
		return CAIRN_WHITEN_PCAW;
	return strcmp(kind, "pca") == 0 ? CAIRN_WHITEN_PCA : CAIRN_WHITEN_CENTRE;
}

static int learn(const char *model, const char *target, char *const *paths, size_t count)
{
	cairn_describer_options options = CAIRN_DESCRIBER_OPTIONS_INIT;
	struct progress progress;
	options.threads = (uint32_t)threads;
	options.precision = precision;
	interrupt_watch();
	progress_start(&progress, NULL);
	int status = cairn_whitening_learn(model, target, chosen_kind(), (uint32_t)dim, replace,
					   (const char *const *)paths, count, &options, progress_show, &progress);
	progress_end(&progress);
	if (status == CAIRN_ECANCELLED) {
		say("interrupted: nothing was learned");
		return EXIT_INTERRUPTED;
	}
	if (status < 0)
		return say_failure(status);
	printf("learned %s from %zu images: %s\n", kind ? kind : "pcaw", count, target);
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
	if (dim && chosen_kind() == CAIRN_WHITEN_CENTRE)
		return usage_error(arguments->command, "--dim needs --kind pca or pcaw: centring keeps all dimensions");
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
	OPT_CHOICE("kind", "KIND", &kind, kinds,
		   "centre: subtract the mean; pca: also rotate onto the principal axes; pcaw: also divide each axis "
		   "by its standard "
		   "deviation (default)"),
	OPT_WHOLE(0, "dim", "N", &dim, 1, 65536, "keep the first N axes (default: all that the images span)"),
	OPT_TEXT('o', "output", "NAME", &output, COMPLETE_NOTHING,
		 "write a new model of that name (default: NAME itself; collections made with it then no longer fit "
		 "and say so)"),
	OPT_FLAG(0, "replace", &replace, "overwrite another model of the name given with --output"),
	OPT_PRECISION(&precision),
	OPT_THREADS(&threads),
	OPT_END,
};

static const struct example example_list[] = {
	{ "cairn model whiten sscd ~/Pictures --kind centre -o sscd-centred", "a mean alone needs few images" },
	{ "cairn model whiten sscd other-city/ --dim 256 -o sscd-256", "shorter descriptors" },
	{ NULL, NULL },
};

const struct command cmd_model_whiten = {
	.name = "model whiten",
	.summary = "learn centring or whitening from images",
	.description = "Describes images (files, folders with all below them, or @list.txt) and learns from the "
		       "descriptors how to centre or "
		       "whiten them. The parameters are kept in the bundle and applied whenever it describes. Learn "
		       "from images like those "
		       "to be searched in, but not from those that results are reported on.",
	.operands = operands,
	.options = options,
	.examples = example_list,
	.run = run,
};
