# The only door to the project: every task of a developer, an operator's first run and CI goes through here.
SHELL := bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.setup
NODE_SETUP := $(VENV)/.setup-node

.PHONY: help setup run test check format bench audit backends lock openapi clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(SETUP) ## everything a developer needs, in .venv

# A node needs less than a developer: `make run` starts from the smaller lock.
$(NODE_SETUP): requirements/node.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Orama needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/node.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(SETUP): $(NODE_SETUP) requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

run: $(NODE_SETUP) ## start a node on http://127.0.0.1:6001
	@exec $(BIN)/orama run $(ARGS)

test: $(SETUP) ## all tests that need nothing but this checkout
	$(BIN)/python -m pytest $(ARGS)

check: $(SETUP) ## format, lint, types, layers
	$(BIN)/ruff format --check src tests
	$(BIN)/ruff check src tests
	$(BIN)/basedpyright
	$(BIN)/lint-imports

format: $(SETUP) ## write the source in its one form
	$(BIN)/ruff format src tests
	$(BIN)/ruff check --fix src tests

bench: $(SETUP) ## measure every path beside its floor; rows print PASS or FAIL
	$(BIN)/python -m tests.bench $(ARGS)

audit: $(SETUP) ## the long run: every property test with fresh seeds and many more examples
	ORAMA_TEST_PROFILE=audit $(BIN)/python -m pytest --timeout 1800 $(ARGS)

backends: $(NODE_SETUP) ## build Kubo and Olric into $ORAMA_HOME/bin, for tests that compare with them
	$(BIN)/orama backends install $(ARGS)

lock: $(SETUP) ## write the locked requirements anew
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	    --extra node pyproject.toml requirements/build.in -o requirements/node.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
	    --extra node --extra dev pyproject.toml requirements/build.in -o requirements/dev.txt

clean: ## remove what the other targets made
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
