# cairn: thin over Meson. `make help` says what there is.
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
MESON = PKG_CONFIG_PATH="$(CURDIR)/.deps/pkgconfig:$$PKG_CONFIG_PATH" meson

.DEFAULT_GOAL := all
.PHONY: all help setup setup-checks demo check check-slow fuzz accuracy ladder calibrate bench install format clean

all: setup ## set up the machine and build the command: build/cairn
	@test -f $(BUILD)/build.ninja || $(MESON) setup $(BUILD) -Dtests=false --prefix=$(PREFIX)
	@ninja -C $(BUILD)
	@ln -sf cli/cairn $(BUILD)/cairn

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup:
	@scripts/setup.sh

setup-checks:
	@scripts/setup.sh --with-checks

demo: all ## find the same places among sample photographs, or in PHOTOS=folder
	@scripts/demo.sh $(if $(PHOTOS),"$(PHOTOS)")

check: setup-checks ## all tests, with both compilers and the sanitizers (some 20 minutes)
	@scripts/check.sh

check-slow: setup-checks ## valgrind, ThreadSanitizer, fifty kills
	@scripts/check_slow.sh

fuzz: setup-checks ## run every fuzz target for SECONDS_EACH seconds (default 600)
	@scripts/fuzz.sh

accuracy: all ## mAP on real photographs (CAIRN_DATA) into docs/results.md
	@scripts/accuracy.py

ladder: all ## mAP as descriptors are made better step by step (CAIRN_DATA) into docs/results.md
	@scripts/ladder.py

calibrate: all ## the minimum and boost of inliers, on ukbench-sample (CAIRN_DATA)
	@scripts/bench.sh --script scripts/calibrate.py

bench: bench-sift bench-verify bench-add bench-flat-batch bench-flat-single bench-ivf-batch bench-ivf-single bench-asmk bench-knn bench-diffusion ## every benchmark against its peer

bench-%: all ## one benchmark, such as bench-sift
	@scripts/bench.sh $*

install: all ## into PREFIX (default /usr/local), under DESTDIR
	@$(MESON) configure $(BUILD) --prefix=$(PREFIX)
	@ninja -C $(BUILD)
	@DESTDIR="$(DESTDIR)" $(MESON) install -C $(BUILD) --no-rebuild --quiet

format: ## lay out the C files by .clang-format
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean: ## remove what was built; .deps/ stays
	@rm -rf $(BUILD) build-*
