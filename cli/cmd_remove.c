/*
 * cairn remove: take images out of a collection.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cairn/collection.h"
#include "exit_code.h"
#include "output.h"
#include "say.h"
#include "shared.h"
#include "text.h"

static const char *format;

static int compare_ids(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
	return left < right ? -1 : left > right;
}

/* Digits are an id, everything else a path. */
static int find(cairn_collection *collection, const char *operand, int64_t *id)
{
	cairn_image_record record;
	uint64_t number;
	int status = parse_whole(operand, 0, INT64_MAX, &number)
			     ? cairn_collection_find_id(collection, (int64_t)number, &record)
			     : cairn_collection_find_path(collection, operand, &record);
	if (status == 0)
		*id = record.id;
	return status;
}

static size_t unique(int64_t *ids, size_t count)
{
	size_t kept = 0;
	qsort(ids, count, sizeof(*ids), compare_ids);
	for (size_t i = 0; i < count; i++)
		if (!kept || ids[kept - 1] != ids[i])
			ids[kept++] = ids[i];
	return kept;
}

static int print(const int64_t *ids, size_t count)
{
	if (!is_json(format)) {
		printf("removed %zu image%s; 'cairn compact' frees the space\n", count, count == 1 ? "" : "s");
		return output_end(EXIT_DONE);
	}
	json_t *root = json_object(), *list = json_array();
	for (size_t i = 0; i < count; i++)
		add_item(list, json_integer(ids[i]));
	set_member(root, "removed", list);
	return print_json(root);
}

static int remove_all(cairn_collection *collection, const struct arguments *arguments, int64_t *ids)
{
	size_t count = arguments->count - 1;
	int code = EXIT_DONE;
	for (size_t i = 0; i < count; i++) {
		int status = find(collection, arguments->operands[i + 1], &ids[i]);
		if (status < 0)
			code = say_failure(status);
	}
	if (code != EXIT_DONE) {
		say("nothing was removed");
		return code;
	}
	count = unique(ids, count);
	int status = cairn_collection_remove(collection, ids, count);
	return status < 0 ? say_failure(status) : print(ids, count);
}

static int run(const struct arguments *arguments)
{
	cairn_collection *collection;
	int status = cairn_collection_open(&collection, arguments->operands[0], 1);
	if (status < 0)
		return say_failure(status);
	int64_t *ids = need(arguments->count, sizeof(*ids));
	int code = remove_all(collection, arguments, ids);
	free(ids);
	cairn_collection_free(collection);
	return code;
}

static const struct operand operands[] = {
	{ "DIR", COMPLETE_FOLDER, 0, 0 },
	{ "ID|PATH", COMPLETE_FILE, 0, 1 },
	{ .name = NULL },
};

static const struct option options[] = {
	OPT_FORMAT(&format),
	OPT_END,
};

static const struct section sections[] = {
	{ "json output", "One object: removed, the ids in ascending order." },
	{ NULL, NULL },
};

static const struct example example_list[] = {
	{ "cairn remove my-photos 17 ~/Pictures/old.jpg", "one by id, one by path" },
	{ "cairn remove my-photos ./17", "a file that is named like an id" },
	{ NULL, NULL },
};

const struct command cmd_remove = {
	.name = "remove",
	.summary = "take images out of a collection",
	.description = "Takes images out of a collection, by id or by path. The files themselves are left alone. "
		       "Digits alone are an id. "
		       "Where one image is unknown, none is removed. The space on disk is freed by 'cairn compact'.",
	.operands = operands,
	.options = options,
	.sections = sections,
	.examples = example_list,
	.run = run,
};
