# Every target first creates what it needs: a virtual environment from the locked requirements, with Keydesk and its client.
.PHONY: install run demo test test-quick test-sqlite test-postgres test-browser check lint types bench contract screenshots wheel lock clean

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
export KEYDESK_DEV ?= 1

install: $(READY)

# The locks are complete, so pip resolves and builds nothing: later releases of packages do not change an installation.
LOCKED := --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes
$(READY): requirements-dev.txt pyproject.toml client/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Keydesk needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) -V`. Try: make PYTHON=python3.12 install"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python cannot make virtual environments here. On Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install $(LOCKED) -r requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e client
	$(BIN)/pip check --disable-pip-version-check
	@touch $@

run: install
	exec $(BIN)/keydesk serve

demo: install
	$(BIN)/keydesk demo
	exec $(BIN)/keydesk serve

# The two databases need two runs, because tables are bound to one database per process. Browser tests are a third run,
# because Playwright's event loop excludes others in its process.
test: test-sqlite test-postgres test-browser

# Each worker has its own database and PostgreSQL server. One worker runs all tests of a file, because they share servers; the
# order is that of tests/conftest.py, long files first, so that no worker waits for the other at the end.
JOBS ?= auto
PARALLEL := $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder --ignore=tests/browser

test-sqlite: install
	KEYDESK_TEST_DATABASE=sqlite $(PARALLEL)

test-postgres: install
	KEYDESK_TEST_DATABASE=postgres $(PARALLEL)

# A subset for use during development, under a minute: unit and API tests on SQLite. CONTRIBUTING.md says what it leaves out.
QUICK_WITHOUT := backups cli client database demo faults house web
test-quick: install
	KEYDESK_TEST_DATABASE=sqlite $(PARALLEL) -m "not slow" $(addprefix --ignore=tests/,$(QUICK_WITHOUT))

# Each browser test has a node and a database of its own, so workers share the tests and not the files.
test-browser: install
	$(BIN)/python -m pytest --numprocesses $(JOBS) --dist worksteal tests/browser

lint: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache

types: install
	$(BIN)/mypy

check: lint types test

bench: install
	$(BIN)/python bench/verify
	$(BIN)/python bench/graphql
	$(BIN)/python bench/mixed_load
	$(BIN)/python bench/attack
	$(BIN)/python bench/anomalies
	$(BIN)/python bench/scan
	$(BIN)/python bench/usage_import
	$(BIN)/python bench/pages --days 90
	$(BIN)/python bench/start
	$(BIN)/python bench/memory

# The pictures of the README and of docs/, from the demo. Needs Chromium.
screenshots: install
	$(BIN)/python -m tests.browser.screenshots

# What clients rely on, written from the code; the tests compare. A release copies schema.graphql to graphql/history/DATE.graphql.
contract: install
	$(BIN)/keydesk schema > graphql/schema.graphql
	$(BIN)/keydesk schema --changelog > graphql/CHANGELOG.md
	$(BIN)/keydesk openapi > docs/openapi.json

# Production installs this wheel and requirements.txt.
wheel: install
	rm -rf dist
	$(BIN)/python -m hatchling build --target wheel

# Needs uv. The locks contain hashes and name no index. Production installs requirements.txt; requirements-dev.txt adds the tools.
COMPILE := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate
lock:
	$(COMPILE) --group dev --output-file requirements-dev.txt
	$(COMPILE) --constraint requirements-dev.txt --output-file requirements.txt

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
