"""What is wrong with the notes of an instrument, judged by where its pitches sound: times, units, tempo.

The thresholds are between what was seen on renderings (see :mod:`deepconvsep.score.presence`): the share of a right
score, exact or coarse, was 4.7 standard deviations or more above those of its moved copies, and 19 points or more above
the best of them, so that a remedy must do better by :data:`GAIN`, and a score that has none be within :data:`UNCLEAR`.
"""
import dataclasses

import numpy as np

from deepconvsep.score import presence

#: Seconds by which a score may be off, and by which it is moved at least to be at wrong times.
NEAR, FAR = 0.25, 1.
#: Seconds of notes below which nothing is said of them.
LEAST = 3.
#: A remedy lets so much more of the time of the notes sound, and at least so much.
GAIN, ENOUGH = 0.15, 0.5
#: Standard deviations above the shares of moved scores: of a remedy that is the best of many moves, of a unit of time,
#: which is one of few, and below which a score does not match if less than :data:`ENOUGH` of it sounds.
CLEAR, CLEAR_UNIT, UNCLEAR = 6., 4., 3.
#: Slowest and fastest tempo that is tried, and the steps between.
TEMPI, COARSE_STEP, FINE_STEP = 2.5, 0.005, 0.0005
#: Seconds of a piece on which tempi are tried.
EXCERPT = 60.


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The share of the time of notes that sounds, and that with a remedy.

    Parameters
    ----------
    share : float
    matches : bool
    tempo, offset : float
        The remedy: times are to be divided by `tempo`, then `offset` seconds added.
    remedied : float
        Share with the remedy, 0 when there is none.
    """

    share: float
    matches: bool = True
    tempo: float = 1.
    offset: float = 0.
    remedied: float = 0.

    def remedy(self):
        """The remedy in words."""
        words = ['its times divided by %.5g' % self.tempo] if self.tempo != 1. else []
        if abs(self.offset) > NEAR:
            words.append('its times moved by %+.1f s' % self.offset)
        return ' and '.join(words)


def judge(present, notes, rate, units=(), tempi=False):
    """Judge notes by where pitches sound.

    Parameters
    ----------
    present : ndarray of bool, shape (blocks, 128)
        From :func:`deepconvsep.score.presence.pitches`.
    notes : ndarray, shape (notes, 3)
        First block, last block + 1, MIDI number.
    rate : float
        Blocks a second.
    units : tuple of float
        What times may have to be divided by to be seconds.
    tempi : bool
        Look also for a tempo, which takes seconds.

    Returns
    -------
    Verdict
    """
    here = _Moves(present, notes, rate)
    share = here.at(0.)
    # in a wrong unit nearly all lies behind the end, and the little before it may sound by chance
    inside = share * float((notes[:, 0] < len(present)).mean())
    tried = [_verdict(present, notes, rate, factor, inside, CLEAR_UNIT, 0.) for factor in units]
    tried.append(_verdict(present, notes, rate, 1., share, CLEAR))
    if tempi and not any(tried) and share < ENOUGH + GAIN:
        tried.append(_verdict(present, notes, rate, _tempo(present, notes, rate), share, CLEAR))
    found = [each for each in tried if each]
    if found:
        return max(found, key=lambda each: each.remedied)
    lost = not (notes[:, 0] < len(present)).any() or (share < ENOUGH and here.deviations(0.) < UNCLEAR)
    return Verdict(share, not lost)


def _verdict(present, notes, rate, factor, share, clear, offset=None):
    """That times are to be divided by a factor and moved (without `offset`, as is best); None when it does not help."""
    moves = _Moves(present, scaled(notes, factor), rate)
    offset = moves.best() if offset is None else offset
    remedied = moves.at(offset)
    helps = moves.deviations(offset) > clear and remedied > max(share + GAIN, ENOUGH)
    return Verdict(share, False, factor, offset, remedied) if helps else None


def scaled(notes, factor):
    """Notes with their times divided by a factor."""
    return np.column_stack([notes[:, 0] / factor, notes[:, 1] / factor, notes[:, 2]])


class _Moves:
    """The shares of notes moved by any time."""

    def __init__(self, present, notes, rate):
        self._shares, self._time = presence.moved_shares(present, notes)
        self._rate, count = rate, len(self._shares)
        moves = np.arange(count)
        self._seconds = np.where(moves < count // 2, moves, moves - count) / rate
        # where a good part of the notes lies in the sound
        self._usable = (self._time >= LEAST * rate) & (self._time >= self._time.max(initial=0) / 2)

    def at(self, offset):
        """The best share near a move; 0 when too few notes are in the sound."""
        near = (np.abs(self._seconds - offset) <= NEAR) & (self._time >= LEAST * self._rate)
        return float(self._shares[near].max(initial=0.))

    def best(self):
        """The move with the largest share, in seconds."""
        return float(self._seconds[np.where(self._usable, self._shares, -1.).argmax()])

    def deviations(self, offset):
        """Standard deviations by which the share at a move stands out of those at others; infinite if unknown."""
        far = self._usable & (np.abs(self._seconds - offset) > FAR)
        here = self._time[np.abs(self._seconds - offset).argmin()]
        if far.sum() < 2 * FAR * self._rate or here < LEAST * self._rate:
            return np.inf if offset == 0. else 0.  # too short to tell: no complaint, no remedy
        others = self._shares[far]
        return (self.at(offset) - others.mean()) / max(others.std(), 1e-9)


def _tempo(present, notes, rate):
    """The factor that times are to be divided by so that most of the time of the notes sounds, moved in any way."""
    present = present[:int(EXCERPT * rate)]

    def best(factors):
        def value(factor):
            moves = _Moves(present, scaled(notes, factor), rate)
            return moves.at(moves.best())
        return max(factors, key=value)
    steps = np.arange(-np.log(TEMPI), np.log(TEMPI), COARSE_STEP)
    coarse = best(np.exp(steps))
    return float(best(coarse * np.exp(np.arange(-COARSE_STEP, COARSE_STEP + FINE_STEP, FINE_STEP))))
