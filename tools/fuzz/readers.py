"""What is fuzzed: every reader of files, with good inputs to start from."""
import io
import json
import os
import pickle
import warnings
import zipfile

import numpy as np
import soundfile

from deepconvsep import command  # noqa: F401  defines how names that are no text are printed
from tools.fuzz import mutate

GOLDEN = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), 'tests', 'golden')


class Reader:
    """One reader: makes cases and reads them."""

    name = ''
    output = open(os.devnull, 'w', errors='deepconvsep.names')

    def warm_up(self):
        """Import and prepare what is needed, before the memory is limited."""

    def make(self, rng, folder):
        """Write a case into `folder`; return the arguments of :meth:`read`."""
        raise NotImplementedError

    def read(self, *arguments):
        """Read it: any exception but an InputError is a defect."""
        raise NotImplementedError


class OneFile(Reader):
    """A reader of a single file, whose bytes are damaged."""

    extension = ''
    words = mutate.WORDS

    def warm_up(self):
        warnings.simplefilter('ignore')
        self.seeds = self.good()

    def good(self):
        """Good inputs, and some that are hostile from the start: a list of bytes."""
        raise NotImplementedError

    def make(self, rng, folder):
        path = os.path.join(folder, 'f' + self.extension)
        self.write(path, mutate.damage(rng, rng.choice(self.seeds), self.seeds, self.words))
        return (path,)

    @staticmethod
    def write(path, data):
        with open(path, 'wb') as out:
            out.write(data)


def golden(*names):
    """Contents of recorded files."""
    contents = []
    for name in names:
        with open(os.path.join(GOLDEN, name), 'rb') as source:
            contents.append(source.read())
    return contents


class _Call:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class PickledModel(OneFile):
    """Pickled lists of arrays (models), and single arrays (timbre models)."""

    name, extension = 'pickle', '.pkl'

    def good(self):
        from deepconvsep.formats import pickles
        self.load = pickles.load_arrays, pickles.load_array
        arrays = [np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros(3, np.float32), np.ones((1, 1, 2, 2), 'f4')]
        seeds = [pickle.dumps(value, protocol) for protocol in range(5) for value in (arrays, arrays[0].astype(float))]
        seeds += [pickle.dumps([arrays[0], _Call(*call)], protocol) for protocol in (0, 2, 4) for call in
                  ((os.system, 'touch escaped'), (eval, '1'), (np.load, 'f.pkl'), (os.mkdir, '../escaped'))]
        path = 'seed.pkl'
        pickles.dump_arrays(path, arrays)
        with open(path, 'rb') as source:
            return seeds + [source.read()] * 8

    def read(self, path):
        from deepconvsep.errors import InputError
        try:
            self.load[0](path)
        except InputError:
            self.load[1](path)


class NpzModel(OneFile):
    """Models as ``.npz``."""

    name, extension = 'npz', '.npz'

    def good(self):
        from deepconvsep.models import store
        self.load = store._load_npz
        seeds = []
        for save in (np.savez, np.savez_compressed):
            out = io.BytesIO()
            save(out, np.zeros((3, 2), np.float32), np.ones(4))
            seeds.append(out.getvalue())
        seeds += [_zipped(header) for header in (
            "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000,), }",
            "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
            "{'descr': [('a', '<f4', (100000, 100000))], 'fortran_order': False, 'shape': (1,), }",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (" + '(' * 3000 + ',), }')]
        return seeds

    def read(self, path):
        self.load(path)


def _zipped(header):
    """A zip file with one array of this header and no data."""
    out = io.BytesIO()
    header = header.encode()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('arr_0.npy', b'\x93NUMPY\x01\x00' + len(header).to_bytes(2, 'little') + header)
    return out.getvalue()


class Settings(Reader):
    """The JSON file beside a model, and the names of the stems that it gives."""

    name = 'settings'

    def warm_up(self):
        from deepconvsep.models import store
        from deepconvsep.network import architecture
        from deepconvsep.recipe import folder_names
        from deepconvsep.separation import program
        from deepconvsep.settings import Settings as Values
        network = architecture.Architecture('small', 5, (2, 2), 5, 1, (3, 1), 2, (0, 1), time_context=5)
        values = Values(('vocals', 'rest'), frame_size=8, hop_size=4, overlap=3)
        store.save('seed.pkl', [np.zeros(shape, np.float32) for shape in network.param_shapes()], network, values, {})
        with open('seed.pkl', 'rb') as weights, open('seed.json') as beside:
            self.weights, self.values = weights.read(), json.load(beside)
        self.load = lambda path: store.load(path, (network,), 'this script')
        self.plan = program.plan_outputs
        self.names = folder_names

    def make(self, rng, folder):
        OneFile.write(os.path.join(folder, 'm.pkl'), self.weights)
        OneFile.write(os.path.join(folder, 'm.json'), mutate.damage_json(rng, self.values))
        return (os.path.join(folder, 'm.pkl'),)

    def read(self, path):
        loaded = self.load(path)
        if loaded.settings:
            loaded.settings.to_dict()
            for _, outputs in self.plan({'a.wav': 'a'}, 'out', loaded.settings.sources, 'WAV', self.names, False):
                for output in outputs:
                    if os.path.dirname(os.path.normpath(output)) != 'out':
                        raise ValueError('a stem outside of the folder: %r' % output)


class Features(Reader):
    """``.data`` and ``.shape``."""

    name = 'features'

    def warm_up(self):
        from deepconvsep.features import tensors
        self.load = tensors.load_tensor
        self.data = np.arange(24.).tobytes()

    def make(self, rng, folder):
        shape = rng.choice((b'#2\t3\t4\n', b'#24\n', b'#1\t1\t1\t24', b'#2 12\n', b'#0\t5\n'))
        data = self.data if rng.random() < .8 else mutate.damage(rng, self.data)
        OneFile.write(os.path.join(folder, 'f.shape'), mutate.damage(rng, shape))
        OneFile.write(os.path.join(folder, 'f.data'), data)
        return (os.path.join(folder, 'f.data'),)

    def read(self, path):
        self.load(path)


class Dataset(Reader):
    """A folder of features with notes, as the training reads it."""

    name = 'dataset'

    def warm_up(self):
        import dataset
        from deepconvsep.features import tensors
        from deepconvsep.score import Note
        from deepconvsep.score.rows import Grid, note_rows, stack_rows
        self.open = dataset.LargeDatasetMask1, dataset.LargeDatasetMask2
        self.save = tensors.save_tensor
        self.magnitudes = np.abs(np.random.RandomState(0).normal(size=(3, 12, 5)))
        self.notes = stack_rows([
            note_rows([Note(0., .05, 100), Note(.05, .1, midi)], 12, Grid(nharmonics=2, window=8))
            for midi in (90, 127)])

    def make(self, rng, folder):
        notes, magnitudes = self.notes.copy(), self.magnitudes
        for _ in range(rng.randint(0, 4)):
            value = rng.choice((-1, 0, 1, 126, 127, 128, 1000, 1e9, 1e19, 1e300, -1e19, .5, np.nan, np.inf, -np.inf))
            notes.flat[rng.randrange(notes.size)] = value
        self.save(os.path.join(folder, 'a.data'), magnitudes, '__m_')
        self.save(os.path.join(folder, 'a.data'), notes, '__g_')
        if rng.random() < .5:
            victim = os.path.join(folder, rng.choice(os.listdir(folder)))
            with open(victim, 'rb') as source:
                data = source.read()
            OneFile.write(victim, mutate.damage(rng, data))
        return folder, rng.randrange(2)

    def read(self, folder, kind):
        data = self.open[kind](folder, batch_size=2, time_context=4, overlap=2, nsources=2, pitched=True, nprocs=1,
                               pitch_code='g', tensortype='float32')
        try:
            for _ in range(2):
                data()
        finally:
            data.close()


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
    """MIDI files, by music21."""

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


class ResultsMat(OneFile):
    """Results of the original's evaluation, as the plots and the pooled scores read them."""

    name, extension = 'results_mat', '.mat'

    def good(self):
        from evaluation import handle_voice_eval_results
        self.load = handle_voice_eval_results.read_results
        return golden('8_evaluation/bach10_results.mat', '8_evaluation/dsd_results_1.mat',
                      '8_evaluation/ikala_measures.mat')

    def read(self, path):
        self.load(path)


class Records(Reader):
    """Results of the evaluation programs, as the tables and the plots read them."""

    name = 'results_json'

    def warm_up(self):
        from deepconvsep.metrics import records, tables
        from plots import bach10_smc_stats, scores
        self.records, self.tables, self.stats, self.scores = records, tables, bach10_smc_stats, scores
        import pandas  # noqa: F401  scores.read_scores imports it when it is called
        described = records.describe({'SDR': [1., np.nan], 'SIR': [np.inf, 2.], 'SAR': [3., 4.], 'ISR': [0., 1.]},
                                     [False, True], [False, False])
        self.value = {'schema': records.SCHEMA, 'version': records.VERSION, 'track': 'a', 'method': 'm', 'subset': 's',
                      'settings': {'v4': False}, 'inputs': {'reference bass': '00'}, 'notes': ['a note'],
                      'sample_rate': 44100, 'samples': 9, 'v4': {'bassoon': described},
                      'targets': {name: described for name in ('bassoon', 'clarinet', 'saxphone', 'violin')}}

    def make(self, rng, folder):
        os.makedirs(os.path.join(folder, 'method'))
        path = os.path.join(folder, 'method', 'a_results.json')
        OneFile.write(path, mutate.damage_json(rng, self.value))
        OneFile.write(os.path.join(folder, 'method', 'a_results.mat'), b'')
        return folder, path

    def read(self, folder, path):
        from deepconvsep.metrics import program, stems
        track = stems.Track('a', 'm', 's', path[:-len('.json')], {})
        found = self.records.finished(track, self.value['settings'], self.value['inputs'])
        if found is not None:
            program.print_table('title', 'rule', [found])
        os.unlink(path[:-len('.json')] + '.mat')
        self.scores.read_scores(folder, 'SDR')
        self.stats.read_results(folder)


class FolderRecord(Reader):
    """How the features of a folder were made."""

    name = 'folder_json'

    def warm_up(self):
        from deepconvsep.features import folder
        self.check = folder.check_record
        self.value = {'sources': ['vocals', 'bass'], 'window': 'hanning', 'frame_size': 1024, 'block_seconds': None}

    def make(self, rng, folder):
        for name in ('features.json', 'generation.json'):
            OneFile.write(os.path.join(folder, name), mutate.damage_json(rng, self.value))
        return (folder,)

    def read(self, folder):
        from deepconvsep.errors import InputError
        try:
            self.check(folder, self.value, False)
        except InputError:
            pass
        self.check(folder, self.value, name='generation.json', places={'db': folder, 'rwc': folder})


class FramesCsv(OneFile):
    """Published scores of windows."""

    name, extension = 'published_csv', '.csv'

    def good(self):
        import pandas  # noqa: F401

        from deepconvsep.metrics import published
        self.published = published
        columns = ['track_id', 'track', 'subset', 'target', *published.MEASURES, *published.MASKS.values()]
        rows = ['%d,song,Test,vocals,1.5,2,-inf,nan,0,na' % number for number in range(4)]
        return ['\n'.join([','.join(columns)] + rows).encode()]

    def read(self, path):
        frames = self.published.read_frames(path)
        self.published.aggregate(frames)


class Checkpoint(Reader):
    """Checkpoints of the training."""

    name = 'checkpoint'

    def warm_up(self):
        from deepconvsep.training import checkpoint
        self.module = checkpoint
        self.info = {'facts': {'seed': 0, 'batch_size': 4}, 'data': {'epoch': 0, 'batch': 1, 'seed': 0},
                     'history': [{'epoch': 1, 'loss': .5, 'seconds': 1., 'examples_per_second': 2., 'validation': .1}],
                     'sums': [0., 1.], 'seconds': 1.5}
        self.arrays = [np.arange(6, dtype=np.float32)], [np.zeros((2, 2))]
        checkpoint.save('seed.npz', *self.arrays, self.info)
        with open('seed.npz', 'rb') as source:
            self.seed = source.read()

    def make(self, rng, folder):
        path = os.path.join(folder, 'c.npz')
        if rng.random() < .5:
            OneFile.write(path, mutate.damage(rng, self.seed))
        else:
            text = mutate.damage_json(rng, self.info).decode('utf-8', 'replace').replace('\0', '')
            np.savez(path, info=text, param000=self.arrays[0][0], optimizer000=self.arrays[1][0])
        return (path,)

    def read(self, path):
        _, _, info = self.module.load(path)
        # what a resumed run does with it
        info['facts'].get('seed'), info['data'].get('epoch')
        np.array(info['sums']) + 1., info['seconds'] + 1., [row['epoch'] for row in info['history']]


class Sound(OneFile):
    """Sound files."""

    name, extension = 'sound', '.wav'

    def good(self):
        from deepconvsep import audio
        self.open = audio.Reader
        seeds = []
        samples = np.random.RandomState(0).uniform(-.5, .5, (300, 2))
        for kind, subtype in (('WAV', 'PCM_16'), ('WAV', 'PCM_24'), ('WAV', 'PCM_U8'), ('WAV', 'FLOAT'),
                              ('WAV', 'DOUBLE'), ('WAV', 'MS_ADPCM'), ('WAV', 'ULAW'), ('WAVEX', 'PCM_16'),
                              ('FLAC', 'PCM_16'), ('FLAC', 'PCM_24'), ('OGG', 'VORBIS'), ('OGG', 'OPUS'),
                              ('AIFF', 'PCM_16'), ('AU', 'PCM_16'), ('CAF', 'ALAC_16'), ('W64', 'PCM_16'),
                              ('RF64', 'PCM_16'), ('MP3', 'MPEG_LAYER_III')):
            out = io.BytesIO()
            soundfile.write(out, samples, 48000, format=kind, subtype=subtype)
            seeds.append(out.getvalue())
        return seeds

    def read(self, path):
        with self.open(path) as reader:
            for number, _ in enumerate(reader.blocks()):
                if number > 100000:
                    raise ValueError('a file of %d bytes has no end' % os.path.getsize(path))


class TheanoFlags(Reader):
    """``.theanorc`` and ``THEANO_FLAGS``."""

    name = 'theano_flags'

    def warm_up(self):
        from deepconvsep.backend import flags as backend
        self.backend = backend
        self.rc = b'[global]\ndevice = gpu0\nfloatX = float32\n[lib]\ncnmem = 0.9\n[blas]\nldflags = -lopenblas\n'

    def make(self, rng, folder):
        OneFile.write(os.path.join(folder, 'rc'), mutate.damage(rng, self.rc))
        text = mutate.damage(rng, b'device=gpu0,floatX=float32,lib.cnmem=1').decode('latin1').replace('\0', '')
        return ({'THEANORC': os.path.join(folder, 'rc'), 'THEANO_FLAGS': text},)

    def read(self, environ):
        self.backend.complete(self.backend.translate(self.backend.user_flags(environ)), None)


from tools.fuzz.flags import Flags

READERS = {reader.name: reader for reader in (
    PickledModel, NpzModel, Settings, Features, Dataset, TextScore, Midi, MusicXml, RwcMat, ResultsMat, Records,
    FolderRecord, FramesCsv, Checkpoint, Sound, TheanoFlags, Flags)}
