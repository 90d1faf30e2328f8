#!/usr/bin/env bash
# Each public header compiles alone, as C11 and as C++, without a warning.
set -u
cd "$(dirname "$0")/.."
faults=0
for header in include/cairn/*.h; do
	source="#include \"cairn/$(basename "$header")\"
int unused_$$;"
	for compiler in "gcc -std=c11 -x c" "clang -std=c11 -x c" "g++ -std=c++11 -x c++" "clang++ -std=c++11 -x c++"; do
		$compiler -pedantic -Wall -Wextra -Werror -Iinclude -fsyntax-only - <<<"$source" || { echo "headers: $header fails with $compiler"; faults=1; }
	done
done
exit $faults
