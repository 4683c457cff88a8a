# One word per job; `make` alone lists them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --editable
TESTS := $(BIN)/python -m pytest -n 2 --dist worksteal -m "not long and not docs"

.DEFAULT_GOAL := help
.PHONY: help install demo test test-long coverage docs lint format clean

help:  ## list the jobs
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' $(MAKEFILE_LIST) | expand -t 14

install: $(VENV)/.test $(VENV)/.lint $(VENV)/.docs  ## everything a developer needs, in a virtual environment in .venv

# Each job installs the dependencies it needs and no others; the extras are those of setup.cfg.
$(VENV)/.base: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) .
	@touch $@

$(VENV)/.%: $(VENV)/.base
	$(PIP) ".[$*]"
	@touch $@

demo: $(VENV)/.base  ## five searches on synthetic rooms, a report, and the consensus network against its baseline
	$(BIN)/python experiments/rooms/demo.py

test: $(VENV)/.test  ## the test suite
	$(TESTS)

test-long: $(VENV)/.test $(VENV)/.lint $(VENV)/.docs  ## the tests that take minutes each
	$(BIN)/python -m pytest -m long

coverage: $(VENV)/.test $(VENV)/.coverage  ## the test suite, and the lines of the package that it does not run
	$(TESTS) --cov --cov-report=term-missing

docs: $(VENV)/.test $(VENV)/.docs  ## build the documentation, run its tutorials, check its links: build/docs/index.html
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs build/docs
	BUILT_DOCS=build/docs $(BIN)/python -m pytest -m docs tests/test_documentation.py

lint: $(VENV)/.lint  ## linter, formatter, import rules, type checker
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy

format: $(VENV)/.lint  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove everything that make created: the environment, the documentation, the work folder
	rm -rf $(VENV) build docs/_generated work .coverage .coverage.*
