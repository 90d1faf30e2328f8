/* CAIRN_KERNELS caps the level; it is read once, so each value needs a process of its own. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "math/dispatch.h"
#include "support.h"

/* The level that a new process with this value finds; `value` NULL: unset. */
static int level_with(const char *value)
{
	int status = -1;
	pid_t child = fork();
	if (child == 0) {
		if (value)
			setenv("CAIRN_KERNELS", value, 1);
		else
			unsetenv("CAIRN_KERNELS");
		_exit((int)cn_kernels_level());
	}
	assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

/* Runs first: this process has not looked at the level yet, and so neither have its children. */
static void the_environment_caps_the_level(void **state)
{
	int best = level_with(NULL);
	(void)state;
	assert_int_equal(level_with("best"), best);
	assert_int_equal(level_with("no such kernels"), best);
	assert_int_equal(level_with("scalar"), CN_KERNELS_SCALAR);
	assert_int_equal(level_with("avx2"), smaller(best, CN_KERNELS_AVX2));
	assert_int_equal(level_with("avx512"), smaller(best, CN_KERNELS_AVX512));
	assert_int_equal(level_with("amx"), smaller(best, CN_KERNELS_AMX));
}

static void a_level_can_be_forced_within_what_there_is(void **state)
{
	int best = cn_kernels_force(CN_KERNELS_BEST);
	(void)state;
	for (int level = CN_KERNELS_SCALAR; level <= CN_KERNELS_BEST; level++) {
		assert_int_equal(cn_kernels_force((cn_kernels)level), smaller(level, best));
		assert_int_equal(cn_kernels_level(), smaller(level, best));
	}
	assert_in_range(cn_cpu_has_bf16(), 0, 1);
	assert_in_range(cn_cpu_has_vpopcnt(), 0, 1);
	assert_in_range(cn_cpu_is_fast_in_bf16(), 0, cn_cpu_has_bf16());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_environment_caps_the_level),
		cmocka_unit_test(a_level_can_be_forced_within_what_there_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
