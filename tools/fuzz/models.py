"""Models, what lies beside them, and checkpoints."""
import io
import json
import os
import pickle
import zipfile

import numpy as np

from tools.fuzz import mutate
from tools.fuzz.base import OneFile, Reader


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
        from deepconvsep.recipes.base import folder_names
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
