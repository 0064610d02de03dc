"""Max-pooling over frequency and its inverse, each in one pass, as Theano operations for the CPU.

The expressions of :class:`deepconvsep.network.layers.FrequencyPoolLayer` copy their input to read it block by block,
compare all of it with its maxima for each branch and for each gradient, and fill up the last block by another copy.
Here it is compared once. Without a compiler NumPy does the same; on a GPU the expressions do.

Call :func:`deepconvsep.backend.prepare.prepare` before importing this module.
"""
import numpy as np
import theano
import theano.tensor as T

from deepconvsep.network.c_source import ROWS_OF


class _Pooling(theano.Op):
    """What the operations share: `size` bins of a block, of `bins` in all; what is over is in no block."""

    __props__ = ('size', 'bins')

    def __init__(self, size, bins):
        self.size, self.bins = size, bins
        self.blocks = bins // size
        self.whole = self.blocks * size

    def _checked(self, first, *others):
        """The inputs as variables: values, float32 or float64, and which bins were kept, int8."""
        arrays = [T.as_tensor_variable(array) for array in (first, *others)]
        if any(array.ndim != 4 for array in arrays) or arrays[0].dtype not in ('float32', 'float64') \
                or any(array.dtype != 'int8' for array in arrays[1:]):
            raise TypeError('expected tensors of four axes, float32 or float64, then int8, got %s'
                            % ', '.join(str(array.type) for array in arrays))
        return arrays

    def c_compile_args(self):
        return ['-fopenmp-simd']

    def c_support_code(self):
        return ROWS_OF

    def c_code_cache_version(self):
        return (1,)

    def c_code(self, node, name, inputs, outputs, sub):
        """The loop over rows around :attr:`ROW`, which computes one of `result` from one of `value`, with `kept`."""
        wide, other = node.outputs[0].type, outputs[1:] or inputs[1:]
        values = {
            'value': inputs[0], 'result': outputs[0], 'kept': other[0], 'given': int(len(inputs) > 1),
            'size': self.size, 'blocks': self.blocks, 'whole': self.whole, 'bins': self.bins, 'fail': sub['fail'],
            'real': wide.dtype_specs()[1], 'type': 'NPY_' + wide.dtype.upper(),
            'taken': self.TAKEN % vars(self), 'made': self.MADE % vars(self),
        }
        return CODE % {**values, 'row': self.ROW % values}


class BlockMaxima(_Pooling):
    """The maxima of blocks of bins, and which bins are the maximum of their block; of those that tie all are.

    Input: shape (batch, channels, frames, bins). Outputs: (batch, channels, frames, blocks), of the same type, and
    (batch, channels, frames, blocks * size), int8, 0 or 1.
    """

    TAKEN, MADE = '%(bins)d', '%(blocks)d'
    ROW = """
#pragma omp simd
for (npy_intp block = 0; block < %(blocks)d; ++block) {
    const real *in = from + block * %(size)d;
    real most = in[0];
    // what is no number stays so
    for (int bin = 1; bin < %(size)d; ++bin)
        most = in[bin] > most || in[bin] != in[bin] ? in[bin] : most;
    to[block] = most;
    for (int bin = 0; bin < %(size)d; ++bin)
        kept[block * %(size)d + bin] = in[bin] == most;
}"""

    def make_node(self, value):
        value, = self._checked(value)
        return theano.Apply(self, [value], [T.TensorType(dtype, (False,) * 4)() for dtype in (value.dtype, 'int8')])

    def infer_shape(self, node, shapes):
        return [(*shapes[0][:3], self.blocks), (*shapes[0][:3], self.whole)]

    def perform(self, node, arrays, results):
        blocks = _blocks(arrays[0][..., :self.whole], self.size)
        maxima = blocks.max(axis=4)
        results[0][0] = maxima
        results[1][0] = (blocks == maxima[..., None]).astype(np.int8).reshape(*maxima.shape[:3], self.whole)

    def connection_pattern(self, node):
        return [[True, False]]

    def grad(self, inputs, gradients):
        return [Spread(self.size, self.bins)(gradients[0], self(*inputs)[1])]


class Spread(_Pooling):
    """Values of blocks, given to the bins that were kept; the others, and those of no block, are 0.

    Inputs: shape (batch, channels, frames, blocks), and the second output of :class:`BlockMaxima`. Output: (batch,
    channels, frames, bins).
    """

    TAKEN, MADE = '%(blocks)d', '%(bins)d'
    ROW = """
#pragma omp simd
for (npy_intp block = 0; block < %(blocks)d; ++block)
    for (int bin = 0; bin < %(size)d; ++bin)
        to[block * %(size)d + bin] = kept[block * %(size)d + bin] ? from[block] : 0;
for (npy_intp bin = %(whole)d; bin < %(bins)d; ++bin)
    to[bin] = 0;"""

    def make_node(self, value, kept):
        arrays = self._checked(value, kept)
        return theano.Apply(self, arrays, [T.TensorType(arrays[0].dtype, (False,) * 4)()])

    def infer_shape(self, node, shapes):
        return [(*shapes[0][:3], self.bins)]

    def perform(self, node, arrays, results):
        value, kept = arrays
        results[0][0] = np.zeros((*value.shape[:3], self.bins), value.dtype)
        results[0][0][..., :self.whole] = np.where(kept, np.repeat(value, self.size, axis=3), 0)

    def connection_pattern(self, node):
        return [[True], [False]]

    def grad(self, inputs, gradients):
        return [Gathered(self.size, self.bins)(gradients[0], inputs[1]), theano.gradient.DisconnectedType()()]


class Gathered(_Pooling):
    """The transpose of :class:`Spread`: of each block the sum of the bins that were kept.

    Inputs: shape (batch, channels, frames, bins), and the second output of :class:`BlockMaxima`. Output: (batch,
    channels, frames, blocks).
    """

    TAKEN, MADE = '%(bins)d', '%(blocks)d'
    ROW = """
#pragma omp simd
for (npy_intp block = 0; block < %(blocks)d; ++block) {
    real sum = 0;
    for (int bin = 0; bin < %(size)d; ++bin)
        sum += kept[block * %(size)d + bin] ? from[block * %(size)d + bin] : 0;
    to[block] = sum;
}"""

    make_node, connection_pattern = Spread.make_node, Spread.connection_pattern

    def infer_shape(self, node, shapes):
        return [(*shapes[0][:3], self.blocks)]

    def perform(self, node, arrays, results):
        value, kept = arrays
        results[0][0] = _blocks(np.where(kept, value[..., :self.whole], 0), self.size).sum(axis=4, dtype=value.dtype)

    def grad(self, inputs, gradients):
        return [Spread(self.size, self.bins)(gradients[0], inputs[1]), theano.gradient.DisconnectedType()()]


def _blocks(array, size):
    return array.reshape(*array.shape[:3], -1, size)


# The channels lie outermost in the result, as the convolutions' products have them.
CODE = """
{
    typedef %(real)s real;
    npy_intp shape[4], marked[4];
    for (int axis = 0; axis < 3; ++axis)
        shape[axis] = marked[axis] = PyArray_DIM(%(value)s, axis);
    shape[3] = %(made)s, marked[3] = %(whole)d;
    if (PyArray_DIM(%(value)s, 3) != %(taken)s
            || (%(given)d && !PyArray_CompareLists(PyArray_DIMS(%(kept)s), marked, 4))) {
        PyErr_SetString(PyExc_ValueError, "values of other bins or blocks than expected");
        %(fail)s
    }
    if (!%(given)d) {
        Py_XDECREF(%(kept)s);
        %(kept)s = (PyArrayObject *)PyArray_EMPTY(4, marked, NPY_INT8, 0);
    }
    const npy_intp across[4] = {shape[1], shape[0], shape[2], shape[3]};
    Py_XDECREF(%(result)s);
    PyArrayObject *laid = (PyArrayObject *)PyArray_EMPTY(4, (npy_intp *)across, %(type)s, 0);
    %(result)s = laid ? (PyArrayObject *)PyArray_SwapAxes(laid, 0, 1) : NULL;
    Py_XDECREF(laid);
    PyArrayObject *rows[2] = {rows_of(%(value)s), %(kept)s ? rows_of(%(kept)s) : NULL};
    const bool made = %(result)s && rows[0] && rows[1];
    for (npy_intp channel = 0; made && channel < shape[1]; ++channel)
        for (npy_intp example = 0; example < shape[0]; ++example)
            for (npy_intp frame = 0; frame < shape[2]; ++frame) {
                const real *from = (const real *)PyArray_GETPTR3(rows[0], example, channel, frame);
                real *to = (real *)PyArray_GETPTR3(%(result)s, example, channel, frame);
                npy_int8 *kept = (npy_int8 *)PyArray_GETPTR3(rows[1], example, channel, frame);
                %(row)s
            }
    if (!released(rows, 2, made)) {
        %(fail)s
    }
}
"""
