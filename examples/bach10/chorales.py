"""Bach's chorales from music21's corpus, and performances of them: tempo, micro-timing, dynamics.

The encodings come with music21 and are not part of this project; see docs/open_data.md.
"""
import functools
import os
from typing import NamedTuple

import numpy as np

from deepconvsep.errors import InputError
from deepconvsep.score import Note
from examples.bach10.soundfonts import Played

#: The ten pieces of Bach10, by their numbers in the catalogue of Bach's works.
BACH10 = {'01-AchGottundHerr': '255', '02-AchLiebenChristen': '256', '03-ChristederdubistTagundLicht': '274',
          '04-ChristeDuBeistand': '275', '05-DieNacht': '296', '06-DieSonne': '297', '07-HerrGott': '326',
          '08-FuerDeinenThron': '327', '09-Jesus': '364', '10-NunBitten': '385'}
#: The same music or the same tune as one of the ten: neither is for training.
RELATED = {'62.6', '48.3', '257', '258', '114.7', '178.7', '197.5', '169.7'}

#: Seconds before the first note.
START = 0.5


class Chorale(NamedTuple):
    """A chorale, in quarter notes.

    `parts` holds four lists of (begin, end, MIDI number), for bassoon (bass), clarinet (alto), saxophone (tenor) and
    violin (soprano); `held` the (begin, end) of the fermatas.
    """

    parts: list
    held: list


@functools.cache
def load(number):
    """Read a chorale by its BWV number, with repeats; None when it has not four parts."""
    import music21
    music = music21.corpus.parse('bach/bwv' + number)
    if len(music.parts) != 4:
        return None
    parts, held = [], set()
    soprano, alto, tenor, bass = music.parts
    for part in (bass, alto, tenor, soprano):
        try:
            part = part.expandRepeats()
        except music21.exceptions21.Music21Exception:
            pass  # without repeat signs, or with such that cannot be followed: as written
        notes = []
        for event in part.stripTies().flatten().notes:
            begin, end = float(event.offset), float(event.offset + event.quarterLength)
            if end > begin:
                # of a chord, or where voices meet, only the last that was written
                notes = [note for note in notes if note[0] < begin] + [(begin, end, event.pitches[-1].midi)]
                held.update((begin, end) for sign in event.expressions if 'Fermata' in sign.classes)
        parts.append(notes)
    return Chorale(parts, sorted(held)) if all(parts) else None


def beginning(chorale, beats):
    """The notes that end within the first so many quarter notes."""
    return Chorale([[note for note in part if note[1] <= beats] for part in chorale.parts],
                   [span for span in chorale.held if span[1] <= beats])


def training(count, seed):
    """Names and BWV numbers of chorales for training, none of which is, or is related to, one of the ten.

    Returns
    -------
    dict of str to str
        The same first ones whatever the `count`.
    """
    import music21
    found = {os.path.basename(str(path)).split('.mxl')[0].split('.krn')[0].split('.xml')[0][len('bwv'):]
             for path in music21.corpus.getComposer('bach') if os.path.basename(str(path)).startswith('bwv')}
    numbers = sorted(found - set(BACH10.values()) - RELATED)
    chosen = {}
    for number in np.random.default_rng(seed).permutation(numbers):
        if len(chosen) == count:
            break
        if load(str(number)) is not None:
            chosen['%03d-BWV%s' % (len(chosen) + 101, number.replace('.', '-'))] = str(number)
    if len(chosen) < count:
        raise InputError('music21 has %d four-part chorales for training, got a number of %d' % (len(chosen), count))
    return chosen


def perform(chorale, generator, tempo, expressive):
    """Play a chorale.

    Parameters
    ----------
    chorale : Chorale
    generator : numpy.random.Generator
    tempo : float
        Quarter notes a minute.
    expressive : bool
        With the timing of players: the tempo drifts by some percent, slows down at fermatas and at the end, notes
        are up to 40 ms early or late. Without: as written.

    Returns
    -------
    list of list of Played
        One list a part, in the order of the chorale's.
    """
    end = max(note[1] for part in chorale.parts for note in part)
    clock = _clock(chorale, generator, tempo, end, expressive)
    parts = []
    for part in chorale.parts:
        phase, lag = generator.uniform(0, 2 * np.pi), generator.normal(0, 0.008) * expressive
        begins, ends = (clock(np.array([note[edge] for note in part])) for edge in (0, 1))
        begins = begins + expressive * np.clip(generator.normal(lag, 0.012, len(part)), -0.04, 0.04)
        begins = np.maximum.accumulate(begins)
        # a breath between notes; none sounds into the next
        ends = np.minimum(ends, np.append(begins[1:], np.inf)) - generator.uniform(0, 0.03, len(part))
        velocities = 72 + 14 * np.sin(2 * np.pi * np.array([note[0] for note in part]) / 8 + phase) \
            + generator.normal(0, 5, len(part))
        parts.append([Played(float(onset), float(max(offset, onset + 0.05)), note[2], int(np.clip(velocity, 35, 115)))
                      for note, onset, offset, velocity in zip(part, begins, ends, velocities)])
    return parts


def _clock(chorale, generator, tempo, end, expressive):
    """A function from quarter notes to seconds."""
    beats = np.arange(0., end + 0.25, 0.25)
    drift = np.interp(beats, np.arange(0., end + 6, 6.), generator.normal(0, 0.04, len(np.arange(0., end + 6, 6.))))
    speed = 1 + np.clip(drift, -0.1, 0.1) * expressive
    if expressive:
        for begin, stop in chorale.held:
            speed[(beats >= begin) & (beats < stop)] *= 0.75
        speed *= np.interp(beats, [end - 4, end], [1., 0.8])
    seconds = START + np.concatenate([[0.], np.cumsum(0.25 * 60. / (tempo * speed[:-1]))])
    return lambda times: np.interp(times, beats, seconds)


def coarse(parts, generator):
    """Scores as an automatic alignment gives them: errors of 60 ms (at most 150), the same for all parts.

    Parameters
    ----------
    parts : list of list of Note

    Returns
    -------
    list of list of Note
    """
    knots = np.arange(0., max(note.offset for notes in parts for note in notes) + 1.5, 1.5)
    errors = np.clip(generator.normal(0, 0.06, len(knots)), -0.15, 0.15)

    def moved(time):
        return max(0., time + float(np.interp(time, knots, errors)))
    return [[Note(moved(note.onset), max(moved(note.offset), moved(note.onset) + 0.03), note.midi) for note in notes]
            for notes in parts]
