"""What the experiments keep from one run to the next, and whether it is still made from what is there now.

Beside sounds that are kept lies the record ``.<name of the first>.json``: of everything that they were made from the
SHA-256, and the flags. Sounds without a record are made again.
"""
import hashlib
import json
import os

from deepconvsep import files
from deepconvsep.errors import InputError


def is_current(paths, made_from):
    """Whether sounds are there and were made from what is there now.

    Parameters
    ----------
    paths : list of str
    made_from : dict
        As :func:`note` was given it; values that JSON can hold.

    Returns
    -------
    bool

    Examples
    --------
    >>> import os, tempfile
    >>> stem = os.path.join(tempfile.mkdtemp(), 'voice.wav')
    >>> open(stem, 'w').close()
    >>> note([stem], {'model': 'abc'})
    >>> is_current([stem], {'model': 'abc'}), is_current([stem], {'model': 'def'})
    (True, False)
    """
    record = _record(paths)
    if not all(map(os.path.exists, [record, *paths])):
        return False
    try:
        return files.read_json(record, 'what sounds were made from') == json.loads(json.dumps(made_from))
    except InputError:   # damaged: made again
        return False


def note(paths, made_from):
    """Record what sounds were made from, once they are all written."""
    files.write_json(_record(paths), made_from)


def _record(paths):
    folder, name = os.path.split(paths[0])
    return os.path.join(folder, '.%s.json' % os.path.splitext(name)[0])


def digest(paths):
    """The SHA-256 of each file, by path, as a dict."""
    return {path: files.sha256(path) for path in paths}


def digest_folders(folders):
    """One SHA-256 of all files in folders, their names below them and their contents; hidden ones are left out."""
    found = hashlib.sha256()
    for top in folders:
        for folder, inner, names in os.walk(top):
            inner[:] = sorted(name for name in inner if not name.startswith('.'))
            for name in sorted(name for name in names if not name.startswith('.')):
                path = os.path.join(folder, name)
                found.update(('%s %s\n' % (os.path.relpath(path, top), files.sha256(path))).encode(errors='replace'))
    return found.hexdigest()


def check_done(path, made, remedy):
    """Refuse to go on with a model that was trained with other things than are asked for now.

    Parameters
    ----------
    path : str
        Written when the training had ended: what it was made with.
    made : dict
        What it is to be made with. What the file does not name, as of older versions, is not compared.
    remedy : str
        What to do.

    Returns
    -------
    dict
        What the file says.

    Raises
    ------
    InputError
        When they differ: in what, and the remedy.
    """
    found = files.read_json(path, 'what a model was trained with') if os.path.getsize(path) else {}
    other = sorted(name for name, value in made.items() if name in found and found[name] != value)
    if other:
        raise InputError('%s was written for other %s than now: %s' % (path, ' and '.join(other), remedy))
    return found
