# Thin on purpose: each target is one line of real work, and `make test` is all that a fresh clone needs.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: test check demo bench soak mutants setup clean

test: check
	$(BIN)/pytest -n 2 --dist worksteal

check: setup
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

demo: setup
	$(BIN)/python examples/demo.py

bench: setup
	$(BIN)/pip install --quiet -e '.[bench]'
	$(BIN)/python benchmarks/run.py
	$(BIN)/python -m benchmarks.reservations --programs 60 --plot benchmarks/reservations.png

soak: setup
	$(BIN)/python -m tests.soak
	$(BIN)/python -m tests.soak --strained --programs 2000
	$(BIN)/python -m benchmarks.contract --log tests/soak.log

mutants: setup
	$(BIN)/python -m tests.mutants

# pip compiles what it installs, but for what is installed editable; where Python may not write, each start would compile it anew.
setup: $(READY)
	@$(BIN)/python -m compileall -q runsurge_dask proto-free plugins dashboards

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'RunSurge needs Python 3.11 or newer: install one and name it, say `make setup PYTHON=python3.12`.'; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(INSTALL_VENV)
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -e '.[test,pandas]'
	@touch $@

# Debian keeps `venv` in a package of its own, and only root can install it.
define INSTALL_VENV
{ test "$$(id -u)" = 0 && { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y python3-venv; }; } \
	|| { echo 'This Python lacks venv: run `apt-get install python3-venv` as root (on Debian), then make again.'; exit 1; }
endef

clean:
	rm -rf .venv build dist .*_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
