# The first Python that is new enough; PYTHON=... chooses another one.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && \
  echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin

# Python keeps what it has compiled, also where the environment forbids it: each process of the
# tests collects them in half the time, and what they start need not compile the product again.
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help demo demo-reset test check cover chaos matrix bench lint docs pictures releasenotes clean

help:
	@echo "make demo        a cloud with servers, Horizon with the plugin, and a worker"
	@echo "make demo-reset  the same, from the beginning"
	@echo "make test        lint, types, and all tests: WORKERS=4 side by side"
	@echo "make check       lint, types, and the tests that need nothing but Python: a minute or two"
	@echo "make cover       the lines that the tests run which need no cloud and no server"
	@echo "make chaos       drains while everything fails: SEED=7 MINUTES=30 DATABASE=postgresql"
	@echo "make matrix      the plugin in each release of Horizon: RELEASES=\"2024.1 2026.2\" PYTHONS=3.11"
	@echo "make bench       how quick it is, beside what is aimed at: PARTS=\"pages drains\""
	@echo "make lint        lint and types alone"
	@echo "make docs        the documentation as HTML, in doc/build/html"
	@echo "make pictures    the pictures of the documentation, from the demo: some minutes"
	@echo "make releasenotes  the release notes as HTML, in releasenotes/build/html"
	@echo "make clean       remove what all of these have made, the demo's cloud too"

# -- demo ----------------------------------------------------------------------------------------

demo: $(VENV)/.demo
	@$(BIN)/python -m ukcloud_maintenance.demo

demo-reset: $(VENV)/.demo
	@$(BIN)/python -m ukcloud_maintenance.demo --reset

# -- tests ---------------------------------------------------------------------------------------

# More of them than processors: mostly they wait, for Nova, for a page, for an interval to pass.
WORKERS ?= 4

test: lint
	@.ci/debian-packages
	@$(MAKE) --no-print-directory $(AXE)
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder

# What tells whether a page can be used by everybody; for the tests alone.
AXE := tests/browser/node_modules/axe-core

$(AXE): tests/browser/package.json
	@echo "installing axe-core into tests/browser/node_modules"
	@npm install --no-save --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error \
	  --prefix tests/browser
	@touch $@

# What needs nothing but Python, side by side, with a part of the examples that `make test` tries,
# and tables that are made without the migrations, which tests/store tries.
check: export TEST_EXAMPLES ?= 0.1
check: lint
	$(BIN)/pytest -q -n $(WORKERS) --no-migrations --dist loadgroup --no-loadscope-reorder \
	  tests/core tests/unit tests/actions tests/commands tests/test_architecture.py tests/test_readme.py

# Which lines the tests run that need no control plane.
cover: $(VENV)/.test
	$(BIN)/coverage run --branch --source ukcloud_maintenance --omit '*/demo/*,*/migrations/*' \
	  -m pytest -q tests/core tests/unit tests/actions tests/commands tests/panel
	$(BIN)/coverage report --skip-covered --show-missing

# SEED is what everything follows from, random where it is not given, and printed; MINUTES is how
# long faults are made; DATABASE is sqlite, postgresql or mariadb, chosen by the seed by default.
chaos: $(VENV)/.test
	@.ci/debian-packages
	$(BIN)/python -m tests.chaos \
	  $(if $(SEED),--seed=$(SEED)) $(if $(MINUTES),--minutes=$(MINUTES)) \
	  $(if $(DATABASE),--database=$(DATABASE))

# Each cell has its log below .matrix. NOVAS="29 31" runs the tests that need a control plane
# instead, against older ones than that of the demo.
matrix:
	@.ci/debian-packages
	$(PYTHON) -m tests.matrix --workers $(WORKERS) \
	  $(if $(RELEASES),--release $(RELEASES)) $(if $(PYTHONS),--python $(PYTHONS)) \
	  $(if $(NOVAS),--nova $(NOVAS))

# What is aimed at, and what is reached here: PARTS="pages drains" for some of it; bench.json.
bench: $(VENV)/.test
	$(BIN)/python -m benchmarks $(PARTS)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# -- documentation -------------------------------------------------------------------------------

# Sphinx is not among what the tests need: it has an environment of its own.
DOCS_VENV := $(VENV)-docs
# From scratch: what was built before would not warn again. Without Git the theme warns of that.
SPHINX := $(DOCS_VENV)/bin/sphinx-build --quiet --fresh-env \
  $(if $(wildcard .git),--fail-on-warning --keep-going)

docs: $(DOCS_VENV)/.docs
	$(SPHINX) -b html doc/source doc/build/html
	@echo "doc/build/html/index.html"

releasenotes: $(DOCS_VENV)/.docs
	$(DOCS_VENV)/bin/reno lint
	$(SPHINX) -b html releasenotes/source releasenotes/build/html
	@echo "releasenotes/build/html/index.html"

pictures: $(VENV)/.test
	@.ci/debian-packages
	@$(MAKE) --no-print-directory $(AXE)
	$(BIN)/python -m tests.browser.pictures

$(DOCS_VENV)/.docs: setup.cfg
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or newer is needed" >&2; exit 1; }
	@echo "installing into $(DOCS_VENV) (once; some seconds)"
	@$(PYTHON) -m venv $(DOCS_VENV)
	@$(PYTHON) -c $(DOCS_EXTRA) | xargs $(DOCS_VENV)/bin/python -m pip install -qq --disable-pip-version-check
	@touch $@

# Without the plugin, which the pages do not import: it would bring Horizon with it.
DOCS_EXTRA := 'from configparser import ConfigParser as C; c = C(); c.read("setup.cfg"); \
  print(c["options.extras_require"]["docs"])'

clean:
	rm -rf $(VENV) $(DOCS_VENV) .matrix .demo .libvirt .test-static .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .tox
	rm -rf bench.json build dist doc/build releasenotes/build *.egg-info screenshots tests/browser/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# -- the environment, one for the demo and the tests ---------------------------------------------

$(VENV)/.demo: EXTRA := demo
$(VENV)/.test: EXTRA := test

$(VENV)/.demo $(VENV)/.test: setup.cfg setup.py
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or newer is needed" >&2; exit 1; }
	@echo "installing into $(VENV) (once; a minute or two)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --upgrade pip
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e '.[$(EXTRA)]'
	@touch $@
