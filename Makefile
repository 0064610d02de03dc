PYTHON_RUN = .venv/bin/python
# one compile cache for everything here, out of the way of the user's own
CACHE = THEANO_FLAGS="base_compiledir=$(CURDIR)/.theano,$$THEANO_FLAGS"

.PHONY: demo test bench fuzz clean

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
	@for program in $(filter-out benchmarks/nmf.py,$(wildcard benchmarks/[a-z]*.py)); do $(CACHE) $(PYTHON_RUN) $$program || exit 1; done

# Damaged input for every reader, 20000 cases each; ARGS="--reader midi --cases 500" for some. See docs/reliability.md.
fuzz:
	@sh setup.sh requirements.txt requirements-test.txt requirements-scores.txt
	@$(CACHE) OMP_NUM_THREADS=1 MPLBACKEND=Agg $(PYTHON_RUN) -m fuzz $(ARGS)

clean:
	rm -rf .venv .theano .pytest_cache demo
