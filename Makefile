# Every target sets up .venv first if needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= 4
# Of the drill: commands that are killed, examples of each kind of hostile input, cases in one process.
KILLS ?= 100
FUZZ ?= 1000
SOAK ?= 500

.DEFAULT_GOAL := help
# Of the day with a GPU: its outputs, wheels that are missing there, and cpu for a rehearsal without one.
GPU_OUT ?= results/gpu
WHEELS ?=
GPU ?= cuda
GPU_PYTHON ?= $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))
.PHONY: help tables figures performance test site mutants drill gpu clean

help:
	@echo "make tables       restore and score the demo, write results/demo/tables and the report of it"
	@echo "make figures      the same, as pictures in results/demo/figures"
	@echo "make performance  time a step on this machine, and fill docs/performance.md"
	@echo "make test         linters, type checks and all tests"
	@echo "make site         write the documentation as a site to site/"
	@echo "make mutants      change the methods in small ways, and report what no test notices"
	@echo "make drill        kill commands, break the machine, feed hostile input, and report what became of it"
	@echo "make gpu          nine minutes of a GPU: tests, times, two full-size cases, a TRAINING (GPU=cpu: a rehearsal)"
	@echo "make clean        delete results/ but what ships with the repository (keeps .venv)"

# Without --no-compile pip compiles 20,000 modules, of which few are ever imported.
$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "BlindBench needs Python 3.11 or newer; call make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[test]'
	@touch $@

tables figures: $(VENV)/.installed
	$(BIN)/snakemake --cores $(CORES) $@

performance: $(VENV)/.installed
	$(BIN)/blindbench scaling selfdeblur@quick --out docs/results/performance.csv
	$(BIN)/blindbench fill docs/performance.md

# Two processes of one thread each: with more threads than cores they wait for each other.
test: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check workflow
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

# The variable silences an advertisement.
site: $(VENV)/.installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "open site/index.html; the search needs a server: $(BIN)/python -m http.server --directory site"

mutants: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[mutants]'
	OMP_NUM_THREADS=1 $(BIN)/python tests/mutants.py

drill: $(VENV)/.installed
	$(BIN)/python -m tests.drill --kills $(KILLS) --fuzz $(FUZZ) --soak $(SOAK)

# Sets up no .venv: a machine with a GPU may have no internet.
gpu:
	$(if $(WHEELS),$(GPU_PYTHON) -m pip install --quiet --no-index --no-deps $(WHEELS)/*.whl)
	$(GPU_PYTHON) -m benchmark.tools.gpu_day --out $(GPU_OUT) --device $(GPU) \
		$(if $(TRAINING),--training $(TRAINING)) $(addprefix --images ,$(IMAGES)) $(if $(START),--start $(START))

clean:
	find results -mindepth 1 ! -name README.md ! -path results/reference ! -path 'results/reference/*.csv.gz' -delete
	rm -rf .snakemake .mypy_cache .ruff_cache .pytest_cache .hypothesis
