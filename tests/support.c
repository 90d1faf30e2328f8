#include "support.h"

#include <ftw.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void cn_assert_ok(int status, const char *call, const char *file, int line)
{
	if (status >= 0)
		return;
	print_error("%s: %s: %s\n", call, cairn_status_name(status), cairn_last_error());
	_fail(file, line);
}

void cn_assert_fails(int status, int code, const char *part, const char *call, const char *file, int line)
{
	const char *text = cairn_last_error();
	if (status == code && text[0] && (!part || strstr(text, part)))
		return;
	print_error("%s: status %d (%s), wanted %d; text \"%s\", wanted \"%s\"\n", call, status,
		    cairn_status_name(status), code, text, part ? part : "(any)");
	_fail(file, line);
}

/*
 * Stands before cmocka's own function, which it calls to report: cmocka 1.1 tells of a skipped test by "not ok # SKIP",
 * and readers of TAP take that for a failure.
 */
__attribute__((visibility("default"))) void print_message(const char *const format, ...)
{
	static const char wrong[] = "not ok %u # SKIP";
	va_list arguments;

	va_start(arguments, format);
	if (strncmp(format, wrong, sizeof(wrong) - 1) == 0)
		vprint_message("ok %u - %s # SKIP\n", arguments);
	else
		vprint_message(format, arguments);
	va_end(arguments);
}

static char folder[64];

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info, (void)type, (void)walk;
	return remove(path);
}

static void remove_folder(void)
{
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *cn_test_folder(void)
{
	static char made[64];
	static int count;
	if (!folder[0]) {
		snprintf(folder, sizeof(folder), "/tmp/cairn-test-XXXXXX");
		if (!mkdtemp(folder))
			abort();
		atexit(remove_folder);
	}
	snprintf(made, sizeof(made), "%.40s/%d", folder, count++);
	if (mkdir(made, 0700) != 0)
		abort();
	return made;
}

const char *cn_test_path(const char *parent, const char *name)
{
	static char ring[8][4096];
	static int next;
	char *path = ring[next++ % 8];
	snprintf(path, sizeof(ring[0]), "%s/%s", parent, name);
	return path;
}

void cn_test_write(const char *path, const void *bytes, size_t length)
{
	FILE *file = fopen(path, "wb");
	if (!file || (length && fwrite(bytes, 1, length, file) != length) || fclose(file) != 0)
		abort();
}

const char *cn_test_data(void)
{
	const char *data = getenv("CAIRN_DATA");
	if (data && access(data, R_OK) == 0)
		return data;
	print_message("# skipped: CAIRN_DATA (%s) is not there\n", data ? data : "unset");
	return NULL;
}

uint64_t cn_test_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

float cn_test_uniform(uint64_t *state)
{
	return (float)(cn_test_random(state) >> 40) * 0x1p-24f;
}

float cn_test_normal(uint64_t *state)
{
	float u = cn_test_uniform(state) + 0x1p-25f, v = cn_test_uniform(state);
	return sqrtf(-2.0f * logf(u)) * cosf(6.2831853f * v);
}
