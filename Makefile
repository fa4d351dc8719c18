# make demo   install and run the quickstart          make test   install with dev tools, run the suite
# make check  format, lint, types, import contracts   make conformance   slow checks: statistics, damaged input
# make docs   the site of docs/, as files in build/site     make test-ray, make test-tensorflow   install with the extra, run its tests
# make endurance   real runs killed, starved, damaged    make wheel-test   the wheel in empty environments (GB)
# make bench  decoders and the whole link beside other packages, on one thread (about 10 min)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# CPU-only torch on Linux x86-64: make TORCH_INDEX=https://download.pytorch.org/whl/cpu demo
TORCH_INDEX ?=
# Processes of the suite, each of which computes on one thread
TEST_JOBS ?= 2

.PHONY: demo test test-ray test-tensorflow check docs format conformance endurance wheel-test bench clean

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed, got " + sys.version.split()[0])'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

$(VENV)/.ready-docs: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

demo: $(VENV)/.ready
	$(BIN)/transceiver run scenarios/quickstart.yaml

test: $(VENV)/.ready-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_JOBS) --dist loadfile -m "not conformance and not endurance"

$(VENV)/.ready-ray: $(VENV)/.ready-dev
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,ray]'
	touch $@

test-ray: $(VENV)/.ready-ray
	$(BIN)/python -m pytest tests/transceiver/test_ray_cluster.py

$(VENV)/.ready-tensorflow: $(VENV)/.ready-dev
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,tensorflow]'
	touch $@

test-tensorflow: $(VENV)/.ready-tensorflow
	$(BIN)/python -m pytest tests/codecs/test_tensorflow_program.py tests/transceiver/test_plugins.py

conformance: $(VENV)/.ready-dev
	$(BIN)/python -m pytest -m conformance

endurance: $(VENV)/.ready-dev
	$(BIN)/python -m pytest -m endurance --durations=20

# Needs nothing but Python: PYTHON=python3.12 make wheel-test
wheel-test:
	$(PYTHON) tools/wheel_test.py $(if $(TORCH_INDEX),--torch-index $(TORCH_INDEX))

bench: $(VENV)/.ready-dev
	$(BIN)/python benchmarks/bench_decoders.py
	$(BIN)/python benchmarks/bench_link.py
	$(BIN)/python benchmarks/bench_allocation.py
	$(BIN)/transceiver bench link --threads 1

check: $(VENV)/.ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.ready-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

format: $(VENV)/.ready-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build/site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
