"""The state of a training run, in one file that is whole or not there.

A checkpoint is an ``.npz`` of the parameters, the optimiser's arrays and one JSON text with everything else. Where it
lies, and the other files of a run, is said here too, without Theano.
"""
import io
import json
import os

import numpy as np

from deepconvsep import command, files
from deepconvsep.errors import InputError
from deepconvsep.formats import npz


def run_paths(folder, name):
    """The files of a run in the folder of models, by what they are; beside the model, its settings."""
    names = {'lock': 'lock_%s.json', 'model': 'model_%s.pkl', 'settings': 'model_%s.json',
             'checkpoint': 'checkpoint_%s.npz', 'log': 'log_%s.csv', 'losses': 'loss_%s.data', 'plot': 'loss_%s.png'}
    return {what: os.path.join(folder, pattern % name) for what, pattern in names.items()}


def model_path(output, name):
    """The model of a run below the folder --output of a training script."""
    return run_paths(os.path.join(output, 'models'), name)['model']


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
    with files.atomic_path(path) as temporary, _Output(temporary) as out:
        np.savez(out, info=json.dumps(info, sort_keys=True), **arrays)
        out.check()


class _Output(io.FileIO):
    """A file that remembers the first failure to write and takes what follows for written.

    An archive that cannot be written is written to again when it is closed, and once more when it is forgotten, which
    nothing can catch: Python would print an "Exception ignored" for each.
    """

    def __init__(self, path):
        super().__init__(path, 'wb')
        self._failure = None

    def write(self, data):
        """Write all of `data`."""
        view = memoryview(data).cast('B')
        done = 0
        while done < len(view) and self._failure is None:
            try:
                done += super().write(view[done:])
            except OSError as error:
                self._failure = error
        return len(view)

    def check(self):
        """Raise the failure that is remembered."""
        if self._failure is not None:
            raise self._failure


def load(path):
    """Read a checkpoint: (params, optimizer, info) as given to :func:`save`.

    Raises
    ------
    InputError
        When the file is missing, damaged or not a checkpoint.
    """
    try:
        arrays = npz.load(path, os.path.getsize(path))
        names = sorted(arrays)
        params, optimizer = ([arrays[name] for name in names if name.startswith(kind)]
                             for kind in ('param', 'optimizer'))
        info = json.loads(str(arrays['info']))
        check_info(info)
    except OSError as error:
        raise InputError('cannot read the checkpoint %s: %s' % (path, error.strerror)) from error
    except (ValueError, KeyError, RecursionError) as error:
        raise InputError('%s is not a checkpoint or is damaged (%s): %s'
                         % (path, command.one_line(error), files.damage(path, 'remove it to start anew'))) from error
    return params, optimizer, info


def check_info(info):
    """Raise ValueError unless `info` is what a training run writes."""
    if not isinstance(info, dict):
        raise ValueError('no description')
    history = info.get('history')
    fine = {'contents': _are_contents(info.get('contents', {})),
            'facts': isinstance(info.get('facts'), dict), 'data': isinstance(info.get('data'), dict),
            'seconds': _is_number(info.get('seconds')),
            'sums': isinstance(info.get('sums'), list) and all(map(_is_number, info['sums'])),
            'history': isinstance(history, list) and all(
                isinstance(row, dict) and {'epoch', 'loss'} <= set(row) == set(history[0])
                and all(map(_is_number, row.values()))
                for row in history)}
    for name, right in fine.items():
        if not right:
            raise ValueError('its %s' % name)


def _are_contents(value):
    return isinstance(value, dict) and all(part is None or isinstance(part, dict) for part in value.values())


def _is_number(value):
    return isinstance(value, (int, float))
