"""Adadelta with as few passes over the parameters, and as few arrays of their size, as possible.

Call :func:`deepconvsep.backend.prepare.prepare` before importing this module.
"""
from collections import OrderedDict

import numpy as np
import theano
import theano.scalar
from theano.tensor.elemwise import Elemwise


def adadelta(gradients, params, rho=0.95, epsilon=1e-6):
    """The updates of Adadelta with learning rate 1, as `lasagne.updates.adadelta` gives them.

    From those Theano makes six passes per parameter and keeps an array of its size between them, because it takes
    sums apart that are used twice. As operations of their own, each works in place: only the gradients remain.

    Parameters
    ----------
    gradients : list of tensor
    params : list of shared variable
        As many.
    rho, epsilon : float

    Returns
    -------
    OrderedDict
        The new value of every parameter, of its mean squared gradient and of its mean squared step, which are new
        shared variables, in the order of Lasagne's.

    References
    ----------
    M. D. Zeiler, "ADADELTA: an adaptive learning rate method", arXiv 1212.5701, 2012, algorithm 1.
    """
    real = theano.scalar.get_scalar_type(theano.config.floatX)
    mean, value, delta = real('mean'), real('value'), real('delta')
    average = _elementwise([mean, value], rho * mean + (1 - rho) * value * value)
    scale = _elementwise([value, delta, mean], value * theano.scalar.sqrt(delta + epsilon)
                         / theano.scalar.sqrt(mean + epsilon))
    updates = OrderedDict()
    for gradient, param in zip(gradients, params):
        zeros = np.zeros(param.get_value(borrow=True).shape, param.dtype)
        squares, steps = (theano.shared(zeros, broadcastable=param.broadcastable) for _ in range(2))
        updates[squares] = average(squares, gradient)
        step = scale(gradient, steps, updates[squares])
        updates[param] = param - step
        updates[steps] = average(steps, step)
    return updates


def _elementwise(inputs, output):
    return Elemwise(theano.scalar.Composite(inputs, [output]))
