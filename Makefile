# Every command sets up what it needs: a virtual environment from the locked requirements, with Keydesk and its client in it.
.PHONY: install run demo test test-quick test-sqlite test-postgres test-browser check lint types bench wheel lock clean

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
export KEYDESK_DEV ?= 1

install: $(READY)

# The locks are complete, so pip resolves and builds nothing: what a registry publishes later changes no installation.
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

# The two databases are two runs, because tables are bound to one database per process; browser tests are a third,
# because Playwright's own event loop does not let others run beside it.
test: test-sqlite test-postgres test-browser

# Each worker has a database, and a PostgreSQL server, of its own. Files stay whole, because their tests share servers.
JOBS ?= auto
PARALLEL := $(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadfile --ignore=tests/browser

test-sqlite: install
	KEYDESK_TEST_DATABASE=sqlite $(PARALLEL)

test-postgres: install
	KEYDESK_TEST_DATABASE=postgres $(PARALLEL)

# What a change usually breaks, while it is being made: the product without other processes, on SQLite.
test-quick: install
	KEYDESK_TEST_DATABASE=sqlite $(PARALLEL) -m "not slow" $(addprefix --ignore=tests/,backups cli client faults house)

test-browser: install
	$(BIN)/python -m pytest tests/browser

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
	$(BIN)/python bench/beside
	$(BIN)/python bench/attack

# What production installs, beside requirements.txt.
wheel: install
	rm -rf dist
	$(BIN)/python -m hatchling build --target wheel

# Needs uv; the locks hold hashes and name no index. Production installs the first, development the second, which adds its tools.
COMPILE := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate
lock:
	$(COMPILE) --group dev --output-file requirements-dev.txt
	$(COMPILE) --constraint requirements-dev.txt --output-file requirements.txt

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
