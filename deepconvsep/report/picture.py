"""The spectrogram of a whole sound file as a small picture, computed in constant memory for any length.

A picture has no axes: who shows it draws them around it, from :func:`frequencies`.
"""
import numpy as np

from deepconvsep import audio, files, stft

FRAME, HOP = 4096, 1024   # samples
WIDTH, HEIGHT = 1000, 192   # largest size, pixels
LOWEST, HIGHEST = 50., 16000.   # Hz
DYNAMICS = 70.   # dB below the loudest pixel that are still shown
POINTS = 400   # of a waveform
LEVELS = 64   # shades, few, so that the files are small
GROUND = '#10141b'   # colour of silence


def frequencies(rate):
    """The lowest and the highest frequency of a picture, in Hz; the axis between them is logarithmic.

    >>> frequencies(44100), frequencies(8000)
    ((50.0, 16000.0), (50.0, 4000.0))
    """
    return min(LOWEST, rate / 8), min(HIGHEST, rate / 2)


def levels(path):
    """Levels of a file over time and frequency.

    Parameters
    ----------
    path : str
        Channels are averaged.

    Returns
    -------
    ndarray of float64, shape (HEIGHT, up to WIDTH)
        Mean power of a pixel in dB, -200 and more; the lowest frequency first.

    Raises
    ------
    InputError
        When the file cannot be read.
    """
    import scipy.interpolate  # here: it takes longer than all else that a script imports
    analysis = stft.STFT(np.hanning(FRAME), HOP)
    with audio.Reader(path) as reader:
        expected = stft.frame_count(reader.frames, HOP)
        total = np.zeros((min(WIDTH, expected), FRAME // 2 + 1))
        count = np.zeros((len(total), 1))
        seen = 0

        def add(spectrum):
            nonlocal seen
            # a file that is longer than its header says ends in the last column
            columns = np.minimum(np.arange(seen, seen + len(spectrum)) * len(total) // expected, len(total) - 1)
            seen += len(spectrum)
            if len(columns):
                found, starts, sizes = np.unique(columns, return_index=True, return_counts=True)
                total[found] += np.add.reduceat(np.abs(spectrum) ** 2, starts)
                count[found, 0] += sizes

        for block in reader.blocks():
            add(analysis.push(audio.downmix(block)[None])[0])
        add(analysis.finish()[0])
        rate = reader.rate
    power = total / np.maximum(count, 1)
    # power up to each frequency, read at the edges of the pixels: no pixel falls between two bins
    cumulated = np.cumsum(np.pad(power, ((0, 0), (1, 0))), axis=1)
    bins = (np.arange(power.shape[1] + 1) - 0.5) * rate / FRAME
    edges = np.geomspace(*frequencies(rate), HEIGHT + 1)
    density = np.diff(scipy.interpolate.PchipInterpolator(bins, cumulated, axis=1)(edges), axis=1) / np.diff(edges)
    return 10 * np.log10(np.maximum(density.T * rate / FRAME, 1e-20))


def envelope(path, points=POINTS):
    """The largest magnitude in each of `points` parts of a file, as float64 of this shape; channels are averaged.

    Raises
    ------
    InputError
        When the file cannot be read.
    """
    peaks, seen = np.zeros(points), 0
    with audio.Reader(path) as reader:
        for block in reader.blocks():
            samples = np.abs(audio.downmix(block))
            columns = np.minimum(np.arange(seen, seen + len(samples)) * points // max(reader.frames, 1), points - 1)
            np.maximum.at(peaks, columns, samples)
            seen += len(samples)
    return peaks


def shades(colour):
    """A colour map of matplotlib: silence dark, then `colour` (``#rrggbb``), the loudest white."""
    from matplotlib.colors import LinearSegmentedColormap
    return LinearSegmentedColormap.from_list('shades', [(0, GROUND), (0.7, colour), (1, '#ffffff')], N=LEVELS)


def save(path, picture, loudest, colour):
    """Write levels as a PNG file: silence dark, then `colour`, the loudest white.

    Parameters
    ----------
    path : str
    picture : ndarray
        As of :func:`levels`.
    loudest : float
        The level, in dB, that is white. The mixture's, for all its stems, makes them comparable.
    colour : str
        ``#rrggbb``.
    """
    import matplotlib.image
    pixels = shades(colour)(np.clip(1 + (picture[::-1] - loudest) / DYNAMICS, 0, 1), bytes=True)
    with files.atomic_path(path) as temporary:
        matplotlib.image.imsave(temporary, np.ascontiguousarray(pixels), format='png', metadata={'Software': None})
