/*
 * cairn index: build what makes searches in a collection faster or better.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/collection.h"
#include "cairn/ivf.h"
#include "exit_code.h"
#include "interrupt.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "say.h"
#include "shared.h"
#include "text.h"

static const char *asmk, *local, *regions, *format;
static uint64_t word_count, list_count, threads, seed = 1;
static int ivf, retrain;

static void print_structure(const cairn_structure_info *info)
{
	char size[32];
	char *name = structure_name(info), *units = structure_size(info);
	format_bytes(size, sizeof(size), (double)info->bytes);
	/* The numbers count removed images, too. */
	if (!info->units)
		printf("%s: waits for more images to train on\n", name);
	else if (info->covered == info->total)
		printf("%s: %s, all images, %s\n", name, units, size);
	else
		printf("%s: %s, %" PRIu64 " of %" PRIu64 " images, %s\n", name, units, info->covered, info->total,
		       size);
	free(name);
	free(units);
}

static json_t *structures_json(const cairn_collection_info *info)
{
	json_t *list = json_array();
	for (size_t i = 0; i < info->structure_count; i++)
		add_item(list, structure_json(&info->structures[i]));
	return list;
}

static int print(const cairn_collection_info *info, const cairn_build_report *report, int interrupted)
{
	if (is_json(format)) {
		json_t *root = json_object();
		set_member(root, "trained", json_integer((json_int_t)report->trained));
		set_member(root, "written", json_integer((json_int_t)report->written));
		set_member(root, "postponed", json_integer((json_int_t)report->postponed));
		set_member(root, "structures", structures_json(info));
		set_member(root, "interrupted", json_boolean(interrupted));
		return print_json(root);
	}
	for (size_t i = 0; i < info->structure_count; i++)
		print_structure(&info->structures[i]);
	if (!info->structure_count && !interrupted)
		printf("nothing to build: the collection was not asked to have an index; --asmk or --ivf asks for "
		       "one\n");
	return output_end(EXIT_DONE);
}

/* The collection knows what it lacks, but not that what it has was to be trained again. */
static void say_interrupted(const cairn_build_options *asked, const cairn_build_report *report,
			    const cairn_collection_info *info)
{
	size_t wanted = (size_t)(asked->asmk != NULL) + (asked->ivf != 0);
	if (!wanted)
		wanted = info->structure_count;
	if (!asked->retrain)
		say("interrupted: the same command again goes on where it stopped");
	else if (report->trained + report->postponed < wanted)
		say("interrupted before the training was over: the same command again begins it anew");
	else
		say("interrupted: the same command without --retrain goes on where it stopped");
}

static int build(cairn_collection *collection, const cairn_build_options *asked)
{
	cairn_build_options options = *asked;
	cairn_build_report report;
	cairn_collection_info info;
	struct progress progress;
	progress_start(&progress, "stopping; what is written stays");
	options.progress = progress_show;
	options.progress_payload = &progress;
	int status = cairn_collection_build_index(collection, &options, &report);
	progress_end(&progress);
	int interrupted = status == CAIRN_ECANCELLED;
	if (status < 0 && !interrupted)
		return say_failure(status);
	status = cairn_collection_get_info(collection, &info);
	int code = status < 0 ? say_failure(status) : print(&info, &report, interrupted);
	if (interrupted && status == 0)
		say_interrupted(asked, &report, &info);
	return interrupted ? EXIT_INTERRUPTED : code;
}

/* Without --local the kind that searches verify with. */
static int choose_kind(cairn_collection *collection, const char **out)
{
	cairn_collection_info info;
	int status = cairn_collection_get_info(collection, &info);
	if (status < 0)
		return say_failure(status);
	if (!local && !info.local_count) {
		say_error("%s keeps no local features, which ASMK is made of; make it with 'cairn init --local'",
			  info.folder);
		return EXIT_INPUT;
	}
	*out = local ? local : info.locals[0];
	return EXIT_DONE;
}

/* Of what there is already, a size takes effect only where it is trained again. */
static int check_size(const cairn_collection_info *info, const cairn_structure_info *structure, uint64_t wanted)
{
	if (!wanted || !structure->units || structure->units == wanted)
		return EXIT_DONE;
	char *size = structure_size(structure);
	say_error("%s has %s; --retrain makes others", info->folder, size);
	free(size);
	return EXIT_INPUT;
}

static int check_sizes(cairn_collection *collection, const char *kind)
{
	cairn_collection_info info;
	int status = cairn_collection_get_info(collection, &info), code = EXIT_DONE;
	if (status < 0)
		return say_failure(status);
	for (size_t i = 0; i < info.structure_count && code == EXIT_DONE && !retrain; i++) {
		const cairn_structure_info *structure = &info.structures[i];
		if (!structure->kind)
			code = check_size(&info, structure, list_count);
		else if (kind && strcmp(structure->kind, kind) == 0)
			code = check_size(&info, structure, word_count);
	}
	return code;
}

static int check_arguments(const struct command *command)
{
	if (!asmk && (local || word_count || regions))
		return usage_error(command, "--%s belongs to --asmk",
				   local        ? "local"
				   : word_count ? "words"
						: "regions");
	if (asmk && *asmk && (word_count || retrain))
		return usage_error(command, "--%s trains a codebook, --asmk=%s copies one",
				   word_count ? "words" : "retrain", asmk);
	if (!ivf && list_count)
		return usage_error(command, "--lists belongs to --ivf");
	return 0;
}

static int run(const struct arguments *arguments)
{
	cairn_build_options options = CAIRN_BUILD_OPTIONS_INIT;
	cairn_collection *collection;
	int code = check_arguments(arguments->command);
	if (code)
		return code;
	options.words = (uint32_t)word_count;
	options.ivf = ivf;
	options.lists = (uint32_t)list_count;
	options.retrain = retrain;
	options.seed = seed;
	options.threads = (uint32_t)threads;
	options.codebook = asmk && *asmk ? asmk : NULL;
	options.regions = regions;
	interrupt_watch();
	int status = cairn_collection_open(&collection, arguments->operands[0], 1);
	if (status < 0)
		return say_failure(status);
	code = asmk ? choose_kind(collection, &options.asmk) : EXIT_DONE;
	if (code == EXIT_DONE)
		code = check_sizes(collection, options.asmk);
	if (code == EXIT_DONE)
		code = build(collection, &options);
	cairn_collection_free(collection);
	return code;
}

static const struct operand operands[] = {
	{ "DIR", COMPLETE_FOLDER, 0, 0 },
	{ .name = NULL },
};

static const struct option options[] = {
	OPT_OPTIONAL(
		"asmk", ASMK_VALUE, &asmk, COMPLETE_FILE,
		"files of aggregated local features (ASMK), for 'cairn search --by asmk' and 'fused'; with "
		"a codebook that is copied from a NumPy file or another collection, otherwise trained on this one"),
	OPT_TEXT(0, "local", "KIND", &local, COMPLETE_MODEL,
		 "the kind of local features for --asmk (default: the first that the collection keeps)"),
	OPT_WHOLE(0, "words", "N", &word_count, 1, CAIRN_CODEBOOK_MAX_WORDS,
		  "words of the codebook that is trained (default: as many as a power of two up to 65536 with at "
		  "least 20 descriptors a word)"),
	OPT_TEXT(0, "regions", "grid|boxes|none", &regions, COMPLETE_NOTHING,
		 "for --asmk: aggregate parts of images too, squares of three sizes or the boxes that 'cairn init "
		 "--detector' has kept, which finds places that fill a part of a photograph (default: as before, none "
		 "at first)"),
	OPT_FLAG(0, "ivf", &ivf,
		 "lists of the global descriptors, of which a search probes a few: faster from some tens of thousands "
		 "of images on"),
	OPT_WHOLE(0, "lists", "N", &list_count, 1, CAIRN_IVF_MAX_LISTS,
		  "how many lists are trained (default 2 * the root of the number of descriptors)"),
	OPT_FLAG(0, "retrain", &retrain, "train again, and write all files anew"),
	OPT_WHOLE(0, "seed", "N", &seed, 0, UINT64_MAX, "of training (default 1)"),
	OPT_THREADS(&threads),
	OPT_FORMAT(&format),
	OPT_END,
};

static const struct section sections[] = {
	{ "json output",
	  "One object: trained (codebooks and quantizers that were trained or copied), written (segments that got a "
	  "file), postponed "
	  "(what waits for more images to train on), structures (as 'cairn info' tells), interrupted: true or false." },
	{ NULL, NULL },
};

static const struct example example_list[] = {
	{ "cairn index my-photos --asmk", "train a codebook on the collection, and use it" },
	{ "cairn index my-photos --asmk=other-photos", "with the codebook of another collection" },
	{ "cairn index my-photos --asmk --regions grid",
	  "aggregate parts of the images too, with the words that there are" },
	{ "cairn index millions --ivf", "before searching with --recall 0.9" },
	{ "cairn index my-photos", "complete what an interrupted run left" },
	{ NULL, NULL },
};

const struct command cmd_index = {
	.name = "index",
	.summary = "build what makes searches better or faster",
	.description =
		"Builds structures beside the descriptors and features of a collection. What was asked for once, "
		"'cairn "
		"add' extends by itself. Without options, completes what the collection has been asked to have. After "
		"Ctrl-C or a kill, the same command goes on where it stopped; --retrain trains anew.",
	.operands = operands,
	.options = options,
	.sections = sections,
	.examples = example_list,
	.run = run,
};
