# What scripts/check.sh and scripts/check_slow.sh share; sourced by both from the repository's root. One line a step is
# printed; builds are kept in build-check/, logs in build-check/logs/.
work=build-check
logs=$work/logs
mkdir -p "$logs"
export PKG_CONFIG_PATH="$PWD/.deps/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
export CAIRN_DATA="${CAIRN_DATA:-$PWD/../shared/data}"
# Models are installed once, for the tests that need them, and not into the user's home.
export CAIRN_HOME="$PWD/$work/home"
passed=0
failed=0
skipped=0

# step NAME COMMAND...: one check.
step() {
	local name=$1 start=$SECONDS
	shift
	if "$@" >"$logs/$name.log" 2>&1; then
		passed=$((passed + 1))
		echo "ok      $name ($((SECONDS - start)) s)"
	else
		failed=$((failed + 1))
		echo "FAILED  $name ($((SECONDS - start)) s), see $logs/$name.log:"
		tail -n 40 "$logs/$name.log" | sed 's/^/        /'
		return 1
	fi
}

# configure FOLDER COMPILER OPTIONS...
configure() {
	local folder=$work/$1 compiler=$2
	shift 2
	[ -f "$folder/build.ninja" ] || CC=$compiler meson setup "$folder" --werror "$@"
}

build() {
	configure "$@" && ninja -C "$work/$1"
}

# run_tests NAME FOLDER ARGUMENT...: every case of every test program counts. ARGUMENTs are for `meson test`.
run_tests() {
	local name=$1 folder=$work/$2 log=$logs/tests-$1.log start=$SECONDS status counts good bad absent faulty
	shift 2
	rm -f "$folder"/meson-logs/*.junit.xml
	meson test -C "$folder" --no-rebuild --print-errorlogs "$@" >"$log" 2>&1
	status=$?
	counts=$(python3 scripts/count_tests.py "$folder"/meson-logs/*.junit.xml) || counts="0 1 0"
	read -r good bad absent <<<"$counts"
	faulty=$(grep -E '^(not ok|FAIL|.*(FAIL|ERROR|TIMEOUT) )' "$log" | sort -u)
	# Programs that end badly though their cases passed.
	[ $status -ne 0 ] && [ "$bad" -eq 0 ] && bad=$(grep -c . <<<"${faulty:-meson test}")
	passed=$((passed + good))
	failed=$((failed + bad))
	skipped=$((skipped + absent))
	echo "tests   $name: $good passed, $bad failed, $absent skipped ($((SECONDS - start)) s)"
	[ "$bad" -eq 0 ] || head -40 <<<"$faulty"
}

# finish: the last line, and the status of the whole.
finish() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}
