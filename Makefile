# Everything a contributor runs. `make` alone lists the targets.
# Needs Python >= 3.11, make and git; nothing is written outside this folder.

PYTHON ?= python3
ARGS ?=
PY := .venv/bin/python
INSTALLED := .venv/.installed

# pip keeps its downloads beside the environment instead of in the home folder.
export PIP_CACHE_DIR ?= $(CURDIR)/.cache/pip
export PIP_DISABLE_PIP_VERSION_CHECK ?= 1

.DEFAULT_GOAL := help
.PHONY: help install install-spark demo test test-slow test-spark test-api test-lowest test-newest site wheel check lint types imports docs format bench bench-faults bench-guard bench-trust lock clean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) \
		| while IFS='|' read -r name text; do printf '  make %-13s %s\n' "$$name" "$$text"; done

install: $(INSTALLED) ## make .venv and install the locked dependencies into it

install-spark: $(INSTALLED) ## add Spark to it, half a gigabyte, for the tests that skip without
	$(PY) -m pip install --quiet --no-deps --require-hashes -r requirements-spark.lock

demo: $(INSTALLED) ## set up the demo project here and run its checks
	.venv/bin/monitor demo .

test: $(INSTALLED) ## run the tests (ARGS="-k drift" is passed on to pytest)
	$(PY) -m pytest $(ARGS)

test-slow: $(INSTALLED) ## run the tests marked slow, which `make test` leaves out
	$(PY) -m pytest -m slow $(ARGS)

test-spark: install-spark ## run the tests of Spark on a cluster of several processes (needs Java 17)
	$(PY) -m pytest tests/test_spark_source.py -rs $(ARGS)

# schemathesis brings some thirty packages and pins of its own: it has an environment of its own.
test-api: $(INSTALLED) ## ask a running service for all that its document allows (ten minutes)
	PYTHON=$(PYTHON) sh tests/schemathesis.sh

# The bounds in pyproject.toml are promises: the oldest and the newest of what they allow is tried.
# Each resolution lives in an environment of its own and needs the network.
test-lowest: ## try the oldest dependencies that pyproject.toml allows
	PYTHON=$(PYTHON) sh tests/resolutions.sh lowest-direct

test-newest: ## try the newest ones, beyond the lock
	PYTHON=$(PYTHON) sh tests/resolutions.sh highest

wheel: $(INSTALLED) ## build wheel and sdist into dist/
	rm -rf dist
	$(PY) -m hatchling build

# Pages of docs/ as a site. What builds it is no dependency of the project.
site: ## build the documentation into .cache/site/
	@test -x .cache/site-env/bin/mkdocs || { $(PYTHON) -m venv .cache/site-env \
		&& .cache/site-env/bin/python -m pip install --quiet 'mkdocs>=1.6,<2'; }
	.cache/site-env/bin/mkdocs build --strict --quiet --config-file docs/site/mkdocs.yml
	@echo 'open .cache/site/index.html'

check: lint types imports docs ## prove the tree: the four checks below

lint: $(INSTALLED) ## ruff: mistakes, style, formatting
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(INSTALLED) ## mypy, strict, of the package, the tests and the benchmarks (not of the peers)
	$(PY) -m mypy

imports: $(INSTALLED) ## the import law
	.venv/bin/lint-imports --cache-dir .cache/import-linter

docs: $(INSTALLED) ## run the examples in the docstrings
	$(PY) -m pytest --doctest-modules --ignore-glob='*/migrations/*' monitor

format: $(INSTALLED) ## let ruff reformat and mend what it can
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: $(INSTALLED) ## measure speed and memory, write docs/performance.md (ARGS="--peers": the peers, too)
	$(PY) -m benchmarks $(ARGS)

bench-guard: $(INSTALLED) ## is compare still as fast beside the floor as it was? (ten seconds)
	$(PY) -m benchmarks.guard $(ARGS)

bench-trust: $(INSTALLED) ## measure false alarms and power, write docs/trust.md (an hour and a half)
	$(PY) -m benchmarks.trust $(ARGS)

bench-faults: $(INSTALLED) ## break the service, time its pages at size, write docs/reliability.md (an hour)
	$(PY) -m benchmarks.faults $(ARGS)

# uv resolves for every platform at once, which pip cannot. It lives in an
# environment of its own and writes no address of an index into the lock.
lock: ## resolve the dependencies again and rewrite the locks: of this folder, of Spark, of the image
	$(PYTHON) -m venv .cache/lock
	.cache/lock/bin/python -m pip install --quiet uv
	.cache/lock/bin/uv pip compile --upgrade --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links \
		--cache-dir .cache/uv --custom-compile-command "make lock" \
		--extra dev --quiet --output-file requirements.lock pyproject.toml
	$(PYTHON) -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
		print(*p["optional-dependencies"]["spark"], sep="\n")' \
		| .cache/lock/bin/uv pip compile --upgrade --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links \
		--cache-dir .cache/uv --custom-compile-command "make lock" \
		--constraint requirements.lock --quiet --output-file requirements-spark.lock -
	cp requirements.lock requirements-image.lock # its pins are kept wherever the extras allow it
	.cache/lock/bin/uv pip compile --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-emit-find-links \
		--cache-dir .cache/uv --custom-compile-command "make lock" \
		--extra azure --extra gcs --extra otel --extra postgres --extra s3 \
		--quiet --output-file requirements-image.lock pyproject.toml deploy/image.in

clean: ## remove the environment and every cache
	rm -rf .venv .cache build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The lock names every package, so pip has nothing to resolve (--no-deps); older
# pips otherwise refuse a locked package that another one asks for with an extra. Python
# compiles the modules that it imports; most of the 27 000 it never does (--no-compile).
$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'Drift Monitor needs Python 3.11 or newer, and "$(PYTHON)" is not. Name another: make PYTHON=python3.12 ...' >&2; \
		exit 1; }
	@$(PY) -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| $(PYTHON) -m venv --clear .venv
	$(PY) -m pip install --quiet --no-compile --no-deps --require-hashes -r requirements.lock
	$(PY) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
