/*
 * cairn info: what a collection holds.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cairn/collection.h"
#include "exit_code.h"
#include "output.h"
#include "say.h"
#include "shared.h"
#include "text.h"

static const char *format;

/* Words and centroids that were trained on few images, or on others, divide many badly. */
#define RETRAIN_GROWTH 4
#define RETRAIN_DRIFT  1.1
#define MANY_ROWS      1000000

static int print_as_json(const cairn_collection_info *info)
{
	json_t *root = json_object(), *models = json_array(), *locals = json_array(), *structures = json_array();
	set_bytes(root, "folder", info->folder);
	set_member(root, "images", json_integer((json_int_t)info->images));
	set_member(root, "removed", json_integer((json_int_t)info->removed));
	set_member(root, "labelled", json_integer((json_int_t)info->labelled));
	set_member(root, "rows", json_integer((json_int_t)info->rows));
	set_member(root, "segments", json_integer((json_int_t)info->segments));
	set_member(root, "bytes", json_integer((json_int_t)info->bytes));
	set_member(root, "dim", json_integer((json_int_t)info->dim));
	for (size_t i = 0; i < info->model_count; i++) {
		json_t *model = json_object();
		set_member(model, "name", text_json(info->models[i].name));
		set_member(model, "weight", number_json(info->models[i].weight));
		add_item(models, model);
	}
	for (size_t i = 0; i < info->local_count; i++)
		add_item(locals, text_json(info->locals[i]));
	for (size_t i = 0; i < info->structure_count; i++)
		add_item(structures, structure_json(&info->structures[i]));
	set_member(root, "models", models);
	set_member(root, "locals", locals);
	set_member(root, "detector", info->detector ? text_json(info->detector) : json_null());
	set_member(root, "structures", structures);
	return print_json(root);
}

static void print_models(const cairn_collection_info *info)
{
	printf("descriptor  ");
	if (!info->model_count)
		printf("none");
	for (size_t i = 0; i < info->model_count; i++) {
		char *name = visible(info->models[i].name);
		printf("%s%s", i ? " + " : "", name);
		if (info->model_count > 1)
			printf(" (weight %g)", (double)info->models[i].weight);
		free(name);
	}
	if (info->model_count)
		printf(", %zu dimensions", info->dim);
	printf("\nfeatures    %s", info->local_count ? "" : "none");
	for (size_t i = 0; i < info->local_count; i++)
		printf("%s%s", i ? ", " : "", info->locals[i]);
	if (info->detector)
		printf("\nboxes       by %s", info->detector);
	putchar('\n');
}

static void print_advice(const cairn_structure_info *info, double drift)
{
	if (info->units && info->covered < info->total)
		printf(", %" PRIu64 " of %" PRIu64 " images; 'cairn index' completes it", info->covered, info->total);
	else if (info->trained && info->total >= RETRAIN_GROWTH * info->trained)
		printf("; trained on %" PRIu64 ", there are %" PRIu64 " now: 'cairn index --retrain' renews it",
		       info->trained, info->total);
	else if (drift > RETRAIN_DRIFT)
		printf("; today's images are further from them than those they were trained on (%.2f times): 'cairn "
		       "index "
		       "--retrain' renews it",
		       drift);
}

static void print_structure(cairn_collection *collection, const cairn_structure_info *info)
{
	char size[32];
	char *name = structure_name(info), *units = structure_size(info);
	double drift = 0;
	format_bytes(size, sizeof(size), (double)info->bytes);
	printf("%-10s  ", name);
	free(name);
	if (!info->kind && info->units && info->covered == info->total)
		cairn_collection_drift(collection, &drift);
	if (info->units)
		printf("%s, %s", units, size);
	else
		printf("waits for more images to train on");
	print_advice(info, drift);
	putchar('\n');
	free(units);
}

static int has_lists(const cairn_collection_info *info)
{
	for (size_t i = 0; i < info->structure_count; i++)
		if (!info->structures[i].kind)
			return 1;
	return 0;
}

static int print(cairn_collection *collection, const cairn_collection_info *info)
{
	char size[32];
	char *folder = visible(info->folder);
	printf("collection  %s\nimages      %" PRIu64, folder, info->images);
	if (info->removed)
		printf(" (and %" PRIu64 " removed; 'cairn compact' frees them)", info->removed);
	printf("\nlabelled    %" PRIu64 "\n", info->labelled);
	print_models(info);
	for (size_t i = 0; i < info->structure_count; i++)
		print_structure(collection, &info->structures[i]);
	if (info->rows > MANY_ROWS && !has_lists(info))
		printf("            'cairn index --ivf' makes searches among so many faster\n");
	format_bytes(size, sizeof(size), (double)info->bytes);
	printf("on disk     %s in %" PRIu64 " segment%s\n", size, info->segments, info->segments == 1 ? "" : "s");
	free(folder);
	return output_end(EXIT_DONE);
}

static int run(const struct arguments *arguments)
{
	cairn_collection *collection;
	cairn_collection_info info;
	int status = cairn_collection_open(&collection, arguments->operands[0], 0);
	if (status < 0)
		return say_failure(status);
	status = cairn_collection_get_info(collection, &info);
	int code = status < 0 ? say_failure(status) : is_json(format) ? print_as_json(&info) : print(collection, &info);
	cairn_collection_free(collection);
	return code;
}

static const struct operand operands[] = {
	{ "DIR", COMPLETE_FOLDER, 0, 0 },
	{ .name = NULL },
};

static const struct option options[] = {
	OPT_FORMAT(&format),
	OPT_END,
};

static const struct section sections[] = {
	{ "json output",
	  "One object: folder, images, removed (still in the segments), labelled, rows (of descriptors), segments, "
	  "bytes, dim (of a descriptor, 0 if there is none), models (objects with name and weight), locals (names), "
	  "detector (a name or null), structures (objects with structure: asmk or lists; local, the kind of features "
	  "or null; words or lists, 0 "
	  "before it is trained; trained_on, images or descriptors, 0 where a codebook was copied; covered, images "
	  "that "
	  "are in it, of images; bytes)." },
	{ NULL, NULL },
};

const struct command cmd_info = {
	.name = "info",
	.summary = "what a collection holds",
	.description = "Tells how many images a collection holds, what it keeps of each, and how large it is.",
	.operands = operands,
	.options = options,
	.sections = sections,
	.run = run,
};
