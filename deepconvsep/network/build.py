"""The network of an :class:`deepconvsep.network.architecture.Architecture`, built of Lasagne layers.

The layers have the parameters of the original's (same shapes, same order, convolution with flipped filters)
but compute with matrix products: a convolution over a fixed number of positions is one, and its inverse is
the product with the transposed matrix. That is several times faster than `Conv2DLayer` with its gradient;
``literal=True`` builds the network from those instead, for comparison.

Call :func:`deepconvsep.backend.prepare.prepare` before importing this module.
"""
import lasagne
import numpy as np
import theano
from lasagne.layers import Conv2DLayer, DenseLayer, InputLayer, NonlinearityLayer, ReshapeLayer, SliceLayer

from deepconvsep.network import fourier
from deepconvsep.network.architecture import Architecture, StackedArchitecture
from deepconvsep.network.convolutions import LinearConvLayer, StridedConvLayer, TransposeLayer, UnrolledConvLayer
from deepconvsep.network.harmonic import HarmonicArchitecture
from deepconvsep.network.harmonic_layers import HarmonicLayer
from deepconvsep.network.layers import (
    BiasLayer,
    FrequencyPoolLayer,
    FrequencyUnpoolLayer,
    GateLayer,
    InverseLayer,
    LiteralConvLayer,
    SourcesLayer,
    StackLayer,
    UnstackLayer,
    WindowsLayer,
)


def build(network, input_var, batch_size, literal=False, params=None, step=None):
    """Build a network.

    Parameters
    ----------
    network : architecture.Architecture
    input_var : theano.tensor.tensor4
        Shape (batch_size, channels, time_context, feat_size).
    batch_size : int
        Fixed when the graph is built, as all shapes are: that leaves half as many operations to compile.
        An example of zeros adds nothing to a loss that compares masked inputs, so a last batch can be filled up.
    literal : bool
        Use Lasagne's convolution and :class:`InverseLayer` in place of matrix products, one branch after the other.
    params : list of ndarray, optional
        The values of the parameters, in their order. Those of type floatX are borrowed, not copied: a training step
        changes them. Default: drawn from `lasagne.random`, biases 0.
    step : int, optional
        Windows that overlap, to be separated: `input_var` has the frames, each once, shape (1, channels,
        :func:`frame_count`, feat_size), and of the batch each window begins `step` frames behind the one before. What
        does not depend on where a window begins is computed once for a frame. Not with `literal`.

    Returns
    -------
    lasagne.layers.Layer
        Its output has the shape (batch, sources, time_context, feat_size), before the masks. Its parameters are
        those of the original, in the same order.
    """
    if isinstance(network, HarmonicArchitecture):
        return build_harmonic(network, input_var, batch_size, params, step)
    if isinstance(network, StackedArchitecture):
        return build_stacked(network, input_var, batch_size, literal, params, step)
    relu = lasagne.nonlinearities.rectify
    given = _giver(params)
    shape = (batch_size, network.channels, network.time_context, network.feat_size)
    entry = InputLayer(shape if step is None else _frames_shape(network, batch_size, step), input_var)
    conv1 = _first_conv(network, entry, literal, **given('W', 'b'))
    biased1 = pooled = BiasLayer(conv1, **given('b'))
    if network.pool > 1:
        pooled = (lasagne.layers.MaxPool2DLayer(biased1, (1, network.pool)) if literal
                  else FrequencyPoolLayer(biased1, network.pool))
    conv2 = _second_conv(network, pooled, literal, step is not None, **given('W', 'b'))
    biased2 = BiasLayer(conv2, **given('b'))
    if step is not None:
        # the layers that the decoder inverts are those of a window
        biased2 = WindowsLayer(biased2, batch_size, step, network.encoded[1])
        conv1 = _first_conv(network, InputLayer(shape), W=conv1.W, b=conv1.b)
        biased1 = pooled = WindowsLayer(biased1, batch_size, step, network.time_context)
        if network.pool > 1:
            pooled = FrequencyPoolLayer(biased1, network.pool)
        conv2 = _second_conv(network, pooled, W=conv2.W, b=conv2.b)
    hidden = DenseLayer(biased2, network.hidden, nonlinearity=relu, **given('W', 'b'))
    size = int(np.prod(network.encoded))
    branches = [DenseLayer(hidden, size, nonlinearity=relu, **given('W', 'b')) for _ in range(network.branches)]

    shapes = (batch_size,) + network.encoded
    if literal:
        decoded = [InverseLayer(ReshapeLayer(branch, shapes), conv2) for branch in branches]
        if network.pool > 1:
            decoded = [InverseLayer(branch, pooled) for branch in decoded]
        decoded = [InverseLayer(branch, conv1) for branch in decoded]
    else:
        stacked = ReshapeLayer(StackLayer(branches), (len(branches) * batch_size,) + network.encoded)
        stacked = TransposeLayer(stacked, conv2)
        decoded = [UnstackLayer(stacked, number, batch_size) for number in range(len(branches))]
        if network.pool > 1:
            decoded = [FrequencyUnpoolLayer(branch, pooled) for branch in decoded]
        decoded = [TransposeLayer(branch, conv1, network.only_channel(number))
                   for number, branch in enumerate(decoded)]
    return SourcesLayer(decoded, network, **given('b'))


def frame_count(network, batch_size, step):
    """Frames that :func:`build` takes with `step`.

    They are what the windows cover, and as many more as make the positions of the convolution over time a multiple of
    those that go through one product (:class:`UnrolledConvLayer`).
    """
    covered = (batch_size - 1) * step + network.time_context
    taps = network.kernel[0] if isinstance(network, Architecture) else 1
    return covered + -(covered - taps + 1) % -(-taps // 4)


def _frames_shape(network, batch_size, step):
    return (1, network.channels, frame_count(network, batch_size, step), network.feat_size)


def _first_conv(network, incoming, literal=False, **given):
    """The convolution over frequency."""
    size, stride = (1, network.width), (1, network.stride)
    if not literal and network.stride == 1:
        return UnrolledConvLayer(incoming, network.filters[0], size, **given)
    return (LiteralConvLayer if literal else StridedConvLayer)(incoming, network.filters[0], size, stride, **given)


def _second_conv(network, incoming, literal=False, many=False, **given):
    """The convolution over time, or over both; of many frames, without gradient."""
    conv_class = LiteralConvLayer if literal else _conv_class(network.kernel)
    if many and conv_class is UnrolledConvLayer:
        given['cut_at_once'] = True
    return conv_class(incoming, network.filters[1], network.kernel, **given)


def _giver(params):
    """A function that gives the next parameters by name, as arguments of a layer; nothing when there are no values.

    Nothing is drawn where values are given: the parameters of the published Bach10 network take 856 MB.
    """
    values = iter(params or ())

    def given(*names):
        return {name: theano.shared(next(values).astype(theano.config.floatX, copy=False), name=name, borrow=True)
                for name in names} if params else {}

    return given


def build_stacked(network, input_var, batch_size, literal=False, params=None, step=None):
    """:func:`build` for an :class:`deepconvsep.network.architecture.StackedArchitecture`."""
    if step is None:
        layer = InputLayer((batch_size, network.channels, network.time_context, network.feat_size), input_var)
    else:
        layer = WindowsLayer(InputLayer(_frames_shape(network, batch_size, step), input_var), batch_size, step,
                             network.time_context)
    convs, given = [], _giver(params)
    for filters, frames, bins, stride in network.layers:
        size, strides = (frames, bins), (1, stride)
        if literal:
            conv = Conv2DLayer(layer, filters, size, strides, **given('W', 'b'))
        else:
            conv_class = StridedConvLayer if frames == 1 and stride > 1 else LinearConvLayer
            conv = conv_class(layer, filters, size, strides, **given('W', 'b'))
        convs.append(conv)
        layer = BiasLayer(conv if literal else NonlinearityLayer(conv), **given('b'))
    # a branch that serves no source has no parameters of its own: it need not be decoded
    used = network.used_branches
    size = network.layers[-2][0]
    slices = [SliceLayer(layer, slice(branch * size, (branch + 1) * size), axis=1) for branch in used]
    if literal:
        for conv in reversed(convs[:-1]):
            slices = [InverseLayer(part, conv) for part in slices]
        decoded = dict(zip(used, slices))
    else:
        stacked = StackLayer(slices)
        for conv in reversed(convs[1:-1]):
            stacked = TransposeLayer(GateLayer(stacked, conv), conv)
        stacked = GateLayer(stacked, convs[0])
        decoded = {branch: TransposeLayer(UnstackLayer(stacked, number, batch_size), convs[0],
                                          network.only_channel(branch)) for number, branch in enumerate(used)}
    return SourcesLayer([decoded.get(branch, decoded[used[0]]) for branch in range(network.branches)], network,
                        **given('b'))


def build_harmonic(network, input_var, batch_size, params=None, step=None):
    """:func:`build` for a :class:`deepconvsep.network.harmonic.HarmonicArchitecture`; there is no other form of it."""
    shape = (batch_size, network.channels, network.time_context, network.feat_size)
    layer = InputLayer(shape if step is None else _frames_shape(network, batch_size, step), input_var)
    if step is not None:
        layer = WindowsLayer(layer, batch_size, step, network.time_context)
    given = _giver(params)
    layer = HarmonicLayer(layer, network, given)
    branches = [SliceLayer(layer, slice(branch, branch + 1), axis=1) for branch in network.decoders]
    return SourcesLayer(branches, network, **given('b'))


def _conv_class(kernel):
    """The layer that computes a convolution of stride 1 fastest, by the size of its filters."""
    if 1 in kernel:
        return UnrolledConvLayer
    return fourier.FourierConvLayer if fourier.pays(kernel, theano.config.device) else LinearConvLayer
