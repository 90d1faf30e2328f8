#!/usr/bin/env bash
# Build a collection from sample photographs (or one's own), search in it and leave a report. The second run takes seconds.
# Usage: scripts/demo.sh [FOLDER_WITH_PHOTOS]
set -euo pipefail
cd "$(dirname "$0")/.."
cairn=$PWD/build/cairn
work=$PWD/demo
mkdir -p "$work"

say() { printf '\n== %s\n' "$*"; }

# The sample photographs are in Debian's package opencv-doc; only they are unpacked, nothing is installed.
sample_photographs() {
	[ -e "$work/photos/done" ] && return
	say "fetching the sample photographs of Debian's package opencv-doc"
	local deb
	(cd "$work" && { apt-get download -q opencv-doc || { [ "$(id -u)" -eq 0 ] && apt-get update -q && apt-get download -q opencv-doc; } || { sudo apt-get update -q && apt-get download -q opencv-doc; }; })
	deb=$(ls "$work"/opencv-doc_*.deb)
	rm -rf "$work/unpacked" "$work/photos"
	dpkg-deb -x "$deb" "$work/unpacked"
	mkdir -p "$work/photos"
	find "$work/unpacked" -path '*examples/data/*' \( -name '*.jpg' -o -name '*.png' -o -name '*.jpg.gz' -o -name '*.png.gz' \) -exec cp {} "$work/photos/" \;
	find "$work/photos" -name '*.gz' -exec gunzip -f {} +
	rm -rf "$work/unpacked" "$deb" "$work/queries"
	mkdir -p "$work/queries"
	mv "$work/photos/leuvenB.jpg" "$work/photos/graf3.png" "$work/photos/box_in_scene.png" "$work/queries/"
	touch "$work/photos/done"
}

install_models() {
	local name
	for name in efficientnet-lite0 xfeat; do
		"$cairn" model info "$name" >/dev/null 2>&1 || "$cairn" model install "$name"
	done
}

# add_all COLLECTION FOLDER: make the collection if need be and add what is new.
add_all() {
	[ -e "$1/catalogue.sqlite" ] || "$cairn" init "$1"
	"$cairn" add "$1" "$2"
}

expect_first() {
	local query=$1 partner=$2 first
	first=$("$cairn" search "$work/collection" "$work/queries/$query" -k 1 --format csv | awk -F, 'NR == 2 { print $4 ", " $6 " inliers" }')
	echo "$query: found ${first:-nothing}"
	case "$first" in
	*"/$partner, "*) ;;
	*) echo "demo: expected $partner first" >&2; exit 1 ;;
	esac
}

say "models"
install_models
if [ $# -ge 1 ]; then
	# One collection a folder of photographs, so that demonstrations do not mix.
	collection=$work/collection-$(printf '%s' "$(realpath "$1")" | cksum | cut -d' ' -f1)
	say "collection of $1"
	add_all "$collection" "$1"
	say "searching with the first photographs"
	images=$("$cairn" info "$collection" --format json | sed -n 's/^ *"images": *\([0-9]*\).*/\1/p')
	[ "$images" -gt 0 ] || { echo "demo: there is no photograph in $1" >&2; exit 1; }
	ids=(--id 1)
	[ "$images" -lt 2 ] || ids+=(--id 2)
	[ "$images" -lt 3 ] || ids+=(--id 3)
	"$cairn" search "$collection" "${ids[@]}" -k 12 --report "$work/report.html"
else
	sample_photographs
	say "collection of $(find "$work/photos" -type f ! -name done | wc -l) sample photographs"
	add_all "$work/collection" "$work/photos"
	say "searching"
	expect_first leuvenB.jpg leuvenA.jpg
	expect_first graf3.png graf1.png
	expect_first box_in_scene.png box.png
	"$cairn" search "$work/collection" "$work"/queries/* -k 12 --report "$work/report.html" --format csv >"$work/results.csv"
fi
