"""Timbre models: how strong the harmonics of the notes of an instrument are, learned from stems and their notes.

They weigh the harmonics in the masks of a score (:func:`deepconvsep.score.masks.harmonic_canvas`). Source: instrument
models of J. J. Carabias-Orti et al., "Musical instrument sound multi-excitation model for non-negative spectrogram
factorization", IEEE Journal of Selected Topics in Signal Processing 5(6), 2011, here with one spectrum a pitch.
"""
import numpy as np

#: Semitones within which notes of an instrument have alike harmonics (standard deviation), and what farther ones count.
ALIKE, FARTHER = 2., 1e-9
#: Frames at either end of a note that do not count, in which others may sound, and those that must be left.
EDGE, LEAST = 2, 4
#: MIDI numbers.
PITCHES = 128


class TimbreLearner:
    """Learns a timbre model from pieces, one after the other.

    Parameters
    ----------
    instruments : int
    slots : int
        Bin ranges of a note in the note arrays: its harmonics.

    Attributes
    ----------
    slots : int
    counts : ndarray of int64, shape (instruments, 128)
        Notes of each MIDI number that were learned from.

    Examples
    --------
    >>> from deepconvsep.score.notes import Note
    >>> from deepconvsep.score.rows import Grid, note_rows, stack_rows
    >>> notes = stack_rows([note_rows([Note(0., 1., 69)], 86, Grid(nharmonics=2))])
    >>> stems = np.zeros((1, 86, 2049))
    >>> stems[0, :, 41], stems[0, :, 82] = 4., 3.
    >>> learner = TimbreLearner(1, 2)
    >>> learner.add(stems, notes)
    >>> learner.model().shape, learner.model()[0, 60].astype(float).round(2).tolist()
    ((1, 128, 2), [0.84, 0.54])
    """

    def __init__(self, instruments, slots):
        self.slots = slots
        self.counts = np.zeros((instruments, PITCHES), np.int64)
        self._sums = np.zeros((instruments, PITCHES, slots))

    def add(self, stems, notes):
        """Learn from a piece.

        Parameters
        ----------
        stems : ndarray, shape (instruments, frames, bins)
            Magnitudes.
        notes : ndarray, shape (instruments, notes, 2 * slots + 3)
            Note array of a score that is aligned with them.
        """
        for instrument, rows in enumerate(notes):
            for row in rows[rows[:, 2] > 0].astype(int):
                part = stems[instrument, row[0] + EDGE:row[1] - EDGE]
                if len(part) < LEAST:
                    continue
                strengths = np.array([_level(part[:, low:high]) for low, high in row[3:].reshape(-1, 2)])
                norm = np.sqrt((strengths ** 2).sum())
                if norm > 0:   # it sounds
                    self._sums[instrument, row[2]] += strengths / norm
                    self.counts[instrument, row[2]] += 1

    def model(self):
        """The timbre model: the mean over the notes near each MIDI number, those of norm 1.

        Returns
        -------
        ndarray of float32, shape (instruments, 128, slots)
            Zeros for an instrument without notes.
        """
        near = nearness(PITCHES, ALIKE, FARTHER)
        totals = near @ self._sums
        return (totals / np.maximum(self.counts @ near, FARTHER)[..., None]).astype(np.float32)


def nearness(pitches, alike, farther):
    """How much each of successive pitches tells of the sound of each, (pitches, pitches).

    Parameters
    ----------
    pitches : int
    alike : float
        Semitones within which notes sound alike (standard deviation).
    farther : float
        What the farthest ones count.
    """
    numbers = np.arange(pitches)
    return np.exp(-((numbers[:, None] - numbers) / alike) ** 2 / 2) + farther


def _level(part):
    """Root of the mean power of a stretch of bins; 0 where there is none."""
    return np.sqrt((part.astype(float) ** 2).mean()) if part.size else 0.
