# Every target sets up .venv first if needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= 4

.DEFAULT_GOAL := help
.PHONY: help tables figures test clean

help:
	@echo "make tables   restore and score the demo, write results/demo/tables"
	@echo "make figures  the same, as pictures in results/demo/figures"
	@echo "make test     linters, type checks and all tests"
	@echo "make clean    delete results/ (keeps .venv)"

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "BlindBench needs Python 3.11 or newer; call make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

tables figures: $(VENV)/.installed
	$(BIN)/snakemake --cores $(CORES) $@

# Two processes of one thread each: with more threads than cores they wait for each other.
test: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check workflow
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

clean:
	find results -mindepth 1 ! -name README.md -delete
	rm -rf .snakemake .mypy_cache .ruff_cache .pytest_cache .hypothesis
