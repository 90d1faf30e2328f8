/*
 * cairn model whiten: learn centring or whitening for a global model, or for several joined.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cairn/collection.h"
#include "cairn/whitening.h"
#include "exit_code.h"
#include "interrupt.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "say.h"
#include "shared.h"
#include "text.h"

static const char *output, *kind, *precision, *pairs_file, *pairs_from;
static uint64_t dim, threads, max_pairs, seed;
static double power = NAN;
static int replace, unit, raw;

static const char *const kinds[] = { "centre", "pca", "pcaw", "lw", NULL };
static const char *const pairings[] = { "parent", NULL };

static cairn_whitening_kind chosen_kind(void)
{
	static const cairn_whitening_kind known[] = { CAIRN_WHITEN_CENTRE, CAIRN_WHITEN_PCA, CAIRN_WHITEN_PCAW,
						      CAIRN_WHITEN_LW };
	for (size_t i = 0; kind && kinds[i]; i++)
		if (strcmp(kind, kinds[i]) == 0)
			return known[i];
	return CAIRN_WHITEN_PCAW;
}

/* What images are learned from. */
struct sources {
	char **paths;
	size_t count;
	cairn_pairs *pairs;
};

static int say_learned(const char *target, const struct sources *sources)
{
	if (sources->pairs)
		printf("learned lw from %zu pairs of %zu images: %s\n", cairn_pairs_count(sources->pairs),
		       cairn_pairs_images(sources->pairs), target);
	else
		printf("learned %s from %zu images: %s\n", kind ? kind : "pcaw", sources->count, target);
	return output_end(EXIT_DONE);
}

/* What whitening is learned for. */
struct networks {
	cairn_describer_model *list;
	size_t count;
};

static int learn(const struct networks *networks, const char *target, const struct sources *sources)
{
	cairn_whitening_options options = CAIRN_WHITENING_OPTIONS_INIT;
	struct progress progress;
	options.kind = chosen_kind();
	options.dim = (uint32_t)dim;
	options.power = isnan(power) ? options.power : power;
	options.unit = unit ? 1 : raw ? 0 : -1;
	options.pairs = sources->pairs;
	options.replace = replace;
	options.threads = (uint32_t)threads;
	options.precision = precision;
	options.progress = progress_show;
	options.progress_payload = &progress;
	interrupt_watch();
	progress_start(&progress, NULL);
	int status = cairn_whitening_learn(target, networks->list, networks->count, (const char *const *)sources->paths,
					   sources->pairs ? 0 : sources->count, &options);
	progress_end(&progress);
	if (status == CAIRN_ECANCELLED) {
		say("interrupted: nothing was learned");
		return EXIT_INTERRUPTED;
	}
	return status < 0 ? say_failure(status) : say_learned(target, sources);
}

/* @return EXIT_DONE, or an exit code after saying what is missing */
static int find_sources(struct sources *out, const char **paths, size_t count)
{
	int status = 0;
	if (pairs_file)
		status = cairn_pairs_read(&out->pairs, pairs_file);
	else
		status = cairn_find_images(paths, count, &out->paths, &out->count);
	if (status == 0 && !pairs_file && !out->count) {
		say_error("no image was found to learn from");
		return EXIT_INPUT;
	}
	if (status == 0 && pairs_from)
		status = cairn_pairs_in_folders(&out->pairs, (const char *const *)out->paths, out->count,
						(uint32_t)max_pairs, seed);
	return status < 0 ? say_failure(status) : EXIT_DONE;
}

static int check_pairs(const struct command *command, size_t paths)
{
	int is_lw = chosen_kind() == CAIRN_WHITEN_LW;
	if (pairs_file && pairs_from)
		return usage_error(command, "--pairs and --pairs-from exclude each other");
	if (is_lw && !pairs_file && !pairs_from)
		return usage_error(command, "--kind lw learns from pairs: it needs --pairs or --pairs-from");
	if (!is_lw && (pairs_file || pairs_from))
		return usage_error(command, "--pairs and --pairs-from need --kind lw: the others learn without pairs");
	if ((max_pairs || seed) && !pairs_from)
		return usage_error(command, "--max-pairs and --seed go with --pairs-from");
	if (pairs_file && paths)
		return usage_error(command, "--pairs names the images itself; there is no PATH beside it");
	if (!pairs_file && !paths)
		return usage_error(command, "PATH is missing");
	return EXIT_DONE;
}

static int check(const struct command *command, const struct networks *networks, size_t paths)
{
	if (!output && networks->count > 1)
		return usage_error(command, "name the ensemble of %zu models with --output", networks->count);
	if (!output && strchr(networks->list[0].name, '/'))
		return usage_error(command, "%s is the path of a bundle; name the new model with --output",
				   networks->list[0].name);
	if (dim && chosen_kind() == CAIRN_WHITEN_CENTRE)
		return usage_error(command, "--dim needs --kind pca, pcaw or lw: centring keeps all dimensions");
	if (!isnan(power) && chosen_kind() != CAIRN_WHITEN_PCAW)
		return usage_error(command, "--power goes with --kind pcaw");
	if (unit && raw)
		return usage_error(command, "--unit and --raw exclude each other");
	return check_pairs(command, paths);
}

/* The first operand is a model, and so are those after it that have a weight and are no files. */
static int read_networks(const struct arguments *arguments, struct networks *out)
{
	out->list = need(arguments->count, sizeof(*out->list));
	for (size_t i = 0; i < arguments->count; i++) {
		const char *text = arguments->operands[i];
		cairn_describer_model model;
		int given = split_weight(text, &model);
		if (i > 0 && (given == 0 || access(text, F_OK) == 0)) {
			free((char *)(uintptr_t)model.name);
			break;
		}
		out->list[out->count++] = model;
		if (given < 0)
			return usage_error(arguments->command, "%s: the weight must be a decimal number above 0", text);
	}
	return EXIT_DONE;
}

static int run(const struct arguments *arguments)
{
	struct networks networks = { 0 };
	struct sources sources = { 0 };
	int code = read_networks(arguments, &networks);
	const char **paths = arguments->operands + networks.count;
	size_t count = arguments->count - networks.count;
	if (code == EXIT_DONE)
		code = check(arguments->command, &networks, count);
	if (code == EXIT_DONE)
		code = find_sources(&sources, paths, count);
	if (code == EXIT_DONE)
		code = learn(&networks, output ? output : networks.list[0].name, &sources);
	cairn_pairs_free(sources.pairs);
	cairn_paths_free(sources.paths, sources.count);
	for (size_t i = 0; i < networks.count; i++)
		free((char *)(uintptr_t)networks.list[i].name);
	free(networks.list);
	return code;
}

static const char *const usage[] = { "NAME[:WEIGHT] [NAME:WEIGHT]... PATH...",
				     "NAME[:WEIGHT] [NAME:WEIGHT]... --kind lw --pairs FILE", NULL };

static const struct operand operands[] = {
	{ "NAME", COMPLETE_MODEL, 0, 0 },
	{ "PATH", COMPLETE_FILE, 1, 1 },
	{ .name = NULL },
};

static const struct option options[] = {
	OPT_CHOICE("kind", "KIND", &kind, kinds,
		   "centre: subtract the mean; pca: also rotate onto the principal axes; pcaw: also divide each axis "
		   "by its standard deviation (default); lw: supervised, from pairs of images that show the same"),
	OPT_REAL("power", "T", &power, 0, 1,
		 "with pcaw, divide by the standard deviation to the power T: 1 whitens, 0 only rotates, 0.5 is "
		 "halfway (default 1)"),
	OPT_WHOLE(0, "dim", "N", &dim, 1, 65536, "keep the first N axes (default: all that the images span)"),
	OPT_FLAG(0, "unit", &unit, "bring descriptors to unit length before all that (default, except with centre)"),
	OPT_FLAG(0, "raw", &raw, "take descriptors as the network gives them (default with centre)"),
	OPT_TEXT(0, "pairs", "FILE", &pairs_file, COMPLETE_FILE,
		 "with lw: a CSV file of matching images, two paths a line, relative to its folder"),
	OPT_CHOICE("pairs-from", "WHERE", &pairs_from, pairings,
		   "with lw: parent: images in the same folder match, sub-folders apart"),
	OPT_WHOLE(0, "max-pairs", "N", &max_pairs, 1, UINT32_MAX,
		  "with --pairs-from: N pairs of a folder, chosen at random where there are more (default: all)"),
	OPT_WHOLE(0, "seed", "N", &seed, 0, UINT32_MAX, "of that choice (default 0)"),
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
	{ "cairn model whiten sscd other-city/ --power 0.5 -o half", "halfway between rotating and whitening" },
	{ "cairn model whiten sscd places/ --kind lw --pairs-from parent -o sscd-lw",
	  "from photographs that are sorted by place" },
	{ "cairn model whiten sscd:1 efficientnet-lite0:0.5 city/ --dim 512 -o both",
	  "two models joined, whitened together and shortened" },
	{ NULL, NULL },
};

const struct command cmd_model_whiten = {
	.name = "model whiten",
	.summary = "learn centring or whitening from images",
	.description =
		"Describes images (files, folders with all below them, or @list.txt) and learns from the descriptors "
		"how to centre or whiten them. The parameters are kept in the bundle and applied whenever it "
		"describes. Learn from images like those to be searched in, but not from those that results are "
		"reported on.\n\n"
		"Several models make an ensemble: the unit vectors of each, multiplied by its weight, are joined and "
		"whitened together. Further models are told from paths by their weight. The new model refers to its "
		"members: while one of them is changed or not there, it cannot be used.",
	.usage = usage,
	.operands = operands,
	.options = options,
	.examples = example_list,
	.run = run,
};
