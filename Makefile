# The one way from a notebook to a figure. `make help` lists the targets.
ifeq ($(filter grouped-target,$(.FEATURES)),)
$(error GNU make 4.3 or newer is needed and this is $(MAKE_VERSION); \
    on macOS: `brew install make`, then `gmake`)
endif

ifneq ($(findstring :,$(CURDIR)),)
$(error $(CURDIR): a path with a colon cannot be told to Python; rename or move the folder)
endif
ifneq ($(wildcard notebooks/*\ *.ipynb),)
$(error $(wildcard notebooks/*\ *.ipynb): a notebook's name cannot hold a space; rename it)
endif

TARGETS := all test quick run lab bench sweep verify teeth html binder test-browser \
    test-parameters refresh extras lint clean help
.PHONY: $(TARGETS)
.DEFAULT_GOAL := all

# As many as there are processors; a hub such as Binder lends fewer than the machine has.
CORES := $(shell env -u OMP_NUM_THREADS nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
JOBS := $(if $(CPU_LIMIT),$(or $(filter-out 0,$(basename $(CPU_LIMIT))),1),$(CORES))
export JOBS
export PYTEST_XDIST_AUTO_NUM_WORKERS := $(JOBS)
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS)
endif

# The Python that is active if it has everything (Binder, conda); else .venv, by the last rule.
ACTIVE := $(shell python3 -E -c 'from importlib.util import find_spec; \
    from os.path import realpath; from sys import prefix; \
    print(realpath(prefix) != realpath(".venv") and \
    all(map(find_spec, ("entanglement", "companion", "torch", "papermill"))))' 2>/dev/null)
ifeq ($(ACTIVE),True)
PYTHON := python3
else
PYTHON := .venv/bin/python
ENVIRONMENT := .venv/complete
endif
INSTALL := $(PYTHON) -m pip install --quiet --disable-pip-version-check -c lib/constraints.txt
# No make that a test starts is part of this one: it takes neither its jobs nor its variables.
PYTEST := env -u MAKEFLAGS -u MAKELEVEL $(PYTHON) -m pytest

# This tree's library, even if the environment was made for another copy; its own kernel too.
export PYTHONPATH := $(CURDIR)/lib
export JUPYTER_PREFER_ENV_PATH := 1
# Where the user typed the command, for paths given as parameters (`make -C` leaves PWD alone).
export TYPED_IN := $(value PWD)
# `make PINS= all` leaves each processor its own vector code (lib/companion/pins.py).
export PINS ?= yes

NOTEBOOKS := $(basename $(notdir $(wildcard notebooks/*.ipynb)))
# What figures depend on: the library but for the rooms that no notebook imports.
APART := bench binder gallery lab pages phase publish refresh run scratch sweep teeth verify
LIBRARY := $(filter-out $(APART:%=\%/%.py), \
    $(wildcard lib/companion/*.py lib/entanglement/*.py lib/entanglement/theory/*.py))

all: figures/claims.json build/claims.txt ## every figure and claims.json; reruns what changed
	@cat build/claims.txt

# build/rules.mk: for each notebook, one rule that makes its figures and claims: the PUBLISHED.
ifneq ($(filter-out $(filter-out all,$(TARGETS)),$(or $(MAKECMDGOALS),all)),)
include build/rules.mk
endif

build/rules.mk: notebooks $(NOTEBOOKS:%=notebooks/%.ipynb) lib/companion/publish.py | $(ENVIRONMENT)
	@mkdir -p build
	@$(PYTHON) -m companion.publish rules > $@.new
	@mv $@.new $@

figures/claims.json build/claims.txt &: $(PUBLISHED) build/rules.mk
	@$(PYTHON) -m companion.publish merge

# An interrupted make would delete these, though each is replaced whole or not at all.
.PRECIOUS: $(PUBLISHED) figures/claims.json build/claims.txt

test: $(ENVIRONMENT) ## library, pipeline and notebooks (rerun, compared with what is stored)
	@$(PYTEST)

quick: $(NOTEBOOKS:%=quick-%) ## every notebook at small sizes, into build/quick/
quick-%: $(ENVIRONMENT)
	@$(PYTHON) -m companion.run $* --quick

WHICH = $(or $(NB),$(error which notebook? make run NB=01 P="-p width 64"))
run: $(ENVIRONMENT) ## other parameters, into build/run/: make run NB=01 P="-p width 64 -p seed 7"
	@$(PYTHON) -m companion.run $(WHICH) $(P)

lab: $(ENVIRONMENT) ## JupyterLab
	@$(PYTHON) -m companion.lab

bench: $(ENVIRONMENT) ## what the library's shortcuts gain, into build/bench.json
	@$(PYTHON) -m entanglement.bench

sweep: $(ENVIRONMENT) ## the phase diagram, resumable: [SCHEDULER=tcp://127.0.0.1:8786] [RETRY=1]
	@$(PYTHON) -m entanglement.phase --jobs $(JOBS) $(SCHEDULER:%=--scheduler %) $(if $(RETRY),--retry)

verify: $(ENVIRONMENT) ## rerun all in a clean copy and compare it, line by line, with the stored
	@$(PYTHON) -m companion.verify

teeth: $(ENVIRONMENT) ## the smallest error that each recorded check would notice
	@$(PYTHON) -m companion.teeth

html: $(ENVIRONMENT) ## the stored notebooks as self-contained web pages, in build/html/
	@$(PYTHON) -m companion.pages

binder: $(ENVIRONMENT) ## badge and link for Binder, from where this clone came from
	@$(PYTHON) -m companion.binder

test-browser: html extras ## a reader's session in Chromium (Debian: apt-get install chromium)
	@$(PYTEST) -n 0 tests/browser.py

test-parameters: $(ENVIRONMENT) ## every parameter of every notebook at both ends of its range
	@$(PYTEST) --dist loadgroup tests/parameters.py

refresh: $(ENVIRONMENT) ## for authors: stored outputs, figures, generated tables: [NB=01]
	@$(PYTHON) -m companion.refresh $(NB)

extras: $(ENVIRONMENT) ## install what some tests skip without, and test-browser needs
	@$(PYTHON) -c 'from importlib.util import find_spec; \
	    assert all(map(find_spec, ("art", "distributed", "faiss", "playwright")))' 2>/dev/null || \
	$(INSTALL) -e "lib[extras]"

lint: $(ENVIRONMENT) ## style and spelling
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@$(PYTHON) -m codespell_lib

clean: ## remove build/ (the environment too: rm -rf .venv)
	rm -rf build

help: ## this list
	@echo "JOBS=1 runs one notebook at a time; by default one per processor core."
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | \
	while IFS='|' read -r name text; do printf '  make %-15s %s\n' "$$name" "$$text"; done

# torch's CPU build comes from PyTorch's own index, if that answers: elsewhere Linux gets the CUDA
# build, three times as large. The stamp comes last, so that what is half made is made again.
BROKEN := $(if $(shell .venv/bin/python -ISc 'print(1)' 2>/dev/null),,broken)
.venv/complete: lib/constraints.txt lib/pyproject.toml $(BROKEN)
	@for python in python3.13 python3.12 python3.11 python3; do \
	    $$python -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	    2>/dev/null && break; python=; done; \
	test -n "$$python" || { echo "Python 3.11, 3.12 or 3.13 with its venv is needed to make .venv," \
	    "and none was found; conda env create -f environment.yml brings one" >&2; exit 1; }; \
	echo "Making .venv with $$($$python --version) and pinned versions of everything, once:" \
	    "one to five minutes, 2 GB (6 GB if only the CUDA build of torch is found) ..."; \
	$$python -m venv --clear .venv
	@$(INSTALL) --no-deps --timeout 5 --retries 0 --index-url https://download.pytorch.org/whl/cpu \
	    torch 2>/dev/null || true
	@$(INSTALL) -e "lib[notebooks,test]"
	@touch $@
.PHONY: broken
