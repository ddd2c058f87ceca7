# Needle. `make` lists what there is; `make demo` shows it.

PYTHON ?= python3
PY := .venv/bin/python
PYTEST := $(PY) -m pytest
# Many tests wait for services that they started: two at a time. JOBS=0 runs all in one process.
JOBS ?= 2
TOGETHER = -n $(JOBS)

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev setup-cpu demo up test e2e chaos fuzz scaling containers fresh lint audit type secrets browser chromium bench acceptance train evaluate eval lock lock-check clean

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

setup: ## make .venv and install what this machine needs (ALL=1: PyTorch as well)
	@command -v $(PYTHON) >/dev/null || { echo "needle: there is no $(PYTHON); install Python 3.11 or later." >&2; exit 1; }
	@$(PYTHON) -m machine.setup.bootstrap $(if $(filter-out 0,$(ALL)),--all)

setup-dev: ## everything, with what tests and checks need
	@command -v $(PYTHON) >/dev/null || { echo "needle: there is no $(PYTHON); install Python 3.11 or later." >&2; exit 1; }
	@$(PYTHON) -m machine.setup.bootstrap --dev

setup-cpu: ## .venv-cpu, a second environment without PyTorch, for the tests
	@$(PYTHON) -m machine.setup.bootstrap --cpu --venv .venv-cpu

demo: export PHOTOS := $(PHOTOS)
demo: export QUERY := $(QUERY)
demo: export KEEP := $(KEEP)
demo: setup ## find small pictures in large photos; KEEP=0 ends by itself; PHOTOS=folder QUERY=file for your own
	@exec $(PY) -m demo

up: setup ## run the whole service until Ctrl-C (NEEDLE_PORT, NEEDLE_DATA_DIR, ...)
	@exec $(PY) -m machine up

test: setup-dev setup-cpu chromium ## every test; those of the page need Chromium, which is installed if it can be
	@exec $(PYTEST) $(TOGETHER) $(ARGS)

e2e: setup-dev setup-cpu ## only the tests that run the real processes
	@exec $(PYTEST) $(TOGETHER) tests/end_to_end $(ARGS)

chaos: setup-dev ## kill every kind of process in the middle of an ingest (minutes)
	@exec $(PYTEST) tests/chaos $(ARGS)

fuzz: setup-dev ## 10,000 bad inputs to a service of its own, and what they found (a quarter of an hour)
	@exec $(PY) -m tests.fuzz $(ARGS)

scaling: setup-dev ## 1, 2 and 4 workers in networks of their own, and faults among them (root; minutes)
	@exec $(PY) -m tests.scaling $(ARGS)

containers: setup-dev ## the images, run by Docker Compose, with faults (a Docker engine or root; a quarter of an hour)
	@exec $(PYTEST) tests/containers -s $(ARGS)

browser: setup-dev chromium ## only those of the page (NEEDLE_SCREENSHOTS=1 writes docs/images too)
	@exec $(PYTEST) tests/browser $(ARGS)

chromium: setup-dev
	@$(PY) -m machine.setup.chromium

secrets: ## passwords for the Redis and the Qdrant of Docker Compose, in the file .env
	@$(PYTHON) -m machine.setup.secrets

fresh: ## both commands on bare Debian machines, in root folders (root, mmdebstrap; half an hour)
	@$(PYTHON) -m machine.setup.fresh $(ARGS)

lint: setup-dev ## ruff, its rules about security too
	@$(PY) -m ruff check .

type: setup-dev ## mypy, strict
	@$(PY) -m mypy

SHARED ?= ../shared
bench: setup-dev ## photos a second, memory, disk, beside a plain pipeline (ARGS="--cap avx2 --baseline DIR")
	@exec $(PY) -m lab.bench --shared $(SHARED) $(ARGS)

acceptance: ALL := 1
acceptance: setup ## does it find things, through a kill and a restart? On the development photos
	@exec $(PY) -m lab.bench.acceptance --shared $(SHARED) $(ARGS)

TEACHERS = --teacher $(SHARED)/weights/yolov5n.safetensors --detector-teacher tests/models/crops/detector.safetensors
train: setup-dev ## train the heads of the pack that ships (ARGS="bank", "things", "kinds", "detector", "export", "int8", "all")
	@exec $(PY) -m lab.training $(or $(ARGS),all) --data $(SHARED)/data/train $(TEACHERS)

evaluate: setup-dev ## what the shipped models find, beside references (SHARED=folder)
	@$(PY) -m lab.evaluation encoders --shared $(SHARED) --encoder mini=models/mini $(ARGS)
	@$(PY) -m lab.evaluation pack --shared $(SHARED) --models mini
	@$(PY) -m lab.evaluation detector --shared $(SHARED) --weights models/mini
	@$(PY) -m lab.evaluation categories --archive $(SHARED)/data/train/caltech.tar
	@$(PY) -m lab.evaluation speed --shared $(SHARED) --models mini

eval: setup-dev ## the service on labelled photos: recall, boxes, doubt, cost (ARGS="--dev FOLDER --most-photos 60")
	@exec $(PY) -m lab.evaluation service --shared $(SHARED) $(ARGS)

LOCKS := requirements.txt requirements/cpu.txt requirements/web.txt requirements/dev.txt requirements/opentelemetry.txt requirements/compiler.txt
COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock"
lock: ## resolve the requirements again (needs uv)
	cd requirements && $(COMPILE) service.in --overrides overrides.txt -o ../requirements.txt
	cd requirements && $(COMPILE) cpu.in --constraints ../requirements.txt --overrides overrides.txt -o cpu.txt
	cd requirements && $(COMPILE) web.in --constraints ../requirements.txt -o web.txt
	cd requirements && $(COMPILE) dev.in --constraints ../requirements.txt --overrides dev-overrides.txt -o dev.txt
	cd requirements && $(COMPILE) opentelemetry.in --constraints dev.txt -o opentelemetry.txt
	cd requirements && $(COMPILE) compiler.in -o compiler.txt
	@$(MAKE) --no-print-directory lock-check

lock-check: ## does every lock have a package for each Python and machine? (needs uv)
	@for lock in $(LOCKS); do \
	  for python in 3.11 3.12 3.13 3.14; do \
	    for machine in x86_64-manylinux_2_28 aarch64-manylinux_2_28 aarch64-apple-darwin; do \
	      said=$$(MACOSX_DEPLOYMENT_TARGET=14.0 uv pip install --dry-run --no-deps --require-hashes \
	        --only-binary :all: --target "$${TMPDIR:-/tmp}/needle-lock-check" --python-version $$python \
	        --python-platform $$machine -r $$lock 2>&1) \
	        || { echo "$$said" >&2; echo "$$lock, Python $$python, $$machine: not to be had" >&2; exit 1; }; \
	    done; done; echo "$$lock: every package is there"; done

audit: ## is a known hole in a package that is locked? (needs uv and the network)
	@for lock in $(LOCKS); do echo "$$lock"; \
	  uvx pip-audit@2.9.0 --strict --disable-pip --require-hashes -r $$lock || failed=1; \
	done; exit $${failed:-0}

clean: ## remove the demo's data, caches and .venv
	rm -rf .venv .venv-cpu data/fresh data/demo data/demo-* data/samples data/eval data/bench .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
