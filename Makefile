# Each target makes the environment it needs: nothing to install first but Python (3.11 to 3.13).
#   make demo            a few thousand galaxies with and without emission lines, pictures in demo/
#   make test            format, lint, types, direction of imports, tests, documentation
#   make bench           the numbers that the documentation quotes
#   make bench-train     the models that `make bench` scores and that take hours to train, in runs/
#   make docs            the documentation, in site/
#   make lint            the first four of `make test`
#   make test-extras     environments with the core alone and with each extra alone, and commands in each
#   make test-extras EXTRAS="core sed"
#   make test PYTHON=python3.13 VENV=.venv-3.13
#   make test TESTS="tests/training -x"      a part of the tests

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.nebulium-installed
PIP := $(VENV)/.pip-25.1
# Of an environment that has at least what the demonstration needs.
DEMO_STAMP := $(VENV)/.nebulium-demo
TESTS ?=
EXTRAS ?= core sed mock photoz explore bench
# Two processes: most of a test's time is compilation, which uses one core.
WORKERS ?= 2

# The theme advertises its successor at each build.
export NO_MKDOCS_2_WARNING := 1
# The tests start a hundred processes: modules are compiled to files once, wherever that is switched off.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-extras bench bench-train docs quiet-docs lint clean
.DEFAULT_GOAL := test

demo: $(DEMO_STAMP)
	$(BIN)/nebulium demo --output demo

# Types and documentation take one core each, so they are checked side by side. How the tests are dealt out:
# see conftest.py.
test: $(STAMP)
	$(MAKE) --jobs 2 --output-sync lint quiet-docs
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)

test-extras: $(PIP)
	$(BIN)/python benchmarks/house/extras.py $(EXTRAS)

bench: $(STAMP)
	$(BIN)/python -m benchmarks

bench-train: $(STAMP)
	$(BIN)/python -m benchmarks.photoz.runs

docs: $(STAMP)
	$(BIN)/mkdocs build --strict

quiet-docs: $(STAMP)
	$(BIN)/mkdocs build --strict --quiet

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# pip reads dependency groups from 25.1 on. A stamp is written last, so that an interrupted installation is
# taken up again. Modules are compiled when they are first imported: most of these never are.
$(PIP):
	@echo "making an environment in $(VENV)"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	touch $@

$(STAMP): pyproject.toml | $(PIP)
	@echo "installing nebulium with all extras, and what tests and documentation need: 2.2 GB, some minutes"
	$(BIN)/python -m pip install --quiet --no-compile --editable '.[sed,mock,photoz,explore,bench]' --group test --group lint --group docs
	touch $@ $(DEMO_STAMP)

$(DEMO_STAMP): pyproject.toml | $(PIP)
	@echo "installing nebulium and what the demonstration needs: 1 GB, one to three minutes"
	$(BIN)/python -m pip install --progress-bar off --editable '.[sed]'
	touch $@

clean:
	rm -rf $(VENV) site demo build dist .jax_cache
