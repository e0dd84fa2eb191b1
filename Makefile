# Weighlock. `make` alone prints this help.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CUSTOMERS ?= 250
SEED ?= 1
MINUTES ?= 10

.DEFAULT_GOAL := help
.PHONY: help demo test chaos check lock clean

help: ## print this help
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'
	@echo '  demo takes CUSTOMERS=311 SEED=7, chaos takes MINUTES=10 SEED=7'

demo: $(READY) ## start everything on this machine, sync two sandboxes, edit, compare
	@$(BIN)/weighlock demo --customers $(CUSTOMERS) --seed $(SEED)

test: $(READY) ## run every test on a real Kafka
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

chaos: $(READY) ## kills, zombies and every fault under load, then the account (docs/reliability.md)
	@$(BIN)/python -m tests.chaos.campaign --minutes $(MINUTES) --seed $(SEED)

check: $(READY) ## ruff, strict types, the floors, the lock
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python .ci/check_lock.py

lock: $(READY) ## resolve requirements.lock again from pyproject.toml
	$(BIN)/python .ci/check_lock.py --write

clean: ## remove what make made (the stack's data in .weighlock/ stays)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else "Weighlock needs Python 3.11 to 3.13, this is %d.%d: name another one with PYTHON=python3.12" % v[:2])'
	@$(PYTHON) -m venv $(VENV)
	@echo 'installing the locked packages into $(VENV), once'
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --no-index -e .
	@touch $(READY)
