"""Model files: reading them safely, knowing which network they belong to, writing them.

A model is a list of arrays: a pickle as the original wrote it (``.pkl``) or NumPy's ``.npz``. The number and
the shapes of the arrays name the network. Beside a model that this project wrote lies ``<model>.json`` with the
network, the settings, the training, versions and the SHA-256 of the weights; it is obeyed.
"""
import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from deepconvsep import files, recipes
from deepconvsep.errors import InputError
from deepconvsep.formats import npz, pickles
from deepconvsep.network import architecture
from deepconvsep.network.architecture import Architecture
from deepconvsep.network.harmonic import HarmonicArchitecture
from deepconvsep.settings import Settings

FORMAT = 'deepconvsep-model'
VERSION = 1

# no network of the project has more; a damaged file may claim anything
MAX_BYTES = 1 << 30


@dataclass
class Model:
    """A model that was read.

    Attributes
    ----------
    path : str
    params : list of ndarray
        float32, in the order of the network's parameters.
    network : Architecture
    settings : Settings or None
        None when nothing lies beside the weights: the original's files.
    training : dict
        What the training wrote down; empty for the original's files.
    """

    path: str
    params: list[np.ndarray]
    network: Architecture
    settings: Settings | None
    training: dict[str, Any]


def settings_path(path):
    """The JSON file beside a model.

    >>> settings_path('models/model_dsd.pkl')
    'models/model_dsd.json'
    """
    return os.path.splitext(path)[0] + '.json'


def load(path, expected, script, remedy=None):
    """Read a model for a script.

    Parameters
    ----------
    path : str
        ``.pkl`` or ``.npz``.
    expected : tuple of Architecture or None
        The networks that the script can use. None: all of this project, and any other that is described beside the
        model and needs no score.
    script : str
        Its name, for the message when the model is another script's.
    remedy : str, optional
        What to do then. Default: the script that separates with the model.

    Returns
    -------
    Model

    Raises
    ------
    InputError
        When the file is not a model, is damaged, does not match what lies beside it, or belongs to another network.
    """
    arrays = _load_npz(path) if path.endswith('.npz') else pickles.load_arrays(path)
    shapes = [array.shape for array in arrays]
    beside = settings_path(path)
    network, settings, training = architecture.identify(shapes), None, {}
    if os.path.exists(beside):
        network, settings, training = _read_settings(beside, path, shapes)
    own = expected is None and settings is not None and settings.score is None
    expected = architecture.KNOWN if expected is None else expected
    if network is None or not (own or any(network.is_like(other) for other in expected)):
        held = 'an unknown network, first shapes %s' % ', '.join(map(str, shapes[:3])) if network is None \
            else 'the ' + network.name
        counts = ' or '.join('%d (%s)' % (len(other.param_shapes()), other.name) for other in expected)
        if remedy is None and network and network.name in SCRIPTS:
            remedy = 'use ' + SCRIPTS[network.name]
        raise InputError('%s holds %d arrays of %s; %s needs %s%s'
                         % (path, len(arrays), held, script, counts, ': ' + remedy if remedy else ''))
    params = []
    for index, array in enumerate(arrays):
        if not np.isfinite(array).all():
            raise InputError('%s is damaged: array %d of %d holds NaN or infinity' % (path, index, len(arrays)))
        with np.errstate(over='ignore'):
            single = array.astype(np.float32, copy=False)
        if not np.isfinite(single).all():
            raise InputError('%s holds %.3g in array %d of %d, expected what float32 can hold: get it again'
                             % (path, np.abs(array).max(), index, len(arrays)))
        params.append(single)
    return Model(path, params, network, settings, training)


#: Which script separates with it, by the name of the network.
SCRIPTS = {network.name: recipe.script for recipe in recipes.ALL for network in recipe.networks}


def _read_settings(beside, path, shapes):
    values = files.read_json(beside, 'the settings of ' + os.path.basename(path))
    if values.get('format') != FORMAT or values.get('version') != VERSION:
        raise InputError('%s has format %.40r version %.40r, expected %s version %d: remove it, or get the pair of '
                         'files again'
                         % (beside, values.get('format'), values.get('version'), FORMAT, VERSION))
    if values.get('sha256') != files.sha256(path):
        raise InputError('%s and %s do not belong together or are damaged: the SHA-256 of the weights differs; '
                         'get both files again' % (path, beside))
    network = architecture.described(values.get('network'), beside)
    settings = Settings.from_dict(values.get('settings'), beside)
    if network.param_shapes() != shapes or len(settings.sources) != len(network.outputs) \
            or network.feat_size != settings.frame_size // 2 + 1 or settings.overlap >= network.time_context \
            or (settings.score is not None) != (network.channels > 1) \
            or bool(settings.score and settings.score.notes) != isinstance(network, HarmonicArchitecture):
        raise InputError('%s does not describe the arrays of %s: get both files again' % (beside, path))
    training = values.get('training')
    return network, settings, training if isinstance(training, dict) else {}


def _load_npz(path):
    try:
        arrays = npz.load(path, MAX_BYTES)
    except OSError as error:
        raise InputError('cannot read the model %s: %s' % (path, error.strerror)) from error
    except ValueError as error:
        raise InputError('%s is not a .npz model or is damaged (%s): %s'
                         % (path, error, files.damage(path, 'get the file again'))) from error
    values = [arrays[name] for name in sorted(arrays, key=lambda name: (len(name), name))]
    if not values or any(value.dtype.kind not in 'fiu' for value in values):
        raise InputError('%s holds no list of numeric arrays: it is not a model' % path)
    return values


def save(path, params, network, settings, training):
    """Write a model and what belongs to it, each whole or not at all.

    Parameters
    ----------
    path : str
        Ending in ``.pkl``: a list of float32 arrays, byte for byte as the original's Python 2 code writes it.
    params : list of ndarray
    network : Architecture
    settings : Settings
    training : dict
        Whatever the training wants to be remembered; JSON values.

    Returns
    -------
    str
        SHA-256 of the weights' file.
    """
    shapes = [np.shape(param) for param in params]
    if shapes != network.param_shapes():
        raise ValueError('%d arrays do not fit the %s' % (len(shapes), network.name))
    with files.atomic_path(path) as temporary:
        pickles.dump_arrays(temporary, params)
        digest = files.sha256(temporary)
        # while the weights can still fail; old settings beside new ones would be refused as damaged
        files.sync(temporary)
        if os.path.exists(settings_path(path)):
            os.unlink(settings_path(path))
    describe(path, digest, network, settings, training)
    return digest


def describe(path, digest, network, settings, training):
    """Write what belongs to the model `path`, whose SHA-256 is `digest`, beside it; arguments as of :func:`save`."""
    files.write_json(settings_path(path), {
        'format': FORMAT, 'version': VERSION, 'sha256': digest, 'network': network.to_dict(),
        'settings': settings.to_dict(), 'training': training,
        'versions': dict({name: version(name) for name in ('numpy', 'scipy', 'theano', 'lasagne')},
                         python=platform.python_version())})
