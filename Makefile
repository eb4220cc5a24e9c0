# Everything lives in .venv beside this file; uv is installed into it and does the rest.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python
TASK ?= sentiment
# Tests use one thread each; so many processes run them.
SIDE_BY_SIDE := -n auto --maxprocesses 8 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint types docs figures clean

help:
	@echo "make demo      set up what using a model needs, and run the demo of every task"
	@echo "make test      set up what training needs, and run lint, types and tests"
	@echo "make test-all  the same with the tests that take minutes"
	@echo "make lint      ruff, import-linter (layers, circles) and the word list alone"
	@echo "make docs      build the documentation site with its API reference, into site/"
	@echo "make figures TASK=sentiment   measure the published figures, into docs/figures.json"
	@echo "make clean     remove the environment and caches"

$(VENV)/uv:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@touch $@

# Each level of the environment is a file that is newer than what it was made from.
$(VENV)/base: $(VENV)/uv pyproject.toml setup.py
	$(UV) -e .
	@touch $@

$(VENV)/full: $(VENV)/base constraints.txt
	$(UV) -c constraints.txt -e '.[train,test,dev]'
	@touch $@

demo: $(VENV)/base
	$(BIN)/suite demo

lint: $(VENV)/full
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PYTHONPATH=plugins $(BIN)/lint-imports --no-cache
	$(BIN)/python tests/lint/words.py

types: $(VENV)/full
	$(BIN)/mypy

test: lint types
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not slow"

test-all: lint types
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)

# The site's dependencies are its own: it needs neither torch nor the tests.
docs: $(VENV)/base
	$(UV) -c constraints.txt -e '.[docs]'
	$(BIN)/python docs/api.py
	$(BIN)/zensical build --clean

figures: $(VENV)/full
	$(BIN)/python tests/benchmarks/figures.py $(TASK)

clean:
	rm -rf $(VENV) build dist site docs/api *.egg-info .mypy_cache .ruff_cache .pytest_cache
