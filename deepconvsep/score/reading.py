"""Files of notes (text, MIDI, MusicXML) to lists of notes, and back to text.

A score file of the original holds one instrument, one note a line: ``onset,offset,name``, times in seconds
(``6.1600,6.7000,F4#``). Everything here ends in the same lists of :class:`deepconvsep.score.notes.Note`.
"""
import io
import os

import numpy as np

from deepconvsep import command
from deepconvsep.errors import InputError
from deepconvsep.files import atomic_path, open_regular
from deepconvsep.score import musicxml
from deepconvsep.score.notes import LATEST, Note, midi2str, str2midi

logger = command.get_logger('score')

#: Readable score files, by extension.
TEXT = ('.txt', '.csv')
MIDI = ('.mid', '.midi')
NOTATION = MIDI + ('.musicxml', '.mxl', '.xml')


def read_score(path, part=None):
    """Read the notes of one instrument.

    Parameters
    ----------
    path : str or os.PathLike
        A text score (``.txt``, ``.csv``: one ``onset,offset,name`` a line; empty lines are skipped, ``!`` and a
        ``#`` at the start of a line begin a comment), or MIDI (needs mido) or MusicXML (needs music21).
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
    path = os.fspath(path)
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
    """Read all parts of a MIDI or MusicXML file, as they are played: ties are joined, repeats of MusicXML followed.

    Repeats that cannot be followed, and a MusicXML file without a tempo, are said in the log.

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
    path = os.fspath(path)
    _check_exists(path)
    parts = (_read_midi if path.lower().endswith(MIDI) else musicxml.parts)(path, _read_whole(path))
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


def _read_midi(path, data):
    """Name and notes of the parts of a MIDI file: of every track, its channels. No note lasts longer than its track."""
    try:
        import mido
    except ImportError:
        raise InputError('reading %s needs mido: pip install mido' % path) from None
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


def _read_whole(path):
    """The bytes of a score file; InputError when there are too many."""
    try:
        with open_regular(path) as source:
            data = source.read(musicxml.LARGEST + 1)
    except OSError as error:
        raise InputError('cannot read %s: %s' % (path, error.strerror)) from error
    if len(data) > musicxml.LARGEST:
        raise InputError('%s is larger than %d MB, expected a score' % (path, musicxml.LARGEST >> 20))
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


def other_formats(path):
    """Names of the scores called as that at `path`, in the same folder, in other formats."""
    stem = os.path.splitext(path)[0]
    return [os.path.basename(stem + extension) for extension in TEXT + NOTATION
            if stem + extension != path and os.path.exists(stem + extension)]


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
