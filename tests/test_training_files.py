"""log.py, checkpoint.py, store.py: what a training writes, and that it is whole or not there."""
import csv
import json
import os
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
from test_training import small_features, start
from test_training_contents import plain_step

import dataset
from deepconvsep.errors import InputError
from deepconvsep.features import tensors
from deepconvsep.models import store
from deepconvsep.network import architecture
from deepconvsep.training import checkpoint, log

__all__ = ['plain_step', 'small_features']

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def test_the_table_of_epochs_keeps_its_columns(small_features, tmp_path):
    def columns():
        with open(tmp_path / 'log_x.csv') as table:
            return next(csv.reader(table))
    start(tmp_path, small_features, 'song2').run(1)
    before = columns()
    again = start(tmp_path, small_features, 'song2')
    assert again.resume()
    again.run(2)
    assert columns() == before == ['epoch', 'loss', 'seconds', 'examples_per_second', 'vocals', 'bass', 'drums', 'beta',
                                   'alpha', 'beta_voc', 'validation', 'best']


def test_the_model_knows_its_features_and_what_was_held_out(small_features, tmp_path):
    start(tmp_path, small_features, 'song2', held_out=['song2']).run(1)
    training = json.loads((tmp_path / 'model_x.json').read_text())['training']
    assert training['held_out'] == ['song2']
    assert {kind: set(found) for kind, found in training['features'].items()} == dict.fromkeys(
        ('training', 'held out'), {'records', 'samples', 'dates'})


def test_the_best_epoch_is_better_than_all_before(small_features, tmp_path, monkeypatch):
    run = start(tmp_path, small_features, 'song2')
    losses = [3., 1., 2., 1.5, 1., .5]
    monkeypatch.setattr(run, 'validate', iter(losses).__next__)
    run.run(6)
    assert [row['validation'] for row in run.history] == losses
    assert [row['best'] for row in run.history] == [True, True, False, False, False, True]


def test_the_validation_is_per_example_held_out(small_features, tmp_path):
    """Where each has the loss 2: of one song, beside the three that are trained on."""
    run = start(tmp_path, small_features, 'song2')
    run.step.evaluate = lambda starts: np.array([2. * len(starts)])
    assert run.validate() == 2.


@pytest.mark.parametrize('rows, fine', [
    ([], True), ([{'epoch': 1, 'loss': 2.}, {'epoch': 2, 'loss': 1.}], True), ([{'epoch': 1}], False),
    ([{'epoch': 1, 'loss': 2.}, {'epoch': 2, 'loss': 1., 'best': True}], False),
    ([{'epoch': 1, 'loss': 2., 'best': True}, {'epoch': 2, 'loss': 1.}], False), ([{'epoch': 1, 'loss': None}], False)])
def test_epochs_of_a_checkpoint_have_the_same_columns(rows, fine):
    """The table that is written of them has those of the first."""
    info = {'facts': {}, 'data': {}, 'seconds': 1., 'sums': [0.], 'history': rows}
    if fine:
        checkpoint.check_info(info)
    else:
        with pytest.raises(ValueError, match='its history'):
            checkpoint.check_info(info)


@pytest.mark.parametrize('what', ['checkpoint.save(path, [np.ones(99999)], [np.ones(99999)], {})',
                                  'log.plot_losses(path, [{"epoch": 1, "loss": 2}], ())',
                                  'log.write_losses(path, [{"loss": 2}] * 9999, 8)',
                                  'pickles_to(path)'])
def test_a_full_disk_is_one_error_that_names_the_file(tmp_path, what):
    code = """
        import resource, signal, sys
        import numpy as np
        from deepconvsep import files
        from deepconvsep.formats import pickles
        from deepconvsep.training import checkpoint, log
        import matplotlib.pyplot

        def pickles_to(path):
            with files.atomic_path(path) as temporary:
                pickles.dump_arrays(temporary, [np.ones(99999)])
        path = sys.argv[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        try:
            %s
        except OSError as error:
            print(error.filename, error.strerror)
        """ % what
    done = subprocess.run([sys.executable, '-c', textwrap.dedent(code), str(tmp_path / 'kept.x')], cwd=ROOT,
                          capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ('%s File too large\n' % (tmp_path / 'kept.x'), '')
    assert os.listdir(str(tmp_path)) == []


def test_names_that_are_no_text(tmp_path):
    folder = os.path.join(os.fsencode(str(tmp_path)), b'f\xe9')
    os.mkdir(folder)
    name = os.fsdecode(os.path.join(folder, b's\xf6ng.data'))
    tensors.save_tensor(name, np.ones((5, 90, 17)), '__m_')
    run = start(tmp_path / 'run', os.path.dirname(name))
    run.run(1)
    assert start(tmp_path / 'run', os.path.dirname(name)).resume()
    data = dataset.LargeDataset(os.path.dirname(name), time_context=30, nsources=4,
                                scratch_path=str(tmp_path / 'scratch'))
    assert len(data()) == 2
    data.close()


@pytest.mark.parametrize('name', ['$x_{$', os.fsdecode(b'caf\xe9'), '\u97f3\t'], ids=['formula', 'bytes', 'no glyph'])
def test_the_curve_of_a_model_of_any_name(tmp_path, name):
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        log.plot_losses(str(tmp_path / 'a.png'), [{'epoch': 1, 'loss': 2}], (), name)
    assert os.listdir(str(tmp_path)) == ['a.png']


def test_a_curve_that_cannot_be_drawn_does_not_end_the_training(small_features, tmp_path, monkeypatch, caplog):
    def draw_losses(*_):
        raise ValueError('no such\nletter')
    monkeypatch.setattr(log, 'draw_losses', draw_losses)
    start(tmp_path, small_features).run(1)
    assert '%s could not be drawn, the losses are in the table' % (tmp_path / 'loss_x.png') in caplog.text
    assert (tmp_path / 'loss_x.data').exists() and not (tmp_path / 'loss_x.png').exists()


def test_weights_beyond_float32_are_refused(tmp_path):
    arrays = [np.full(shape, 0.1) for shape in architecture.DSD100.param_shapes()]
    arrays[3].flat[0] = -1e39
    np.savez(str(tmp_path / 'm.npz'), *arrays)
    with pytest.raises(InputError, match=r'm.npz holds 1e\+39 in array 3 of 15, expected what float32 can hold'):
        store.load(str(tmp_path / 'm.npz'), (architecture.DSD100,), 'this training')
