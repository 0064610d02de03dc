"""Pieces played from their scores with instrument samples: what is to be played, of what, and its features."""
import functools
import math
import os
import re
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

import rwc
from deepconvsep import stft
from deepconvsep.errors import InputError
from deepconvsep.features import folder, making
from deepconvsep.features.plan import Plan, is_current
from deepconvsep.features.tensors import MAGNITUDES
from deepconvsep.score import cut_notes, read_score
from examples.bach10 import generation, recipe


@dataclass(frozen=True)
class Rendering(Plan):
    """A piece that is played in one combination; its feature files are chunks."""

    combination: tuple[generation.Case, ...]
    chunks: tuple[tuple[int, int], ...]   # first and last + 1 sample
    samples: str                          # folder of the instrument samples


# --- plans --------------------------------------------------------------------------------------------

class Planner:
    """Makes the plans of pieces.

    Parameters
    ----------
    args : argparse.Namespace
        With --db, --rwc, --feature_path, --chunk_size and --dtype.
    legacy : bool
        Whether it is played as the original did; then files are shorter by the largest time shift.
    """

    def __init__(self, args, legacy=False):
        self.args, self.legacy = args, legacy
        self.files = [self._files_by_case(instrument) for instrument in instruments(args.rwc)]

    def _files_by_case(self, instrument):
        """What the notes of each dynamics, style and musician are made from: sounds and their descriptions."""
        found = {}
        for note in instrument.notes:
            found.setdefault((note.dynamics, note.style, note.case), set()).update(
                (note.wav_path, os.path.join(self.args.rwc, 'mat', note.code + '.mat')))
        return found

    def plan(self, piece, length, combination):
        """The plan of one combination.

        Parameters
        ----------
        piece : deepconvsep.features.songs.Song
            With scores; its subset is the timing.
        length : float
            Seconds.
        combination : tuple of generation.Case
        """
        args = self.args
        name = '%s_%s' % (piece.name, generation.describe(combination))
        chunks = cut(length, args.chunk_size)
        used = set().union(*(files.get(tuple(case[1:]), ()) for files, case in zip(self.files, combination)))
        sources = folder.sources(args.db, piece.scores) + folder.sources(args.rwc, sorted(used), folder.SAMPLES)
        shorter = int(max(case.time_shift for case in combination) * recipe.SAMPLE_RATE) if self.legacy else 0
        settings = dict(folder.transform_settings(recipe.SETTINGS), dtype=np.dtype(args.dtype).name,
                        combination=[list(case) for case in combination], legacy=self.legacy)
        place = os.path.join(args.feature_path, piece.name, piece.subset)
        return Rendering(
            song=replace(piece, name=name),
            paths=tuple(os.path.join(place, '%s_%d.data' % (name, number)) for number in range(len(chunks))),
            shapes=tuple((1 + len(recipe.SOURCES), stft.frame_count(end - begin - shorter, recipe.HOP_SIZE),
                          recipe.FRAME_SIZE // 2 + 1) for begin, end in chunks),
            length=chunks[-1][1], size=int(args.chunk_size * recipe.SAMPLE_RATE), in_blocks=True,
            dtype=np.dtype(args.dtype),
            origins=tuple(folder.Origin(sources, dict(settings, begin=begin, end=end)) for begin, end in chunks),
            combination=tuple(combination), chunks=tuple(chunks), samples=args.rwc)


def found(place, piece, cases):
    """The combinations of these cases whose features lie in the folder of a piece, by the names of their files."""
    name = re.compile(re.escape(piece) + r'_(.+)_\d+' + MAGNITUDES + r'\.data')
    matches = [name.fullmatch(entry) for entry in sorted(os.listdir(place))] if os.path.isdir(place) else []
    combinations = [generation.parse(match[1]) for match in matches if match]
    return list(dict.fromkeys(combination for combination in combinations
                              if combination and len(combination) == len(recipe.SOURCES)
                              and set(combination) <= set(cases)))


def cut(length, chunk_size):
    """First and last + 1 sample of the chunks of a piece; the last is shorter, but at least one second long.

    >>> cut(100., 45.), cut(90.5, 45.)
    ([(0, 1984500), (1984500, 3969000), (3969000, 4410000)], [(0, 1984500), (1984500, 3991050)])
    """
    end = math.ceil(length * recipe.SAMPLE_RATE)
    size = int(chunk_size * recipe.SAMPLE_RATE)
    starts = list(range(0, end, size))
    if len(starts) > 1 and end - starts[-1] < recipe.SAMPLE_RATE:
        starts.pop()
    return list(zip(starts, starts[1:] + [end]))


def piece_length(scores, piece):
    """Seconds to the end of the last note."""
    length = max((note.offset for notes in scores for note in notes), default=0.)
    if not length:
        raise InputError('%s: its scores hold no notes' % piece)
    return length


# --- the work -----------------------------------------------------------------------------------------

def instruments(path):
    """The four instruments; read once in each process, and again when one of the descriptions has changed."""
    return _read_instruments(path, _dates(os.path.join(path, 'mat')))


def _dates(place):
    """Names, sizes and dates of what is in a folder."""
    try:
        with os.scandir(place) as entries:
            return frozenset((entry.name, entry.stat().st_size, entry.stat().st_mtime_ns) for entry in entries)
    except OSError:   # whoever reads the files says so
        return frozenset()


@functools.lru_cache(maxsize=1)
def _read_instruments(path, dates):
    return read_instruments(path)


def read_instruments(path, problems=None):
    """Read the four instruments; `problems` as of :class:`rwc.Instrument`."""
    return [rwc.Instrument(path, rwc.INSTRUMENTS[name], list(recipe.STYLES), list(recipe.MUSICIANS),
                           list(recipe.DYNAMICS), problems) for name in recipe.INSTRUMENTS]


def compute(overwrite, play, plan):
    """Play one combination of one piece and compute the features of its chunks, unless they are there.

    Parameters
    ----------
    overwrite : bool
    play : callable or None
        In place of :func:`render`, for one chunk after the other.
    plan : Rendering

    Returns
    -------
    collections.Counter
        Chunks that were ``'written'``, ``'kept'``, or left out, by reason: a sample is missing.
    """
    keep = [not overwrite and is_current(plan, index) for index in range(len(plan.paths))]
    counts = Counter(kept=sum(keep))
    if all(keep):
        return counts
    try:
        records = [origin.record() for origin in plan.origins]
        for index, signals, missing in _played(play, plan, keep):
            plan.origins[index].check(records[index])
            folder.discard(plan.paths[index])
            if not missing:
                making.save_magnitudes(plan.paths[index], signals, recipe.SETTINGS, plan.dtype, records[index])
            counts[missing[0][1] if missing else 'written'] += 1
        making.check(plan, records)
    except (InputError, OSError, MemoryError) as error:
        raise making.failure(plan, error) from error
    return counts


def _played(play, plan, keep):
    """Yield number, signals and missing notes of the chunks that are not to be kept."""
    scores, samples = [read_score(path) for path in plan.song.scores], instruments(plan.samples)
    if not play:
        whole, lost = render(scores, samples, plan.combination, plan.length)
    for index, (begin, end) in enumerate(plan.chunks):
        if keep[index]:
            continue
        if play:
            yield (index, *play(scores, samples, plan.combination, end - begin, begin / recipe.SAMPLE_RATE))
        else:
            yield index, whole[begin:end], [
                (event, reason) for event, reason in lost
                if event.start < end and event.start + event.duration * recipe.SAMPLE_RATE > begin]


def render(scores, samples, combination, length, begin=0., legacy=False):
    """Play a piece, or a stretch of it.

    Parameters
    ----------
    scores : list of list of score.Note
        One list a source.
    samples : list of rwc.Instrument
    combination : tuple of generation.Case
    length : int
        Samples.
    begin : float
        Seconds.
    legacy : bool
        As the original: a note silences the one before it where they overlap, times are rounded to float32, and the
        result is shorter by the largest time shift.

    Returns
    -------
    signals : numpy.ndarray
        float64, (length, 1 + sources): mixture and sources.
    missing : list of (generation.Event, str)
        Notes that there are no samples of, and which.
    """
    seconds = length / recipe.SAMPLE_RATE
    if legacy:
        scores = [[note._replace(onset=float(np.float32(note.onset)), offset=float(np.float32(note.offset)))
                   for note in notes] for notes in scores]
        length -= int(max(case.time_shift for case in combination) * recipe.SAMPLE_RATE)
    played = []
    for notes, instrument, case in zip(scores, samples, combination):
        events = generation.widened(cut_notes(notes, begin, begin + seconds), case.time_shift, seconds)
        played.append(generation.play(events, instrument, case, length, legacy))
    return generation.with_mixture([signal for signal, _ in played]), [each for _, lost in played for each in lost]
