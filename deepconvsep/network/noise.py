"""The noise in soft masks, as numbers. Needs no Theano."""
import numpy as np


def mask_noise(shape, seed, dtype=np.float32):
    """Uniform in (0, 1], from a seeded generator.

    >>> mask_noise((2,), 0, float).round(3).tolist()
    [0.451, 0.285]
    """
    return (1 - np.random.RandomState(seed).uniform(size=shape)).astype(dtype)
