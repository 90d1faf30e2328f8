#!/usr/bin/env bash
# What takes too long for every change: valgrind, ThreadSanitizer, the tests of the suite "slow" (fifty kills). Prints one
# line a step and ends with "N passed, M failed". Logs are kept in build-check/logs/. Usage: scripts/check_slow.sh
set -uo pipefail
cd "$(dirname "$0")/.."
. scripts/check_lib.sh

# Tests that run OpenVINO, whose code is not built for these tools and is slow under them, and tests that are scripts.
left_out='model/(golden|infer|install)|collection/(global|open|kill|kill-often|full-disk|format)|eval/gnd_to_json|cli/.*'

# without_networks FOLDER SUITE...: the tests of these suites (of none: all) that are not left out.
without_networks() {
	local folder=$work/$1
	shift
	meson test -C "$folder" --no-rebuild --list "${@/#/--suite=}" 2>"$logs/list.log" | sed -n 's|^.* / ||p' | grep -vxE "$left_out"
}

# What is lost for good is an error; what a library still holds at the end is not.
memcheck='valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite'
memcheck+=" --num-callers=30 --suppressions=$PWD/tests/suppressions/valgrind.supp"

step build-gcc build gcc gcc && {
	mapfile -t names < <(without_networks gcc)
	run_tests valgrind gcc --wrapper "$memcheck" --timeout-multiplier 20 "${names[@]}"
	run_tests slow gcc --suite slow
}
step build-thread-sanitizer build clang-tsan clang -Dbuildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false -Db_ndebug=false && {
	export TSAN_OPTIONS=suppressions=$PWD/tests/suppressions/tsan.txt:second_deadlock_stack=1
	mapfile -t names < <(without_networks clang-tsan util index local verify collection search)
	run_tests thread-sanitizer clang-tsan --timeout-multiplier 10 "${names[@]}"
}
finish
