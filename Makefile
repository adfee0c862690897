# From a fresh clone: `make reproduce` draws the paper's tables and figures, `make test` runs every test.
# Requirements: Python >= 3.11, make, git, a C compiler. The rest goes into .venv, at the versions of constraints.txt.

PYTHON ?= python3
ACCELERATOR ?= cpu
# Empty, it lets pip install the newest versions that pyproject.toml allows.
CONSTRAINTS ?= constraints.txt
PYTEST_ARGS ?=
SNAKEMAKE_ARGS ?=

EXTRAS_cpu := torch,jax,workflow,docs,dev
EXTRAS_cuda := $(EXTRAS_cpu),cuda
EXTRAS := $(EXTRAS_$(ACCELERATOR))
ifeq ($(EXTRAS),)
$(error ACCELERATOR=$(ACCELERATOR) is unknown: write ACCELERATOR=cpu or ACCELERATOR=cuda)
endif

VENV_PYTHON := .venv/bin/python
# Written last, so that an interrupted installation is continued and a finished one is not repeated.
STAMP := .venv/installed-$(ACCELERATOR)
# Three on two cores, because some tests wait: for a cluster, for the end of a process.
PYTEST := -m pytest --numprocesses 3 --dist loadgroup --no-loadscope-reorder
# Any warning, such as a link to a page that is not there, is an error.
SPHINX := -m sphinx --quiet --fail-on-warning --jobs auto --conf-dir docs . build/docs

# Settings of the user's pip that would install elsewhere than into .venv.
export PIP_USER := 0
unexport PIP_TARGET PIP_PREFIX PIP_ROOT

.DEFAULT_GOAL := help
.PHONY: help reproduce test quicktest benchmark docs lint format clean

help: ## show this text
	@echo "usage: make TARGET [PYTHON=python3.12] [ACCELERATOR=cuda]"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1|\2/p' Makefile | while IFS='|' read -r target text; do \
		printf '  %-11s %s\n' $$target "$$text"; done

reproduce: $(STAMP) ## train the quick preset in both frameworks, draw tables and figures, judge the claims: results/quick/
	$(VENV_PYTHON) -m snakemake $(SNAKEMAKE_ARGS)

test: $(STAMP) ## run all tests; pick some with PYTEST_ARGS="tests/unit -k preset"
	$(VENV_PYTHON) $(PYTEST) $(PYTEST_ARGS)

quicktest: $(STAMP) ## run the tests that are not marked slow: three minutes on two idle cores
	$(VENV_PYTHON) $(PYTEST) -m "not slow" $(PYTEST_ARGS)

benchmark: $(STAMP) ## measure training speed as a share of the machine's limit (idle machine; half an hour the first time)
	$(VENV_PYTHON) -m pytest benchmarks --framework torch
	$(VENV_PYTHON) -m pytest benchmarks --framework jax

docs: $(STAMP) ## build the documentation site: build/docs/index.html
	$(VENV_PYTHON) $(SPHINX)

lint: $(STAMP) ## check format and style of Python files and of the workflow, and build the documentation
	$(VENV_PYTHON) -m ruff check .
	$(VENV_PYTHON) -m ruff format --check .
	$(VENV_PYTHON) -m mypy
	$(VENV_PYTHON) -m snakefmt --check Snakefile workflows
	$(VENV_PYTHON) -m snakemake --lint
	$(VENV_PYTHON) $(SPHINX)

format: $(STAMP) ## format the files as lint requires
	$(VENV_PYTHON) -m ruff check --fix .
	$(VENV_PYTHON) -m ruff format .
	$(VENV_PYTHON) -m snakefmt Snakefile workflows

clean: ## remove .venv and caches; results/ stays
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A .venv whose Python does not start (incomplete, or moved here from elsewhere) is made again.
$(STAMP): pyproject.toml $(CONSTRAINTS)
	@$(VENV_PYTHON) -m pip --version >/dev/null 2>&1 || { \
		$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
			echo "error: Python 3.11 or newer is needed, and '$(PYTHON)' is `$(PYTHON) --version 2>&1 || true`." >&2; \
			echo "Select another one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; }; \
		echo "making .venv with `$(PYTHON) --version`"; \
		$(PYTHON) -m venv --clear .venv || { \
			echo "error: $(PYTHON) cannot make virtual environments (on Debian: install python3-venv)." >&2; exit 1; }; }
	$(VENV_PYTHON) -m pip install $(addprefix --constraint ,$(CONSTRAINTS)) --editable '.[$(EXTRAS)]'
	@touch $@
