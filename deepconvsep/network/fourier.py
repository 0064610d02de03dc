"""Convolutions with large filters along both axes, by the fast Fourier transform.

A convolution of maps of `L` points with filters of `K` points, as a sum over its direct definition, multiplies each of
``L - K + 1`` outputs with `K` filter values; the product of two spectra of `L` points needs no more than `L`. What a
circular convolution of length `L` wraps around falls on the first ``K - 1`` outputs, which a valid convolution has
not: nothing is padded. Each gradient of such a convolution is another one with the same maps.

Call :func:`deepconvsep.backend.prepare.prepare` before importing this module.
"""
import numpy as np
import theano
import theano.tensor as T

from deepconvsep.network.convolutions import LinearConvLayer

#: Points of a filter from which on the transform is faster, for the networks of this project.
LARGE = 50


def pays(filter_size, device):
    """Whether a convolution is to go by the transform: the filters are large, and a CPU computes.

    >>> pays((10, 20), 'cpu'), pays((3, 3), 'cpu'), pays((10, 20), 'cuda0')
    (True, False, False)
    """
    return filter_size[0] * filter_size[1] >= LARGE and device == 'cpu'


class FourierConvLayer(LinearConvLayer):
    """A valid convolution of stride 1, and its transpose, by the fast Fourier transform."""

    def correlate(self, input):
        return self._operation('output')(input, self.W)

    def transpose(self, value, batch_size, channel=None):
        return self._operation('input')(value, self.W if channel is None else self.W[:, channel:channel + 1])

    def _operation(self, wanted):
        return FourierConvolution(wanted, tuple(self.input_shape[2:]), tuple(self.filter_size))


class FourierConvolution(theano.Op):
    """One of the three arrays of a valid convolution, from the two others.

    With inputs x, filters w (flipped, as in `theano.tensor.nnet.conv2d`) and outputs y, ``sum(y * conv2d(x, w))`` is
    linear in each of the three; its derivative by one is what this operation computes of the two others.

    Parameters
    ----------
    wanted : {'output', 'input', 'filters'}
        'output': of x, shape (batch, channels) + maps, and w, shape (filters, channels) + size, the convolution, shape
        (batch, filters) + outputs, where outputs is maps - size + 1. 'input': of y and w the array x. 'filters': of
        x and y the array w.
    maps, size : (int, int)
        Frames and bins of the inputs and of the filters.
    """

    __props__ = ('wanted', 'maps', 'size')

    def __init__(self, wanted, maps, size):
        self.wanted, self.maps, self.size = wanted, maps, size

    def make_node(self, *arrays):
        arrays = [T.as_tensor_variable(array) for array in arrays]
        if len(arrays) != 2 or any(array.ndim != 4 or array.dtype not in ('float32', 'float64') for array in arrays):
            raise TypeError('expected two tensors of four axes, float32 or float64, got %s'
                            % ', '.join(str(array.type) for array in arrays))
        dtype = theano.scalar.upcast(*(array.dtype for array in arrays))
        return theano.Apply(self, arrays, [T.TensorType(dtype, (False,) * 4)()])

    def infer_shape(self, node, shapes):
        (first, second), outputs = shapes, [whole - part + 1 for whole, part in zip(self.maps, self.size)]
        return [{'output': (first[0], second[0], *outputs), 'input': (first[0], second[1], *self.maps),
                 'filters': (second[1], first[1], *self.size)}[self.wanted]]

    def perform(self, node, arrays, results):
        first, second = arrays
        if self.wanted == 'output':
            value = self._convolved(first, second.transpose(1, 0, 2, 3), self.size)
        elif self.wanted == 'input':
            value = self._convolved(first, _flipped(second), (1, 1))
        else:
            # summed over the batch; the points of the outputs are the filter's
            value = _flipped(self._convolved(first.transpose(1, 0, 2, 3), _flipped(second), second.shape[2:]))
            value = value.transpose(1, 0, 2, 3)
        results[0][0] = np.ascontiguousarray(value, node.outputs[0].dtype)

    def _convolved(self, left, right, size):
        """The circular convolution, summed over axis 1 of `left` and 0 of `right`; what `size` makes invalid is cut."""
        import scipy.fft
        (frames, bins), fft = self.maps, scipy.fft
        # the axes of the maps first: one product for each frequency; one axis after the other: what fills an axis up,
        # or is cut off it, takes no part in the transforms along the other one
        left, right = (fft.fft(fft.rfft(array.transpose(2, 3, 0, 1), bins, axis=1), frames, axis=0, overwrite_x=True)
                       for array in (left, right))
        value = fft.ifft(np.matmul(left, right), axis=0, overwrite_x=True)[size[0] - 1:]
        return fft.irfft(value, bins, axis=1, overwrite_x=True)[:, size[1] - 1:].transpose(2, 3, 0, 1)

    def grad(self, arrays, gradients):
        (first, second), (gradient,) = arrays, gradients
        output, inputs, filters = (FourierConvolution(wanted, self.maps, self.size)
                                   for wanted in ('output', 'input', 'filters'))
        if self.wanted == 'output':
            return [inputs(gradient, second), filters(first, gradient)]
        if self.wanted == 'input':
            return [output(gradient, second), filters(gradient, first)]
        return [inputs(second, gradient), output(first, gradient)]


def _flipped(array):
    return array[:, :, ::-1, ::-1]
