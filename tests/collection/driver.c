/*
 * driver.c - a collection on the command line for kill_test.py and full_disk_test.py: one action, its outcome on
 * stdout.
 *
 *   driver model DIR                 a tiny global model
 *   driver detector DIR              a tiny detector
 *   driver create DIR [MODEL...]     RootSIFT, and these global models
 *   driver create-boxes DIR DETECTOR RootSIFT, and boxes of this detector
 *   driver add DIR BATCH PATH...     "added A unchanged U failed F", exit status 3 where the disk is full
 *   driver index DIR WORDS            ASMK with as many words
 *   driver index DIR COLLECTION       ASMK with that one's codebook
 *   driver remove DIR ID...
 *   driver compact DIR
 *   driver check DIR                 "faults N" and one line each
 *   driver repair DIR                the same, and mends them
 *   driver photos DIR COUNT          writes photographs
 *   driver dump DIR                  one line an image
 */
#include <stdlib.h>
#include <string.h>

#include "photos.h"

static int report(int status)
{
	if (status < 0)
		fprintf(stderr, "%s: %s\n", cairn_status_name(status), cairn_last_error());
	return status >= 0 ? 0 : status == CAIRN_ENOSPACE ? 3 : 1;
}

static int create(const char *folder, char **names, size_t count, const char *detector)
{
	static const char *const locals[] = { "rootsift" };
	cairn_describer_model models[8];
	for (size_t i = 0; i < count && i < 8; i++)
		models[i] = (cairn_describer_model){ names[i], 1 };
	cairn_collection_options options = { CAIRN_COLLECTION_OPTIONS_VERSION, models, count, locals, 1, detector };
	return report(cairn_collection_create(folder, &options));
}

static void print_error_of_image(const char *path, int status, const char *message, void *payload)
{
	(void)payload, (void)path;
	fprintf(stderr, "%s: %s\n", cairn_status_name(status), message);
}

static int add(cairn_collection *collection, char **arguments, size_t count)
{
	cairn_add_options options = CAIRN_ADD_OPTIONS_INIT;
	cairn_add_report done;
	options.batch = (uint32_t)strtoul(arguments[0], NULL, 10);
	options.threads = 2;
	options.on_error = print_error_of_image;
	int status = cairn_collection_add(collection, (const char *const *)arguments + 1, count - 1, &options, &done);
	printf("added %llu unchanged %llu failed %llu\n", (unsigned long long)done.added,
	       (unsigned long long)done.unchanged, (unsigned long long)done.failed);
	return report(status);
}

static int build_index(cairn_collection *collection, const char *argument)
{
	cairn_build_options options = CAIRN_BUILD_OPTIONS_INIT;
	options.asmk = "rootsift";
	options.words = (uint32_t)strtoul(argument, NULL, 10);
	options.codebook = options.words ? NULL : argument;
	options.threads = 2;
	return report(cairn_collection_build_index(collection, &options, NULL));
}

static int remove_ids(cairn_collection *collection, char **arguments, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int64_t id = strtoll(arguments[i], NULL, 10);
		int status = cairn_collection_remove(collection, &id, 1);
		if (status < 0)
			return report(status);
	}
	return 0;
}

static void print_fault(const char *file, const char *fault, cairn_fault_state state, void *payload)
{
	(void)state, (void)payload;
	printf("%s: %s\n", file, fault);
}

static int check(cairn_collection *collection, cairn_check_mode mode)
{
	cairn_check_options options = CAIRN_CHECK_OPTIONS_INIT;
	options.mode = mode;
	options.on_fault = print_fault;
	int faults = cairn_collection_check(collection, &options);
	printf("faults %d\n", faults);
	return report(faults);
}

static int make_photos(const char *folder, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char name[32];
		snprintf(name, sizeof(name), "%05zu.png", i);
		photo_save(cn_test_path(folder, name), i + 1);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	const char *action = argv[1], *folder = argv[2];
	size_t count = (size_t)argc - 3;
	if (strcmp(action, "create") == 0)
		return create(folder, argv + 3, count, NULL);
	if (strcmp(action, "create-boxes") == 0 && count == 1)
		return create(folder, NULL, 0, argv[3]);
	if (strcmp(action, "photos") == 0 && count == 1)
		return make_photos(folder, strtoul(argv[3], NULL, 10));
	if (strcmp(action, "model") == 0) {
		model_write(folder, "tiny", 1);
		return 0;
	}
	if (strcmp(action, "detector") == 0) {
		model_write_boxes(folder, "tiny-boxes");
		return 0;
	}
	cairn_collection *collection;
	int writable = strcmp(action, "check") != 0 && strcmp(action, "dump") != 0;
	int status = cairn_collection_open(&collection, folder, writable);
	if (status < 0)
		return report(status);
	if (strcmp(action, "add") == 0 && count > 0) {
		status = add(collection, argv + 3, count);
	} else if (strcmp(action, "index") == 0 && count == 1) {
		status = build_index(collection, argv[3]);
	} else if (strcmp(action, "remove") == 0) {
		status = remove_ids(collection, argv + 3, count);
	} else if (strcmp(action, "compact") == 0) {
		status = report(cairn_collection_compact(collection, NULL, NULL));
	} else if (strcmp(action, "check") == 0) {
		status = check(collection, CAIRN_CHECK_ONLY);
	} else if (strcmp(action, "repair") == 0) {
		status = check(collection, CAIRN_CHECK_REPAIR);
	} else if (strcmp(action, "dump") == 0) {
		char *text = collection_text(collection);
		fputs(text, stdout);
		free(text);
	} else {
		status = 2;
	}
	cairn_collection_free(collection);
	return status;
}
