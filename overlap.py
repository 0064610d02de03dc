"""Overlapping windows of frames, and their linear cross-fade.

A network sees `time_context` frames at a time. Windows start every ``time_context - overlap`` frames and
are blended where they overlap: each new window fades in linearly over what is there already.
"""
import numpy as np


def window_count(frames, time_context, overlap):
    """How many windows cover `frames` frames; at least one, the last one zero-padded.

    >>> window_count(89, 30, 25), window_count(10, 30, 25)
    (13, 1)
    """
    return max(1, -(-(frames - overlap) // (time_context - overlap)))


class CrossFade:
    """Blend windows into a stream of frames, as they come.

    Parameters
    ----------
    time_context, overlap : int
        Frames per window, and frames that a window shares with the next.

    Notes
    -----
    With `up` rising from 0 to 1 over the `overlap` frames, the result is ``(1 - up) * before + up * window``
    there and the window itself behind, window after window. The weights sum to 1 in every frame.
    """

    def __init__(self, time_context, overlap):
        self.step = time_context - overlap
        self.overlap = overlap
        self._up = np.linspace(0., 1., overlap)
        self._tail = None

    def push(self, window):
        """Take the next window, shape (..., time_context, bins); return the `step` frames that are final."""
        up = self._up[:, None].astype(window.dtype, copy=False)
        blended = np.array(window)
        if self._tail is not None:
            # before + up * (window - before)
            part = blended[..., :self.overlap, :]
            part -= self._tail
            part *= up
            part += self._tail
        self._tail = blended[..., self.step:, :]
        return blended[..., :self.step, :]

    def finish(self):
        """Return the last `overlap` frames."""
        return self._tail


def generate_overlapadd(allmix, input_size=513, time_context=30, overlap=10, batch_size=32, sampleRate=44100):
    """Cut a spectrogram into batches of windows.

    Parameters
    ----------
    allmix : ndarray, shape (frames, bins) or (channels, frames, bins)
    input_size : int
        Bins.
    time_context, overlap : int
        Frames per window, and frames that successive windows share.
    batch_size : int
        Windows per batch; the last batch is filled up with zeros.
    sampleRate : int
        Unused; kept for callers of the original.

    Returns
    -------
    fbatch : ndarray of float64, shape (batches, batch_size, channels, time_context, input_size)
    count : int
        Number of windows, at least 1; the last ones are zero-padded.
    """
    mix = allmix if allmix.ndim > 2 else allmix[None]
    count = window_count(mix.shape[1], time_context, overlap)
    batches = -(-count // batch_size)
    fbatch = np.zeros((batches * batch_size, len(mix), time_context, input_size))
    for index in range(count):
        part = mix[:, index * (time_context - overlap):][:, :time_context]
        fbatch[index, :, :part.shape[1]] = part
    return fbatch.reshape((batches, batch_size) + fbatch.shape[1:]), count


def overlapadd_multi(fbatch, obatch, nchunks, overlap=10):
    """Blend batches of windows of several sources into spectrograms.

    Parameters
    ----------
    fbatch : ndarray, shape (batches, sources, batch_size, 1, time_context, bins)
    obatch
        Unused; kept for callers of the original.
    nchunks : int
        Number of windows.
    overlap : int
        Frames that successive windows share.

    Returns
    -------
    ndarray of float64, shape (sources, nchunks * (time_context - overlap) + time_context, bins)
        Frames that no window covers are 0.
    """
    batch_size, time_context = fbatch.shape[2], fbatch.shape[4]
    fade = CrossFade(time_context, overlap)
    blended = np.zeros((fbatch.shape[1], nchunks * fade.step + time_context, fbatch.shape[5]))
    for index in range(nchunks):
        window = np.asarray(fbatch[index // batch_size, :, index % batch_size, 0], dtype=float)
        blended[:, index * fade.step:(index + 1) * fade.step] = fade.push(window)
    if nchunks:
        blended[:, nchunks * fade.step:nchunks * fade.step + overlap] = fade.finish()
    return blended


def overlapadd(fbatch, obatch, nchunks, overlap=10):
    """:func:`overlapadd_multi` for two sources; returns them one by one."""
    first, second = overlapadd_multi(fbatch[:, :2], obatch, nchunks, overlap)
    return first, second
