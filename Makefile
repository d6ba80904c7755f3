# Two commands matter: `make demo` and `make test`. Each works alone on a fresh machine with python3 and a C++ compiler.
PYTHON ?= python3
VENV ?= .venv
export FUZZ_SECONDS ?= 60
# 0 draws another each time; any other tries the same inputs each time, so many of them, however long it takes.
export FUZZ_SEED ?= 0
BIN = $(VENV)/bin
# The variables reach the builds inside too; newer versions of pip look at the second one there.
INSTALL = PIP_CONSTRAINT=$(CURDIR)/constraints.txt PIP_BUILD_CONSTRAINT=$(CURDIR)/constraints.txt \
    $(BIN)/python -m pip install --quiet --disable-pip-version-check
# A build that is tested takes the compiler's warnings for errors; a user's does not (edgecvar/stream/native/CMakeLists.txt).
STRICT = SKBUILD_CMAKE_DEFINE=EDGECVAR_WERROR=ON
CORE = $(addprefix edgecvar/stream/native/,*.cpp *.h h264/*.cpp h264/*.h hevc/*.cpp hevc/*.h)
CORE_TESTS = $(addprefix tests/stream/native/,*.cpp *.h h264/*.cpp hevc/*.cpp hevc/*.h)
# Tests of one file, or of one network, share a worker (tests/conftest.py); of more than four each waits for memory.
PYTEST = $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadgroup
# What tests/fuzz/targets.py lists.
FUZZED = container headers manifest engines recipe service flags extension
SOURCES = pyproject.toml constraints.txt $(wildcard $(CORE) edgecvar/stream/native/CMakeLists.txt)

# The documentation site (mkdocs.yml) into build/site: its notebooks are run whole, and a warning is an error.
NOTEBOOKS = $(patsubst docs/%,build/%,$(wildcard docs/notebooks/*.ipynb))

.PHONY: demo test site predicted test-device device-environment test-newest bindings native clean
.PHONY: native-checks native-test aarch64 valgrind threads fuzz fuzz-build fuzz-core
.PHONY: $(FUZZED:%=fuzz-%)
.PHONY: wheels wheels-check sbom tagged lint-workflows

demo: $(VENV)/.core
	$(BIN)/edgecvar run edgecvar/demo/clip.mp4 --overlay demo-overlay.mp4

test: $(VENV)/.train bindings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(CORE) $(CORE_TESTS)
	$(BIN)/mypy
	@echo "every test: some minutes, a dot each"
	$(PYTEST) --no-loadscope-reorder

# The half that runs on a device: Python 3.8 is its floor, and torch is not there.
device-environment: $(VENV)/.device bindings

test-device: device-environment
	@echo "every test that a device can run: some minutes, a dot each"
	$(PYTEST)

# PyAV as pip installs it on newer interpreters, through FFmpeg's path alone: nothing is built for it.
test-newest: $(VENV)/bin/python
	@echo "installing the newest PyAV into $(VENV)"
	$(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
	    > $(VENV)/dependencies.txt
	$(INSTALL) --requirement $(VENV)/dependencies.txt pytest
	$(BIN)/python -m pytest tests/contracts/test_pyav.py tests/stream/sources

# NVIDIA's Python bindings of TensorRT without its libraries: what the tests hold our calls against.
bindings: $(VENV)/bin/python
	$(BIN)/python tests/contracts/fetch_bindings.py

# The native core's own checks (tests/stream/native/Makefile): sanitizers, another processor, valgrind; CHECKS are made
# side by side with --jobs.
CHECKS = native-test aarch64 valgrind threads
native-checks: $(VENV)/.core
	+$(MAKE) -C tests/stream/native $(CHECKS) PYTHON=$(abspath $(BIN)/python)
native-test aarch64 valgrind threads fuzz-core fuzz-build: $(VENV)/.core
	+$(MAKE) -C tests/stream/native $@ PYTHON=$(abspath $(BIN)/python)

# Guided by coverage: the core alone in C++, and everything that reads bytes or words from outside through Python
# (tests/fuzz); FUZZ_SECONDS of each, with --jobs side by side.
fuzz: fuzz-core $(FUZZED:%=fuzz-%)
fuzz-core fuzz-extension: fuzz-build
fuzz-build: $(VENV)/.fuzz
$(FUZZED:%=fuzz-%): $(VENV)/.fuzz
	$(BIN)/python -m tests.fuzz $(@:fuzz-%=%) --seconds $(FUZZ_SECONDS)

site: $(VENV)/.train $(NOTEBOOKS)
	@echo "building the site into build/site"
	PATH="$(abspath $(BIN)):$$PATH" NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

build/notebooks/%.ipynb: docs/notebooks/%.ipynb docs/site/run_notebook.py $(VENV)/.train
	@echo "running $<: a minute or two"
	$(BIN)/python docs/site/run_notebook.py $< $@

# How well this machine's own engine is predicted: a figure, nothing depends on it.
predicted: $(VENV)/.core
	$(BIN)/edgecvar bench machine --density 0.2 --passes 1 --rounds 3 --save $(VENV)/machine.json \
	    --judge edgecvar/demo/motion.edgecvar | grep -E 'GFLOPS|error'

# The core beside its sources, for a checkout that is used without installing it; PYTHON has pybind11 then.
native:
	cmake -S edgecvar/stream/native -B build/native -DPython_EXECUTABLE="$$(command -v $(PYTHON))" \
	    -Dpybind11_DIR="$$($(PYTHON) -m pybind11 --cmakedir)" -DEDGECVAR_WERROR=ON
	cmake --build build/native
	cmake --install build/native --prefix .

# Releases (docs/releasing.md): dist/ gets the sdist and a wheel for each of PYTHONS and PROCESSORS, all where none is named.
RELEASE = .venv-wheels
PYTHONS ?=
PROCESSORS ?=
wheels: $(RELEASE)/.ready
	$(RELEASE)/bin/python .ci/wheels/build.py dist $(PYTHONS:%=--python=%) $(PROCESSORS:%=--processor=%)

# Each wheel in a bare environment: its decisions on the demo's clip are those of a core that this machine's compiler made.
# Of this machine's own processor each must be tried, but for the Pythons in UNTRIED.
UNTRIED ?=
wheels-check: $(RELEASE)/.ready $(VENV)/.core
	$(RELEASE)/bin/python .ci/wheels/check.py dist --reference $(BIN)/python $(PROCESSORS:%=--processor=%) \
	    $(UNTRIED:%=--untried=%)

# What a wheel brings along, in CycloneDX's words: it, what it depends on, what is compiled into it.
sbom: $(RELEASE)/.ready
	$(RELEASE)/bin/python .ci/wheels/sbom.py dist build/sbom/edgecvar.cdx.json

# A tag that is to be released, TAG of the environment, is the version's: nothing in its name is run.
tagged:
	@grep -Fqx -- "version = \"$${TAG#v}\"" pyproject.toml || { echo "tag $$TAG is not pyproject.toml's version"; exit 1; }

lint-workflows: $(RELEASE)/.ready
	$(RELEASE)/bin/actionlint
	$(RELEASE)/bin/zizmor --quiet --offline --min-severity=low .github/workflows

$(RELEASE)/.ready: .ci/wheels/requirements.txt
	@echo "installing a compiler and what releases want into $(RELEASE)"
	$(PYTHON) -m venv $(RELEASE)
	$(RELEASE)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: $(VENV)/bin/python $(SOURCES)
	@echo "installing edgecvar into $(VENV), its native core compiled: a minute or two"
	$(INSTALL) --editable .
	touch $@

$(VENV)/.fuzz: $(VENV)/.core
	@echo "installing what fuzzing wants into $(VENV)"
	$(INSTALL) pybind11
	-$(INSTALL) atheris # where it has no wheel for this Python, the targets say so
	touch $@

$(VENV)/.device: $(VENV)/bin/python $(SOURCES)
	@echo "installing the device half and its tests into $(VENV): a minute or two"
	$(STRICT) $(INSTALL) --editable '.[live,sign,test]'
	touch $@

$(VENV)/.train: $(VENV)/bin/python $(SOURCES)
	@echo "installing edgecvar with torch and what tests it into $(VENV): some minutes, most of them downloads"
	$(STRICT) $(INSTALL) --editable '.[train,pretrained,flow,parquet,scan,live,sign,test,dev,docs]'
	-$(INSTALL) 'ray>=2.10' # where it has no wheel for this Python, its tests are left out
	touch $@

clean:
	rm -rf $(VENV) .venv-device .venv-newest $(RELEASE) build dist edgecvar/stream/native/*.so demo-overlay.mp4
