# Two commands matter: `make demo` and `make test`. Each works alone on a fresh machine with python3.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-device clean

demo: $(VENV)/.core
	$(BIN)/edgecvar run edgecvar/demo/clip.mp4 --overlay demo-overlay.mp4

test: $(VENV)/.train
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

# The half that runs on a device: Python 3.8 is its floor, and torch is not there.
test-device: $(VENV)/.device
	$(BIN)/python -m pytest

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: $(VENV)/bin/python pyproject.toml constraints.txt
	$(INSTALL) --editable .
	touch $@

$(VENV)/.device: $(VENV)/bin/python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[test]'
	touch $@

$(VENV)/.train: $(VENV)/bin/python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[train,test,dev]'
	touch $@

clean:
	rm -rf $(VENV) .venv-device build *.egg-info demo-overlay.mp4
