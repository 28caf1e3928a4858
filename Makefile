# make demo: install into .venv and run the main job on the embedded microworld.   make test: the test suite.
# make bench: speed and memory against the usual way, into benchmarks/results; BENCH=token_losses make bench: one of them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
TESTABLE := $(VENV)/.testable

.PHONY: demo test test-all lint bench browser wheel clean

demo: $(INSTALLED)
	$(BIN)/concepttransfer awa-errors --encoder beit --encoder beit-random --encoder clip --encoder clip-random --limit 500 --out runs/demo

test: $(TESTABLE) browser
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

test-all: $(TESTABLE) browser
	$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --fail-on-skip

lint: $(TESTABLE)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(INSTALLED)
	$(BIN)/python -m benchmarks $(BENCH)

# The report is looked at in Chromium. Where there is none, root on Debian gets it; else those tests say why they skip.
browser:
	@for name in "$$CONCEPTTRANSFER_CHROMIUM" chromium chromium-browser google-chrome; do \
	  if [ -n "$$name" ] && command -v "$$name" >/dev/null; then exit 0; fi; \
	done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	    chromium fonts-dejavu-core fonts-liberation >/dev/null || echo "Chromium could not be installed."; \
	else echo "No Chromium: tests in a browser are skipped. On Debian: apt-get install chromium"; fi

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
