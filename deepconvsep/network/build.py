"""Lasagne layers, soft masks, and the network of an :class:`deepconvsep.network.architecture.Architecture`.

The layers have the parameters of the original's (same shapes, same order, convolution with flipped filters)
but compute with matrix products: a convolution over a fixed number of positions is one, and its inverse is
the product with the transposed matrix. That is several times faster than `Conv2DLayer` with its gradient;
``literal=True`` builds the network from those instead, for comparison.

Call :func:`deepconvsep.backend.prepare.prepare` before importing this module.
"""
import lasagne
import numpy as np
import theano
import theano.tensor as T
from lasagne.layers import (
    Conv2DLayer,
    DenseLayer,
    InputLayer,
    Layer,
    MergeLayer,
    NonlinearityLayer,
    ReshapeLayer,
    SliceLayer,
)

from deepconvsep.network.architecture import StackedArchitecture
from deepconvsep.network.convolutions import (
    LinearConvLayer,
    StridedConvLayer,
    TransposeLayer,
    UnrolledConvLayer,
    fit_bins,
)


class BiasLayer(Layer):
    """Add one bias per channel (axis 1), shared over all other axes; starts at 0."""

    def __init__(self, incoming, b=lasagne.init.Constant(0), **kwargs):
        super().__init__(incoming, **kwargs)
        self.b = self.add_param(b, (self.input_shape[1],), name='b', regularizable=False)

    def get_output_for(self, input, **kwargs):
        return input + self.b.dimshuffle('x', 0, *(['x'] * (input.ndim - 2)))


class InverseLayer(MergeLayer):
    """The inverse of `layer` in the sense of Zeiler: the derivative of its output by its input, applied to `incoming`.

    For a convolution that is the transposed convolution with the same filters; for max-pooling it puts the
    values back to where the maxima were.
    """

    def __init__(self, incoming, layer, **kwargs):
        super().__init__([incoming, layer, layer.input_layer], **kwargs)

    def get_output_shape_for(self, input_shapes):
        return input_shapes[2]

    def get_output_for(self, inputs, **kwargs):
        value, output, input = inputs
        return theano.grad(None, wrt=input, known_grads={output: value})


class FrequencyPoolLayer(Layer):
    """Maximum over blocks of `size` bins; an incomplete last block is dropped."""

    def __init__(self, incoming, size, **kwargs):
        self.size = size
        super().__init__(incoming, **kwargs)

    def get_output_shape_for(self, input_shape):
        return tuple(input_shape[:3]) + (input_shape[3] // self.size,)

    def blocks(self, input):
        """The blocks, shape (batch, channels, frames, blocks, size)."""
        whole = self.output_shape[3] * self.size
        return input[:, :, :, :whole].reshape(tuple(self.output_shape) + (self.size,))

    def get_output_for(self, input, **kwargs):
        return self.blocks(input).max(axis=4)


class FrequencyUnpoolLayer(MergeLayer):
    """The inverse of a :class:`FrequencyPoolLayer`: every bin that was the maximum of its block gets the value.

    Bins that tie all get it, as published models expect; the bins of the dropped last block are 0.
    """

    def __init__(self, incoming, pool, **kwargs):
        super().__init__([incoming, pool.input_layer], **kwargs)
        self.pool = pool

    def get_output_shape_for(self, input_shapes):
        return tuple(input_shapes[1])

    def get_output_for(self, inputs, **kwargs):
        value, input = inputs
        blocks = self.pool.blocks(input)
        kept = T.cast(T.eq(blocks, blocks.max(axis=4, keepdims=True)), value.dtype)
        spread = kept * value.dimshuffle(0, 1, 2, 3, 'x')
        shape = tuple(self.pool.output_shape[:3]) + (self.pool.output_shape[3] * self.pool.size,)
        return fit_bins(spread.reshape(shape), shape, self.output_shape[3])


class StackLayer(MergeLayer):
    """Stack layers of the same shape on the batch axis, so that what follows is one product for all."""

    def get_output_shape_for(self, input_shapes):
        return (sum(shape[0] for shape in input_shapes),) + tuple(input_shapes[0][1:])

    def get_output_for(self, inputs, **kwargs):
        return T.concatenate(inputs, axis=0) if len(inputs) > 1 else inputs[0]


class UnstackLayer(Layer):
    """Part `number` of what was stacked, of `batch_size` examples."""

    def __init__(self, incoming, number, batch_size, **kwargs):
        self.number, self.batch_size = number, batch_size
        super().__init__(incoming, **kwargs)

    def get_output_shape_for(self, input_shape):
        return (self.batch_size,) + tuple(input_shape[1:])

    def get_output_for(self, input, **kwargs):
        return input[self.number * self.batch_size:(self.number + 1) * self.batch_size]


class SourcesLayer(MergeLayer):
    """Lay the decoded branches side by side, add one bias per channel, rectify, and pick the sources' channels.

    Parameters
    ----------
    incomings : list of Layer
        The decoded branches, shape (batch, channels, frames, bins), or (batch, 1, frames, bins) where a branch has
        one channel that is used.
    network : architecture.Architecture

    Notes
    -----
    The recorded networks' bias has one entry per channel of all slots, also for channels that nothing uses.
    """

    def __init__(self, incomings, network, b=lasagne.init.Constant(0), **kwargs):
        super().__init__(incomings, **kwargs)
        self.network = network
        self.b = self.add_param(b, (network.biases,), name='b', regularizable=False)

    def get_output_shape_for(self, input_shapes):
        batch_size, _, frames, bins = input_shapes[0]
        return batch_size, len(self.network.outputs), frames, bins

    def channels(self, inputs):
        """The decoded channels that are used, each once, and which of them and which bias each source has.

        Returns
        -------
        channels : list of tensor, shape (batch, frames, bins)
        sources : list of (int, int)
            For each source, the number of its channel in the list and of its bias.
        """
        distinct = sorted({(branch, part) for branch, part, _ in self.network.places})
        sources = [(distinct.index((branch, part)), bias) for branch, part, bias in self.network.places]
        return [self._channel(inputs[branch], self.input_shapes[branch], part) for branch, part in distinct], sources

    @staticmethod
    def _channel(decoded, shape, part):
        if shape[1] == 1:
            # without a slice, whose gradient would fill an array of zeros
            return decoded.reshape((shape[0],) + tuple(shape[2:]))
        return decoded[:, part]

    def rectified(self, inputs):
        """The outputs one by one, a list of tensors of shape (batch, frames, bins)."""
        channels, sources = self.channels(inputs)
        return [lasagne.nonlinearities.rectify(channels[number] + self.b[bias]) for number, bias in sources]

    def get_output_for(self, inputs, **kwargs):
        return T.stack(self.rectified(inputs), axis=1)


def build(network, input_var, batch_size, literal=False, params=None):
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

    Returns
    -------
    lasagne.layers.Layer
        Its output has the shape (batch, sources, time_context, feat_size), before the masks. Its parameters are
        those of the original, in the same order.
    """
    if isinstance(network, StackedArchitecture):
        return build_stacked(network, input_var, batch_size, literal, params)
    relu = lasagne.nonlinearities.rectify
    given = _giver(params)
    shape = (batch_size, network.channels, network.time_context, network.feat_size)
    first_size, first_stride = (1, network.width), (1, network.stride)
    entry = InputLayer(shape, input_var)
    if literal:
        conv1 = LiteralConvLayer(entry, network.filters[0], first_size, first_stride, **given('W', 'b'))
    elif network.stride == 1:
        conv1 = UnrolledConvLayer(entry, network.filters[0], first_size, **given('W', 'b'))
    else:
        conv1 = StridedConvLayer(entry, network.filters[0], first_size, first_stride, **given('W', 'b'))
    biased1 = pooled = BiasLayer(conv1, **given('b'))
    if network.pool > 1:
        pooled = (lasagne.layers.MaxPool2DLayer(biased1, (1, network.pool)) if literal
                  else FrequencyPoolLayer(biased1, network.pool))
    conv2_class = LiteralConvLayer if literal else UnrolledConvLayer if 1 in network.kernel else LinearConvLayer
    conv2 = conv2_class(pooled, network.filters[1], network.kernel, **given('W', 'b'))
    biased2 = BiasLayer(conv2, **given('b'))
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
        decoded = [TransposeLayer(branch, conv1, only_channel(network, number))
                   for number, branch in enumerate(decoded)]
    return SourcesLayer(decoded, network, **given('b'))


def _giver(params):
    """A function that gives the next parameters by name, as arguments of a layer; nothing when there are no values.

    Nothing is drawn where values are given: the parameters of the published Bach10 network take 856 MB.
    """
    values = iter(params or ())

    def given(*names):
        return {name: theano.shared(next(values).astype(theano.config.floatX, copy=False), name=name, borrow=True)
                for name in names} if params else {}

    return given


def build_stacked(network, input_var, batch_size, literal=False, params=None):
    """:func:`build` for an :class:`deepconvsep.network.architecture.StackedArchitecture`."""
    layer = InputLayer((batch_size, network.channels, network.time_context, network.feat_size), input_var)
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
    used = sorted({branch for branch, _, _ in network.places})
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
                                          only_channel(network, branch)) for number, branch in enumerate(used)}
    return SourcesLayer([decoded.get(branch, decoded[used[0]]) for branch in range(network.branches)], network,
                        **given('b'))


def only_channel(network, branch):
    """The channel of a branch that is used, or None when several are: the others need not be decoded."""
    parts = {part for used, part, _ in network.places if used == branch}
    return parts.pop() if len(parts) == 1 else None


class GateLayer(MergeLayer):
    """Pass what a rectifier passed: the inverse of the relu behind the convolution `conv`.

    The incoming layer may stack several branches on the batch axis.
    """

    def __init__(self, incoming, conv, **kwargs):
        super().__init__([incoming, conv], **kwargs)

    def get_output_shape_for(self, input_shapes):
        return input_shapes[0]

    def get_output_for(self, inputs, **kwargs):
        value, before = inputs
        # the relu's derivative, 1/2 at 0 as Theano's
        gate = (T.sgn(before) + 1) * np.asarray(0.5, value.dtype)
        shape = self.input_shapes[1]
        return (value.reshape((self.output_shape[0] // shape[0],) + tuple(shape)) * gate).reshape(self.output_shape)


class LiteralConvLayer(Conv2DLayer):
    """Lasagne's convolution without nonlinearity, as the original used it."""

    def __init__(self, incoming, num_filters, filter_size, stride=(1, 1), **kwargs):
        super().__init__(incoming, num_filters, filter_size, stride, nonlinearity=lasagne.nonlinearities.identity,
                         **kwargs)


def source_outputs(net):
    """The outputs of a network that :func:`build` returned, as a list of tensors of shape (batch, frames, bins)."""
    return net.rectified(lasagne.layers.get_output(net.input_layers))


def soft_masks(outputs, noise, eps, in_numerator):
    """Turn the network's outputs into masks.

    Parameters
    ----------
    outputs : list of tensor
        One per source, not negative.
    noise : tensor
        Uniform in (0, 1], broadcastable to the shape of an output.
    eps : float
        Weight of the noise.
    in_numerator : bool
        True (DSD100, iKala): ``(p_j + eps * noise) / sum_k(p_k + eps * noise)``; the masks sum to 1 also where all
        outputs are 0. False (Bach10): ``p_j / (sum_k(p_k) + eps * noise)``; they are 0 there.

    Returns
    -------
    list of tensor
        In [0, 1].
    """
    weighted = noise * np.asarray(eps, dtype=noise.dtype)
    if in_numerator:
        outputs = [output + weighted for output in outputs]
        total = T.add(*outputs) if len(outputs) > 1 else outputs[0]
    else:
        total = T.add(weighted, *outputs)
    return [output / total for output in outputs]


def mask_noise(shape, seed):
    """The masks' noise: uniform in (0, 1], floatX, from a seeded generator.

    >>> mask_noise((1, 30, 513), 0).shape
    (1, 30, 513)
    """
    return (1 - np.random.RandomState(seed).uniform(size=shape)).astype(theano.config.floatX)
