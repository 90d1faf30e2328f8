/*
 * cairn knn: the nearest neighbours of every image of a collection.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/collection.h"
#include "cairn/graph.h"
#include "exit_code.h"
#include "interrupt.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "say.h"
#include "shared.h"
#include "text.h"

static uint64_t k = 100, threads;
static const char *prefix, *others, *memory, *format;
static int exact;

static const char *const kinds[] = { "images", "ids", "scores", NULL };

static int check_arguments(const struct command *command, uint64_t *bytes)
{
	*bytes = 0;
	if (!prefix)
		return usage_error(command, "-o is missing");
	if (!*prefix || prefix[strlen(prefix) - 1] == '/')
		return usage_error(command, "-o takes the beginning of file names, not '%s'", prefix);
	if (memory && !parse_bytes(memory, 1, UINT64_MAX, bytes))
		return usage_error(command, "--memory takes a whole number of bytes such as 500M or 2G, not '%s'",
				   memory);
	return 0;
}

static int print(const cairn_graph_report *report, double seconds)
{
	if (is_json(format)) {
		json_t *root = json_object(), *files = json_object();
		for (size_t i = 0; kinds[i]; i++) {
			char *path = need_text("%s.%s.npy", prefix, kinds[i]);
			set_bytes(files, kinds[i], path);
			free(path);
		}
		set_member(root, "images", json_integer((json_int_t)report->images));
		set_member(root, "k", json_integer((json_int_t)k));
		set_member(root, "neighbours", json_integer((json_int_t)report->neighbours));
		set_member(root, "blocks", json_integer((json_int_t)report->blocks));
		set_member(root, "resumed", number_json(report->resumed));
		set_member(root, "seconds", number_json(seconds));
		set_member(root, "files", files);
		return print_json(root);
	}
	char *shown = visible(prefix);
	printf("%" PRIu64 " neighbour%s of %" PRIu64 " image%s in %.1f s: %s.images.npy, .ids.npy, .scores.npy\n",
	       report->neighbours, report->neighbours == 1 ? "" : "s", report->images, report->images == 1 ? "" : "s",
	       seconds, shown);
	free(shown);
	return output_end(EXIT_DONE);
}

static int write_graph(const cairn_index *images, const cairn_index *among, uint64_t bytes)
{
	cairn_graph_options options = CAIRN_GRAPH_OPTIONS_INIT;
	cairn_graph_report report;
	struct progress progress;
	options.threads = (unsigned)threads;
	options.exact = exact;
	options.memory = bytes;
	options.progress = progress_show;
	options.progress_payload = &progress;
	double start = seconds_now();
	progress_start(&progress, "stopping; what is done is being written");
	int status = cairn_graph_write(images, among, (size_t)k, prefix, &options, &report);
	progress_end(&progress);
	if (status == CAIRN_ECANCELLED) {
		say("interrupted: run the same command again to go on; %s.work keeps what was done", prefix);
		return EXIT_INTERRUPTED;
	}
	return status < 0 ? say_failure(status) : print(&report, seconds_now() - start);
}

/* @param[out] index borrowed from the collection */
static int open_index(cairn_collection **collection, const cairn_index **index, const char *folder)
{
	int status = cairn_collection_open(collection, folder, 0);
	if (status >= 0)
		status = cairn_collection_index(index, *collection);
	return status < 0 ? say_failure(status) : EXIT_DONE;
}

/* Better now than after the work. */
static int check_outputs(void)
{
	static const char *const endings[] = { "images", "ids", "scores" };
	int code = EXIT_DONE;
	for (size_t i = 0; i < 3 && code == EXIT_DONE; i++) {
		char *path = need_text("%s.%s.npy", prefix, endings[i]);
		code = check_overwriting("-o", path, ".npy");
		free(path);
	}
	return code;
}

static int run(const struct arguments *arguments)
{
	cairn_collection *own = NULL, *other = NULL;
	const cairn_index *images = NULL, *among = NULL;
	uint64_t bytes;
	int code = check_arguments(arguments->command, &bytes);
	if (!code)
		code = check_outputs();
	interrupt_watch();
	if (!code)
		code = open_index(&own, &images, arguments->operands[0]);
	if (!code && others)
		code = open_index(&other, &among, others);
	if (!code)
		code = write_graph(images, among, bytes);
	cairn_collection_free(own);
	cairn_collection_free(other);
	return code;
}

static const char *const usage[] = { "DIR -o PREFIX [options]", NULL };

static const struct operand operands[] = {
	{ "DIR", COMPLETE_FOLDER, 0, 0 },
	{ .name = NULL },
};

static const struct option options[] = {
	OPT_TEXT('o', "output", "PREFIX", &prefix, COMPLETE_FILE,
		 "where to write: PREFIX.images.npy, PREFIX.ids.npy, PREFIX.scores.npy"),
	OPT_WHOLE('k', "k", "N", &k, 1, CAIRN_GRAPH_MAX_K, "how many neighbours of each image (default 100)"),
	OPT_TEXT(0, "in", "OTHER", &others, COMPLETE_FOLDER,
		 "look for neighbours in this collection instead; the ids are its own"),
	OPT_TEXT(0, "memory", "SIZE", &memory, COMPLETE_NOTHING,
		 "take at most so much memory, such as 500M or 8G (default 2G); what has no room is kept in "
		 "PREFIX.work"),
	OPT_FLAG(0, "exact", &exact, "compare all pairs in half precision; slower, and rarely different"),
	OPT_THREADS(&threads),
	OPT_FORMAT(&format),
	OPT_END,
};

static const struct section sections[] = {
	{ "files",
	  "NumPy arrays with a line an image, in order of ids. images: int64, the id of each line's image. ids: "
	  "int64, lines x N, its neighbours, best first; -1 where there are fewer. scores: float32, lines x N, "
	  "their cosines; -inf where there are fewer." },
	{ "json output",
	  "One object: images (lines), k, neighbours (in all lines together), blocks (1 where all lists had "
	  "room in memory), resumed (0 to 1: the share of the work that earlier runs had done), seconds, "
	  "files (images, ids, scores: paths)." },
	{ NULL, NULL },
};

static const struct example example_list[] = {
	{ "cairn knn my-photos -k 20 -o near", "near.ids.npy holds the 20 nearest of each photograph" },
	{ "cairn knn new --in my-photos -k 1 -o match", "for each image of new, the nearest in my-photos" },
	{ NULL, NULL },
};

const struct command cmd_knn = {
	.name = "knn",
	.summary = "find the nearest neighbours of every image",
	.description =
		"Writes the k nearest images of every image of a collection, by global descriptor. No image is its own "
		"neighbour.\n\n"
		"Each pair of images is compared once. It may be interrupted, also by a kill, and run again: it goes "
		"on where "
		"it stopped, with the same result. The folder PREFIX.work keeps what is needed for that until the work "
		"is "
		"complete. If the collection changes in the meantime, the work is begun anew. While one run works, "
		"another "
		"with the same PREFIX is refused.",
	.usage = usage,
	.operands = operands,
	.options = options,
	.sections = sections,
	.examples = example_list,
	.run = run,
};
