"""From the outputs of a network to soft masks, and the noise in them.

Call :func:`deepconvsep.backend.prepare.prepare` before importing this module.
"""
import lasagne
import numpy as np
import theano
import theano.tensor as T

from deepconvsep.network import noise as values


def source_outputs(net):
    """The outputs of a network that :func:`deepconvsep.network.build.build` returned.

    A list of tensors of shape (batch, frames, bins).
    """
    return net.rectified(lasagne.layers.get_output(net.input_layers))


def soft_masks(outputs, noise, eps, in_numerator):
    """Turn the network's outputs into masks.

    Parameters
    ----------
    outputs : list of tensor
        One per source, not negative.
    noise : tensor
        Uniform in (0, 1], broadcastable to the shape of an output.
    eps : float
        Weight of the noise.
    in_numerator : bool
        True (DSD100, iKala): ``(p_j + eps * noise) / sum_k(p_k + eps * noise)``; the masks sum to 1 also where all
        outputs are 0. False (Bach10): ``p_j / (sum_k(p_k) + eps * noise)``; they are 0 there.

    Returns
    -------
    list of tensor
        In [0, 1].
    """
    small = noise * np.asarray(eps, dtype=noise.dtype)
    if in_numerator:
        outputs = [output + small for output in outputs]
        total = T.add(*outputs) if len(outputs) > 1 else outputs[0]
    else:
        total = T.add(small, *outputs)
    return [output / total for output in outputs]


def mask_noise(shape, seed):
    """The masks' noise, see :func:`deepconvsep.network.noise.mask_noise`, of type floatX.

    >>> mask_noise((1, 30, 513), 0).shape
    (1, 30, 513)
    """
    return values.mask_noise(shape, seed, theano.config.floatX)
