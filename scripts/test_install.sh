#!/usr/bin/env bash
# Install into an empty folder, hide the build and the dependencies, and use what was installed: the command, and a program
# compiled against cairn.pc, shared and static. Usage: scripts/test_install.sh BUILD_FOLDER EMPTY_FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."
build=$(realpath "$1")
target=$(realpath -m "$2")
rm -rf "$target"
DESTDIR=$target meson install -C "$build" --no-rebuild --quiet
prefix=$target$(meson introspect "$build" --buildoptions | python3 -c 'import json,sys; print(next(o["value"] for o in json.load(sys.stdin) if o["name"] == "prefix"))')
libdir=$(dirname "$(find "$prefix" -name libcairn.so)")

# The clone is "deleted": its dependencies cannot be found while the installed program runs.
mv .deps .deps-hidden
trap 'mv .deps-hidden .deps' EXIT
"$prefix/bin/cairn" --version
"$prefix/bin/cairn" recipe check nii-2018
if "$prefix/bin/cairn" model info efficientnet-lite0; then
	"$prefix/bin/cairn" model bench efficientnet-lite0 --size 64x64 --seconds 0.2
fi
ldd "$libdir/libcairn.so" | grep -F 'not found' && { echo "libcairn.so misses libraries"; exit 1; }
test -s "$(find "$prefix" -name cairn.1 -o -name cairn.1.gz | head -1)"

export PKG_CONFIG_PATH=$libdir/pkgconfig PKG_CONFIG_SYSROOT_DIR=$target
build_consumer() {
	gcc -Wall -Wextra -Werror -o "$target/consumer-$1" tests/consumer/consumer.c "${@:2}" $(pkg-config --cflags cairn)
	LD_LIBRARY_PATH=$libdir "$target/consumer-$1"
}
build_consumer shared $(pkg-config --libs cairn)
build_consumer static $(pkg-config --static --libs cairn | sed "s|-lcairn|$libdir/libcairn.a|")
if ldd "$target/consumer-static" | grep -q libcairn; then echo "the static consumer uses the shared library"; exit 1; fi
exported=$(nm -D --defined-only "$libdir/libcairn.so" | awk '{print $3}' | grep -v '^cairn_' || true)
[ -z "$exported" ] || { echo "exported without the prefix cairn_: $exported"; exit 1; }
echo "installed program and consumer work"
