"""The score's part in a separation: notes of a piece become the channels of a score-informed network's input.

Source: M. Miron, J. Janer and E. Gomez, "Monaural score-informed source separation for classical music using
convolutional neural networks", ISMIR 2017, section 3.
"""
import dataclasses

import numpy as np

from deepconvsep.score import masks, rows
from deepconvsep.score.match import ScoreMatch

# more frames than any sound has: the notes, not the sound, decide where they end
FOREVER = 10 ** 9

#: Seconds of a score at a time with `legacy`, as the original read it: its frame rate drifts from the true one.
LEGACY_STRETCH = 40.


def note_array(scores, settings, nframes=FOREVER, begin=0., finish=None, before=None, fermata=None):
    """The notes of all instruments of a piece as one note array; see :mod:`deepconvsep.score.rows`.

    Parameters
    ----------
    scores : list of list of score.Note
        One list an instrument.
    settings : settings.Settings
        With `score`.
    nframes : int
        Frames of the spectrogram.
    begin, finish : float
        The stretch of the score, in seconds.
    before, fermata : float or list of float, optional
        Seconds by which notes are widened, and may sound on, of all instruments or of each; default: the settings'
        `tolerance` and `fermata`.

    Returns
    -------
    numpy.ndarray
        float64, (instruments, notes, 2 * nharmonics + 3).
    """
    score = settings.score
    before = np.broadcast_to(score.tolerance if before is None else before, len(scores))
    fermata = np.broadcast_to(score.fermata if fermata is None else fermata, len(scores))
    grid = rows.Grid(settings.sample_rate, settings.hop_size, settings.frame_size, score.interval, score.tuning,
                     score.nharmonics, legacy=score.legacy)
    return rows.stack_rows([
        rows.note_rows(notes, nframes, dataclasses.replace(grid, before=wider, after=wider, fermata=longer),
                       begin, finish) for notes, wider, longer in zip(scores, before, fermata)])


def whole_piece(scores, settings):
    """:func:`note_array` of a piece of any length; with `legacy` in stretches of 40 s."""
    if not settings.score.legacy:
        return note_array(scores, settings)
    end = max((note.offset for notes in scores for note in notes), default=0.)
    stretches = []
    for begin in np.arange(0., max(end, 1.), LEGACY_STRETCH):
        notes = note_array(scores, settings, begin=begin, finish=begin + LEGACY_STRETCH)
        notes[..., :2] += round(begin * settings.sample_rate / settings.hop_size) * (notes[..., 2:3] > 0)
        stretches.append(notes)
    return np.concatenate(stretches, axis=1)


def plain(settings):
    """The settings for notes as the score has them: not widened, at the true times."""
    return dataclasses.replace(settings, score=dataclasses.replace(settings.score, tolerance=0., fermata=0.,
                                                                   legacy=False))


class ScoreGuide:
    """The `guide` of :meth:`deepconvsep.separation.separator.Separator.stems`.

    It gives the mixture times each one's mask or, where the settings ask for notes, the mixture and the piano roll.

    Parameters
    ----------
    scores : list of list of score.Note
        One list an instrument, in the order of the network's channels.
    settings : settings.Settings
        With `score`.
    timbre : ndarray, optional
        As in :func:`deepconvsep.score.masks.harmonic_canvas`.
    names : list of str, optional
        Of the instruments' scores, for warnings.
    traits : list of owners.Traits, optional
        What is known of the instruments.
    played : tuple of float
        The tempo and the offset that the scores have been brought to, for warnings.
    """

    def __init__(self, scores, settings, timbre=None, names=None, traits=None, played=(1., 0.)):
        self.notes, self.timbre, self.score = whole_piece(scores, settings), timbre, settings.score
        self._match = ScoreMatch(whole_piece(scores, plain(settings)), settings, names, traits, played)

    def __call__(self, first, magnitudes):
        """The network's input for the frames from number `first` on: (frames, bins) to (frames, channels, bins)."""
        frames, bins = magnitudes.shape
        self._match.add(first, magnitudes)
        if self.score.notes:
            return masks.beside_roll(magnitudes, masks.piano_roll(self.notes, first, first + frames))
        mask = masks.harmonic_mask(self.notes, first, first + frames, bins, self.timbre, magnitudes.dtype)
        return mask.reshape(frames, len(self.notes), bins) * magnitudes[:, None]

    def limit(self, first, found):
        """Confine the masks that a network found, (instruments, frames, bins), of the frames from number `first` on.

        Where the settings do not ask for it, they are returned as they are.
        """
        if not self.score.confine:
            return found
        instruments, frames, bins = found.shape
        mask = masks.harmonic_mask(self.notes, first, first + frames, bins, self.timbre, found.dtype)
        return masks.confined(found, mask.reshape(frames, instruments, bins).transpose(1, 0, 2))

    def warnings(self):
        """What is wrong with the score, as far as the frames tell; see :mod:`deepconvsep.score.match`."""
        return self._match.warnings()
