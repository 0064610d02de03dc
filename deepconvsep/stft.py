"""The short-time Fourier transform and its inverse: of a whole signal, or block by block.

It is centred: frame `n` is centred on sample ``n * hop``. A signal of `L` samples has ``ceil(L / hop) + 2`` frames, and
analysis followed by synthesis returns it exactly. All arithmetic is float64, or float32 where magnitudes of that type
are asked for and in streams with a window of that type. Source: P. Chandna, M. Miron, J. Janer and E. Gomez, "Monoaural
audio source separation using deep convolutional neural networks", LVA/ICA 2017, section 2.
"""
import numpy as np

# samples that go through one FFT call: enough to hide the call's overhead, few enough to stay in the cache
BLOCK_SAMPLES = 1 << 15


def sinebell(lengthWindow):
    """The sine window: ``sin(pi * t / lengthWindow)`` for t = 0 .. lengthWindow - 1.

    >>> sinebell(4).round(3).tolist()
    [0.0, 0.707, 1.0, 0.707]
    """
    return np.sin(np.pi * np.arange(lengthWindow) / lengthWindow)


def blackmanharris(lengthWindow):
    """The symmetric Blackman-Harris window of four terms.

    It equals that of `scipy.signal.windows` to the bit, without the import of `scipy.signal`: that takes half a
    second. Source: F. J. Harris, "On the use of windows for harmonic analysis with the discrete Fourier transform",
    Proceedings of the IEEE 66, 1978.

    >>> blackmanharris(5).round(5).tolist()
    [6e-05, 0.21747, 1.0, 0.21747, 6e-05]
    """
    if lengthWindow == 1:
        return np.ones(1)
    angle, window = np.linspace(-np.pi, np.pi, lengthWindow), np.zeros(lengthWindow)
    for order, weight in enumerate((0.35875, 0.48829, 0.14128, 0.01168)):
        window += weight * np.cos(order * angle)
    return window


def frame_count(length, hop):
    """Number of STFT frames of a signal of `length` samples.

    >>> frame_count(44100, 512)
    89
    """
    return -(-length // hop) + 2


def stft_frames(padded, window, hop, nfft, count):
    """Transform frames of a signal that is padded already.

    Parameters
    ----------
    padded : ndarray of float64, shape (..., samples)
        Frame `n` starts at sample ``n * hop``.
    window : ndarray of float64, shape (width,)
    hop, nfft : int
        Hop and FFT length in samples.
    count : int
        Number of frames; ``(count - 1) * hop + width`` samples must be there.

    Returns
    -------
    ndarray of complex128, shape (..., count, nfft // 2 + 1)
        complex64 when `padded` and `window` are float32.
    """
    spectrum = np.empty(np.shape(padded)[:-1] + (count, nfft // 2 + 1), np.result_type(padded, window, np.complex64))
    for part, block in frame_blocks(padded, window, hop, nfft, count):
        spectrum[..., part, :] = block
    return spectrum


def frame_blocks(padded, window, hop, nfft, count):
    """Yield the spectra of :func:`stft_frames` some frames at a time: (slice of the frames, their spectra)."""
    import scipy.fft  # here: it takes longer than all else that a script imports before it knows its flags
    if count == 0:
        return
    frames = np.lib.stride_tricks.sliding_window_view(np.ascontiguousarray(padded), len(window), axis=-1)[..., ::hop, :]
    step = max(1, BLOCK_SAMPLES // len(window))
    tile = np.empty(frames.shape[:-2] + (min(step, count), len(window)), np.result_type(padded, window))
    for start in range(0, count, step):
        part = slice(start, min(start + step, count))
        windowed = np.multiply(frames[..., part, :], window, out=tile[..., :part.stop - start, :])
        yield part, scipy.fft.rfft(windowed, nfft)


def pad(data, width, hop, dtype=np.float64):
    """Centre the frames of a signal: zeros in front and behind; returns (padded, number of frames)."""
    data = np.asarray(data)
    count = frame_count(len(data), hop)
    padded = np.zeros((count - 1) * hop + width + width // 2, dtype)
    padded[width // 2:width // 2 + len(data)] = data
    return padded[:(count - 1) * hop + width], count


def overlap_add(frames, hop):
    """Add frames at a distance of `hop` samples.

    Parameters
    ----------
    frames : ndarray, shape (..., count, width)

    Returns
    -------
    ndarray, shape (..., (count - 1) * hop + width)
        (no samples when count is 0)
    """
    *lead, count, width = frames.shape
    if count == 0:
        return np.zeros(tuple(lead) + (0,), frames.dtype)
    pieces = -(-width // hop)
    rows = np.zeros(tuple(lead) + (count + pieces - 1, hop), frames.dtype)
    for piece in range(pieces):
        part = frames[..., piece * hop:(piece + 1) * hop]
        rows[..., piece:piece + count, :part.shape[-1]] += part
    return rows.reshape(tuple(lead) + (-1,))[..., :(count - 1) * hop + width]


def synthesis_frames(X, window, nfft):
    """Windowed inverse FFTs of the frames `X`, shape (..., count, nfft // 2 + 1) -> (..., count, len(window))."""
    import scipy.fft
    X = np.asarray(X)
    frames = scipy.fft.irfft(X if X.dtype == np.complex64 else X.astype(np.complex128, copy=False), nfft)
    frames = frames[..., :len(window)]
    frames *= window.astype(frames.dtype, copy=False)
    return frames


def magnitudes(signal, window, hop, phase=False, out=None):
    """Magnitudes, and phases, of one signal.

    Parameters
    ----------
    signal : array_like, shape (samples,)
    window : ndarray of float64, shape (width,)
        Its length is that of the FFT.
    hop : int
        In samples.
    phase : bool
        Return the phases too.
    out : ndarray, shape (frames, width // 2 + 1), optional
        Where to write the magnitudes. Of float32, they are computed in it, in two thirds of the time: the error is
        within 1e-6 of the largest magnitude of a frame.

    Returns
    -------
    mag : ndarray, shape (frames, width // 2 + 1)
        ``abs(STFT) / sqrt(width)``; `out` when that is given.
    ph : ndarray of float64, same shape
        In radians, in (-pi, pi]. Only with `phase`.
    """
    width = len(window)
    real = np.float64 if out is None else out.dtype.type
    padded, count = pad(signal, width, hop, real)
    mag = np.empty((count, width // 2 + 1)) if out is None else out
    ph = np.empty(mag.shape) if phase else None
    for part, spectrum in frame_blocks(padded, np.asarray(window, real), hop, width, count):
        np.abs(spectrum, out=mag[part])
        mag[part] /= real(np.sqrt(width))
        if phase:
            ph[part] = np.angle(spectrum)
    return (mag, ph) if phase else mag


class STFT:
    """Analysis of a signal that comes in blocks.

    Parameters
    ----------
    window : ndarray, shape (frame_size,)
        All arithmetic is of its type, float64 or float32.
    hop : int
        In samples.
    channels : int
    """

    def __init__(self, window, hop, channels=1):
        self.window, self.hop = window, hop
        self.length = 0
        self._pending = np.zeros((channels, len(window) // 2), window.dtype)
        self._frames = 0

    def push(self, block):
        """Take samples, shape (channels, samples); return the frames they complete, (channels, frames, bins)."""
        self.length += block.shape[1]
        self._pending = np.concatenate([self._pending, block], axis=1, dtype=self.window.dtype, casting='same_kind')
        return self._take(max(0, (self._pending.shape[1] - len(self.window)) // self.hop + 1))

    def finish(self):
        """Return the frames that are left."""
        count = frame_count(self.length, self.hop) - self._frames
        missing = (count - 1) * self.hop + len(self.window) - self._pending.shape[1]
        self._pending = np.pad(self._pending, ((0, 0), (0, max(missing, 0))))
        return self._take(count)

    def _take(self, count):
        spectrum = stft_frames(self._pending, self.window, self.hop, len(self.window), count)
        self._pending = self._pending[:, count * self.hop:]
        self._frames += count
        return spectrum


class InverseSTFT:
    """Synthesis of signals, in blocks, from frames that come in blocks.

    Parameters
    ----------
    window : ndarray, shape (frame_size,)
        Analysis and synthesis window.
    hop : int
    """

    def __init__(self, window, hop):
        self.window, self.hop = window, hop
        self._skip = len(window) // 2
        self._pieces = -(-len(window) // hop)
        squares = np.zeros(self._pieces * hop)
        squares[:len(window)] = np.asarray(window, float) ** 2
        self._squares = squares.reshape(self._pieces, hop)
        # what is added to the samples of the frames to come, in rows of `hop` samples, and frames so far
        self._tail, self._frames = None, 0

    def push(self, spectrum):
        """Take frames, shape (..., frames, bins); return the samples that are final, shape (..., samples)."""
        frames = synthesis_frames(spectrum, self.window, len(self.window))
        *lead, count, width = frames.shape
        rows = np.zeros(tuple(lead) + (count + self._pieces - 1, self.hop), frames.dtype)
        if self._tail is not None:
            rows[..., :self._pieces - 1, :] = self._tail
        for piece in range(self._pieces):
            part = frames[..., piece * self.hop:(piece + 1) * self.hop]
            rows[..., piece:piece + count, :part.shape[-1]] += part
        self._tail = rows[..., count:, :].copy()
        self._frames += count
        return self._normalised(rows[..., :count, :], self._frames - count)

    def finish(self):
        """Return the samples that are left, beyond the end of the signal that was analysed."""
        rest = self._normalised(self._tail, self._frames)
        missing = self._pieces * self.hop - len(self.window)
        return rest[..., :rest.shape[-1] - missing]

    def _normalised(self, rows, first):
        """Divide rows, of which the first has the number `first`, by the squares of the windows that reach them."""
        numbers = np.arange(first, first + rows.shape[-2])
        whole = (numbers >= self._pieces - 1) & (numbers < self._frames)
        rows *= self._inverse(slice(None)).astype(rows.dtype)
        for row in np.flatnonzero(~whole):
            # fewer frames at either end
            pieces = [piece for piece in range(self._pieces) if 0 <= numbers[row] - piece < self._frames]
            rows[..., row, :] *= (self._inverse(pieces) / self._inverse(slice(None))).astype(rows.dtype)
        audio = rows.reshape(rows.shape[:-2] + (-1,))
        skip = min(self._skip, audio.shape[-1])
        self._skip -= skip
        return audio[..., skip:]

    def _inverse(self, pieces):
        """One over the sum of some of the squares of the window, 1 where that is 0."""
        total = self._squares[pieces].sum(axis=0)
        return 1 / np.where(total == 0, 1, total)
