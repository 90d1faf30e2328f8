/*
 * Read-only mapped files.
 */
#include "util/mapped.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int map(cn_mapped *out, int fd, const char *path)
{
	struct stat info;
	void *bytes;

	if (fstat(fd, &info) != 0)
		return cn_fail_errno("%s", path);
	if (!S_ISREG(info.st_mode))
		return cn_fail(CAIRN_EIO, "%s: not a regular file", path);
	if (info.st_size == 0)
		return 0;
	bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED)
		return cn_fail_errno("%s: mapping %lld bytes", path, (long long)info.st_size);
	out->bytes = bytes;
	out->length = (size_t)info.st_size;
	return 0;
}

int cn_mapped_open(cn_mapped *out, const char *path)
{
	int fd, status;

	*out = (cn_mapped){ NULL, 0 };
	/* A pipe in the place of the file would otherwise wait for somebody to write. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return cn_fail_errno("%s", path);
	status = map(out, fd, path);
	close(fd);
	return status;
}

void cn_mapped_close(cn_mapped *file)
{
	if (file->bytes)
		munmap((void *)(uintptr_t)file->bytes, file->length);
	*file = (cn_mapped){ NULL, 0 };
}
