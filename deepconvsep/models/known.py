"""The models that are known: this project's own, which lie in this folder, and the original's published ones.

``python -m deepconvsep.models`` lists them. A model of this project is a pair of files, ``<name>.pkl`` and
``<name>.json``; the latter holds the settings, how it was trained, and the SHA-256 of the former, which is checked
before use.
"""
import os
from typing import NamedTuple

from deepconvsep.errors import InputError
from deepconvsep.models import store
from deepconvsep.network import architecture
from deepconvsep.network.architecture import Architecture

FOLDER = os.path.dirname(os.path.abspath(__file__))


class Published(NamedTuple):
    """A model that the original's authors published.

    Attributes
    ----------
    name : str
        What it separates, and into what.
    networks : tuple of Architecture
        What it may hold. Of the score-informed one it is not known which.
    address : str
        Where its authors put it.
    """

    name: str
    networks: tuple[Architecture, ...]
    address: str

    @property
    def script(self):
        """The script that separates with it."""
        return store.SCRIPTS[self.networks[0].name]


# Source: the original's README. None of the files could be fetched and opened here; the numbers of arrays follow
# from the original's code.
PUBLISHED = (
    Published('DSD100: vocals, bass, drums, other', (architecture.DSD100,),
              'https://drive.google.com/open?id=0B-Th_dYuM4nOb281azdKc2tWbFk'),
    Published('iKala: singing voice, accompaniment', (architecture.IKALA_POOLED,),
              'https://drive.google.com/open?id=0B-Th_dYuM4nOYlRxQTl3eDBxQTg'),
    Published('Bach10: bassoon, clarinet, saxophone, violin', (architecture.BACH10,),
              'https://drive.google.com/open?id=0B-Th_dYuM4nOa3ZMSmhwRkwzaGM'),
    Published('Bach10, score-informed: bassoon, clarinet, saxophone, violin',
              (architecture.SCOREINFORMED, architecture.SCOREINFORMED_ONE_BRANCH, architecture.SCOREINFORMED_1X1),
              'https://zenodo.org/record/1009144'),
)


def own():
    """Names of the models in this folder, sorted."""
    return sorted(name[:-len('.pkl')] for name in os.listdir(FOLDER) if name.endswith('.pkl'))


def path(name):
    """Path of the weights of a model of this folder, for `load`, which checks the SHA-256.

    Raises
    ------
    InputError
        When one of its two files is missing.
    """
    weights = os.path.join(FOLDER, name + '.pkl')
    for needed in (weights, store.settings_path(weights)):
        if not os.path.exists(needed):
            raise InputError('there is no %s, which the model %s consists of: restore it, or give another model '
                             '("python -m deepconvsep.models" lists them)' % (needed, name))
    return weights


def locate(given):
    """The path of a model that is given as a file, or by the name of one in this folder.

    Raises
    ------
    InputError
        When there is no model of this name, or a file of it is missing.
    """
    if os.path.isfile(given) or os.path.dirname(given) or os.path.splitext(given)[1]:
        return given
    if given not in own() and not os.path.exists(store.settings_path(os.path.join(FOLDER, given + '.pkl'))):
        beside = [given + extension for extension in ('.pkl', '.npz') if os.path.exists(given + extension)]
        raise InputError('there is neither a file %s nor a model of this name, expected a file or one of %s%s'
                         % (given, ', '.join(own()), ': give %s' % beside[0] if beside else ''))
    return path(given)
