"""What is fuzzed: every reader of files, with good inputs to start from."""
import io
import os

import numpy as np
import soundfile

from tools.fuzz import mutate
from tools.fuzz.base import OneFile, Reader
from tools.fuzz.features import Dataset, Features, FolderRecord
from tools.fuzz.flags import Flags
from tools.fuzz.models import Checkpoint, NpzModel, PickledModel, Settings
from tools.fuzz.results import FramesCsv, Records, ResultsMat
from tools.fuzz.scores import Midi, MusicXml, RwcMat, TextScore


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


READERS = {reader.name: reader for reader in (
    PickledModel, NpzModel, Settings, Features, Dataset, TextScore, Midi, MusicXml, RwcMat, ResultsMat, Records,
    FolderRecord, FramesCsv, Checkpoint, Sound, TheanoFlags, Flags)}
