"""Single notes of the RWC musical instrument sounds, by note number, dynamics, style and musician.

Layout: ``<path>/wav/<instid><case>/<NAME>.WAV`` holds all notes of an instrument in one style and one dynamics,
``<path>/mat/<name>.wav.mat`` (lower case) where they begin and end. A name is made of instrument number, case
(musician), symbol, style and dynamics: ``151VNNOF`` is violin, musician 1, normal style, forte.

Goto, Hashiguchi, Nishimura, Oka, "RWC Music Database: Music Genre Database and Musical Instrument Sound Database",
ISMIR 2003. `examples/bach10/synthesize.py` makes a free bank in the same layout.
"""
import math
import os

import numpy as np

from deepconvsep import audio, command
from deepconvsep.errors import InputError
from deepconvsep.formats import mat

logger = command.get_logger(__name__)

CASES = [1, 2, 3]
DYNAMICS = ['P', 'F', 'M']
#: Numbers of the instruments of Bach10 in the RWC database.
INSTRUMENTS = {'bassoon': 30, 'clarinet': 31, 'saxophone': 27, 'violin': 15}

#: Where the onset of a note is looked for: RMS of windows of 1024 samples, full scale = 1.
ONSET_LEVEL, ONSET_HOP, ONSET_WINDOW = 0.01, 128, 1024


class Note:
    """One recorded note.

    Attributes
    ----------
    wav_path, code : str
        The file and its name in lower case (``151vnnof.wav``).
    piece : str
        Style, dynamics and case: ``NO_F_1``.
    nr : int
        MIDI number.
    dynamics, style : str
    case, instid, sampleRate : int
    noteStart, noteEnd, length : float
        Seconds in the file.
    fid, noteid : int
        Index of the note in its file, and in its instrument.
    """

    def __init__(self, wav_path, piece, fid, noteid, nr, start, end, sampleRate, dynamics, style, case, instid):
        self.wav_path, self.code = wav_path, os.path.basename(wav_path).lower()
        self.piece, self.fid, self.noteid = piece, fid, noteid
        self.nr, self.dynamics, self.style, self.case, self.instid = nr, dynamics, style, case, instid
        self.sampleRate = sampleRate
        self.noteStart, self.noteEnd = start, end
        self.length = end - start

    def getAudio(self, max_duration=0, sampleRate=44100):
        """Samples of the note, from its onset.

        The onset is looked for within the first `max_duration` seconds: one hop before the first window whose RMS
        exceeds 0.01 of full scale; a softer note is not trimmed. The object stays as it is.

        Parameters
        ----------
        max_duration : float
            Seconds at most; 0 for the whole note.
        sampleRate : int
            Of no effect: the samples come at the rate of the file.

        Returns
        -------
        numpy.ndarray
            float64, mono; channels are averaged.

        Raises
        ------
        InputError
            When the sound file is missing, unreadable or too short.
        """
        duration = max_duration if max_duration > 0 else self.length
        with audio.Reader(self.wav_path) as reader:
            rate, first = reader.rate, int(self.noteStart * reader.rate)
            reader.seek(first)
            samples = audio.downmix(next(reader.blocks(max(int(self.noteEnd * rate) - first, 1)), np.zeros((0, 1))))
        if not len(samples):
            raise InputError('%s ends before its note %d (%.2f s) begins: restore the file, or its .mat'
                             % (self.wav_path, self.fid, self.noteStart))

        def cut(start):
            # rounded down from seconds, as in the original: another rounding moves ends by a sample
            return samples[int(start * rate) - first:int(min(self.noteEnd, start + duration) * rate) - first]
        return cut(self.noteStart + _onset(cut(self.noteStart)) / rate)


def _onset(samples):
    """Sample before the first loud window; windows at the end are shorter."""
    energy = np.concatenate([[0.], np.cumsum(samples ** 2)])
    starts = np.arange(0, len(samples), ONSET_HOP)
    ends = np.minimum(starts + ONSET_WINDOW, len(samples))
    loud = np.sqrt(np.maximum(energy[ends] - energy[starts], 0.) / (ends - starts)) > ONSET_LEVEL
    return max(int(np.argmax(loud)) - 1, 0) * ONSET_HOP if loud.any() else 0


class Instrument:
    """All recorded notes of an instrument.

    Parameters
    ----------
    path : str
        Root of the database.
    instid : int
        Number of the instrument (:data:`INSTRUMENTS`).
    allowed_styles : list of str, optional
        Styles to read, such as ``['NO']``; all by default.
    allowed_case : list of int, optional
        Musicians to read; 1, 2 and 3 by default.
    allowed_dynamics : list of str, optional
        Dynamics to read; ``'P'``, ``'F'`` and ``'M'`` by default.
    problems : list, optional
        Takes what would be raised, for a check of the whole database; the file is left out.

    Attributes
    ----------
    notes : list of Note
        Sorted by file, then as in the file.
    wav_list, notes_code, notes_len : list
        Files, their names without extension in lower case, their numbers of notes.
    notes_nr, notes_d, notes_s, notes_c : list
        MIDI number, dynamics, style and case of every note.
    total_notes : int
    instrumentName, instrumentSymbol, dynamics, style : str
        As the last file says.

    Raises
    ------
    InputError
        When no note is found, or a ``.mat`` file cannot be understood. A sound file without its ``.mat`` and a
        missing musician are left out with a warning.
    """

    def __init__(self, path, instid, allowed_styles=None, allowed_case=None, allowed_dynamics=None, problems=None):
        self.path, self.instid = path, instid
        self.allowed_styles = allowed_styles
        self.allowed_case = CASES if allowed_case is None else allowed_case
        self.allowed_dynamics = DYNAMICS if allowed_dynamics is None else allowed_dynamics
        self.wav_list, self.notes_code, self.notes_len, self.notes = [], [], [], []
        for case in self.allowed_case:
            for wav_path in self._files(case):
                try:
                    self._add(wav_path, case)
                except InputError as error:
                    if problems is None:
                        raise
                    problems.append(error)
        if not self.notes and not problems:
            raise InputError('there are no notes of instrument %s in %s, expected %s with .WAV files, and mat/<name>'
                             '.wav.mat beside wav' % (instid, path, os.path.join('wav', '%s<1-3>' % instid)))
        self.total_notes = len(self.notes)
        self.notes_nr = [note.nr for note in self.notes]
        self.notes_d = [note.dynamics for note in self.notes]
        self.notes_s = [note.style for note in self.notes]
        self.notes_c = [note.case for note in self.notes]
        self._index = {}
        for note in self.notes:
            self._index.setdefault((note.nr, note.dynamics, note.style, note.case), note)

    def _files(self, case):
        """Sound files of one musician that may be read, sorted."""
        folder = os.path.join(self.path, 'wav', '%s%s' % (self.instid, case))
        try:
            names = sorted(os.listdir(folder))
        except OSError as error:
            logger.warning('cannot read %s (%s): musician %s is left out', folder, error.strerror, case)
            return
        for name in names:
            known = any(name.endswith('%s.WAV' % dynamics) for dynamics in self.allowed_dynamics)
            if known and (self.allowed_styles is None or any(style in name for style in self.allowed_styles)):
                yield os.path.join(folder, name)

    def _add(self, wav_path, case):
        name = os.path.basename(wav_path)[:-len('.WAV')].lower()
        mat_path = os.path.join(self.path, 'mat', '%s.wav.mat' % name)
        if not os.path.exists(mat_path):
            logger.warning('%s is left out: there is no %s', wav_path, mat_path)
            return
        about = read_mat(mat_path)
        self.dynamics, self.style = about['dynamics'], about['style']
        self.instrumentName, self.instrumentSymbol = about['name'], about['symbol']
        for fid, (nr, start, end) in enumerate(zip(about['midi'], about['start'], about['end'])):
            self.notes.append(Note(wav_path, '%s_%s_%s' % (self.style, self.dynamics, case), fid, len(self.notes), nr,
                                   start, end, about['rate'], self.dynamics, self.style, case, about['instid']))
        self.wav_list.append(wav_path)
        self.notes_code.append(name)
        self.notes_len.append(len(about['midi']))

    def getNote(self, nr, dynamics='F', style='NO', case=1):
        """The first note with this MIDI number, dynamics, style and musician, or None."""
        return self._index.get((nr, dynamics, style, case))


def read_mat(path):
    """What a ``.mat`` file of the database says about its sound file.

    Returns
    -------
    dict
        ``rate`` (Hz), ``dynamics``, ``instid``, ``name``, ``symbol``, ``style``, and lists with a value a note:
        ``midi``, ``start`` and ``end`` (seconds).

    Raises
    ------
    InputError
        When the file cannot be read or has other fields.
    """
    try:
        fields = mat.load(path)['featureStruct'][0, 0]
        rate = int(fields[0][0, 0][3][0, 0])
        texts = {key: str(fields[position][0]) for key, position in (('dynamics', 3), ('name', 6), ('symbol', 7),
                                                                     ('style', 9))}
        midi, start, end = (fields[position].ravel().tolist() for position in (14, 15, 16))
        about = dict(texts, rate=rate, instid=int(fields[4][0, 0]), midi=[int(nr) for nr in midi],
                     start=[sample / float(rate) for sample in start], end=[sample / float(rate) for sample in end])
        if not len(midi) == len(start) == len(end):
            raise ValueError('it names %d notes, %d starts, %d ends' % (len(midi), len(start), len(end)))
        for note, (first, last) in enumerate(zip(about['start'], about['end'])):
            if not 0 <= first <= last < math.inf:   # NaN is refused too
                raise ValueError('its note %d lasts from %g s to %g s' % (note, first, last))
    except OSError as error:
        raise InputError('cannot read %s: %s' % (path, error.strerror or error)) from error
    except Exception as error:  # loadmat lets many kinds through, and any field may be something else
        raise InputError('%s is not a description of RWC notes (featureStruct, 17 fields): %s: %s'
                         % (path, type(error).__name__, command.one_line(error))) from error
    return about
