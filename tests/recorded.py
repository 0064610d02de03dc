"""Rebuild the inputs of the recorded networks from the formulas that they were recorded with."""
import functools
import json
import os

import numpy as np

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'golden')


class RecordedNetwork:
    """Parameters, data, noise and recorded results of one file pair of tests/golden/4_networks."""

    def __init__(self, name):
        base = os.path.join(GOLDEN, '4_networks', name)
        with open(base + '.json') as source:
            self.info = info = json.load(source)
        self.values = np.load(base + '.npz')
        self.float64 = info['floatX'] == 'float64'
        size = (info['batch_size'], info['channels_in'], info['time_context'], info['feat_size'])
        rs = np.random.RandomState(info['seed_data'])
        inputs = rs.uniform(size=size) ** info['input_power'] * info['input_scale']
        self.inputs = inputs.astype(np.float32)
        weights = rs.uniform(size=(size[0], info['sources']) + size[2:])
        weights /= weights.sum(axis=1)[:, None]
        start, stop = info['silent_frames']
        self.inputs[-1, :, start:stop, :] = 0
        if info.get('zero_block'):
            start, stop, low, high = info['zero_block']
            self.inputs[-1, :, start:stop, low:high] = 0
        self.mixture = self.inputs.sum(axis=1, keepdims=True, dtype=float)
        self.targets = (weights * self.inputs.sum(axis=1)[:, None]).astype(np.float32)
        self.noise = np.random.RandomState(info['seed_U']).uniform(size=(size[0], 1) + size[2:])

    @functools.cached_property
    def params(self):
        """Up to 70 million numbers: drawn only when they are asked for."""
        rs = np.random.RandomState(self.info['seed_params'])
        return [rs.uniform(low, high, size=shape).astype(np.float32)
                for (low, high), shape in zip(self.info['param_bounds'], self.info['param_shapes'])]

    def sampled(self, name):
        """The recorded entries of an array: (flat indices, values, shape)."""
        if name in self.values:
            whole = self.values[name]
            return np.arange(whole.size), whole.ravel(), whole.shape
        return self.values[name + '.idx'], self.values[name + '.val'], tuple(self.values[name + '.shape'])

    def compare(self, name, value, tolerance, outliers=0., channels=None):
        """Assert that `value` agrees at the recorded entries, relative to the largest, but for a share of outliers.

        With `channels`, only the first so many of the recorded array's axis 1 exist in `value`.
        """
        index, recorded, shape = self.sampled(name)
        place = np.unravel_index(index, shape)
        if channels is not None:
            there = place[1] < channels
            assert there.any()
            place, recorded = tuple(axis[there] for axis in place), recorded[there]
        error = np.abs(np.asarray(value)[place] - recorded) / max(np.abs(recorded).max(), 1e-300)
        assert np.isfinite(error).all(), name
        assert (error > tolerance).mean() <= outliers, '%s: off by %g' % (name, error.max())
