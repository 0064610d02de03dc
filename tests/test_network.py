"""network.py against outputs recorded from the original, the literal layers, and plain NumPy."""
import dataclasses

import numpy as np
import pytest

from deepconvsep.backend.prepare import prepare

theano = prepare(verbose=False)

import lasagne
import theano.tensor as T
from recorded import RecordedNetwork

from deepconvsep.network import architecture, convolutions, fourier
from deepconvsep.network.build import build
from deepconvsep.network.layers import FrequencyPoolLayer, FrequencyUnpoolLayer, InverseLayer, LiteralConvLayer
from deepconvsep.network.masks import mask_noise, soft_masks, source_outputs

FAMILIES = {'dsd100': architecture.DSD100, 'ikala_separate': architecture.IKALA_POOLED,
            'ikala_train': architecture.IKALA, 'bach10': architecture.BACH10,
            'si_build_ca_1x1': architecture.SCOREINFORMED_1X1,
            'si_build_ca_float64': architecture.SCOREINFORMED, 'si_samp': architecture.SCOREINFORMED_ONE_BRANCH}

RECORDED = ['dsd100_separate', 'dsd100_train_float64', 'dsd100_train_smooth', 'ikala_separate_pooled',
            'ikala_separate_pooled_float64', 'ikala_train_float64', 'ikala_train_smooth', 'bach10_separate',
            'bach10_train_float64', 'bach10_train_smooth', 'si_build_ca_float64', 'si_samp_float64',
            'si_build_ca_1x1_float64']

AUTOENCODERS = [arch for arch in architecture.KNOWN if arch is not architecture.SCOREINFORMED_HARMONIC]

# of every network one, the smallest: in float64, where there is one, the layers must agree to 1e-9
LITERAL = ['dsd100_train_float64', 'ikala_separate_pooled_float64', 'ikala_train_smooth', 'bach10_train_float64',
           'si_build_ca_float64', 'si_samp_float64', 'si_build_ca_1x1_float64']


def of_size(name, info):
    """The architecture of a recorded network, which may have fewer bins than the published one."""
    found = [arch for prefix, arch in FAMILIES.items() if name.startswith(prefix)]
    assert len(found) == 1
    return dataclasses.replace(found[0], feat_size=info['feat_size'])


@pytest.mark.parametrize('name, literal', [(name, False) for name in RECORDED] + [(name, True) for name in LITERAL])
def test_recorded_outputs_and_masks(name, literal):
    recorded = RecordedNetwork(name)
    arch = of_size(name, recorded.info)
    assert arch.param_shapes() == [tuple(shape) for shape in recorded.info['param_shapes']]
    with theano.configparser.change_flags(floatX='float64' if recorded.float64 else 'float32'):
        entry = T.tensor4()
        net = build(arch, entry, len(recorded.inputs), literal=literal)
        assert [param.name for param in lasagne.layers.get_all_params(net)] == recorded.info['param_names']
        dtype = theano.config.floatX
        lasagne.layers.set_all_param_values(net, [param.astype(dtype) for param in recorded.params])
        output = lasagne.layers.get_output(net)
        masks = T.stack(soft_masks(source_outputs(net), T.constant(recorded.noise[:, 0]),
                                           recorded.info['eps'], name.startswith(('dsd100', 'ikala'))), axis=1)
        raw, values = theano.function([entry], [output, masks])(recorded.inputs.astype(dtype))
    tolerance = 1e-9 if recorded.float64 else 1e-5
    # in float32 a near tie may flip a block of the pooled network
    outliers = 0.002 if name == 'ikala_separate_pooled' else 0
    recorded.compare('raw', raw, tolerance, outliers, channels=raw.shape[1])
    sources = (values * recorded.mixture).transpose(1, 0, 2, 3)[:, :, None]
    recorded.compare('sources', sources, tolerance, 0 if recorded.float64 else 0.002)
    assert values.min() >= 0 and values.max() <= 1 + 1e-6


@pytest.mark.parametrize('arch', [architecture.SCOREINFORMED_FOUR_BRANCHES, architecture.SCOREINFORMED_COMPACT,
                                  architecture.SCOREINFORMED_1X1_FOUR_BRANCHES])
def test_every_source_has_a_branch_of_its_own(arch):
    """The matrix products against Lasagne's layers; and each source hears its own branch only."""
    arch = dataclasses.replace(arch, feat_size=257)
    if arch.name.startswith('compact'):
        arch = dataclasses.replace(arch, width=257, filters=(8, 8))
    rs = np.random.RandomState(5)
    params = [rs.uniform(-.05, .08, size=shape) for shape in arch.param_shapes()]
    assert params[-1].shape == (4,)
    inputs = rs.uniform(size=(2, 4, 30, 257))
    with theano.configparser.change_flags(floatX='float64'):
        entry, results = T.tensor4(), []
        for literal in (False, True):
            net = build(arch, entry, 2, literal=literal)
            variables = lasagne.layers.get_all_params(net)
            lasagne.layers.set_all_param_values(net, params)
            function = theano.function([entry], T.stack(source_outputs(net), axis=1))
            results.append(function(inputs))
            if not literal:
                # only of the last source: the dense layer's biases, or the last quarter of the last filters
                own = variables[-2]
                value = own.get_value()
                value[-(len(value) // 4 if isinstance(arch, architecture.StackedArchitecture) else len(value)):] += .5
                own.set_value(value)
                changed = function(inputs) != results[0]
    np.testing.assert_allclose(results[0], results[1], rtol=1e-9, atol=1e-12)
    assert results[0].std() > 0 and changed.any(axis=(0, 2, 3)).tolist() == [False, False, False, True]


@pytest.mark.parametrize('literal', [False, True])
@pytest.mark.parametrize('arch', architecture.KNOWN, ids=lambda arch: arch.name)
def test_given_parameters_are_borrowed_and_nothing_is_drawn(arch, literal, monkeypatch):
    if isinstance(arch, architecture.Architecture):
        small = {'feat_size': 50, 'width': 50} if arch.width == arch.feat_size else {'feat_size': 313}
        arch = dataclasses.replace(arch, hidden=3, **small)
    values = [np.full(shape, index, theano.config.floatX) for index, shape in enumerate(arch.param_shapes())]
    monkeypatch.setattr(lasagne.random, '_rng', None)
    params = lasagne.layers.get_all_params(build(arch, T.tensor4(), 2, literal=literal, params=values))
    assert len(params) == len(values)
    for param, value in zip(params, values):
        assert param.get_value(borrow=True) is value
    assert [param.name for param in params] == ['W' if len(shape) > 1 else 'b' for shape in arch.param_shapes()]


def test_the_draws_are_the_recorded_ones(golden_json):
    checks = golden_json('4_networks/draw_checks.json')
    for name in RECORDED:
        recorded = RecordedNetwork(name)
        # a float64 run shares the inputs of the float32 one
        name = name.replace('_float64', '')
        np.testing.assert_allclose(recorded.inputs.sum(dtype=float), checks[name]['X_sum'], rtol=1e-9)
        np.testing.assert_allclose(recorded.targets.sum(dtype=float), checks[name]['Y_sum'], rtol=1e-9)
        np.testing.assert_allclose(recorded.noise.sum(), checks[name]['U_sum'], rtol=1e-12)


def convolve(x, w, stride):
    """A valid convolution over the last two axes, flipped filters, in plain loops over the positions."""
    flipped = w[:, :, ::-1, ::-1]
    height, width = w.shape[2:]
    rows = range(x.shape[2] - height + 1)
    columns = range(0, x.shape[3] - width + 1, stride)
    return np.array([[np.tensordot(x[:, :, i:i + height, j:j + width], flipped, axes=([1, 2, 3], [1, 2, 3]))
                      for j in columns] for i in rows]).transpose(2, 3, 0, 1)


LAYERS = [(convolutions.UnrolledConvLayer, (1, 13), (1, 1)), (convolutions.UnrolledConvLayer, (1, 4), (1, 1)),
          (convolutions.UnrolledConvLayer, (5, 1), (1, 1)), (convolutions.StridedConvLayer, (1, 5), (1, 3)),
          (convolutions.StridedConvLayer, (1, 4), (1, 4)), (convolutions.StridedConvLayer, (1, 2), (1, 3)),
          (convolutions.LinearConvLayer, (3, 4), (1, 1)), (fourier.FourierConvLayer, (3, 4), (1, 1)),
          (fourier.FourierConvLayer, (7, 2), (1, 1)), (fourier.FourierConvLayer, (4, 13), (1, 1))]


@pytest.mark.parametrize('kind,size,stride', LAYERS)
@pytest.mark.parametrize('channels', [1, 3])
def test_convolutions_and_their_transposes(kind, size, stride, channels):
    rs = np.random.RandomState(0)
    with theano.configparser.change_flags(floatX='float64'):
        entry, back = T.tensor4(), T.tensor4()
        args = () if kind is convolutions.UnrolledConvLayer else (stride,)
        layer = kind(lasagne.layers.InputLayer((2, channels, 7, 13), entry), 4, size, *args)
        w, b = rs.normal(size=(4, channels) + size), rs.normal(size=4)
        layer.W.set_value(w)
        layer.b.set_value(b)
        x = rs.normal(size=(2, channels, 7, 13))
        y = theano.function([entry], lasagne.layers.get_output(layer))(x)
        np.testing.assert_allclose(y, convolve(x, w, stride[1]) + b[:, None, None], atol=1e-12)
        # <A x, z> = <x, A' z> defines the transpose
        z = rs.normal(size=y.shape)
        transposed = theano.function([back], layer.transpose(back, 2))(z)
        assert transposed.shape == x.shape
        linear = y - b[:, None, None]
        np.testing.assert_allclose((linear * z).sum(axis=(1, 2, 3)), (x * transposed).sum(axis=(1, 2, 3)), atol=1e-10)


@pytest.mark.parametrize('wanted,first,second', [
    ('output', (2, 3, 5, 6), (4, 3, 2, 3)), ('input', (2, 4, 4, 4), (4, 3, 2, 3)),
    ('filters', (2, 3, 5, 6), (2, 4, 4, 4))])
def test_gradients_of_the_transformed_convolution(wanted, first, second):
    """Of all three arrays, and of their gradients, which the training needs: each is one of the others."""
    rs = np.random.RandomState(0)
    operation = fourier.FourierConvolution(wanted, (5, 6), (2, 3))
    with theano.configparser.change_flags(floatX='float64'):
        theano.gradient.verify_grad(operation, [rs.normal(size=first), rs.normal(size=second)], rng=rs,
                                    mode=theano.compile.Mode('py', 'fast_compile'))
    value = theano.function([], operation(T.zeros(first), T.zeros(second)), mode='FAST_COMPILE')()
    shape = operation.infer_shape(None, [first, second])[0]
    assert value.shape == tuple(int(size) for size in shape) and value.dtype == theano.config.floatX


def test_transformed_convolution_and_gradients_equal_the_literal_layers():
    """At the size of iKala's, whose network has them: the convolution, its inverse, and all gradients of both."""
    rs, results = np.random.RandomState(0), []
    x, z, slopes = (rs.normal(size=size).astype('float32') for size in ((2, 5, 30, 40), (2, 6, 21, 21), (2, 5, 30, 40)))
    w = rs.normal(size=(6, 5, 10, 20)).astype('float32')
    for kind in (LiteralConvLayer, fourier.FourierConvLayer):
        entry, back = T.tensor4(), T.tensor4()
        layer = kind(lasagne.layers.InputLayer(x.shape, entry), 6, (10, 20), W=w)
        forward = lasagne.layers.get_output(layer)
        inverse = layer.transpose(back, 2) if kind is not LiteralConvLayer else lasagne.layers.get_output(
            InverseLayer(lasagne.layers.InputLayer(z.shape, back), layer))
        values = [forward, inverse] + theano.grad(None, [entry, layer.W], known_grads={forward: T.tanh(forward / 50)}) \
            + theano.grad((inverse * slopes).sum(), [back, layer.W])
        results.append(theano.function([entry, back], values)(x, z))
    for literal, ours in zip(*results):
        np.testing.assert_allclose(ours, literal, atol=2e-6 * np.abs(literal).max(), rtol=0)


def test_on_a_cpu_ikala_transforms_its_convolution():
    for arch in (architecture.IKALA, architecture.IKALA_POOLED):
        layers = lasagne.layers.get_all_layers(build(arch, T.tensor4(), 1))
        assert sum(isinstance(layer, fourier.FourierConvLayer) for layer in layers) == 1, arch.name


def test_pooling_gives_ties_all_the_value():
    with theano.configparser.change_flags(floatX='float64'):
        entry, value = T.tensor4(), T.tensor4()
        layer = FrequencyPoolLayer(lasagne.layers.InputLayer((1, 1, 1, 7), entry), 3)
        unpool = FrequencyUnpoolLayer(lasagne.layers.InputLayer((1, 1, 1, 2), value), layer)
        pooled, spread = lasagne.layers.get_output([layer, unpool])
        pooled, spread = theano.function([entry, value], [pooled, spread])(
            np.array([1., 5, 5, 0, 0, 0, 9]).reshape(1, 1, 1, 7), np.array([2., 3]).reshape(1, 1, 1, 2))
    assert pooled.ravel().tolist() == [5, 0]
    assert spread.ravel().tolist() == [0, 2, 2, 3, 3, 3, 0]


@pytest.mark.parametrize('in_numerator', [True, False])
def test_masks_equal_the_formula(in_numerator):
    rs = np.random.RandomState(1)
    outputs = np.maximum(rs.normal(size=(2, 3, 4, 5)), 0)
    outputs[0, :, 0] = 0
    noise = rs.uniform(0.1, 1, size=(2, 1, 4, 5))
    masks = T.stack(soft_masks([T.constant(outputs[:, j]) for j in range(3)], T.constant(noise[:, 0]), 1e-8,
                                       in_numerator), axis=1).eval()
    raised = outputs + 1e-8 * noise if in_numerator else outputs
    np.testing.assert_allclose(masks, raised / (outputs + (1e-8 * noise if in_numerator else 1e-8 * noise / 3)).sum(
        axis=1, keepdims=True), rtol=1e-12)
    silent = masks[0, :, 0]
    np.testing.assert_allclose(silent, 1 / 3 if in_numerator else 0)


def test_noise_is_seeded_and_never_zero():
    noise = mask_noise((1, 1, 30, 513), 3)
    np.testing.assert_array_equal(noise, mask_noise((1, 1, 30, 513), 3))
    assert not np.array_equal(noise, mask_noise((1, 1, 30, 513), 4))
    assert noise.min() > 0 and noise.max() <= 1 and noise.dtype == theano.config.floatX


def test_filters_over_two_axes_cannot_be_unrolled():
    with pytest.raises(ValueError, match='span two axes'):
        convolutions.UnrolledConvLayer(lasagne.layers.InputLayer((1, 1, 5, 5)), 2, (2, 2))
