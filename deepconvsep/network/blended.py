"""The masks of many windows, blended, in one pass over what the network has decoded: a Theano operation.

Bias, rectifier, masks, weights and sum are a dozen passes over arrays of the size of all windows' spectra otherwise,
and take as long as the network's last product. Where there is no compiler, NumPy does the same window by window.

Call :func:`deepconvsep.backend.prepare.prepare` before importing this module.
"""
import numpy as np
import theano
import theano.tensor as T

from deepconvsep.network import blend
from deepconvsep.network.c_source import ROWS_OF


class BlendedMasks(theano.Op):
    """Of decoded channels the masks of all frames, each window's by its weights.

    Parameters
    ----------
    sources : tuple of (int, int)
        For each source the number of its channel and of its bias.
    step : int
        Frames from the start of a window to that of the next.
    in_numerator : bool
        As of :func:`deepconvsep.network.masks.soft_masks`.

    Notes
    -----
    Inputs, of one type: the biases; the noise, (time_context, bins); the weights, (windows, time_context); the
    channels, each (windows or more, time_context, bins). Outputs: the masks, (sources, frames, bins), where frames is
    what the windows cover; for each window's frames, whether it has masks, int8, as of
    :func:`deepconvsep.network.blend.add_masks`.
    """

    __props__ = ('sources', 'step', 'in_numerator')

    def __init__(self, sources, step, in_numerator):
        self.sources, self.step, self.in_numerator = tuple(sources), step, in_numerator

    def make_node(self, bias, noise, weights, *channels):
        arrays = [T.as_tensor_variable(array) for array in (bias, noise, weights, *channels)]
        wanted = [1, 2, 2] + [3] * (1 + max(channel for channel, _ in self.sources))
        kinds = {array.dtype for array in arrays}
        if [array.ndim for array in arrays] != wanted or len(kinds) > 1 or not kinds <= {'float32', 'float64'}:
            raise TypeError('expected tensors of %s axes, all float32 or float64, got %s'
                            % (wanted, ', '.join(str(array.type) for array in arrays)))
        return theano.Apply(self, arrays, [T.TensorType(arrays[0].dtype, (False,) * 3)(),
                                           T.TensorType('int8', (False,) * 2)()])

    def infer_shape(self, node, shapes):
        _, (_, bins), (windows, length) = shapes[:3]
        return [(len(self.sources), (windows - 1) * self.step + length, bins), (windows, length)]

    def perform(self, node, arrays, results):
        (bias, noise, weights), channels = arrays[:3], arrays[3:]
        windows = (np.array([np.maximum(channels[channel][number] + bias[place], 0)
                             for channel, place in self.sources], noise.dtype) for number in range(len(weights)))
        masks, fine = blend.blend(windows, noise, self.in_numerator, weights, self.step)
        results[0][0], results[1][0] = masks, fine.astype(np.int8)

    def c_support_code(self):
        return ROWS_OF

    def c_code_cache_version(self):
        return (4,)

    def c_code(self, node, name, inputs, outputs, sub):
        (bias, noise, weights), channels = inputs[:3], inputs[3:]
        real, numbers = node.inputs[0].type.dtype_specs()[1], range(len(self.sources))
        values = {
            'bias': bias, 'noise': noise, 'weights': weights, 'masks': outputs[0], 'fine': outputs[1],
            'fail': sub['fail'], 'real': real, 'step': self.step, 'count': len(self.sources),
            'type': 'NPY_' + node.inputs[0].dtype.upper(),
            'least': repr(blend.LEAST), 'most': repr(float(np.finfo(node.inputs[0].dtype).max)),
            'channels': ', '.join(channels), 'channel_count': len(channels),
            'rows': '\n'.join(
                'const %s *in%d = (const %s *)PyArray_GETPTR2(channel[%d], window, frame);\n'
                '%s *out%d = out + (%d * frames + start + frame) * bins; const %s b%d = biases[%d];'
                % (real, j, real, channel, real, j, j, real, j, place)
                for j, (channel, place) in enumerate(self.sources)),
            # not a maximum: what is no number is to stay so
            'rectified': '\n'.join('%s p%d = in%d[i] + b%d; p%d = (p%d < 0 ? 0 : p%d)%s;'
                                   % (real, j, j, j, j, j, j, ' + noisy[i]' if self.in_numerator else '')
                                   for j in numbers),
            'total': ' + '.join(['p%d' % j for j in numbers] + ([] if self.in_numerator else ['noisy[i]'])),
            'added': '\n'.join('out%d[i] += p%d * share;' % (j, j) for j in numbers),
        }
        return CODE % values


CODE = """
{
    PyArrayObject *channel[%(channel_count)d] = {%(channels)s};
    const npy_intp windows = PyArray_DIM(%(weights)s, 0), length = PyArray_DIM(%(weights)s, 1);
    const npy_intp bins = PyArray_DIM(%(noise)s, 1), frames = (windows - 1) * %(step)d + length;
    npy_intp shape[3] = {%(count)d, frames, bins}, checked[2] = {windows, length};
    bool fits = PyArray_DIM(%(noise)s, 0) == length;
    for (int c = 0; c < %(channel_count)d; ++c)
        fits = fits && PyArray_DIM(channel[c], 0) >= windows && PyArray_DIM(channel[c], 1) == length
            && PyArray_DIM(channel[c], 2) == bins;
    if (!fits) {
        PyErr_SetString(PyExc_ValueError, "channels, weights and noise differ in windows, frames or bins");
        %(fail)s
    }
    Py_XDECREF(%(masks)s);
    Py_XDECREF(%(fine)s);
    %(masks)s = (PyArrayObject *)PyArray_ZEROS(3, shape, %(type)s, 0);
    %(fine)s = (PyArrayObject *)PyArray_EMPTY(2, checked, NPY_INT8, 0);
    PyArrayObject *biased = PyArray_GETCONTIGUOUS(%(bias)s), *noised = PyArray_GETCONTIGUOUS(%(noise)s);
    PyArrayObject *weighted = PyArray_GETCONTIGUOUS(%(weights)s);
    bool made = %(masks)s && %(fine)s && biased && noised && weighted;
    for (int c = 0; c < %(channel_count)d; ++c) {
        channel[c] = rows_of(channel[c]);
        made = made && channel[c];
    }
    if (made) {
        const %(real)s *biases = (const %(real)s *)PyArray_DATA(biased);
        %(real)s *out = (%(real)s *)PyArray_DATA(%(masks)s);
        for (npy_intp window = 0; window < windows; ++window) {
            const npy_intp start = window * %(step)d;
            for (npy_intp frame = 0; frame < length; ++frame) {
                const npy_intp place = window * length + frame;
                const %(real)s weight = ((const %(real)s *)PyArray_DATA(weighted))[place];
                const %(real)s *noisy = (const %(real)s *)PyArray_DATA(noised) + frame * bins;
                %(rows)s
                int bad = 0;
#pragma GCC ivdep
                for (npy_intp i = 0; i < bins; ++i) {
                    %(rectified)s
                    const %(real)s total = %(total)s, share = weight / total;
                    bad += !(total >= (%(real)s)%(least)s) | !(total <= (%(real)s)%(most)s);
                    %(added)s
                }
                ((npy_int8 *)PyArray_DATA(%(fine)s))[place] = !bad;
            }
        }
    }
    Py_XDECREF(biased);
    Py_XDECREF(noised);
    Py_XDECREF(weighted);
    if (!released(channel, %(channel_count)d, made)) {
        %(fail)s
    }
}
"""
