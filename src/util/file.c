/*
 * Files and folders. What is written appears whole or not at all: it is written beside its place, synced, and renamed.
 */
#include "util/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/crc.h"
#include "util/mapped.h"
#include "util/memory.h"
#include "util/text.h"

#define FIRST_READ ((size_t)64 << 10)

/* Read to the end, also where the size is not known before, as of a pipe. */
static int read_all(int fd, const char *path, uint64_t limit, size_t expected, cn_text *content)
{
	size_t length = 0;

	for (;;) {
		ssize_t got;

		if (length + 1 >= content->capacity) {
			size_t capacity = content->capacity ? 2 * content->capacity : expected + 2;
			char *data = cn_realloc(content->data, capacity, 1);

			if (!data)
				return CAIRN_ENOMEM;
			content->data = data;
			content->capacity = capacity;
		}
		got = read(fd, content->data + length, content->capacity - 1 - length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return cn_fail_errno("%s", path);
		if (got == 0)
			break;
		length += (size_t)got;
		if (length > limit)
			return cn_fail(CAIRN_ELIMIT, "%s: larger than the limit of %llu bytes", path,
				       (unsigned long long)limit);
	}
	content->data[length] = '\0';
	content->length = length;
	return 0;
}

static int read_open(int fd, const char *path, uint64_t limit, cn_text *content)
{
	struct stat info;
	size_t expected = FIRST_READ;

	if (fstat(fd, &info) != 0)
		return cn_fail_errno("%s", path);
	if (S_ISREG(info.st_mode) && info.st_size > 0) {
		if ((uint64_t)info.st_size > limit)
			return cn_fail(CAIRN_ELIMIT, "%s: %lld bytes, more than the limit of %llu", path,
				       (long long)info.st_size, (unsigned long long)limit);
		expected = (size_t)info.st_size;
	}
	return read_all(fd, path, limit, expected, content);
}

int cn_file_read(const char *path, uint64_t limit, char **bytes, size_t *length)
{
	cn_text content = CN_TEXT_INIT;
	int fd, status;

	*bytes = NULL;
	*length = 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return cn_fail_errno("%s", path);
	status = read_open(fd, path, limit, &content);
	close(fd);
	if (status < 0) {
		cn_text_free(&content);
		return status;
	}
	*bytes = content.data;
	*length = content.length;
	return 0;
}

/* A name that no other thread or process is writing to, in the folder of the file so that it can be renamed there. */
static int open_temporary(cn_atomic_file *file)
{
	static atomic_uint counter;
	int folder_length = (int)(cn_path_base(file->path) - file->path), fd;

	do {
		cn_free(file->temporary);
		file->temporary = cn_textf("%.*s.cairn-%ld-%u.tmp", folder_length, file->path, (long)getpid(),
					   atomic_fetch_add(&counter, 1));
		if (!file->temporary)
			return CAIRN_ENOMEM;
		fd = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	} while (fd < 0 && errno == EEXIST);
	if (fd < 0) {
		int status = cn_fail_errno("%s: no file can be made in its folder", file->path);

		cn_free(file->temporary);
		file->temporary = NULL;
		return status;
	}
	return fd;
}

/* Follow links, so that the file they point to is replaced and not the link. */
static int resolve(char **out, const char *path, int *special)
{
	struct stat info;
	char real[PATH_MAX];

	*special = 0;
	if (stat(path, &info) == 0) {
		if (S_ISDIR(info.st_mode))
			return cn_fail(CAIRN_EIO, "%s: is a folder", path);
		*special = !S_ISREG(info.st_mode);
		if (!*special && realpath(path, real))
			path = real;
	}
	*out = cn_strdup(path);
	return *out ? 0 : CAIRN_ENOMEM;
}

int cn_atomic_open(cn_atomic_file *file, const char *path)
{
	int fd, status, special;

	*file = (cn_atomic_file){ NULL, NULL, NULL };
	CN_TRY(resolve(&file->path, path, &special));
	/* A device or pipe is written to, never replaced. */
	if (special) {
		fd = open(path, O_WRONLY | O_CLOEXEC);
		status = fd < 0 ? cn_fail_errno("%s", path) : 0;
	} else {
		fd = open_temporary(file);
		status = fd < 0 ? fd : 0;
	}
	if (status == 0) {
		file->stream = fdopen(fd, "wb");
		if (file->stream)
			return 0;
		status = cn_fail_errno("%s", path);
		close(fd);
	}
	cn_atomic_abort(file);
	return status;
}

void cn_atomic_abort(cn_atomic_file *file)
{
	if (file->stream)
		fclose(file->stream);
	if (file->temporary)
		unlink(file->temporary);
	cn_free(file->temporary);
	cn_free(file->path);
	*file = (cn_atomic_file){ NULL, NULL, NULL };
}

static int sync_stream(cn_atomic_file *file)
{
	FILE *stream = file->stream;

	if (fflush(stream) != 0)
		return cn_fail_errno("%s: writing", file->path);
	if (fsync(fileno(stream)) != 0 && errno != EINVAL)
		return cn_fail_errno("%s: writing", file->path);
	file->stream = NULL;
	if (fclose(stream) != 0)
		return cn_fail_errno("%s: writing", file->path);
	return 0;
}

int cn_parent_sync(const char *path)
{
	char *folder = cn_strndup(path, (size_t)(cn_path_base(path) - path));
	int status;

	if (!folder)
		return CAIRN_ENOMEM;
	status = cn_folder_sync(folder[0] ? folder : ".");
	cn_free(folder);
	return status;
}

int cn_atomic_commit(cn_atomic_file *file)
{
	int status;

	CN_GOTO(status, sync_stream(file));
	if (file->temporary) {
		if (rename(file->temporary, file->path) != 0) {
			status = cn_fail_errno("%s: renaming into place", file->path);
			goto done;
		}
		cn_free(file->temporary);
		file->temporary = NULL;
		status = cn_parent_sync(file->path);
	}
done:
	cn_atomic_abort(file);
	return status;
}

int cn_atomic_write(cn_atomic_file *file, const void *bytes, size_t length)
{
	if (length && fwrite(bytes, 1, length, file->stream) != length)
		return cn_fail_errno("%s: writing", file->path);
	return 0;
}

int cn_file_write(const char *path, const void *bytes, size_t length)
{
	cn_atomic_file file;
	int status;

	CN_TRY(cn_atomic_open(&file, path));
	status = cn_atomic_write(&file, bytes, length);
	if (status < 0) {
		cn_atomic_abort(&file);
		return status;
	}
	return cn_atomic_commit(&file);
}

static int make_one(const char *path)
{
	struct stat info;
	int error;

	if (mkdir(path, 0777) == 0)
		return 0;
	error = errno;
	if (error == EEXIST && stat(path, &info) == 0) {
		if (S_ISDIR(info.st_mode))
			return 0;
		return cn_fail(CAIRN_EIO, "%s: a folder is needed, but this is a file", path);
	}
	errno = error;
	return cn_fail_errno("%s: making the folder", path);
}

int cn_folder_make(const char *path)
{
	char *partial = cn_strdup(path);
	int status = 0;

	if (!partial)
		return CAIRN_ENOMEM;
	for (size_t i = 1; partial[0] && partial[i] && status == 0; i++) {
		if (partial[i] != '/')
			continue;
		partial[i] = '\0';
		status = make_one(partial);
		partial[i] = '/';
	}
	if (status == 0)
		status = make_one(path);
	cn_free(partial);
	return status;
}

int cn_folder_sync(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), status = 0;

	if (fd < 0)
		return cn_fail_errno("%s", path);
	/* Some file systems have nothing to sync for a folder and say so. */
	if (fsync(fd) != 0 && errno != EINVAL && errno != ENOTSUP)
		status = cn_fail_errno("%s: syncing the folder", path);
	close(fd);
	return status;
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
	(void)info, (void)type, (void)walk;
	return remove(path) == 0 || errno == ENOENT ? 0 : cn_fail_errno("%s: removing", path);
}

int cn_folder_remove(const char *path)
{
	int status = nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);

	/* -1 is nftw's own failure; cn_fail_errno() gives other codes. */
	if (status == -1)
		return errno == ENOENT ? 0 : cn_fail_errno("%s: removing", path);
	return status;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(char ***names, size_t *count, size_t *capacity, const char *name)
{
	if (*count == *capacity) {
		size_t more = *capacity ? 2 * *capacity : 16;
		char **grown = cn_realloc(*names, more, sizeof(**names));

		if (!grown)
			return CAIRN_ENOMEM;
		*names = grown;
		*capacity = more;
	}
	(*names)[*count] = cn_strdup(name);
	if (!(*names)[*count])
		return CAIRN_ENOMEM;
	++*count;
	return 0;
}

int cn_folder_list(const char *path, char ***names, size_t *count)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	size_t capacity = 0;
	int status = 0;

	*names = NULL;
	*count = 0;
	if (!folder)
		return cn_fail_errno("%s", path);
	while (errno = 0, (entry = readdir(folder)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			CN_GOTO(status, add_name(names, count, &capacity, entry->d_name));
	}
	if (errno)
		status = cn_fail_errno("%s: listing", path);
	else if (*count > 1)
		qsort(*names, *count, sizeof(**names), compare_names);
done:
	closedir(folder);
	if (status < 0) {
		cn_names_free(*names, *count);
		*names = NULL;
		*count = 0;
	}
	return status;
}

void cn_names_free(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		cn_free(names[i]);
	cn_free(names);
}

int cn_file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

int cn_file_checksum(const char *path, uint64_t *size, uint32_t *crc)
{
	cn_mapped file;
	CN_TRY(cn_mapped_open(&file, path));
	*size = file.length;
	*crc = cn_crc32c(0, file.bytes, file.length);
	cn_mapped_close(&file);
	return 0;
}
