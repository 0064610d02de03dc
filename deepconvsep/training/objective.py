"""What training minimises: squared errors between masked estimates and targets, as the original weighs them.

Call :func:`deepconvsep.backend.prepare.prepare` before the functions that build expressions.
"""
import functools
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

# far below any magnitude, and a float32
SILENCE = np.float32(1e-30)
# A score's mask in training is at least this: a source that the score excludes keeps a gradient, and no mask is a
# quotient of two numbers next to 0, whose gradient is infinite.
LEAST_LIMIT = np.float32(0.01)


@dataclass(frozen=True)
class Term:
    """One term of a loss: a weighted sum of squared differences between estimates and targets.

    Parameters
    ----------
    name : str
        As the log calls it.
    pairs : tuple of (int, int)
        Numbers of the estimate and the target that are compared.
    weight : float
    sign : int
        How it enters the loss: 1, -1 (estimates are pushed away from the targets of other sources), or
        0 (reported, not minimised).
    """

    name: str
    pairs: tuple[tuple[int, int], ...]
    weight: float = 1.
    sign: int = 1


def reconstruction(sources):
    """One term per source: its own squared error.

    >>> [term.pairs for term in reconstruction(('voice', 'music'))]
    [((0, 0),), ((1, 1),)]
    """
    return tuple(Term(name, ((index, index),)) for index, name in enumerate(sources))


def evaluate(terms, estimates, targets):
    """The signed sum of the terms and the terms themselves, as Theano expressions.

    Sums are over batch, time and frequency, not means, and accumulate in float64 over the frames. The loss is the
    absolute value of the signed sum, as in the original: were the negative terms to outweigh the others, it would be
    driven back to 0.

    Parameters
    ----------
    terms : tuple of Term
    estimates, targets : list of tensor
        One per source, all of the same shape.

    Returns
    -------
    total : scalar
    values : list of scalar
        The weighted terms, in order.
    """
    values = []
    for term in terms:
        squares = [(estimates[j] - targets[k]) ** 2 for j, k in term.pairs]
        values.append(term.weight * _total(_sum(squares)))
    return _sum([term.sign * value for term, value in zip(terms, values) if term.sign]), values


def slopes(terms, sources):
    """Half the derivative of the signed sum by each estimate, as weights w: ``sum(w) * estimate - w @ targets``.

    >>> slopes(reconstruction('ab'), 2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    weights = np.zeros((sources, sources))
    for term in terms:
        for j, k in term.pairs:
            weights[j, k] += term.sign * term.weight
    return weights


def masked_loss(terms, net, inputs, mixture, targets, noise, eps, in_numerator, limits=None):
    """The loss of a network behind soft masks, with its gradient back to the network's last layer.

    Automatic differentiation of the masks makes dozens of passes over spectrogram-sized arrays. Written out, with
    e the weighted noise, z_j the rectifier's inputs, p_j = max(z_j, 0), d the masks' denominator, x the mixture
    and s_j = m_j x the estimates, it takes a few: with g_j the derivative of the total by s_j / 2,

        dL/dz_j = 2 sign(total) [z_j > 0] (x g_j - sum_k g_k s_k) / d

    for both kinds of masks of :func:`deepconvsep.network.masks.soft_masks`. With `limits` l_j, these are what p_j, and
    thereby its derivative, is multiplied by.

    Parameters
    ----------
    terms : tuple of Term
    net : deepconvsep.network.layers.SourcesLayer
    inputs : list of tensor
        The values of the network's last layer's inputs.
    mixture : tensor, shape (batch, frames, bins)
    targets : list of tensor, same shape, one per source
    noise : tensor, same shape
    eps, in_numerator
        As in :func:`deepconvsep.network.masks.soft_masks`.
    limits : list of tensor, optional
        One per output of the network, shaped like the mixture: the masks of a score, which confine its outputs.

    Returns
    -------
    loss : scalar
    values : list of scalar
        The terms.
    gradients : OrderedDict
        Derivative of the loss by each decoded channel: the `known_grads` of `theano.grad`.
    bias_gradient : vector
        Derivative by the last layer's bias.
    """
    import theano.tensor as T

    real = noise.dtype
    number = functools.partial(np.asarray, dtype=real)
    channels, sources = net.channels(inputs)
    sums = [channels[place] + net.b[bias] for place, bias in sources]
    weighted = noise * number(eps)
    outputs = [T.nnet.relu(value) for value in sums]
    if limits is not None:
        outputs = [output * limit for output, limit in zip(outputs, limits)]
    if in_numerator:
        denominator = T.add(weighted * number(len(outputs)), *outputs)
        outputs = [output + weighted for output in outputs]
    else:
        denominator = T.add(weighted, *outputs)
    estimates = [output / denominator * mixture for output in outputs]
    total, values = evaluate(terms, estimates, targets)

    gradients = {j: estimates[j] * number(row.sum()) - _combine(targets, row.astype(real))
                 for j, row in enumerate(slopes(terms, len(targets))) if row.any()}
    common = _sum([slope * estimates[j] for j, slope in gradients.items()])
    factor = number(2) * T.cast(T.sgn(total), real) / denominator
    by_output = [T.switch(value > 0, factor * ((mixture * gradients[j] if j in gradients else 0) - common), number(0))
                 for j, value in enumerate(sums)]
    if limits is not None:
        by_output = [slope * limit for slope, limit in zip(by_output, limits)]
    known = OrderedDict((channel, _sum([by_output[j] for j, (place, _) in enumerate(sources) if place == index]))
                        for index, channel in enumerate(channels))
    bias_gradient = T.zeros_like(net.b)
    for j, (_, bias) in enumerate(sources):
        bias_gradient = T.inc_subtensor(bias_gradient[bias], T.cast(_total(by_output[j]), real))
    return abs(total), values, known, bias_gradient


def _sum(expressions):
    return sum(expressions[1:], expressions[0])


def _combine(values, weights):
    """The weighted sum; values of the same weight are added first, which leaves less in common to store."""
    return _sum([weight * _sum([value for value, other in zip(values, weights) if other == weight])
                 for weight in sorted(set(weights)) if weight])


def _total(values):
    """The sum over a tensor of shape (batch, frames, bins): over the bins as a product, over the frames in float64."""
    import theano.tensor as T
    return T.dot(values, T.ones((values.shape[2],), values.dtype)).sum(dtype='float64')
