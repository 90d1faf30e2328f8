#!/usr/bin/env bash
# Everything that must hold before a change is taken. Prints one line a step and ends with "N passed, M failed".
# Logs of the steps are kept in build-check/logs/. Usage: scripts/check.sh
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/check_lib.sh

install_models() {
	"$work/gcc/cli/cairn" model install efficientnet-lite0 xfeat || "$work/gcc/cli/cairn" model list
}

clang_tidy() {
	# The compiler's own notes about generated code are not ours to mend.
	git ls-files 'src/*.c' 'cli/*.c' | xargs -P 2 -n 4 clang-tidy -quiet -p "$work/clang-san"
}

clang_format() {
	git ls-files '*.c' '*.h' | xargs clang-format --dry-run --Werror
}

step format clang_format
step layers python3 .ci/layers.py
step headers .ci/headers.sh
step language .ci/language.sh
step build-gcc build gcc gcc && {
	step room-symbols python3 .ci/layers.py "$work/gcc"
	step models install_models
	run_tests gcc gcc
	step install scripts/test_install.sh "$work/gcc" "$work/install"
}
step build-clang-sanitizers build clang-san clang -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false -Db_ndebug=false && {
	export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1 LSAN_OPTIONS=suppressions=$PWD/tests/suppressions/lsan.txt:print_suppressions=0
	export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
	run_tests clang-san clang-san --no-suite cli --no-suite slow --timeout-multiplier 4
	step tidy clang_tidy
}
finish
