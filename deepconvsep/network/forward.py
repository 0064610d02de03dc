"""The networks of :mod:`deepconvsep.network.architecture`, forward, in NumPy: no Theano, no compiler.

What does not depend on where a window begins, the convolutions, is computed once for every frame and not once for every
window that holds it.
"""
import numpy as np

from deepconvsep.network.architecture import StackedArchitecture
from deepconvsep.network.harmonic import HarmonicArchitecture
from deepconvsep.network.harmonic import outputs as harmonic_outputs
from deepconvsep.network.partials import find_rows, partials_of
from deepconvsep.network.products import TILE, Convolution, pool


def forward(network, params, dtype=np.float32):
    """A network that is ready to compute its outputs.

    Parameters
    ----------
    network : architecture.Architecture, architecture.StackedArchitecture or harmonic.HarmonicArchitecture
    params : list of ndarray
        In the order of models. Those of type `dtype` are not copied.
    dtype : dtype
        Of all arithmetic.

    Returns
    -------
    Forward, StackedForward or HarmonicForward
    """
    kind = {StackedArchitecture: StackedForward, HarmonicArchitecture: HarmonicForward}.get(type(network), Forward)
    return kind(network, [np.asarray(param, dtype) for param in params])


class _Outputs:
    """What both kinds share: from decoded branches to outputs."""

    def __init__(self, network, params):
        self.network = network
        self._biases = params[-1]
        self._channels = {branch: network.only_channel(branch) for branch in network.used_branches}

    def windows(self, frames, step):
        """The outputs for all windows that fit the frames.

        Parameters
        ----------
        frames : ndarray, shape (frames, channels, bins)
        step : int
            Frames from the start of a window to that of the next.

        Yields
        ------
        ndarray, shape (sources, time_context, bins)
            Not negative; see :func:`deepconvsep.network.masks.soft_masks` for what becomes of them.
        """
        signal = np.ascontiguousarray(np.asarray(frames, self._biases.dtype).transpose(0, 2, 1))
        starts = range(0, len(signal) - self.network.time_context + 1, step)
        for decoded in self._decoded(signal, starts):
            outputs = np.empty((len(self.network.places),) + next(iter(decoded.values())).shape[:2],
                               self._biases.dtype)
            for output, (branch, part, bias) in zip(outputs, self.network.places):
                part = 0 if self._channels[branch] is not None else part
                np.add(decoded[branch][:, :, part], self._biases[bias], out=output)
            yield np.maximum(outputs, 0, out=outputs)


class Forward(_Outputs):
    """An :class:`deepconvsep.network.architecture.Architecture`; see :func:`forward`."""

    def __init__(self, network, params):
        super().__init__(network, params)
        self._first = Convolution(params[0], params[1] + params[2], network.stride)
        self._second = Convolution(params[3], params[4] + params[5])
        self._hidden, self._dense = params[6:8], list(zip(params[8:-1:2], params[9:-1:2]))

    def _decoded(self, signal, starts):
        """Yield for each window its decoded branches, by number: (time_context, bins, channels)."""
        network = self.network
        low = self._first.correlate(signal)
        kept = None
        if network.pool > 1:
            low, kept = pool(low, network.pool)
        high = self._second.correlate(low)
        filters, length, positions = network.encoded
        count = max(1, TILE // self._second.cost(length, positions))
        hidden = self._bottleneck(high, starts)
        values = {branch: np.maximum(hidden @ self._dense[branch][0] + self._dense[branch][1], 0)
                  for branch in self._channels}
        for first in range(0, len(starts), count):
            unfolded = {}
            for branch, value in values.items():
                value = value[first:first + count].reshape(-1, filters, length, positions).transpose(0, 2, 3, 1)
                unfolded[branch] = self._second.transpose(value, low.shape[1])
            for number, start in enumerate(starts[first:first + count]):
                decoded = {}
                for branch, value in unfolded.items():
                    value = value[number]
                    if kept is not None:
                        value = value[:, :, None] * kept[start:start + network.time_context]
                        value = value.reshape(len(value), -1, value.shape[-1])
                    value = self._first.transpose(value[None], network.feat_size, self._channels[branch])[0]
                    decoded[branch] = value
                yield decoded

    def _bottleneck(self, high, starts):
        """The hidden units of every window, shape (windows, hidden)."""
        filters, length, positions = self.network.encoded
        rows = np.empty((len(starts), filters, length, positions), high.dtype)
        for row, start in zip(rows, starts):
            row[:] = high[start:start + length].transpose(2, 0, 1)
        weights, bias = self._hidden
        return np.maximum(rows.reshape(len(starts), -1) @ weights + bias, 0)


class StackedForward(_Outputs):
    """A :class:`deepconvsep.network.architecture.StackedArchitecture`; see :func:`forward`."""

    def __init__(self, network, params):
        super().__init__(network, params)
        self._layers = [Convolution(params[3 * number], params[3 * number + 1], stride)
                        for number, (_, _, _, stride) in enumerate(network.layers)]
        self._after = params[2:-1:3]

    def _decoded(self, signal, starts):
        """Yield for each window its decoded branches, by number: (time_context, bins, channels)."""
        passed, sizes, length = [], [], self.network.time_context
        for layer, bias in zip(self._layers, self._after):
            sizes.append(signal.shape[1])
            signal = layer.correlate(signal)
            # the relu's derivative, 1/2 at 0 as Theano's
            passed.append((np.sign(signal) + 1) / 2)
            signal = np.maximum(signal, 0) + bias
        heights = [layer[1] for layer in self.network.layers]
        lengths = [length - sum(heights[:number + 1]) + number + 1 for number in range(len(heights))]
        size = self.network.layers[-2][0]
        for start in starts:
            decoded = {}
            for branch in self._channels:
                value = signal[start:start + lengths[-1], :, branch * size:(branch + 1) * size][None]
                for number in reversed(range(len(self._layers) - 1)):
                    value = value * passed[number][start:start + lengths[number]]
                    channel = self._channels[branch] if number == 0 else None
                    value = self._layers[number].transpose(value, sizes[number], channel)
                decoded[branch] = value[0]
            yield decoded


#: Windows that go through a harmonic network at once.
AT_ONCE = 8


class _Math:
    """The functions that :func:`deepconvsep.network.harmonic.outputs` needs, of NumPy."""

    def __init__(self, network):
        self.collect, self.spread = partials_of(network).collect, partials_of(network).spread

    def __getattr__(self, name):
        return getattr(np, name)


class HarmonicForward:
    """A :class:`deepconvsep.network.harmonic.HarmonicArchitecture`; see :func:`forward`."""

    def __init__(self, network, params):
        self.network, self._params, self._math = network, params, _Math(network)

    def windows(self, frames, step):
        """As :meth:`Forward.windows`."""
        frames, biases = np.asarray(frames, self._params[-1].dtype), self._params[-1][:, None, None]
        starts = np.arange(0, len(frames) - self.network.time_context + 1, step)
        for part in np.split(starts, range(AT_ONCE, len(starts), AT_ONCE)) if len(starts) else ():
            windows = frames[part[:, None] + np.arange(self.network.time_context)]
            rows = find_rows(windows[:, :, 1, :self.network.columns])
            found = harmonic_outputs(self.network, self._params, windows[:, :, 0] ** 2, rows, self._math)
            for each in found.reshape(len(part), self.network.branches, *found.shape[1:]):
                yield np.maximum(each[list(self.network.decoders)] + biases, 0)
