/*
 * cairn init: make a collection.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cairn/asmk.h"
#include "cairn/collection.h"
#include "command.h"
#include "defaults.h"
#include "exit_code.h"
#include "options.h"
#include "say.h"
#include "shared.h"
#include "text.h"

static struct texts models, locals;
static const char *asmk, *detector;

/* "none" stands alone and means an empty list. @return 0, or EXIT_USAGE */
static int take_none(const struct command *command, struct texts *list, const char *option)
{
	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i], "none") != 0)
			continue;
		if (list->count > 1)
			return usage_error(command, "--%s none cannot stand beside another --%s", option, option);
		list->count = 0;
	}
	return 0;
}

static int read_model(const struct command *command, const char *text, cairn_describer_model *out)
{
	if (split_weight(text, out) < 0)
		return usage_error(command, "--model %s: the weight must be a decimal number above 0", text);
	if (strcmp(out->name, "none") == 0)
		return usage_error(command, "--model none takes no weight");
	return 0;
}

static int read_models(const struct command *command, cairn_describer_model *out)
{
	for (size_t i = 0; i < models.count; i++) {
		int code = read_model(command, models.items[i], &out[i]);
		if (code)
			return code;
	}
	return 0;
}

static void choose_defaults(void)
{
	static const char *default_model[] = { DEFAULT_MODEL }, *default_local[] = { DEFAULT_LOCAL };
	if (!models.count)
		models = (struct texts){ default_model, 1 };
	if (!locals.count)
		locals = (struct texts){ default_local, 1 };
}

static void say_made(const char *folder, const cairn_describer_model *list)
{
	char *what = need_text("%s", models.count ? "" : "no global descriptor"), *word = shell_word(folder);
	for (size_t i = 0; i < models.count + locals.count; i++) {
		const char *name = i < models.count ? list[i].name : locals.items[i - models.count];
		char *longer = need_text("%s%s%s", what, *what ? ", " : "", name);
		free(what);
		what = longer;
	}
	say("made the collection %s: %s%s%s%s", folder, what, locals.count ? "" : ", no local features",
	    detector ? ", boxes of " : "", detector ? detector : "");
	say("add photographs with: cairn add %s PATH...", word);
	free(word);
	free(what);
}

static int check_codebook(cairn_collection *collection, const char *path)
{
	cairn_collection_info info;
	const char *slash = strrchr(locals.items[0], '/'), *kind = slash ? slash + 1 : locals.items[0];
	int status = cairn_collection_get_info(collection, &info);
	if (status < 0)
		return say_failure(status);
	for (size_t i = 0; i < info.structure_count; i++)
		if (info.structures[i].kind && info.structures[i].units && strcmp(info.structures[i].kind, kind) == 0)
			return EXIT_DONE;
	say_error("%s has no codebook of '%s'; 'cairn index --asmk' makes it", path, kind);
	return EXIT_INPUT;
}

/* Before the collection is made: is there what a codebook can be copied from? */
static int check_origin(const char *path)
{
	struct stat info;
	cairn_collection *collection = NULL;
	cairn_codebook *codebook = NULL;
	int is_folder = stat(path, &info) == 0 && S_ISDIR(info.st_mode);
	int status = is_folder ? cairn_collection_open(&collection, path, 0) : cairn_codebook_open(&codebook, path);
	int code = status < 0 ? say_failure(status) : is_folder ? check_codebook(collection, path) : EXIT_DONE;
	cairn_collection_free(collection);
	cairn_codebook_free(codebook);
	return code;
}

/* The collection is there whatever becomes of this. */
static int ask_for_asmk(const char *folder)
{
	cairn_build_options options = CAIRN_BUILD_OPTIONS_INIT;
	cairn_collection *collection;
	options.codebook = *asmk ? asmk : NULL;
	int status = cairn_collection_open(&collection, folder, 1);
	if (status < 0)
		return say_failure(status);
	cairn_collection_info info;
	status = cairn_collection_get_info(collection, &info);
	if (status == 0) {
		options.asmk = info.locals[0];
		status = cairn_collection_build_index(collection, &options, NULL);
	}
	cairn_collection_free(collection);
	int code = status < 0 ? say_failure(status) : EXIT_DONE;
	if (code != EXIT_DONE)
		say("the collection was made without ASMK; 'cairn index --asmk' gives it to it");
	return code;
}

static int make(const char *folder, const cairn_describer_model *list)
{
	cairn_collection_options options = { .version = CAIRN_COLLECTION_OPTIONS_VERSION,
					     .models = list,
					     .model_count = models.count,
					     .locals = locals.items,
					     .local_count = locals.count,
					     .detector = detector };
	int status = cairn_collection_create(folder, &options);
	if (status < 0)
		return say_failure(status);
	say_made(folder, list);
	return asmk ? ask_for_asmk(folder) : EXIT_DONE;
}

static int run(const struct arguments *arguments)
{
	const struct command *command = arguments->command;
	choose_defaults();
	int code = take_none(command, &models, "model");
	if (!code)
		code = take_none(command, &locals, "local");
	if (!code && !models.count && !locals.count)
		code = usage_error(command, "with --model none and --local none nothing would be kept of an image");
	if (!code && asmk && !locals.count)
		code = usage_error(command, "--asmk is made of local features, and --local none keeps none");
	if (!code && detector && !locals.count)
		code = usage_error(command, "--detector finds regions of local features, and --local none keeps none");
	if (code)
		return code;
	if (asmk && *asmk && (code = check_origin(asmk)) != EXIT_DONE)
		return code;
	cairn_describer_model *list = need(models.count, sizeof(*list));
	code = read_models(command, list);
	if (!code)
		code = make(arguments->operands[0], list);
	for (size_t i = 0; i < models.count; i++)
		free((char *)(uintptr_t)list[i].name);
	free(list);
	return code;
}

static const struct operand operands[] = {
	{ "DIR", COMPLETE_FOLDER, 0, 0 },
	{ .name = NULL },
};

static const struct option options[] = {
	OPT_LIST(0, "model", "NAME[:WEIGHT]", &models, COMPLETE_MODEL,
		 "a model for the global descriptor, as often as wanted, with its weight (1); none: no global "
		 "descriptor "
		 "(default " DEFAULT_MODEL ")"),
	OPT_LIST(0, "local", "KIND", &locals, COMPLETE_MODEL,
		 "local features to keep for verification, as often as wanted: rootsift, xfeat or a local model's "
		 "name; none: no "
		 "local features (default " DEFAULT_LOCAL ")"),
	OPT_TEXT(0, "detector", "NAME", &detector, COMPLETE_MODEL,
		 "keep the boxes that a detector model finds in each image, for 'cairn index --asmk --regions boxes' "
		 "(default: none)"),
	OPT_OPTIONAL("asmk", ASMK_VALUE, &asmk, COMPLETE_FILE,
		     "also search by the first kind of local features (ASMK): with a codebook that is copied from a "
		     "NumPy file or another collection, otherwise trained when the first images are added"),
	OPT_END,
};

static const struct example example_list[] = {
	{ "cairn init my-photos", "the defaults" },
	{ "cairn init both --model efficientnet-lite0 --model sscd:0.8",
	  "two networks joined, the second counting less" },
	{ "cairn init plain --model none --local rootsift",
	  "without any network: every image is compared by local features" },
	{ NULL, NULL },
};

const struct command cmd_init = {
	.name = "init",
	.summary = "make a collection",
	.description = "Makes an empty collection in a new or empty folder and decides what it keeps of each image. "
		       "That cannot be "
		       "changed later: descriptors made in different ways cannot be compared.",
	.operands = operands,
	.options = options,
	.examples = example_list,
	.run = run,
};
