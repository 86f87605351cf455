# One vocabulary of commands for a laptop, a hook and a build server. `make` alone lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
UV := uv==0.13.9

# Each Python has an environment of its own: `make test PYTHON=python3.13` leaves .venv as it is.
VENV := .venv$(if $(filter-out python3,$(PYTHON)),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
READY := $(VENV)/.ready
NODE := .node/.ready
EMULATORS := tests/emulators
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

export PYTHONPATH := $(CURDIR)/include$(if $(PYTHONPATH),:$(PYTHONPATH))
# Some machines forbid compiled modules. Kept beside the installed ones, they are made as they are first imported, which
# costs seconds; compiling all 42,000 modules of the lock beforehand costs a minute, and doing without costs each start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list these commands
	@grep -hE '^[a-z0-9]+:.* ## ' $(MAKEFILE_LIST) | awk -F ':.* ## ' '{printf "make %-8s %s\n", $$1, $$2}'

.PHONY: run
run: $(READY) ## retrain and release once on a real Airflow, then show what is live; FORCE=1 trains although nothing is new, FULL=1 shows each task and check, SPEC=file.yaml runs another model
	@$(BIN)/python -m scripts.run $(if $(SPEC),--spec $(SPEC)) $(if $(filter-out 0,$(FORCE)),--force) $(if $(filter-out 0,$(FULL)),--full)

.PHONY: up
up: $(READY) ## a standing Airflow with its UI, until Ctrl-C; PORT=8080 chooses its port
	@$(BIN)/python -m scripts.up $(if $(PORT),--port $(PORT))

PYTEST := $(BIN)/pytest --numprocesses=logical --maxprocesses=4 --dist=loadfile --no-loadscope-reorder

.PHONY: unit
unit: $(READY) ## the tests of single modules, in seconds
	@$(PYTEST) tests/unit $(ARGS)

# One more process than processors: those that start a real Airflow mostly wait, and cost more the longer they stand.
.PHONY: test
test: $(READY) debian azurite ## every test; ARGS="-k gate" for some
	@$(PYTEST) --numprocesses=$$(($$(getconf _NPROCESSORS_ONLN) + 1)) $(ARGS)

# What docs/reliability.md counts. The same seeds each time; what runs side by side differs from run to run.
PROOFS := tests/proofs tests/schedules tests/unit/test_doctor.py tests/unit/test_bounds.py tests/unit/test_layout.py \
	tests/unit/test_uris.py tests/unit/test_onnx_bytes.py tests/unit/test_signing.py tests/component/test_client_folder.py \
	tests/component/test_loading.py tests/component/test_serving_protocols.py

.PHONY: proofs
proofs: $(READY) debian azurite ## the table of docs/reliability.md: killed, stopped, raced, damaged, abused; ARGS=tests/proofs/test_folder.py for some rows
	@MODEL_RELEASE_PROOFS=all $(PYTEST) --quiet --hypothesis-seed=0 $(or $(ARGS),$(PROOFS))

.PHONY: e2e
e2e: $(READY) debian azurite ## docker-compose.yaml as a team runs it, with what dies at night; needs root
	@$(BIN)/pytest tests/e2e/test_team.py $(ARGS)

.PHONY: azurite
azurite:
	@$(MAKE) --no-print-directory $(NODE) || \
		echo "the tests of Azure's store will fail without Azurite; once npm works: make azurite" >&2

# What tests start and Python's and npm's packages do not bring. Debian starts what it installs; the tests start servers of
# their own and want none of those.
.PHONY: debian
debian:
	@packages=$$(PATH="$$PATH:/usr/sbin:/sbin"; sed '/^#/d; /^$$/d' tests/programs.txt | while read -r program package; do \
		command -v $$program >/dev/null || echo "$$package"; done | sort -u | tr '\n' ' '); \
	if [ -n "$$packages" ]; then \
		echo "installing Debian's $$packages"; \
		{ apt-get -qq update && mkdir -p /etc/postgresql-common && \
		echo "create_main_cluster = false" >> /etc/postgresql-common/createcluster.conf && \
		RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -qq install -y $$packages >/dev/null; } || \
		echo "some tests will fail without these packages: apt-get install $$packages" >&2; fi

.PHONY: lint
lint: $(READY) ## style, types, imports between rooms, dependencies
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/deptry include/model_release include/mlruns_mirror

.PHONY: lock
lock: $(BIN)/uv ## recompile requirements*.txt from requirements*.in; UPGRADE=1 takes newer versions
	@$(COMPILE) requirements.in -o requirements.txt
	@$(COMPILE) requirements-dev.in -c requirements.txt -o requirements-dev.txt
	@$(BIN)/python -m scripts.licences

.PHONY: bench
bench: $(READY) azurite ## the tables of benchmarks/; BENCH=stores ARGS="--store s3" for one, or part of it; see benchmarks/README.md
	@for each in $(or $(BENCH),stores dag_parse growth pull page nightly airflow); do \
		case $$each in airflow) $(BIN)/python -m scripts.bench ;; \
		*) PYTHONPATH=$(CURDIR)/include:$(CURDIR)/tests $(BIN)/python -m benchmarks.$$each $(ARGS) ;; esac; done

.PHONY: reference
reference: $(READY) ## rewrite docs/reference.md from the code
	@AIRFLOW_HOME=$$(mktemp -d) $(BIN)/python -W ignore -m scripts.reference

.PHONY: docs
docs: $(READY) ## README and docs as a site in build/site; a link that leads nowhere ends it
	@$(BIN)/python -m scripts.site

.PHONY: findings
findings: ## what surprises in public libraries, each in a temporary environment of its own; needs a package index
	@for each in findings/*.sh; do echo "$$each"; PYTHON=$(PYTHON) "$$each"; done

.PHONY: wheel
wheel: $(READY) ## wheel and source archive in dist/, with their digests and the bill of materials of the lock
	@rm -rf dist
	@$(BIN)/python -m build --no-isolation --outdir dist . >/dev/null
	@$(BIN)/twine check --strict dist/*
	@$(BIN)/cyclonedx-py requirements requirements.txt --pyproject pyproject.toml --mc-type library --output-reproducible \
		--output-file dist/sbom.cdx.json
	@cd dist && sha256sum *.whl *.tar.gz *.json | tee SHA256SUMS

.PHONY: consumer
consumer: $(READY) ## size and import time of what a consumer installs; RELEASE=… opens its pickles in an environment of its own; needs a package index
	@$(BIN)/python -m scripts.consumer $(if $(RELEASE),--release $(RELEASE))

.PHONY: fuzz
fuzz: $(READY) ## inputs that nobody meant at every door, some minutes; INPUTS=2000 SEED=0
	@cd tests && PYTHONPATH=$(CURDIR)/include:$(CURDIR)/tests $(CURDIR)/$(BIN)/python -W ignore -m fuzz $(or $(INPUTS),2000) $(or $(SEED),0)

.PHONY: audit
audit: $(READY) ## known vulnerabilities of what the locks bring; asks an advisory service on the web
	@$(BIN)/python -m scripts.audit

.PHONY: clean
clean: ## remove what runs left: var/
	@if command -v flock >/dev/null && [ -e var/airflow/.lock ] && ! flock -n var/airflow/.lock true; then \
		echo "an Airflow is running in var/; stop it first" >&2; exit 1; fi
	rm -rf var

$(READY): requirements.txt requirements-dev.txt pyproject.toml | $(BIN)/uv
	@echo "installing the locked packages into $(VENV)"
	@rm -f $@
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip sync --quiet requirements.txt requirements-dev.txt
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(NODE): $(EMULATORS)/package.json $(EMULATORS)/package-lock.json
	@echo "installing Azurite, an emulator of Azure's blob storage, into .node"
	@mkdir -p $(@D)
	@cp $^ $(@D)
	@npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(BIN)/uv:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not on this machine; PYTHON=… names another" >&2; exit 1; }
	@$(PYTHON) -c 'import sys, ensurepip; sys.exit(sys.version_info < (3, 11))' || { \
		echo "needs Python 3.11 or later with venv (Debian: apt-get install python3-venv); PYTHON=… names another" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --quiet $(UV)
