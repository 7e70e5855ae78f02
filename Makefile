# Every command there is; `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo test lint types imports unit processes truth bench schemas lock clean
export PATH := $(CURDIR)/.venv/bin:$(PATH)
SOURCE ?= world
INPUT ?=
NAME ?=

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Set up the virtual environment, Delta's jars and Spark's defaults (does nothing when done)
	@infra/setup.sh

demo: setup ## Run everything on a known-truth world; or SOURCE=eventsim INPUT=<folder> on a real feed (eventsim, listenbrainz, lastfm, spotify)
	@overtone demo --source "$(SOURCE)" $(if $(INPUT),--input "$(INPUT)")

test: setup lint types imports unit ## Run lint, types, import contracts and tests

lint: setup ## Check style
	@ruff check . && ruff format --check .

types: setup ## Check types
	@mypy

imports: setup ## Check the import contracts
	@lint-imports

unit: setup ## Run the tests alone
	@python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --ignore=tests/processes

processes: setup ## Run the tests that start and kill real processes: days, executors, workers, clusters, bare machines (EVERY=1: at every point, hours)
	@python -m pytest -n 3 --dist loadfile --no-loadscope-reorder tests/processes $(if $(EVERY),--every-kill)

truth: setup ## Measure what the pipeline recovers of the known-truth world (NAME= selects) into build/truth.json
	@PYTHONPATH=tests python tests/truth/run.py $(if $(NAME),--name "$(NAME)")

bench: setup ## Run the benchmarks against peers (NAME= selects) into build/benchmarks.json
	@PYTHONPATH=tests python tests/benchmarks/run.py $(if $(NAME),--name "$(NAME)")

schemas: setup ## Rewrite what is declared twice for reading (table schemas, models.yaml), to be reviewed as a diff
	@python -c "from jobs.catalogue import schemas; print(schemas(), end='')" > tests/schemas.txt
	@python -m ray_tune models > mlflow/models.yaml

lock: setup ## Resolve the dependencies anew
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --group dev pyproject.toml --output-file requirements.lock

clean: ## Remove what runs made; the environment stays
	@rm -rf build
