# Python 3.11 and a package index are all that is needed; `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check protos up bench constraints

# The interpreter for the virtual environment: make demo PYTHON=/path/to/python3.11
PYTHON ?= python3.11
# Further arguments for pip: make demo PIP_ARGS="--index-url ..."
PIP_ARGS ?=
# Without an NVIDIA GPU, torch comes from here: a tenth of the size of the builds with CUDA. Where
# this cannot be reached, torch comes from pip's own index like everything else.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
# Further arguments for pytest: make test PYTEST_ARGS="-k models -x"
PYTEST_ARGS ?=
# Processes that share the tests, a file at a time; each holds the models, about 2 GB.
WORKERS ?= 2

# What make bench measures, and how often.
FOLDERS ?= tests/data/sample
RUNS ?= 3

VENV := .venv
BIN := $(VENV)/bin
# Byte code is compiled on first use: compiling all of it takes longer than installing.
PIP_INSTALL := PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check \
	--constraint constraints.txt $(PIP_ARGS)

# Threads that spin while they wait take the cores from those that work.
export OMP_WAIT_POLICY ?= PASSIVE
export OPENBLAS_NUM_THREADS ?= 1
# Where this is set, the byte code compiled on first use would be thrown away each time.
unexport PYTHONDONTWRITEBYTECODE

help: ## List the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.installed ## Set up, analyze the sample call, say how to analyze yours
	@$(BIN)/callscope models pull
	@$(BIN)/callscope analyze tests/data/sample/stereo.flac
	@echo
	@echo "Your own:  $(BIN)/callscope analyze FILE...      (--json FILE keeps the record)"
	@echo "All of it: $(BIN)/callscope up                   (API on http://localhost:8080)"

test: check ## Static checks, then every test
	@tools/install-servers.sh
	@$(BIN)/callscope models pull
	@$(BIN)/callscope models pull whisper-tiny.en
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile $(PYTEST_ARGS)

check: $(VENV)/.installed-dev ## Static checks (ruff, mypy, imports, buf, images, manifests), fairness gate
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/python -m mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/buf lint protos
	@$(BIN)/hadolint services/*/Dockerfile
	@for overlay in k8s/overlays/*; do $(BIN)/kubectl kustomize $$overlay \
	  | $(BIN)/kubernetes-validate --strict --quiet --no-warn -; done
	@$(BIN)/callscope models pull minilm-l6
	@$(BIN)/python -m bench.fairness --gate --models "$${CALLSCOPE_MODELS_DIR:-.models}"

protos: $(VENV)/.installed-dev ## Write the gRPC stubs anew
	@$(BIN)/python protos/generate.py

up: $(VENV)/.installed ## Run all services in one process, http://localhost:8080
	@$(BIN)/callscope models pull
	@$(BIN)/callscope up

bench: $(VENV)/.installed-dev ## Accuracy and speed beside the stock parts: make bench FOLDERS="calls"
	@$(BIN)/callscope models pull
	@$(BIN)/python -m bench.speech $(FOLDERS) --runs $(RUNS) --out bench/results/mine.json

constraints: $(VENV)/.installed-dev ## Write constraints.txt from .venv
	@$(BIN)/python tools/write_constraints.py

$(VENV)/.created:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not on PATH. Callscope runs on Python 3.11:" \
	  "install it, or name it with make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Creating $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP_INSTALL) --upgrade pip setuptools
	@touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml constraints.txt tools/torchaudio_for_cpu.py
	@echo "Installing Callscope and its dependencies (about 1.7 GB) ..."
	@command -v nvidia-smi >/dev/null || $(PIP_INSTALL) --no-deps --retries 0 --timeout 10 \
	  --index-url $(TORCH_INDEX) torch 2>/dev/null || true
	@$(PIP_INSTALL) --no-build-isolation --editable '.[all]'
	@$(BIN)/python tools/torchaudio_for_cpu.py
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@echo "Installing what the tests need ..."
	@$(PIP_INSTALL) --no-build-isolation --editable '.[all,dev]'
	@touch $@
