"""The state of a training run, in one file that is whole or not there.

A checkpoint is an ``.npz`` of the parameters, the optimiser's arrays and one JSON text with everything else.
"""
import json
import zipfile

import numpy as np

import files
from errors import InputError


def save(path, params, optimizer, info):
    """Write a checkpoint, atomically.

    Parameters
    ----------
    path : str
    params, optimizer : list of ndarray
    info : dict
        JSON values: settings, position in the data, history.
    """
    arrays = {'param%03d' % index: value for index, value in enumerate(params)}
    arrays.update({'optimizer%03d' % index: value for index, value in enumerate(optimizer)})
    with files.atomic_path(path) as temporary, open(temporary, 'wb') as out:
        np.savez(out, info=json.dumps(info, sort_keys=True), **arrays)


def load(path):
    """Read a checkpoint: (params, optimizer, info) as given to :func:`save`.

    Raises
    ------
    InputError
        When the file is missing, damaged or not a checkpoint.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            names = sorted(stored.files)
            arrays = {kind: [stored[name] for name in names if name.startswith(kind)] for kind in ('param', 'optimizer')}
            info = json.loads(str(stored['info']))
    except OSError as error:
        raise InputError('cannot read the checkpoint %s: %s' % (path, error.strerror or 'it is damaged'))
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError('%s is not a checkpoint or is damaged (%s): remove it to start anew'
                         % (path, type(error).__name__))
    return arrays['param'], arrays['optimizer'], info
