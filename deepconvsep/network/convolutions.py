"""Convolutions of fixed size as matrix products, with their transposes, as Lasagne layers.

The parameters are those of Lasagne's `Conv2DLayer`, and so is the convolution, with flipped filters. The
inverse of a layer is the product with the transposed matrix. Call :func:`deepconvsep.backend.prepare.prepare` before
importing this.
"""
import lasagne
import numpy as np
import theano
import theano.tensor as T
from lasagne.layers import Conv2DLayer, Layer
from theano.tensor.nnet.abstract_conv import conv2d_grad_wrt_inputs


class LinearConvLayer(Conv2DLayer):
    """A valid convolution without nonlinearity that also has a transpose. Base of the layers below."""

    def __init__(self, incoming, num_filters, filter_size, stride=(1, 1), **kwargs):
        super().__init__(incoming, num_filters, filter_size, stride, nonlinearity=lasagne.nonlinearities.identity,
                         **kwargs)

    def get_output_for(self, input, **kwargs):
        return self.correlate(input) + self.b.dimshuffle('x', 0, 'x', 'x')

    def correlate(self, input):
        """Apply the convolution to `input`, without bias."""
        return T.nnet.conv2d(input, self.W, self.input_shape, self.get_W_shape(), subsample=self.stride)

    def transpose(self, value, batch_size, channel=None):
        """Apply the transposed convolution, without bias; bins that nothing reaches are 0.

        Parameters
        ----------
        value : tensor4
            Shape (batch_size,) + output_shape[1:].
        batch_size : int
            Not that of the convolution when several branches are stacked.
        channel : int, optional
            Compute only this channel of the input.
        """
        filters, channels = self.get_W_shape(), self._count(channel)
        return conv2d_grad_wrt_inputs(value, self.W if channel is None else self.W[:, channel:channel + 1],
                                      (batch_size, channels) + self.input_shape[2:],
                                      (filters[0], channels) + filters[2:], subsample=self.stride)

    def _count(self, channel):
        """How many channels :meth:`transpose` computes."""
        return self.input_shape[1] if channel is None else 1

    def _rows_of(self, channel):
        """The layer's matrix, or its rows for one channel of the input: they lie channel by channel."""
        if channel is None:
            return self.matrix
        return self.matrix[channel * self.rows_per_channel:(channel + 1) * self.rows_per_channel]


class UnrolledConvLayer(LinearConvLayer):
    """A convolution along one axis, stride 1, as products with a banded matrix.

    The filters must span one bin (a convolution over time) or one frame (over frequency). The output positions
    are computed in groups of the same size, each from the stretch of input that it depends on, so that all
    groups share one matrix: one position at a time would copy the input once per tap, all positions at once would
    multiply by many zeros.

    Parameters
    ----------
    cut_at_once : bool
        Cut the stretches by :class:`Windows`, which has no gradient: of many, Theano takes long to optimise the graph.
    """

    def __init__(self, incoming, num_filters, filter_size, cut_at_once=False, **kwargs):
        super().__init__(incoming, num_filters, filter_size, **kwargs)
        self.cut_at_once = cut_at_once
        if 1 not in filter_size:
            raise ValueError('filters of %s span two axes, expected one' % (filter_size,))
        # the axis to convolve along stands beside the channels; the other one counts as batch
        self.axis = 2 if filter_size[1] == 1 else 3
        taps, positions = filter_size[self.axis - 2], self.output_shape[self.axis]
        self.group = min(size for size in range(1, positions + 1)
                         if positions % size == 0 and (4 * size >= taps or size == positions))
        self.groups = positions // self.group
        self.stretch = self.rows_per_channel = self.group + taps - 1
        # one expression for all uses, so that their gradients are added before they are taken back to the filters
        self.matrix = self._unroll(taps)

    def _unroll(self, taps):
        """The banded matrix, shape (channels * stretch, filters * group)."""
        filters, channels = self.get_W_shape()[:2]
        flipped = self.W[:, :, ::-1, ::-1].reshape((filters, channels, taps))
        if self.group == 1:
            return flipped.reshape((filters, channels * taps)).T
        # a row of stretch + 1 repeated, and read as rows of stretch, moves by one position a row
        row = T.concatenate([flipped, _zeros((filters, channels, self.group))], axis=2)
        rows = T.tile(row, (1, 1, self.group))[:, :, :self.group * self.stretch]
        banded = rows.reshape((filters, channels, self.group, self.stretch))
        return banded.dimshuffle(1, 3, 0, 2).reshape((channels * self.stretch, filters * self.group))

    def correlate(self, input):
        batch_size, channels = self.input_shape[:2]
        other = self.input_shape[5 - self.axis]
        rows = input.dimshuffle(0, 5 - self.axis, 1, self.axis)
        if self.cut_at_once:
            rows = Windows(3, self.group, self.stretch, (0, 1, 3, 2, 4))(rows)
        elif self.groups > 1:
            rows = T.stack([rows[:, :, :, start:start + self.stretch] for start in self._starts()], axis=2)
        product = T.dot(rows.reshape((batch_size * other * self.groups, channels * self.stretch)), self.matrix)
        return self._arrange(product, (batch_size, other, self.groups, self.num_filters, self.group))

    def transpose(self, value, batch_size, channel=None):
        channels = self._count(channel)
        other, length = self.input_shape[5 - self.axis], self.input_shape[self.axis]
        rows = value.dimshuffle(0, 5 - self.axis, 1, self.axis)
        if self.groups > 1:
            rows = rows.reshape((batch_size, other, self.num_filters, self.groups, self.group))
            rows = rows.dimshuffle(0, 1, 3, 2, 4)
        rows = rows.reshape((batch_size * other * self.groups, self.num_filters * self.group))
        product = T.dot(rows, self._rows_of(channel).T)
        if self.groups == 1:
            return self._arrange(product, (batch_size, other, 1, channels, length))
        product = product.reshape((batch_size, other, self.groups, channels, self.stretch))
        total = _zeros((batch_size, other, channels, length))
        for number, start in enumerate(self._starts()):
            total = T.inc_subtensor(total[:, :, :, start:start + self.stretch], product[:, :, number])
        return self._arrange(total, (batch_size, other, 1, channels, length))

    def _starts(self):
        return range(0, self.groups * self.group, self.group)

    def _arrange(self, value, shape):
        """Read `value` as `shape` (batch, other axis, groups, channels, positions); give it the layers' layout."""
        batch_size, other, groups, channels, positions = shape
        value = value.reshape(shape)
        if groups > 1:
            value = value.dimshuffle(0, 1, 3, 2, 4)
        value = value.reshape((batch_size, other, channels, groups * positions))
        return value.dimshuffle(0, 2, 1, 3) if self.axis == 3 else value.dimshuffle(0, 2, 3, 1)


class StridedConvLayer(LinearConvLayer):
    """A convolution over frequency with a stride, as one product over patches of blocks of `stride` bins.

    The positions come last in all arrays, so that what is copied and added are long stretches of them.
    """

    def __init__(self, incoming, num_filters, filter_size, stride, **kwargs):
        super().__init__(incoming, num_filters, filter_size, stride, **kwargs)
        self.blocks = -(-filter_size[1] // stride[1])
        self.rows_per_channel = self.blocks * stride[1]
        self.positions = self.output_shape[3]
        self.matrix = self._blocks()

    def _blocks(self):
        """The filters, flipped and padded to whole blocks, shape (channels * blocks * stride, filters)."""
        filters, channels, _, width = self.get_W_shape()
        columns = self.rows_per_channel
        padding = _zeros((filters, channels, columns - width))
        return T.concatenate([self.W[:, :, 0, ::-1], padding], axis=2).reshape((filters, channels * columns)).T

    def correlate(self, input):
        batch_size, channels, frames, _ = self.input_shape
        stride, whole = self.stride[1], self.positions + self.blocks - 1
        rows = fit_bins(input, self.input_shape, whole * stride)
        rows = rows.reshape((batch_size, channels, frames, whole, stride)).dimshuffle(1, 4, 0, 2, 3)
        patches = T.stack([rows[:, :, :, :, block:block + self.positions] for block in range(self.blocks)], axis=1)
        patches = patches.reshape((channels * self.rows_per_channel, batch_size * frames * self.positions))
        product = T.dot(self.matrix.T, patches).reshape((self.num_filters, batch_size, frames, self.positions))
        return product.dimshuffle(1, 0, 2, 3)

    def transpose(self, value, batch_size, channel=None):
        channels, (frames, bins) = self._count(channel), self.input_shape[2:]
        blocks, positions, stride = self.blocks, self.positions, self.stride[1]
        columns = value.dimshuffle(1, 0, 2, 3).reshape((self.num_filters, batch_size * frames * positions))
        patches = T.dot(self._rows_of(channel), columns)
        patches = patches.reshape((channels, blocks, stride, batch_size, frames, positions))
        total = _zeros((channels, stride, batch_size, frames, positions + blocks - 1))
        for block in range(blocks):
            total = T.inc_subtensor(total[:, :, :, :, block:block + positions], patches[:, block])
        shape = (batch_size, channels, frames, (positions + blocks - 1) * stride)
        return fit_bins(total.dimshuffle(2, 0, 3, 4, 1).reshape(shape), shape, bins)


class Windows(theano.Op):
    """Windows of a tensor along one axis, which may overlap; has no gradient, and runs on the CPU.

    Parameters
    ----------
    axis : int
    step, length : int
        From the start of a window to that of the next, and of a window.
    order : tuple of int
        The axes of the result: those of the tensor, of which `axis` counts the windows, and the last one, within them.
    """

    __props__ = ('axis', 'step', 'length', 'order')

    def __init__(self, axis, step, length, order):
        self.axis, self.step, self.length, self.order = axis, step, length, order

    def make_node(self, array):
        array = T.as_tensor_variable(array)
        return theano.Apply(self, [array], [T.TensorType(array.dtype, (False,) * len(self.order))()])

    def perform(self, node, arrays, results):
        windows = np.lib.stride_tricks.sliding_window_view(arrays[0], self.length, self.axis)
        windows = windows[(slice(None),) * self.axis + (slice(None, None, self.step),)]
        results[0][0] = np.ascontiguousarray(windows.transpose(self.order))


def _zeros(shape):
    return T.constant(np.zeros(shape, theano.config.floatX))


def fit_bins(value, shape, bins):
    """Cut the last axis of `value`, of shape `shape`, to `bins` or fill it up with zeros."""
    if shape[3] >= bins:
        return value[:, :, :, :bins]
    return T.concatenate([value, _zeros(shape[:3] + (bins - shape[3],))], axis=3)


class TransposeLayer(Layer):
    """Apply the transpose of a convolution layer, to one channel or to all; owns no parameters."""

    def __init__(self, incoming, conv, channel=None, **kwargs):
        self.conv, self.channel = conv, channel
        super().__init__(incoming, **kwargs)

    def get_output_shape_for(self, input_shape):
        channels = self.conv.input_shape[1] if self.channel is None else 1
        return (input_shape[0], channels) + tuple(self.conv.input_shape[2:])

    def get_output_for(self, input, **kwargs):
        return self.conv.transpose(input, self.input_shape[0], self.channel)
