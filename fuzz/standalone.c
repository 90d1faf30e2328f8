/*
 * Runs a fuzz target over files without libFuzzer, so that the corpus is replayed as ordinary tests.
 * Arguments are files and folders. Prints TAP, one line a file. A file called good-... must be accepted.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "target.h"

static int count, failures;

static void run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	if (!file || fseek(file, 0, SEEK_END) != 0) {
		printf("not ok %d - %s: cannot be read\n", ++count, path);
		exit(1);
	}
	size_t size = (size_t)ftell(file);
	rewind(file);
	/* Exactly as large as the input, so that AddressSanitizer sees every byte read beyond it. */
	uint8_t *data = malloc(size ? size : 1);
	if (!data || fread(data, 1, size, file) != size)
		exit(1);
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
	int failed = strncmp(name, "good-", 5) == 0 && !fuzz_accepted;
	failures += failed;
	printf("%s %d - %s%s\n", failed ? "not ok" : "ok", ++count, path, failed ? ": refused" : "");
	fflush(stdout);
}

static void run_path(const char *path)
{
	struct stat info;
	if (stat(path, &info) != 0) {
		printf("not ok %d - %s: not there\n", ++count, path);
		exit(1);
	}
	if (!S_ISDIR(info.st_mode)) {
		run_file(path);
		return;
	}
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char inner[4096];
		snprintf(inner, sizeof(inner), "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			run_path(inner);
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		run_path(argv[i]);
	printf("1..%d\n", count);
	return count && !failures ? 0 : 1;
}
