# Everything a developer or an operator types. Needs Python >= 3.11, make and a POSIX shell; the rest it sees to.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

VENV := .venv
PY := $(VENV)/bin/python
RUNS := $(VENV)/.runs
STAMP := $(VENV)/.installed
# --no-deps: a lock names all there is. With extras pip up to 23 would look past the pin for a newer version, and refuse it.
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --no-deps
# What builds the command usherd, and dkimpy, which ships no wheel; cut out of the lock with its hashes: the rest of that
# file is for tests.
BUILDERS := hatchling|packaging|pathspec|pluggy|setuptools|tomlkit|trove-classifiers
# Pytest's arguments: make test ARGS="tests/unit -x"
ARGS ?=
# A file's tests stay in one process, for some share a daemon; files in the order of their folders, the quick ones first.
AT_ONCE ?= --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# Tests that one can read take each branch of the core; what random days take besides is not counted.
CORE_TESTS := $(sort $(wildcard tests/unit/test_core_*.py)) tests/unit/test_golden_journals.py

# Tests drive Debian's chromium; no tool may fetch a browser of its own.
export PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD := 1

# The lock names versions and hashes only: whatever index or constraint this machine is set to must not show in it.
LOCK := env -u UV_INDEX -u UV_INDEX_URL -u UV_DEFAULT_INDEX -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS -u UV_CONSTRAINT \
	-u UV_OVERRIDE UV_CUSTOM_COMPILE_COMMAND="make lock" $(VENV)/bin/uv pip compile --quiet --no-config --universal \
	--python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-build-options

.PHONY: help install develop demo test-deps test coverage lint format bench bench-full soak lock clean

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' Makefile | while IFS='|' read -r name text; do printf '  make %-11s %s\n' "$$name" "$$text"; done

install: $(RUNS) ## make .venv with what usherd needs, pinned by hash, and the command usherd in .venv/bin

develop: $(STAMP) ## the same and what tests and lint need

$(RUNS): requirements-run.lock requirements.lock pyproject.toml
	@set -e; \
	if [ ! -x $(PY) ]; then \
	  for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; python=; \
	  done; \
	  if [ -z "$$python" ]; then \
	    echo "usherd needs Python 3.11 or newer; none of python3, python3.13, python3.12, python3.11 is." >&2; \
	    echo "Install one, or name it: make install PYTHON=/path/to/python3" >&2; exit 2; \
	  fi; \
	  echo "making $(VENV) with $$("$$python" --version)"; \
	  "$$python" -m venv $(VENV) || { rm -rf $(VENV); \
	    echo "this Python cannot make an environment; on Debian: apt-get install python3-venv" >&2; exit 2; }; \
	fi
	@echo "installing what usherd needs, pinned by hash: about a minute"
	@awk '/^[A-Za-z]/ { kept = /^($(BUILDERS))==/ } kept' requirements.lock >$(VENV)/builders.lock
	$(PIP) --require-hashes -r $(VENV)/builders.lock
	$(PIP) --no-build-isolation --require-hashes -r requirements-run.lock
	$(PIP) --no-build-isolation --editable .
	$(PY) -m pip check --quiet --disable-pip-version-check
	@touch $@

$(STAMP): $(RUNS)
	@echo "installing what tests need as well: some minutes"
	$(PIP) --no-build-isolation --require-hashes -r requirements.lock
	$(PY) -m pip check --quiet --disable-pip-version-check
	@touch $@

demo: install ## the whole daemon on a bundled sample, with simulated agents; it prints where to look
	$(VENV)/bin/usherd demo

test-deps: ## install the Debian packages that tests run (where this is allowed); no service is started
	@bash .ci/test-deps
	@bash .ci/node-deps
	@bash .ci/other-pythons

test: develop test-deps ## all tests, the quick ones first; ARGS="tests/unit -x" for some
	$(PY) -m pytest $(AT_ONCE) $(ARGS)

coverage: develop ## tests of the pure core, with its branch coverage, which is to be 100 %
	$(PY) -m pytest $(CORE_TESTS) --cov=router/core --cov-branch --cov-report=term-missing --cov-fail-under=100

lint: develop ## ruff (rules and format), mypy (strict), the order of packages
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-cache

format: develop ## let ruff lay out the code and fix what it can
	$(VENV)/bin/ruff format
	$(VENV)/bin/ruff check --fix

bench: develop ## measure on this machine, each figure beside something of the same run: some ten minutes
	$(PY) -m benchmarks

bench-full: develop ## the same with more points, and what takes minutes each: hours
	$(PY) -m benchmarks --full

soak: develop ## hours of traffic, watching memory, lag and the journal
	$(PY) -m benchmarks.soak

lock: develop ## write requirements.lock and requirements-run.lock again (UPGRADE=1: newest versions)
	$(LOCK) $(if $(UPGRADE),--upgrade) --extra dev --output-file requirements.lock pyproject.toml
	$(LOCK) --constraint requirements.lock --no-annotate --output-file requirements-run.lock pyproject.toml

clean: ## remove what was made: environment, caches, builds; never data (var/)
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
