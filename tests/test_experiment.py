"""The experiments on open data, small: every step runs, the bounds bound, nothing finished is done again."""
import json
import os

import numpy as np
import pytest

from deepconvsep import audio, stft
from deepconvsep.errors import InputError
from deepconvsep.metrics import ideal_ratio
from examples.bach10 import experiment, recipe, soundfonts

SCRIPT = 'examples/bach10/experiment.py'

pytest.importorskip('music21', reason='music21 is not installed (requirements/scores.txt)')
pytest.importorskip('mido', reason='mido is not installed (requirements/scores.txt)')


def test_ideal_ratio_masks_add_up_and_separate():
    generator = np.random.default_rng(0)
    time = np.arange(30000) / 44100.
    stems = np.stack([np.sin(2 * np.pi * 500 * time), generator.standard_normal(30000) * 0.3])
    estimates = ideal_ratio.separate(stems, stft.blackmanharris(recipe.FRAME_SIZE), recipe.HOP_SIZE)
    assert np.abs(estimates.sum(axis=0) - stems.sum(axis=0)).max() < 1e-9
    before, after = (((signal - stems) ** 2).sum(axis=1) for signal in (stems.sum(axis=0), estimates))
    assert (10 * np.log10(before / after) > 10).all()


def test_bounds_of_a_tree(script, tmp_path):
    piece = tmp_path / 'db' / '01-A'
    piece.mkdir(parents=True)
    generator = np.random.default_rng(1)
    stems = {source: 0.4 * generator.standard_normal(5000 + 100 * place).clip(-2, 2)
             for place, source in enumerate(recipe.SOURCES)}
    for source, samples in stems.items():
        audio.write(str(piece / ('01-A-%s.wav' % source)), samples, 44100, subtype='FLOAT')
    done = script('evaluation/bounds.py', '--db', tmp_path / 'db', '--output', tmp_path / 'out')
    assert done.returncode == 0, done.stderr
    total = sum(np.pad(samples, (0, 5300 - len(samples))) for samples in stems.values())
    for source in recipe.SOURCES:
        mixture, rate = audio.read(str(tmp_path / 'out' / 'mixture' / ('01-A-%s.wav' % source)))
        assert rate == 44100 and np.abs(mixture[:, 0] - total).max() < 1e-6 and np.abs(total).max() > 1
    masked = sum(audio.read(str(tmp_path / 'out' / 'ideal_ratio_mask' / ('01-A-%s.wav' % source)))[0][:, 0]
                 for source in recipe.SOURCES)
    assert np.abs(masked - total).max() < 1e-5


def test_the_experiments_on_a_small_scale(script, tmp_path):
    try:
        soundfonts.check(experiment.BANKS)
    except InputError as error:
        pytest.skip(str(error))
    command = [SCRIPT, '--out', tmp_path, '--held_out', 'timgm6mb', '--experiments', 'sibelius', '--number', 1,
               '--test_number', 1, '--beats', 4, '--epochs', 1]
    done = script(*command)
    assert done.returncode == 0, done.stderr
    assert '--banks fluid freepats ' in done.stdout and 'opl3' not in done.stdout
    assert 'trainCNNSibelius.py' in done.stdout
    folder = tmp_path / 'timgm6mb'
    means = json.loads((folder / 'scores.json').read_text())['means']
    assert set(means) == {'CNNsibelius_original', 'CNNsibelius_original+nmf', 'ideal_ratio_mask', 'mixture'}
    for source in recipe.SOURCES:
        assert means['ideal_ratio_mask'][source]['SDR'] > means['mixture'][source]['SDR'] + 5
    assert '| mixture | ' in done.stdout and os.listdir(str(folder / 'features')) == []
    again = script(*command)
    assert again.returncode == 0 and 'trainCNNSibelius.py' not in again.stdout
    assert json.loads((folder / 'scores.json').read_text())['means'] == means

    def refused(*flags):
        done = script(*command, *flags)
        assert done.returncode == 1 and len(done.stderr.splitlines()) == 1, done.stderr
        return done.stderr
    assert 'an experiment with number 1, now wanted: number 2: choose another --out' in refused('--number', 2)
    assert 'written for other epochs than now: choose another --out, or remove it' in refused('--epochs', 2)
    stem = next((folder / 'Bach10').glob('*/*-violin.wav'))
    samples, rate = audio.read(str(stem))
    audio.write(str(stem), samples / 2, rate)
    assert 'written for other data than now' in refused()
    # results of a method whose stems are gone are not of this experiment
    assert set(experiment.collect(str(folder / 'results'), ['mixture', 'other'])) == {'mixture'}


def test_the_steps_before_a_failure_are_kept(tmp_path, monkeypatch):
    with pytest.raises(InputError, match='synthesize.py ended with exit code 2; what is finished is kept'):
        experiment.run(experiment.HERE, 'synthesize.py', 'nothing', '--out', tmp_path)
