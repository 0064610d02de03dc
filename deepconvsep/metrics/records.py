"""Results of one track: a JSON record, and the .mat file that the original wrote.

A record holds the schema and its version, the settings, the SHA-256 of every input, the scores of every target
window by window, and why some are missing. JSON has no NaN and no infinity: a score that does not exist is null,
an infinite one is the text "inf" or "-inf".
"""
import os

import numpy as np

from deepconvsep import files
from deepconvsep.errors import InputError

SCHEMA, VERSION = 'deepconvsep.evaluation', 1
MEASURES = ('SDR', 'ISR', 'SIR', 'SAR')   # of images
SOURCE_MEASURES = ('SDR', 'SIR', 'SAR')   # of sources
ORDER = ('SDR', 'NSDR', 'ISR', 'SIR', 'NSIR', 'SAR', 'NSAR')   # in tables

SILENT_REFERENCE = 'silent reference'
SILENT_ESTIMATE = 'silent estimate'


def encode(values):
    """Floats as JSON values.

    Examples
    --------
    >>> encode([1.5, float('nan'), float('-inf')])
    [1.5, None, '-inf']
    """
    return [None if np.isnan(value) else float(value) if np.isfinite(value) else 'inf' if value > 0 else '-inf'
            for value in np.asarray(values, dtype=float).tolist()]


def decode(values):
    """The inverse of :func:`encode`, as a float64 array."""
    return np.array([np.nan if value is None else float(value) for value in values])


def describe(scores, silent_references, silent_estimates, otherwise='no energy to compare'):
    """Scores of one target for a record, with what cannot be scored set apart.

    Parameters
    ----------
    scores : dict of str to array_like, (nwindows,)
        By measure, as BSS Eval gives them.
    silent_references, silent_estimates : array_like of bool, (nwindows,)
        A window without reference has no score, whatever the formulas give (-inf, or a SAR of the leakage).
    otherwise : str
        The reason when a score is NaN although neither is silent.

    Returns
    -------
    dict
        ``scores`` by measure, encoded, and ``not_scored``: indices of windows by reason.
    """
    silent_references, silent_estimates = np.asarray(silent_references), np.asarray(silent_estimates)
    scores = {measure: np.where(silent_references, np.nan, np.asarray(values, dtype=float))
              for measure, values in scores.items()}
    undefined = np.any([np.isnan(values) for values in scores.values()], axis=0)
    reasons = {SILENT_REFERENCE: silent_references,
               SILENT_ESTIMATE: undefined & silent_estimates & ~silent_references,
               otherwise: undefined & ~silent_estimates & ~silent_references}
    return {'scores': {measure: encode(values) for measure, values in scores.items()},
            'not_scored': {reason: np.flatnonzero(where).tolist() for reason, where in reasons.items() if where.any()}}


def matlab_name(name):
    r"""A name of a track as text of MATLAB, which has no bytes that are not UTF-8: these are escaped.

    >>> matlab_name('101 - Liebe'), matlab_name('101 - bad\udcff')
    ('101 - Liebe', '101 - bad\\udcff')
    """
    return name.encode('utf-8', 'backslashreplace').decode()


def write(track, settings, inputs, facts, targets, mat):
    """Write ``<results>.mat`` and then ``<results>.json``, which marks the track as finished; the folder must exist.

    Parameters
    ----------
    track : stems.Track
    settings : dict
        All that decides the scores besides the files.
    inputs : dict
        As :func:`deepconvsep.metrics.stems.fingerprints`.
    facts : dict
        What else a reader wants to know: sample rate, notes.
    targets : dict
        By name: as :func:`describe`.
    mat : dict
        Variables of the .mat file.

    Returns
    -------
    dict
        The record.
    """
    import scipy.io
    record = dict(facts, schema=SCHEMA, version=VERSION, track=track.name, method=track.method, subset=track.subset,
                  settings=settings, inputs=inputs, targets=targets)
    with files.atomic_path(track.results + '.mat') as temporary:
        scipy.io.savemat(temporary, mat, appendmat=False, oned_as='row')
    record['mat'] = files.sha256(track.results + '.mat')
    files.write_json(track.results + '.json', record)
    return record


def finished(track, settings, inputs):
    """The record of an earlier run of the same track, with the same settings and files, or None."""
    path = track.results + '.json'
    if not (os.path.exists(path) and os.path.exists(track.results + '.mat')):
        return None
    record = files.read_json(path, 'the results of a track')
    same = (record.get('schema') == SCHEMA and record.get('version') == VERSION
            # a folder that was renamed or copied has the names of before
            and (record.get('track'), record.get('method'), record.get('subset'))
            == (track.name, track.method, track.subset)
            and record.get('settings') == settings and record.get('inputs') == inputs
            and record.get('mat') in (None, files.sha256(track.results + '.mat')))   # older records have none
    return _checked(record, path) if same else None


def require_current(path):
    """Check that results are of the sounds that are there now; what has been removed or moved is not checked.

    Parameters
    ----------
    path : str
        The record, or the .mat file beside it. A .mat file without a record, as the original's, is not checked.

    Raises
    ------
    InputError
        When a sound, or the .mat file, is another than the one that the record was made from or with.
    """
    base = os.path.splitext(path)[0]
    if not os.path.exists(base + '.json') or not is_record(base + '.json'):
        return
    record = read(base + '.json')
    if path.endswith('.mat') and record.get('mat') not in (None, files.sha256(path)):
        raise InputError('%s is not the one that was written with %s: evaluate the track again'
                         % (path, base + '.json'))
    for role, (name, size, time) in record.get('files', {}).items():
        name = os.path.normpath(os.path.join(os.path.dirname(path), name))
        if not os.path.isfile(name):
            continue
        there = os.stat(name)
        # reading all sounds takes minutes: only those whose time has changed
        digest = record.get('inputs', {}).get(role)
        if there.st_size != size or there.st_mtime_ns != time and files.sha256(name) != digest:
            raise InputError('%s was made from another %s than is there now: evaluate the track again'
                             % (base + '.json', name))


def is_record(path):
    """Whether a JSON file is a record, of any version, and not another program's; damaged ones are an InputError."""
    return files.read_json(path, 'the results of a track').get('schema') == SCHEMA


def read(path):
    """Read a record.

    Raises
    ------
    InputError
        When the file is not a record of this version.
    """
    record = files.read_json(path, 'the results of a track')
    if record.get('schema') != SCHEMA or record.get('version') != VERSION:
        raise InputError('%s has schema %r version %r, expected %r version %d: evaluate the track again'
                         % (path, record.get('schema'), record.get('version'), SCHEMA, VERSION))
    return _checked(record, path)


def read_all(folder):
    """The records in a folder, `*.json`, by name."""
    return [read(os.path.join(folder, name)) for name in sorted(os.listdir(folder)) if name.endswith('.json')]


def _checked(record, path):
    """The record, when it has all that :func:`write` writes and the tables and plots use."""
    fine = {name: isinstance(record.get(name), str) for name in ('track', 'method', 'subset')}
    fine['notes'] = _is_list(record.get('notes'), str)
    fine['targets'] = bool(record.get('targets')) and _is_targets(record['targets'])
    fine['v4'] = _is_targets(record.get('v4') or {})
    fine['inputs'] = isinstance(record.get('inputs', {}), dict)
    fine['files'] = _is_stamps(record.get('files', {}))
    wrong = [name for name in fine if not fine[name]]
    if wrong:
        raise InputError('%s has no usable %s, it is damaged: remove it and evaluate the track again'
                         % (path, wrong[0]))
    return record


def _is_list(value, *kinds):
    return isinstance(value, list) and all(isinstance(item, kinds) for item in value)


def _is_stamps(value):
    return isinstance(value, dict) and all(
        isinstance(stamp, list) and [type(item) for item in stamp] == [str, int, int] and '\0' not in stamp[0]
        for stamp in value.values())


def _is_targets(value):
    return isinstance(value, dict) and all(
        isinstance(target, dict) and isinstance(target.get('scores'), dict)
        and isinstance(target.get('not_scored'), dict)
        and all(_is_list(windows, int) for windows in target['not_scored'].values())
        and all(measure in ORDER and bool(scores) and _is_list(scores, float, int, str, type(None))
                and {score for score in scores if isinstance(score, str)} <= {'inf', '-inf'}
                for measure, scores in target['scores'].items()) for target in value.values())
