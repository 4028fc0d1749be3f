# What people run. Every target makes what it needs; nothing has to be installed by hand but
# Python 3.11+ and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The pinned versions hold for the isolated build of our own package too.
export PIP_CONSTRAINT := constraints.txt

.PHONY: help setup run test lint gen bench drill clean lock

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(VENV)/.installed gen ## Create .venv and install the pinned packages

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Aviary needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable '.[dev]'
	@touch $@

gen: $(VENV)/.installed ## Generate stubs and Envoy's descriptor set from protos/
	@$(BIN)/python protos/generate.py

run: setup ## Start the mesh in the foreground with a demo world; Ctrl-C stops it
	@$(BIN)/aviary up --demo

test: setup ## Run all tests against real PostgreSQL, Redis and Envoy
	@$(BIN)/python -m pytest

lint: setup ## Check style, types and the contract
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python protos/generate.py --lint

bench: setup ## Measure, and print each figure beside its limit; ARGS="--quick", "--help"
	@$(BIN)/python -m tests.bench $(ARGS)

drill: setup ## Every fault under load, on a mesh of its own (12 min); ARGS="--kills 5", "--help"
	@$(BIN)/aviary drill all --fresh $(ARGS)

lock: ## Renew constraints.txt from pyproject.toml's ranges
	$(PYTHON) -m venv $(VENV)/lock
	PIP_CONSTRAINT= $(VENV)/lock/bin/pip install --quiet '.[dev]'
	$(VENV)/lock/bin/pip freeze --exclude aviary > constraints.txt
	rm -r $(VENV)/lock

clean: ## Remove what was built (never a running mesh's data)
	rm -rf $(VENV) aviary dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -r {} +
