"""What masks could do at best: the separation of a sum by one who has the stems."""
import numpy as np

from deepconvsep import stft

FRAME, HOP = 2048, 512   # samples
BLOCK = 1 << 16   # samples at a time


def separate(stems, window=None, hop_size=HOP, block=BLOCK):
    """Separate the sum of stems with ideal ratio masks: of each bin the share of a stem's magnitude in that of all.

    Parameters
    ----------
    stems : ndarray, shape (sources, samples)
    window : ndarray, optional
        Of the STFT, as long as its frames. Default: a Hann window of 2048 samples.
    hop_size : int, optional
        In samples.
    block : int, optional
        Samples that are transformed at a time; the result does not depend on it.

    Returns
    -------
    ndarray of float64
        Same shape; they add up to the sum where any source sounds.

    Examples
    --------
    Signals that share no bin come out as they were:

    >>> time = np.arange(44100) / 44100.
    >>> tones = np.stack([np.sin(2 * np.pi * 440 * time), np.sin(2 * np.pi * 3000 * time)])
    >>> bool(np.abs(separate(tones) - tones)[:, 4096:-4096].max() < 1e-3)
    True
    """
    window = np.hanning(FRAME) if window is None else window
    analysis = stft.STFT(window, hop_size, len(stems))
    synthesis = stft.InverseSTFT(window, hop_size)
    found = []

    def add(spectra):
        magnitudes = np.abs(spectra)
        shares = magnitudes / np.maximum(magnitudes.sum(axis=0), np.finfo(float).tiny)
        found.append(synthesis.push(shares * spectra.sum(axis=0)))

    for start in range(0, stems.shape[1], block):
        add(analysis.push(np.asarray(stems[:, start:start + block], float)))
    add(analysis.finish())
    found.append(synthesis.finish())
    return np.concatenate(found, axis=1)[:, :stems.shape[1]]
