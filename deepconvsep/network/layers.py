"""Lasagne layers of the project's networks, besides those in :mod:`deepconvsep.network.convolutions`.

Call :func:`deepconvsep.backend.prepare.prepare` before importing this module.
"""
import lasagne
import numpy as np
import theano
import theano.tensor as T
from lasagne.layers import Conv2DLayer, Layer, MergeLayer

from deepconvsep.network import c_source, pooling
from deepconvsep.network.convolutions import Windows, fit_bins


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
        if c_source.usable():
            return self.maxima(input)[0]
        return self.blocks(input).max(axis=4)

    def maxima(self, input):
        """The maxima, and which bins they are: :class:`deepconvsep.network.pooling.BlockMaxima`."""
        return pooling.BlockMaxima(self.size, self.input_shape[3])(input)


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
        if c_source.usable():
            return pooling.Spread(self.pool.size, self.output_shape[3])(value, self.pool.maxima(input)[1])
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


class WindowsLayer(Layer):
    """Cut windows, which may overlap, of the frames of one example; without a gradient.

    Parameters
    ----------
    incoming : Layer
        Shape (1, channels, frames, bins).
    count, step, length : int
        So many windows of `length` frames; each begins `step` frames behind the one before.
    """

    def __init__(self, incoming, count, step, length, **kwargs):
        self.count, self.step, self.length = count, step, length
        super().__init__(incoming, **kwargs)

    def get_output_shape_for(self, input_shape):
        return self.count, input_shape[1], self.length, input_shape[3]

    def get_output_for(self, input, **kwargs):
        windows = Windows(2, self.step, self.length, (2, 0, 1, 4, 3))(input)
        return windows[:self.count].reshape(self.output_shape)


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
