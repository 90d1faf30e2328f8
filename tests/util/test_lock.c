/* One writer of a folder at a time, however it ends. */
#include "util/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support.h"
#include "torture.h"

static void one_holds_it(void **state)
{
	char holder[64], folder[256];
	int lock, second = -1, third;
	(void)state;
	snprintf(folder, sizeof(folder), "%s", cn_test_folder());
	assert_ok(cn_lock_take(&lock, folder));
	snprintf(holder, sizeof(holder), "process %ld:", (long)getpid());
	assert_fails(cn_lock_take(&second, folder), CAIRN_EBUSY, holder);
	assert_int_equal(second, -1);
	assert_ok(cn_lock_take(&third, cn_test_folder()));
	close(lock);
	assert_ok(cn_lock_take(&second, folder));
	close(second);
	close(third);
	assert_fails(cn_lock_take(&lock, cn_test_path(folder, "none")), CAIRN_ENOTFOUND, "none/lock");
}

static void it_goes_with_the_process(void **state)
{
	const char *folder = cn_test_folder();
	char holder[64], byte;
	int taken[2], lock;
	(void)state;
	assert_int_equal(pipe(taken), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (cn_lock_take(&lock, folder) < 0 || write(taken[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(taken[1]);
	assert_int_equal(read(taken[0], &byte, 1), 1);
	snprintf(holder, sizeof(holder), "process %ld:", (long)child);
	assert_fails(cn_lock_take(&lock, folder), CAIRN_EBUSY, holder);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_ok(cn_lock_take(&lock, folder));
	close(lock);
	close(taken[0]);
}

/* Takes the lock often, and deletes file and folder each time. @return how often another held it too */
static int take_often(const char *outer)
{
	char folder[256], path[256], mark[256];
	int faults = 0;
	snprintf(folder, sizeof(folder), "%s", cn_test_path(outer, "work"));
	snprintf(path, sizeof(path), "%s", cn_test_path(folder, CN_LOCK_NAME));
	snprintf(mark, sizeof(mark), "%s", cn_test_path(outer, "mark"));
	for (int taken = 0; taken < 1000;) {
		int lock, file;
		if ((mkdir(folder, 0777) != 0 && errno != EEXIST) || cn_lock_take(&lock, folder) < 0)
			continue;
		taken++;
		file = open(mark, O_CREAT | O_EXCL | O_WRONLY, 0600);
		faults += file < 0;
		close(file);
		unlink(mark);
		unlink(path);
		rmdir(folder);
		close(lock);
	}
	return faults;
}

static void a_deleted_one_is_none(void **state)
{
	enum { CHILDREN = 4 };
	const char *outer = cn_test_folder();
	pid_t children[CHILDREN];
	(void)state;
	for (int i = 0; i < CHILDREN; i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] == 0)
			_exit(take_often(outer) > 0);
	}
	for (int i = 0; i < CHILDREN; i++) {
		int how;
		assert_int_equal(waitpid(children[i], &how, 0), children[i]);
		assert_true(WIFEXITED(how) && WEXITSTATUS(how) == 0);
	}
}

static int take_counted(void *context)
{
	int lock, status = cn_lock_take(&lock, context);
	if (status == 0)
		close(lock);
	return status;
}

static void short_memory_is_reported(void **state)
{
	char folder[256];
	(void)state;
	snprintf(folder, sizeof(folder), "%s", cn_test_folder());
	assert_true(cn_torture(take_counted, folder) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_holds_it),
		cmocka_unit_test(it_goes_with_the_process),
		cmocka_unit_test(a_deleted_one_is_none),
		cmocka_unit_test(short_memory_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
