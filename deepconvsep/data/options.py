"""How a dataset's files are chosen, cut and scaled; arguments that are checked when they are given."""
from dataclasses import dataclass

import numpy as np

from deepconvsep.errors import InputError


@dataclass
class Options:
    """How files are chosen, cut into windows and scaled: arguments of :class:`deepconvsep.data.large.LargeDataset`.

    They are checked, and completed, when one is made.
    """

    exclude_list: list[str]
    nsamples: int
    time_context: int
    overlap: int
    tensortype: np.dtype
    extra_features: bool
    model: str
    context: int
    jump: int
    log_in: bool
    log_out: bool
    mult_factor_in: float
    mult_factor_out: float
    nsources: int
    seed: int
    legacy: bool

    def __post_init__(self):
        self.time_context = whole('time_context', 10 if self.time_context == -1 else self.time_context, 1)
        self.overlap = whole('overlap', self.overlap, 0)
        if self.overlap > self.time_context:
            self.overlap = self.time_context // 2
        if self.overlap == self.time_context:
            raise InputError('overlap is %d, expected less than time_context (%d)' % (self.overlap, self.time_context))
        self.jump = int(self.jump) if self.jump >= 1 else -(-self.time_context // (self.time_context - self.overlap))
        self.context = whole('context', self.context, 1)
        self.nsources = whole('nsources', self.nsources, 1)
        self.nsamples = whole('nsamples', self.nsamples, 0)
        self.seed = whole('seed', self.seed, 0, 2 ** 32 - 1)
        self.tensortype = _real(self.tensortype)
        self.exclude_list = [self.exclude_list] if isinstance(self.exclude_list, str) else list(self.exclude_list or ())
        self.extra_features, self.legacy = bool(self.extra_features), bool(self.legacy)
        self.log_in, self.log_out = bool(self.log_in), bool(self.log_out)
        self.mult_factor_in, self.mult_factor_out = float(self.mult_factor_in), float(self.mult_factor_out)


def whole(name, value, low, high=None):
    """Check that an argument is a number within limits and make it a plain int; a fraction is cut off.

    The original takes numbers with fractions, which come from divisions.
    """
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None or number < low or (high is not None and number > high):
        limits = '%d or more' % low if high is None else '%d to %d' % (low, high)
        raise InputError('%s is %r, expected a whole number, %s' % (name, value, limits))
    return number


def _real(tensortype):
    """float32 or float64 as a numpy.dtype."""
    try:
        dtype = np.dtype(tensortype)
    except TypeError:
        dtype = None
    if dtype not in (np.float32, np.float64):
        raise InputError('tensortype is %s, expected float (64 bits) or float32' % (dtype or repr(tensortype)))
    return dtype
