"""Does each instrument have its own part? Seen by its range, and by the timbre with which the notes sound.

Two instruments' scores that were exchanged fit the sound as well as the right ones. But a part may go lower than an
instrument can, and where one of the instruments hardly has even harmonics (a clarinet), the notes of its score must
sound so, rather than those of another.
"""
from dataclasses import dataclass

import numpy as np

from deepconvsep.score import presence

#: Share of the time of an instrument's notes that must lie beyond its range.
BEYOND = 0.02
#: Semitones to the first harmonics.
HARMONICS = (0, 12, 19, 24, 28, 31, 34, 36)
#: Leakage of a semitone into its neighbours.
LEAKAGE = 0.1
#: Updates until the timbres are near enough.
ITERATIONS = 40
#: By how many dB another instrument's even harmonics must be weaker. On 60 renderings of chorales with three banks of
#: samples the right scores gave 7.7 dB at most, a clarinet's exchanged with a saxophone's 3 to 28 dB, 18 on average.
HOLLOW = 10.
#: The same where the parts of two instruments lie the other way round than their ranges, whose middles are at least
#: APART semitones from each other. Right scores of a clarinet above a violin gave 2.3 dB at most on 76 renderings, 16
#: of them of recorded notes; exchanged ones more than 4 dB on 73 of 76. Not so with the bank freepats, whose violin is
#: the hollower.
OPPOSED, APART = 4., 8.
#: Blocks of sound that are enough.
ENOUGH = 1200


@dataclass(frozen=True)
class Traits:
    """What is known of an instrument.

    Parameters
    ----------
    lowest, highest : int
        MIDI numbers of its range.
    hollow : bool
        Its even harmonics are weak.
    """

    lowest: int = 0
    highest: int = 127
    hollow: bool = False


def warnings(energy, lowest, parts, names, traits):
    """What is wrong with who has which part, as a list of str.

    Parameters
    ----------
    energy : ndarray, shape (blocks, semitones)
        From the MIDI number `lowest` on.
    parts : list of ndarray, shape (notes, 3)
        First block, last block + 1, MIDI number.
    names : list of str
    traits : list of Traits or None
    """
    same = [(one, other) for other in range(len(parts)) for one in range(other)
            if len(parts[one]) and np.array_equal(parts[one], parts[other])]
    if same or not traits:
        return ['%s and %s hold the same notes' % (names[one], names[other]) for one, other in same]
    beyond = [_beyond(part, each) for part, each in zip(parts, traits)]
    if any(beyond):
        return ['%s: %.0f %% of its notes are beyond the range of the instrument%s'
                % (names[number], 100 * share, _suggestion(number, parts, names, traits))
                for number, share in enumerate(beyond) if share]
    return _by_timbre(energy[:ENOUGH], lowest, parts, names, traits)


def _beyond(part, traits):
    """The share of the time of notes beyond an instrument's range; 0 when it is very little."""
    lengths = part[:, 1] - part[:, 0]
    share = lengths[(part[:, 2] < traits.lowest) | (part[:, 2] > traits.highest)].sum() / max(lengths.sum(), 1e-9)
    return share if share > BEYOND else 0.


def _suggestion(number, parts, names, traits):
    """With whose part an instrument's could have been exchanged, when that is clear."""
    fitting = [other for other in range(len(parts)) if other != number and len(parts[other])
               and not _beyond(parts[other], traits[number]) and not _beyond(parts[number], traits[other])]
    return '; is it exchanged with %s?' % ' or '.join(names[other] for other in fitting) if fitting else ''


def _by_timbre(energy, lowest, parts, names, traits):
    hollow = [number for number, each in enumerate(traits) if each.hollow and len(parts[number])]
    others = [number for number, each in enumerate(traits) if not each.hollow and len(parts[number])]
    if len(hollow) != 1 or not others:
        return []
    levels = 10 * np.log10(timbres(energy, lowest, parts) + 1e-6)
    even = levels[:, 1] - (levels[:, 0] + levels[:, 2]) / 2
    own = hollow[0]
    excess = {other: even[own] - even[other] - (OPPOSED if _opposed(own, other, parts, traits) else HOLLOW)
              for other in others}
    other = max(excess, key=excess.get)
    if excess[other] <= 0:
        return []
    return ['%s and %s look exchanged: the notes of %s sound with the weak even harmonics of a %s, those of %s do not'
            % (names[own], names[other], names[other], names[own].split('_')[0].split('.')[0], names[own])]


def _opposed(one, other, parts, traits):
    """Whether the higher of two instruments, by their ranges, has the lower part on average."""
    middles = [(traits[number].lowest + traits[number].highest) / 2 for number in (one, other)]
    means = [np.average(parts[number][:, 2], weights=parts[number][:, 1] - parts[number][:, 0] + 1e-9)
             for number in (one, other)]
    return abs(middles[0] - middles[1]) >= APART and (middles[0] - middles[1]) * (means[0] - means[1]) < 0


def timbres(energy, lowest, parts):
    """The energies of the harmonics of each instrument, the same for all its notes, that explain the sound best.

    Non-negative, by multiplicative updates that lower the Kullback-Leibler divergence.

    Returns
    -------
    ndarray, shape (instruments, harmonics)
        Of sum 1.
    """
    total = energy.sum(axis=1, keepdims=True)
    sound = np.where(total > 1e-4 * total.max(initial=0), energy / np.maximum(total, 1e-30), 0) + 1e-6
    where = [np.nonzero(presence.roll(part, len(energy))) for part in parts]
    shapes = np.full((len(parts), len(HARMONICS)), 1. / len(HARMONICS))
    gains = [np.full(len(blocks), 1. / len(parts)) for blocks, _ in where]
    places = [[_places(pitches, harmonic, lowest, energy.shape[1]) for harmonic in HARMONICS] for _, pitches in where]
    for _ in range(ITERATIONS):
        model = np.full(sound.shape, 1e-4)
        for (blocks, _), gain, shape, rows in zip(where, gains, shapes, places):
            for level, row in zip(shape, rows):
                for there, columns, weight in row:
                    np.add.at(model, (blocks[there], columns[there]), weight * level * gain[there])
        ratio = sound / model
        for number, ((blocks, _), rows) in enumerate(zip(where, places)):
            if not len(blocks):
                continue
            fit = np.zeros((len(HARMONICS), len(blocks)))
            for target, row in zip(fit, rows):
                for there, columns, weight in row:
                    target[there] += weight * ratio[blocks[there], columns[there]]
            shape = shapes[number] * (fit @ gains[number])
            gains[number] = gains[number] * (shapes[number] @ fit) / (1 + 2 * LEAKAGE)
            shapes[number] = shape / max(shape.sum(), 1e-30)
    return shapes


def _places(pitches, harmonic, lowest, semitones):
    """Where a harmonic of pitches and its leakage fall: which are inside, columns, weight."""
    places = []
    for step, weight in ((-1, LEAKAGE), (0, 1.), (1, LEAKAGE)):
        columns = pitches + harmonic - lowest + step
        places.append(((columns >= 0) & (columns < semitones), columns, weight))
    return places
