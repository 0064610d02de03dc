"""Sampled instruments of Debian's SoundFonts and patches, played in time.

Three independent families of samples: `fluid` (FluidR3, MIT), `timgm6mb` (TimGM6mb, GPL-2), `freepats` (FreePats,
GPL-2+ with an exception for music made with it); and `opl3` (CC BY-SA 4.0), FM synthesis of the same programs. Nothing
of them is part of this project.
"""
import functools
import os
import shutil
import subprocess
import tempfile
from typing import NamedTuple

import numpy as np

from deepconvsep import audio
from deepconvsep.errors import InputError

RATE = 44100

#: General MIDI programs (from 0) and the range of notes that are used.
PROGRAMS = {'bassoon': (70, 34, 68), 'clarinet': (71, 50, 79), 'saxophone': (66, 44, 75), 'violin': (40, 55, 88)}

#: Programs of other instruments of the same kind, which sound as if the instrument were another one: English horn,
#: soprano and alto saxophone, viola, cello and fiddle. All banks play all notes of the range with them: the oboe of
#: TimGM6mb and the baritone saxophone of FluidR3 are silent for some.
RELATIVES = {'bassoon': (69,), 'clarinet': (), 'saxophone': (64, 65), 'violin': (41, 42, 110)}

#: Seconds rendered before the first instant, for notes that must be started early.
LEAD = 1.
#: Semitones of a full pitch bend.
BEND = 12


class Bank(NamedTuple):
    """A family of samples: the program that plays it, the file it is in, the Debian packages of both."""

    program: str
    path: str
    packages: str
    licence: str


BANKS = {
    'fluid': Bank('fluidsynth', '/usr/share/sounds/sf2/FluidR3_GM.sf2', 'fluidsynth fluid-soundfont-gm', 'MIT'),
    'timgm6mb': Bank('fluidsynth', '/usr/share/sounds/sf2/TimGM6mb.sf2', 'fluidsynth timgm6mb-soundfont', 'GPL-2'),
    'freepats': Bank('timidity', '/etc/timidity/freepats.cfg', 'timidity freepats', 'GPL-2+ with exception'),
    'opl3': Bank('fluidsynth', '/usr/share/sounds/sf2/OPL-3_FM_128M.sf2', 'fluidsynth opl3-soundfont', 'CC BY-SA 4.0'),
}


class Played(NamedTuple):
    """A note as it is played: seconds, MIDI number, velocity 1 to 127."""

    onset: float
    offset: float
    midi: int
    velocity: int


def check(banks):
    """Check that all that is needed is installed.

    Raises
    ------
    InputError
        With what is missing and how to install it.
    """
    missing = [item for name in banks for item in (BANKS[name].program, BANKS[name].path)
               if not (os.path.exists(item) if os.path.isabs(item) else shutil.which(item))]
    packages = sorted({package for name in banks for package in BANKS[name].packages.split()})
    lines = ['%s: apt-get install %s' % (' and '.join(sorted(set(missing))), ' '.join(packages))] if missing else []
    for module in ('mido', 'music21'):
        try:
            __import__(module)
        except ImportError:
            lines.append('%s: pip install -r requirements/scores.txt' % module)
    if lines:
        raise InputError('there is no ' + '; no '.join(lines))


def render(bank, program, notes, tuning=0., transposed=0):
    """Play notes with a bank.

    Parameters
    ----------
    bank : str
        Of :data:`BANKS`.
    program : int
        Of General MIDI, from 0.
    notes : list of Played
        Onsets from ``-LEAD``.
    tuning : float
        Cents.
    transposed : int
        Play the samples of a note this many semitones higher, slowed down to the wanted pitch: another timbre.

    Returns
    -------
    numpy.ndarray
        float64, mono, 44.1 kHz, from second ``-LEAD``; one channel of what is stereo, because the two of FluidR3's
        violin and bassoon cancel each other when they are added.
    """
    with tempfile.TemporaryDirectory() as folder:
        midi, wav = os.path.join(folder, 'part.mid'), os.path.join(folder, 'part.wav')
        _write_midi(midi, program, notes, tuning - 100 * transposed, transposed)
        if BANKS[bank].program == 'fluidsynth':
            command = ['fluidsynth', '-ni', '-q', '-g', '0.5', '-R', '0', '-C', '0', '-r', str(RATE), '-T', 'wav',
                       '-O', 's16', '-F', wav, BANKS[bank].path, midi]
        else:
            command = ['timidity', '-x', 'dir /usr/share/midi/freepats', '-c', BANKS[bank].path, '-EFreverb=0',
                       '-EFchorus=0', '-EFdelay=0', '-s', str(RATE), '-OwS1sl', '-o', wav, midi]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True)
        if done.returncode or not os.path.exists(wav) or not os.path.getsize(wav):
            raise InputError('%s failed (exit code %d): %s' % (command[0], done.returncode, done.stdout[-300:]))
        samples = audio.read(wav)[0][:, 0]
    if BANKS[bank].program == 'timidity':  # which leaves out the silence before the first note
        samples = np.concatenate([np.zeros(int(round((min(note.onset for note in notes) + LEAD) * RATE))), samples])
    return samples


def _write_midi(path, program, notes, bend, transposed):
    import mido
    events = [(note.onset, 1, mido.Message('note_on', note=note.midi + transposed, velocity=note.velocity))
              for note in notes]
    events += [(note.offset, 0, mido.Message('note_off', note=note.midi + transposed)) for note in notes]
    track = mido.MidiTrack([mido.MetaMessage('set_tempo', tempo=10 ** 6),  # one beat is one second
                            mido.Message('control_change', control=101, value=0),
                            mido.Message('control_change', control=100, value=0),
                            mido.Message('control_change', control=6, value=BEND),
                            mido.Message('pitchwheel', pitch=int(round(bend / (100. * BEND) * 8192))),
                            mido.Message('program_change', program=program)])
    now = 0
    for time, _, message in sorted(events, key=lambda event: event[:2]):
        tick = int(round((time + LEAD) * 1000))
        track.append(message.copy(time=tick - now))
        now = tick
    mido.MidiFile(ticks_per_beat=1000, tracks=[track]).save(path)


@functools.cache
def attacks(bank, instrument, transposed=0, program=None):
    """How long after its start a note is heard, for every note of an instrument.

    A note counts as begun when the level (RMS of 10 ms) reaches a fifth of the highest of its first 0.4 s: 0 to 30 ms
    for most, up to 0.1 s for the violin of FluidR3, which swells.

    Returns
    -------
    dict of int to float
        Seconds, by MIDI number.
    """
    own, low, high = PROGRAMS[instrument]
    notes = [Played(1.5 * index, 1.5 * index + 0.8, midi, 80) for index, midi in enumerate(range(low, high + 1))]
    samples = render(bank, own if program is None else program, notes, transposed=transposed)
    delays = {}
    for note in notes:
        start = int((note.onset + LEAD) * RATE)
        level = np.sqrt(np.mean(samples[start:start + 40 * 441].reshape(40, 441) ** 2, axis=1))
        delays[note.midi] = 0.01 * int(np.argmax(level >= level.max() / 5))
    return delays


def play(bank, instrument, notes, length, tuning=0., transposed=0, program=None):
    """Play notes so that they are heard at their onsets: each is started early by its attack.

    Parameters
    ----------
    instrument : str
        Of :data:`PROGRAMS`.
    length : int
        Samples of the result, from second 0.
    program : int, optional
        Of General MIDI, which plays instead of the instrument's own.
    bank, notes, tuning, transposed
        As in :func:`render`.

    Returns
    -------
    numpy.ndarray
        float64, (length,).
    """
    program = PROGRAMS[instrument][0] if program is None else program
    delays = attacks(bank, instrument, transposed, program)
    early = [note._replace(onset=note.onset - delays.get(note.midi, 0.)) for note in notes]
    samples = render(bank, program, early, tuning, transposed)[int(LEAD * RATE):][:length]
    return np.pad(samples, (0, length - len(samples)))
