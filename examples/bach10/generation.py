"""Generated training data: combinations of factors, drawn by seed, and notes mixed from instrument samples.

A *case* is what one source is played with; a *combination* gives each of the four sources a case. Method: Miron,
Janer, Gomez, SMC 2017, section 3.
"""
import itertools
import re
import zlib
from typing import NamedTuple

import numpy as np

from deepconvsep.score import midi2str
from examples.bach10 import recipe


class Case(NamedTuple):
    """Factors of one source: seconds that its notes are widened by at both ends, and which samples play them."""

    time_shift: float
    dynamics: str
    style: str
    musician: int


# --- combinations -------------------------------------------------------------------------------------

def rwc_cases(time_shifts):
    """All cases of the RWC experiment, 27 with three time shifts, 9 with one, in the original's order."""
    return [Case(*case) for case in itertools.product(time_shifts, recipe.DYNAMICS, recipe.STYLES, recipe.MUSICIANS)]


def count_permutations(cases, size=4):
    """Number of ways to give `size` sources different cases.

    >>> count_permutations(rwc_cases([0., .1, .2])), count_permutations(rwc_cases([0.]))
    (421200, 3024)
    """
    return int(np.prod(range(len(cases) - size + 1, len(cases) + 1)))


def permutation(cases, index, size=4):
    """Permutation number `index` of `size` of the cases, in the order of `itertools.permutations`, without the others.

    >>> permutation('abcde', 37, size=3), list(itertools.permutations('abcde', 3))[37]
    (('d', 'a', 'c'), ('d', 'a', 'c'))
    """
    left = list(cases)
    chosen = []
    for place in range(size):
        following = count_permutations(left[1:], size - place - 1)
        chosen.append(left.pop(index // following))
        index %= following
    return tuple(chosen)


def draw(cases, number, seed, piece, size=4):
    """Draw different permutations of the cases for a piece, the same first ones whatever the number.

    Parameters
    ----------
    cases : list
    number : int
        How many at most.
    seed : int
    piece : str
        Another piece gets other permutations.

    Returns
    -------
    list of tuple
    """
    generator = np.random.default_rng([seed, zlib.crc32(piece.encode())])
    total = count_permutations(cases, size)
    chosen = {}  # keeps the order
    while len(chosen) < min(number, total):
        chosen[int(generator.integers(total))] = None
    return [permutation(cases, index, size) for index in chosen]


def delays(time_shifts, size=4):
    """All ways to delay the sources, but those that delay all alike (unless there is no other).

    >>> len(delays([0., .1, .2])), len(delays([0.]))
    (78, 1)
    """
    ways = list(itertools.product(time_shifts, repeat=size))
    return [way for way in ways if len(set(way)) > 1] or ways


def describe_times(times):
    """Times of the sources as part of a file name, in milliseconds: ``t0-100-200-0``."""
    return 't' + '-'.join('%d' % round(1000 * time) for time in times)


def parse_times(text):
    """The inverse of :func:`describe_times`; None when it is something else.

    >>> parse_times('t0-100-200-0')
    (0.0, 0.1, 0.2, 0.0)
    """
    match = re.fullmatch(r't(\d{1,6}(?:-\d{1,6})*)', text)
    return tuple(int(time) / 1000 for time in match[1].split('-')) if match else None


def describe(combination):
    """A combination as part of a file name: times in milliseconds, dynamics, styles (if not NO), musicians.

    >>> describe([Case(0., 'F', 'NO', 1), Case(.1, 'M', 'NO', 3), Case(.2, 'P', 'NO', 1), Case(0., 'F', 'NO', 2)])
    't0-100-200-0_dFMPF_m1312'
    """
    styles = [case.style for case in combination]
    return '_'.join([describe_times(case.time_shift for case in combination),
                     'd' + ''.join(case.dynamics for case in combination)]
                    + (['s' + '-'.join(styles)] if set(styles) != {'NO'} else [])
                    + ['m' + ''.join(str(case.musician) for case in combination)])


def parse(text):
    """The inverse of :func:`describe`; None when it describes no combination.

    >>> parse('t0-100_dFM_m13') == (Case(0., 'F', 'NO', 1), Case(.1, 'M', 'NO', 3))
    True
    """
    match = re.fullmatch(r'(t[\d-]+)_d([A-Z]+)(?:_s([A-Z]+(?:-[A-Z]+)*))?_m(\d+)', text)
    times = match and parse_times(match[1])
    if not times:
        return None
    styles = match[3].split('-') if match[3] else ['NO'] * len(times)
    if not len(times) == len(match[2]) == len(styles) == len(match[4]):
        return None
    return tuple(Case(*case) for case in zip(times, match[2], styles, map(int, match[4])))


# --- notes to sound -----------------------------------------------------------------------------------

class Event(NamedTuple):
    """A note to be played: first sample, longest duration in seconds, MIDI number."""

    start: int
    duration: float
    midi: int


def widened(notes, time_shift, length):
    """Events of notes (of `cut_notes`), widened at both ends but kept within `length` seconds."""
    for onset, offset, midi in notes:
        begin, end = max(0., onset - time_shift), min(length, offset + time_shift)
        yield Event(int(begin * recipe.SAMPLE_RATE), end - begin, midi)


def play(events, instrument, case, length, legacy=False):
    """Play the notes of one source with the samples of an instrument.

    Parameters
    ----------
    events : iterable of Event
    instrument : rwc.Instrument
    case : Case
    length : int
        Samples of the result; what sounds beyond is cut.
    legacy : bool
        A note silences what is still sounding where it begins, as in the original; else they are mixed.

    Returns
    -------
    signal : numpy.ndarray
        float64, (length,).
    missing : list of (Event, str)
        Notes that the instrument does not have, and which it is.
    """
    signal, missing = np.zeros(length), []
    for event in events:
        note = instrument.getNote(event.midi, case.dynamics, case.style, case.musician)
        if note is None:
            missing.append((event, 'no sample of %s %s, dynamics %s, style %s, musician %s' % (
                instrument.instrumentName, midi2str(event.midi), case.dynamics, case.style, case.musician)))
            continue
        samples = note.getAudio(max_duration=event.duration)[:max(length - event.start, 0)]
        place = slice(event.start, event.start + len(samples))
        signal[place] = samples if legacy else signal[place] + samples
    return signal, missing


def with_mixture(stems):
    """(samples, 1 + sources): the sum of the stems, then the stems."""
    stems = np.array(stems).T
    return np.hstack([stems.sum(axis=1, keepdims=True), stems])
