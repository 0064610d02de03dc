"""The real song through the command lines: separated, evaluated, drawn."""
import json
import os
import shutil

import numpy as np
import pytest

from tests import song

SONG = 'The Easton Ellises - Falcon 69'


@pytest.fixture(scope='module')
def tree(tmp_path_factory):
    """A DSD100 tree whose only Test song is the real one."""
    db = tmp_path_factory.mktemp('db')
    for folder in (db / 'Sources' / 'Test' / SONG, db / 'Mixtures' / 'Test' / SONG):
        os.makedirs(str(folder))
    song.write(str(db / 'Sources' / 'Test' / SONG))
    shutil.move(str(db / 'Sources' / 'Test' / SONG / 'mixture.wav'), str(db / 'Mixtures' / 'Test' / SONG))
    return db


def test_separated_evaluated_and_drawn(script, golden, tree, tmp_path):
    mixture = tree / 'Mixtures' / 'Test' / SONG / 'mixture.wav'
    stems = tmp_path / 'separated' / 'random' / 'Test' / SONG
    done = script('examples/dsd100/separate_dsd.py', '-i', mixture, '-o', stems, '--quiet',
                  '-m', golden('5_end_to_end/dsd/model_dsd.pkl'))
    assert done.returncode == 0, done.stderr
    done = script('-m', 'evaluation.DSD100_eval_only', '--db', tree, '--estimates', tmp_path / 'separated', '--quiet')
    assert done.returncode == 0, done.stderr
    for word in ('vocals', 'accompaniment', 'SDR', 'whole', 'not put beside the published scores'):
        assert word in done.stdout, done.stdout
    found = [os.path.join(folder, name) for folder, _, names in os.walk(str(tmp_path)) for name in names
             if name.endswith('.json')]
    assert len(found) == 1
    with open(found[0]) as source:
        record = json.load(source)
    # the scores of one window, checked against an independent implementation elsewhere; here that they are sane
    assert 'vocals' in json.dumps(record) and 'NaN' not in json.dumps(record)
    figures = tmp_path / 'figures'
    done = script('-m', 'plots.scores', '--input', tmp_path / 'separated', '--output', figures)
    assert done.returncode == 0, done.stderr
    done = script('-m', 'plots.spectrograms', '--mixture', mixture, '--estimates', stems, '--references',
                  tree / 'Sources' / 'Test' / SONG, '--output', figures)
    assert done.returncode == 0, done.stderr
    pictures = [name for name in os.listdir(str(figures)) if name.endswith('.png')]
    assert len(pictures) >= 2
    import matplotlib.image
    for name in pictures:
        pixels = matplotlib.image.imread(str(figures / name))
        assert min(pixels.shape[:2]) > 300 and np.ptp(pixels[..., :3]) > 0.5
