"""Small datasets of sound files for the tests of features and of the dataset check."""
import os

import numpy as np
import soundfile

from deepconvsep import audio

DSD100_SOURCES = ('vocals', 'bass', 'drums', 'other')


def write_recorded(rows, folder):
    """Write the input files of a recording: 16-bit noise by the formula that it was made with."""
    for row in rows:
        size = (row['samples'], row['channels']) if row['channels'] > 1 else row['samples']
        samples = np.floor(np.random.RandomState(row['seed']).uniform(-row['amp'], row['amp'], size=size))
        write(os.path.join(str(folder), row['path']), samples / 32767)


def write(path, samples, rate=44100, **kwargs):
    """Write a sound file; creates its folder. Samples that are not finite go in as they are, past our writer."""
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    if not np.isfinite(samples).all():
        soundfile.write(str(path), samples, rate, **kwargs)
        return
    audio.write(str(path), samples, rate, **kwargs)


def noise(seed, samples, channels=2):
    """Uniform noise that 16 bits hold exactly, shape (samples, channels)."""
    return np.random.RandomState(seed).randint(-9000, 9000, (samples, channels)) / 32767.


def dsd100_paths(db, song, subset='Dev', musdb=False):
    """The five files of a song in either layout: the mixture, then the sources."""
    if musdb:
        folder = os.path.join(str(db), {'Dev': 'train', 'Test': 'test'}[subset], song)
        return [os.path.join(folder, name + '.wav') for name in ('mixture',) + DSD100_SOURCES]
    return [os.path.join(str(db), 'Mixtures', subset, song, 'mixture.wav')] + [
        os.path.join(str(db), 'Sources', subset, song, name + '.wav') for name in DSD100_SOURCES]


def write_song(db, song, samples, subset='Dev', musdb=False, channels=2, rate=44100, seed=0):
    """Write a song of noise, whose mixture is the sum of its stems, to the bit.

    Returns the samples of the five files, each of shape (samples, channels).
    """
    stems = [np.floor(noise(seed + number, samples, channels) * 32767 / 2) / 32767 for number in range(1, 5)]
    signals = [sum(stems)] + stems
    for path, signal in zip(dsd100_paths(db, song, subset, musdb), signals):
        write(path, signal, rate)
    return signals


def link_song(db, model, song, subset='Dev'):
    """Make a further song (hard links) of the files of a Dev song of DSD100."""
    for old, new in zip(dsd100_paths(db, model), dsd100_paths(db, song, subset)):
        os.makedirs(os.path.dirname(new), exist_ok=True)
        os.link(old, new)


def with_records(names):
    """What lies in a folder of features besides the recorded files `names`: how they were made, of each and of all."""
    names = list(names)
    return names + [name.replace('.data', '.json') for name in names if name.endswith('.data')] + ['features.json']
