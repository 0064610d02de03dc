"""recipe.py: the members of a recipe, their defaults, and the recipes of the examples."""
import argparse
import dataclasses
import importlib
import os

import pytest
from conftest import ROOT

from deepconvsep.data.large import LargeDataset
from deepconvsep.recipe import Recipe
from deepconvsep.settings import Settings

EXAMPLES = ('dsd100', 'ikala', 'bach10', 'bach10_scoreinformed')


def test_defaults():
    made = Recipe(script='x', sources=('a', 'b'), networks=(), settings=Settings(('a', 'b')),
                  legacy_settings=Settings(('a', 'b')), loss=(), training_eps=0., network=None, test_songs=None)
    flags = argparse.Namespace(nepochs=7)
    assert made.default_model is None and made.guide('song.wav', made.settings, flags) is None
    assert made.settings_for(flags) is made.settings and made.phases(flags) == [('adadelta', 7)]
    assert made.dataset(flags) == (LargeDataset, {})
    assert made.stem_names('song', ('a', 'b'), False) == ['a', 'b']
    assert made.stem_names('song', ('a', 'b'), True) == ['song/a', 'song/b']
    other = dataclasses.replace(made, training_settings=lambda flags: flags.nepochs)
    assert other.settings_for(flags) == 7


@pytest.mark.parametrize('name', EXAMPLES)
def test_recipes_of_the_examples_are_whole(name):
    module = importlib.import_module('examples.%s.recipe' % name)
    made = module.RECIPE
    assert made.script.startswith('examples/%s/separate_' % name) and os.path.isfile(os.path.join(ROOT, made.script))
    assert made.sources == made.settings.sources == made.legacy_settings.sources
    assert all(len(network.outputs) == len(made.sources) for network in made.networks)
    assert {number for term in made.loss for pair in term.pairs for number in pair} <= set(range(len(made.sources)))
    assert (made.default_model is not None) == name.startswith(('bach10', 'ikala'))
