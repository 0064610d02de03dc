"""The notes of instruments that play one note at a time, heard in stems of them that need not be clean.

The magnitudes of a stem are approximated by fixed harmonic spectra, one for each MIDI number of the instrument's range,
and the path of the strongest is followed through a hidden Markov model in which to change the note costs. Source of
both: J.-L. Durrieu, G. Richard, B. David and C. Fevotte, "Source/filter model for unsupervised main melody extraction
from polyphonic audio signals", IEEE TASLP 2010, sections III and IV, here without the filter.

A pitch that is off by an octave does little harm to a factorisation, whose spectra adapt; what counts is that a note
keeps its spectrum from its beginning to its end.
"""
import numpy as np

from deepconvsep.score.notes import Note
from deepconvsep.score.rows import slicefft_slices
from deepconvsep.settings import ScoreSettings

#: How heard notes become a note array: their ends are less certain than their pitches.
SETTINGS = ScoreSettings(tolerance=.1, fermata=.2)

#: Below the magnitude of any sound.
TINY = 1e-12
#: Updates of the activations.
ITERATIONS = 25
#: Frames at a time, to keep the products small.
FRAMES = 2048
#: Share of a frame that every pitch has at least, in the likelihood of the path.
FLOOR = .05
#: Logarithm of the likelihood of silence where there is sound; and what it costs to change the note.
SILENCE, CHANGE = -4., 8.
#: Share of the mean level below which a frame is silent.
QUIET = .03
#: Seconds of the shortest note.
SHORTEST = .06


def heard_notes(magnitudes, lowest, highest, settings):
    """The notes that an instrument plays in a stem.

    Parameters
    ----------
    magnitudes : ndarray of float32, shape (bins, frames)
    lowest, highest : int
        MIDI numbers of the instrument's range.
    settings : settings.Settings
        The transform that the magnitudes are of.

    Returns
    -------
    list of deepconvsep.score.Note
        Times in seconds, none of which overlap.
    """
    if not magnitudes.size:
        return []
    spectra = harmonic_spectra(lowest, highest, settings)
    activations = activate(magnitudes, spectra)
    level = activations.sum(axis=0)
    share = activations / (level + TINY)
    silence = np.where(level <= QUIET * level.mean(), 0., SILENCE)
    path = best_path(np.vstack([np.log(share + FLOOR), silence]), CHANGE)
    rate = settings.sample_rate / settings.hop_size
    edges = np.concatenate([[0], np.flatnonzero(np.diff(path)) + 1, [len(path)]])
    # half a frame later, so that rounding down gives the frame
    return [Note((begin + .5) / rate, (end + .5) / rate, lowest + int(path[begin]))
            for begin, end in zip(edges, edges[1:])
            if path[begin] < len(spectra.T) and end - begin >= SHORTEST * rate]


def harmonic_spectra(lowest, highest, settings):
    """Spectra of sum 1, (bins, pitches): the k-th harmonic's bins have 1 / k."""
    spectra = np.zeros((settings.frame_size // 2 + 1, highest - lowest + 1), np.float32)
    for column, pitch in zip(spectra.T, range(lowest, highest + 1)):
        bins = slicefft_slices(pitch, settings.frame_size, SETTINGS.interval, SETTINGS.tuning, SETTINGS.nharmonics,
                               sampleRate=settings.sample_rate, legacy=False)
        for number, harmonic in enumerate(bins, 1):
            column[harmonic] = np.maximum(column[harmonic], 1 / number)
    return spectra / spectra.sum(axis=0)


def activate(magnitudes, spectra):
    """Activations, (pitches, frames), by which the spectra, of sum 1, come near the magnitudes (Lee and Seung 2000)."""
    found = np.empty((spectra.shape[1], magnitudes.shape[1]), np.float32)
    for first in range(0, magnitudes.shape[1], FRAMES):
        part = magnitudes[:, first:first + FRAMES]
        active = np.full((spectra.shape[1], part.shape[1]), part.mean(), np.float32)
        for _ in range(ITERATIONS):
            active *= spectra.T @ (part / (spectra @ active + TINY))
        found[:, first:first + FRAMES] = active
    return found


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
