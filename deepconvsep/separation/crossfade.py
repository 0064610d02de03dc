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
