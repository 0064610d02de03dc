"""The STFT and its inverse of signals that come and go in blocks. Equal to `transform`'s on the whole signal."""
import numpy as np

import transform


class STFT:
    """Analysis of a signal that comes in blocks.

    Parameters
    ----------
    window : ndarray, shape (frame_size,)
    hop : int
        In samples.
    channels : int
    """

    def __init__(self, window, hop, channels=1):
        self.window, self.hop = window, hop
        self.length = 0
        self._pending = np.zeros((channels, len(window) // 2))
        self._frames = 0

    def push(self, block):
        """Take samples, shape (channels, samples); return the frames they complete, (channels, frames, bins)."""
        self.length += block.shape[1]
        self._pending = np.concatenate([self._pending, block], axis=1)
        return self._take(max(0, (self._pending.shape[1] - len(self.window)) // self.hop + 1))

    def finish(self):
        """Return the frames that are left."""
        count = transform.frame_count(self.length, self.hop) - self._frames
        missing = (count - 1) * self.hop + len(self.window) - self._pending.shape[1]
        self._pending = np.pad(self._pending, ((0, 0), (0, max(missing, 0))))
        return self._take(count)

    def _take(self, count):
        spectrum = transform.stft_frames(self._pending, self.window, self.hop, len(self.window), count)
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
        self._audio = self._norm = None

    def push(self, spectrum):
        """Take frames, shape (..., frames, bins); return the samples that are final, shape (..., samples)."""
        count = spectrum.shape[-2]
        audio = transform.overlap_add(transform.synthesis_frames(spectrum, self.window, len(self.window)), self.hop)
        norm = transform.overlap_add(np.broadcast_to(self.window ** 2, (count, len(self.window))), self.hop)
        if self._audio is not None and count:
            audio[..., :self._audio.shape[-1]] += self._audio
            norm[:len(self._norm)] += self._norm
        elif self._audio is not None:
            audio, norm = self._audio, self._norm
        final = count * self.hop
        self._audio, self._norm = audio[..., final:], norm[final:]
        return self._normalised(audio[..., :final], norm[:final])

    def finish(self):
        """Return the samples that are left, beyond the end of the signal that was analysed."""
        return self._normalised(self._audio, self._norm)

    def _normalised(self, audio, norm):
        skip = min(self._skip, len(norm))
        self._skip -= skip
        return audio[..., skip:] / np.where(norm == 0, 1, norm)[skip:]
