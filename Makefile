export VENV ?= .venv
PYTHON_RUN = $(VENV)/bin/python
# one compile cache for everything here, out of the way of the user's own
CACHE = THEANO_FLAGS="base_compiledir=$(CURDIR)/.theano,$$THEANO_FLAGS"

.PHONY: help demo test smoke lint bench fuzz gpu docs readme-figures clean

# Lists what can be made.
help:
	@awk '/^# / { text = text substr($$0, 2) } /^[a-z-]+:/ { sub(":.*", ""); printf "make %-15s%s\n", $$0, text } !/^#/ { text = "" }' Makefile

# Separates a chorale and a song, which lie in tools/demo_data, and makes demo/index.html.
demo:
	@sh tools/setup.sh requirements.txt
	@$(CACHE) $(PYTHON_RUN) tools/demo.py

# All tests, one on each core (four at most); ARGS="tests/test_audio.py -k downmix" for some.
test:
	@sh tools/setup.sh requirements.txt requirements/test.txt requirements/scores.txt
	@$(CACHE) OMP_NUM_THREADS=1 $(PYTHON_RUN) -m pytest -n auto --maxprocesses 4 $(ARGS)

# Style and common mistakes, by ruff (pyproject.toml).
lint:
	@sh tools/setup.sh requirements.txt requirements/test.txt requirements/scores.txt
	@$(PYTHON_RUN) -m ruff check .

# The demo, a network, training steps, a separation and a resumed training, quickly, on one Python:
# VENV=/tmp/venv312 PYTHON=python3.12 make smoke.
smoke:
	@sh tools/setup.sh requirements.txt requirements/test.txt
	@$(CACHE) OMP_NUM_THREADS=1 $(PYTHON_RUN) tools/demo.py -o $(VENV)/demo
	@$(CACHE) OMP_NUM_THREADS=1 $(PYTHON_RUN) -m pytest $(foreach name,repairs needed network objective training separation,tests/test_$(name).py) \
		-k '(test_repairs and not graphs) or test_needed or (recorded and dsd100) or killed_and_resumed or stems_add_up'

# The figures of docs/speed.md, each as a ratio within one run.
bench:
	@sh tools/setup.sh requirements.txt requirements/test.txt
	@for program in $(filter-out %/chorales.py %/sets.py,$(wildcard tools/benchmarks/[a-z]*.py)); do $(CACHE) $(PYTHON_RUN) $$program || exit 1; done

# Damaged input for every reader, 20000 cases each; ARGS="--reader midi --cases 500" for some. See docs/reliability.md.
fuzz:
	@sh tools/setup.sh requirements.txt requirements/test.txt requirements/scores.txt
	@$(CACHE) OMP_NUM_THREADS=1 MPLBACKEND=Agg $(PYTHON_RUN) -m tools.fuzz $(ARGS)

# Lets the environment use an NVIDIA GPU (Debian 12), and says in one line what is missing.
gpu:
	@SET=gpu PYTHON=$${PYTHON:-/usr/bin/python3.11} sh tools/setup.sh
	@sh tools/setup_gpu.sh

# The documentation as pages, docs/_build/index.html, in an environment of its own (Python 3.11 or later); no warning passes.
docs:
	@test -x .venv-docs/bin/sphinx-build || { $${PYTHON:-python3} -m venv .venv-docs && .venv-docs/bin/pip install -q -r requirements/docs.txt; }
	@.venv-docs/bin/sphinx-build -q -W --keep-going -b html docs docs/_build
	@echo docs/_build/index.html

# The picture of README, from the demo.
readme-figures:
	@sh tools/setup.sh requirements.txt
	@$(CACHE) $(PYTHON_RUN) tools/demo.py -o demo
	@$(PYTHON_RUN) plots/readme.py --demo demo --output docs/figures

# Removes what was made.
clean:
	rm -rf .venv .venv-docs .theano .pytest_cache demo docs/_build docs/generated
