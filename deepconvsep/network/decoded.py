"""What the descriptions of all networks have in common, and how they become JSON."""
import dataclasses

from deepconvsep.errors import InputError


class Decoded:
    """What the networks have in common: branches, each decoded to the channels of the input; among these the sources.

    See :class:`deepconvsep.network.architecture.Architecture` for the fields `name`, `feat_size`, `decoders`,
    `channels`, `outputs`, `biases` and `time_context`.

    Raises
    ------
    ValueError
        When there are no such outputs, another number of biases, or a branch that no decoder names.
    """

    def __post_init__(self):
        every = len(self.decoders) * self.channels
        if self.outputs is None:
            object.__setattr__(self, 'outputs', tuple(range(every)))
        if self.biases is None:
            object.__setattr__(self, 'biases', every)
        if max(self.outputs) >= every or self.biases not in (every, len(self.outputs)) \
                or set(self.decoders) != set(range(self.branches)):
            raise ValueError('%d decoders of %d channels have outputs 0 to %d, got outputs %s and %d biases: give '
                             'outputs=None and biases=None for all' % (len(self.decoders), self.channels, every - 1,
                                                                       self.outputs, self.biases))

    @property
    def branches(self):
        """Number of branches."""
        return max(self.decoders) + 1

    @property
    def places(self):
        """For each source: its branch, which of the branch's channels it is, and the number of its bias.

        >>> from deepconvsep.network.architecture import SCOREINFORMED, SCOREINFORMED_FOUR_BRANCHES
        >>> SCOREINFORMED.places[1], SCOREINFORMED_FOUR_BRANCHES.places[1]
        ((0, 1, 1), (1, 1, 1))
        """
        shared = self.biases == len(self.decoders) * self.channels
        return [(self.decoders[output // self.channels], output % self.channels, output if shared else source)
                for source, output in enumerate(self.outputs)]

    @property
    def used_branches(self):
        """The branches that serve a source, in order; the others need not be decoded.

        >>> from deepconvsep.network.architecture import SCOREINFORMED, SCOREINFORMED_FOUR_BRANCHES
        >>> SCOREINFORMED.used_branches, SCOREINFORMED_FOUR_BRANCHES.used_branches
        ([0], [0, 1, 2, 3])
        """
        return sorted({branch for branch, _, _ in self.places})

    def only_channel(self, branch):
        """The channel of a branch that is used, or None when several are: the others need not be decoded.

        >>> from deepconvsep.network.architecture import SCOREINFORMED, SCOREINFORMED_FOUR_BRANCHES
        >>> SCOREINFORMED.only_channel(0), SCOREINFORMED_FOUR_BRANCHES.only_channel(1)
        (None, 1)
        """
        parts = {part for used, part, _ in self.places if used == branch}
        return parts.pop() if len(parts) == 1 else None

    def is_like(self, other):
        """Whether this is another network up to the sizes that a user may choose in training."""
        return (self.name, self.decoders, self.channels) == (other.name, other.decoders, other.channels)

    def to_dict(self):
        """The numbers as a dictionary that JSON can hold."""
        values = {name: _listed(value) for name, value in dataclasses.asdict(self).items()}
        if self.biases == len(self.decoders) * self.channels:
            del values['biases']
        return values

    @classmethod
    def from_dict(cls, values, path):
        """The reverse of :meth:`to_dict`; `path` is the file that errors name."""
        fields = {field.name for field in dataclasses.fields(cls)} - {'biases'}
        if not isinstance(values, dict) or set(values) - {'biases'} != fields:
            raise InputError('%s does not describe a network: expected the values %s' % (path,
                                                                                         ', '.join(sorted(fields))))
        if not isinstance(values['name'], str):
            raise InputError('%s gives the network name = %.60r, expected text: restore the file'
                             % (path, values['name']))
        for name, value in values.items():
            if name != 'name' and not cls._fits(name, value):
                raise InputError('%s gives the network %s = %.60r, expected whole numbers: restore the file'
                                 % (path, name, value))
        try:
            network = cls(**{name: _tupled(value) for name, value in values.items()})
        except ValueError:
            network = None
        if network is None or network.smallest < 1:
            raise InputError('%s describes a network that cannot be built: restore the file' % path)
        return network

    @classmethod
    def _fits(cls, name, value):
        """Whether a value of a file may be the field `name`."""
        if name in ('decoders', 'outputs'):
            return whole_numbers(value, 0)
        return whole_numbers([value], 1)


def whole_numbers(values, least, count=None):
    """Whether `values`, of JSON, are a list of whole numbers, at least `least`, and `count` of them if given."""
    return isinstance(values, list) and 0 < len(values) <= 64 and count in (None, len(values)) and all(
        type(value) is int and least <= value <= 10 ** 6 for value in values)


def _listed(value):
    return [_listed(each) for each in value] if isinstance(value, tuple) else value


def _tupled(value):
    return tuple(_tupled(each) for each in value) if isinstance(value, list) else value
