"""Notes, their names and frequencies, and stretches of scores.

What becomes of notes (frames, harmonics, masks) is in :mod:`deepconvsep.score.rows`; files of notes are read by
:mod:`deepconvsep.score.reading`.
"""
import re
from typing import NamedTuple

from deepconvsep.errors import InputError

MIDI_A4 = 69
FREQ_A4 = 440.
SEMITONE_RATIO = 2. ** (1. / 12.)
#: Shorter notes (seconds) are left out by everything that goes from notes to frames, as in the original.
SHORTEST_NOTE = 0.01
#: No music is longer than this (seconds, 11 days).
LATEST = 1e6

_NATURAL = {'C': 0, 'D': 2, 'E': 4, 'F': 5, 'G': 7, 'A': 9, 'B': 11}
_ACCIDENTAL = {'b': -1, '#': 1, 'x': 2}
_NAME = re.compile(r'([A-G])([b#x]*)(-?[0-9]{1,4})([b#x]*)')
_SHARPS = ('C', 'C#', 'D', 'D#', 'E', 'F', 'F#', 'G', 'G#', 'A', 'A#', 'B')


class Note(NamedTuple):
    """One note: `onset` and `offset` in seconds, `midi` note number (A4 = 69)."""

    onset: float
    offset: float
    midi: int


# --- names and frequencies ----------------------------------------------------------------------------

def str2midi(note_string):
    """MIDI number of a note name, with the accidentals before or after the octave.

    ``b`` lowers by a semitone, ``#`` raises by one, ``x`` by two; octaves as in C4 = 60.

    Raises
    ------
    InputError
        When `note_string` is not the name of a note.

    Examples
    --------
    >>> str2midi('A4'), str2midi('F4#'), str2midi('F#4'), str2midi('Bb3'), str2midi('C4##'), str2midi('C-1')
    (69, 66, 66, 58, 62, 0)
    """
    text = note_string.strip()
    match = _NAME.fullmatch(text[:1].upper() + text[1:])
    if not match or (match[2] and match[4]):
        raise InputError('%r is not the name of a note, expected a letter A-G, accidentals (b, #, x) and an octave: '
                         'F#4, F4#, Bb3' % note_string)
    letter, before, octave, after = match.groups()
    return 12 * (int(octave) + 1) + _NATURAL[letter] + sum(_ACCIDENTAL[sign] for sign in before + after)


def midi2str(midi):
    """Name of a MIDI number, in the original's spelling: the sharp after the octave.

    Examples
    --------
    >>> midi2str(66), midi2str(60)
    ('F4#', 'C4')
    """
    name = _SHARPS[midi % 12]
    return '%s%d%s' % (name[0], midi // 12 - 1, name[1:])


def midi2freq(midi_number, tuning_freq=FREQ_A4, MIDI_A4=MIDI_A4):
    """Frequency in Hz of a MIDI number (or an array of them); `tuning_freq` is the frequency of number `MIDI_A4`.

    Examples
    --------
    >>> midi2freq(69), round(midi2freq(60), 3)
    (440.0, 261.626)
    """
    return tuning_freq * 2. ** ((midi_number - MIDI_A4) / 12.)


# --- the time of a score -----------------------------------------------------------------------------

def retime(notes, tempo=1., offset=0.):
    """Notes in the time of a sound: played `tempo` times as fast, then `offset` seconds later.

    Parameters
    ----------
    notes : list of Note
    tempo : float
        Times are divided by it.
    offset : float
        Seconds, added to times after that; negative ones move notes to earlier times.

    Returns
    -------
    list of Note
        What would be before 0 is cut off.

    Examples
    --------
    >>> retime([Note(0., 1., 60), Note(2., 3., 62)], 2., -0.25)
    [Note(onset=0.0, offset=0.25, midi=60), Note(onset=0.75, offset=1.25, midi=62)]
    """
    moved = [Note(note.onset / tempo + offset, note.offset / tempo + offset, note.midi) for note in notes]
    return [note._replace(onset=max(note.onset, 0.)) for note in moved if note.offset > 0]


def cut_notes(notes, begin=0., finish=None, limit=None):
    """The notes that sound between two times, clipped to them and counted from the first.

    Parameters
    ----------
    notes : list of Note
        Sorted by onset.
    begin, finish : float
        Seconds; without `finish`, to the end.
    limit : float, optional
        Leave out notes that begin at or after `limit` seconds (after `begin`).

    Returns
    -------
    list of Note
        Notes shorter than 10 ms (after clipping) are left out.

    Examples
    --------
    >>> cut_notes([Note(0., 1., 60), Note(1., 3., 62), Note(3., 4., 64)], 0.5, 2.)
    [Note(onset=0.0, offset=0.5, midi=60), Note(onset=0.5, offset=1.5, midi=62)]
    """
    length = float('inf') if finish is None else finish - begin
    limit = float('inf') if limit is None else limit
    cut = []
    for onset, offset, midi in notes:
        if offset > begin and onset - begin < length:
            onset, offset = max(onset - begin, 0.), min(offset - begin, length)
            if onset < limit and offset - onset >= SHORTEST_NOTE:
                cut.append(Note(onset, offset, midi))
    return cut
