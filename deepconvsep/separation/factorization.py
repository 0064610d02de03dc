"""Non-negative matrix factorisation with notes: a separation that learns the piece's spectra from the piece itself.

The magnitudes V (bins, frames) are approximated by W H, with a column of W for each MIDI number of each instrument. W
starts with the note's harmonics and is 0 beside them, H starts with 1 where the score has the note, widened by its
tolerance, and is 0 elsewhere; the updates multiply, so that what is 0 stays 0. Then each instrument gets the share of
the mixture that its notes have in W H. Without a score, the notes are heard in the stems of a network
(:mod:`deepconvsep.score.heard`).

Sources: S. Ewert and M. Mueller, "Using score-informed constraints for NMF-based source separation", ICASSP 2012
(without its templates of onsets); updates: D. D. Lee and H. S. Seung, "Algorithms for non-negative
matrix factorization", NIPS 2000.
"""
import dataclasses

import numpy as np

from deepconvsep import audio, stft
from deepconvsep.score import heard
from deepconvsep.score.guide import note_array
from deepconvsep.score.heard import FRAMES, TINY
from deepconvsep.separation.masking import NotFinite
from deepconvsep.settings import WINDOWS

ITERATIONS = 50
#: Updates for each instrument alone, on what a network gives it, before those for all together.
ITERATIONS_ALONE = 20
#: How often notes are heard again with what the factorisation has learned.
ROUNDS = 2


class Factorizer:
    """Separates as :class:`deepconvsep.separation.separator.Separator` does, by factorisation.

    The whole sound has to be seen before the first stem comes: with frames of 4096 samples and a hop of 512, a minute
    of it takes about 60 MB.

    Parameters
    ----------
    settings : settings.Settings
        The transform and the downmix.
    separator : Separator, optional
        A network: where given, what it makes of each instrument is what the factorisation starts from.
    ranges : list of (int, int), optional
        Lowest and highest MIDI number of each instrument: what separates without a score needs them, and a network.
    """

    def __init__(self, settings, separator=None, ranges=None):
        self.settings, self.separator, self.ranges = settings, separator, ranges
        self.window = WINDOWS[settings.window](settings.frame_size)

    def stems(self, blocks, guide, stereo=False, accompaniment_of=None):
        """Separate a stream; parameters and what is yielded as of
        :meth:`deepconvsep.separation.separator.Separator.stems`.

        `guide` has, besides, the attribute `notes`, the note array of the piece; without a guide, the notes are heard.
        """
        blocks = [np.asarray(block, np.float32) for block in blocks]
        if not sum(map(len, blocks)):
            return
        magnitudes = self._magnitudes(audio.downmix(block, self.settings.downmix) for block in blocks)
        if guide is not None:
            self._show(guide, magnitudes)
        level = level_of(magnitudes)
        magnitudes /= level
        stems = [] if self.separator is None else [np.asarray(stem, np.float32) / level
                                                   for stem in self.separator.stems(blocks, guide)]
        notes = self._heard(magnitudes, stems) if guide is None else guide.notes
        model = self._model(notes, magnitudes, stems)
        del magnitudes, stems
        yield from self._apply(blocks, model, len(notes), stereo, accompaniment_of)

    def _magnitudes(self, signals):
        """The magnitudes of a signal that comes in pieces, float32, (bins, frames)."""
        analysis = stft.STFT(self.window, self.settings.hop_size)
        parts = [np.abs(analysis.push(signal[None])[0]).astype(np.float32) for signal in signals]
        parts.append(np.abs(analysis.finish()[0]).astype(np.float32))
        found = np.empty((parts[0].shape[1], sum(map(len, parts))), np.float32)
        frame = found.shape[1]
        while parts:   # each is freed when it is copied
            part = parts.pop()
            frame -= len(part)
            found[:, frame:frame + len(part)] = part.T
        return found

    def _show(self, guide, magnitudes):
        """Let the guide see the sound, as it does before a network, so that it can judge the score."""
        for first in range(0, magnitudes.shape[1], FRAMES):
            guide(first, magnitudes[:, first:first + FRAMES].T * self.settings.input_scale)

    def _model(self, notes, magnitudes, stems):
        """What the factorisation finds for the notes; it starts from the stems where there are some."""
        start = constraints(notes, magnitudes.shape, magnitudes.mean())
        if stems:
            start = self._taught(start, stems)
        return factorize(magnitudes, *start)

    def _heard(self, magnitudes, stems):
        """The note array of what the instruments play, heard in the stems that the network gives them."""
        def active(spectra):
            return [heard.activate(self._alone(stems, number), own)
                    for number, own in enumerate(spectra)]

        def array(activations):
            notes = [heard.played(found, lowest, self.settings)
                     for found, (lowest, _) in zip(activations, self.ranges)]
            return note_array(notes, dataclasses.replace(self.settings, score=heard.SETTINGS))

        notes = array(active([heard.harmonic_spectra(*limits, self.settings) for limits in self.ranges]))
        for _ in range(ROUNDS):
            spectra, activations, owners = self._model(notes, magnitudes, stems)
            learned = [heard.learned_spectra(pitches_of(rows), spectra[:, owners == number],
                                             activations[owners == number].sum(axis=1), *limits, self.settings)
                       for number, (rows, limits) in enumerate(zip(notes, self.ranges))]
            notes = array(heard.together(magnitudes, learned, active(learned)))
        return notes

    def _taught(self, start, stems):
        """W and H after updates of each instrument alone, on the stem that the network gives it."""
        spectra, activations, owners = start
        for owner in np.unique(owners):
            own = owners == owner
            spectra[:, own], activations[own], _ = factorize(self._alone(stems, owner), spectra[:, own],
                                                             activations[own], owners[own], ITERATIONS_ALONE)
        return spectra, activations, owners

    def _alone(self, stems, number):
        """The magnitudes of the stem of an instrument."""
        return self._magnitudes(stem[:, number, 0] for stem in stems)

    def _apply(self, blocks, model, instruments, stereo, accompaniment_of):
        """Yield the stems: the masks of the instruments times the mixture, or times each of its channels."""
        analysis, done, frames = None, 0, 0
        synthesis = stft.InverseSTFT(self.window, self.settings.hop_size)

        def spectra():
            nonlocal analysis
            for block in blocks:
                signals = block.T if stereo else audio.downmix(block, self.settings.downmix)[None]
                analysis = analysis or stft.STFT(self.window, self.settings.hop_size, len(signals))
                yield analysis.push(signals)
            yield analysis.finish()

        for spectrum in spectra():
            part = shares(model, instruments, frames, spectrum.shape[1])
            frames += spectrum.shape[1]
            if accompaniment_of is not None:
                part = np.concatenate([part, 1 - part[accompaniment_of:accompaniment_of + 1]])
            samples = synthesis.push(part[:, None] * spectrum)[..., :max(0, analysis.length - done)]
            done += samples.shape[-1]
            yield samples.transpose(2, 0, 1)
        yield synthesis.finish()[..., :max(0, analysis.length - done)].transpose(2, 0, 1)


def level_of(magnitudes):
    """A power of two near the maximum: divided by it, float32 neither overflows nor loses what is soft."""
    largest = magnitudes.max()
    if not np.isfinite(largest):
        raise NotFinite('the sound is too large for float32, expected a full scale of about 1: make it softer')
    return np.float32(2. ** np.frexp(largest)[1] if largest else 1)


def constraints(notes, shape, level=1.):
    """What W and H start with.

    Parameters
    ----------
    notes : ndarray
        Note array; see :mod:`deepconvsep.score.rows`.
    shape : (int, int)
        Bins and frames.
    level : float
        What H starts with where a note sounds.

    Returns
    -------
    spectra : ndarray of float32, shape (bins, notes)
        One for each MIDI number of each instrument.
    activations : ndarray of float32, shape (notes, frames)
    owners : ndarray of int, shape (notes,)
        The instrument of each.
    """
    spectra, activations = {}, {}
    for instrument, rows in enumerate(notes):
        for row in rows[rows[:, 2] > 0].astype(int):
            key = instrument, row[2]
            if key not in spectra:
                spectra[key], activations[key] = (np.zeros(size, np.float32) for size in shape)
                for number, (low, high) in enumerate(row[3:].reshape(-1, 2), 1):
                    spectra[key][low:high] = np.maximum(spectra[key][low:high], 1. / number)
            activations[key][row[0]:row[1]] = level
    return (np.array(list(spectra.values()), np.float32).reshape(-1, shape[0]).T.copy(),
            np.array(list(activations.values()), np.float32).reshape(-1, shape[1]),
            np.array([instrument for instrument, _ in spectra], int))


def pitches_of(rows):
    """The MIDI numbers of an instrument's rows, in the order in which :func:`constraints` has them."""
    return list(dict.fromkeys(rows[rows[:, 2] > 0, 2].astype(int).tolist()))


def factorize(magnitudes, spectra, activations, owners, iterations=ITERATIONS):
    """Update W and H of :func:`constraints` so that W H comes near the magnitudes.

    Parameters
    ----------
    magnitudes : ndarray of float32, shape (bins, frames)
    spectra, activations, owners : ndarray
        As :func:`constraints` returns them; not changed.
    iterations : int

    Returns
    -------
    spectra, activations, owners : ndarray
        The spectra have the sum 1.
    """
    spectra, activations = spectra.copy(), activations.copy()
    blocks = [slice(first, first + FRAMES) for first in range(0, magnitudes.shape[1], FRAMES)]
    for _ in range(iterations):
        columns = spectra.sum(axis=0)[:, None] + TINY
        gradient = np.zeros_like(spectra)
        for block in blocks:
            part = activations[:, block]
            part *= spectra.T @ (magnitudes[:, block] / (spectra @ part + TINY)) / columns
            gradient += (magnitudes[:, block] / (spectra @ part + TINY)) @ part.T
        spectra *= gradient / (activations.sum(axis=1) + TINY)
        sums = spectra.sum(axis=0) + TINY
        spectra /= sums
        activations *= sums[:, None]
    return spectra, activations, owners


def shares(model, instruments, first, count):
    """The masks of the instruments in `count` frames from `first` on: float32, (instruments, frames, bins), of sum 1.

    Where no note claims a bin, all get the same.
    """
    spectra, activations, owners = model
    part = activations[:, first:first + count]
    masks = np.empty((instruments, count, len(spectra)), np.float32)
    for instrument in range(instruments):
        own = owners == instrument
        np.matmul(part[own].T, spectra[:, own].T, out=masks[instrument])
    masks += TINY
    masks /= masks.sum(axis=0)
    return masks
