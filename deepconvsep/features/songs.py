"""The check of a dataset: what is missing and what is damaged, by name, before any work."""
import collections
import os
import sys
from dataclasses import dataclass

from deepconvsep import audio, command, jobs
from deepconvsep.errors import InputError

#: Sources may be this much longer or shorter than their mixture, in seconds: codecs and editors pad files.
TOLERANCE = 0.1


@dataclass(frozen=True)
class Song:
    """The sound files of one song.

    Parameters
    ----------
    name : str
        Its feature files begin with it.
    subset : str
        The part of the dataset that it belongs to, such as ``'Dev'``.
    paths : tuple of str
        The sound files. The first one says how long the song is.
    channels : tuple of int
        Numbers of channels that they may have.
    rate : int
        Sample rate that they must have, in Hz.
    """

    name: str
    subset: str
    paths: tuple[str, ...]
    channels: tuple[int, ...]
    rate: int

    def __str__(self):
        return '%s/%s' % (self.subset, self.name)


def missing_files(song):
    """Paths of the song's files that are not there."""
    return [path for path in song.paths if not os.path.isfile(path)]


def check_song(song, whole=False):
    """Find what is damaged in a song.

    Parameters
    ----------
    song : Song
        Files that are missing are passed over; see :func:`missing_files`.
    whole : bool
        Read every sample; otherwise only the headers.

    Returns
    -------
    length : int
        Samples of the first file; 0 when it cannot be read.
    problems : list of str
        A line each: files that cannot be read, are empty or cut off, hold NaN, have a wrong rate or number of
        channels, or another length than the first.
    """
    length, seconds, problems = 0, {}, []
    for path in song.paths:
        if not os.path.isfile(path):
            continue
        try:
            with audio.Reader(path) as reader:
                problems += _check_header(reader, song)
                if whole and not reader.cut_off:
                    collections.deque(reader.blocks(), maxlen=0)
                seconds[path] = reader.frames / reader.rate
                length = reader.frames if path == song.paths[0] else length
                if reader.cut_off:
                    problems.append('%s is shorter than its header says, it was cut off: copy it again' % path)
        except InputError as error:
            problems.append(command.one_line(error))
    expected = seconds.get(song.paths[0])
    for path, duration in seconds.items():
        if expected and duration and abs(duration - expected) > TOLERANCE:
            problems.append('%s lasts %.3f s, expected %.3f s as %s: restore the one that is wrong'
                            % (path, duration, expected, song.paths[0]))
    return length, problems


def _check_header(reader, song):
    """Yield the problems that show in the header of one file."""
    if reader.rate != song.rate:
        yield '%s has %d Hz, expected %d Hz: resample it' % (reader.path, reader.rate, song.rate)
    if reader.channels not in song.channels:
        yield '%s has %d channels, expected %s: convert it' % (reader.path, reader.channels,
                                                               ' or '.join(map(str, song.channels)))
    if reader.frames == 0:
        yield '%s holds no samples: restore it' % reader.path


def report(dataset, songs, expected, nprocs=1, scheduler=None, quiet=False):
    """Check a whole dataset, every sample of it, and print what was found.

    Parameters
    ----------
    dataset : str
        Its name.
    songs : list of Song
    expected : dict
        How many songs each subset has when it is complete: ``{'Dev': 50}``.
    nprocs, scheduler, quiet
        As in :func:`deepconvsep.jobs.run`.

    Returns
    -------
    int
        The exit code: 0 when nothing is missing and nothing is damaged, else 1.
    """
    found = collections.Counter(song.subset for song in songs)
    absent, missing = 0, [path for song in songs for path in missing_files(song)]
    for subset, number in expected.items():
        print('%s %s: %d of %d songs' % (dataset, subset, found[subset], number))
    for path in missing:
        print('missing: %s' % command.one_line(path))
    for subset, number in expected.items():
        if found[subset] < number:
            absent += number - found[subset]
            print('missing: %d of the %d songs of %s' % (number - found[subset], number, subset))
    sys.stdout.flush()  # before the progress begins
    outcomes = jobs.run(_problems, songs, nprocs, scheduler, unit='song', quiet=quiet)
    damaged = [problem for outcome in outcomes for problem in (outcome.result or []) + [outcome.error or '']
               if problem]
    for what in damaged:
        print('damaged: %s' % what)
    print('%d songs and %d files missing, %d damaged' % (absent, len(missing), len(damaged)))
    return 1 if absent or missing or damaged else 0


def _problems(song):
    return check_song(song, whole=True)[1]
