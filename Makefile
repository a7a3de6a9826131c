PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

.PHONY: check demo env lint mutants reference test
.DELETE_ON_ERROR:

demo: env
	$(BIN)/python run_lra.py --task listops --attn linear linear+gfsa --protocol quick

env: .venv/installed

# Hours: what is on record stays, what was interrupted goes on, and others have the machine first.
reference: env
	nice -n 19 $(BIN)/python run_lra.py --grid results/reference/campaign.toml --results results/reference/campaign

# What is fast to know before a commit; what is marked slow waits for `make test`.
check: lint
	$(PYTEST) -m 'not slow and not parity'

# Most of the suite's time goes into processes that import torch: two at a time, a thread each.
test: lint .venv/parity/installed
	$(PYTEST) -rs
	PYTHONPATH=.venv/parity $(BIN)/python -m pytest -m parity tests/attention_zoo tests/gfsa tests/test_benchmarks.py

# Whether the tests notice wrong lines.
mutants: .venv/installed-test
	OMP_NUM_THREADS=2 $(BIN)/python -m tests.mutate

lint: .venv/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.venv/installed: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[report]'
	@touch $@

.venv/installed-test: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@ .venv/installed

.venv/parity/installed: .venv/installed-test tests/parity.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target .venv/parity -r tests/parity.txt
	@touch $@

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or newer is needed and was not found; install it or set PYTHON=" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "make: $(PYTHON) lacks venv or pip; install them (Debian: apt install python3-venv python3-pip)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
