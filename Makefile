# The one way from a notebook to a figure. `make help` lists the targets.
ifeq ($(filter grouped-target,$(.FEATURES)),)
$(error GNU make 4.3 or newer is needed and this is $(MAKE_VERSION); on macOS: `brew install make`, then `gmake`)
endif

TARGETS := all test quick run lab bench sweep verify html test-browser refresh lint clean help
.PHONY: $(TARGETS)
.DEFAULT_GOAL := all

# As many as there are processors; a hub such as Binder lends fewer than the machine has, and says so.
JOBS := $(if $(CPU_LIMIT),$(or $(filter-out 0,$(basename $(CPU_LIMIT))),1),$(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN))
export PYTEST_XDIST_AUTO_NUM_WORKERS := $(JOBS)
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS)
endif

# The Python that is active if it has everything (Binder, conda); else .venv, made by the rule below.
ACTIVE := $(shell python3 -E -c 'import sys; from importlib.util import find_spec; \
    print(sys.prefix != "$(CURDIR)/.venv" and all(map(find_spec, ("entanglement", "torch", "papermill"))))' 2>/dev/null)
ifeq ($(ACTIVE),True)
PYTHON := python3
else
PYTHON := .venv/bin/python
ENVIRONMENT := .venv/complete
endif

# This tree's library, even if the environment was made for another copy; this environment's kernel, even if the user has one.
export PYTHONPATH := $(CURDIR)/lib
export JUPYTER_PREFER_ENV_PATH := 1
# Where the user typed the command, for paths given as parameters (`make -C` changes the working directory, not PWD).
export TYPED_IN := $(PWD)
PIPELINE := $(PYTHON) -m companion.run

NOTEBOOKS := $(basename $(notdir $(wildcard notebooks/*.ipynb)))
# What figures depend on: all of the library but the rooms that no notebook imports.
LIBRARY := $(filter-out $(addprefix %/,bench.py pages.py phase.py run.py refresh.py scratch.py sweep.py verify.py), \
    $(wildcard lib/companion/*.py lib/entanglement/*.py lib/entanglement/theory/*.py))

all: figures/claims.json build/claims.txt ## every figure and claims.json, from the notebooks; reruns only what changed (default)
	@cat build/claims.txt

# build/rules.mk: for each notebook, one rule that makes its figures and claims, listed in PUBLISHED.
ifneq ($(filter-out $(filter-out all,$(TARGETS)),$(or $(MAKECMDGOALS),all)),)
include build/rules.mk
endif

build/rules.mk: notebooks $(NOTEBOOKS:%=notebooks/%.ipynb) lib/companion/run.py | $(ENVIRONMENT)
	@mkdir -p build
	@$(PIPELINE) rules > $@.new
	@mv $@.new $@

figures/claims.json build/claims.txt &: $(PUBLISHED) build/rules.mk
	@$(PIPELINE) merge

# An interrupted make would delete these, though each is replaced whole or not at all.
.PRECIOUS: $(PUBLISHED) figures/claims.json build/claims.txt

test: $(ENVIRONMENT) ## the tests of library, notebooks (rerun and compared with their stored outputs) and pipeline
	@$(PYTHON) -m pytest

quick: $(NOTEBOOKS:%=quick-%) ## every notebook at small sizes, into build/quick/
quick-%: $(ENVIRONMENT)
	@$(PIPELINE) run $* --quick

run: $(ENVIRONMENT) ## one notebook with other parameters, into build/run/: make run NB=01 P="-p width 64 -p seed 7"
	@$(PIPELINE) run $(or $(NB),$(error which notebook? make run NB=01 P="-p width 64")) $(P)

lab: $(ENVIRONMENT) ## JupyterLab in notebooks/
	@$(PYTHON) -m jupyterlab --ServerApp.root_dir=notebooks

bench: $(ENVIRONMENT) ## what the library's shortcuts gain, into build/bench.json and build/bench.png
	@$(PYTHON) -m entanglement.bench

sweep: $(ENVIRONMENT) ## the phase diagram at full size, resumable: make sweep [SCHEDULER=tcp://127.0.0.1:8786] [RETRY=1]
	@$(PYTHON) -m entanglement.phase --jobs $(JOBS) $(if $(SCHEDULER),--scheduler $(SCHEDULER)) $(if $(RETRY),--retry)

verify: $(ENVIRONMENT) ## rerun everything in a clean copy and compare it, line by line, with what is stored
	@$(PYTHON) -m companion.verify

html: $(ENVIRONMENT) ## the stored notebooks as self-contained web pages, in build/html/
	@$(PYTHON) -m companion.pages

test-browser: html ## a reader's session in headless Chromium (Debian: apt-get install chromium)
	@$(PYTHON) -c 'import playwright' 2>/dev/null || $(PYTHON) -m pip install --quiet --disable-pip-version-check -c lib/constraints.txt playwright
	@$(PYTHON) -m pytest -n 0 tests/browser.py

refresh: $(NOTEBOOKS:%=refresh-%) ## for authors: rewrite the stored outputs of the notebooks, the figures and README's tables
	@$(MAKE) --no-print-directory all
	@$(PYTHON) -m companion.refresh
refresh-%: $(ENVIRONMENT)
	@$(PYTHON) -m companion.refresh $*

lint: $(ENVIRONMENT) ## style and spelling
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@$(PYTHON) -m codespell_lib

clean: ## remove build/ (the environment too: rm -rf .venv)
	rm -rf build

help: ## this list
	@echo "JOBS=1 runs one notebook at a time; by default one per processor core."
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do printf '  make %-13s %s\n' "$$name" "$$text"; done

# The stamp comes last, so that a half-made environment is made again from scratch; a broken one too.
.venv/complete: lib/constraints.txt lib/pyproject.toml $(if $(shell .venv/bin/python -I -S -c 'print(1)' 2>/dev/null),,broken)
	@for python in python3.11 python3; do \
	    $$python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && break; python=; done; \
	test -n "$$python" || { echo "Python 3.11 is needed to make .venv and was not found; conda env create -f environment.yml brings it" >&2; exit 1; }; \
	echo "Making .venv with pinned versions of everything, once: one to five minutes, up to 3 GB ..."; \
	$$python -m venv --clear .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -c lib/constraints.txt -e "lib[notebooks,test]"
	@touch $@
.PHONY: broken
