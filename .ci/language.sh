#!/usr/bin/env bash
# House rules that a compiler does not know: calls that src/ must not make, and files that must stay small.
set -u
cd "$(dirname "$0")/.."
faults=0
fault() {
	echo "language: $1"
	faults=1
}

calls() { git grep -nE "(^|[^_[:alnum:].>])($1) ?\(" -- $2 | grep -vE ':[0-9]+:\s*(\*|/\*|//)'; }

found=$(calls 'printf|puts|putchar|perror|exit|_exit|abort|system|popen' 'src/*.c') && fault "the library never prints, exits or starts processes:
$found"
found=$(calls 'malloc|calloc|realloc|free|strdup|strndup|aligned_alloc|posix_memalign' 'src/*.c :!src/util/memory.c') && fault "memory comes from util/memory.h:
$found"
found=$(calls 'sprintf|strcat|gets|strtok|rand|srand' 'src/*.[ch] cli/*.[ch]') && fault "banned calls:
$found"
found=$(git ls-files -z | xargs -0 -r du -k --apparent-size 2>/dev/null | awk '$1 > 500 { print $2 " " $1 " KB" }')
[ -n "$found" ] && fault "files over 500 KB: $found"
exit $faults
