"""From frames of a spectrum to their masks: windows of frames through an engine, blended where they overlap.

Source: P. Chandna, M. Miron, J. Janer and E. Gomez, LVA/ICA 2017, section 2.
"""
import numpy as np

from deepconvsep.data.windows import window_count
from deepconvsep.errors import InputError
from deepconvsep.network.blend import fade_weights


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
        self._scale = settings.input_scale
        self._seconds = settings.hop_size / settings.sample_rate
        self._step, self._overlap = network.time_context - settings.overlap, settings.overlap
        # frames that the windows of a batch cover
        self._covered = (batch_size - 1) * self._step + network.time_context
        # what the windows so far leave for the next ones to fade out, (sources, overlap, bins)
        self._tail = None
        self._known = {}
        # frames from the start of the next window on; the windows and frames before it are done
        self._pending = None
        self._windows = 0

    def push(self, spectrum, last=False):
        """Take frames, shape (channels, frames, bins); yield (spectrum, masks) of the frames that are final.

        The masks have the shape (sources, frames, bins).
        """
        self._pending = spectrum if self._pending is None else np.concatenate([self._pending, spectrum], axis=1)
        while self._pending.shape[1] >= self._covered:
            yield self._batch(self._batch_size)
        if last:
            frames = self._windows * self._step + self._pending.shape[1]
            left = window_count(frames, self._network.time_context, self._overlap) - self._windows
            if left > 0:
                yield self._batch(left)
            yield self._pending, self._tail[:, :self._pending.shape[1]]

    def _batch(self, count):
        """Run the next `count` windows, up to `batch_size`, zero-padded; return the frames they complete."""
        with np.errstate(over='ignore', invalid='ignore'):  # infinity is found in the masks
            there = np.abs(self._pending[0, :self._covered])
            there *= self._scale
            channels = np.zeros((self._covered, self._network.channels, self._network.feat_size), np.float32)
            channels[:len(there)] = self._guide(self._windows * self._step, there)
            before, weights = self._weights(count)
            masks, fine = self._engine(channels, weights)
        self._check(fine)
        if self._windows:
            masks[:, :self._overlap] += before[:, None] * self._tail
        done = count * self._step
        self._tail = masks[:, done:done + self._overlap]
        spectrum = self._pending[:, :done]
        self._pending = self._pending[:, done:]
        self._windows += count
        return spectrum, masks[:, :spectrum.shape[1]]

    def _weights(self, count):
        """The weights of the next `count` windows, see :func:`deepconvsep.network.blend.fade_weights`."""
        key = count, self._windows > 0
        if key not in self._known:
            self._known[key] = [values.astype(np.float32) for values in fade_weights(
                count, self._network.time_context, self._overlap, self._windows > 0)]
        return self._known[key]

    def _check(self, fine):
        """NotFinite when the outputs of the network are beyond float32, or so small that it cannot tell them."""
        if not fine.all():
            window, frame = np.argwhere(~fine)[0]
            raise NotFinite('the network gives no finite masks at %.2f s: the weights of the model, or the sound, are '
                            'too large for float32; get the model again, or make the sound softer'
                            % (((self._windows + window) * self._step + frame) * self._seconds))
