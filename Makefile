# `make repro` and `make test` are all a newcomer needs; `make help` lists the rest.

PYTHON ?= python3
BIN := .venv/bin
TORCH := $(shell sed -n 's/^torch==//p' requirements.lock)
# Stages run `python`, which must be the one of the virtual environment.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1

# Tests of a file stay together, for what they share, and tests/conftest.py knows the longest files.
ON_ALL_CORES := --numprocesses logical --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help repro baseline seeds sweep fresh report doctor deps docs notebook screenshots lock bench test check lint format clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

repro: $(BIN)/.runs  ## Install what a run needs, run the pipeline (WORKERS stages at a time), show what came out
	@python -m stages.check --params params.yaml --checked data/checked.txt
	@python -m tools.repair
	@python -m tools.repro $(if $(WORKERS),--workers $(WORKERS))
	@python -m tools.summary
	@echo
	@echo "explorer     data/explorer.html (open it in a browser)"
	@echo "pictures     plots/images/"
	@echo "all figures  plots/scores.csv"
	@echo "predictions  data/predictions/*/prediction.csv"
	@echo
	@python -m tools.baseline

baseline: $(BIN)/.runs  ## Run the pipeline, and record the machine that made the new baseline
	@python -m tools.repro $(if $(WORKERS),--workers $(WORKERS))
	@python -m tools.baseline --record

seeds: $(BIN)/.runs  ## Mean and deviation over experiments that differ in OVER (default: seed, into seeds.json)
	@python -m tools.seeds --over $(or $(OVER),seed)

sweep: $(BIN)/.runs  ## Run experiments side by side (SET="seed=0,1,2 latent_dim=8,16"; NAME, WORKERS)
	@python -m tools.sweep $(foreach each,$(SET),-S '$(each)') \
	  $(if $(NAME),--name '$(NAME)') $(if $(WORKERS),--workers $(WORKERS))

fresh: $(BIN)/.runs  ## Say whether dvc.lock is what code and params make; needs no data
	@python -m tools.fresh

report: $(BIN)/.runs  ## Write report.md and report.html: what the workspace changes against BASE (default: main)
	@python -m tools.report --base "$(or $(BASE),main)" --markdown report.md --html report.html
	@echo "report.md and report.html tell what changed"

doctor: $(BIN)/.runs  ## Say what would spoil an experiment before it starts
	@python -m tools.doctor

deps: $(BIN)/.runs  ## Write the code that stages import into dvc.yaml
	@python -m tools.deps

docs: $(BIN)/.runs  ## Write the tables of metrics and results into the pages
	@python -m tools.docs

notebook: $(BIN)/.runs  ## Run the notebooks of docs/ on the bundles, and keep their pictures
	@python -m tools.notebook

screenshots: $(BIN)/.develops  ## Write the pictures of the explorer into docs/ (needs Chromium)
	@python -m tools.screenshots

lock: $(BIN)/.develops  ## Write the lock files from what is installed in .venv
	@python -m tools.lock

bench: $(BIN)/.develops  ## Measure speed against baselines in the same run (ONLY="training tables"; default: all)
	@$(MAKE) --silent .venv-pythae/.done || echo "no pythae: its row is left out"
	@python -m benchmarks $(ONLY)

test: $(BIN)/.develops  ## Run every test, the slow ones too
	pytest $(ON_ALL_CORES)

check: lint  ## Lint, and run the fast tests
	pytest -m "not slow" $(ON_ALL_CORES)

lint: $(BIN)/.develops  ## Check style and types
	ruff check .
	ruff format --check .
	mypy

format: $(BIN)/.develops  ## Bring the code into shape
	ruff check --fix .
	ruff format .

clean:  ## Remove the virtual environment and what tools cache; results stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "latentlab needs Python 3.11 or newer, found " + sys.version.split()[0] + "; name one with: make PYTHON=/path/to/python")'
	$(PYTHON) -m venv .venv

$(BIN)/.runs: requirements.lock pyproject.toml | $(BIN)/python
	python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(BIN)/.develops: requirements-dev.lock $(BIN)/.runs
	python -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	@touch $@

# A library to compare with, which wants an environment of its own.
.venv-pythae/.done: requirements.lock | $(BIN)/python
	$(PYTHON) -m venv .venv-pythae
	.venv-pythae/bin/python -m pip install --quiet --disable-pip-version-check torch==$(TORCH) pythae==0.1.2
	@touch $@
