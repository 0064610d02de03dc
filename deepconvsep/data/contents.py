"""Fingerprints of feature files, so that a training that goes on later notices when they have changed."""
import hashlib
import os

from deepconvsep.errors import InputError
from deepconvsep.features import folder

SAMPLES, SAMPLE = 16, 1 << 12   # pieces of a file that are read, and bytes of each


def fingerprint(paths):
    """Fingerprint feature files without reading them whole.

    Parameters
    ----------
    paths : list of str

    Returns
    -------
    dict of str to (str or None)
        records
            Of what the files were made from, by :func:`deepconvsep.features.folder.fingerprint`; None when not all of
            them have a record.
        samples
            Of the names, the sizes, and 16 pieces of 4 KiB of each file, from its beginning to its end. A file of up
            to 64 KiB is read whole; of a larger one, a change in one place may be missed.
        dates
            Of the dates of last change.
    """
    samples, dates = hashlib.sha256(), hashlib.sha256()
    for path in paths:
        try:
            status = os.stat(path)
            name = os.fsencode(os.path.basename(path))
            samples.update(b'%s\0%d\0' % (name, status.st_size))
            dates.update(b'%s\0%d\0' % (name, status.st_mtime_ns))
            with open(path, 'rb', buffering=0) as source:
                for place in _places(status.st_size):
                    source.seek(place)
                    samples.update(source.read(SAMPLE))
        except OSError as error:
            raise InputError('cannot read the features %s: %s' % (path, error.strerror)) from error
    return {'records': folder.fingerprint(paths), 'samples': samples.hexdigest()[:32], 'dates': dates.hexdigest()[:32]}


def _places(size):
    """Where the pieces of a file begin."""
    if size <= SAMPLES * SAMPLE:
        return range(0, size, SAMPLE)
    return [number * (size - SAMPLE) // (SAMPLES - 1) for number in range(SAMPLES)]


def compare(before, now):
    """Compare two fingerprints.

    Returns
    -------
    {'same', 'changed', 'unsure'}
        Records decide where both have them. Otherwise samples do, and 'unsure' is when they are the same but the
        dates are not.
    """
    if before.get('records') and now.get('records'):
        return 'same' if before['records'] == now['records'] else 'changed'
    if before.get('samples') != now.get('samples'):
        return 'changed'
    return 'same' if before.get('dates') == now.get('dates') else 'unsure'
