"""The notes of instruments that play one note at a time, heard in stems of them that need not be clean.

The magnitudes of a stem are approximated by fixed harmonic spectra, one for each MIDI number of the instrument's range,
and the path of the strongest is followed through a hidden Markov model in which to change the note costs. Source of
both: J.-L. Durrieu, G. Richard, B. David and C. Fevotte, "Source/filter model for unsupervised main melody extraction
from polyphonic audio signals", IEEE TASLP 2010, sections III and IV, here without the filter.

Once a factorisation with these notes has learned how the instruments sound, they are heard again with spectra that have
the harmonics of each, in the mixture rather than in the stems. A pitch that is off by an octave does little harm to a
factorisation, whose spectra adapt; what counts is that a note keeps its spectrum from its beginning to its end.
"""
import numpy as np

from deepconvsep.score.notes import Note
from deepconvsep.score.rows import slicefft_slices
from deepconvsep.score.timbre import nearness
from deepconvsep.settings import ScoreSettings

#: How heard notes become a note array: their ends are less certain than their pitches.
SETTINGS = ScoreSettings(tolerance=.1, fermata=.2)

#: Below the magnitude of any sound.
TINY = 1e-12
#: Updates of the activations in a stem, and in the mixture with those of all instruments.
ITERATIONS, ITERATIONS_TOGETHER = 25, 30
#: Share of the mean magnitude that an activation has at least before the updates in the mixture.
LEAST = 1e-3
#: Semitones within which the notes of an instrument sound alike (standard deviation); and what farther ones count.
ALIKE, FARTHER = 4., 1e-4
#: Share of a spectrum that each harmonic has at least.
WEAKEST = 1e-3
#: Frames at a time: their products stay small beside the spectrogram.
FRAMES = 2048
#: Share of a frame that every pitch has at least, in the likelihood of the path.
FLOOR = .05
#: Logarithm of the likelihood of silence where there is sound; and what it costs to change the note.
SILENCE, CHANGE = -4., 8.
#: Share of the mean level below which a frame is silent.
QUIET = .03
#: Seconds of the shortest note.
SHORTEST = .06


def played(activations, lowest, settings):
    """The notes that an instrument plays.

    Parameters
    ----------
    activations : ndarray of float32, shape (pitches, frames)
        Of the MIDI numbers from `lowest` on; see :func:`activate`.
    lowest : int
    settings : settings.Settings
        The transform that the frames are of.

    Returns
    -------
    list of deepconvsep.score.Note
        Times in seconds, none of which overlap.
    """
    pitches, frames = activations.shape
    if not frames:
        return []
    level = activations.sum(axis=0)
    silence = np.where(level <= QUIET * level.mean(), 0., SILENCE)
    path = best_path(np.vstack([np.log(activations / (level + TINY) + FLOOR), silence]), CHANGE)
    rate = settings.sample_rate / settings.hop_size
    edges = np.concatenate([[0], np.flatnonzero(np.diff(path)) + 1, [frames]])
    # half a frame later, so that rounding down gives the frame
    return [Note((begin + .5) / rate, (end + .5) / rate, lowest + int(path[begin]))
            for begin, end in zip(edges, edges[1:]) if path[begin] < pitches and end - begin >= SHORTEST * rate]


def harmonics(pitch, settings):
    """The bins of each harmonic of a MIDI number, as slices."""
    return slicefft_slices(pitch, settings.frame_size, SETTINGS.interval, SETTINGS.tuning, SETTINGS.nharmonics,
                           sampleRate=settings.sample_rate, legacy=False)


def harmonic_spectra(lowest, highest, settings):
    """Spectra of sum 1 of MIDI numbers, (bins, pitches): the k-th harmonic's bins have 1 / k."""
    spectra = np.zeros((settings.frame_size // 2 + 1, highest - lowest + 1), np.float32)
    for column, pitch in zip(spectra.T, range(lowest, highest + 1)):
        for number, bins in enumerate(harmonics(pitch, settings), 1):
            column[bins] = np.maximum(column[bins], 1 / number)
    return spectra / spectra.sum(axis=0)


def learned_spectra(pitches, spectra, energies, lowest, highest, settings):
    """Spectra as of :func:`harmonic_spectra` with the harmonics that an instrument was found to have.

    Parameters
    ----------
    pitches : sequence of int
        MIDI numbers.
    spectra : ndarray, shape (bins, len(pitches))
        What was found for them.
    energies : ndarray, shape (len(pitches),)
        How much each counts.
    lowest, highest, settings
        As of :func:`harmonic_spectra`.
    """
    if not np.sum(energies) > 0:
        return harmonic_spectra(lowest, highest, settings)
    strengths = np.zeros((highest - lowest + 1, SETTINGS.nharmonics + 1))     # the last column: energies
    for pitch, spectrum, energy in zip(pitches, spectra.T, energies):
        strengths[pitch - lowest, -1] += energy
        for number, bins in enumerate(harmonics(pitch, settings)):
            strengths[pitch - lowest, number] += energy * spectrum[bins].sum()
    strengths = nearness(len(strengths), ALIKE, FARTHER) @ strengths
    strengths = strengths[:, :-1] / strengths[:, -1:] + WEAKEST
    found = np.zeros((len(spectra), len(strengths)), np.float32)
    for column, pitch, own in zip(found.T, range(lowest, highest + 1), strengths):
        for strength, bins in zip(own, harmonics(pitch, settings)):
            shape = np.hanning(bins.stop - bins.start + 2)[1:-1]
            column[bins] = np.maximum(column[bins], strength * shape / shape.sum())
    return found / found.sum(axis=0)


def activate(magnitudes, spectra, start=None, iterations=ITERATIONS):
    """Activations of spectra of sum 1 by which they come near the magnitudes (Lee and Seung 2000).

    Parameters
    ----------
    magnitudes : ndarray of float32, shape (bins, frames)
    spectra : ndarray of float32, shape (bins, pitches)
    start : ndarray of float32, shape (pitches, frames), optional
        What they are before the updates. Default: all the same.
    iterations : int

    Returns
    -------
    ndarray of float32, shape (pitches, frames)
    """
    found = np.empty((spectra.shape[1], magnitudes.shape[1]), np.float32)
    for first in range(0, magnitudes.shape[1], FRAMES):
        part = magnitudes[:, first:first + FRAMES]
        active = found[:, first:first + FRAMES]
        active[:] = part.mean() if start is None else start[:, first:first + FRAMES]
        for _ in range(iterations):
            active *= spectra.T @ (part / (spectra @ active + TINY))
    return found


def together(magnitudes, spectra, starts):
    """Activations of several instruments in a mixture of them.

    Parameters
    ----------
    magnitudes : ndarray of float32, shape (bins, frames)
    spectra, starts : list of ndarray
        Of each instrument, as of :func:`activate`.

    Returns
    -------
    list of ndarray
    """
    start = np.vstack(starts) + np.float32(LEAST * magnitudes.mean())
    found = activate(magnitudes, np.hstack(spectra), start, ITERATIONS_TOGETHER)
    return np.split(found, np.cumsum([part.shape[1] for part in spectra])[:-1])


def best_path(likelihoods, change):
    """The path of highest likelihood through states in which staying costs nothing (Viterbi).

    Parameters
    ----------
    likelihoods : ndarray, shape (states, frames)
        Logarithms.
    change : float
        What it costs to go to any other state.

    Returns
    -------
    ndarray of int, shape (frames,)

    Examples
    --------
    >>> best_path(np.log([[.9, .4, .9, .1, .1], [.1, .6, .1, .9, .9]]), 1.)
    array([0, 0, 0, 1, 1])
    """
    states, frames = likelihoods.shape
    path = np.zeros(frames, int)
    if not frames:
        return path
    stayed, best, total = np.ones((frames, states), bool), np.zeros(frames, int), likelihoods[:, 0]
    for frame in range(1, frames):
        best[frame] = total.argmax()
        other = total[best[frame]] - change
        stayed[frame] = total >= other
        total = np.maximum(total, other) + likelihoods[:, frame]
    path[-1] = total.argmax()
    for frame in range(frames - 1, 0, -1):
        path[frame - 1] = path[frame] if stayed[frame, path[frame]] else best[frame]
    return path
