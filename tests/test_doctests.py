"""The examples in the docstrings run."""
import doctest
import glob
import importlib
import os

import pytest
from conftest import ROOT

from deepconvsep.backend.prepare import prepare

# the modules with layers may be imported only after this
prepare(verbose=False)

MODULES = sorted(
    os.path.relpath(path, ROOT)[:-3].replace(os.sep, '.')
    for pattern in ('*.py', 'deepconvsep/**/*.py', 'evaluation/*.py', 'plots/*.py', 'examples/*/*.py')
    for path in glob.glob(os.path.join(ROOT, pattern), recursive=True))


@pytest.mark.parametrize('name', MODULES)
def test_examples(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    counts = {name: sum(len(test.examples) for test in finder.find(importlib.import_module(name)))
              for name in ('transform', 'deepconvsep.data.large', 'deepconvsep.audio.reader',
                           'deepconvsep.backend.prepare')}
    assert min(counts.values()) > 0
    # the original's README shows three uses of the transform
    assert counts['transform'] >= 10
