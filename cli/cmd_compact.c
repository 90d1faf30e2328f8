/*
 * cairn compact: rewrite a collection's segments without what was removed.
 */
#include <inttypes.h>
#include <stdio.h>

#include "cairn/collection.h"
#include "exit_code.h"
#include "interrupt.h"
#include "output.h"
#include "progress.h"
#include "say.h"
#include "shared.h"

static const char *format;

static int print(const cairn_collection_info *before, const cairn_collection_info *after)
{
	if (is_json(format)) {
		json_t *root = json_object();
		set_member(root, "images", json_integer((json_int_t)after->images));
		set_member(root, "cleared", json_integer((json_int_t)before->removed));
		set_member(root, "segments_before", json_integer((json_int_t)before->segments));
		set_member(root, "segments", json_integer((json_int_t)after->segments));
		set_member(root, "bytes_before", json_integer((json_int_t)before->bytes));
		set_member(root, "bytes", json_integer((json_int_t)after->bytes));
		return print_json(root);
	}
	char from[32], to[32];
	format_bytes(from, sizeof(from), (double)before->bytes);
	format_bytes(to, sizeof(to), (double)after->bytes);
	printf("cleared %" PRIu64 " removed image%s: %" PRIu64 " segment%s, %s (was %" PRIu64 ", %s)\n",
	       before->removed, before->removed == 1 ? "" : "s", after->segments, after->segments == 1 ? "" : "s", to,
	       before->segments, from);
	return output_end(EXIT_DONE);
}

static int compact(cairn_collection *collection)
{
	cairn_collection_info before, after;
	struct progress progress;
	int status = cairn_collection_get_info(collection, &before);
	if (status >= 0) {
		progress_start(&progress, NULL);
		status = cairn_collection_compact(collection, progress_show, &progress);
		progress_end(&progress);
	}
	if (status >= 0)
		status = cairn_collection_get_info(collection, &after);
	if (status == CAIRN_ECANCELLED)
		say("interrupted: the collection is as it was");
	else if (status < 0)
		return say_failure(status);
	return status < 0 ? exit_code(status) : print(&before, &after);
}

static int run(const struct arguments *arguments)
{
	cairn_collection *collection;
	interrupt_watch();
	int status = cairn_collection_open(&collection, arguments->operands[0], 1);
	if (status < 0)
		return say_failure(status);
	int code = compact(collection);
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
	  "One object: images, cleared (removed images that were in the segments), segments_before, segments, "
	  "bytes_before, bytes." },
	{ NULL, NULL },
};

const struct command cmd_compact = {
	.name = "compact",
	.summary = "free the space of removed images",
	.description =
		"Rewrites the segments of a collection without removed images, into few large ones. Ids stay as they "
		"are. "
		"Needs free disk space for a second copy; until the new segments are complete the old ones are in use.",
	.operands = operands,
	.options = options,
	.sections = sections,
	.run = run,
};
