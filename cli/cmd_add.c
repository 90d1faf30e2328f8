/*
 * cairn add: images into a collection, with a bar, a list of what could not be read, and an orderly stop.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cairn/collection.h"
#include "exit_code.h"
#include "interrupt.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "say.h"
#include "shared.h"
#include "text.h"

#define SHOWN_FAILURES 10

static const char *labels, *label_from, *errors, *precision, *format;
static int lenient;
static uint64_t max_pixels, max_bytes, batch, threads;

static const char *const label_sources[] = { "parent", NULL };

/* Images that could not be added: the first for people, all for the file. */
struct failures {
	const struct arguments *arguments;
	uint64_t count;
	char *shown[SHOWN_FAILURES];
	FILE *file; /* NULL: none */
	int named;  /* one of them was named on the command line */
};

static const char *base(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* The library tells absolute paths. Files are known by device and inode, what does not exist by its name. */
static int was_named(const struct arguments *arguments, const char *path)
{
	struct stat there, here;
	int exists = stat(path, &there) == 0;
	for (size_t i = 1; i < arguments->count; i++) {
		const char *operand = arguments->operands[i] + (arguments->operands[i][0] == '@');
		int same = stat(operand, &here) == 0
				   ? exists && here.st_dev == there.st_dev && here.st_ino == there.st_ino
				   : !exists && strcmp(base(operand), base(path)) == 0;
		if (same)
			return 1;
	}
	return 0;
}

static void take_failure(const char *path, int status, const char *message, void *payload)
{
	struct failures *failures = payload;
	if (failures->count < SHOWN_FAILURES)
		failures->shown[failures->count] = need_text("%s", message);
	failures->count++;
	failures->named |= was_named(failures->arguments, path);
	if (!failures->file)
		return;
	csv_field(failures->file, path);
	fprintf(failures->file, ",%s,", cairn_status_name(status));
	csv_field(failures->file, message);
	putc('\n', failures->file);
}

static int open_failures(struct failures *failures)
{
	if (!errors)
		return 0;
	int refused = check_overwriting("--errors", errors, ".csv");
	if (refused)
		return refused;
	failures->file = fopen(errors, "we");
	if (!failures->file) {
		say_error("%s: %s", errors, strerror(errno));
		return EXIT_INPUT;
	}
	fputs("path,status,message\n", failures->file);
	return 0;
}

/* @return 0, or EXIT_INPUT where the file could not be written */
static int close_failures(struct failures *failures)
{
	int bad = 0;
	if (failures->file) {
		bad = ferror(failures->file);
		bad |= fclose(failures->file) != 0;
	}
	if (bad)
		say_error("%s: %s", errors, errno ? strerror(errno) : "cannot be written");
	for (size_t i = 0; i < SHOWN_FAILURES; i++)
		free(failures->shown[i]);
	return bad ? EXIT_INPUT : 0;
}

static void say_failures(const struct failures *failures)
{
	if (!failures->count)
		return;
	say("%" PRIu64 " could not be read:", failures->count);
	for (size_t i = 0; i < SHOWN_FAILURES && failures->shown[i]; i++)
		say("  %s", failures->shown[i]);
	uint64_t more = failures->count > SHOWN_FAILURES ? failures->count - SHOWN_FAILURES : 0;
	if (errors)
		say("  all of them are in %s", errors);
	else if (more)
		say("  and %" PRIu64 " more; --errors FILE.csv lists them all", more);
}

static void print_count(const char *what, uint64_t count)
{
	if (count)
		printf("  %-10s %" PRIu64 "\n", what, count);
}

static void print_text(const cairn_add_report *report, double seconds)
{
	uint64_t done = report->added + report->updated;
	printf("added %" PRIu64 " image%s in %.1f s", report->added, report->added == 1 ? "" : "s", seconds);
	if (done && seconds > 0)
		printf(" (%.1f/s)", (double)done / seconds);
	putchar('\n');
	print_count("updated", report->updated);
	print_count("moved", report->moved);
	print_count("duplicate", report->duplicate);
	print_count("relabelled", report->relabelled);
	print_count("unchanged", report->unchanged);
	print_count("failed", report->failed);
}

static void print_report(const cairn_add_report *report, double seconds, int status)
{
	if (!is_json(format)) {
		print_text(report, seconds);
		return;
	}
	json_t *root = json_object();
	set_member(root, "added", json_integer((json_int_t)report->added));
	set_member(root, "updated", json_integer((json_int_t)report->updated));
	set_member(root, "moved", json_integer((json_int_t)report->moved));
	set_member(root, "duplicate", json_integer((json_int_t)report->duplicate));
	set_member(root, "relabelled", json_integer((json_int_t)report->relabelled));
	set_member(root, "unchanged", json_integer((json_int_t)report->unchanged));
	set_member(root, "failed", json_integer((json_int_t)report->failed));
	set_member(root, "interrupted", json_boolean(status == CAIRN_ECANCELLED));
	set_member(root, "seconds", number_json(seconds));
	print_json(root);
}

static int is_nothing(const cairn_add_report *report)
{
	return report->added + report->updated + report->moved + report->duplicate + report->relabelled +
		       report->unchanged + report->failed ==
	       0;
}

static int finish(const struct failures *failures, const cairn_add_report *report, double seconds, int status)
{
	if (status == 0 || status == CAIRN_ECANCELLED)
		print_report(report, seconds, status);
	/* The counts stand above the list also where both go to one terminal. */
	output_flush();
	if (status < 0 && status != CAIRN_ECANCELLED) {
		int code = say_failure(status);
		say_failures(failures);
		if (report->added + report->updated)
			say("%" PRIu64 " images were added before that, and stay", report->added + report->updated);
		return code;
	}
	say_failures(failures);
	if (status == CAIRN_ECANCELLED) {
		say("interrupted: what was added stays; run the same command again to go on");
		return EXIT_INTERRUPTED;
	}
	if (is_nothing(report))
		say("no image was found; 'cairn help add' tells which files are taken from folders");
	return output_end(failures->named ? EXIT_INPUT : EXIT_DONE);
}

static int add(cairn_collection *collection, const struct arguments *arguments, struct failures *failures)
{
	struct progress progress;
	cairn_add_report report = { 0 };
	cairn_add_options options = CAIRN_ADD_OPTIONS_INIT;
	options.threads = (uint32_t)threads;
	options.batch = (uint32_t)batch;
	options.precision = precision;
	options.labels = labels;
	options.label_from_parent = label_from != NULL;
	options.lenient = lenient;
	options.max_pixels = max_pixels;
	options.max_bytes = max_bytes;
	options.progress = progress_show;
	options.progress_payload = &progress;
	options.on_error = take_failure;
	options.error_payload = failures;
	double start = seconds_now();
	progress_start(&progress, "stopping: the images in flight are finished first; Ctrl-C again ends at once");
	int status = cairn_collection_add(collection, arguments->operands + 1, arguments->count - 1, &options, &report);
	progress_end(&progress);
	return finish(failures, &report, seconds_now() - start, status);
}

static int run(const struct arguments *arguments)
{
	struct failures failures = { .arguments = arguments };
	cairn_collection *collection;
	interrupt_watch();
	int status = cairn_collection_open(&collection, arguments->operands[0], 1);
	if (status < 0)
		return say_failure(status);
	int code = open_failures(&failures);
	if (!code)
		code = add(collection, arguments, &failures);
	int closed = close_failures(&failures);
	cairn_collection_free(collection);
	return code == EXIT_DONE ? closed : code;
}

static const struct operand operands[] = {
	{ "DIR", COMPLETE_FOLDER, 0, 0 },
	{ "PATH", COMPLETE_FILE, 0, 1 },
	{ .name = NULL },
};

static const struct option options[] = {
	OPT_TEXT(0, "labels", "FILE.csv", &labels, COMPLETE_FILE,
		 "labels: a CSV file with columns path,label (or image,label)"),
	OPT_CHOICE("label-from", "SOURCE", &label_from, label_sources,
		   "parent: the label is the name of the folder that holds the image"),
	OPT_TEXT(0, "errors", "FILE.csv", &errors, COMPLETE_FILE,
		 "write what could not be read as path,status,message"),
	OPT_FLAG(0, "lenient", &lenient, "use what could be read of truncated files"),
	OPT_WHOLE(0, "max-pixels", "N", &max_pixels, 1, UINT64_C(1) << 40, "refuse larger images (default 400000000)"),
	OPT_WHOLE(0, "max-bytes", "N", &max_bytes, 1, UINT64_C(1) << 40, "refuse larger files (default 536870912)"),
	OPT_WHOLE(0, "batch", "N", &batch, 1, CAIRN_ADD_MAX_BATCH,
		  "commit after N images (default 256, and what is done every 20 seconds)"),
	OPT_PRECISION(&precision),
	OPT_THREADS(&threads),
	OPT_FORMAT(&format),
	OPT_END,
};

static const struct section sections[] = {
	{ "json output",
	  "One object: added, updated (same path, new content), moved (same content, the old path is gone or taken), "
	  "duplicate "
	  "(same content as another image), relabelled, unchanged, failed: numbers of images; interrupted: true or "
	  "false; seconds." },
	{ NULL, NULL },
};

static const struct example example_list[] = {
	{ "cairn add my-photos ~/Pictures", "everything below a folder" },
	{ "cairn add my-photos @list.txt --errors unreadable.csv", "the paths in a file, one a line" },
	{ "cairn add landmarks train/ --label-from parent", "train/big-ben/1.jpg gets the label big-ben" },
	{ NULL, NULL },
};

const struct command cmd_add = {
	.name = "add",
	.summary = "add images to a collection",
	.description =
		"Adds images: files, folders with all below them, or @list.txt with a path a line. From folders those "
		"files are taken whose names end in jpg, jpeg, png, webp, tif, tiff, gif, heic, heif or avif; a file "
		"that is named itself may be called anything (write ./@a.jpg for one that begins with @). The files "
		"stay where they are; the "
		"collection keeps what is computed from them. What is in already (same path, size and time) is passed "
		"over, so "
		"the same command run again adds only what is new, moved or changed.\n\n"
		"Images are committed in batches. After Ctrl-C (SIGINT or SIGTERM) the images in flight are finished "
		"and committed; "
		"the same command goes on later. A second Ctrl-C ends at once, and loses no more than one batch.\n\n"
		"Files that cannot be read are told at the end and do not stop the work. The exit status is 2 where "
		"one of them was "
		"named on the command line, not where it was met in a folder or a list.",
	.operands = operands,
	.options = options,
	.sections = sections,
	.examples = example_list,
	.run = run,
};
