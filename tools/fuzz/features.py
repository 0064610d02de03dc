"""Features and their folders."""
import os

import numpy as np

from tools.fuzz import mutate
from tools.fuzz.base import OneFile, Reader


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
