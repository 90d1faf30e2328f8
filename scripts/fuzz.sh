#!/usr/bin/env bash
# Run every fuzz target under libFuzzer, AddressSanitizer and UBSan for SECONDS_EACH seconds (default 600). Prints one line
# a target and fails where a target crashes, leaks, takes more than 20 s or 1 GB for one input; that input is kept in
# build-fuzz/artifacts/ and named. Grown corpora are kept in build-fuzz/grown/. Usage: scripts/fuzz.sh [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."
export PKG_CONFIG_PATH="$PWD/.deps/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
export LSAN_OPTIONS=suppressions=$PWD/tests/suppressions/lsan.txt:print_suppressions=0
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
work=build-fuzz
seconds=${SECONDS_EACH:-600}
failed=0

mapfile -t known < <(cd fuzz && ls fuzz_*.c | sed 's/^fuzz_//; s/\.c$//')
targets=("$@")
[ $# -gt 0 ] || targets=("${known[@]}")
for target in "${targets[@]}"; do
	[[ " ${known[*]} " = *" $target "* ]] || { echo "fuzz: there is no target '$target'; known are ${known[*]}" >&2; exit 1; }
done

build() {
	[ -f $work/build.ninja ] || CC=clang meson setup $work -Dfuzzers=true -Dbuildtype=debugoptimized \
		-Db_sanitize=address,undefined -Db_lundef=false -Db_ndebug=false || return
	ninja -C $work "${targets[@]/#/fuzz/fuzz_}" fuzz/corpus.stamp
}

# final_number LOG NAME: one of those that libFuzzer prints at the end.
final_number() {
	sed -n "s/^stat::$2: *//p" "$1" | tail -n 1
}

# run_target NAME
run_target() {
	local target=$1 log=$work/logs/$1.log start=$SECONDS status=0 verdict=ok
	mkdir -p "$work/grown/$target" "$work/artifacts" "$work/logs"
	# Only the sound ones: one of the others takes a second to be refused, and so would all that grows out of it.
	[ "$target" != checkpoint ] || cp tests/model/checkpoints/good* "$work/grown/$target"
	"$work/fuzz/fuzz_$target" -max_total_time="$seconds" -max_len=16384 -timeout=20 -rss_limit_mb=2048 -malloc_limit_mb=1024 \
		-print_final_stats=1 -artifact_prefix="$work/artifacts/$target-" "$work/grown/$target" "$work/fuzz/corpus/$target" \
		>"$log" 2>&1 || status=$?
	[ $status -eq 0 ] || verdict=FAILED
	printf '%-7s fuzz %s: %s executions, coverage %s, %d s\n' $verdict "$target" "$(final_number "$log" number_of_executed_units)" \
		"$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)" $((SECONDS - start))
	[ $status -ne 0 ] || return 0
	failed=$((failed + 1))
	grep -E '^(==[0-9]+==|SUMMARY|.*runtime error:|artifact_prefix)' "$log" | tail -n 12 | sed 's/^/        /' || true
	echo "        the input is kept: $(sed -n 's/.*Test unit written to //p' "$log" | tr '\n' ' '); the log is $log"
}

mkdir -p "$work/logs"
build >"$work/logs/build.log" 2>&1 || { tail -n 40 "$work/logs/build.log" >&2; exit 1; }
for target in "${targets[@]}"; do
	run_target "$target"
done
echo "$((${#targets[@]} - failed)) passed, $failed failed"
[ $failed -eq 0 ]
