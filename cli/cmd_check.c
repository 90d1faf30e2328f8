/*
 * cairn check: read every byte of a collection and compare.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cairn/collection.h"
#include "exit_code.h"
#include "interrupt.h"
#include "output.h"
#include "progress.h"
#include "say.h"
#include "shared.h"
#include "text.h"

static const char *format, *dropped_file;
static int repair;

/* By cairn_fault_state: as JSON, and behind a line of text. */
static const struct {
	const char *name, *remark;
} states[] = {
	[CAIRN_FAULT_NOTE] = { "note", " (no fault)" },
	[CAIRN_FAULT_REPAIRABLE] = { "repairable", "" },
	[CAIRN_FAULT_DROPPABLE] = { "droppable", "" },
	[CAIRN_FAULT_BEYOND] = { "beyond", "" },
	[CAIRN_FAULT_REPAIRED] = { "repaired", " (repaired)" },
	[CAIRN_FAULT_DROPPED] = { "dropped", " (dropped with its images)" },
};

struct findings {
	json_t *faults, *notes; /* NULL for text */
	size_t counts[sizeof(states) / sizeof(*states)];
	FILE *dropped; /* NULL: none are dropped */
	uint64_t dropped_count;
	int bad_file; /* `dropped` could not be written */
};

static void take_fault(const char *file, const char *fault, cairn_fault_state state, void *payload)
{
	struct findings *findings = payload;
	findings->counts[state]++;
	if (findings->faults) {
		json_t *entry = json_object();
		set_bytes(entry, "file", file);
		set_member(entry, state == CAIRN_FAULT_NOTE ? "note" : "fault", text_json(fault));
		if (state != CAIRN_FAULT_NOTE)
			set_member(entry, "state", json_string(states[state].name));
		add_item(state == CAIRN_FAULT_NOTE ? findings->notes : findings->faults, entry);
		return;
	}
	char *shown = visible(file), *what = visible(fault);
	clear_for_output();
	printf("%s: %s%s\n", shown, what, states[state].remark);
	free(shown);
	free(what);
}

/* ---- what is dropped ---- */

/* The file is complete on disk before anything is forgotten, image by image. */
static int take_dropped(const cairn_image_record *image, void *payload)
{
	struct findings *findings = payload;
	csv_field(findings->dropped, image->path);
	putc(',', findings->dropped);
	csv_field(findings->dropped, image->label ? image->label : "");
	putc('\n', findings->dropped);
	findings->bad_file = fflush(findings->dropped) != 0 || ferror(findings->dropped);
	findings->dropped_count++;
	return findings->bad_file;
}

/* Never over the labels of an earlier time. */
static int open_dropped(struct findings *findings)
{
	if (!dropped_file)
		return EXIT_DONE;
	findings->dropped = fopen(dropped_file, "wxe");
	if (!findings->dropped) {
		say_error("%s: %s", dropped_file, strerror(errno));
		return EXIT_INPUT;
	}
	fputs("path,label\n", findings->dropped);
	return EXIT_DONE;
}

static int close_dropped(struct findings *findings)
{
	if (findings->dropped)
		findings->bad_file |= fclose(findings->dropped) != 0;
	if (findings->dropped && !findings->dropped_count)
		remove(dropped_file);
	if (findings->bad_file)
		say_error("%s: %s; nothing was dropped", dropped_file, errno ? strerror(errno) : "cannot be written");
	return findings->bad_file ? EXIT_INPUT : EXIT_DONE;
}

/* ---- what was found ---- */

static size_t all_faults(const size_t *counts)
{
	size_t sum = 0;
	for (size_t i = CAIRN_FAULT_REPAIRABLE; i < sizeof(states) / sizeof(*states); i++)
		sum += counts[i];
	return sum;
}

static void print_json_object(struct findings *findings, uint64_t images, int remaining)
{
	json_t *root = json_object();
	set_member(root, "images", json_integer((json_int_t)images));
	set_member(root, "faults", findings->faults);
	set_member(root, "notes", findings->notes);
	set_member(root, "dropped", json_integer((json_int_t)findings->dropped_count));
	set_member(root, "remaining", json_integer(remaining));
	print_json(root);
}

static void print_text(const struct findings *findings, uint64_t images)
{
	size_t faults = all_faults(findings->counts);
	printf("%" PRIu64 " image%s, ", images, images == 1 ? "" : "s");
	if (!faults)
		printf("no fault\n");
	else
		printf("%zu fault%s found, %zu repaired\n", faults, faults == 1 ? "" : "s",
		       findings->counts[CAIRN_FAULT_REPAIRED]);
	if (findings->dropped_count)
		printf("%" PRIu64 " image%s dropped; 'cairn add' describes them again, and --labels %s gives them "
		       "their labels\n",
		       findings->dropped_count, findings->dropped_count == 1 ? "" : "s", dropped_file);
}

static void advise(const size_t *counts)
{
	if (counts[CAIRN_FAULT_REPAIRABLE])
		say("'cairn check --repair' makes again what can be made from sound files; no image is lost");
	if (counts[CAIRN_FAULT_DROPPABLE])
		say("'cairn check --drop FILE.csv' forgets the images of damaged segments and writes their paths and "
		    "labels to FILE.csv; 'cairn add' then describes them again");
	if (counts[CAIRN_FAULT_BEYOND])
		say("a file that cannot be read stays: look at its disk, its permissions, and what lies in its place; "
		    "a "
		    "damaged catalogue.sqlite is only mended by a copy of it");
}

static int check(cairn_collection *collection, struct findings *findings)
{
	cairn_check_options options = CAIRN_CHECK_OPTIONS_INIT;
	cairn_collection_info info = { 0 };
	struct progress progress;
	progress_start(&progress, NULL);
	options.mode = dropped_file ? CAIRN_CHECK_DROP : repair ? CAIRN_CHECK_REPAIR : CAIRN_CHECK_ONLY;
	options.on_fault = take_fault;
	options.fault_payload = findings;
	options.on_drop = take_dropped;
	options.drop_payload = findings;
	options.progress = progress_show;
	options.progress_payload = &progress;
	int status = cairn_collection_check(collection, &options), remaining = status;
	progress_end(&progress);
	if (findings->bad_file)
		return EXIT_INPUT;
	if (status >= 0)
		status = cairn_collection_get_info(collection, &info);
	if (status < 0) {
		if (status != CAIRN_ECANCELLED)
			return say_failure(status);
		say("interrupted: not everything was read");
		return output_end(EXIT_INTERRUPTED);
	}
	if (is_json(format))
		print_json_object(findings, info.images, remaining);
	else
		print_text(findings, info.images);
	output_flush();
	advise(findings->counts);
	return output_end(remaining ? EXIT_DAMAGED : EXIT_DONE);
}

static int check_and_write(cairn_collection *collection)
{
	struct findings findings = { .faults = is_json(format) ? json_array() : NULL,
				     .notes = is_json(format) ? json_array() : NULL };
	json_t *faults = json_incref(findings.faults), *notes = json_incref(findings.notes);
	int code = open_dropped(&findings);
	if (code == EXIT_DONE) {
		code = check(collection, &findings);
		int closed = close_dropped(&findings);
		if (closed != EXIT_DONE)
			code = closed;
	}
	json_decref(faults);
	json_decref(notes);
	return code;
}

static int run(const struct arguments *arguments)
{
	cairn_collection *collection;
	interrupt_watch();
	int status = cairn_collection_open(&collection, arguments->operands[0], repair || dropped_file);
	if (status < 0)
		return say_failure(status);
	int code = check_and_write(collection);
	cairn_collection_free(collection);
	return code;
}

static const struct operand operands[] = {
	{ "DIR", COMPLETE_FOLDER, 0, 0 },
	{ .name = NULL },
};

static const struct option options[] = {
	OPT_FLAG(0, "repair", &repair,
		 "make codes again from descriptors, and take away damaged indexes, which the next 'cairn add' or "
		 "'cairn "
		 "index' makes again; no image is lost"),
	OPT_TEXT(0, "drop", "FILE.csv", &dropped_file, COMPLETE_FILE,
		 "repair, and forget the images of segments that are damaged otherwise; their paths and labels are "
		 "written to a new file"),
	OPT_FORMAT(&format),
	OPT_END,
};

static const struct section sections[] = {
	{ "mending",
	  "What is damaged in the descriptors, the features or the ids of images cannot be made again without the "
	  "photographs. --drop forgets all images of such a segment, and 'cairn add' of the same files describes them "
	  "again, under new ids; --labels FILE.csv gives them their labels. Keep the file until then." },
	{ "json output",
	  "One object: images; faults, a list of objects with file, fault and state (repairable, droppable, beyond, "
	  "repaired, dropped); notes, a list of objects with file and note, which are no faults; dropped, the number "
	  "of "
	  "images that were; remaining, the number of faults that are still there." },
	{ NULL, NULL },
};

const struct command cmd_check = {
	.name = "check",
	.summary = "test every byte of a collection",
	.description =
		"Reads every file of a collection and compares it with its checksums and the catalogue, "
		"and the codes that are searched with the descriptors that they stand for. Each fault is named with "
		"its file. The exit status is 3 while faults remain.",
	.operands = operands,
	.options = options,
	.sections = sections,
	.run = run,
};
