"""The loss of a network behind soft masks, and its gradient, in one pass over what the network has decoded.

It is :func:`deepconvsep.training.objective.masked_loss` as one Theano operation for the CPU. The expressions of that
make some twenty passes over arrays of the size of a batch, and every batch is copied out of the frames before; here
mixture and targets are read where they are. Without a compiler NumPy does the same; on a GPU the expressions do.

Call :func:`deepconvsep.backend.prepare.prepare` before importing this module.
"""
from collections import OrderedDict

import numpy as np
import theano
import theano.tensor as T

from deepconvsep.network.c_source import ROWS_OF
from deepconvsep.training import objective


def masked_loss(terms, net, inputs, frames, starts, noise, eps, in_numerator):
    """As :func:`deepconvsep.training.objective.masked_loss`, of windows that begin at some of the frames.

    Parameters
    ----------
    frames : list of tensor
        The mixture, shape (frames, bins), the targets, shaped alike, one per source, and, where a score confines the
        network's outputs, the channels of its input, (frames, channels * bins).
    starts : vector of int64
        The first frame of each window.
    terms, net, inputs, noise, eps, in_numerator
        As there.
    """
    channels, sources = net.channels(inputs)
    loss = MaskedLoss(terms, sources, float(eps), bool(in_numerator), len(frames) > 1 + len(sources))
    totals, bias_gradient, *gradients = loss(net.b, noise, starts, *frames, *channels)
    values = [totals[number] for number in range(len(terms))]
    return abs(totals[len(terms)]), values, OrderedDict(zip(channels, gradients)), bias_gradient


class MaskedLoss(theano.Op):
    """See :func:`masked_loss`.

    Parameters
    ----------
    terms : tuple of objective.Term
    sources : list of (int, int)
        For each source the number of its channel and of its bias.
    eps : float
    in_numerator : bool
        As in :func:`deepconvsep.network.masks.soft_masks`.
    confined : bool
        Whether the frames of the network's input are there.

    Notes
    -----
    Inputs: the biases; the noise, (windows, time_context, bins); the starts, int64; the frames; the decoded channels,
    each shaped like the noise. All but the starts are of one type. Outputs: the terms and, last, their signed sum,
    float64; the derivative of the loss by the biases; that by each channel.
    """

    __props__ = ('terms', 'sources', 'eps', 'in_numerator', 'confined')

    def __init__(self, terms, sources, eps, in_numerator, confined):
        self.terms, self.sources = tuple(terms), tuple(sources)
        self.eps, self.in_numerator, self.confined = eps, in_numerator, confined
        self.channels = 1 + max(channel for channel, _ in self.sources)
        #: What each estimate's derivative is, as weights of the targets.
        self.weights = objective.slopes(self.terms, len(self.sources))

    def make_node(self, bias, noise, starts, *arrays):
        given = [T.as_tensor_variable(array) for array in (bias, noise, starts, *arrays)]
        frames = 1 + len(self.sources) + self.confined
        wanted = [1, 3, 1] + [2] * frames + [3] * self.channels
        kinds = {array.dtype for array in given[:2] + given[3:]}
        if [array.ndim for array in given] != wanted or given[2].dtype != 'int64' or len(kinds) > 1 \
                or not kinds <= {'float32', 'float64'}:
            raise TypeError('expected tensors of %s axes, the third one int64, all others float32 or float64, got %s'
                            % (wanted, ', '.join(str(array.type) for array in given)))
        real = given[0].dtype
        return theano.Apply(self, given, [T.dvector(), T.TensorType(real, (False,))()]
                            + [T.TensorType(real, (False,) * 3)() for _ in range(self.channels)])

    def infer_shape(self, node, shapes):
        return [(len(self.terms) + 1,), shapes[0]] + [shapes[1]] * self.channels

    def perform(self, node, arrays, results):
        bias, noise, starts, mixture, *rest = arrays
        self._check(noise, starts, arrays[3:])
        length, bins = noise.shape[1:]
        rows = starts[:, None] + np.arange(length)
        count = len(self.sources)
        targets, channels = [target[rows] for target in rest[:count]], rest[count + self.confined:]
        mixture, real = mixture[rows], noise.dtype
        before = [channels[channel] + bias[number] for channel, number in self.sources]
        small = noise * np.asarray(self.eps, real)
        limits = [np.ones((), real)] * count
        if self.confined:
            limits = [np.maximum(rest[count][rows, source * bins:(source + 1) * bins] / (mixture + objective.SILENCE),
                                 objective.LEAST_LIMIT) for source in range(count)]
        outputs = [np.maximum(value, 0) * limit for value, limit in zip(before, limits)]
        total = sum(outputs) + small * np.asarray(count if self.in_numerator else 1, real)
        if self.in_numerator:
            outputs = [output + small for output in outputs]
        estimates = [output / total * mixture for output in outputs]
        values = [term.weight * sum(float(np.square(estimates[j] - targets[k]).sum(axis=2).sum(dtype=float))
                                    for j, k in term.pairs) for term in self.terms]
        signed = sum(term.sign * value for term, value in zip(self.terms, values))
        slopes = [estimate * np.asarray(row.sum(), real) - sum(np.asarray(weight, real) * target
                                                               for weight, target in zip(row, targets))
                  for estimate, row in zip(estimates, self.weights)]
        common = sum(slope * estimate for slope, estimate in zip(slopes, estimates))
        factor = np.asarray(2 * np.sign(signed), real) / total
        gradients = [np.zeros(noise.shape, real) for _ in channels]
        bias_gradient = np.zeros(bias.shape)
        for (channel, number), value, slope, limit in zip(self.sources, before, slopes, limits):
            gradient = np.where(value > 0, factor * (mixture * slope - common) * limit, np.zeros((), real))
            gradients[channel] += gradient
            bias_gradient[number] += gradient.sum(dtype=float)
        for result, value in zip(results, [np.array(values + [signed]), bias_gradient.astype(real), *gradients]):
            result[0] = value

    def _check(self, noise, starts, others):
        frames, channels = others[:-self.channels], others[-self.channels:]
        bins, rows = noise.shape[2], len(frames[0])
        wide = [bins] * (1 + len(self.sources)) + [bins * len(self.sources)] * self.confined
        if [array.shape for array in frames] != [(rows, width) for width in wide] \
                or any(array.shape != noise.shape for array in channels) or len(starts) != len(noise) \
                or starts.min() < 0 or starts.max() > rows - noise.shape[1]:
            raise ValueError(MISFIT)

    def c_compile_args(self):
        return ['-fopenmp-simd']

    def c_support_code(self):
        return ROWS_OF

    def c_code_cache_version(self):
        return (2,)

    def c_code(self, node, name, inputs, outputs, sub):
        return CODE % {**self._arrays(node, inputs, outputs, sub), **self._loop()}

    def _arrays(self, node, inputs, outputs, sub):
        """The names, types and numbers that the C code is filled with."""
        sources, real = len(self.sources), node.inputs[0].type.dtype_specs()[1]
        frames = 1 + sources + self.confined
        return {
            'bias': inputs[0], 'noise': inputs[1], 'starts': inputs[2], 'totals': outputs[0], 'biased': outputs[1],
            'frames': ', '.join(inputs[3:3 + frames]), 'frame_count': frames,
            'channels': ', '.join(inputs[3 + frames:]), 'channel_count': self.channels,
            'gradients': ', '.join('&' + output for output in outputs[2:]), 'sources': sources,
            'real': real, 'type': 'NPY_' + node.inputs[0].dtype.upper(), 'fail': sub['fail'], 'term_count':
            len(self.terms), 'misfit': MISFIT, 'eps': repr(self.eps), 'silence': repr(float(objective.SILENCE)),
            'least': repr(float(objective.LEAST_LIMIT)), 'share': sources if self.in_numerator else 1,
            'signed': ' + '.join('%d * %r * sums[%d]' % (term.sign, float(term.weight), number)
                                 for number, term in enumerate(self.terms)),
            'weighted': '\n'.join('result[%d] = %r * sums[%d];' % (number, float(term.weight), number)
                                  for number, term in enumerate(self.terms)),
        }

    def _loop(self):
        """The statements in the loops: what there is one of for each source j, channel c, term or bias."""
        sources, terms = range(len(self.sources)), range(len(self.terms))

        def each(statement, *columns):
            return '\n'.join(statement % row for row in zip(*columns))
        channel_of, bias_of = zip(*self.sources)
        channels = range(self.channels)
        sums = ['v%d' % number for number in terms] + ['d%d' % j for j in sources]
        limit = LIMIT if self.confined else '1'
        slope = '%s * (real)%r'
        return {
            'rows': '\n'.join([
                each('const real *c%d = ROW2(channel[%d]); real *g%d = out[%d] + place * bins;', *[channels] * 4),
                each('const real *t%d = ROW(given[1 + %d]);', sources, sources),
                each('const real b%d = biases[%d];', sources, bias_of),
                'const real *f = ROW(given[1 + %d]);' % len(sources) if self.confined else '']),
            'sums': 'real %s;' % ', '.join('%s = 0' % name for name in sums), 'reduced': ', '.join(sums),
            'outputs': '\n'.join([
                each('const real z%d = c%d[i] + b%d;', sources, channel_of, sources),
                each('const real l%d = %s;', sources, [limit.replace('@', str(j)) for j in sources]),
                each('const real p%d = (z%d < 0 ? 0 : z%d) * l%d;', *[sources] * 4)]),
            'denominator': ' + '.join('p%d' % j for j in sources),
            'estimates': each('const real s%%d = (p%%d%s) * scale;' % (' + small' if self.in_numerator else ''),
                              sources, sources),
            'errors': '\n'.join('v%d += (s%d - t%d[i]) * (s%d - t%d[i]);' % (number, j, k, j, k)
                                for number, term in enumerate(self.terms) for j, k in term.pairs),
            'slopes': '\n'.join('const real h%d = %s;' % (j, ' - '.join(
                [slope % ('s%d' % j, float(row.sum()))]
                + [slope % ('t%d[i]' % k, float(weight)) for k, weight in enumerate(row) if weight]))
                for j, row in enumerate(self.weights)),
            'common': ' + '.join('h%d * s%d' % (j, j) for j in sources),
            'gates': each('const real u%d = (x * h%d - common) * factor * l%d, y%d = z%d > 0 ? u%d : 0; d%d += y%d;',
                          *[sources] * 8),
            'stores': '\n'.join('g%d[i] = %s;' % (c, ' + '.join('y%d' % j for j in sources if channel_of[j] == c))
                                for c in channels),
            'added': each('sums[%d] += v%d;', terms, terms) + each('slant[%d] += d%d;', bias_of, sources),
        }


# not the larger one of the two: what is no number is to stay so
LIMIT = '(f[@ * bins + i] / (x + silence) < least ? least : f[@ * bins + i] / (x + silence))'
MISFIT = 'frames, starts, noise and channels differ in windows, frames or bins'

CODE = """
{
    typedef %(real)s real;
    PyArrayObject *channel[%(channel_count)d] = {%(channels)s}, *given[%(frame_count)d] = {%(frames)s};
    PyArrayObject **gradient[%(channel_count)d] = {%(gradients)s};
    npy_intp shape[3], windows, length, bins, frames = PyArray_DIM(given[0], 0), terms = %(term_count)d + 1;
    for (int axis = 0; axis < 3; ++axis)
        shape[axis] = PyArray_DIM(%(noise)s, axis);
    windows = shape[0], length = shape[1], bins = shape[2];
    bool fits = PyArray_DIM(%(starts)s, 0) == windows;
    for (int c = 0; c < %(channel_count)d; ++c)
        for (int axis = 0; axis < 3; ++axis)
            fits = fits && PyArray_DIM(channel[c], axis) == shape[axis];
    for (int j = 0; j < %(frame_count)d; ++j)
        fits = fits && PyArray_DIM(given[j], 0) == frames
            && PyArray_DIM(given[j], 1) == (j > %(sources)d ? %(sources)d : 1) * bins;
    for (npy_intp window = 0; fits && window < windows; ++window) {
        const npy_int64 start = *(npy_int64 *)PyArray_GETPTR1(%(starts)s, window);
        fits = start >= 0 && start + length <= frames;
    }
    if (!fits) {
        PyErr_SetString(PyExc_ValueError, "%(misfit)s");
        %(fail)s
    }
    bool made = true;
    real *out[%(channel_count)d];
    for (int c = 0; c < %(channel_count)d; ++c) {
        PyArrayObject *old = *gradient[c];
        if (!old || !PyArray_IS_C_CONTIGUOUS(old) || !PyArray_CompareLists(PyArray_DIMS(old), shape, 3)) {
            Py_XDECREF(old);
            *gradient[c] = (PyArrayObject *)PyArray_EMPTY(3, shape, %(type)s, 0);
        }
        made = made && *gradient[c];
        out[c] = made ? (real *)PyArray_DATA(*gradient[c]) : NULL;
        channel[c] = rows_of(channel[c]);
        made = made && channel[c];
    }
    for (int j = 0; j < %(frame_count)d; ++j) {
        given[j] = rows_of(given[j]);
        made = made && given[j];
    }
    PyArrayObject *noised = PyArray_GETCONTIGUOUS(%(noise)s), *begun = PyArray_GETCONTIGUOUS(%(bias)s);
    Py_XDECREF(%(totals)s);
    %(totals)s = (PyArrayObject *)PyArray_EMPTY(1, &terms, NPY_DOUBLE, 0);
    Py_XDECREF(%(biased)s);
    %(biased)s = (PyArrayObject *)PyArray_EMPTY(1, PyArray_DIMS(%(bias)s), %(type)s, 0);
    const npy_intp bias_count = PyArray_DIM(%(bias)s, 0);
    double sums[%(term_count)d] = {0}, *slant = (double *)calloc(bias_count, sizeof(double));
    made = made && noised && begun && %(totals)s && %(biased)s && slant;
    if (made) {
        const real *biases = (const real *)PyArray_DATA(begun), silence = (real)%(silence)s, least = (real)%(least)s;
        for (npy_intp window = 0; window < windows; ++window)
            for (npy_intp frame = 0; frame < length; ++frame) {
                const npy_intp at = *(npy_int64 *)PyArray_GETPTR1(%(starts)s, window) + frame;
                const npy_intp place = window * length + frame;
                const real *mixture = (const real *)PyArray_GETPTR1(given[0], at);
                const real *noise = (const real *)PyArray_DATA(noised) + place * bins;
#define ROW(array) ((const real *)PyArray_GETPTR1(array, at))
#define ROW2(array) ((const real *)PyArray_GETPTR2(array, window, frame))
                %(rows)s
                %(sums)s
#pragma omp simd reduction(+: %(reduced)s)
                for (npy_intp i = 0; i < bins; ++i) {
                    const real x = mixture[i], small = noise[i] * (real)%(eps)s;
                    %(outputs)s
                    const real total = %(denominator)s + small * %(share)d, inverse = 1 / total, scale = x * inverse;
                    %(estimates)s
                    %(errors)s
                    %(slopes)s
                    const real common = %(common)s, factor = 2 * inverse;
                    %(gates)s
                    %(stores)s
                }
                %(added)s
            }
        double *result = (double *)PyArray_DATA(%(totals)s);
        %(weighted)s
        const double signed_sum = result[%(term_count)d] = %(signed)s;
        const int sign = (signed_sum > 0) - (signed_sum < 0);
        for (int c = 0; sign < 1 && signed_sum == signed_sum && c < %(channel_count)d; ++c)
            for (npy_intp i = 0; i < windows * length * bins; ++i)
                out[c][i] *= sign;
        for (npy_intp number = 0; number < bias_count; ++number)
            ((real *)PyArray_DATA(%(biased)s))[number] = (real)(sign * slant[number]);
    }
    free(slant);
    Py_XDECREF(noised);
    Py_XDECREF(begun);
    made = released(channel, %(channel_count)d, made);
    if (!released(given, %(frame_count)d, made)) {
        %(fail)s
    }
}
"""
