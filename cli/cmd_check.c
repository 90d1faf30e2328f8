/*
 * cairn check: read every byte of a collection and compare.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cairn/collection.h"
#include "exit_code.h"
#include "interrupt.h"
#include "output.h"
#include "progress.h"
#include "say.h"
#include "shared.h"
#include "text.h"

static const char *format;
static int repair;

struct faults {
	json_t *list; /* NULL for text */
	size_t found, repaired;
};

static void take_fault(const char *file, const char *fault, int repaired, void *payload)
{
	struct faults *faults = payload;
	faults->found++;
	faults->repaired += repaired != 0;
	if (faults->list) {
		json_t *entry = json_object();
		set_bytes(entry, "file", file);
		set_member(entry, "fault", text_json(fault));
		set_member(entry, "repaired", json_boolean(repaired));
		add_item(faults->list, entry);
		return;
	}
	char *shown = visible(file), *what = visible(fault);
	clear_for_output();
	printf("%s: %s%s\n", shown, what, repaired ? " (repaired)" : "");
	free(shown);
	free(what);
}

static void print(struct faults *faults, uint64_t images, int remaining)
{
	if (faults->list) {
		json_t *root = json_object();
		set_member(root, "images", json_integer((json_int_t)images));
		set_member(root, "faults", faults->list);
		set_member(root, "remaining", json_integer(remaining));
		print_json(root);
		return;
	}
	if (!faults->found)
		printf("%" PRIu64 " image%s, no fault\n", images, images == 1 ? "" : "s");
	else
		printf("%" PRIu64 " image%s, %zu fault%s found, %zu repaired\n", images, images == 1 ? "" : "s",
		       faults->found, faults->found == 1 ? "" : "s", faults->repaired);
	output_flush();
	if (remaining && !repair)
		say("'cairn check --repair' makes codes again, and drops what else is damaged; 'cairn add' then "
		    "describes those images again");
}

static int check(cairn_collection *collection)
{
	struct faults faults = { .list = is_json(format) ? json_array() : NULL };
	cairn_collection_info info = { 0 };
	struct progress progress;
	progress_start(&progress, NULL);
	int status = cairn_collection_check(collection, repair, take_fault, &faults, progress_show, &progress);
	progress_end(&progress);
	int remaining = status;
	if (status >= 0)
		status = cairn_collection_get_info(collection, &info);
	if (status < 0) {
		json_decref(faults.list);
		if (status != CAIRN_ECANCELLED)
			return say_failure(status);
		say("interrupted: not everything was read");
		return output_end(EXIT_INTERRUPTED);
	}
	print(&faults, info.images, remaining);
	return output_end(remaining ? EXIT_DAMAGED : EXIT_DONE);
}

static int run(const struct arguments *arguments)
{
	cairn_collection *collection;
	interrupt_watch();
	int status = cairn_collection_open(&collection, arguments->operands[0], repair);
	if (status < 0)
		return say_failure(status);
	int code = check(collection);
	cairn_collection_free(collection);
	return code;
}

static const struct operand operands[] = {
	{ "DIR", COMPLETE_FOLDER, 0, 0 },
	{ .name = NULL },
};

static const struct option options[] = {
	OPT_FLAG(0, "repair", &repair,
		 "write damaged codes anew, drop what else is damaged with its images, and delete stray files; run "
		 "'cairn add' afterwards"),
	OPT_FORMAT(&format),
	OPT_END,
};

static const struct section sections[] = {
	{ "json output", "One object: images; faults, a list of objects with file, fault and repaired; remaining, the "
			 "number of faults "
			 "that were not repaired." },
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
