"""MusicXML, plain or zipped, to the notes of its parts as they are played, by music21: repeats are followed."""
import copy
import io
import re
import zipfile
from xml.etree import ElementTree

import numpy as np

from deepconvsep import command
from deepconvsep.errors import InputError
from deepconvsep.score.notes import LATEST, Note

logger = command.get_logger('score')

#: Bytes of a score file, and of what is zipped in it.
LARGEST = 1 << 22
#: Measures of all parts of a score beyond which its repeats are not followed: music21 would take minutes.
MOST_MEASURES = 4000
#: Quarter notes a minute of a score without a tempo, as music21 has it.
DEFAULT_TEMPO = 120


def parts(path, data):
    """Name and notes of the parts of the MusicXML file `path`, of which `data` are the bytes, plain or zipped."""
    try:
        import music21
    except ImportError:
        raise InputError('reading %s needs music21: pip install music21' % path) from None
    try:
        if zipfile.is_zipfile(io.BytesIO(data)):
            data = _unzipped(data)
        tree = ElementTree.fromstring(data)
        _check_numbers(tree)
        _write_tempi(tree)
        # as text: of a path music21 would guess the format, and it would unpack zipped files somewhere
        music = music21.converter.parse(ElementTree.tostring(tree, encoding='unicode'), format='musicxml')
        music = _as_played(music, path).toSoundingPitch()
        marks = music.metronomeMarkBoundaries()  # of the whole score: often only its first part bears them
        beats = [marks[0][0]] + [end for _, end, _ in marks]
        seconds = np.cumsum([0.] + [(end - start) * mark.secondsPerQuarter() for start, end, mark in marks])
        found = []
        for part in music.parts if hasattr(music, 'parts') else [music]:
            notes = [Note(*np.interp([event.offset, event.offset + event.quarterLength], beats, seconds).tolist(),
                          int(round(pitch.ps)))
                     for event in part.stripTies().flatten().notes if event.quarterLength > 0
                     for pitch in getattr(event, 'pitches', ())]
            found.append((part.partName, notes))
    except Exception as error:  # music21 lets many kinds through: its own, of zip, of XML, of struct, IndexError
        said = command.one_line(error) or type(error).__name__
        raise InputError('music21 cannot read %s: %s' % (path, said)) from error
    return found


def _write_tempi(tree):
    """Give every ``<sound tempo>`` (quarter notes a minute) the metronome mark without which music21 skips it."""
    for measure in tree.iter('measure'):
        for place, element in enumerate(list(measure)):
            sound = element if element.tag == 'sound' else element.find('sound') if element.tag == 'direction' else None
            try:
                tempo = float(sound.get('tempo', 0)) if sound is not None else 0.
            except ValueError:
                continue
            if not tempo > 0 or element.find('.//metronome') is not None:
                continue
            if element is sound:
                measure[place] = element = ElementTree.Element('direction')
                element.append(sound)
            kind = ElementTree.Element('direction-type')
            mark = ElementTree.SubElement(kind, 'metronome')
            ElementTree.SubElement(mark, 'beat-unit').text = 'quarter'
            ElementTree.SubElement(mark, 'per-minute').text = '%g' % tempo
            element.insert(len(element.findall('direction-type')), kind)


def _as_played(music, path):
    """The music with its repeats, endings and jumps followed; says what had to be assumed."""
    import music21
    if not next(iter(music.recurse().getElementsByClass(music21.tempo.MetronomeMark)), None):
        logger.warning('%s has no tempo, %d quarter notes a minute are assumed: if it is another, give --score_tempo, '
                       'the true one divided by %d', path, DEFAULT_TEMPO, DEFAULT_TEMPO)
    if not any(isinstance(each, music21.repeat.RepeatMark) for each in music.recurse()):
        return music
    followed, measures = None, len(music.recurse().getElementsByClass(music21.stream.Measure))
    if measures <= MOST_MEASURES:
        try:
            _share_jumps(music)
            followed = music.expandRepeats()
        except Exception:  # signs that contradict each other; music21 lets many kinds through
            pass
    if followed is None or len({part.duration.quarterLength for part in followed.parts}) > \
            len({part.duration.quarterLength for part in music.parts}):
        logger.warning('%s has repeats or jumps that cannot be followed: it is read as written, without them', path)
        return music
    return followed


def _share_jumps(music):
    """Give all parts the jumps (da capo, segno, coda, fine) that are often written in the first part only."""
    import music21
    measures = [list(part.getElementsByClass(music21.stream.Measure)) for part in music.parts]
    for index, bars in enumerate(zip(*measures)):
        jumps = {type(each): each for bar in bars for each in bar.getElementsByClass(music21.repeat.RepeatExpression)}
        for bars_of_part in measures:
            there = {type(each) for each in bars_of_part[index].getElementsByClass(music21.repeat.RepeatExpression)}
            for kind in set(jumps) - there:
                bars_of_part[index].insert(jumps[kind].offset, copy.deepcopy(jumps[kind]))


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
                'fifths': 99, 'alter': 99, 'duration': 1e7, 'normal-notes': 999, 'actual-notes': 999, 'repeat': 20}


def _check_numbers(tree):
    """Raise ValueError when an element holds a number beyond all music: music21 would compute for hours."""
    for element in tree.iter():
        limited = element.tag in _LARGEST_XML
        for text in [element.text or ''] + list(element.attrib.values()):
            # 3, -1.5, 1e9, and of time signatures 3+2; digits in names are no numbers
            for number in _NUMBER.findall(text) if limited or re.fullmatch(r'[-+\s\d.eE]+', text) else ():
                if not abs(float(number)) <= _LARGEST_XML.get(element.tag, LATEST):
                    raise ValueError('<%s> holds the number %s' % (element.tag, number[:20]))
