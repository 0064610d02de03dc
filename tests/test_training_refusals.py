"""Flags of the trainers of Bach10 that would train something else than was asked for, or nothing."""
import logging
import os
import shutil

import numpy as np
import pytest
import sound_tree
from conftest import ROOT
from feature_tree import write

from deepconvsep.backend.prepare import prepare
from deepconvsep.errors import InputError
from examples.bach10 import recipe, trainCNNbach10

prepare(verbose=False)
FREE = ['examples/bach10/' + name for name in ('trainCNNbach10.py', 'trainCNNSibelius.py', 'trainCNNrwc.py')]
INFORMED = ['examples/bach10_scoreinformed/' + name for name in ('trainCNNrwc.py', 'trainCNNrwc_samp.py')]
EMPTY = "got '', expected a path"


@pytest.mark.parametrize('name', FREE + INFORMED)
@pytest.mark.parametrize('flags, message', [
    (['--load', ''], 'argument --load: ' + EMPTY),
    (['--skip_train', '--skip_sep'], '--skip_train only separates, with the model that is there: leave it out, or '
                                     '--skip_sep'),
])
def test_every_trainer(script, tmp_path, name, flags, message):
    for folder in ('db', 'features'):
        (tmp_path / folder / '01-A' / 'gt').mkdir(parents=True)
    done = script(name, '--db', 'db', '--feature_path', 'features', *flags, cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize('flags, message', [
    (['--output', ''], 'argument --output: ' + EMPTY),
    (['--feature_path', ''], 'argument --feature_path: ' + EMPTY),
    (['--db', ''], 'argument --db: ' + EMPTY),
    (['--dbs', ''], 'argument --dbs: ' + EMPTY),
    (['--model', '.'], "--model is '.', expected a name without folders"),
    (['--model', '..'], "--model is '..', expected a name without folders"),
    (['--model', ' '], "--model is ' ', expected a name without folders"),
    (['--skip', '1', '--resume'], '--skip_train only separates, with the model that is there: leave it out, or '
                                  '--resume'),
    (['--skip_train', '--load', '1'], 'leave it out, or --load'),
    (['--skip_train', '--overwrite'], 'leave it out, or --overwrite'),
    (['--skip_sep', '--scale_factor_test', '0.5'], '--scale_factor_test is for the separation of the test songs'),
    (['--confine'], 'unrecognized arguments: --confine'),
    (['--nepochs', '0'], '--nepochs 0 trains nothing'),
    (['--overlap', '30'], '--overlap is 30, expected less than --time_context 30'),
])
def test_without_scores(script, tmp_path, flags, message):
    done = script(FREE[0], '--db', '.', '--feature_path', '.', *flags, cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr
    assert not (tmp_path / 'models').exists()


def test_a_separation_needs_no_epochs(script, tmp_path):
    (tmp_path / '01-A').mkdir()
    for source in ('bassoon', 'clarinet', 'saxphone', 'violin'):
        (tmp_path / '01-A' / ('01-A-%s.wav' % source)).write_text('not read')
    done = script(FREE[0], '--db', '.', '--skip_train', '--nepochs', '0', cwd=tmp_path)
    assert done.returncode == 1 and 'cannot read the model' in done.stderr and 'trains nothing' not in done.stderr
    assert '--nepochs is of no effect' in done.stderr


@pytest.mark.parametrize('flag', [['--score_tempo', '2'], ['--score_offset', '0.1'], ['--scores', '.'],
                                  ['--score_ending', '_g']])
def test_scores_are_not_what_is_trained_on(script, tmp_path, flag):
    done = script(INFORMED[0], '--db', '.', '--feature_path', '.', '--skip_sep', *flag, cwd=tmp_path)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert '%s is for the separation of the test songs' % flag[0] in done.stderr


def test_weights_of_another_network(script, tmp_path):
    write(str(tmp_path / 'f'), 'song', np.ones((5, 40, 2049)))
    done = script(FREE[0], '--db', '.', '--feature_path', 'f', '--skip_sep', '--load',
                  os.path.join(ROOT, 'deepconvsep', 'models', 'bach10_compact.pkl'), cwd=tmp_path)
    assert done.returncode == 1 and 'Traceback' not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert 'this training needs ' in last and 'give --load a model of the network that the flags ask for' in last


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Train on two small feature files, of zeros or not, with a step that does not compile."""
    class Step:
        def __init__(self, network, settings, terms, *_):
            self.count, self.params = 1 + len(terms), [np.zeros(shape, np.float32) for shape in network.param_shapes()]

        def get_values(self):
            return self.params, [np.zeros(1, np.float32)]

        def load_chunk(self, inputs, outputs, masks=None):
            self.level = float(np.abs(outputs).max())

        def train(self, starts):
            return np.full(self.count, self.level)

    def run(level, *flags, separate=False):
        for song in range(2):
            write(str(tmp_path / 'f'), 'song%d' % song, np.full((5, 40, 2049), level))
        return trainCNNbach10.main(['--db', str(tmp_path), '--feature_path', str(tmp_path / 'f'), '--output',
                                    str(tmp_path), '--network', 'compact', '--nepochs', '1', *flags,
                                    *['--skip_sep'] * (not separate)])
    (tmp_path / 'f').mkdir()
    monkeypatch.setattr('deepconvsep.training.run.Step', Step)
    return run


@pytest.mark.parametrize('there', [False, True])
def test_a_run_that_is_resumed_begins_with_the_model_unless_there_is_a_checkpoint(train, tmp_path, monkeypatch, there):
    begun = []
    monkeypatch.setattr('deepconvsep.training.program.train_on', lambda *args: begun.append(args[-1]))
    (tmp_path / 'models').mkdir()
    for ending in ('.pkl', '.json'):
        shutil.copy(os.path.join(ROOT, 'deepconvsep', 'models', 'bach10_compact' + ending),
                    str(tmp_path / 'models' / ('model_CNNbach10' + ending)))
    if there:
        (tmp_path / 'models' / 'checkpoint_CNNbach10.npz').write_bytes(b'not read')
    assert train(1., '--load', '1', '--resume') == 0
    assert [len(params) for params in begun] == [0 if there else 1]


@pytest.mark.parametrize('level, flags', [(0., ()), (1., ('--scale_factor', '1e-320'))])
def test_nothing_to_learn(train, tmp_path, level, flags):
    with pytest.raises(InputError, match='the loss is 0 in epoch 1, batch 1; there is no checkpoint yet: there is '
                                         'nothing to learn: look for silent features, or raise --scale_factor'):
        train(level, *flags)
    assert not (tmp_path / 'models' / 'model_CNNbach10.pkl').exists()


def test_fewer_windows_than_a_batch(train, caplog):
    with caplog.at_level(logging.WARNING):
        assert train(1.) == 0
    assert '--batch_size 32: there are 6 windows, so that each epoch is one step' in caplog.text


@pytest.mark.parametrize('error', [InputError('damaged'), KeyboardInterrupt()])
def test_stems_of_an_earlier_model_that_stay(train, tmp_path, monkeypatch, caplog, error):
    """When a song fails, or the separation is interrupted, those of the songs that were not separated are named."""
    def separate_file(separator, source, stems, *_, **__):
        if '02-B' in stems[0]:
            raise error
        for stem in stems:
            sound_tree.write(stem, np.zeros(9))
    monkeypatch.setattr('deepconvsep.separation.sound.separate_file', separate_file)
    monkeypatch.setattr('deepconvsep.separation.separator.Separator', lambda *_: None)
    for piece in ('01-A', '02-B'):
        for source in recipe.SOURCES:
            sound_tree.write(tmp_path / piece / ('%s-%s.wav' % (piece, source)), np.zeros(9))
            sound_tree.write(tmp_path / 'output' / 'CNNbach10' / ('%s-%s.wav' % (piece, source)), np.ones(9) / 2)
    if isinstance(error, InputError):
        assert train(1., separate=True) == 1
    else:
        with pytest.raises(KeyboardInterrupt):
            train(1., separate=True)
    assert 'holds stems that an earlier model of this name made: separate again with --skip_train' in caplog.text
    assert '02-B-bassoon.wav and 3 more' in caplog.text
