# Plain `make` sets up and does the main job; `make help` lists the rest.

PYTHON ?= python3
PIP_ARGS ?=
RECORDINGS ?=
LAB_ARGS ?=
JOBS ?= 2

VENV = .venv
PY = $(VENV)/bin/python
READY = $(VENV)/ready
PACKAGE = PYTHONPATH=notebooks $(PY) -m

CLIPS = notebooks/asr_losses/clips
CLIPS_VENV = .venv-clips
CLIPS_READY = $(CLIPS_VENV)/ready

NOTEBOOKS = $(sort $(wildcard notebooks/*.ipynb))
LESSONS = $(filter-out %_solutions.ipynb,$(NOTEBOOKS))
DECKS = $(LESSONS:notebooks/%.ipynb=notebooks/slides/%.html)
PAGES = notebooks/pages
SLIDE_SOURCES = $(wildcard templates/*.py templates/slides/*)

# The tests that run no notebook, open no browser and synthesise nothing.
QUICK = $(filter-out tests/test_clips.py,$(wildcard tests/test_*.py)) tests/pages/test_notebooks.py

# Several notebooks at a time, each on one thread: faster than one at a time on all threads.
OMP_NUM_THREADS ?= 1
export OMP_NUM_THREADS

.PHONY: all help run check test test-cpus test-mutations slides html figures lab bench results human weights clips test-clips diff clean

all: run ## set up, run the notebooks, render figures, slides and pages (also plain `make`)
	@$(MAKE) --no-print-directory figures slides html

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile
	@echo 'Variables: PIP_ARGS="arguments for pip install"  PYTHON=python3  JOBS=2 (notebooks at a time)  LAB_ARGS="arguments for JupyterLab"'

# The notebooks import asr_losses wherever they are started: a .pth file says where it is.
# The stamp comes last, so that a set-up that broke off is begun again.
$(READY): requirements.txt templates/requirements.txt
	@command -v $(PYTHON) >/dev/null || { echo 'Install Python 3.10 or newer, or name it: make PYTHON=...' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is needed, $(PYTHON) is %d.%d. Name another one: make PYTHON=..." % sys.version_info[:2])'
	@echo 'Setting up $(VENV): this downloads PyTorch and Jupyter, once.'
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --disable-pip-version-check $(PIP_ARGS) -r requirements.txt
	$(PY) -m pip install --disable-pip-version-check --no-deps $(PIP_ARGS) -r templates/requirements.txt
	@$(PY) -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "asr_losses.pth").write_text(str(pathlib.Path("notebooks").resolve()) + "\n")'
	@touch $@

run: $(READY) ## execute all notebooks in place
	$(PY) templates/run_notebooks.py --jobs $(JOBS) $(NOTEBOOKS)

check: $(READY) ## the edit loop: the code's form, the notebooks as stored, the package; runs no notebook
	$(VENV)/bin/ruff check
	$(PY) -m pytest -n $(JOBS) -p no:nbval -o addopts= -q $(QUICK)

test: $(READY) ## check every stored output (nbval), the package and the slides
	$(PY) -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

test-cpus: $(READY) ## check the stored outputs as other processors would compute them
	$(PY) tests/cpu_matrix.py --jobs $(JOBS)

test-mutations: $(READY) ## make mistakes, one at a time, and see that the tests notice each
	$(PY) tests/mutations.py --jobs $(JOBS)

slides: $(DECKS) ## render each lesson as slides, one HTML file each
	@echo 'Open in a browser:'
	@for deck in $(DECKS); do echo "  $$deck"; done

notebooks/slides/%.html: notebooks/%.ipynb $(SLIDE_SOURCES) | $(READY)
	$(PY) templates/render_slides.py $< $@

html: $(PAGES)/index.html ## render each lesson as a web page that needs no network, and an index
	@echo 'Open in a browser: $(PAGES)/index.html'

$(PAGES)/index.html: $(NOTEBOOKS) $(wildcard templates/*.py templates/pages/*) | $(READY)
	$(PY) templates/render_pages.py $(PAGES) $(NOTEBOOKS)

figures: $(READY) ## write the marked figures of the notebooks to figures/
	$(PY) templates/extract_figures.py

lab: $(READY) ## open the first lesson in JupyterLab
	$(PY) -m jupyterlab $(LAB_ARGS) $(firstword $(LESSONS))

bench: $(READY) ## time our losses against PyTorch's
	$(PACKAGE) asr_losses.bench

results: $(READY) ## train with three seeds and print the error rates
	$(PACKAGE) asr_losses.results --jobs $(JOBS)

human: $(READY) ## the same on your recordings: make human RECORDINGS=folder
	@test -n "$(RECORDINGS)" || { echo 'Name the folder of your recordings: make human RECORDINGS=folder' >&2; exit 2; }
	$(PACKAGE) asr_losses.results --jobs $(JOBS) --recordings "$(RECORDINGS)"

weights: $(READY) ## train the models again that are shipped
	$(PACKAGE) asr_losses.recipes

clips: $(CLIPS_READY) ## synthesise the spoken digits again
	PYTHONPATH=notebooks $(CLIPS_VENV)/bin/python -m asr_losses.clips.make

test-clips: $(CLIPS_READY) ## synthesise some of the spoken digits again and compare
	PYTHONPATH=notebooks $(CLIPS_VENV)/bin/python -m pytest -rs tests/test_clips.py

# What makes the clips has an environment of its own: a reader installs no synthesiser.
$(CLIPS_READY): $(CLIPS)/requirements.txt requirements.txt
	rm -rf $(CLIPS_VENV)
	$(PYTHON) -m venv $(CLIPS_VENV)
	$(CLIPS_VENV)/bin/python -m pip install --disable-pip-version-check $(PIP_ARGS) -r requirements.txt -r $(CLIPS)/requirements.txt
	@touch $@

diff: ## show what changed in the notebooks, as text
	git -c diff.ipynb.textconv=.ci/ipynb2txt diff -- notebooks

clean: ## remove the virtual environment, slides, pages and caches
	rm -rf $(VENV) $(CLIPS_VENV) notebooks/slides $(PAGES) .pytest_cache .hypothesis
	find notebooks tests -name __pycache__ -prune -exec rm -rf {} +
