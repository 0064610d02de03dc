"""The networks, as numbers: what each is built from and which arrays it has. Needs no Theano.

All networks but two are of one family, a convolutional autoencoder over a window of spectrogram frames:

    input (channels, time_context, feat_size)
    -> convolution over frequency -> bias [-> max-pooling over frequency]
    -> convolution over time (iKala: over both) -> bias
    -> dense bottleneck, relu
    -> one dense layer per branch, relu -> inverse of the second convolution [-> unpooling] -> inverse of the first
    -> the branches' channels side by side -> one bias per channel -> relu

:class:`StackedArchitecture` has more convolutions and no dense layers,
:class:`deepconvsep.network.harmonic.HarmonicArchitecture` looks at the harmonics of a score's notes only.

Source: P. Chandna, M. Miron, J. Janer and E. Gomez, LVA/ICA 2017, section 2.2; M. Miron, J. Janer and
E. Gomez, SMC 2017, section 3; with scores: M. Miron, J. Janer and E. Gomez, ISMIR 2017, section 3.
"""
import dataclasses
from dataclasses import dataclass

from deepconvsep.network.decoded import Decoded, whole_numbers
from deepconvsep.network.harmonic import HarmonicArchitecture


@dataclass(frozen=True)
class Architecture(Decoded):
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
    biases : int, optional
        Length of the last array: one per channel of all slots, used or not, as in the original (default), or one per
        source.
    """

    name: str
    feat_size: int
    filters: tuple[int, int]
    width: int
    stride: int
    kernel: tuple[int, int]
    hidden: int
    decoders: tuple[int, ...]
    pool: int = 1
    channels: int = 1
    outputs: tuple[int, ...] | None = None
    time_context: int = 30
    biases: int | None = None

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
        return shapes + [(self.biases,)]

    @property
    def smallest(self):
        """Below 1 when the input is too small for the filters."""
        return min(self.encoded + tuple(self.kernel))

    @classmethod
    def _fits(cls, name, value):
        if name in ('filters', 'kernel'):
            return whole_numbers(value, 1, 2)
        return super()._fits(name, value)


@dataclass(frozen=True)
class StackedArchitecture(Decoded):
    """A network of convolutions one upon the other, the last of which is sliced into the branches.

        input (channels, time_context, feat_size) -> [convolution, relu -> bias] for each layer
        -> slices of the last layer's filters, one per branch
        -> inverse of all convolutions but the last, the relu included -> one bias per channel -> relu

    Parameters
    ----------
    layers : tuple of (int, int, int, int)
        Of each convolution: filters, frames and bins under a filter, bins from one position to the next.
    name, feat_size, decoders, channels, outputs, biases, time_context
        As in :class:`Architecture`.
    """

    name: str
    feat_size: int
    layers: tuple[tuple[int, int, int, int], ...]
    decoders: tuple[int, ...]
    channels: int = 1
    outputs: tuple[int, ...] | None = None
    time_context: int = 30
    biases: int | None = None

    def param_shapes(self):
        """Shapes of all arrays, in the order in which models store them."""
        shapes, below = [], self.channels
        for filters, frames, bins, _ in self.layers:
            shapes += [(filters, below, frames, bins), (filters,), (filters,)]
            below = filters
        return shapes + [(self.biases,)]

    @property
    def smallest(self):
        """Below 1 when the input is too small for the filters."""
        frames, bins = self.time_context, self.feat_size
        for _, height, width, stride in self.layers:
            frames, bins = frames - height + 1, (bins - width) // stride + 1
        # the inverse starts below the last layer, from slices of its output
        same = self.layers[-1][1:] == (1, 1, 1) and len(self.layers) > 1 and (
            self.layers[-1][0] == self.branches * self.layers[-2][0])
        return min(frames, bins) if same else 0

    @classmethod
    def _fits(cls, name, value):
        if name == 'layers':
            return isinstance(value, list) and 0 < len(value) <= 64 and all(
                whole_numbers(layer, 1, 4) for layer in value)
        return super()._fits(name, value)


def _convolution_over_all_bins(name, feat_size, decoders, **more):
    return Architecture(name, feat_size, filters=(50, 50), width=feat_size, stride=1, kernel=(15, 1), hidden=128,
                        decoders=decoders, **more)


# In the published wiring "other" is decoded by the branch of "bass": the models have no array for it.
DSD100 = _convolution_over_all_bins('DSD100 network', 513, (0, 1, 2, 1))
DSD100_FOUR_BRANCHES = _convolution_over_all_bins('DSD100 network with four branches', 513, (0, 1, 2, 3))

IKALA = Architecture('iKala network without pooling', 513, filters=(30, 30), width=30, stride=3, kernel=(10, 20),
                     hidden=256, decoders=(0, 1))
IKALA_POOLED = dataclasses.replace(IKALA, name='iKala network with pooling', pool=4)
IKALA_COMPACT = _convolution_over_all_bins('compact iKala network', 513, (0, 1))

BACH10 = Architecture('Bach10 network', 2049, filters=(30, 30), width=30, stride=4, kernel=(20, 1), hidden=256,
                      decoders=(0, 1, 2, 3))
BACH10_COMPACT = _convolution_over_all_bins('compact Bach10 network', 2049, (0, 1, 2, 3))

# Of the 16 output channels of the recorded score-informed network only the first branch's four are used. In the network
# that its paper describes every source has a branch; of that branch's channels it is the one of its own filtered input.
SCOREINFORMED = dataclasses.replace(BACH10, name='score-informed Bach10 network, recorded', channels=4, biases=16,
                                    outputs=(0, 1, 2, 3))
SCOREINFORMED_ONE_BRANCH = dataclasses.replace(SCOREINFORMED, name='score-informed Bach10 network with one branch',
                                               decoders=(0,), biases=4)
OWN_BRANCHES = {'channels': 4, 'outputs': (0, 5, 10, 15), 'biases': 4}
SCOREINFORMED_FOUR_BRANCHES = dataclasses.replace(BACH10, name='score-informed Bach10 network', **OWN_BRANCHES)
SCOREINFORMED_COMPACT = _convolution_over_all_bins('compact score-informed Bach10 network', 2049, (0, 1, 2, 3),
                                                   **OWN_BRANCHES)

SCOREINFORMED_1X1 = StackedArchitecture(
    'score-informed Bach10 network of convolutions, recorded', 2049,
    ((30, 1, 5, 2), (50, 1, 5, 2), (70, 1, 5, 2), (100, 1, 5, 2), (200, 10, 5, 2), (200, 10, 5, 2), (800, 1, 1, 1)),
    decoders=(0, 1, 2, 3), channels=4, outputs=(0, 1, 2, 3))
SCOREINFORMED_1X1_FOUR_BRANCHES = dataclasses.replace(
    SCOREINFORMED_1X1, name='score-informed Bach10 network of convolutions', **OWN_BRANCHES)

SCOREINFORMED_HARMONIC = HarmonicArchitecture('harmonic score-informed Bach10 network', 2049, decoders=(0, 1, 2, 3))

SCOREINFORMED_NETWORKS = (SCOREINFORMED_FOUR_BRANCHES, SCOREINFORMED, SCOREINFORMED_ONE_BRANCH, SCOREINFORMED_COMPACT,
                          SCOREINFORMED_1X1_FOUR_BRANCHES, SCOREINFORMED_1X1, SCOREINFORMED_HARMONIC)

KNOWN = (DSD100, DSD100_FOUR_BRANCHES, IKALA_POOLED, IKALA, IKALA_COMPACT, BACH10,
         BACH10_COMPACT) + SCOREINFORMED_NETWORKS


def described(values, path):
    """The network that `to_dict` made a dictionary of; `path` is the file that errors name."""
    kinds = {'layers': StackedArchitecture, 'dilations': HarmonicArchitecture}
    own = [kind for field, kind in kinds.items() if isinstance(values, dict) and field in values]
    return (own[0] if own else Architecture).from_dict(values, path)


def identify(shapes):
    """The known network that has arrays of these shapes, or None."""
    for network in KNOWN:
        if network.param_shapes() == [tuple(shape) for shape in shapes]:
            return network
    return None
