# make demo: install into .venv and run the main job on the embedded microworld.   make test: the test suite.
# make bench: speed and memory against the usual way, into benchmarks/results; BENCH=token_losses make bench: one of them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
TESTABLE := $(VENV)/.testable

.PHONY: demo test test-all lint bench wheel clean

demo: $(INSTALLED)
	$(BIN)/concepttransfer awa-errors --encoder beit --encoder beit-random --encoder clip --encoder clip-random --limit 500 --out runs/demo

test: $(TESTABLE)
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

test-all: $(TESTABLE)
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --fail-on-skip

lint: $(TESTABLE)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks $(BENCH)

wheel: $(TESTABLE)
	$(BIN)/python -m build --wheel

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(INSTALLED): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(TESTABLE): pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test]"
	touch $@ $(INSTALLED)

clean:
	rm -rf $(VENV) build dist *.egg-info runs
