"""The harmonic network of :mod:`deepconvsep.network.harmonic` as a Lasagne layer, and its operations.

The sums over harmonics are sparse products of SciPy: on a GPU, too, they run on the CPU.

Call :func:`deepconvsep.backend.prepare.prepare` before importing this module.
"""
import lasagne
import theano
import theano.tensor as T
from lasagne.layers import Layer

from deepconvsep.network import harmonic
from deepconvsep.network.partials import Rows, find_rows, partials_of


class FindRows(theano.Op):
    """Of piano rolls, (windows, frames, instruments * PITCHES), the rows: the three arrays of :class:`Rows`."""

    __props__ = ()

    def make_node(self, roll):
        roll = T.as_tensor_variable(roll)
        if roll.ndim != 3:
            raise TypeError('expected piano rolls of three axes, got %s' % roll.type)
        return theano.Apply(self, [roll], [T.lvector(), T.lvector(), T.TensorType(roll.dtype, (False, False))()])

    def perform(self, node, arrays, results):
        for result, value in zip(results, find_rows(arrays[0])):
            result[0] = value

    def grad(self, inputs, gradients):
        return [theano.gradient.grad_undefined(self, 0, inputs[0], 'there are as many rows as notes')]


class _OverHarmonics(theano.Op):
    """What the sums and their transposes share: which network's harmonics, and whether they are means."""

    __props__ = ('network', 'averaged')

    def __init__(self, network, averaged):
        self.network, self.averaged = network, averaged

    def make_node(self, values, numbers, pitches, *count):
        given = [T.as_tensor_variable(value) for value in (values, numbers, pitches, *count)]
        if [value.ndim for value in given] != [3, 1, 1] + [0] * len(count):
            raise TypeError('expected values of three axes and rows of one, got %s'
                            % ', '.join(str(value.type) for value in given))
        return theano.Apply(self, given, [T.TensorType(given[0].dtype, (False,) * 3)()])

    def connection_pattern(self, node):
        return [[number == 0] for number in range(len(node.inputs))]


class Collect(_OverHarmonics):
    """The power at each harmonic: :meth:`deepconvsep.network.partials.Partials.collect`."""

    def perform(self, node, arrays, results):
        results[0][0] = partials_of(self.network).collect(*arrays, averaged=self.averaged)

    def infer_shape(self, node, shapes):
        return [(shapes[2][0], shapes[0][1], self.network.harmonics)]

    def grad(self, inputs, gradients):
        spectra, numbers, pitches = inputs
        back = Spread(self.network, self.averaged)(gradients[0], numbers, pitches, spectra.shape[0])
        return [back] + [theano.gradient.DisconnectedType()() for _ in inputs[1:]]


class Spread(_OverHarmonics):
    """Spectra of the power at each harmonic: :meth:`deepconvsep.network.partials.Partials.spread`."""

    def perform(self, node, arrays, results):
        values, numbers, pitches, count = arrays
        results[0][0] = partials_of(self.network).spread(values, numbers, pitches, int(count), self.averaged)

    def infer_shape(self, node, shapes):
        return [(node.inputs[3], shapes[0][1], self.network.feat_size)]

    def grad(self, inputs, gradients):
        back = Collect(self.network, self.averaged)(gradients[0], inputs[1], inputs[2])
        return [back] + [theano.gradient.DisconnectedType()() for _ in inputs[1:]]


class _Math:
    """The functions that :func:`deepconvsep.network.harmonic.outputs` needs, of Theano."""

    concatenate, minimum, maximum = staticmethod(T.concatenate), staticmethod(T.minimum), staticmethod(T.maximum)
    log, exp, sqrt, clip, dot = map(staticmethod, (T.log, T.exp, T.sqrt, T.clip, T.dot))
    eye = staticmethod(T.eye)

    def __init__(self, network):
        self.collect, self.spread = Collect(network, True), Spread(network, False)


class HarmonicLayer(Layer):
    """All of a harmonic network but the last biases.

    Parameters
    ----------
    incoming : Layer
        Shape (windows, 2, frames, bins): magnitudes and piano roll.
    network : harmonic.HarmonicArchitecture
    given : callable
        ``given(name)[name]`` is the next parameter, of the name W or b; where there is none, it is drawn from
        `lasagne.random`, a bias is 0.
    """

    def __init__(self, incoming, network, given, **kwargs):
        super().__init__(incoming, **kwargs)
        self.network = network
        default = {'W': lasagne.init.HeUniform(), 'b': lasagne.init.Constant(0)}
        self.values = []
        for shape in network.param_shapes()[:-1]:
            name = 'W' if len(shape) > 1 else 'b'
            self.values.append(self.add_param({**default, **given(name)}[name], shape, name=name))

    def get_output_shape_for(self, input_shape):
        return (input_shape[0], self.network.branches, *input_shape[2:])

    def get_output_for(self, input, **kwargs):
        rows = Rows(*FindRows()(input[:, 1, :, :self.network.columns]))
        found = harmonic.outputs(self.network, self.values, input[:, 0] ** 2, rows, _Math(self.network))
        shape = (found.shape[0] // self.network.branches, self.network.branches, found.shape[1], found.shape[2])
        return found.reshape(shape)

