# The two commands of the README: `make run` and `make test`. `make install` is the set-up alone.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
FLOOR  := build/boto3-floor

.PHONY: install run test lint lock clean

install: $(VENV)/.installed

$(VENV)/.installed: requirements/dev.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with: make install PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

run: install
	$(BIN)/heaven-images serve

# The oldest supported boto3, beside the current one, for the second run of the store contract.
$(FLOOR)/.installed: requirements/boto3-floor.lock | install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $(FLOOR) --require-hashes -r requirements/boto3-floor.lock
	touch $@

test: install $(FLOOR)/.installed
	PYTHONPATH=$(FLOOR) $(BIN)/python -m pytest -q -m "store_contract and not soak" --override-ini filterwarnings=default
	$(BIN)/python -m pytest -q -m "not soak"

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Regenerates every lock. requirements.txt is for installations that pin the boto3 of the specification.
lock: install
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes --no-emit-index-url --group dev pyproject.toml --custom-compile-command "make lock" -o requirements/dev.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --no-annotate --no-emit-index-url pyproject.toml --constraint requirements/boto3-floor.in --custom-compile-command "make lock" -o requirements.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes --no-emit-index-url requirements/boto3-floor.in --custom-compile-command "make lock" -o requirements/boto3-floor.lock

clean:
	rm -rf $(VENV) build
