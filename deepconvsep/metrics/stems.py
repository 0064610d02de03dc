"""Estimated and true stems: found by name, paired, checked, and read in windows."""
import os
from dataclasses import dataclass, field, replace

import numpy as np

from deepconvsep import audio, files
from deepconvsep.errors import InputError

EXTENSIONS = ('.wav', '.flac')

# The page of --report and the folder beside it, whose sounds are not stems.
PAGE, ASSETS = 'index.html', 'report'

# An inverse STFT may end a frame late; anything longer is another recording.
LONGEST_TAIL = 4096


@dataclass
class Track:
    """One item of work: the stems of one track as one method separated them, and where the results go.

    `references` and `estimates` map names of sources to paths; `results` is the path of the results without
    extension.
    """

    name: str
    method: str
    subset: str
    results: str
    references: dict[str, str]
    estimates: dict[str, str] = field(default_factory=dict)

    def absolute(self):
        """The same track with absolute paths, for a worker that runs in another folder."""
        references, estimates = ({source: os.path.abspath(path) for source, path in paths.items()}
                                 for paths in (self.references, self.estimates))
        return replace(self, results=os.path.abspath(self.results), references=references, estimates=estimates)

    @property
    def key(self):
        """What tells it from the others of its method: two parts of a data set may hold tracks of the same name."""
        return self.subset, self.name

    def __str__(self):
        return ' / '.join(part for part in (self.method, self.subset, self.name) if part)


def folders(path, what):
    """Names of the visible sub-folders of `path`, sorted, without that of a report.

    Raises
    ------
    InputError
        When `path` is not a folder; `what` says what it should hold.
    """
    if not os.path.isdir(path):
        raise InputError('%s is not a folder, expected %s' % (path, what))
    inside = os.listdir(path)
    return sorted(name for name in inside if not name.startswith('.') and os.path.isdir(os.path.join(path, name))
                  and not (name == ASSETS and PAGE in inside))


def sound_files(path):
    """Paths of all visible sound files below a folder, sorted."""
    found = []
    for parent, leaves in walk(path):
        found += [os.path.join(parent, leaf) for leaf in leaves if leaf.lower().endswith(EXTENSIONS)]
    return found


def walk(path):
    """Yield (folder, names of its files) for a folder and all below, visible, sorted, without those of a report."""
    for parent, names, leaves in files.walk(path):
        names[:] = [name for name in names if not (name == ASSETS and PAGE in leaves)]
        yield parent, leaves


def methods(estimates, chosen=(), own_folders=()):
    """Folders of estimates by name of the method.

    A folder that holds stems itself (or one of `own_folders`, such as Dev and Test, or a song) is one method, called
    as the folder; else every sub-folder is one.

    Parameters
    ----------
    estimates : str
        Folder of the estimates.
    chosen : sequence of str
        Names of the methods wanted; all when empty.
    own_folders : sequence of str
        Names of sub-folders that are not methods but parts of one.

    Raises
    ------
    InputError
        When the folder, or a chosen method, does not exist.
    """
    inside = folders(estimates, 'a folder of estimates')
    if set(inside) & set(own_folders) or any(name.lower().endswith(EXTENSIONS) for name in os.listdir(estimates)):
        found = {os.path.basename(os.path.abspath(estimates)): estimates}
    else:
        found = {name: os.path.join(estimates, name) for name in inside}
    unknown = sorted(set(chosen) - set(found))
    if unknown:
        raise InputError('%s has no method %s, expected one of: %s'
                         % (estimates, unknown[0], ', '.join(found) or 'none is there'))
    return {name: path for name, path in found.items() if not chosen or name in chosen}


def stem(path):
    """The name of a file without folder and extension: how most data sets name track and source."""
    return os.path.splitext(os.path.basename(path))[0]


def folders_and_stem(path):
    """The names of the two folders above and of the file without extension: how DSD100 names part, track, source."""
    song = os.path.dirname(os.path.abspath(path))
    return os.path.basename(os.path.dirname(song)), os.path.basename(song), stem(path)


#: By its usual name, the ways to write a source in file names: Bach10 says saxphone, DSD100 sometimes others.
_SPELLINGS = {'saxophone': ('saxphone', 'saxophone'), 'other': ('other', 'others')}


def usual_name(source):
    """The usual name of a source, however it is written.

    Examples
    --------
    >>> usual_name('saxphone'), usual_name('others'), usual_name('violin')
    ('saxophone', 'other', 'violin')
    """
    return next((name for name, ways in _SPELLINGS.items() if source in ways), source)


def spellings(source):
    """The ways to write the name of a source in file names.

    Examples
    --------
    >>> spellings('saxphone'), spellings('other'), spellings('violin')
    (('saxphone', 'saxophone'), ('other', 'others'), ('violin',))
    """
    return _SPELLINGS.get(usual_name(source), (source,))


def pair(tracks, folder, names, key):
    """Fill in the estimates of `tracks` with the sound files of one method's folder.

    A subset of which there is no estimate at all is not missing: it was not separated.

    Parameters
    ----------
    tracks : list of Track
        The tracks that are wanted.
    folder : str
    names : dict
        The `Track.key` and the source that a file belongs to, by what `key` says of its path; (None, reason) for what
        cannot be told. The estimates of tracks that are not wanted are no leftovers.
    key : callable
        Such as :func:`stem`: takes a path.

    Returns
    -------
    complete : list of Track
    problems : list of str
        A line for each leftover, missing, doubled or unreadable file.
    expected : int
        Number of wanted tracks in the subsets that are there.
    """
    wanted = {track.key: track for track in tracks}
    problems = []
    for path in sound_files(folder):
        owner, source = names.get(key(path), (None, 'belongs to no track of the data set'))
        if owner is None:
            problems.append('%s %s' % (path, source))
        elif owner in wanted:
            other = wanted[owner].estimates.setdefault(source, path)
            if other != path:
                problems.append('%s and %s are both estimates of %s, expected one' % (other, path, source))
    there = {track.subset for track in tracks if track.estimates}
    if not there:
        return [], problems + ['%s holds no estimate of any of the %d tracks, such as %s'
                               % (folder, len(tracks), tracks[0].name)], len(tracks)
    expected = [track for track in tracks if track.subset in there]
    complete = []
    for track in expected:
        wrong = ['%s: no estimate of %s below %s' % (track, source, folder)
                 for source in track.references if source not in track.estimates]
        if not wrong:
            try:
                check(track)
            except InputError as error:
                wrong = [str(error)]
        problems += wrong
        if not wrong:
            complete.append(track)
    return complete, problems, len(expected)


def check(track):
    """Check rates, channels and lengths by the headers.

    Returns
    -------
    rate : int
        In Hz.
    nsamples : int
        Length of the references.
    notes : list of str
        What was made to fit: longer estimates.
    channels : dict
        Number of channels by ('references' or 'estimates', source).

    Raises
    ------
    InputError
        When a file is missing or damaged, empty, or does not fit the others.
    """
    headers = {}
    for kind in ('references', 'estimates'):
        for source, path in getattr(track, kind).items():
            with audio.Reader(path) as reader:
                headers[kind, source] = path, reader.rate, reader.channels, reader.frames
    path, rate, _, nsamples = next(iter(headers.values()))
    notes = []
    for (kind, source), (other, other_rate, channels, frames) in headers.items():
        if other_rate != rate:
            raise InputError('%s has %d Hz and %s %d Hz, expected the same: resample one'
                             % (other, other_rate, path, rate))
        if channels > 2:
            raise InputError('%s has %d channels, expected 1 or 2: mix it down' % (other, channels))
        if frames < nsamples or frames > nsamples + LONGEST_TAIL * (kind == 'estimates') or not frames:
            raise InputError('%s has %d samples and %s %d, expected the same length%s'
                             % (other, frames, path, nsamples, ', not 0' if not frames else ''))
        if frames > nsamples:
            notes.append('the estimate of %s was cut by %d samples' % (source, frames - nsamples))
    return rate, nsamples, notes, {role: channels for role, (_, _, channels, _) in headers.items()}


def fingerprints(track):
    """SHA-256 of every file of a track, by role: a result is out of date when one of them has changed."""
    return {'%s %s' % (kind[:-1], source): files.sha256(path)
            for kind in ('references', 'estimates') for source, path in getattr(track, kind).items()}


def stamps(track):
    """Path from the folder of the results, size, and time in ns of every file, by role: to see changes fast."""
    found = {}
    for kind in ('references', 'estimates'):
        for source, path in getattr(track, kind).items():
            there = os.stat(path)
            found['%s %s' % (kind[:-1], source)] = [os.path.relpath(path, os.path.dirname(track.results)),
                                                    there.st_size, there.st_mtime_ns]
    return found


def read_mono(path, nsamples):
    """The first `nsamples` samples of a file with one channel, (nsamples,) float64.

    Raises
    ------
    InputError
        When the file has several channels or ends too early.
    """
    samples = next(windows(path, [(0, nsamples)]))
    if samples.shape[1] != 1:
        raise InputError('%s has %d channels, expected 1: mix it down' % (path, samples.shape[1]))
    return samples[:, 0]


def windows(path, bounds):
    """Yield the samples of overlapping windows of a file without holding more than one.

    Parameters
    ----------
    path : str
    bounds : sequence of (int, int)
        Start and end of every window, ascending.

    Yields
    ------
    ndarray of float64, (end - start, channels)

    Raises
    ------
    InputError
        When the file is damaged or ends too early.
    """
    with audio.Reader(path) as reader:
        blocks = reader.blocks()
        held, first = np.zeros((0, reader.channels)), 0
        for start, stop in bounds:
            pieces = [held[start - first:]]
            available = first + len(held)
            while available < stop:
                block = next(blocks, None)
                if block is None:
                    raise InputError('%s ends after %d samples, expected %d: it was cut off'
                                     % (path, available, stop))
                pieces.append(block[max(0, start - available):])
                available += len(block)
            held, first = np.concatenate(pieces), start
            yield held[:stop - start]


def stacked_windows(paths, bounds):
    """Yield windows of several files together, (nfiles, nsamples, nchannels); mono files get both channels."""
    for pieces in zip(*[windows(path, bounds) for path in paths]):
        widest = max(piece.shape[1] for piece in pieces)
        yield np.stack([np.broadcast_to(piece, (len(piece), widest)) for piece in pieces])
