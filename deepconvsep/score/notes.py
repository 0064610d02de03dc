"""Scores: files of notes (text, MIDI, MusicXML) to lists of notes.

A score file of the original holds one instrument, one note a line: ``onset,offset,name``, times in seconds
(``6.1600,6.7000,F4#``). Everything here ends in the same lists of :class:`Note`; what becomes of the notes
(frames, harmonics, masks) is in :mod:`deepconvsep.score.rows`.
"""
import io
import os
import re
import zipfile
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from deepconvsep import command
from deepconvsep.errors import InputError
from deepconvsep.files import atomic_path, open_regular

logger = command.get_logger('score')

MIDI_A4 = 69
FREQ_A4 = 440.
SEMITONE_RATIO = 2. ** (1. / 12.)
#: Shorter notes (seconds) are left out by everything that goes from notes to frames, as in the original.
SHORTEST_NOTE = 0.01
#: No music is longer than this (seconds, 11 days).
LATEST = 1e6
#: Bytes of a score file, and of what is zipped in it.
LARGEST = 1 << 22
#: Readable score files, by extension.
TEXT = ('.txt', '.csv')
MIDI = ('.mid', '.midi')
NOTATION = MIDI + ('.musicxml', '.mxl', '.xml')

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


# --- reading and writing ------------------------------------------------------------------------------

def read_score(path, part=None):
    """Read the notes of one instrument.

    Parameters
    ----------
    path : str
        A text score (``.txt``, ``.csv``: one ``onset,offset,name`` a line; empty lines are skipped, ``!`` and a
        ``#`` at the start of a line begin a comment), or MIDI or MusicXML (needs music21).
    part : str or int, optional
        Which part of a MIDI or MusicXML file: its name (upper or lower case) or its number from 0.
        May be left out when there is only one.

    Returns
    -------
    list of Note
        Sorted by onset.

    Raises
    ------
    InputError
        When the file is missing or unreadable (with the line that is wrong), or has no such part.
    """
    _check_exists(path)
    extension = os.path.splitext(path)[1].lower()
    if extension in TEXT:
        return _read_text(path)
    if extension not in NOTATION:
        raise InputError('cannot read %s as a score: expected one of %s' % (path, ', '.join(TEXT + NOTATION)))
    parts = read_parts(path)
    names = list(parts)
    if part is None and len(names) == 1:
        return parts[names[0]]
    for index, name in enumerate(names):
        if part == index or (isinstance(part, str) and part.lower() == name.lower()):
            return parts[name]
    got = 'several parts' if part is None else 'no part %r' % (part,)
    raise InputError('%s has %s, expected one of: %s' % (path, got, ', '.join(names)))


def read_parts(path):
    """Read all parts of a MIDI or MusicXML file, as written: repeats are not unfolded, ties are joined.

    Returns
    -------
    dict of str to list of Note
        By name of the part (``name 2``, ... where a name comes twice), in the order of the file. Times in
        seconds, from the tempo marks of the file (120 quarter notes a minute where there is none).

    Raises
    ------
    InputError
        When mido (MIDI) or music21 (MusicXML) is not installed, or cannot read the file.
    """
    _check_exists(path)
    parts = _read_midi(path) if path.lower().endswith(MIDI) else _read_musicxml(path)
    named = {}
    for number, (wanted, notes) in enumerate(parts, 1):
        wanted = name = wanted or 'part %d' % number
        count = 1
        while name in named:
            count += 1
            name = '%s %d' % (wanted, count)
        notes = sorted(note for note in notes if 0 <= note.midi <= 127)
        if notes:
            named[name] = notes
    if not named:
        raise InputError('%s holds no notes' % path)
    return named


def _read_midi(path):
    """Name and notes of the parts of a MIDI file: of every track, its channels. No note lasts longer than its track."""
    try:
        import mido
    except ImportError:
        raise InputError('reading %s needs mido: pip install -r requirements/scores.txt' % path) from None
    data = _read_whole(path)
    try:
        music = mido.MidiFile(file=io.BytesIO(data))
    except Exception as error:  # mido lets many kinds through: EOFError, OSError, ValueError, IndexError, KeyError
        raise InputError('mido cannot read %s: %s' % (path, command.one_line(error) or type(error).__name__)) from error
    if music.type == 2 or music.ticks_per_beat <= 0:
        raise InputError('%s is a MIDI file of type %d with the division %d, expected type 0 or 1 with ticks per '
                         'quarter note: save it again' % (path, music.type, music.ticks_per_beat))
    tempi, parts = [(0, 500000)], []
    for track in music.tracks:
        now, name, sounding, channels = 0, '', {}, {}

        def end(onset, key):
            channels.setdefault(key[0], []).append((onset, now, key[1]))

        for message in track:
            now += message.time
            if message.type == 'set_tempo':
                tempi.append((now, message.tempo))
            elif message.type == 'track_name':
                name = name or command.one_line(message.name)
            elif message.type == 'note_on' and message.velocity:
                sounding.setdefault((message.channel, message.note), []).append(now)
            elif message.type in ('note_on', 'note_off') and sounding.get((message.channel, message.note)):
                end(sounding[message.channel, message.note].pop(0), (message.channel, message.note))
        for key, onsets in sounding.items():
            for onset in onsets:
                end(onset, key)
        parts += [(name if len(channels) == 1 or not name else '%s channel %d' % (name, channel + 1), notes)
                  for channel, notes in sorted(channels.items())]
    tempi.sort(key=lambda mark: mark[0])
    last = max([now for _, notes in parts for _, now, _ in notes] + [tempi[-1][0]]) + 1
    ticks = [tick for tick, _ in tempi] + [last]
    lengths = [(after - tick) * tempo for (tick, tempo), after in zip(tempi, ticks[1:])]
    seconds = np.cumsum([0.] + lengths) / (1e6 * music.ticks_per_beat)
    if seconds[-1] > LATEST:
        raise InputError('%s lasts %g s, more than any music: it is damaged' % (path, seconds[-1]))
    return [(name, [Note(*np.interp(note[:2], ticks, seconds).tolist(), note[2])
                    for note in notes if note[0] < note[1]])
            for name, notes in parts]


def _read_musicxml(path):
    """Name and notes of the parts of a MusicXML file, plain or zipped."""
    try:
        import music21
    except ImportError:
        raise InputError('reading %s needs music21: pip install -r requirements/scores.txt' % path) from None
    data = _read_whole(path)
    try:
        if zipfile.is_zipfile(io.BytesIO(data)):
            data = _unzipped(data)
        tree = ElementTree.fromstring(data)
        _check_numbers(tree)
        # as text: of a path music21 would guess the format, and it would unpack zipped files somewhere
        music = music21.converter.parse(ElementTree.tostring(tree, encoding='unicode'), format='musicxml')
        music = music.toSoundingPitch()
        marks = music.metronomeMarkBoundaries()  # of the whole score: often only its first part bears them
        beats = [marks[0][0]] + [end for _, end, _ in marks]
        seconds = np.cumsum([0.] + [(end - start) * mark.secondsPerQuarter() for start, end, mark in marks])
        parts = []
        for part in music.parts if hasattr(music, 'parts') else [music]:
            notes = [Note(*np.interp([event.offset, event.offset + event.quarterLength], beats, seconds).tolist(),
                          int(round(pitch.ps)))
                     for event in part.stripTies().flatten().notes if event.quarterLength > 0
                     for pitch in getattr(event, 'pitches', ())]
            parts.append((part.partName, notes))
    except Exception as error:  # music21 lets many kinds through: its own, of zip, of XML, of struct, IndexError
        raise InputError('music21 cannot read %s: %s' % (path, command.one_line(error) or type(error).__name__)) from error
    return parts


def _unzipped(data):
    """The score in a zipped MusicXML file; ValueError when there is none."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for member in archive.infolist():
            if member.filename.endswith(('.xml', '.musicxml')) and not member.filename.startswith('META-INF/'):
                if member.file_size > LARGEST:
                    raise ValueError('it claims more than %d MB' % (LARGEST >> 20))
                return archive.read(member)
    raise ValueError('it holds no .xml file')


_NUMBER = re.compile(r'\d+(?:\.\d*)?(?:[eE][+-]?\d+)?')
#: Largest numbers of elements on which the time depends that music21 takes; of all others, LATEST.
_LARGEST_XML = {'beats': 99, 'beat-type': 128, 'divisions': 1e5, 'octave': 9, 'multiple-rest': 1e3, 'staves': 99,
                'fifths': 99, 'alter': 99, 'duration': 1e7, 'normal-notes': 999, 'actual-notes': 999}


def _check_numbers(tree):
    """Raise ValueError when an element holds a number beyond all music: music21 would compute for hours."""
    for element in tree.iter():
        limited = element.tag in _LARGEST_XML
        for text in [element.text or ''] + list(element.attrib.values()):
            # 3, -1.5, 1e9, and of time signatures 3+2; digits in names are no numbers
            for number in _NUMBER.findall(text) if limited or re.fullmatch(r'[-+\s\d.eE]+', text) else ():
                if not abs(float(number)) <= _LARGEST_XML.get(element.tag, LATEST):
                    raise ValueError('<%s> holds the number %s' % (element.tag, number[:20]))


def _read_whole(path):
    """The bytes of a score file; InputError when there are too many."""
    try:
        with open_regular(path) as source:
            data = source.read(LARGEST + 1)
    except OSError as error:
        raise InputError('cannot read %s: %s' % (path, error.strerror)) from error
    if len(data) > LARGEST:
        raise InputError('%s is larger than %d MB, expected a score' % (path, LARGEST >> 20))
    return data


def find_score(folder, name):
    """Path of the score called `name` in `folder`, whatever its format; text is preferred.

    Raises
    ------
    InputError
        When there is none; the message names the files that were looked for.
    """
    for extension in TEXT + NOTATION:
        path = os.path.join(folder, name + extension)
        if os.path.exists(path):
            return path
    raise InputError('there is no score %s (nor %s)' % (os.path.join(folder, name + '.txt'),
                                                        ', '.join((TEXT + NOTATION)[1:])))


def write_score(path, notes):
    """Write notes as a text score, times to 0.1 ms."""
    with atomic_path(path) as temporary, open(temporary, 'w', encoding='ascii') as out:
        for note in notes:
            out.write('%.4f,%.4f,%s\n' % (note.onset, note.offset, midi2str(note.midi)))


def _read_text(path):
    notes = []
    try:
        lines = io.StringIO(_read_whole(path).decode('utf-8-sig'), newline=None)
    except UnicodeDecodeError:
        raise InputError('%s is not text, expected lines of onset,offset,name' % path) from None
    for number, line in enumerate(lines, 1):
        line = line.split('!')[0].strip()
        if line and not line.startswith('#'):
            notes.append(_parse_line(line, '%s, line %d' % (path, number)))
    backwards = sum(note.offset < note.onset for note in notes)
    if backwards:
        logger.warning('%s: %d of %d notes end before they begin and are of no effect', path, backwards, len(notes))
    return sorted(notes, key=lambda note: note.onset)


def _parse_line(line, where):
    fields = [field.strip() for field in line.split(',')]
    if len(fields) != 3:
        raise InputError('%s: got %r, expected onset,offset,name such as 6.16,6.70,F4#' % (where, line))
    try:
        onset, offset = float(fields[0]), float(fields[1])
    except ValueError:
        onset = offset = float('nan')
    if not (abs(onset) <= LATEST and abs(offset) <= LATEST):   # NaN is refused too
        raise InputError('%s: got the times %r and %r, expected numbers of seconds' % (where, fields[0], fields[1]))
    try:
        midi = str2midi(fields[2])
    except InputError as error:
        raise InputError('%s: %s' % (where, error)) from error
    if not 0 <= midi <= 127:
        raise InputError('%s: %s has the MIDI number %d, expected 0 to 127 (C-1 to G9)' % (where, fields[2], midi))
    return Note(onset, offset, midi)


def _check_exists(path):
    if not os.path.isfile(path):
        raise InputError('there is no score %s' % path)


# --- a stretch of a score -----------------------------------------------------------------------------

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
