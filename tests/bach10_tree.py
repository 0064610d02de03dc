"""The recorded input trees of the Bach10 feature scripts, written out again."""
import os

import numpy as np
import scipy.io

from deepconvsep import audio


def make_inputs(rows, folder, length=None):
    """Write the recorded input files, cut to `length` samples."""
    for row in rows:
        path = os.path.join(folder, row['path'])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        samples = np.floor(np.random.RandomState(row['seed']).uniform(-row['amp'], row['amp'], size=row['samples']))
        audio.write(path, samples[:length] / 32767, 44100)


def make_bank(rows, folder):
    """Write the recorded instrument samples."""
    for row in rows:
        random, samples = np.random.RandomState(row['seed']), np.zeros(row['samples'])
        for number in range(len(row['midi'])):
            start, length = number * 30870 + random.randint(0, 5000), random.randint(15000, 25000)
            samples[start:start + length] = np.floor(random.uniform(-row['amp'], row['amp'], size=length))
            random.randint(0, 300)
        assert samples.sum() == row['sum_of_samples']
        for name in ('wav', 'mat'):
            os.makedirs(os.path.dirname(os.path.join(folder, row[name])), exist_ok=True)
        audio.write(os.path.join(folder, row['wav']), samples / 32767, 44100)
        fields = [dict(a=0, b=0, c=0, fs=44100), 0, 0, row['dynamics'], row['instid'], 0, row['name'], row['symbol'], 0,
                  row['style'], 0, 0, 0, 0, row['midi'], row['note_start'], row['note_end']]
        scipy.io.savemat(os.path.join(folder, row['mat']),
                         {'featureStruct': {'f%02d' % i: f for i, f in enumerate(fields)}}, oned_as='row')
