# One word a job. `make` alone lists them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test test-long docs lint format clean

help:  ## list the jobs
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' $(MAKEFILE_LIST) | expand -t 14

install: $(INSTALLED)  ## make a virtual environment in .venv and install the package into it

$(INSTALLED): setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[test,lint,docs]"
	@touch $@

demo: $(INSTALLED)  ## five searches, a report, and the voted network against its baseline, on made rooms
	$(BIN)/python experiments/rooms/demo.py

test: $(INSTALLED)  ## the test suite
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not long"

test-long: $(INSTALLED)  ## the tests that take minutes each
	$(BIN)/python -m pytest -m long

docs: $(INSTALLED)  ## the documentation with its tutorials, which run: build/docs/index.html, in minutes
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs build/docs

lint: $(INSTALLED)  ## the linter, the formatter's check, the type checker
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(INSTALLED)  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove what `make` made: the environment, the pages, the work folder
	rm -rf $(VENV) build docs/_generated work
