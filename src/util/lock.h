/*
 * util/lock.h - one writer of a folder at a time.
 */
#ifndef CN_UTIL_LOCK_H
#define CN_UTIL_LOCK_H

#include "util/status.h"

#define CN_LOCK_NAME "lock"

/**
 * Take the writer's lock of a folder: the file FOLDER/lock, locked with flock(), so that the lock goes with the
 * process. The holder may delete the file, with its folder or without; then there is no lock, and the next to come
 * makes another file.
 *
 * @param[out] lock file descriptor; close it to give the lock back. Set where 0 is returned only
 * @return 0; CAIRN_EBUSY naming the process that holds it, be it this one; CAIRN_ENOTFOUND where the folder is not
 * there; CAIRN_ENOSPACE; CAIRN_EIO; CAIRN_ENOMEM
 */
int cn_lock_take(int *lock, const char *folder);

#endif
