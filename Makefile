# Each target makes its own virtual environment; nothing but Python and make is needed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: demo test lint types docs docs-write screenshots bench clean

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "llmstack needs Python 3.11 or newer; this is $$($(PYTHON) -V). Use: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "[*] installing into $(VENV)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --group dev --editable .
	@touch $@

demo: $(READY)
	@$(BIN)/llmstack demo $(ARGS)

test: $(READY)
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile $(ARGS)

lint: $(READY)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: $(READY)
	@$(BIN)/mypy

docs: $(READY)
	@$(BIN)/python tools/reference.py --check

docs-write: $(READY)
	@$(BIN)/python tools/reference.py

# The README's pictures, of a real run; it takes two minutes.
screenshots: $(READY)
	@$(BIN)/python tools/screenshots.py

bench: $(READY)
	@$(BIN)/python -m benchmarks.start
	@$(BIN)/python -m benchmarks.swap
	@$(BIN)/python -m benchmarks.relay $(ARGS)
	@$(BIN)/python -m benchmarks.context

clean:
	@rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .cache
