# `make demo` and `make test` set everything up themselves; they need Python 3.11+ and Go, nothing else.

SHELL := bash

PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$name; break; }; done)
VENV ?= .venv
BIN := $(abspath $(VENV))/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
INSTALLED := $(VENV)/.installed
DEVELOPED := $(VENV)/.developed
# Tests wait for clusters as often as they compute; more would need more memory.
WORKERS ?= 3
# Those whose controllers the tests run, those that take longest to build first.
COMPONENTS := yunikorn,coscheduling,capacity-scheduling,kueue,trainer,lws,appwrapper,jobset,volcano,kuberay,mpi-operator
# Another release of Kubernetes and another Kueue, with which some of the tests run.
EARLIER_KUBERNETES := v1.36.3
EARLIER := kueue=v0.15.0

# For how long `make fuzz` goes on, and the seed of its only round if one is given.
MINUTES ?= 10
SEED ?=

# The demo has a kubeconfig and data of its own, so a cluster or ~/.kube/config of yours is left alone.
DEMO := $(CURDIR)/.demo
DEMO_ENV := PATH="$(BIN):$$PATH" KUBECONFIG="$(DEMO)/kubeconfig" XDG_DATA_HOME="$(DEMO)/data"

.PHONY: help demo test check fuzz lint format generate versions matrix bench clean
.DELETE_ON_ERROR:

help: ## Say what there is
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | awk -F'\t' '{ printf "make %-8s %s\n", $$1, $$2 }'

demo: $(INSTALLED) ## Set up, start a cluster, create virtual GPU nodes, run a workflow on them, stop the cluster
	@mkdir -p "$(DEMO)"
	@export $(DEMO_ENV); PS4='$$ '; \
	set -e; trap '{ set +x; } 2>/dev/null; knavtool cluster down --name demo; rm -rf "$(DEMO)"' EXIT; set -x; \
	knavtool toolchain install; \
	knavtool cluster up --name demo; \
	knavtool nodes apply -f charts/virtual-nodes/values-example.yaml; \
	knavtool run workflows/quick-start.yml --cleanup --report report; \
	cat report/junit.xml

# Programs that only tests run may be missing: their tests are skipped then.
test: $(DEVELOPED) ## Set up and run every test, also those on a real control plane
	$(BIN)/knavtool toolchain install --with $(COMPONENTS)
	$(BIN)/knavtool toolchain install --kube-version $(EARLIER_KUBERNETES) --with $(EARLIER)
	-PYTHONPATH=tests $(BIN)/python -m support.programs
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup tests

# Each worker takes seconds to collect what there is: a third one costs more than it gives here.
check: lint ## Lint and run the tests that need no control plane and little time
	$(BIN)/pytest -q -n 2 -m "not cluster and not slow" tests/unit tests/golden tests/contract tests/fuzz

fuzz: $(DEVELOPED) ## Run made-up workflows with new seeds for MINUTES=10, or with one SEED
	@end=$$((SECONDS + 60 * $(MINUTES))); \
	while seed=$(or $(SEED),$$((RANDOM * 32768 + RANDOM))); do \
		echo "seed $$seed"; \
		KNAVTOOL_FUZZ=1 $(BIN)/pytest -q -n $(WORKERS) tests/fuzz --hypothesis-seed=$$seed || \
			{ echo "to see this again: make fuzz SEED=$$seed" >&2; exit 1; }; \
		if [ -n "$(SEED)" ] || [ $$SECONDS -ge $$end ]; then break; fi; \
	done

lint: $(DEVELOPED) ## Format, lint, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEVELOPED) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

generate: $(DEVELOPED) ## Write what is made from the code: the schema of workflows, rights and types of the chart, a table, the help
	COLUMNS=80 $(BIN)/python docs/generate.py

versions: $(DEVELOPED) ## Propose newer versions of components with their sums; TRY=NAME=VERSION asks for one
	$(BIN)/python docs/versions.py $(TRY)

matrix: $(DEVELOPED) ## Run the workflows of each component at each version, and write the table of docs/components.md
	$(BIN)/python docs/matrix.py $(ONLY:%=--only %)

bench: $(DEVELOPED) ## Measure against a bare loop in the same run; with BENCH=--quick only see that it works
	$(BIN)/knavtool toolchain install
	$(BIN)/python -m bench $(BENCH)

clean: ## Remove what the other targets made here; the cache of programs stays
	rm -rf $(VENV) .demo report reports dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .schemathesis

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or newer is needed; give it as PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): pyproject.toml $(VENV)/bin/python
	$(PIP) install --quiet -e .
	@touch $@

$(DEVELOPED): pyproject.toml $(VENV)/bin/python
	$(PIP) install --quiet -e '.[dev]'
	@touch $@ $(INSTALLED)
