/*
 * The lock of a folder.
 */
#include "util/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/log.h"
#include "util/memory.h"
#include "util/text.h"

/* A bound, lest a file system that numbers its files anew each time keep somebody here. */
#define ATTEMPTS 8

static int fail_busy(int lock, const char *folder)
{
	char holder[32] = "";
	ssize_t length = pread(lock, holder, sizeof(holder) - 1, 0);
	holder[length > 0 ? strspn(holder, "0123456789") : 0] = '\0';
	close(lock);
	return cn_fail(CAIRN_EBUSY, "'%s' is being written to by process %s: wait until it is done, or end it", folder,
		       *holder ? holder : "(unknown)");
}

static int lock_file(int *lock, const char *path, const char *folder)
{
	int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (file < 0)
		return errno == EACCES || errno == EROFS
			       ? cn_fail_errno("'%s' cannot be written to by this user (%s)", folder, CN_LOCK_NAME)
			       : cn_fail_errno("cannot open '%s'", path);
	while (flock(file, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK)
			return fail_busy(file, folder);
		if (errno != EINTR) {
			int status = cn_fail_errno("cannot lock '%s'", folder);
			close(file);
			return status;
		}
	}
	*lock = file;
	return 0;
}

/* Not where the holder before deleted it after it was opened here. */
static int is_in_place(int file, const char *path)
{
	struct stat locked, found;
	return fstat(file, &locked) == 0 && stat(path, &found) == 0 && locked.st_ino == found.st_ino;
}

int cn_lock_take(int *lock, const char *folder)
{
	char *path = cn_path_join(folder, CN_LOCK_NAME);
	int file = -1, status = path ? lock_file(&file, path, folder) : CAIRN_ENOMEM;
	for (int i = 1; i < ATTEMPTS && status == 0 && !is_in_place(file, path); i++) {
		close(file);
		status = lock_file(&file, path, folder);
	}
	cn_free(path);
	CN_TRY(status);
	/* Only for the text of fail_busy(): nothing depends on it. */
	char text[32];
	int length = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	if (ftruncate(file, 0) != 0 || pwrite(file, text, (size_t)length, 0) != length)
		cn_log(CAIRN_LOG_DEBUG, "'%s': cannot note the process in the lock file", folder);
	*lock = file;
	return 0;
}
