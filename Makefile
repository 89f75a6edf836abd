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

.DEFAULT_GOAL := demo
.PHONY: help demo install lint check test test-slow test-light bench docs dist version changelog constraints clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(INSTALLED)  ## set up, then evaluate the synthetic corpora with the weight-free baseline
	$(VENV)/bin/sercore run --all --demo

install: $(INSTALLED)  ## create .venv with the core, every plugin and what development needs

$(INSTALLED):
	python3 -m venv $(VENV)
	$(PYTHON) -m pip install --disable-pip-version-check -q hatchling editables
	$(PYTHON) -m pip install --disable-pip-version-check -q --no-build-isolation \
		-r requirements-dev.txt
	rm -f $(VENV)/.installed-*
	touch $@

lint: $(INSTALLED)  ## format, lint, types, imports
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/lint-imports --config .importlinter-light.toml

check: lint  ## lint, and unit tests without torch (under 90 s)
	$(PYTEST) -m "not torch and not slow"

test: lint  ## lint, and all tests but the long trials (under 10 minutes)
	$(PYTEST) -m "not slow"

test-slow: $(INSTALLED)  ## long trials of faults and load, by hand
	$(PYTHON) -m pytest -q -m slow -s

# Another interpreter without torch; LOWEST=--lowest pins the lowest versions that are allowed. Old
# libraries warn about each other.
PYTHON3 ?= python3
LIGHT := .venv-light

test-light:  ## tests without torch, with another Python: make test-light PYTHON3=python3.13
	$(PYTHON3) -m venv --clear $(LIGHT)
	$(LIGHT)/bin/python -m scripts.light_requirements $(LOWEST) > $(LIGHT)/requirements.txt
	$(LIGHT)/bin/pip install --disable-pip-version-check -q -r $(LIGHT)/requirements.txt
	$(LIGHT)/bin/pip install --disable-pip-version-check -q --no-deps --no-build-isolation \
		-e . -r requirements-plugins.txt
	OMP_NUM_THREADS=1 $(LIGHT)/bin/python -m pytest -q -m "not torch and not slow" \
		$(if $(LOWEST),-W default::DeprecationWarning)

bench: $(INSTALLED)  ## benchmarks, by hand
	$(PYTHON) -m benchmarks

docs: $(INSTALLED)  ## build the documentation site into build/docs/site; warnings are errors
	$(PYTHON) -m scripts.docs_pages
	$(VENV)/bin/zensical build --strict --clean -f build/docs/zensical.toml

dist: $(INSTALLED)  ## build every wheel and sdist into dist, and check them
	$(PYTHON) -m scripts.build_distributions

version: $(INSTALLED)  ## set the version of every distribution: make version VERSION=0.2.0
	$(PYTHON) -m scripts.set_version $(VERSION)

changelog: $(INSTALLED)  ## print the changes since the last release
	@$(PYTHON) -m scripts.changelog

constraints: $(INSTALLED)  ## write the versions of .venv to constraints.txt, after make test passed
	$(PYTHON) -m pip freeze --exclude-editable --disable-pip-version-check > constraints.txt

clean:  ## remove .venv, dist, the site and caches
	rm -rf $(VENV) $(LIGHT) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
