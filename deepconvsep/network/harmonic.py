"""The harmonic network: how strong are the harmonics of the notes of a score?

It sees nothing of the mixture but the power at the harmonics of the notes that the score has, and says how strong those
of each note are in each frame; what the notes of an instrument add up to is its output. All pitches of all instruments
have the same weights, so that it learns from every note what the autoencoders of
:mod:`deepconvsep.network.architecture` have to learn for every pitch and every chord.

    of each pitch that an instrument plays in the window, in each frame:
    power at its harmonics, how much of that others claim, instrument, pitch
    -> dense, relu -> [convolution over time, dilated, relu, added to its input] for each dilation
    -> dense: the power of each harmonic -> back to the bins
    -> again, with the shares that it has found and what it knows of the instrument's other pitches

Source: the models of harmonic spectra of Z. Duan and B. Pardo, "Soundprism", IEEE JSTSP 2011, with a network in place
of fixed timbres; dilated convolutions: A. van den Oord et al., "WaveNet", 2016, section 2.1.
"""
from dataclasses import dataclass

from deepconvsep.network.decoded import Decoded, whole_numbers
from deepconvsep.score.masks import PITCHES

#: Keeps the logarithms of powers finite; those at harmonics are relative to the mean power of the window.
LEAST_POWER, LEAST_SHARE = 1e-3, 1e-4
#: Logarithms are brought to about the size of the other inputs.
SCALE = .2
#: An output where no note has a harmonic, and the power of silence.
FLOOR, SILENCE = 1e-4, 1e-12
#: Bounds of the logarithm of a harmonic's power: beyond them lies what no mixture has.
LARGEST = 30.


@dataclass(frozen=True)
class HarmonicArchitecture(Decoded):
    """A harmonic network.

    Parameters
    ----------
    name, feat_size, decoders, time_context
        As of :class:`deepconvsep.network.architecture.Architecture`; an instrument has a branch of its own.
    sample_rate : int
        Hz: with `feat_size` it tells which frequency a bin has.
    harmonics : int
        Of a note.
    hidden : int
        Units of each layer.
    dilations : tuple of int
        Frames between the three taps of each convolution over time.
    passes : int
        How often the network looks at the harmonics.
    channels : int
        2: the magnitudes of the mixture, and the piano roll, whose column ``127 * instrument + MIDI number`` is 1
        while a note sounds; the columns behind are not used.
    outputs, biases
        Channel 0 of each branch, each with its bias.
    """

    name: str
    feat_size: int
    decoders: tuple[int, ...]
    sample_rate: int = 44100
    harmonics: int = 24
    hidden: int = 64
    dilations: tuple[int, ...] = (1, 2, 4, 8)
    passes: int = 2
    channels: int = 2
    outputs: tuple[int, ...] | None = None
    time_context: int = 62
    biases: int | None = None

    def __post_init__(self):
        if self.outputs is None:
            object.__setattr__(self, 'outputs', tuple(range(0, 2 * len(self.decoders), 2)))
        if self.biases is None:
            object.__setattr__(self, 'biases', len(self.decoders))

    @property
    def columns(self):
        """Columns of the piano roll."""
        return PITCHES * self.branches

    def param_shapes(self):
        """Shapes of all arrays, in the order in which models store them."""
        shapes, seen = [], 3 * self.harmonics + self.branches + 2
        for number in range(self.passes):
            shapes.append((seen + (2 * self.harmonics if number else 0), self.hidden))
            if number:
                shapes.append((self.hidden, self.hidden))
            shapes.append((self.hidden,))
            for _ in self.dilations:
                shapes += [(3 * self.hidden, self.hidden), (self.hidden,)]
            shapes += [(self.hidden, self.harmonics), (self.harmonics,)]
        return shapes + [(self.biases,)]

    @property
    def smallest(self):
        """Below 1 when the piano roll is wider than the spectrum, or a convolution longer than the window."""
        last = self.outputs == tuple(range(0, 2 * self.branches, 2)) and self.channels == 2
        return min(self.feat_size - self.columns, self.time_context - max(self.dilations) + 1) * last

    @classmethod
    def _fits(cls, name, value):
        if name == 'dilations':
            return whole_numbers(value, 1)
        return super()._fits(name, value)


def outputs(network, params, power, rows, math):
    """The outputs of a harmonic network, before their biases: of NumPy's arrays or of Theano's expressions.

    Parameters
    ----------
    network : HarmonicArchitecture
    params : list
        Arrays of the shapes that `network` tells; the last one is not used.
    power : array, shape (windows, frames, bins)
        The squared magnitudes of the mixture.
    rows : partials.Rows
    math : object
        With the functions of `numpy` or of `theano.tensor`, and with ``collect(spectra, numbers, pitches)`` and
        ``spread(values, numbers, pitches, count)`` of :class:`deepconvsep.network.partials.Partials`.

    Returns
    -------
    array, shape (windows * instruments, frames, bins)
        Positive.
    """
    at = _Pitches(network, power.shape[0], rows, math)
    values, on = iter(params), at.on
    heard, seen = features(at, power)
    found, hidden, amplitude = seen, None, None
    for turn in range(network.passes):
        weights, known = next(values), 0
        if turn:
            share = at.collect((at.by_window(amplitude) / at.total(amplitude)).reshape(amplitude.shape))
            found = math.concatenate([seen, share, heard + SCALE * math.log(share + LEAST_SHARE)], axis=2)
            known = math.dot(at.mean_of_instrument(hidden), next(values))[:, None, :]
        hidden = math.maximum(at.dense(found, weights, next(values)) + known, 0) * on
        for dilation in network.dilations:
            rest = hidden[:, :dilation] * 0
            taps = [math.concatenate([rest, hidden[:, :at.length - dilation]], axis=1), hidden,
                    math.concatenate([hidden[:, dilation:], rest], axis=1)]
            rectified = math.maximum(at.dense(math.concatenate(taps, axis=2), next(values), next(values)), 0)
            hidden = hidden + on * rectified
        strength = at.dense(hidden, next(values), next(values)) + heard / SCALE
        amplitude = math.sqrt(at.spread(math.exp(math.clip(strength, -LARGEST, LARGEST)) * on) + FLOOR ** 2)
    return amplitude


def features(at, power):
    """What the network sees before it has found anything: (rows, frames, harmonics) and (rows, frames, features).

    The first, which is part of the second, is the logarithm of the power at the harmonics; `at` is a :class:`_Pitches`.
    """
    math, on, pitches = at.math, at.on, at.pitches
    reference = (power.mean(axis=2).mean(axis=1) + SILENCE)[at.window][:, None, None]
    heard = SCALE * math.log(math.collect(power, at.window, pitches) / reference + LEAST_POWER)
    claims = at.spread(on + 0 * heard)
    others = (at.total(claims) - at.by_window(claims)).reshape(claims.shape)
    claimed = at.collect(math.minimum(others, 1))
    instruments = at.network.branches
    played = math.eye(instruments, dtype=power.dtype)[at.groups % instruments][:, None, :] + 0 * on
    height = (pitches.astype(power.dtype)[:, None, None] - 60) / 12 * on
    return heard, math.concatenate([heard, claimed, heard * (1 - claimed), played, height, on], axis=2)


class _Pitches:
    """What a harmonic network looks at, a row for each pitch of an instrument in a window, and sums over the rows.

    Parameters are those of :func:`outputs`; spectra have the shape (windows * instruments, frames, bins).
    """

    def __init__(self, network, windows, rows, math):
        self.network, self.windows, self.math = network, windows, math
        self.pitches, self.groups, self.sounding = rows
        self.count, self.length = self.sounding.shape[0], self.sounding.shape[1]
        self.window, self.on = self.groups // network.branches, self.sounding[:, :, None]

    def spread(self, strengths):
        """The spectra that the harmonics of all rows add up to."""
        return self.math.spread(strengths, self.groups, self.pitches, self.windows * self.network.branches)

    def collect(self, spectra):
        """What each row's harmonics have in the spectrum of its instrument."""
        return self.math.collect(spectra, self.groups, self.pitches)

    def total(self, spectra):
        """Of all instruments of a window, for each of them: (windows, 1, frames, bins)."""
        return self.by_window(spectra).sum(axis=1, keepdims=True)

    def by_window(self, spectra):
        """The same as (windows, instruments, frames, bins)."""
        return spectra.reshape((self.windows, self.network.branches, self.length, self.network.feat_size))

    def dense(self, value, weights, bias):
        """A layer whose units are the last axis."""
        flat = self.math.dot(value.reshape((self.count * self.length, value.shape[2])), weights) + bias
        return flat.reshape((self.count, self.length, bias.shape[0]))

    def mean_of_instrument(self, hidden):
        """For each row the mean over all rows of its instrument, and the frames in which they sound: (rows, units)."""
        member = self.math.eye(self.windows * self.network.branches, dtype=hidden.dtype)[self.groups]
        frames = self.math.dot(member.T, self.sounding.sum(axis=1))[:, None] + 1
        return self.math.dot(member, self.math.dot(member.T, hidden.sum(axis=1)) / frames)
