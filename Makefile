# Needs Python 3.11 or newer and make; everything else goes into .venv.
# Another interpreter: make PYTHON=/opt/python3.13/bin/python3 test

VENV    ?= .venv
PYTHON  ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
             "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v "$$p"; break; }; done)
BIN     := $(VENV)/bin
CORE    := $(VENV)/.core-installed
DEV     := $(VENV)/.dev-installed
EXTRAS  := .venv-extras/.installed
DOCS    := .venv-docs/.installed
MEDIA   := .venv-media/.installed
PEERS   := .venv-peers/.installed
OTHERS  := .venv-dolma/.installed .venv-data-juicer/.installed
PIP     := $(BIN)/python -m pip --disable-pip-version-check -qq
# Folders that exist: the checks also work on a sparse checkout.
CODE    := $(wildcard src assets resources expectations tests benchmarks docs setup.py requirements)
# On all cores, and where PYTHONDONTWRITEBYTECODE is set as well: without byte code, importing Great Expectations takes
# 13 s instead of 5, in every process.
COMPILE := $(BIN)/python -m compileall -q -j 0 -x '/tests?/' $(VENV)/lib > /dev/null || true
# A file's tests stay in one process, so that what they share is made once.
SPREAD  := -n auto --maxprocesses 4 --dist loadfile
# Printed after every run, so that a test that has become slow is seen.
SLOWEST := --durations=25 --durations-min=2
LOCK    := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
             --no-strip-extras --no-header --no-emit-index-url --no-emit-find-links --no-annotate

.DEFAULT_GOAL := help

.PHONY: help
help:  ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# ------------------------------------------------------------------------------------------------------- use it

.PHONY: demo
demo: $(CORE)  ## land the demo corpus, run every stage, say what to look at
	$(BIN)/winnowry demo

.PHONY: demo-media
demo-media: $(MEDIA)  ## pictures, clips and speech: three corpora of files that packages carry, landed, run and released
	.venv-media/bin/python examples/media/land.py .venv-media/samples lake-media
	.venv-media/bin/winnowry run examples/media/pictures.yaml --root lake-media
	.venv-media/bin/winnowry run examples/media/clips.yaml --root lake-media
	.venv-media/bin/winnowry run examples/media/speech.yaml --root lake-media

.PHONY: ui
ui: $(CORE)  ## Dagster's UI on this code location
	$(BIN)/winnowry ui

# --------------------------------------------------------------------------------------------------- work on it

.PHONY: check
check: $(DEV)  ## format, lint, types, import rules, packaging: what CI runs first
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports
	@! grep -nE -- '--(index-url|extra-index-url|find-links)|://' requirements/*.txt \
	  || { echo 'requirements/: lock without registry addresses (make lock)'; exit 1; }

.PHONY: format
format: $(DEV)  ## rewrite the code in the house format and fix what ruff can fix
	$(BIN)/ruff check --fix-only --quiet $(CODE)
	$(BIN)/ruff format $(CODE)

.PHONY: test
test: $(DEV)  ## every test but the slow ones (arguments: make test ARGS="-k promote")
	$(BIN)/pytest -m 'not slow' $(SPREAD) $(SLOWEST) $(ARGS)

.PHONY: test-all
test-all: $(DEV)  ## every test: the quick ones, then kills, races and sweeps one after the other
	$(BIN)/pytest -m 'not slow' $(SPREAD) $(SLOWEST) $(ARGS)
	$(BIN)/pytest -m slow $(SLOWEST) $(ARGS)

# TORCH names what pip is to install, a build for the CPU for example: PyTorch is in no lock, because the build that fits
# depends on the machine, and the default one brings gigabytes. A test that skips here fails the run.
.PHONY: test-extras
test-extras: $(DEV) $(EXTRAS)  ## the tests of the extras that .venv lacks, in .venv-extras (with PyTorch: TORCH=torch)
	$(if $(TORCH),.venv-extras/bin/python -m pip --disable-pip-version-check -qq install '$(TORCH)')
	.venv-extras/bin/pytest -m '(extras$(if $(TORCH), or torch)) and not slow' --no-skips $(SLOWEST) $(ARGS) $$(grep -rlE 'mark\.(extras|torch)' tests)

# The floor is `fail_under` in pyproject.toml. Processes that the tests start are measured too.
.PHONY: coverage
coverage: $(DEV)  ## line and branch coverage of the quick tests; fails below the floor in pyproject.toml
	$(BIN)/pytest -m 'not slow' $(SPREAD) --cov --cov-report=term:skip-covered --cov-report=html --cov-report=xml $(ARGS)

.PHONY: docs
docs: $(DOCS)  ## the documentation site, in site/; a broken link is an error
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict --quiet $(ARGS)

.PHONY: peers
peers: $(DEV) $(PEERS)  ## text filters beside datatrove, cards read by mlcroissant, in .venv-peers (about 10 minutes)
	$(BIN)/pytest -s -p no:randomly tests/conformance/test_datatrove.py tests/conformance/test_croissant.py $(ARGS)

.PHONY: bench
bench: $(DEV)  ## the benchmarks that need no data but their own, each printing machine, sizes, spread
	@for name in complexity_tiers demo gates install_size sampling what_if 'dedup scale' columns lookup loader; do \
	  set -- $$name; echo "== benchmarks/$$1.py $${2:-}"; PYTHONPATH=. $(BIN)/python "benchmarks/$$1.py" $${2:-} || exit 1; done

.PHONY: bench-peers
bench-peers: $(DEV) $(PEERS) $(OTHERS)  ## CPU seconds against datatrove, Dolma, Data-Juicer (ARGS="--mb 120")
	PYTHONPATH=. $(BIN)/python benchmarks/heuristics.py $(ARGS)
	PYTHONPATH=. $(BIN)/python benchmarks/dedup.py peers
	PYTHONPATH=. $(BIN)/python benchmarks/fineweb_recipe.py
	$(BIN)/python -m benchmarks.peers $(ARGS)

# dev.txt is without the extra web: pip 23, which Python 3.11 brings, cannot install a hashed lxml[html-clean].
.PHONY: lock
lock: $(DEV)  ## pin the newest versions that pyproject.toml allows (ARGS="--upgrade" or "--upgrade-package NAME")
	$(LOCK) --extra tagged --extra chinese --extra image --extra audio --extra video --extra document --extra s3 --group dev --output-file requirements/dev.txt $(ARGS)
	$(LOCK) --group install --constraints requirements/dev.txt --output-file requirements/core.txt $(ARGS)
	$(LOCK) --extra postgres --group install --constraints requirements/dev.txt --output-file requirements/deploy.txt $(ARGS)
	$(LOCK) --extra tagged --extra parsed --extra chinese --extra chinese-parsed --extra web --extra image --extra audio \
	  --extra video --extra document --extra judge --extra s3 --group install --group test --constraints requirements/dev.txt --output-file requirements/extras.txt $(ARGS)
	$(LOCK) --extra image --extra audio --extra video --extra document --group install --constraints requirements/dev.txt --output-file requirements/media.txt $(ARGS)
	$(LOCK:pyproject.toml=) --no-deps --group media-samples --output-file requirements/media-samples.txt $(ARGS)
	$(LOCK:pyproject.toml=) --group docs --constraints requirements/dev.txt --output-file requirements/docs.txt $(ARGS)
	$(LOCK:pyproject.toml=) --group peers --constraints requirements/dev.txt --output-file requirements/peers.txt $(ARGS)
	$(LOCK:pyproject.toml=) --group dolma --output-file requirements/dolma.txt $(ARGS)
	$(LOCK:pyproject.toml=) --group data-juicer --output-file requirements/data-juicer.txt $(ARGS)

.PHONY: sbom
sbom: $(CORE)  ## what the core is made of, as CycloneDX, in dist/
	mkdir -p dist
	$(BIN)/python requirements/supply_chain.py sbom > dist/winnowry.cdx.json

.PHONY: licences
licences: $(CORE)  ## the list of the licences of the core, docs/reference/licences.md
	$(BIN)/python requirements/supply_chain.py licences > docs/reference/licences.md

# Needs the network: it asks for the advisories of today. Not part of CI's checks, which are the same every day.
.PHONY: audit
audit: $(DEV)  ## known weaknesses of the locked packages (by pip-audit, in an environment of its own)
	$(BIN)/uv tool run pip-audit --require-hashes --disable-pip --requirement requirements/core.txt $(ARGS)
	$(BIN)/uv tool run pip-audit --require-hashes --disable-pip --requirement requirements/deploy.txt $(ARGS)

# WINNOWRY_REPOSITORY=https://… : where the links of the package's page lead; without it they are plain text.
.PHONY: wheel
wheel: $(DEV)  ## the wheel, in dist/
	rm -rf dist
	$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .

# In a folder of its own, so that nothing of this checkout is found by chance.
.PHONY: smoke
smoke: wheel  ## install the wheel into an empty environment, .venv-smoke, and run the demo from it
	rm -rf .venv-smoke
	$(PYTHON) -m venv .venv-smoke
	@echo '*' > .venv-smoke/.gitignore
	.venv-smoke/bin/python -m pip --disable-pip-version-check -qq install --require-hashes -r requirements/core.txt
	.venv-smoke/bin/python -m pip --disable-pip-version-check -qq install --no-deps dist/winnowry-*.whl
	mkdir .venv-smoke/empty
	cd .venv-smoke/empty && ../bin/winnowry demo

.PHONY: clean
clean:  ## remove caches and build leftovers; the environment and your data stay
	rm -rf build dist site htmlcov .coverage .coverage.* coverage.xml .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .numba_cache src/*.egg-info
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: clean-all
clean-all: clean  ## remove the environments as well
	rm -rf $(VENV) $(dir $(EXTRAS) $(DOCS) $(PEERS) $(OTHERS)) .venv-smoke

# ---------------------------------------------------------------------------------------------- the environment

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo 'winnowry needs Python 3.11 or newer; name one with make PYTHON=…'; exit 1; }
	$(PYTHON) -m venv $(VENV)

# A stamp file says that an environment matches its lock; touching a lock or pyproject.toml makes the next make install.
$(CORE): requirements/core.txt pyproject.toml setup.py | $(BIN)/python
	@echo 'installing winnowry and what it needs into $(VENV) (a minute or two)'
	$(PIP) install --no-compile --require-hashes -r requirements/core.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@$(COMPILE)
	@touch $@

$(DEV): requirements/dev.txt pyproject.toml setup.py | $(BIN)/python
	@echo 'installing winnowry and its development tools into $(VENV) (a minute or two)'
	$(PIP) install --no-compile --require-hashes -r requirements/dev.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	@$(COMPILE)
	@touch $@ $(CORE)

# By uv, which can install a hashed lxml[html-clean] with any pip. Compiled at once: jieba warns while it is compiled, and
# a warning fails a test.
$(EXTRAS): requirements/extras.txt pyproject.toml setup.py | $(DEV)
	@echo 'installing winnowry with its extras into .venv-extras (a minute or two, up to 2 GB)'
	$(PYTHON) -m venv .venv-extras
	@echo '*' > .venv-extras/.gitignore
	$(BIN)/uv pip install --quiet --compile-bytecode --python .venv-extras/bin/python --require-hashes -r requirements/extras.txt
	$(BIN)/uv pip install --quiet --python .venv-extras/bin/python --no-deps --no-build-isolation --editable .
	@touch $@

# Never the same environment: the peers pin other versions and pull in much that winnowry does not need.
# The packages of media-samples.txt are never imported: the demo's pictures, films and recordings lie in them.
$(MEDIA): requirements/media.txt requirements/media-samples.txt pyproject.toml setup.py
	@echo 'installing winnowry, what decodes media, and packages with pictures, films and speech into .venv-media'
	$(PYTHON) -m venv .venv-media
	@echo '*' > .venv-media/.gitignore
	.venv-media/bin/python -m pip --disable-pip-version-check -qq install --require-hashes -r requirements/media.txt
	.venv-media/bin/python -m pip --disable-pip-version-check -qq install --no-deps --no-build-isolation --editable .
	.venv-media/bin/python -m pip --disable-pip-version-check -qq install --no-deps --no-compile --require-hashes \
	  --target .venv-media/samples --upgrade -r requirements/media-samples.txt
	@touch $@

.venv-%/.installed: requirements/%.txt | $(BIN)/python
	@echo 'installing $* and what is needed to run it into .venv-$* (a minute or two, up to 1 GB)'
	$(PYTHON) -m venv .venv-$*
	@echo '*' > .venv-$*/.gitignore
	.venv-$*/bin/python -m pip --disable-pip-version-check -qq install --require-hashes -r requirements/$*.txt
	@touch $@
