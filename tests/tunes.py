"""Tunes of four parts, as notes and as sounds, for the tests of scores."""
import numpy as np
import pytest

from deepconvsep.score import Note
from examples.bach10 import recipe as data

NAMES = ['bassoon_b.txt', 'clarinet_b.txt', 'saxophone_b.txt', 'violin_b.txt']
RATE = 44100


def melody(seed, seconds, low, length=0.5):
    """A random melody without rests."""
    pitches = np.random.RandomState(seed).randint(low, low + 12, size=int(seconds / length))
    return [Note(length * index, length * (index + 1), int(midi)) for index, midi in enumerate(pitches)]


def tune(seed, seconds=20.):
    return [melody(seed * 10 + voice, seconds, low) for voice, low in enumerate((43, 55, 62, 69))]


def moved(scores, seconds):
    return [[Note(note.onset + seconds, note.offset + seconds, note.midi) for note in notes] for notes in scores]


def rendered(notes, seconds):
    """Six harmonics a note."""
    signal, time = np.zeros(int(seconds * RATE)), np.arange(int(seconds * RATE)) / RATE
    for onset, offset, midi in notes:
        part = slice(int(onset * RATE), int(offset * RATE))
        for number in range(1, 7):
            signal[part] += np.sin(2 * np.pi * number * 440 * 2 ** ((midi - 69) / 12) * time[part]) / number / 20
    return signal


@pytest.fixture(scope='module')
def magnitudes():
    """Of the tune number 1, 20 s."""
    return data.transform().compute_file(sum(rendered(notes, 20.) for notes in tune(1))).astype(np.float32)


def in_units(notes, factor):
    return [Note(note.onset * factor, note.offset * factor, note.midi) for note in notes]
