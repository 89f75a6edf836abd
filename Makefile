# make demo         set up, then evaluate the synthetic corpora with the weight-free baseline
# make check        format, lint, types, imports, unit tests without torch (under 90 s)
# make test         the same with all tests but the long trials (under 10 minutes)
# make test-slow    long fault and load trials, by hand
# make bench        benchmarks, by hand

VENV := .venv
PYTHON := $(VENV)/bin/python
REQUIREMENTS := pyproject.toml requirements-dev.txt requirements-plugins.txt \
	$(wildcard plugins/*/*/pyproject.toml)
# The environment is built again when one of its requirement files has changed.
KEY := $(shell cat $(REQUIREMENTS) | sha256sum | cut -c1-16)
INSTALLED := $(VENV)/.installed-$(KEY)

export HF_HUB_OFFLINE ?= 1
export PYTHONHASHSEED ?= 0

# One process per core with one thread; the tests of a file run in the same process.
PYTEST := OMP_NUM_THREADS=1 $(PYTHON) -m pytest -q -n 2 --dist loadfile

.PHONY: demo install lint check test test-slow bench clean

demo: $(INSTALLED)
	$(VENV)/bin/sercore run --all --demo

install: $(INSTALLED)

$(INSTALLED):
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --disable-pip-version-check -q hatchling editables
	$(PYTHON) -m pip install --disable-pip-version-check -q --no-build-isolation \
		-r requirements-dev.txt
	rm -f $(VENV)/.installed-*
	touch $@

lint: $(INSTALLED)
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/lint-imports --config .importlinter-light.toml

check: lint
	$(PYTEST) -m "not torch and not slow"

test: lint
	$(PYTEST) -m "not slow"

test-slow: $(INSTALLED)
	$(PYTHON) -m pytest -q -m slow -s

bench: $(INSTALLED)
	$(PYTHON) -m benchmarks

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
