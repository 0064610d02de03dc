"""The songs of a dataset: their files, what is missing and what is damaged by name before any work, their samples."""
import collections
import contextlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from deepconvsep import audio, command, jobs
from deepconvsep.errors import InputError
from deepconvsep.score import read_score

#: Sources may be this much longer or shorter than their mixture, in seconds: codecs and editors pad files.
TOLERANCE = 0.1

#: A mixture may differ from the sum of its stems by this much of its energy, in dB: what rounding to 16 bits and a
#: limiter change is far below, a stem that is missing, late, or at another level is above.
MIXTURE_TOLERANCE = -40

#: What rounding five files to 16 bits may change, RMS: it is more than that of nearly silent music.
ROUNDING = 2 / 32768.

#: Samples that are summed at a time.
PIECE = 1 << 14


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
    tolerance : float
        Seconds by which the length of a file may differ from that of the first.
    mixed : bool
        Whether the first file is the sum of the others.
    scores : tuple of str
        Scores that belong to the sounds.
    longest : bool
        The longest file, not the first, says how long the song is.
    read : callable, optional
        Reads its samples in place of what reads the others'; as `read` of :class:`deepconvsep.features.plan.Dataset`.
    """

    name: str
    subset: str
    paths: tuple[str, ...]
    channels: tuple[int, ...]
    rate: int
    tolerance: float = TOLERANCE
    mixed: bool = False
    scores: tuple[str, ...] = ()
    longest: bool = False
    read: Callable | None = None

    def __str__(self):
        return '%s/%s' % (self.subset, self.name)


def missing_files(song):
    """Paths of the song's files that are not there."""
    return [path for path in song.paths + song.scores if not os.path.isfile(path)]


def check_song(song, whole=False):
    """Find what is damaged in a song.

    Parameters
    ----------
    song : Song
        Files that are missing are passed over; see :func:`missing_files`.
    whole : bool
        Read every sample and every note; otherwise only the headers.

    Returns
    -------
    length : int
        Samples of the file that says how long the song is; 0 when it cannot be read.
    problems : list of str
        A line each: files that cannot be read, are empty or cut off, hold NaN, have a wrong rate or number of
        channels, or another length than the song; with `whole`, also a mixture that is not the sum of its stems.
    """
    lengths, seconds, problems = {}, {}, []
    for path in song.paths:
        if not os.path.isfile(path):
            continue
        try:
            with audio.Reader(path) as reader:
                problems += _check_header(reader, song)
                if whole and not reader.cut_off:
                    collections.deque(reader.blocks(), maxlen=0)
                seconds[path] = reader.frames / reader.rate
                lengths[path] = reader.frames
                reader.check_whole()
        except InputError as error:
            problems.append(command.one_line(error))
    model = max(seconds, key=seconds.get, default=None) if song.longest else song.paths[0] if song.paths else None
    length, expected = lengths.get(model, 0), seconds.get(model)
    for path, duration in seconds.items():
        if expected and duration and abs(duration - expected) > song.tolerance:
            problems.append('%s lasts %.3f s, expected %.3f s as %s: restore the one that is wrong'
                            % (path, duration, expected, model))
    if whole:
        problems += _check_scores(song)
        if song.mixed and length and not problems and not missing_files(song):
            blocks = read_downmixed(song.paths, length, 30 * song.rate, song.rate)
            problems += mixture_problems(song, sum(energies(block) for block in blocks))
    return length, problems


def _check_scores(song):
    """Yield the problems of the scores that are there."""
    for path in song.scores:
        if os.path.isfile(path):
            try:
                read_score(path)
            except InputError as error:
                yield command.one_line(error)


def energies(block):
    """What :func:`mixture_problems` needs of a block (samples, 1 + sources): the mixture, then its stems.

    Returns
    -------
    ndarray of float64, shape (3,)
        Samples, energy of the mixture, energy of the difference between the mixture and the sum of its stems.
    """
    mixture = difference = 0.
    for start in range(0, len(block), PIECE):   # what stays in the cache
        whole, *stems = block[start:start + PIECE].T
        rest = whole - sum(stems)
        mixture, difference = mixture + np.dot(whole, whole), difference + np.dot(rest, rest)
    return np.array([len(block), mixture, difference])


def mixture_problems(song, total):
    """Whether a mixture is the sum of its stems: no line, or one that says how far it is from that.

    Parameters
    ----------
    song : Song
    total : ndarray of float64, shape (3,)
        The sum of the :func:`energies` of all blocks of the song.

    Returns
    -------
    list of str
        A line when the difference has more than :data:`MIXTURE_TOLERANCE` of the mixture's energy.
    """
    samples, mixture, difference = total
    if difference <= max(mixture * 10 ** (MIXTURE_TOLERANCE / 10.), samples * ROUNDING ** 2):
        return []
    level = 10 * np.log10(difference / mixture) if mixture else np.inf
    return ['%s is not the sum of its stems: the difference has %.1f dB of its energy, expected %d dB or less: restore '
            'the file that is wrong' % (song.paths[0], level, MIXTURE_TOLERANCE)]


def _check_header(reader, song):
    """Yield the problems that show in the header of one file."""
    if reader.rate != song.rate:
        yield '%s has %d Hz, expected %d Hz: resample it' % (reader.path, reader.rate, song.rate)
    if reader.channels not in song.channels:
        yield '%s has %d channels, expected %s: convert it' % (reader.path, reader.channels,
                                                               ' or '.join(map(str, song.channels)))
    if reader.frames == 0:
        yield '%s holds no samples: restore it' % reader.path


def report(dataset, songs, expected, nprocs=1, scheduler=None, quiet=False, problems=()):
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
    problems : sequence of InputError
        What is damaged besides the songs.

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
    damaged = [command.one_line(problem) for problem in problems]
    damaged += [problem for outcome in outcomes for problem in (outcome.result or []) + [outcome.error or '']
               if problem]
    for what in damaged:
        print('damaged: %s' % what)
    print('%d songs and %d files missing, %d damaged' % (absent, len(missing), len(damaged)))
    return 1 if absent or missing or damaged else 0


def _problems(song):
    return check_song(song, whole=True)[1]


# --- samples ------------------------------------------------------------------------------------------

def read_downmixed(paths, length, size, rate, downmix='mean'):
    """Read a file for each row, mixed down to one channel.

    Files that are a little longer or shorter than `length` are cut or completed with zeros.

    Parameters
    ----------
    paths : list of str
    length : int
        Samples in total.
    size : int
        Samples of a block.
    rate : int
        In Hz.
    downmix : str
        As in :func:`deepconvsep.audio.downmix`.

    Yields
    ------
    ndarray of float64, shape (up to `size`, files)
    """
    with contextlib.ExitStack() as opened:
        readers = [opened.enter_context(audio.Reader(path)) for path in paths]
        # a second at a time stays in the cache, and blocks are whole seconds
        pieces = [reader.blocks(rate) for reader in readers]
        for start in range(0, length, size):
            rows = np.zeros((len(paths), min(size, length - start)))
            for row, reader, seconds in zip(rows, readers, pieces):
                for second in range(0, len(row), rate):
                    part = row[second:second + rate]
                    samples = audio.downmix(next(seconds, np.zeros((0, 1))), downmix)[:len(part)]
                    part[:len(samples)] = samples
                reader.check_whole()
            yield rows.T
