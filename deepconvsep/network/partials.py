"""Where the harmonics of notes lie in a spectrum, and sums over them: NumPy and SciPy only.

A *row* is a MIDI number that an instrument plays somewhere in a window of frames. The harmonic number k of the MIDI
number p has a lobe around the bin of its frequency, a Gaussian that is as wide as the main lobe of a Blackman-Harris
window and grows with the frequency, for vibrato and for notes that are out of tune.
"""
import functools
from typing import NamedTuple

import numpy as np

from deepconvsep.score.masks import PITCHES
from deepconvsep.score.notes import midi2freq

#: Bins of a lobe, and its width (standard deviation) in bins: at least, and as a share of the frequency (10 cents).
BINS, WIDTH, SPREAD = 9, 1., .006
#: Where a lobe has less weight than this in all, it is beyond the spectrum.
LEAST = 1e-3


class Rows(NamedTuple):
    """The rows of some windows.

    Attributes
    ----------
    pitches : ndarray of int64, shape (rows,)
        MIDI numbers.
    groups : ndarray of int64, shape (rows,)
        ``window * instruments + instrument``.
    sounding : ndarray, shape (rows, frames)
        1 where the pitch sounds, 0 elsewhere.
    """

    pitches: np.ndarray
    groups: np.ndarray
    sounding: np.ndarray


def find_rows(roll):
    """The rows of piano rolls.

    Parameters
    ----------
    roll : ndarray, shape (windows, frames, instruments * PITCHES)

    Returns
    -------
    Rows
        At least one: without any note it is one that never sounds.

    Examples
    --------
    >>> roll = np.zeros((1, 3, 2 * PITCHES))
    >>> roll[0, 1:, 69] = roll[0, 0, PITCHES + 60] = 1
    >>> find_rows(roll).pitches.tolist(), find_rows(roll).groups.tolist(), find_rows(roll).sounding.tolist()
    ([69, 60], [0, 1], [[0.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
    """
    windows, frames, width = roll.shape
    window, column = np.nonzero(roll.any(axis=1))
    if not len(window):
        window, column = np.zeros((2, 1), int)
    instrument, pitches = column // PITCHES, column % PITCHES
    return Rows(pitches.astype(np.int64), (window * (width // PITCHES) + instrument).astype(np.int64),
                np.ascontiguousarray(roll[window, :, column]))


class Partials:
    """The lobes of the harmonics of all MIDI numbers.

    Parameters
    ----------
    feat_size : int
        Bins.
    sample_rate : int
        Hz.
    harmonics : int
        Of each.
    """

    def __init__(self, feat_size, sample_rate, harmonics):
        self.feat_size, self.sample_rate, self.harmonics = feat_size, sample_rate, harmonics
        self._known = {}

    def lobes(self, pitch):
        """The bins of each harmonic of a MIDI number, and their weights.

        Returns
        -------
        bins : ndarray of int32, shape (harmonics, BINS)
        weights : ndarray of float32, shape (harmonics, BINS)
            1 at a harmonic's frequency; 0 where the spectrum has no such bin.
        """
        if pitch not in self._known:
            centre = midi2freq(pitch) * np.arange(1, self.harmonics + 1)[:, None] * 2 * (self.feat_size - 1)
            centre = centre / self.sample_rate
            bins = np.round(np.minimum(centre, self.feat_size + BINS)).astype(np.int32) + np.arange(BINS) - BINS // 2
            there = (bins >= 0) & (bins < self.feat_size)
            weights = np.exp(-(bins - centre) ** 2 / (2 * (WIDTH + (SPREAD * centre) ** 2))) * there
            weights *= weights.sum(axis=1, keepdims=True) > LEAST
            self._known[pitch] = bins.clip(0, self.feat_size - 1), weights.astype(np.float32)
        return self._known[pitch]

    def collect(self, spectra, numbers, pitches, averaged=True):
        """The power at each harmonic.

        Parameters
        ----------
        spectra : ndarray, shape (spectra, frames, feat_size)
        numbers, pitches : ndarray of int, shape (rows,)
            The spectrum of each row, and its MIDI number. Numbers do not fall.
        averaged : bool
            The mean over the lobe, by its weights; False: the sum.

        Returns
        -------
        ndarray, shape (rows, frames, harmonics)

        Examples
        --------
        >>> partials, spectrum = Partials(2049, 44100, 2), np.zeros((1, 1, 2049))
        >>> spectrum[0, 0, 80:84] = 1
        >>> partials.collect(spectrum, [0], [69]).round(2).tolist()
        [[[0.0, 0.93]]]
        """
        found = np.empty((len(pitches), spectra.shape[1], self.harmonics), spectra.dtype)
        for number, part in _runs(numbers):
            lobes = self._matrix(pitches[part], averaged, spectra.dtype)
            of_all = lobes @ np.ascontiguousarray(spectra[number].T)
            found[part] = of_all.reshape(-1, self.harmonics, spectra.shape[1]).transpose(0, 2, 1)
        return found

    def spread(self, values, numbers, pitches, count, averaged=False):
        """Spectra with so much power at each harmonic: the transpose of :meth:`collect`.

        Parameters
        ----------
        values : ndarray, shape (rows, frames, harmonics)
        numbers, pitches, averaged
            As there.
        count : int
            Spectra.

        Returns
        -------
        ndarray, shape (count, frames, feat_size)
        """
        spectra = np.zeros((count, values.shape[1], self.feat_size), values.dtype)
        for number, part in _runs(numbers):
            lobes = self._matrix(pitches[part], averaged, values.dtype)
            stacked = np.ascontiguousarray(values[part].transpose(0, 2, 1)).reshape(-1, values.shape[1])
            spectra[number] = (lobes.T @ stacked).T
        return spectra

    def _matrix(self, pitches, averaged, dtype):
        """The lobes of the harmonics of some MIDI numbers, a row for each, as a sparse matrix."""
        import scipy.sparse  # here: only this network needs it
        bins, weights = (np.concatenate(parts) for parts in zip(*(self.lobes(int(pitch)) for pitch in pitches)))
        if averaged:
            weights = weights / (weights.sum(axis=1, keepdims=True) + LEAST)
        return scipy.sparse.csr_matrix((weights.astype(dtype).ravel(), bins.ravel(), np.arange(0, bins.size + 1, BINS)),
                                       shape=(len(bins), self.feat_size))


def _runs(numbers):
    """Yield each of the rising numbers with the slice in which it stands."""
    starts = np.flatnonzero(np.diff(numbers, prepend=-1))
    for start, stop in zip(starts, [*starts[1:], len(numbers)]):
        yield numbers[start], slice(start, stop)


@functools.lru_cache
def partials_of(network):
    """The lobes that a harmonic network looks at."""
    return Partials(network.feat_size, network.sample_rate, network.harmonics)
