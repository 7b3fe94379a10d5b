# Two commands for a newcomer: `make demo` and `make test`. Both set up what they need, once.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/ready
UV     := 0.13.9
FILES  := src flows tests sample_data benchmarks docs

# Tests wait for half of their time (for servers, for files that settle): three workers keep two
# cores busy.
WORKERS ?= 3
RUN     := $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup
# What a change most likely breaks: formats, numerics, analyses, contracts, the house, pages, one
# lab from end to end. What is marked slow is left to `make test`.
QUICK   := tests/numerics tests/formats tests/analyses tests/watch/test_wholeness.py \
  tests/report/test_pages.py tests/report/test_workbooks.py tests/report/test_index.py \
  tests/test_house.py tests/test_contracts.py tests/test_result_files.py tests/test_settings.py \
  tests/test_cell_sheet.py tests/test_baselines.py tests/test_sample_files.py \
  tests/test_sample_lab.py tests/test_pipeline.py tests/test_cli.py
# What tests need beyond Python, by the names of Debian's packages.
SYSTEM  := chromium libreoffice-calc postgresql fonts-dejavu-core poppler-utils iproute2 util-linux systemd

.PHONY: demo test quick check style types current setup system lock bench mutations importers oldest dist docs clean

demo: $(READY)            ## run the main job on the sample lab
	@$(BIN)/cellpipe process sample_data --out results/demo --time-zone Europe/Berlin; \
	  code=$$?; \
	  if [ $$code -eq 1 ]; then echo "Two files of the sample lab are bad on purpose; everything else was used."; \
	  else exit $$code; fi

test: $(READY)            ## run the tests
	$(RUN) --durations=25

quick: $(READY)           ## run the tests that a change most likely breaks
	$(RUN) -n 2 -m "not slow" $(QUICK)

check: style types current test  ## everything that must hold before a change lands

style: $(READY)
	$(BIN)/ruff format --check $(FILES)
	$(BIN)/ruff check $(FILES)

types: $(READY)
	for system in linux win32 darwin; do $(BIN)/mypy --platform $$system || exit 1; done

current: $(READY)         ## generated pages and the sample lab are what their scripts make
	$(BIN)/python docs/generate.py --check
	$(BIN)/python sample_data/make.py --check

setup: $(READY)

# Where it may not install, it says what is missing and goes on: tests that need it are skipped and
# counted, and fail with CI=true.
system:                   ## what tests need beyond Python: a browser, LibreOffice, PostgreSQL, fonts
	@command -v dpkg-query >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1 || { \
	  echo "make system installs packages of Debian and its kin, which this system is not."; \
	  echo "Install by hand what these are called here: $(SYSTEM)"; exit 0; }; \
	missing=; for name in $(SYSTEM); do \
	  dpkg-query -W -f '$${Status}' $$name 2>/dev/null | grep -q 'ok installed' \
	    || missing="$$missing $$name"; done; \
	[ -n "$$missing" ] || { echo "What tests need beyond Python is here."; exit 0; }; \
	if [ "$$(id -u)" -eq 0 ]; then root=; \
	elif sudo -n true 2>/dev/null; then root="sudo -n"; \
	else echo "make system may not install here: it is neither root nor has sudo without a password."; \
	  echo "Ask for: apt-get install$$missing"; exit 0; fi; \
	echo "Installing$$missing"; \
	$$root apt-get update -qq \
	  && $$root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
	    $$missing >/dev/null \
	  || echo "apt-get could not install all of it:$$missing. Tests that need it are skipped."

# uv installs the locked packages several times faster than pip; where it can't, pip does.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cellpipe needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv==$(UV) || true
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode -r requirements.lock \
	  || $(BIN)/python -m pip install --quiet -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $(READY)

docs: $(READY)            ## the site of docs/, in site/ (its pictures: python docs/pictures.py)
	$(BIN)/python -m sphinx -W --keep-going -q docs site -d .sphinx

# The oldest versions that pyproject.toml allows; requirements.lock holds the newest.
# Old libraries use what newer ones beside them warn of.
oldest: requirements-oldest.lock $(READY)  ## the main job and the formats with the oldest versions
	rm -rf .oldest && $(PYTHON) -m venv .oldest
	$(BIN)/uv pip install --quiet --python .oldest/bin/python -r $< \
	  || .oldest/bin/python -m pip install --quiet -r $<
	$(BIN)/uv pip install --quiet --python .oldest/bin/python --no-deps .
	.oldest/bin/python -m pytest -q -p no:cacheprovider -n $(WORKERS) --dist loadgroup \
	  -W ignore::DeprecationWarning -W ignore::PendingDeprecationWarning \
	  tests/test_sample_lab.py tests/test_pipeline.py tests/test_contracts.py \
	  tests/formats/test_biologic.py tests/formats/test_neware_binary.py \
	  tests/analyses/test_cells_on_paper.py tests/report/test_figures.py

# Programs that take what cellpipe hands on, each in an environment of its own (they want other
# versions of the same libraries). Where they are not, tests that need them are skipped and counted.
importers: .importers/kadi/ready .importers/checks/ready

.importers/%/ready: tests/handoff/importers-%.txt $(READY)
	$(PYTHON) -m venv .importers/$*
	$(BIN)/uv pip install --quiet --python .importers/$*/bin/python -r $< \
	  || .importers/$*/bin/python -m pip install --quiet -r $<
	touch $@

lock:                     ## settle the versions anew
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-annotate --upgrade --group dev pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header \
	  --no-annotate --upgrade --resolution lowest-direct --group oldest pyproject.toml \
	  -o requirements-oldest.lock

bench: $(READY)           ## measure (the readers beside their peers, in an environment of their own)
	$(BIN)/python benchmarks/pipeline.py
	$(BIN)/python benchmarks/cycling.py
	$(BIN)/python benchmarks/eis.py
	$(BIN)/python benchmarks/report.py
	$(BIN)/python benchmarks/night_shift.py
	$(BIN)/python benchmarks/load.py
	$(BIN)/python benchmarks/workers.py
	$(BIN)/python benchmarks/contracts.py
	$(BIN)/python benchmarks/growth.py
	$(BIN)/python benchmarks/end_to_end.py
	$(BIN)/python benchmarks/readers.py

TOTAL ?= 5000
mutations: $(READY)       ## read damaged files of all formats and count what becomes of them
	$(BIN)/python tests/formats/mutation_run.py --total $(TOTAL)

# The main job's exit code is 1: two files of the sample lab are bad on purpose.
dist: $(READY)            ## wheel and sdist, each tried in an empty environment outside the checkout
	rm -rf dist .trial
	$(BIN)/python -m hatchling build -d dist
	for file in dist/*; do \
	  rm -rf .trial && $(PYTHON) -m venv .trial && \
	  $(BIN)/uv pip install --quiet --python .trial/bin/python "$$file" && \
	  (cd .trial && bin/cellpipe process ../sample_data --out out; test $$? -eq 1) || exit 1; \
	done
	rm -rf .trial

clean:
	rm -rf dist .trial .oldest site .sphinx $(VENV) .importers results .pytest_cache .mypy_cache .ruff_cache
