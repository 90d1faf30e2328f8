#!/usr/bin/env bash
# Make a Debian 12 machine ready to build cairn: Debian packages, and OpenVINO from its PyPI wheel into .deps/.
# Says what it will install; does nothing where all is there. Usage: scripts/setup.sh [--with-checks]
set -euo pipefail
cd "$(dirname "$0")/.."

openvino_version=2026.4.1
openvino_sha256=2d22b1da03f7caf74df30e9f6417d0ab2f637e4a38e08e1dcd294d2c37407aaf

packages=(gcc make meson ninja-build pkg-config python3 python3-venv python3-pip unzip libvips-dev libopenblas-dev liblapacke-dev
	libprotobuf-c-dev protobuf-c-compiler protobuf-compiler libonnx-dev libzip-dev libjansson-dev libsqlite3-dev
	libxxhash-dev)
[ "${1:-}" = --with-checks ] && packages+=(g++ clang clang-format clang-tidy libclang-rt-14-dev libcmocka-dev valgrind)

install_packages() {
	local missing=() package
	for package in "${packages[@]}"; do
		dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
	done
	[ ${#missing[@]} -eq 0 ] && return
	echo "setup: installing Debian packages: ${missing[*]}"
	local run=()
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || { echo "setup: not root and no sudo; install these yourself: ${missing[*]}" >&2; exit 1; }
		run=(sudo)
	fi
	"${run[@]}" apt-get update -q
	"${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
}

install_openvino() {
	local target=.deps/openvino-$openvino_version
	[ -e "$target/done" ] && return
	echo "setup: fetching the OpenVINO $openvino_version wheel from PyPI into .deps/ (59 MB)"
	mkdir -p .deps/wheels
	python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.11 -d .deps/wheels "openvino==$openvino_version"
	local wheel
	wheel=$(ls .deps/wheels/openvino-"$openvino_version"-*.whl)
	echo "$openvino_sha256  $wheel" | sha256sum -c --quiet || { rm -f "$wheel"; echo "setup: $wheel has not the expected SHA-256; removed it" >&2; exit 1; }
	rm -rf "$target"
	mkdir -p "$target/lib"
	unzip -q "$wheel" 'openvino/include/openvino/c/*' 'openvino/libs/*' 'openvino-*/LICENSE*' 'openvino-*/licenses/*' -d "$target/wheel" || [ $? -eq 11 ]
	mv "$target/wheel/openvino/include" "$target/include"
	# What running an ONNX file on the processor needs, and no more.
	local library
	for library in libopenvino_c.so.* libopenvino.so.* libopenvino_onnx_frontend.so.* libopenvino_ir_frontend.so.* \
		libopenvino_intel_cpu_plugin.so libtbb.so.12 libtbbmalloc.so.2 libtbbbind_2_5.so.3 libhwloc.so.15; do
		cp "$target"/wheel/openvino/libs/$library "$target/lib/"
	done
	rm -rf "$target/wheel"
	touch "$target/done"
}

describe_openvino() {
	mkdir -p .deps/pkgconfig
	local prefix=$PWD/.deps/openvino-$openvino_version
	local library
	library=$(basename "$prefix"/lib/libopenvino_c.so.*)
	cat >.deps/pkgconfig/cairn-openvino.pc <<-END
		prefix=$prefix
		libdir=\${prefix}/lib
		library=$library
		Name: cairn-openvino
		Description: OpenVINO C API from the wheel
		Version: $openvino_version
		Cflags: -isystem\${prefix}/include
		Libs: -L\${libdir} -l:\${library} -Wl,-rpath,\${libdir}
	END
}

# Meson and pkg-config cannot read paths with spaces or letters beyond ASCII.
check_path() {
	case $PWD in
	*[!A-Za-z0-9._/@+,~-]*)
		echo "setup: '$PWD' has a space or a letter beyond ASCII in it, which the build cannot take; clone into another folder" >&2
		exit 1
		;;
	esac
}

check_path
install_packages
install_openvino
describe_openvino
