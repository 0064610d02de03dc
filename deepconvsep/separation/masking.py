"""From frames of a spectrum to their masks: windows of frames through an engine, blended where they overlap.

Source: P. Chandna, M. Miron, J. Janer and E. Gomez, LVA/ICA 2017, section 2.
"""
import numpy as np

from deepconvsep.errors import InputError
from deepconvsep.separation.crossfade import window_count


class NotFinite(InputError):
    """The network's masks are not numbers, and no sound can be made of them."""


class Masking:
    """Frames in, frames with their masks out.

    Parameters
    ----------
    engine : callable
        As :mod:`deepconvsep.separation.engines` makes them.
    network : architecture.Architecture
    settings : settings.Settings
    batch_size : int
        Windows that the engine takes at once.
    guide : callable or None
        As of :meth:`deepconvsep.separation.separator.Separator.stems`.
    """

    def __init__(self, engine, network, settings, batch_size, guide):
        self._engine, self._network, self._batch_size = engine, network, batch_size
        self._guide = guide or (lambda first, magnitudes: magnitudes[:, None])
        self._scale = np.float32(settings.scale_factor / np.sqrt(settings.frame_size))
        self._seconds = settings.hop_size / settings.sample_rate
        self._step, self._overlap = network.time_context - settings.overlap, settings.overlap
        # frames that the windows of a batch cover
        self._covered = (batch_size - 1) * self._step + network.time_context
        # the linear cross-fade of `crossfade.CrossFade`: how much a window gets in its first frames
        self._up = np.linspace(0, 1, settings.overlap, dtype=np.float32)[:, None]
        self._masks = np.empty((len(network.outputs), self._covered, network.feat_size), np.float32)
        # frames from the start of the next window on; the windows and frames before it are done
        self._pending = None
        self._windows = 0

    def push(self, spectrum, last=False):
        """Take frames, shape (channels, frames, bins); yield (spectrum, masks) of the frames that are final.

        The masks, shape (sources, frames, bins), are valid until the next ones.
        """
        self._pending = spectrum if self._pending is None else np.concatenate([self._pending, spectrum], axis=1)
        while self._pending.shape[1] >= self._covered:
            yield self._batch(self._batch_size)
        if last:
            frames = self._windows * self._step + self._pending.shape[1]
            left = window_count(frames, self._network.time_context, self._overlap) - self._windows
            if left > 0:
                yield self._batch(left)
            yield self._pending, self._masks[:, self._done:][:, :self._pending.shape[1]]

    def _batch(self, count):
        """Run the next `count` windows, up to `batch_size`, zero-padded; return the frames they complete."""
        with np.errstate(over='ignore', invalid='ignore'):  # infinity is found in the masks
            there = np.abs(self._pending[0, :self._covered])
            there *= self._scale
            channels = np.zeros((self._covered, self._network.channels, self._network.feat_size), np.float32)
            channels[:len(there)] = self._guide(self._windows * self._step, there)
            if self._windows:
                # what the last batch left for this one to fade out
                self._masks[:, :self._overlap] = self._masks[:, self._done:self._done + self._overlap].copy()
            for window, (shares, total) in zip(range(count), self._engine(channels)):
                self._blend(window, shares, total)
        self._done = count * self._step
        spectrum = self._pending[:, :self._done]
        self._pending = self._pending[:, self._done:]
        self._windows += count
        return spectrum, self._masks[:, :self._done][:, :spectrum.shape[1]]

    def _blend(self, window, shares, total):
        """Fade the masks of a window, `shares` over their `total`, in over those before it; both are overwritten."""
        start, overlap = window * self._step, self._overlap
        self._check(window, total)
        np.divide(1, total, out=total)
        before = self._masks[:, start:start + overlap]
        if self._windows + window:
            total[:overlap] *= self._up
            before *= 1 - self._up
        else:
            before[:] = 0
        behind = self._masks[:, start + overlap:start + self._network.time_context]
        for place, rest, share in zip(before, behind, shares):
            np.multiply(share[overlap:], total[overlap:], out=rest)
            part = share[:overlap]
            part *= total[:overlap]
            place += part

    def _check(self, window, total):
        """NotFinite when the outputs of the network are beyond float32, or so small that it cannot tell them."""
        if not (total.max() < np.inf and total.min() >= np.finfo(np.float32).tiny):
            fine = ((total < np.inf) & (total >= np.finfo(np.float32).tiny)).all(axis=1)
            frame = (self._windows + window) * self._step + int(np.argmin(fine))
            raise NotFinite('the network gives no finite masks at %.2f s: the weights of the model, or the sound, are '
                            'too large for float32; get the model again, or make the sound softer'
                            % (frame * self._seconds))
