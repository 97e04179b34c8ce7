# A thin face over CMake presets, Ninja and CTest; `make help` lists what there is.
.DEFAULT_GOAL := all
SHELL := bash
MAKEFLAGS += --no-print-directory

JOBS    ?= $(shell nproc 2>/dev/null || echo 2)
PREFIX  ?= /usr/local
SECONDS ?= 60
MINUTES ?= 10
WERROR  ?= $(if $(CI),ON,OFF)
export JOBS

CONFIGURE = cmake --preset release -DSTOA_WERROR=$(WERROR)
BUILD     = cmake --build build -j $(JOBS)

.PHONY: all demo check check-fast bench judge fuzz soak coverage tidy setup install package format \
        docs clean help

all: ## release build: build/stoa, build/libstoa.so, build/libstoa.a
	@tools/setup.sh base
	@$(CONFIGURE) --log-level=WARNING >/dev/null
	@$(BUILD) --target product

demo: ## build, then the main job on real input, with output worth looking at
	@tools/setup.sh demo
	@$(CONFIGURE) --log-level=WARNING >/dev/null
	@$(BUILD) --target product
	@demo/demo.sh

check: ## the gate: every check, every test, with and without sanitizers
	@tools/setup.sh test
	@tools/check.sh

check-fast: ## unit and property tests only
	@tools/setup.sh base
	@$(CONFIGURE) --log-level=WARNING >/dev/null
	@$(BUILD)
	@cd build && ctest --output-on-failure -j $(JOBS) -L '^(unit|property)$$'

bench: ## benchmarks against their rivals [ONLY=name] [FULL=1]
	@tools/setup.sh test
	@bench/run.py $(ONLY)

judge: ## outside judges and corpora, each with its score [ONLY=name]
	@tools/setup.sh test
	@$(CONFIGURE) --log-level=WARNING >/dev/null
	@$(BUILD)
	@tools/judge.sh $(ONLY)

fuzz: ## libFuzzer on every parser of outside bytes [ONLY=name] [SECONDS=60]
	@tools/setup.sh base tools
	@tools/fuzz.sh $(SECONDS) $(ONLY)

soak: ## the state store against its model, power loss and kill -9 [MINUTES=10]
	@tools/setup.sh base
	@$(CONFIGURE) --log-level=WARNING >/dev/null
	@$(BUILD) --target prop_lsm_store crash_lsm_store crash_lsm_store_kill \
	    crash_lsm_store_readers
	@tools/soak.sh $(MINUTES)

coverage: ## which lines the tests run, as build-coverage/coverage.html
	@tools/setup.sh test tools
	@cmake --preset coverage --log-level=WARNING >/dev/null
	@cmake --build build-coverage -j $(JOBS)
	@cd build-coverage && ctest --output-on-failure -j $(JOBS) -LE '^(house|docs)$$'
	@gcovr -r . --object-directory build-coverage -f src/ -j $(JOBS) --print-summary \
	    --html-details build-coverage/coverage.html

tidy: ## clang-tidy over the sources [ONLY=module]
	@tools/setup.sh base tools
	@$(CONFIGURE) --log-level=WARNING >/dev/null
	@tools/clang_tool.sh clang-tidy -p build --quiet $$(find src/$(ONLY) -name '*.c' | sort)

setup: ## install what is missing [PARTS="base demo test tools all"]
	@tools/setup.sh $(or $(PARTS),test)

install: all ## install library, headers and command [PREFIX=/usr/local] [DESTDIR=]
	@cmake -S . -B build -DCMAKE_INSTALL_PREFIX=$(PREFIX) --log-level=WARNING >/dev/null
	@$(BUILD) --target product
	@cmake --install build

package: all ## build/packages: a .tar.gz and a .deb
	@cd build && cpack --config CPackConfig.cmake | grep -E 'generated|rror' | sed 's,$(CURDIR)/,,'

format: ## clang-format over C sources, in place [ONLY=module]
	@tools/setup.sh tools
	@find $(if $(ONLY),src/$(ONLY) tests/$(ONLY),include src tests fuzz bench) -name '*.[ch]' 2>/dev/null | \
	    xargs -r tools/clang_tool.sh clang-format -i

docs: ## compile and run every example of README.md and docs/
	@tools/setup.sh test
	@$(CONFIGURE) --log-level=WARNING >/dev/null
	@$(BUILD) --target product
	@tools/run_script.sh tools/check_docs.py

clean: ## remove what was built; keeps what was downloaded
	@rm -rf build-*/
	@[ ! -d build ] || find build -mindepth 1 -maxdepth 1 ! -name deps ! -name 'venv*' \
	    -exec rm -rf {} +

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile
