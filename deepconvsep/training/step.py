"""One step of a training, compiled.

The data of a chunk stay on the device, each frame once, and a batch is cut there by the numbers of its first
frames: what travels per step is a few hundred bytes.

Call :func:`deepconvsep.backend.prepare.prepare` before importing this module.
"""
import math

import lasagne
import numpy as np
import theano
import theano.tensor as T

from deepconvsep.errors import InputError
from deepconvsep.network import c_source
from deepconvsep.network.build import build
from deepconvsep.network.masks import mask_noise
from deepconvsep.score.masks import beside_roll
from deepconvsep.training import fused, objective
from deepconvsep.training.adadelta import adadelta

OPTIMIZERS = {'adadelta': adadelta, 'adam': lasagne.updates.adam}

# parameters beyond which memory counts more than the time it takes to get it
LARGE = 1 << 24


class Step:
    """The compiled training step, and the evaluation of the loss without one.

    Parameters
    ----------
    network : architecture.Architecture
    settings : settings.Settings
    terms : tuple of objective.Term
        The loss; targets are numbered like the network's outputs.
    batch_size : int
    seed : int
        For the initial parameters and the masks' noise.
    optimizer : {'adadelta', 'adam'}
    params : list of ndarray, optional
        What the parameters start from; copied. Default: drawn by the seed.
    output_bias : float
        What the biases of the outputs start from, unless there are `params`. Above 0, all outputs are positive at
        first, and the masks equal; at 0, half of them are not: there the masks are 0 or 1, and no gradient passes.
    learning_rate : float, optional
        Of Adam. Default: Lasagne's, 0.001.
    """

    def __init__(self, network, settings, terms, batch_size, seed=0, optimizer='adadelta', params=None,
                 output_bias=0., learning_rate=None):
        self.batch_size, self.time_context = batch_size, network.time_context
        frames, bins, sources = network.time_context, network.feat_size, len(settings.sources)
        self._inputs = theano.shared(np.zeros((1, bins), theano.config.floatX))
        # of a score-informed network: the mixture times each mask, multiplied once and not at every step, or the
        # mixture and the piano roll
        self._filtered = theano.shared(np.zeros((1, network.channels * bins), theano.config.floatX)) \
            if network.channels > 1 else None
        # one array per source: elementwise operations are several times faster on arrays without gaps
        self._outputs = [theano.shared(np.zeros((1, bins), theano.config.floatX)) for _ in range(sources)]
        starts = T.lvector('starts')
        rows = (starts[:, None] + T.arange(frames)[None, :]).reshape((batch_size * frames,))
        mixture = self._inputs[rows].reshape((batch_size, frames, bins))

        lasagne.random.set_rng(np.random.RandomState(seed))
        seen = mixture.dimshuffle(0, 'x', 1, 2) if self._filtered is None else \
            self._filtered[rows].reshape((batch_size, frames, network.channels, bins)).dimshuffle(0, 2, 1, 3)
        self.net = build(network, seen, batch_size, params=params and [np.array(value) for value in params])
        if output_bias and not params:
            self.net.b.set_value(np.full_like(self.net.b.get_value(), output_bias))
        noise = theano.shared(mask_noise((batch_size, frames, bins), seed))
        self._notes = bool(settings.score and settings.score.notes)
        # what is told the notes sees no masks that could confine it before it separates
        confined = bool(settings.score and settings.score.confine) and not self._notes
        decoded = lasagne.layers.get_output(self.net.input_layers)
        how = (noise, settings.mask_eps, settings.mask_noise_in_numerator)
        if c_source.usable():
            given = [self._inputs] + self._outputs + ([self._filtered] if confined else [])
            loss, values, known, bias_gradient = fused.masked_loss(terms, self.net, decoded, given, starts, *how)
        else:
            targets = [output[rows].reshape((batch_size, frames, bins)) for output in self._outputs]
            # the masks that the mixture was multiplied by; where it is silent, they do not matter
            limits = [T.maximum(seen[:, index] / (mixture + objective.SILENCE), objective.LEAST_LIMIT)
                      for index in range(network.channels)] if confined else None
            loss, values, known, bias_gradient = objective.masked_loss(terms, self.net, decoded, mixture, targets,
                                                                       *how, limits)
        self.params = lasagne.layers.get_all_params(self.net, trainable=True)
        inner = [param for param in self.params if param is not self.net.b]
        gradients = theano.grad(None, inner, known_grads=known, disconnected_inputs='ignore')
        more = {'learning_rate': learning_rate} if learning_rate and optimizer == 'adam' else {}
        updates = OPTIMIZERS[optimizer](gradients + [bias_gradient], inner + [self.net.b], **more)
        self.optimizer = [variable for variable in updates if variable not in self.params]
        # taking buffers from the system anew costs small networks a third of the time; for the published Bach10 network
        # that is nothing beside the products, and keeping them from step to step would take gigabytes
        large = sum(map(math.prod, network.param_shapes())) > LARGE
        mode = theano.compile.get_default_mode().clone(link_kwargs={'allow_gc': large})
        self._train = theano.function([starts], [loss] + values, updates=updates, mode=mode)
        self._evaluate = None
        self._evaluation = ([starts], [loss] + values, mode)

    def load_chunk(self, inputs, outputs, guide=None):
        """Put the frames of a chunk on the device.

        A window of silence goes behind them: it adds nothing to loss and gradient, and fills up a last batch.

        Parameters
        ----------
        inputs, outputs : ndarray, shape (frames, bins), (frames, sources * bins)
        guide : ndarray, shape (frames, channels * bins), optional
            Of a score-informed network: what the channels of its input are filtered with, or the piano roll.
        """
        bins = inputs.shape[1]
        for variable, frames in zip([self._inputs] + self._outputs,
                                    [inputs] + np.split(outputs, len(self._outputs), axis=1)):
            device = self._room(len(inputs), bins)
            device[:len(inputs)] = frames
            variable.set_value(device, borrow=True)
        if self._filtered is not None:
            device = self._room(len(inputs), self._filtered.get_value(borrow=True).shape[1])
            if self._notes:
                device[:len(inputs)] = beside_roll(inputs, guide).reshape(len(inputs), -1)
            else:
                for first in range(0, guide.shape[1], bins):
                    np.multiply(inputs, guide[:, first:first + bins], out=device[:len(inputs), first:first + bins])
            self._filtered.set_value(device, borrow=True)
        self._silence = len(inputs)

    def _room(self, frames, width):
        return np.zeros((frames + self.time_context, width), theano.config.floatX)

    def train(self, starts):
        """One step on the windows that start at the frames `starts`, at most `batch_size` of them.

        Returns
        -------
        ndarray of float64
            The loss before the step, then its terms; sums over the windows.
        """
        return np.array(self._train(self._padded(starts)), float)

    def evaluate(self, starts):
        """The loss and its terms, without a step."""
        if self._evaluate is None:
            inputs, outputs, mode = self._evaluation
            self._evaluate = theano.function(inputs, outputs, mode=mode)
        return np.array(self._evaluate(self._padded(starts)), float)

    def _padded(self, starts):
        padded = np.full(self.batch_size, self._silence, np.int64)
        padded[:len(starts)] = starts
        return padded

    def get_values(self):
        """Parameters and optimiser state: two lists of ndarray, to be used before the next step.

        They are not copied where they are in this process's memory already: with the optimiser's, the parameters of
        the published Bach10 network take 2.6 GB.
        """
        return ([param.get_value(borrow=True) for param in self.params],
                [state.get_value(borrow=True) for state in self.optimizer])

    def set_values(self, params, optimizer=None):
        """Set the parameters and, if given, the optimiser state.

        Arrays that can be written to are taken over, not copied.
        """
        pairs = [(self.params, params)] + ([] if optimizer is None else [(self.optimizer, optimizer)])
        for variables, values in pairs:
            if len(values) != len(variables):
                raise InputError('the stored state does not fit the network: %d arrays, expected %d'
                                 % (len(values), len(variables)))
        for variable, value in (pair for lists in pairs for pair in zip(*lists)):
            if variable.get_value(borrow=True).shape != value.shape:
                raise InputError('the stored state does not fit the network: array of %s, expected %s'
                                 % (value.shape, variable.get_value(borrow=True).shape))
            variable.set_value(np.require(value, variable.dtype, 'W'), borrow=True)
