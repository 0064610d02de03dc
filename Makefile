PYTHON_RUN = .venv/bin/python
# one compile cache for everything here, out of the way of the user's own
CACHE = THEANO_FLAGS="base_compiledir=$(CURDIR)/.theano,$$THEANO_FLAGS"

.PHONY: demo test bench gpu clean

# Separates a real song and says where the stems are.
demo:
	@sh setup.sh requirements.txt requirements-test.txt
	@$(CACHE) $(PYTHON_RUN) demo.py

# All tests; ARGS="tests/test_audio.py -k downmix" for some.
test:
	@sh setup.sh requirements.txt requirements-test.txt requirements-scores.txt
	@$(CACHE) $(PYTHON_RUN) -m pytest $(ARGS)

# The figures of README's table on speed and memory, each as a ratio within one run.
bench:
	@sh setup.sh requirements.txt requirements-test.txt
	@for program in benchmarks/[a-z]*.py; do $(CACHE) $(PYTHON_RUN) $$program || exit 1; done

# Lets the environment use an NVIDIA GPU (Debian 12), and says in one line what is missing.
gpu:
	@PYTHON=$${PYTHON:-/usr/bin/python3.11} sh setup.sh requirements.txt requirements-test.txt
	@sh setup_gpu.sh

clean:
	rm -rf .venv .theano .pytest_cache demo
