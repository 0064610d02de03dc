"""Scores, and descriptions of the samples that play them."""
import io
import os
import zipfile

from tools.fuzz import mutate
from tools.fuzz.base import GOLDEN, OneFile, golden


class TextScore(OneFile):
    """Scores as text, to the frames of their notes."""

    name, extension = 'text_score', '.txt'
    words = mutate.WORDS + (b'C-99999999999', b'G9', b'Cb-1', b'C' + b'#' * 500, b'1e300,2e300,A4', b'A4')

    def good(self):
        from deepconvsep import score
        from deepconvsep.score import masks, rows
        self.load, self.masks, self.rows = score.read_score, masks, rows
        return [b'6.1600,6.7000,F4#\n6.7,7.5,A4\n', b'# notes\n0.5,1.0,Bb3 ! comment\r\n1,2,C5',
                b'0,0.005,G9\n' * 3, b'']

    def read(self, path):
        notes = self.load(path)
        rows = self.rows.note_rows(notes, 100, self.rows.Grid(nharmonics=3), finish=20.)
        if len(rows):
            stacked = self.rows.stack_rows([rows])
            self.masks.piano_roll(stacked, 0, 100)
            self.masks.harmonic_mask(stacked, 0, 10, 2049)


class Midi(OneFile):
    """MIDI files, by mido."""

    name, extension = 'midi', '.mid'

    def good(self):
        import mido

        from deepconvsep import score
        self.load = score.read_parts
        files = []
        for kind in (0, 1):
            music = mido.MidiFile(type=kind, ticks_per_beat=96)
            for number in range(kind + 1):
                track = mido.MidiTrack([mido.MetaMessage('track_name', name='Violin'),
                                        mido.MetaMessage('set_tempo', tempo=500000),
                                        mido.Message('program_change', program=40, channel=number)])
                for note in (60, 64):
                    track.append(mido.Message('note_on', note=note, channel=number, time=0))
                    track.append(mido.Message('note_off', note=note, channel=number, time=96))
                music.tracks.append(track)
            out = io.BytesIO()
            music.save(file=out)
            files.append(out.getvalue())
        self.write('warm.mid', files[1])
        self.load('warm.mid')
        return files

    def read(self, path):
        self.load(path)


class MusicXml(OneFile):
    """MusicXML as text and zipped, by music21."""

    name, extension = 'musicxml', '.musicxml'
    words = mutate.WORDS + (b'<backup><duration>99</duration></backup>', b'<divisions>0</divisions>', b'<chord/>',
                            b'<duration>1e9</duration>', b'<alter>1e9</alter>', b'<octave>-99999</octave>',
                            b'<sound tempo="0"/>', b'<sound tempo="-1"/>', b'<?xml-stylesheet href="file:///etc"?>')

    def good(self):
        from deepconvsep import score
        self.load = score.read_parts
        note = '<note><pitch><step>%s</step><octave>4</octave></pitch><duration>2</duration><type>quarter</type></note>'
        body = ('<score-partwise><part-list><score-part id="P1"><part-name>Violin</part-name></score-part></part-list>'
                '<part id="P1"><measure number="1"><attributes><divisions>2</divisions><time><beats>2</beats>'
                '<beat-type>4</beat-type></time></attributes><direction><sound tempo="90"/></direction>' + note % 'A'
                + note % 'B' + '</measure></part></score-partwise>')
        plain = '<?xml version="1.0" encoding="UTF-8"?>' + body
        laughs = ''.join('<!ENTITY l%d "%s">' % (level, ('&l%d;' % (level - 1)) * 10) for level in range(1, 10))
        bomb = '<!DOCTYPE score-partwise [<!ENTITY l0 "ha">%s]>' % laughs + body.replace('Violin', '&l9;')
        outside = '<!DOCTYPE score-partwise [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + body.replace('Violin', '&a;')
        self.zipped = [_mxl(plain.encode()), _mxl(plain.encode(), '../../escaped.xml')]
        self.write('warm.musicxml', plain.encode())
        self.load('warm.musicxml')
        return [plain.encode()] * 8 + [bomb.encode(), outside.encode()]

    def make(self, rng, folder):
        kind = rng.random()
        if kind < .3:
            return super().make(rng, folder)
        if kind < .8:
            path = os.path.join(folder, 'f.musicxml')
            self.write(path, mutate.damage_xml(rng, self.seeds[0]))
            return (path,)
        path = os.path.join(folder, 'f.mxl')
        self.write(path, mutate.damage(rng, rng.choice(self.zipped), self.zipped))
        return (path,)

    def read(self, path):
        self.load(path)


def _mxl(text, name='score.xml'):
    """A zipped MusicXML file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('META-INF/container.xml', '<container><rootfiles><rootfile full-path="%s"/></rootfiles>'
                                                   '</container>' % name)
        archive.writestr(name, text)
    return out.getvalue()


class RwcMat(OneFile):
    """Descriptions of RWC notes."""

    name, extension = 'rwc_mat', '.mat'

    def good(self):
        import rwc
        self.load = rwc.read_mat
        folder = os.path.join(GOLDEN, '7_rwc', 'rwc', 'mat')
        return golden(*sorted(os.path.join(folder, name) for name in os.listdir(folder))[:4])

    def read(self, path):
        self.load(path)
