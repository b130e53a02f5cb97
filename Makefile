# The README's commands. Each one sets up what it needs; the virtual environment is made once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo demo-two-stage serve test lint types bench reproduce clean

demo: $(VENV)/.demo
	$(BIN)/vitrina demo --out vitrina-demo

demo-two-stage: $(VENV)/.demo
	$(PIP) -e '.[demo,rank]'
	$(BIN)/vitrina demo --two-stage --out vitrina-demo

serve: $(VENV)/.demo
	$(PIP) -e '.[demo,serve]'
	$(BIN)/vitrina serve vitrina-demo/model

test: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile

lint: $(VENV)/.dev
	$(BIN)/ruff format --check src tests benchmarks examples
	$(BIN)/ruff check src tests benchmarks examples

types: $(VENV)/.dev
	$(BIN)/pyright

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks.speed
	$(BIN)/python -m benchmarks.plan

reproduce: $(VENV)/.dev
	$(BIN)/python -m benchmarks.quality

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[demo]'
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) vitrina-demo benchmarks/.cache
