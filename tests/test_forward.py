"""network/forward.py against the outputs recorded from the original, and against Lasagne's layers."""
import dataclasses

import numpy as np
import pytest

from deepconvsep.backend.prepare import prepare

theano = prepare(verbose=False)

import lasagne
import theano.tensor as T
from recorded import RecordedNetwork
from test_network import AUTOENCODERS, RECORDED, convolve, of_size

from deepconvsep.network import architecture
from deepconvsep.network.build import build
from deepconvsep.network.forward import forward
from deepconvsep.network.masks import source_outputs
from deepconvsep.network.products import Convolution, pool


@pytest.mark.parametrize('name', RECORDED)
def test_recorded_outputs(name):
    recorded = RecordedNetwork(name)
    network = forward(of_size(name, recorded.info), recorded.params, np.float64 if recorded.float64 else np.float32)
    outputs = np.array([next(network.windows(example.transpose(1, 0, 2), 1)) for example in recorded.inputs])
    # in float32 a near tie may flip a block of the pooled network
    outliers = 0.002 if name == 'ikala_separate_pooled' else 0
    recorded.compare('raw', outputs, 1e-9 if recorded.float64 else 1e-5, outliers, channels=outputs.shape[1])


@pytest.mark.parametrize('arch', AUTOENCODERS, ids=lambda arch: arch.name)
def test_overlapping_windows_of_every_network_equal_lasagnes_layers(arch):
    if isinstance(arch, architecture.Architecture):
        small = {'feat_size': 50, 'width': 50} if arch.width == arch.feat_size else {'feat_size': 313}
        arch = dataclasses.replace(arch, hidden=7, **small)
    else:
        arch = dataclasses.replace(arch, feat_size=257)
    rs = np.random.RandomState(3)
    params = [rs.uniform(-.1, .12, size=shape) for shape in arch.param_shapes()]
    frames = rs.uniform(size=(34, arch.channels, arch.feat_size))
    windows = np.array([frames[start:start + 30].transpose(1, 0, 2) for start in (0, 2, 4)])
    with theano.configparser.change_flags(floatX='float64'):
        entry = T.tensor4()
        net = build(arch, entry, 3, literal=True)
        lasagne.layers.set_all_param_values(net, params)
        expected = theano.function([entry], T.stack(source_outputs(net), axis=1))(windows)
    outputs = list(forward(arch, params, np.float64).windows(frames, 2))
    assert len(outputs) == 3 and expected.max() > 0
    np.testing.assert_allclose(outputs, expected, rtol=1e-9, atol=1e-11 * expected.max())


def test_parameters_of_the_right_type_are_not_copied():
    arch = dataclasses.replace(architecture.DSD100, hidden=3, feat_size=20, width=20)
    params = [np.ones(shape, np.float32) for shape in arch.param_shapes()]
    network = forward(arch, params)
    assert network._hidden[0] is params[6] and network._dense[0][0] is params[8]


SHAPES = [((1, 13), 1), ((1, 4), 1), ((5, 1), 1), ((1, 5), 3), ((1, 4), 4), ((1, 2), 3), ((3, 4), 1), ((7, 4), 2)]


@pytest.mark.parametrize('size,stride', SHAPES)
@pytest.mark.parametrize('channels', [1, 3])
def test_convolutions_and_their_transposes(size, stride, channels):
    rs = np.random.RandomState(0)
    filters, bias = rs.normal(size=(4, channels) + size), rs.normal(size=4)
    layer = Convolution(filters, bias, stride)
    x = rs.normal(size=(7, 13, channels))
    y = layer.correlate(x)
    np.testing.assert_allclose(y.transpose(2, 0, 1), convolve(x.transpose(2, 0, 1)[None], filters, stride)[0]
                               + bias[:, None, None], atol=1e-12)
    # <A x, z> = <x, A' z> defines the transpose
    z = rs.normal(size=(2,) + y.shape)
    transposed = layer.transpose(z, 13)
    assert transposed.shape == (2,) + x.shape
    np.testing.assert_allclose(((y - bias) * z).sum(axis=(1, 2, 3)), (x * transposed).sum(axis=(1, 2, 3)), atol=1e-10)
    for channel in range(channels):
        np.testing.assert_allclose(layer.transpose(z, 13, channel)[..., 0], transposed[..., channel], atol=1e-12)


def test_pooling_keeps_all_that_tie():
    maxima, kept = pool(np.array([1., 5, 5, 0, 0, 0, 9]).reshape(1, 7, 1), 3)
    assert maxima.ravel().tolist() == [5, 0]
    assert kept.ravel().tolist() == [False, True, True, True, True, True]
