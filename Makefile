PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo demo-reset

help:
	@echo "make demo        a cloud with servers, Horizon with the plugin, and a worker"
	@echo "make demo-reset  the same, from the beginning"

# Python compiles what it installs, so that the second start is quick.
demo demo-reset: export PYTHONDONTWRITEBYTECODE =

demo: $(VENV)/.demo
	@$(BIN)/python -m ukcloud_maintenance.demo

demo-reset: $(VENV)/.demo
	@$(BIN)/python -m ukcloud_maintenance.demo --reset

$(VENV)/.demo: setup.cfg setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: Python 3.11 or newer is needed; choose one with PYTHON=..." >&2; exit 1; }
	@echo "installing into $(VENV) (once; a minute or two)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[demo]'
	@touch $@
