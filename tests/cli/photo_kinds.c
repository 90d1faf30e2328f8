/*
 * photo_kinds.c - one photograph as a file of every kind that tests/image knows.
 *
 *   photo_kinds SOURCE.png FOLDER [KIND...]     all kinds, or those named; writes FOLDER/KIND.ENDING, blanks as dashes
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../image/fixtures.h"
#include "support.h"

static int is_wanted(const char *name, char **wanted, int count)
{
	for (int i = 0; i < count; i++)
		if (strcmp(wanted[i], name) == 0)
			return 1;
	return count == 0;
}

/* The suffix without the options that follow it. */
static void save(const file_bytes *file, const char *folder, const file_kind *kind)
{
	char name[128];

	snprintf(name, sizeof(name), "%s%.*s", kind->name, (int)strcspn(kind->suffix, "["), kind->suffix);
	for (char *c = name; *c; c++)
		if (*c == ' ')
			*c = '-';
	cn_test_write(cn_test_path(folder, name), file->bytes, file->length);
}

int main(int argc, char **argv)
{
	VipsImage *source;
	file_bytes file;

	if (argc < 3)
		return 2;
	fixtures_start();
	source = vips_image_new_from_file(argv[1], NULL);
	if (!source) {
		fprintf(stderr, "%s", vips_error_buffer());
		return 1;
	}
	fixtures_draw(source);
	for (size_t i = 0; i < FILE_KIND_COUNT; i++) {
		if (!is_wanted(FILE_KINDS[i].name, argv + 3, argc - 3) || !file_make(&file, &FILE_KINDS[i]))
			continue;
		save(&file, argv[2], &FILE_KINDS[i]);
		file_free(&file);
	}
	g_object_unref(source);
	return 0;
}
