"""The folder of a dataset's features: how its files are made, what they were made from, whether there is room.

Beside every feature file ``<name>__m_.data`` lies its record ``<name>__m_.json``: the settings that it was made with,
and of every file that it was made from (sounds, scores, samples) the SHA-256, the size and the date. The feature file
is current only while these agree. A file whose size and date are as recorded is taken for unchanged and is not read;
only when they differ, it is hashed. That assumes that nobody changes a file and keeps both its size and its date, to
the nanosecond or whatever the file system keeps: where somebody does, ``--overwrite`` computes the features again.
Names in a record are relative to the dataset, so that it may be moved.

Feature files without a record (of the original, or made before there were any) count as current when they are newer
than everything that they were made from. They are not given a record: nobody knows what they hold.
"""
import functools
import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from typing import NamedTuple

from deepconvsep import files
from deepconvsep.errors import InputError
from deepconvsep.features import tensors

#: In the feature folder: how its files were made.
RECORD = 'features.json'

#: In records: what stands before the places of instrument samples, which are not in the folder of the dataset.
SAMPLES = 'rwc/'

#: What a record of a feature file holds.
_FIELDS = {'made_from', 'settings'}


class Source(NamedTuple):
    """A file that features are made from: what records call it, and where it is."""

    name: str
    path: str


def settings_of(folder):
    """How the features in a folder were made, by their :data:`RECORD`, a dict; empty if unknown."""
    path = os.path.join(folder, RECORD)
    return files.read_json(path, 'how the features were made') if os.path.exists(path) else {}


def sources(root, paths, prefix=''):
    """The files `paths` as sources, called by their places below the folder `root`, behind `prefix`."""
    return tuple(Source(prefix + os.path.relpath(path, root), path) for path in paths)


@dataclass(frozen=True)
class Origin:
    """What a feature file is made from.

    Parameters
    ----------
    sources : tuple of Source
    settings : dict
        Everything else that decides what is in the file; values that JSON can hold.
    """

    sources: tuple[Source, ...]
    settings: dict

    def record(self):
        """The record as it is now, for :func:`deepconvsep.features.tensors.save_tensor`.

        Raises
        ------
        InputError
            When a file is missing or cannot be read.
        """
        made_from = {}
        for source in self.sources:
            try:
                size, date = _state(source.path)
                made_from[source.name] = {'sha256': _sha256(source.path, size, date), 'size': size, 'mtime_ns': date}
            except OSError as error:
                raise InputError('cannot read %s: %s' % (source.path, error.strerror)) from error
        return {'made_from': made_from, 'settings': _as_json(self.settings)}

    def check(self, record):
        """Raise InputError when a source has changed since `record` was taken, thus while it was read."""
        for source in self.sources:
            if not _is_untouched(source, record['made_from'][source.name]):
                raise InputError('%s changed while it was read: run again' % source.path)

    def is_current(self, path, tag=tensors.MAGNITUDES, shape=None, dtype=None, read=True):
        """Whether the feature file `path` was made from what is there now; see the module.

        A record whose files have other dates, but the same contents, gets the new dates.

        Parameters
        ----------
        path : str
            Without tag.
        tag : str
        shape, dtype : optional
            What the tensor must have too: without a record, nothing else tells that it was made with other settings.
        read : bool
            False: the answer is no when a file would have to be read for it.
        """
        path = tensors.tagged(path, tag)
        try:
            found = tensors.describe_tensor(path)
        except InputError:
            return False
        if shape is not None and found[0] != tuple(shape) or dtype is not None and found[1] != dtype:
            return False
        if not os.path.exists(tensors.record_path(path)):
            return self._is_older_than(path)
        record = read_record(path)
        if record is None or record['settings'] != _as_json(self.settings) \
                or set(record['made_from']) != {source.name for source in self.sources}:
            return False
        touched = [source for source in self.sources if not _is_untouched(source, record['made_from'][source.name])]
        if not touched or not read:
            return not touched
        try:
            now = self.record()
        except InputError:   # a file is missing: whoever wants to read it will say so
            return False
        if contents(now) != contents(record):
            return False
        files.write_json(tensors.record_path(path), now)
        return True

    def _is_older_than(self, path):
        """Whether all sources are older than a feature file."""
        try:
            made = os.stat(path).st_mtime_ns
            return all(os.stat(source.path).st_mtime_ns <= made for source in self.sources)
        except OSError:
            return False


def _as_json(value):
    """`value` as it comes back from a JSON file: tuples are lists there."""
    return json.loads(json.dumps(value))


def _state(path):
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


@functools.cache
def _sha256(path, size, date):
    """SHA-256 of a file; samples that many features share are read once, unless `size` or `date` change."""
    return files.sha256(path)


def _is_untouched(source, recorded):
    try:
        return _state(source.path) == (recorded['size'], recorded['mtime_ns'])
    except OSError:
        return False


def is_as_recorded(path, recorded):
    """Whether a file is what the entry `recorded` of a record says; it is read only when its date is another."""
    try:
        size, date = _state(path)
        return size == recorded['size'] and (date == recorded['mtime_ns']
                                             or _sha256(path, size, date) == recorded['sha256'])
    except OSError:
        return False


# --- records ------------------------------------------------------------------------------------------

def read_record(path):
    """The record of the feature file `path`, or None when it has none, or one that is damaged."""
    try:
        record = files.read_json(tensors.record_path(path), 'the record of a feature file')
    except InputError:
        return None
    made_from = record.get('made_from')
    whole = _FIELDS <= set(record) and isinstance(made_from, dict) and all(
        isinstance(entry, dict) and {'sha256', 'size', 'mtime_ns'} <= set(entry) for entry in made_from.values())
    return record if whole else None


def contents(record):
    """What decides about the contents of a feature file: its record without the sizes and dates, which do not."""
    return {'settings': record['settings'],
            'made_from': {name: entry['sha256'] for name, entry in record['made_from'].items()}}


def fingerprint(folder_or_feature_paths):
    """A fingerprint of what features hold, from their records alone: the tensors are not read.

    It is the same for features of the same names, shapes and types that were made from the same contents with the
    same settings, wherever they lie and whatever the dates of files are.

    Parameters
    ----------
    folder_or_feature_paths : str or list of str
        A folder: all its feature files, of every tag, but not those in folders below it. Or a list of folders and of
        ``.data`` files (with their tags, as they are called on disk), in any order.

    Returns
    -------
    str or None
        64 hexadecimal digits. None when any of the features has no record (made by the original, by hand, or before
        there were records), and when there are no features.

    Raises
    ------
    InputError
        When a feature file or its shape is missing, or they do not agree.
    OSError
        When a folder cannot be read.
    """
    given = [folder_or_feature_paths] if isinstance(folder_or_feature_paths, str) else folder_or_feature_paths
    paths = []
    for path in given:
        paths += [os.path.join(path, name) for name in os.listdir(path) if name.endswith('.data')] \
            if os.path.isdir(path) else [path]
    rows = []
    for path in paths:
        record = read_record(path)
        if record is None:
            return None
        shape, dtype = tensors.describe_tensor(path)
        rows.append(json.dumps([os.path.basename(path), shape, dtype.name, contents(record)], sort_keys=True))
    return hashlib.sha256('\n'.join(sorted(rows)).encode()).hexdigest() if rows else None


# --- the folder ---------------------------------------------------------------------------------------

def check_record(folder, settings, overwrite=False, name=RECORD, places=None,
                 remedy='choose another --feature_path, or --overwrite', what='features'):
    """Note in the file `name` of a folder how the features there are made.

    Parameters
    ----------
    folder : str
        It must exist.
    settings : dict
        Values that JSON can hold.
    overwrite : bool
        What is there was made with other settings maybe, and will be replaced.
    name : str
    places : dict, optional
        Folders that features were made from, which the records of folders named before there were records of files.
        They must agree where they are named, and stay named there: those features know no more.
    remedy : str
        What the message proposes.
    what : str
        What the folder holds.

    Returns
    -------
    bool
        Whether features there were made with other settings; then, they are to be overwritten.

    Raises
    ------
    InputError
        When features there were made with other settings, unless they are to be overwritten.
    """
    path = os.path.join(folder, name)
    changed = False
    if os.path.exists(path) and not (what == 'features' and _has_none(folder)):
        try:
            before = files.read_json(path, 'the settings of ' + what)
        except InputError:
            if not overwrite:
                raise
            before = {}
        named = dict(settings, **{key: value for key, value in (places or {}).items() if key in before})
        changed = sorted(key for key in set(before) | set(named) if before.get(key) != named.get(key))
        if changed and not overwrite:
            raise InputError('%s holds %s with %s, now wanted: %s: %s'
                             % (folder, what, ', '.join('%s %s' % (key, before.get(key)) for key in changed),
                                ', '.join('%s %s' % (key, named.get(key)) for key in changed), remedy))
        settings = settings if overwrite else named
    files.write_json(path, settings)
    return bool(changed)


def _has_none(folder):
    """Whether no feature file is in a folder or below it: a run that found no room leaves nothing but the record."""
    return not any(leaf.endswith('.data') for _, _, leaves in os.walk(folder) for leaf in leaves)


def transform_settings(settings):
    """What of the settings of a model decides what is in its features, a dict."""
    values = settings.to_dict()
    return {name: values[name] for name in ('sources', 'window', 'frame_size', 'hop_size', 'sample_rate', 'downmix')}


def check_space(folder, needed, replaced, remedy):
    """Raise InputError when the disk of `folder` has no room for `needed` bytes, of which `replaced` are there."""
    free = shutil.disk_usage(folder).free + replaced
    if needed > free:
        raise InputError('%s has room for %s, the features need %s: %s'
                         % (folder, _size(free), _size(needed), remedy))


def _size(size):
    """Bytes, to be read.

    >>> _size(2.34e9), _size(2054052)
    ('2.3 GB', '2.1 MB')
    """
    return '%.1f GB' % (size / 1e9) if size >= 1e9 else '%.1f MB' % (size / 1e6)


def discard(path):
    """Remove a feature file and everything beside it that was made for it, such as its notes.

    Notes of a score that has changed must not lie beside its new sounds, not even for the time of a computation.

    Parameters
    ----------
    path : str
        Without tag: ``song_0.data`` removes ``song_0__m_.data``, ``song_0__e_.data``, their shapes and records.
    """
    for tag in tensors.TAGS:
        tensors.remove_tensor(path, tag)
