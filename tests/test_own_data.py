"""docs/own_data.md: its three files train a network for other sources, which separates by what lies beside it."""
import json
import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from conftest import ROOT

import deepconvsep
from deepconvsep.errors import InputError
from deepconvsep.models import listing, store
from deepconvsep.recipes import bach10_scoreinformed, dsd100

RATE = 44100


@pytest.fixture(scope='module')
def guide():
    with open(os.path.join(ROOT, 'docs', 'own_data.md'), encoding='utf-8') as source:
        return source.read()


@pytest.fixture(scope='module')
def trained(guide, tmp_path_factory):
    """A folder in which the commands of the document were given: files as they stand there, two short songs."""
    root = tmp_path_factory.mktemp('own')
    (root / 'guitar').mkdir()
    found = re.findall(r'`(\w+\.py)`[^`]*?:\n\n```python\n(.*?)```|`(\w+\.py)` says.*?```python\n(.*?)```', guide,
                       re.DOTALL)
    files = {first or second: text or other for first, text, second, other in found}
    assert set(files) == {'recipe.py', 'compute_features.py', 'trainCNN.py'}
    for name, text in files.items():
        (root / 'guitar' / name).write_text(text)
    seconds = np.arange(2 * RATE) / RATE
    for number, name in enumerate(('one', 'two')):
        folder = root / 'songs' / name
        folder.mkdir(parents=True)
        stems = {'guitar': .3 * np.sin(2 * np.pi * (880 + 50 * number) * seconds),
                 'rest': .3 * np.sin(2 * np.pi * (220 + 10 * number) * seconds)}
        for stem, samples in dict(stems, mixture=sum(stems.values())).items():
            soundfile.write(str(folder / (stem + '.wav')), samples, RATE)
    soundfile.write(str(root / 'song.wav'), sum(stems.values()), RATE)
    commands = [shlex.split(line) for line in re.findall(r'^    \.venv/bin/python (.*)$', guide, re.MULTILINE)]
    assert [line[0] for line in commands] == ['guitar/compute_features.py'] * 2 + ['guitar/trainCNN.py', '-m']
    for line in commands:
        if 'guitar/trainCNN.py' in line:
            line = [*line[:-2], '--validation', '0.5', '--nepochs', '30', '--batch_size', '8', '--nprocs', '1']
        done = subprocess.run([sys.executable, *line], cwd=root, env=dict(os.environ, PYTHONPATH=ROOT),
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return root


def test_the_stems_are_those_of_the_sources(trained):
    model = trained / 'songs' / 'models' / 'model_guitar.pkl'
    mixture, true = (soundfile.read(str(trained / name))[0] for name in ('song.wav', 'songs/two/guitar.wav'))
    assert sorted(os.listdir(trained / 'stems')) == ['guitar.wav', 'rest.wav']
    guitar, rest = (soundfile.read(str(trained / 'stems' / name))[0] for name in ('guitar.wav', 'rest.wav'))
    assert np.abs(guitar + rest - mixture).max() < 3 / 32768
    error = ((guitar - true) ** 2).sum()
    assert error < .25 * ((mixture - true) ** 2).sum(), 'nothing was separated'
    again = deepconvsep.separate(mixture, RATE, model=model)
    np.testing.assert_allclose(again['guitar'], guitar, atol=2e-3)
    assert sorted(os.listdir(trained / 'songs' / 'output' / 'guitar' / 'one')) == ['guitar.wav', 'rest.wav']
    lines = listing.describe(str(model)).splitlines()
    assert 'guitar network, 13 arrays' in lines[1] and lines[2].split() == ['script', 'deepconvsep', 'separate']


def test_it_is_refused_where_it_does_not_belong(trained, tmp_path):
    model = trained / 'songs' / 'models' / 'model_guitar.pkl'
    with pytest.raises(InputError, match='holds 13 arrays of the guitar network; separate_dsd needs'):
        store.load(str(model), dsd100.NETWORKS, 'separate_dsd')
    alone = tmp_path / 'model.pkl'
    alone.write_bytes(model.read_bytes())
    values = json.loads(model.with_suffix('.json').read_text())
    values['settings']['score'] = bach10_scoreinformed.SETTINGS.score.to_dict()
    (tmp_path / 'model.json').write_text(json.dumps(values))
    with pytest.raises(InputError, match='does not describe the arrays'):
        deepconvsep.Separator(alone)
