"""The networks, as numbers: what each is built from and which arrays it has. Needs no Theano.

All networks here are of one family, a convolutional autoencoder over a window of spectrogram frames:

    input (channels, time_context, feat_size)
    -> convolution over frequency -> bias [-> max-pooling over frequency]
    -> convolution over time (iKala: over both) -> bias
    -> dense bottleneck, relu
    -> one dense layer per branch, relu -> inverse of the second convolution [-> unpooling] -> inverse of the first
    -> the branches' channels side by side -> one bias per channel -> relu

Source: P. Chandna, M. Miron, J. Janer and E. Gomez, LVA/ICA 2017, section 2.2; M. Miron, J. Janer and
E. Gomez, SMC 2017, section 3.
"""
import dataclasses
from dataclasses import dataclass
from typing import Tuple

from errors import InputError


@dataclass(frozen=True)
class Architecture:
    """One network.

    Parameters
    ----------
    name : str
        What messages call it.
    feat_size : int
        Frequency bins.
    filters : tuple of int
        Filters of the two convolutions.
    width : int
        Bins under a filter of the first convolution.
    stride : int
        Bins from one position of the first convolution to the next.
    kernel : tuple of int
        (frames, bins) under a filter of the second convolution.
    hidden : int
        Units of the bottleneck.
    decoders : tuple of int
        Which branch decodes each slot of the output. A branch that is listed twice serves two slots.
    pool : int
        Bins under one maximum; 1: no pooling.
    channels : int
        Channels of the input, and of each slot of the output.
    outputs : tuple of int, optional
        The channels of the concatenated slots that are used, one per source; None: all.
    time_context : int
        Frames per window.
    """

    name: str
    feat_size: int
    filters: Tuple[int, int]
    width: int
    stride: int
    kernel: Tuple[int, int]
    hidden: int
    decoders: Tuple[int, ...]
    pool: int = 1
    channels: int = 1
    outputs: Tuple[int, ...] = None
    time_context: int = 30

    def __post_init__(self):
        if self.outputs is None:
            object.__setattr__(self, 'outputs', tuple(range(len(self.decoders) * self.channels)))

    @property
    def branches(self):
        """Number of dense branches."""
        return max(self.decoders) + 1

    @property
    def encoded(self):
        """Shape of one example after the second convolution: (filters, frames, bins)."""
        positions = ((self.feat_size - self.width) // self.stride + 1) // self.pool
        return (self.filters[1], self.time_context - self.kernel[0] + 1, positions - self.kernel[1] + 1)

    def param_shapes(self):
        """Shapes of all arrays, in the order in which models store them.

        >>> DSD100.param_shapes()[:3], len(DSD100.param_shapes())
        ([(50, 1, 1, 513), (50,), (50,)], 15)
        """
        first, second = self.filters
        features = 1
        for size in self.encoded:
            features *= size
        shapes = [(first, self.channels, 1, self.width), (first,), (first,),
                  (second, first) + tuple(self.kernel), (second,), (second,),
                  (features, self.hidden), (self.hidden,)]
        for _ in range(self.branches):
            shapes += [(self.hidden, features), (features,)]
        return shapes + [(len(self.decoders) * self.channels,)]

    def to_dict(self):
        """The numbers as a dictionary that JSON can hold."""
        return {name: list(value) if isinstance(value, tuple) else value
                for name, value in dataclasses.asdict(self).items()}

    @classmethod
    def from_dict(cls, values, path):
        """The reverse of :meth:`to_dict`; `path` is the file that errors name."""
        fields = {field.name for field in dataclasses.fields(cls)}
        if not isinstance(values, dict) or set(values) != fields:
            raise InputError('%s does not describe a network: expected the values %s' % (path, ', '.join(sorted(fields))))
        sizes = ('filters', 'kernel', 'decoders', 'outputs')
        for name, value in values.items():
            numbers = value if name in sizes else [value]
            whole = isinstance(numbers, list) and 0 < len(numbers) <= 64 and all(
                type(number) is int and (0 if name in ('decoders', 'outputs') else 1) <= number <= 10 ** 6
                for number in numbers)
            if name != 'name' and not whole or name in ('filters', 'kernel') and len(numbers) != 2:
                raise InputError('%s gives the network %s = %.60r, expected whole numbers: restore the file'
                                 % (path, name, value))
        network = cls(**{name: tuple(value) if name in sizes else value for name, value in values.items()})
        slots = len(network.decoders) * network.channels
        if min(network.encoded) < 1 or max(network.outputs) >= slots or set(network.decoders) != set(
                range(network.branches)):
            raise InputError('%s describes a network that cannot be built: restore the file' % path)
        return network


def _convolution_over_all_bins(name, feat_size, decoders, **more):
    return Architecture(name, feat_size, filters=(50, 50), width=feat_size, stride=1, kernel=(15, 1), hidden=128,
                        decoders=decoders, **more)


# In the published wiring "other" is decoded by the branch of "bass": the models have no array for it.
DSD100 = _convolution_over_all_bins('DSD100 network', 513, (0, 1, 2, 1))
DSD100_FOUR_BRANCHES = _convolution_over_all_bins('DSD100 network with four branches', 513, (0, 1, 2, 3))

IKALA = Architecture('iKala network without pooling', 513, filters=(30, 30), width=30, stride=3, kernel=(10, 20),
                     hidden=256, decoders=(0, 1))
IKALA_POOLED = dataclasses.replace(IKALA, name='iKala network with pooling', pool=4)

BACH10 = Architecture('Bach10 network', 2049, filters=(30, 30), width=30, stride=4, kernel=(20, 1), hidden=256,
                      decoders=(0, 1, 2, 3))
BACH10_COMPACT = _convolution_over_all_bins('compact Bach10 network', 2049, (0, 1, 2, 3))

# Of the 16 output channels of the recorded score-informed network only the first branch's four are used.
SCOREINFORMED = dataclasses.replace(BACH10, name='score-informed Bach10 network', channels=4, outputs=(0, 1, 2, 3))
SCOREINFORMED_ONE_BRANCH = dataclasses.replace(SCOREINFORMED, name='score-informed Bach10 network with one branch',
                                               decoders=(0,))

KNOWN = (DSD100, DSD100_FOUR_BRANCHES, IKALA_POOLED, IKALA, BACH10, BACH10_COMPACT, SCOREINFORMED,
         SCOREINFORMED_ONE_BRANCH)


def identify(shapes):
    """The known network that has arrays of these shapes, or None."""
    for network in KNOWN:
        if network.param_shapes() == [tuple(shape) for shape in shapes]:
            return network
    return None
